/* SPDX-License-Identifier: ISC */
/*
 * sending.h - how a message comes in, is sent, and is reported on; for this
 * folder only.
 */
#ifndef QUEUE_SENDING_H
#define QUEUE_SENDING_H

#include "queue.h"

/* ---- intake.c ---- */
/* For our own users' mail; for what an mx may bring. */
extern const struct channel_rule intake_rules[], list_rules[];
extern const size_t intake_n_rules, list_n_rules;
/* The channel has ended: what is not committed is dropped. */
void intake_forget(struct peer *peer);
/* Would it do for RCPT? */
bool intake_is_address(struct slice text);

/* ---- jobs.c ---- */
/* Start everything that may run now. */
void jobs_start(struct queue *q);
extern const struct channel_rule relay_rules[];
extern const size_t relay_n_rules;

/* ---- results.c ---- */
/* Whether this kind of report is wanted about him (RFC 3461 4.1). */
bool recipient_wants(const struct envelope *e,
    const struct envelope_recipient *r, enum report_kind kind);
/* is_final: who took it has the mailbox, and was not one more hop. */
void recipient_sent(struct envelope *e, struct envelope_recipient *r,
    const struct relay_result *result, bool is_final, int64_t now_s);
/* A 4yz or 5yz; the caller decides what follows from it. */
void recipient_answered(struct envelope *e, struct envelope_recipient *r,
    const struct verdict *v, struct slice host, int64_t now_s);
/* Final: owes a DSN if he wants one. */
void recipient_failed(struct envelope *e, struct envelope_recipient *r);
bool envelope_owes(const struct envelope *e);
bool envelope_is_waiting(const struct envelope *e);

/* ---- reports.c ---- */
/* Bring the DSN home that m owes, if it is time and none is under way. */
void report_start(struct queue *q, struct queued *m);
/* m is going away. */
void report_drop(struct queue *q, struct queued *m);

/* ---- report_text.c ---- */
/* Whether all of the message is to come back (RFC 3461 4.3). */
bool report_is_whole(const struct queued *m, enum report_kind kind);
/* The DSN of this kind that is owed. 0, -ENOBUFS, -ENOMEM. */
int report_compose(struct buf *out, const struct queued *m,
    enum report_kind kind, bool is_whole);

/* ---- tags.c ---- */
#define TAG_MS 20000		/* for vault, where nobody waits */
/* Is it an address of ours, which can have a tag? */
bool tag_is_for(const struct queue *q, struct slice from);
/* BATV breaks some lists and hosts, which are named in the configuration. */
bool tag_is_exempt(const struct queue *q, struct slice recipient);
/* The reverse-path is ours and there is no tag that will do. */
bool tag_is_wanted(const struct queue *q, const struct envelope *e);
/* Ask vault; 0 when it cannot be asked. */
uint32_t tag_ask(struct queue *q, struct slice from, uint32_t deadline_ms,
    channel_answered_fn *answered, void *arg);
/* The tagged address of the answer. False: there was no good one. */
bool tag_read(struct ipc_message *answer, char tagged[ASK_ADDRESS_MAX]);
/* Note it in the envelope. False: there was no good one. */
bool tag_take(struct envelope *e, struct ipc_message *answer);

/* ---- probes.c ---- */
/* QUEUE_PROBE: smtpd's question. */
bool queue_on_probe(struct channel *ch, struct ipc_message *m, void *arg);
/* The channel has ended: nobody waits for the answers any more. */
void probes_forget(struct peer *peer);

/* ---- sent.c ---- */
/* QUEUE_OWN of what has left; the voucher is good. */
void sent_ask(struct peer *peer, uint32_t question,
    const struct queue_own *own);
void sents_forget(struct peer *peer);

/* ---- commands.c ---- */
/* mailq of an ordinary user, by smtpd: his own. */
bool queue_on_own(struct channel *ch, struct ipc_message *m, void *arg);
extern const struct channel_rule command_rules[];
extern const size_t command_n_rules;

#endif
