/* SPDX-License-Identifier: ISC */
/*
 * smtp_client.h - a plain client of the server's `local` listener.
 *
 * It blocks, with the patience of RFC 5321 4.5.3.2. The server is ours, but
 * what it says is still bounded.
 *
 *	smtp_open (greeting, EHLO) -> smtp_command ... -> smtp_close
 */
#ifndef POSTERN_COMMANDS_SMTP_CLIENT_H
#define POSTERN_COMMANDS_SMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define SMTP_TEXT_MAX 1200

struct smtp_reply {
	unsigned code;			/* 0: none came */
	unsigned subject, detail;	/* of the enhanced code; 0.0: none */
	char text[SMTP_TEXT_MAX];	/* "550 5.1.1 no such ...", its lines
					 * joined */
};

struct smtp_client {
	int fd;
	bool is_verbose;		/* show the dialogue on stdout */
	bool is_in_hello;
	struct buf in, out;
	int passed;			/* a descriptor that came with a reply;
					 * -1: none */
	uint64_t size_most;		/* SIZE; 0: any */
	unsigned recipients_most;	/* LIMITS RCPTMAX */
	bool has_8bitmime, has_smtputf8, has_dsn;
};

/* A connected socket, or a negative errno. */
int smtp_connect(const char *path);
/*
 * Connect, greeting, EHLO. 0; a negative errno when there is no connection;
 * else *reply is what was answered instead of 220 or 250, and it is -EPROTO.
 */
int smtp_open(struct smtp_client *c, const char *path,
    struct smtp_reply *reply);
/* Send a line (without CR LF), read its reply. 0, or a negative errno: the
 * connection is of no use then. A code of 421 is -ECONNRESET, too. */
int smtp_command(struct smtp_client *c, struct smtp_reply *reply,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Octets as they are, collected. */
int smtp_write(struct smtp_client *c, struct slice data);
int smtp_read_reply(struct smtp_client *c, struct smtp_reply *reply);
/* QUIT, if there is a connection. */
void smtp_close(struct smtp_client *c);
/* Hang up: what is under way is not to be. */
void smtp_abandon(struct smtp_client *c);

#endif
