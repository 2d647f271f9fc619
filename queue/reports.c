/* SPDX-License-Identifier: ISC */
/*
 * reports.c - a DSN is written and brought home (P5).
 *
 *	TAG (vault) -> MAILBOX (directory) -> PROBE, PREPARE, COMMIT (deliver)
 *	                                   -> HOME (relay)
 *	    -> noted in the envelope
 *
 * The account that submitted the message has it in its mailbox, or who
 * stands in for it; directory says where that is and seals it, deliver takes
 * nothing else. No address of the envelope decides where it goes. A mailbox
 * behind an LMTP server has it from relay (RELAY_HOME), which follows that
 * seal to a next hop of the configuration and nowhere else: no report leaves
 * for a stranger.
 *
 * A mailbox that refuses it for good: postmaster has it. One that cannot
 * take it now: it is tried again. A crash between COMMIT and the envelope
 * brings a second copy at worst.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "config.h"
#include "fault.h"
#include "log.h"
#include "messages.h"
#include "queue.h"
#include "sealed.h"
#include "sending.h"
#include "utf8.h"

#define ASK_MS 30000
#define COMMIT_MS 60000
#define HOME_MS 900000			/* the reply to a dot has 10 min */

struct report {
	struct queue *queue;
	struct queued *message;
	enum report_kind kind;
	bool is_whole;			/* all of the message goes along */
	bool is_for_postmaster;		/* the account's mailbox refused it */
	bool is_8bit;
	struct channel *ch;		/* where the question is out */
	struct channel *delivery;	/* that knows our transaction */
	uint32_t question;
	uint64_t transaction;		/* at deliver; 0: none */
	size_t size_bytes;
	int fd;				/* the text, sealed; -1: not written */
	char id[ENVELOPE_ID_SIZE];
};

static void ask_mailbox(struct report *report);
static void report_write(struct report *report);

/* ---- how it ends ---- */

/* deliver forgets a transaction by itself only when it was committed. */
static void
release(struct report *report)
{
	static struct ipc_writer w;	/* large */
	const struct release_ask ask = { .transaction = report->transaction,
		.how = RELEASE_ALL };

	if (report->transaction == 0 || report->delivery == NULL ||
	    report->delivery != report->queue->deliver)
		return;
	ipc_writer_init(&w);
	put_release_ask(&w, &ask);
	(void)channel_tell(report->delivery, RELEASE_ASK, &w, -1);
	report->transaction = 0;
}

static void
report_free(struct report *report)
{
	if (report->question != 0)
		channel_forget(report->ch, report->question);
	release(report);
	if (report->fd >= 0)
		close(report->fd);
	report->message->report = NULL;
	free(report);
}

void
report_drop(struct queue *q, struct queued *m)
{
	(void)q;
	if (m->report != NULL)
		report_free(m->report);
}

/* The message is done with it: closed, which may be its end. */
static void
report_end(struct report *report)
{
	struct queue *q = report->queue;
	struct queued *m = report->message;

	report_free(report);
	queued_close(q, m);
	queue_want_work(q);
}

/* What the text tells; another job may bring more while it is under way. */
static void
note_told(struct envelope *e, enum report_kind kind)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		e->recipients[i].is_told_of = e->recipients[i].owes == kind;
}

static void
forget_told(struct envelope *e, enum report_kind kind)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].is_told_of &&
		    e->recipients[i].owes == kind)
			e->recipients[i].owes = REPORT_NONE;
	e->report_next_s = 0;
	e->report_tries = 0;
	e->report_text = SLICE("");
}

static void
report_done(struct report *report)
{
	struct queue *q = report->queue;
	struct queued *m = report->message;

	FAULT_STEP("queue.reported");
	report->transaction = 0;
	forget_told(m->open, report->kind);
	q->n_reports++;
	log_info("reported", LOG_S("queue", report->id),
	    LOG_S("what", report->kind == REPORT_FAILURE ? "failure" :
	    report->kind == REPORT_DELAY ? "delay" : "success"),
	    LOG_SL("user", m->open->user),
	    LOG_S("to", report->is_for_postmaster ? "postmaster" :
	    "the account"), LOG_END);
	queued_save(q, m);
	report_end(report);
}

/* Nobody could take it in all that time: it must end some day. */
static void
report_lost(struct report *report, const char *why)
{
	struct queued *m = report->message;

	log_error("alarm", LOG_S("problem", "a report could not be delivered "
	    "to anybody"), LOG_S("queue", report->id), LOG_S("why", why),
	    LOG_END);
	note_told(m->open, report->kind);
	forget_told(m->open, report->kind);
	queued_save(report->queue, m);
	report_end(report);
}

static void
report_later(struct report *report, const char *why)
{
	struct queue *q = report->queue;
	struct queued *m = report->message;
	struct envelope *e = m->open;
	int64_t now_s = queue_now_s(q);
	bool failed = false;

	if (now_s > e->time_s +
	    2 * (int64_t)q->c.config->queue.give_up_s + 86400) {
		report_lost(report, why);
		return;
	}
	if (e->report_tries < UINT16_MAX)
		e->report_tries++;
	e->report_next_s = now_s + schedule_delay_s(q->schedule,
	    e->report_tries);
	e->report_text = envelope_keep(e, slice_of(why), 300, &failed);
	log_warning("report_deferred", LOG_S("queue", report->id),
	    LOG_S("why", why), LOG_U("tries", e->report_tries), LOG_END);
	queued_save(q, m);
	report_end(report);
}

/* To be told matters more than to have it back: once more, smaller. */
static void
write_smaller(struct report *report)
{
	close(report->fd);
	report->fd = -1;
	report->is_whole = false;
	report_write(report);
}

/*
 * Of deliver or directory: 4yz waits, 5yz goes to postmaster. What returns
 * the whole message may have been too large for the mailbox, or for what is
 * left of its quota.
 */
static void
report_refused(struct report *report, const struct verdict *v)
{
	release(report);
	if (report->is_whole) {
		write_smaller(report);
		return;
	}
	if (v->code < 500 || report->is_for_postmaster) {
		report_later(report, v->text);
		return;
	}
	log_warning("report_refused", LOG_S("queue", report->id),
	    LOG_U("code", v->code), LOG_S("why", v->text),
	    LOG_S("effect", "postmaster has it"), LOG_END);
	report->is_for_postmaster = true;
	ask_mailbox(report);
}

static bool
is_answer(struct report *report, const struct ipc_message *m, uint16_t type)
{
	report->question = 0;
	return m != NULL && m->type == type;
}

static bool
ask(struct report *report, struct channel *ch, uint16_t type,
    const struct ipc_writer *w, channel_answered_fn *answered)
{
	bool has_fd = type == PREPARE_ASK || type == RELAY_HOME;
	uint32_t limit_ms = type == COMMIT_ASK ? COMMIT_MS :
	    type == RELAY_HOME ? HOME_MS : ASK_MS;

	report->ch = ch;
	report->question = ch == NULL ? 0 : channel_ask(ch, type, w,
	    has_fd ? report->fd : -1, limit_ms, answered, report);
	return report->question != 0;
}

/* ---- COMMIT ---- */

static void
on_committed(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct outcome outcome;	/* large */
	struct report *report = arg;

	(void)ch;
	if (!is_answer(report, m, COMMIT_ANSWER) ||
	    !get_outcome(&m->body, &outcome))
		report_later(report, "deliver did not answer");
	else if (outcome.n_failures > 0)
		report_refused(report, &outcome.failures[0].verdict);
	else
		report_done(report);
}

static void
on_prepared(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct outcome outcome;	/* large */
	static struct ipc_writer w;
	struct report *report = arg;

	if (!is_answer(report, m, PREPARE_ANSWER) ||
	    !get_outcome(&m->body, &outcome)) {
		report_later(report, "deliver did not answer");
		return;
	}
	if (outcome.n_failures > 0) {
		report_refused(report, &outcome.failures[0].verdict);
		return;
	}
	FAULT_STEP("queue.report_commit");
	ipc_writer_init(&w);
	ipc_put_u64(&w, report->transaction);
	if (!ask(report, ch, COMMIT_ASK, &w, on_committed))
		report_later(report, "deliver is not there");
}

/* ---- PREPARE ---- */

static void
ask_prepare(struct report *report)
{
	static struct prepare_ask prepare;	/* large */
	static struct ipc_writer w;
	const struct config *config = report->queue->c.config;
	int64_t now_us = clock_wall_us();
	char name[96];

	/* Q: prepared first, then committed (ask.h) */
	snprintf(name, sizeof name, "%lld.M%lldP%dQ%llu",
	    (long long)(now_us / 1000000), (long long)(now_us % 1000000),
	    (int)getpid(), (unsigned long long)report->transaction);
	prepare = (struct prepare_ask){ .transaction = report->transaction,
		.message_size = report->size_bytes, .name = slice_of(name),
		.host = slice_of(config->hostname),
		.return_path = SLICE(""), .trace = SLICE(""),
		.n_recipients = 1 };
	ipc_writer_init(&w);
	put_prepare_ask(&w, &prepare);
	if (!ask(report, report->delivery, PREPARE_ASK, &w, on_prepared))
		report_later(report, "deliver is not there");
}

static void
on_probed(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct report *report = arg;
	struct probe_answer a;

	(void)ch;
	if (!is_answer(report, m, PROBE_ANSWER) ||
	    !get_probe_answer(&m->body, &a))
		report_later(report, "deliver did not answer");
	else if (a.verdict.code != 0)
		report_refused(report, &a.verdict);
	else
		ask_prepare(report);
}

/* ---- LMTP ---- */

static void
on_homed(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct report *report = arg;
	struct relay_result a;

	(void)ch;
	if (!is_answer(report, m, RELAY_HOMED) ||
	    !get_relay_result(&m->body, &a))
		report_later(report, "relay did not answer");
	else if (a.verdict.code == 250)
		report_done(report);
	else
		report_refused(report, &a.verdict);
}

static void
ask_home(struct report *report, const struct route_answer *route)
{
	static struct ipc_writer w;	/* large */
	const struct relay_home home = { .session = slice_of(report->id),
		.sealed = route->hop, .message_size = report->size_bytes,
		.is_8bit = report->is_8bit,
		.is_utf8 = report->message->open->is_utf8 };

	FAULT_STEP("queue.report_home");
	ipc_writer_init(&w);
	put_relay_home(&w, &home);
	if (!ask(report, report->queue->relay, RELAY_HOME, &w, on_homed))
		report_later(report, "relay is not there");
}

/* ---- the mailbox ---- */

static void
ask_probe(struct report *report, const struct route_answer *route, int fd)
{
	static struct ipc_writer w;	/* large */
	struct queue *q = report->queue;
	const struct probe_ask probe = { .size_bytes = report->size_bytes,
		.transaction = ++q->last_delivery,
		.session = slice_of(report->id), .sealed = route->sealed,
		.sealed_size = route->sealed_size };

	report->transaction = probe.transaction;
	report->delivery = report->ch = q->deliver;
	ipc_writer_init(&w);
	put_probe_ask(&w, &probe);
	if (q->deliver != NULL)
		report->question = channel_ask(q->deliver, PROBE_ASK, &w, fd,
		    ASK_MS, on_probed, report);
	if (report->question == 0)
		report_later(report, "deliver is not there");
}

static void
on_mailbox(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct report *report = arg;
	struct route_answer route;

	(void)ch;
	if (!is_answer(report, m, ROUTE_ANSWER) ||
	    !get_route_answer(&m->body, &route))
		report_later(report, "directory did not answer");
	else if (route.kind == ROUTE_REFUSE)
		report_refused(report, &route.verdict);
	else if (route.kind == ROUTE_DISCARD)
		report_done(report);	/* that is what he wants */
	else if (route.kind == ROUTE_HOP)
		ask_home(report, &route);
	else
		ask_probe(report, &route, m->fd);
}

static void
ask_mailbox(struct report *report)
{
	static struct ipc_writer w;	/* large */
	const struct mailbox_ask mailbox = {
		.session = slice_of(report->id),
		.user = report->is_for_postmaster ? SLICE("") :
		report->message->open->user };

	ipc_writer_init(&w);
	put_mailbox_ask(&w, &mailbox);
	if (!ask(report, queue_directory(report->queue), MAILBOX_ASK, &w,
	    on_mailbox))
		report_later(report, "directory is not there");
}

/* ---- the text ---- */

static void
report_write(struct report *report)
{
	struct buf text = { 0 };
	int error;

	note_told(report->message->open, report->kind);
	error = report_compose(&text, report->message, report->kind,
	    report->is_whole);
	if (!error)
		report->fd = sealed_of_text(report->id, buf_slice(&text));
	report->size_bytes = text.size;
	report->is_8bit = !utf8_is_ascii(buf_slice(&text));
	buf_free(&text);
	if (!error && report->fd < 0)
		error = report->fd;
	if (error)
		report_later(report, strerror(-error));
	else
		ask_mailbox(report);
}

/* ---- start ---- */

static void
on_tag(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct report *report = arg;
	bool is_good = tag_take(report->message->open, m);

	(void)ch;
	report->question = 0;
	if (is_good)
		report_write(report);
	else
		report_later(report, "the vault did not answer");
}

static enum report_kind
most_urgent(const struct envelope *e)
{
	enum report_kind kind = REPORT_NONE;

	for (size_t i = 0; i < e->n_recipients; i++) {
		enum report_kind owes = e->recipients[i].owes;

		/* failure comes first, then delay */
		if (owes != REPORT_NONE && (kind == REPORT_NONE ||
		    owes < kind))
			kind = owes;
	}
	return kind;
}

void
report_start(struct queue *q, struct queued *m)
{
	struct envelope *e = m->open;
	enum report_kind kind = most_urgent(e);
	struct report *report;

	/* one for all that its jobs bring */
	if (m->report != NULL || kind == REPORT_NONE ||
	    queued_is_running(m) || e->report_next_s > queue_now_s(q))
		return;
	report = calloc(1, sizeof *report);
	if (report == NULL)
		return;		/* at its deadline */
	*report = (struct report){ .queue = q, .message = m, .kind = kind,
		.is_whole = report_is_whole(m, kind), .fd = -1 };
	envelope_id_write(report->id, m->id);
	m->report = report;
	m->n_open++;
	if (!tag_is_wanted(q, e)) {
		report_write(report);
		return;
	}
	report->ch = q->vault;
	report->question = tag_ask(q, e->from, TAG_MS, on_tag, report);
	if (report->question == 0)
		report_later(report, "the vault is not there");
}
