/* SPDX-License-Identifier: ISC */
/*
 * hop_talk.h - a dialogue of `postern -n -a` with one next hop: blocking, one
 * command at a time, TLS where it is offered. For next_hops.c alone.
 *
 *	hop_open -> hop_greet -> hop_ask ... -> hop_close
 *
 * No message is ever begun. What a server says is bounded, and cleaned
 * before anybody reads it.
 */
#ifndef POSTERN_HOP_TALK_H
#define POSTERN_HOP_TALK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOP_INPUT_MAX 2048
#define HOP_SAID_MAX 160

enum hop_tls { HOP_NO_TLS, HOP_MAY_TLS, HOP_MUST_TLS };

struct hop {
	const char *next_hop;		/* as configured, borrowed */
	char host[256];			/* of it, "" for a unix socket */
	enum hop_tls tls;
	int64_t end_us;			/* when all must be over */
	int fd;				/* -1: why stands in said */
	SSL *ssl;			/* or NULL */
	char input[HOP_INPUT_MAX];
	size_t n_input;
	int code;			/* of the last reply; 0: none */
	char said[HOP_SAID_MAX];	/* it, or what went wrong */
	bool has_starttls;
};

/* Connect; fd is -1 where that fails. */
void hop_open(struct hop *hop);
/* Read its greeting and say hello. False: it is closed, said says why. */
bool hop_greet(struct hop *hop, const char *hostname);
/*
 * What it says of a recipient: the code, 0 where it said something before
 * that which is no word about him, or -1 without an answer.
 */
int hop_ask(struct hop *hop, const char *local, const char *domain);
/* QUIT, if it is open. */
void hop_close(struct hop *hop);

#endif
