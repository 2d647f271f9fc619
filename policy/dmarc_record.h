/* SPDX-License-Identifier: ISC */
/*
 * dmarc_record.h - what a domain publishes at _dmarc (RFC 7489 6.3).
 *
 * Only what decides about one message is kept; where to send reports is
 * not. Pure.
 */
#ifndef POSTERN_POLICY_DMARC_RECORD_H
#define POSTERN_POLICY_DMARC_RECORD_H

#include "buf.h"
#include "dns.h"

enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };

struct dmarc_record {
	enum dmarc_policy policy;
	enum dmarc_policy subdomain_policy;	/* policy, unless sp= */
	bool is_strict_dkim, is_strict_spf;
	unsigned percent;
};

/*
 * Parse one TXT record. False when it is none (RFC 7489 6.6.3: no
 * "v=DMARC1" in front), or holds no policy that could be applied: p=, or a
 * bad sp=, without a rua= that makes it p=none. Any other tag that is
 * malformed counts as absent.
 */
bool dmarc_record_parse(struct slice text, struct dmarc_record *record);

enum dmarc_found {
	DMARC_FOUND,
	DMARC_NOT_FOUND,
	DMARC_UNUSABLE,		/* several, or one without a policy */
	DMARC_SILENCE,
};

/*
 * The record in an answer. Several that begin with v=DMARC1 are unusable; an
 * answer that was cut is silence unless exactly one was in it.
 */
enum dmarc_found dmarc_record_find(const struct dns_answer *answer,
    struct dmarc_record *record);

const char *dmarc_policy_name(enum dmarc_policy policy);

#endif
