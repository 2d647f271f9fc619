/* SPDX-License-Identifier: ISC */
/*
 * ask_forward.h - forwards by cut-through: the part of ask.h (which includes
 * it) on mail from outside that a next hop answers for (hop_route.h). It is
 * never queue's: nothing of it is stored.
 *
 *	smtpd --HOP_RCPT--> relay	MAIL, RCPT, RSET there: its answer to
 *	      <-HOP_REPLIED-		RCPT is ours
 *	      --HOP_RECIPIENT...-->
 *	      --HOP_SEND-->		MAIL, RCPT ..., DATA there: its answer
 *	      <-HOP_SENT--		to the end of the message is ours
 *	      --HOP_CANCEL-->		told: nobody waits for it now
 *
 * All recipients of one HOP_SEND are at one hop (hop_route_is_same_hop), and
 * share one dialogue. All or nobody: where it does not take one of them at
 * RCPT, no message is sent. Nothing is tried at another host once the end of
 * the message was sent.
 */
#ifndef POSTERN_ASK_FORWARD_H
#define POSTERN_ASK_FORWARD_H

#include "ask_hop.h"
#include "hop_route.h"

/* MAIL there, as our client said it. */
struct hop_mail {
	struct slice reverse_path;	/* as given; "" is null. relay rewrites
					 * it for a forward */
	uint64_t size_bytes;		/* SIZE=, 0: not declared */
	bool is_8bit, is_utf8, requires_tls;
	bool is_authenticated;		/* reverse_path: see ask_srs.h */
};

struct hop_rcpt {
	struct slice session;
	struct slice client;		/* its address */
	struct slice sealed;		/* hop_route.h */
	struct hop_mail mail;
};

#define HOP_RECIPIENTS_MAX 100	/* of one HOP_SEND; RFC 5321 4.5.3.1.8 */
struct hop_recipient {
	uint64_t transaction;		/* unique in this channel */
	uint16_t index;			/* in the transaction */
	struct slice session;
	struct slice sealed;
};

#define HOP_TRACE_MAX 12000
struct hop_send {
	uint64_t transaction;
	struct hop_mail mail;
	struct slice trace;		/* header lines, on top of it */
	uint64_t message_size;		/* of the descriptor */
	uint16_t n_recipients;		/* told before */
};

struct hop_result {
	uint16_t index;
	enum relay_stage stage;		/* how far it came */
	bool is_said;			/* by the next hop, of him alone */
	struct verdict verdict;		/* 250: taken; 4yz, 5yz */
};

/* octets of each verdict's text, so that all of them fit into one message */
#define HOP_RESULT_TEXT_MAX 200
#define HOP_RESULT_TEXT_OF_MANY_MAX 140	/* of more than HOP_RESULTS_MANY */
#define HOP_RESULTS_MANY 50
struct hop_sent {
	struct slice remote_host;	/* as in hop_reply */
	struct slice tls;		/* what was agreed, for the trail */
	uint16_t n;			/* as many as recipients were told */
	struct hop_result results[HOP_RECIPIENTS_MAX];
};

void put_hop_rcpt(struct ipc_writer *w, const struct hop_rcpt *q);
bool get_hop_rcpt(struct ipc_reader *r, struct hop_rcpt *q);
void put_hop_recipient(struct ipc_writer *w, const struct hop_recipient *q);
bool get_hop_recipient(struct ipc_reader *r, struct hop_recipient *q);
void put_hop_send(struct ipc_writer *w, const struct hop_send *q);
bool get_hop_send(struct ipc_reader *r, struct hop_send *q);
void put_hop_sent(struct ipc_writer *w, const struct hop_sent *a);
bool get_hop_sent(struct ipc_reader *r, struct hop_sent *a);

#endif
