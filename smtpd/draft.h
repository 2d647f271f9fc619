/* SPDX-License-Identifier: ISC */
/*
 * draft.h - a sealed message while milters change it.
 *
 *	draft_open -> draft_insert, draft_change, draft_put_body ...
 *	    -> is_changed? draft_seal: a new sealed message -> draft_close
 *
 * The sealed one is never written to. Fields that nobody touches stay octet
 * for octet, and so does the body until it is replaced. Field numbers count
 * what the draft holds now. Texts given by milters are made fit here: what
 * would end a field becomes a fold. No logging.
 */
#ifndef POSTERN_SMTPD_DRAFT_H
#define POSTERN_SMTPD_DRAFT_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define DRAFT_HEADER_MAX (1u << 20)	/* octets */
#define DRAFT_FIELDS_MAX 10000
#define DRAFT_AT_END SIZE_MAX

struct draft_field {
	struct slice name;
	struct slice value;	/* after the colon, folds kept, no last LF */
	struct slice whole;	/* as it will be written, with its LF */
	char *owned;		/* what the slices point into, or NULL */
};

struct draft {
	int fd;			/* borrowed */
	uint64_t size_bytes;
	uint64_t max_bytes;	/* of the message that comes of it; 0: none */
	char *header;
	struct draft_field *fields;
	size_t n_fields;
	size_t n_above;		/* those that milters put above our Received */
	uint64_t body_at;	/* in fd */
	bool is_changed;
	bool has_body;		/* the body was replaced: */
	struct buf body;	/* LF lines */
	bool has_cr;		/* a CR ended the last piece of it */
};

/* 0; -EFBIG: more header than DRAFT_HEADER_MAX or fields than
 * DRAFT_FIELDS_MAX; another negative errno. Closed after a failure. */
int draft_open(struct draft *d, int fd, uint64_t size_bytes,
    uint64_t max_bytes);
void draft_close(struct draft *d);

/* Printable ASCII without space and colon (RFC 5322 2.2). */
bool draft_is_field_name(struct slice name);
/*
 * Before the field with this number (0 is the top), or DRAFT_AT_END.
 * value is what follows the colon. 0, -EINVAL (no field name), -EFBIG,
 * -ENOMEM.
 */
int draft_insert(struct draft *d, size_t at, struct slice name,
    struct slice value);
/*
 * The nth field of this name, from 1: gets another value, or goes when value
 * is empty. One that is not there is added at the end.
 */
int draft_change(struct draft *d, struct slice name, uint32_t nth,
    struct slice value);
/* A piece of the new body (CR LF lines); the first one ends the old body. */
int draft_put_body(struct draft *d, struct slice piece, bool is_first);

/* Octets of body from this offset on; at most size. 0 at its end. */
ssize_t draft_read_body(const struct draft *d, uint64_t at, char *to,
    size_t size);
/* A new sealed memfd and its size, or a negative errno (-EFBIG). */
int draft_seal(struct draft *d, const char *session_id, uint64_t *size_bytes);

#endif
