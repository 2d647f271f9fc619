/* SPDX-License-Identifier: ISC */
/*
 * dsn_text.h - what dsn.c and dsn_text.c share.
 */
#ifndef MAIL_DSN_TEXT_H
#define MAIL_DSN_TEXT_H

#include "dsn.h"

#define DSN_STATUS_SIZE 16		/* "5.255.255" and NUL */

struct dsn_writer {
	struct buf *out;
	const struct dsn *dsn;
	struct slice header;		/* whole fields of the message */
	struct slice subject, message_id, date;	/* of the message */
	bool is_global;
	int error;			/* the first one sticks */
};

void dsn_put(struct dsn_writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void dsn_put_slice(struct dsn_writer *w, struct slice s);
bool dsn_is_ascii(struct slice s);
/* One line without controls, trimmed; to is where it stands. */
struct slice dsn_clean(char *to, size_t room, struct slice text, bool is_utf8);
/* What it says above all recipients. */
enum dsn_action dsn_headline(const struct dsn *dsn);
void dsn_status(char to[DSN_STATUS_SIZE], const struct dsn_recipient *r);

/* Find subject, Message-ID and date in the header. */
void dsn_text_learn(struct dsn_writer *w);
/* The part for people. */
void dsn_text_write(struct dsn_writer *w);

#endif
