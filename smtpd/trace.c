/* SPDX-License-Identifier: ISC */
/*
 * What we put on top of a message, and how its copies are called. The sizes
 * must be deliver's, for they stand in the names (S=, Maildir++).
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include "checks.h"
#include "clock.h"
#include "finish.h"
#include "received.h"

static unsigned
trace_protocol(const struct session *s)
{
	unsigned with = 0;

	if (s->is_esmtp)
		with |= RECEIVED_ESMTP;
	if ((s->tx->params.given & COMMAND_SMTPUTF8) != 0)
		with |= RECEIVED_UTF8;
	if (s->tls != NULL)
		with |= RECEIVED_TLS;
	if (s->user != NULL && s->settings->kind == LISTEN_SUBMISSION)
		with |= RECEIVED_AUTH;
	return with;
}

/* Unique on this host: no process has two transactions of one number. */
void
trace_name_copies(struct transaction *tx)
{
	static pid_t pid;
	int64_t now_us = clock_wall_us();

	if (pid == 0)
		pid = getpid();
	/* the letter tells RESOLVE which way it went (ask.h) */
	snprintf(tx->name, sizeof(tx->name),
	    "%" PRId64 ".M%" PRId64 "P%d%c%" PRIu64, now_us / 1000000,
	    now_us % 1000000, (int)pid, tx->is_whole ? 'D' : 'Q', tx->number);
}

/* Of this host; "" for everybody else. */
static const char *
trace_user(const struct session *s)
{
	return s->user != NULL && s->settings->kind == LISTEN_LOCAL ?
	    s->user->user : "";
}

int
trace_make(struct session *s)
{
	return trace_make_as(s, slice_of(s->id));
}

int
trace_make_as(struct session *s, struct slice id)
{
	struct transaction *tx = s->tx;
	int64_t now_us = clock_wall_us();
	struct received received = {
		.helo = slice_of(s->helo),
		.rdns = checks_result(s, "fcrdns"),
		.ip = slice_of(s->ip),
		.host = slice_of(s->settings->config->hostname),
		.with = trace_protocol(s),
		.tls = slice_of(s->tls != NULL ? s->tls : ""),
		.id = id,
		.recipient = slice_of(""),
		.user = slice_of(trace_user(s)),
		.uid = s->caller_uid,
		.when_s = now_us / 1000000,
	};

	/* More than one would tell each about the others (RFC 5321 7.2). */
	if (tx->n_recipients == 1)
		received.recipient = slice_of(tx->recipients[0].address);
	return received_write(&tx->trace, &received);
}

int
trace_file_name(const struct transaction *tx, const char *host,
    const struct recipient *r, uint16_t leaf, struct buf *name)
{
	static struct buf top;		/* kept for its memory */
	int error;

	top.size = 0;
	error = received_write_return_path(&top, slice_of(tx->reverse_path));
	if (error == 0)
		error = received_write_delivered_to(&top,
		    r->route.leaves[leaf].delivered_to);
	if (error < 0)
		return error;
	return buf_printf(name, "%s_%u_%u.%s,S=%zu", tx->name,
	    (unsigned)r->index, (unsigned)leaf, host,
	    top.size + tx->trace.size + (size_t)tx->message_bytes);
}
