/* SPDX-License-Identifier: ISC */
/*
 * dmarc_text.h - a DMARC result in words: for the trail, and as the result
 * "dmarc" that Authentication-Results is made from:
 * "STATUS POLICY DOMAIN", such as "fail reject example.org" or
 * "permerror - -".
 */
#ifndef POSTERN_POLICY_DMARC_TEXT_H
#define POSTERN_POLICY_DMARC_TEXT_H

#include "check.h"
#include "dmarc.h"

/* Writes to, cut to room; returns it. */
const char *dmarc_describe(char *to, size_t room,
    const struct dmarc_result *result);
void dmarc_put_result(struct check *c, const struct dmarc_result *result);

struct dmarc_told {
	char status[16], policy[16];
	char domain[ADDRESS_DOMAIN_MAX + 1];
};
/* Of this stage. False when DMARC was not evaluated. */
bool dmarc_told(const struct check *c, struct dmarc_told *told);

#endif
