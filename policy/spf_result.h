/* SPDX-License-Identifier: ISC */
/*
 * spf_result.h - what check_spf handed on from MAIL: its result "spf",
 * "RESULT DOMAIN IDENTITY", such as "pass example.org mailfrom". Pure.
 */
#ifndef POSTERN_POLICY_SPF_RESULT_H
#define POSTERN_POLICY_SPF_RESULT_H

#include <stdbool.h>
#include "address.h"
#include "check.h"

struct spf_told {
	char result[16];			/* RFC 7208 2.6 */
	char domain[ADDRESS_DOMAIN_MAX + 1];	/* lower case */
	bool is_helo;				/* of a null reverse-path */
};

/* False when SPF was not evaluated. */
bool spf_told(const struct check *c, struct spf_told *told);

#endif
