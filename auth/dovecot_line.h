/* SPDX-License-Identifier: ISC */
/*
 * dovecot_line.h - lines of Dovecot's authentication protocol (its
 * doc/auth-protocol.txt): words between tabs, where \001 stands before an
 * octet that would be taken for something else. Pure.
 */
#ifndef AUTH_DOVECOT_LINE_H
#define AUTH_DOVECOT_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "sasl.h"

#define DOVECOT_LINE_MAX 8192

enum dovecot_line_kind {
	DOVECOT_LINE_VERSION,		/* number: the major one */
	DOVECOT_LINE_MECH,		/* is_plain, is_scram */
	DOVECOT_LINE_DONE,		/* of its greeting */
	DOVECOT_LINE_OK,		/* number: id; user, data */
	DOVECOT_LINE_FAIL,		/* number: id; is_temporary */
	DOVECOT_LINE_CONT,		/* number: id; data: not of PLAIN */
	DOVECOT_LINE_OTHER,		/* known to us or not, of no meaning */
	DOVECOT_LINE_BAD,
};

struct dovecot_line {
	enum dovecot_line_kind kind;
	uint32_t number;
	bool is_plain, is_scram;	/* SCRAM-SHA-256 */
	bool is_temporary;		/* not the password's fault */
	char user[SASL_NAME_MAX + 1];	/* "" where none is given */
	struct slice data;		/* base64; points into the line */
};

/* Without its line end. */
void dovecot_line_parse(struct dovecot_line *to, struct slice line);

/* What we say to a Dovecot that has just been connected. */
int dovecot_put_greeting(struct buf *to, uint32_t pid);
/* AUTH PLAIN; client: an address, or "" or a network (left out). */
int dovecot_put_auth(struct buf *to, uint32_t id,
    const struct sasl_credentials *c, struct slice client);
/* AUTH SCRAM-SHA-256 with the client's first message. */
int dovecot_put_scram(struct buf *to, uint32_t id, struct slice first,
    struct slice client);
/* What the client says next. */
int dovecot_put_continue(struct buf *to, uint32_t id, struct slice response);
int dovecot_put_cancel(struct buf *to, uint32_t id);

#endif
