/* SPDX-License-Identifier: ISC */
/*
 * check_spf.h - what SPF found at MAIL, for the checks of later stages.
 *
 * check_spf hands on these results (FACT_RESULT):
 *
 *	spf		"pass" ...: of the reverse-path, or of HELO where
 *			that is null; greylist reads it
 *	spf.domain	whose policy that was; "" if there was nobody to ask
 *	spf.identity	"mailfrom" or "helo"
 *	spf.method	"spf=pass smtp.mailfrom=example.org", for
 *			Authentication-Results
 *	spf.field	the Received-SPF field, which check_spf_trace puts
 *			on top of the message
 */
#ifndef POSTERN_POLICY_CHECK_SPF_H
#define POSTERN_POLICY_CHECK_SPF_H

#include "check.h"
#include "spf.h"

/* False when SPF did not run: no client address, or it is another stage's
 * question. domain points into the facts. */
bool check_spf_result(const struct check *c, enum spf_result *result,
    struct slice *domain);
/* "spf=..." for Authentication-Results; "" when SPF did not run. */
struct slice check_spf_method(const struct check *c);

check_fn check_spf, check_spf_trace;

#endif
