/* SPDX-License-Identifier: ISC */
/*
 * dkim_signature.h - reads DKIM-Signature fields and keys, strictly.
 *
 * What libopendkim is given has passed here: sizes, syntax, values, times.
 * Slices point into the field or the key record. Pure.
 */
#ifndef POSTERN_POLICY_DKIM_SIGNATURE_H
#define POSTERN_POLICY_DKIM_SIGNATURE_H

#include <stdint.h>
#include "dkim.h"

#define DKIM_FIELD_MAX 8192	/* octets of a DKIM-Signature */
#define DKIM_NAMES_MAX 200	/* names in h= */
#define DKIM_NAMES_BYTES_MAX 4000	/* the library's buffer for h= */
#define DKIM_KEY_MAX 1000

struct dkim_signature {
	struct slice algorithm;
	bool is_ed25519;
	struct slice names;		/* h= */
	struct slice body_hash;		/* bh=, folds and all */
	struct slice signature;		/* b=, the same */
	bool is_subdomain;		/* i= is below d=, not of it */
	unsigned n_own_names;		/* "DKIM-Signature" in it */
	bool is_relaxed_body;
	bool has_length;		/* l= */
	uint64_t length;
	bool has_time, has_expiry;	/* t=, x= */
	uint64_t time_s, expiry_s;
};

/*
 * Parse a field's value. Fills domain, selector and signature of *result
 * as far as it gets. False: result->status and reason say why.
 */
bool dkim_signature_parse(struct slice value, struct dkim_signature *s,
    struct dkim_result *result);
/* t= not in the future, x= not in the past. The same. */
bool dkim_signature_is_timely(const struct dkim_signature *s,
    uint64_t now_s, struct dkim_result *result);

/*
 * The key (p=) in the answer for SELECTOR._domainkey.DOMAIN, if it may
 * verify this signature. The same.
 */
bool dkim_key_find(const struct dns_answer *answer,
    const struct dkim_signature *s, struct slice *key,
    struct dkim_result *result);

/* Sets status and reason; returns false. */
bool dkim_result_set(struct dkim_result *result, enum dkim_status status,
    const char *reason);

#endif
