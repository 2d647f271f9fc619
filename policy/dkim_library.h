/* SPDX-License-Identifier: ISC */
/*
 * dkim_library.h - one signature through libopendkim; see dkim.h.
 */
#ifndef POSTERN_POLICY_DKIM_LIBRARY_H
#define POSTERN_POLICY_DKIM_LIBRARY_H

#include "dkim_signature.h"

/* The fields of a message with CR LF in their folds and none at the end. */
struct dkim_fields {
	struct buf text;
	unsigned n;
	unsigned n_signatures;
	/* of the whole body, by is_relaxed_body, once it is made */
	struct dkim_digest {
		bool is_sized, is_known;
		uint64_t size;		/* in canonical form */
		unsigned char octets[32];
	} digests[2];
	struct dkim_field {
		size_t at, size;
		struct slice value;	/* in the message */
		bool is_signature;
	} items[DKIM_FIELDS_MAX];
};

/* One signature, and the message around it. */
struct dkim_case {
	struct dkim_fields *fields;
	unsigned own;			/* index of the signature's field */
	struct slice body;		/* LF line ends */
	struct dkim_signature signature;
	struct slice key;		/* p= */
};

/* Sets status, reason and key_bits of *result. */
void dkim_library_verify(struct dkim_library *library,
    const struct dkim_case *c, struct dkim_result *result);

#endif
