/* SPDX-License-Identifier: ISC */
/*
 * dmarc.h - is the author's domain vouched for, and if not, what does it
 * want done? (RFC 7489; our own, as libopendmarc forgets strict alignment
 * once it has a public suffix list.)
 *
 *	From -> domain -> its record, or its organisational domain's
 *	     -> an SPF or DKIM pass that is aligned?  -> pass
 *	     -> a silence that could have been one?   -> temperror
 *	     -> the record's policy, by pct           -> fail
 *
 * A function of message and facts: pct is drawn from the message's digest.
 * No I/O, no logging; libpsl's list is compiled in.
 */
#ifndef POSTERN_POLICY_DMARC_H
#define POSTERN_POLICY_DMARC_H

#include "author.h"
#include "dkim.h"
#include "dmarc_record.h"

/* RFC 8601 2.7 and RFC 7489 11.2 */
enum dmarc_status {
	DMARC_STATUS_NONE,	/* no record that can be used */
	DMARC_STATUS_PASS,
	DMARC_STATUS_FAIL,
	DMARC_STATUS_TEMPERROR,
	DMARC_STATUS_PERMERROR,	/* no single author: see author */
};

/* What SPF found at MAIL. */
struct dmarc_spf {
	bool is_pass, is_temporary;
	char domain[ADDRESS_DOMAIN_MAX + 1];
};

struct dmarc_result {
	enum dmarc_status status;
	enum author_result author;
	char domain[ADDRESS_DOMAIN_MAX + 1];	/* of the From field */
	char record_domain[ADDRESS_DOMAIN_MAX + 1]; /* where the record is */
	struct dmarc_record record;
	enum dmarc_policy published;	/* p= or sp=, whichever counts */
	enum dmarc_policy applied;	/* of a failure: after pct */
	bool is_by_spf, is_by_dkim;	/* what passed and is aligned */
	/* TEMPERROR: the answer could have made this a refusal or junk */
	bool is_silence_grave;
};

/* Reads the list of public suffixes: before the sandbox. 0 or -ENOENT. */
int dmarc_warm_up(void);

/*
 * Evaluate. False when facts are wanted: *result is not to be used then.
 * dkim may be NULL while its own facts are wanted: the records are asked
 * for all the same, and the answer is false.
 */
bool dmarc_evaluate(struct slice message, const struct dmarc_spf *spf,
    const struct dkim_report *dkim, struct facts *facts,
    struct dmarc_result *result);

/* Is name of the same organisation as domain, or the same if strict?
 * Both in lower case (RFC 7489 3.1). */
bool dmarc_is_aligned(const char *name, const char *domain, bool is_strict);
/* The organisational domain (3.2), within name; NULL: name is a public
 * suffix itself. */
const char *dmarc_organisation(const char *name);
/* Does a draw from this message fall within percent? The same each time. */
bool dmarc_is_drawn(struct slice message, unsigned percent);

const char *dmarc_status_name(enum dmarc_status status);

#endif
