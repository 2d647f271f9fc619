/* SPDX-License-Identifier: ISC */
/*
 * report_text.c - the text of a DSN: of whom it tells, and how much of the
 * message it returns. How it comes home is reports.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "clock.h"
#include "config.h"
#include "dsn.h"
#include "queue.h"
#include "sending.h"

#define REPORT_MAX (1u << 20)	/* without what is returned */

static enum dsn_action
action_of(enum report_kind kind, const struct envelope_recipient *r)
{
	if (kind != REPORT_SUCCESS)
		return kind == REPORT_FAILURE ? DSN_FAILED : DSN_DELAYED;
	return r->state == RECIPIENT_DELIVERED ? DSN_DELIVERED : DSN_RELAYED;
}

static size_t
list_recipients(const struct queued *m, enum report_kind kind,
    struct dsn_recipient *to)
{
	const struct envelope *e = m->open;
	size_t n = 0;

	for (size_t i = 0; i < e->n_recipients; i++) {
		const struct envelope_recipient *r = &e->recipients[i];

		if (r->owes != kind)
			continue;
		to[n++] = (struct dsn_recipient){ .address = r->address,
			.orcpt = r->orcpt, .action = action_of(kind, r),
			.code = r->last.code, .subject = r->last.subject,
			.detail = r->last.detail, .text = r->last.text,
			.host = r->host, .last_s = r->last.when_s,
			.is_expired = kind == REPORT_FAILURE &&
			r->last.code < 500, .until_s = e->time_s +
			m->queue->c.config->queue.give_up_s };
	}
	return n;
}

/* ---- what is returned ---- */

bool
report_is_whole(const struct queued *m, enum report_kind kind)
{
	const struct envelope *e = m->open;

	return kind == REPORT_FAILURE && e->ret == DSN_RET_FULL &&
	    e->size_bytes <= m->queue->c.config->queue.return_full_bytes;
}

/* So many octets from the beginning; fewer if it has no more. */
static int
read_body(const struct queued *m, struct buf *to, size_t size)
{
	char block[8192];
	int error = 0, fd = spool_open_body(m->queue->spool, m->id);
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	while (!error && n != 0 && to->size < size) {
		size_t left = size - to->size;

		n = pread(fd, block, left < sizeof block ? left :
		    sizeof block, (off_t)to->size);
		if (n > 0)
			error = buf_append(to, block, (size_t)n);
		else if (n < 0 && errno != EINTR)
			error = -errno;
	}
	close(fd);
	return error;
}

/*
 * All of it, or the header with something of the body, so that its end is
 * seen. One that cannot be read is told of without it.
 */
static void
take_message(const struct queued *m, struct dsn *dsn, struct buf *room)
{
	size_t size = m->open->size_bytes;
	int error;

	if (!dsn->is_whole && size > DSN_HEADER_MAX + 1)
		size = DSN_HEADER_MAX + 1;
	error = read_body(m, room, size);
	if (error || room->size < size)
		dsn->is_whole = false;
	dsn->message = buf_slice(room);
	if (!dsn->is_whole && dsn->message.size > DSN_HEADER_MAX + 1)
		dsn->message.size = DSN_HEADER_MAX + 1;
}

int
report_compose(struct buf *out, const struct queued *m, enum report_kind kind,
    bool is_whole)
{
	const struct envelope *e = m->open;
	const struct config *config = m->queue->c.config;
	struct dsn_recipient *to = calloc(e->n_recipients, sizeof *to);
	struct buf message = { 0 };
	char unique[40], id[ENVELOPE_ID_SIZE];
	struct dsn dsn = { .host = slice_of(config->hostname),
		.to = e->tag_day != 0 ? e->tag : e->from, .envid = e->envid,
		.is_whole = is_whole, .arrival_s = e->time_s,
		.when_s = clock_wall_s(), .is_utf8 = e->is_utf8,
		.recipients = to };
	int error;

	if (to == NULL)
		return -ENOMEM;
	envelope_id_write(id, m->id);
	snprintf(unique, sizeof unique, "%s.%c%lld", id, "nfds"[kind],
	    (long long)dsn.when_s);
	dsn.id = slice_of(unique);
	dsn.queue_id = slice_of(id);
	dsn.n_recipients = list_recipients(m, kind, to);
	take_message(m, &dsn, &message);
	out->maximum = REPORT_MAX + message.size;
	error = dsn_write(out, &dsn);
	buf_free(&message);
	free(to);
	return error;
}
