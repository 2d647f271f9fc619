/* SPDX-License-Identifier: ISC */
/*
 * ask_hop.h - what is asked at a next hop while somebody waits for its
 * answer: the part of ask.h (which includes it) on dialogues that relay
 * leads and that end before a message. The numbers of the messages stand in
 * enum ask_type there. What goes on to a message: ask_forward.h.
 *
 *	smtpd --QUEUE_PROBE--> queue --RELAY_PROBE--> relay --RCPT--> next hop
 *	      <-QUEUE_PROBED--       <-RELAY_PROBED--       <-reply--
 *
 * A probe is a whole dialogue in one question: where to, MAIL, one RCPT and
 * its reply, the end. One that goes on to a message is the same in parts,
 * hop_envelope to open it and a hop_reply for each RCPT, and who leads it
 * keeps a number for it.
 *
 * Nothing here refuses by itself: hop_refuses says when a reply does.
 */
#ifndef POSTERN_ASK_HOP_H
#define POSTERN_ASK_HOP_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "ipc_cursor.h"
#include "verdict.h"
#include "voucher.h"

enum relay_stage {
	RELAY_AT_DNS, RELAY_AT_CONNECT, RELAY_AT_GREETING, RELAY_AT_TLS,
	RELAY_AT_HELLO, RELAY_AT_AUTH,
	RELAY_AT_OFFER,			/* what EHLO offered is too little: up
					 * to here the words are relay's */
	RELAY_AT_MAIL, RELAY_AT_RCPT, RELAY_AT_DATA, RELAY_AT_END,
	RELAY_STAGE_COUNT
};

/* Where, and MAIL there. */
struct hop_envelope {
	struct slice domain;		/* A-label, or "smtp:[host]:port" */
	bool is_smart_host;
	struct slice reverse_path;	/* as to be sent, tagged; "" is null */
	bool is_utf8, requires_tls;
};

struct relay_probe {
	struct hop_envelope envelope;
	struct slice address;		/* of RCPT */
};

/* The same of one of our own users; queue knows where mail for it goes. */
struct queue_probe {
	struct voucher voucher;
	struct slice reverse_path;	/* clean, without tag; "" is null */
	struct slice address;
	bool is_utf8, requires_tls;
};

struct hop_reply {
	bool is_said;			/* by the next hop, to RCPT; else
					 * verdict tells why nothing was */
	enum relay_stage stage;		/* how far it came */
	struct verdict verdict;		/* 250, 4yz, 5yz; one line of text */
	struct slice remote_host;	/* "mx1.example.net[192.0.2.1]", "" */
	uint32_t age_s;			/* 0: just now; else it was kept */
};

/* The next hop itself has refused the recipient for good. */
static inline bool
hop_refuses(const struct hop_reply *a)
{
	return a->is_said && a->verdict.code >= 500;
}

void put_relay_probe(struct ipc_writer *w, const struct relay_probe *q);
bool get_relay_probe(struct ipc_reader *r, struct relay_probe *q);
void put_queue_probe(struct ipc_writer *w, const struct queue_probe *q);
bool get_queue_probe(struct ipc_reader *r, struct queue_probe *q);
/* Of another server: 250, 4yz, 5yz, and no control octet in its text. */
void get_hop_words(struct ipc_reader *r, struct verdict *v);
/* text, too, is checked: no control octet is left in it. */
void put_hop_reply(struct ipc_writer *w, const struct hop_reply *a);
bool get_hop_reply(struct ipc_reader *r, struct hop_reply *a);

#endif
