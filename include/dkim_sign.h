/* SPDX-License-Identifier: ISC */
/*
 * dkim_sign.h - our own DKIM signatures (RFC 6376, RFC 8463).
 *
 * Canonicalisation is relaxed/relaxed, as what survives most on the way.
 *
 *	dkim_body_start, _add ..., _end: the body's hash
 *	dkim_sign_write: the signature field without its signature, and the
 *	    text to sign, for vault
 *	dkim_sign_finish: the field with the signature
 *
 * Messages are memory files with LF lines; what is signed has CR LF. Every
 * field that says something to a reader is signed if it is there, and those
 * that would change the meaning if somebody added one are signed once more
 * than they are there (RFC 6376 8.15).
 *
 * vault uses dkim_input_read alone, to see what it is asked to sign. Pure.
 */
#ifndef POSTERN_DKIM_SIGN_H
#define POSTERN_DKIM_SIGN_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define DKIM_HASH_SIZE 32

/* Zero it, or dkim_body_start. */
struct dkim_body {
	void *digest;			/* EVP_MD_CTX */
	uint64_t n_empty;		/* empty lines that wait for text */
	bool is_in_line;		/* something of the line was written */
	bool has_space;			/* white space that waits for text */
	bool failed;
};

/* 0 or -ENOMEM. */
int dkim_body_start(struct dkim_body *b);
/* The next octets of the body, LF line ends, split anywhere. */
void dkim_body_add(struct dkim_body *b, struct slice part);
/* 0 or -EIO. Releases it, as does dkim_body_free. */
int dkim_body_end(struct dkim_body *b, uint8_t hash[DKIM_HASH_SIZE]);
void dkim_body_free(struct dkim_body *b);

struct dkim_signing {
	struct slice domain, selector;
	const char *algorithm;		/* "rsa-sha256", "ed25519-sha256" */
	int64_t when_s;
	uint8_t body_hash[DKIM_HASH_SIZE];
};

/*
 * header: all fields, LF lines, to the blank line or the end. input gets the
 * text to sign, field "DKIM-Signature: ...; b=". 0, -ENOMEM, or -EFBIG: input
 * has a maximum and would be over it.
 */
int dkim_sign_write(const struct dkim_signing *s, struct slice header,
    struct buf *input, struct buf *field);
/* Append the signature and the last LF. */
int dkim_sign_finish(struct buf *field, struct slice signature);

/*
 * Does this text end as what a signer signs does: in a relaxed DKIM-Signature
 * field without a signature, of everything (no l=), with From among the
 * fields signed? Then its d=, s= and a=.
 */
struct dkim_input {
	struct slice domain, selector, algorithm;
};
bool dkim_input_read(struct slice input, struct dkim_input *found);

#endif
