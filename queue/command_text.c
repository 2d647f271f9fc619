/* SPDX-License-Identifier: ISC */
/*
 * command_text.c - the queue in words; see command_text.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command_text.h"
#include "file_io.h"
#include "mail_date.h"
#include "messages.h"

#define KEEP_MAX 65536		/* octets of a listing in memory */

bool
command_duration(struct slice text, uint32_t *seconds)
{
	static const struct { char letter; uint32_t factor; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	unsigned long long n;
	uint32_t factor = 1;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (text.size > 1 &&
		    text.data[text.size - 1] == units[i].letter) {
			factor = units[i].factor;
			text.size--;
			break;
		}
	if (!slice_number(text, 3650u * 86400u / factor, &n) || n == 0)
		return false;
	*seconds = (uint32_t)n * factor;
	return true;
}

/* ---- the list ---- */

struct list {
	struct slice filter;
	struct slice user;		/* "" is everybody */
	int fd;
	struct queued **messages;
	size_t n;
};

static bool
is_to(const struct part *part, struct slice address)
{
	struct slice rest = slice_of(part->addresses ? part->addresses : "");

	while (rest.size > 0)
		if (slice_equals_nocase(slice_next_line(&rest), address))
			return true;
	return false;
}

static bool
is_wanted(const struct list *list, const struct queued *m)
{
	if (list->user.size > 0 &&
	    !slice_equals(list->user, word_slice(m->user)))
		return false;
	if (list->filter.size == 0 ||
	    slice_equals_nocase(list->filter, word_slice(m->from)) ||
	    slice_equals_nocase(list->filter, word_slice(m->user)))
		return true;
	for (size_t i = 0; i < m->n_parts; i++)
		if (part_is_for(&m->parts[i], list->filter) ||
		    is_to(&m->parts[i], list->filter))
			return true;
	return false;
}

static void
collect(struct queue *q, struct queued *m, void *arg)
{
	struct list *list = arg;

	(void)q;
	if (is_wanted(list, m))
		list->messages[list->n++] = m;
}

static int
by_id(const void *a, const void *b)
{
	const struct queued *x = *(struct queued *const *)a;
	const struct queued *y = *(struct queued *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* "Sun Nov 22 08:00:00": of "Sun, 22 Nov 2026 08:00:00 +0000". */
static void
arrival(char to[32], int64_t when_s)
{
	char date[MAIL_DATE_SIZE];

	mail_date_write(date, when_s);
	memcpy(to, "DDD MMM dd hh:mm:ss", 20);
	memcpy(to, date, 3);
	memcpy(to + 4, date + 8, 3);
	memcpy(to + 8, date + 5, 2);
	memcpy(to + 11, date + 17, 8);
}

/* Three slices; a listing has 300,000 lines, too many for printf. */
static int
put_line(struct buf *out, struct slice before, struct slice text,
    struct slice after)
{
	int error = buf_append_slice(out, before);

	if (!error)
		error = buf_append_slice(out, text);
	return error ? error : buf_append_slice(out, after);
}

static int
put_addresses(struct buf *out, const struct part *part)
{
	static const char indent[] =
	    "                                         ";
	struct slice rest = slice_of(part->addresses ? part->addresses : "");
	int error = 0;

	while (rest.size > 0 && !error) {
		struct slice line = slice_next_line(&rest);

		error = put_line(out, SLICE(indent), line, SLICE("\n"));
	}
	return error;
}

static int
put_part(struct buf *out, const struct part *part)
{
	struct slice reason;
	int error = 0;

	if (part->destination == NULL)
		return 0;
	reason = part_reason(part);
	if (reason.size > 0 && part->state != PART_RUNNING)
		error = put_line(out, SLICE("("), reason, SLICE(")\n"));
	return error ? error : put_addresses(out, part);
}

static int
put_message(struct buf *out, const struct queued *m)
{
	char id[ENVELOPE_ID_SIZE + 1], when[32];
	struct slice from = word_slice(m->from);
	int error;

	envelope_id_write(id, m->id);
	strcat(id, m->is_held ? "!" : queued_is_running(m) ? "*" : "");
	arrival(when, m->time_s);
	error = buf_printf(out, "%-11s %8llu %-20s ", id,
	    (unsigned long long)m->size_bytes, when);
	if (!error)
		error = put_line(out, SLICE(""), from.size > 0 ? from :
		    SLICE("MAILER-DAEMON"), SLICE("\n"));
	if (m->folder == SPOOL_FAILED && !error)
		error = buf_puts(out, "(a report to its sender waits)\n");
	for (size_t i = 0; i < m->n_parts && !error; i++)
		error = put_part(out, &m->parts[i]);
	return error ? error : buf_puts(out, "\n");
}

/* A listing of all would take more memory than all that is listed. */
static int
put_aside(struct buf *out, int fd)
{
	int error = file_write(fd, buf_slice(out));

	out->size = 0;
	return error;
}

static int
put_list(struct buf *out, const struct list *list)
{
	uint64_t bytes = 0;
	int error;

	if (list->n == 0 && list->filter.size > 0)
		return put_line(out, SLICE("Nothing that waits is for or "
		    "from "), list->filter, SLICE(".\n"));
	if (list->n == 0)
		return buf_puts(out, "Mail queue is empty\n");
	error = buf_puts(out, "-Queue ID-  --Size-- ----Arrival Time---- "
	    "-Sender/Recipient-------\n");
	for (size_t i = 0; i < list->n && !error; i++) {
		bytes += list->messages[i]->size_bytes;
		error = put_message(out, list->messages[i]);
		if (!error && out->size > KEEP_MAX)
			error = put_aside(out, list->fd);
	}
	return error ? error : buf_printf(out,
	    "-- %llu Kbytes in %zu Request%s.\n",
	    (unsigned long long)(bytes / 1024), list->n,
	    list->n == 1 ? "" : "s");
}

static int
write_list(struct buf *out, struct queue *q, struct list *list)
{
	int error;

	list->messages = reallocarray(NULL, q->n_messages + 1,
	    sizeof(*list->messages));
	if (list->messages == NULL)
		return -ENOMEM;
	messages_each(q, collect, list);
	qsort(list->messages, list->n, sizeof(*list->messages), by_id);
	error = put_list(out, list);
	free(list->messages);
	return error;
}

int
listing_write(struct buf *out, int fd, struct queue *q, struct slice filter)
{
	struct list list = { .fd = fd, .filter = filter };

	return write_list(out, q, &list);
}

int
listing_write_own(struct buf *out, int fd, struct queue *q,
    struct slice user)
{
	struct list list = { .fd = fd, .user = user };

	return write_list(out, q, &list);
}

/* ---- one message ---- */

struct shower {
	struct buf *out;
	int error;
};

static void
put_text(struct shower *w, const char *name, struct slice value)
{
	if (w->error == 0 && value.size > 0)
		w->error = buf_printf(w->out, "%-12s %.*s\n", name,
		    (int)value.size, value.data);
}

static void
put_when(struct shower *w, const char *name, int64_t when_s)
{
	char date[MAIL_DATE_SIZE];

	if (when_s <= 0)
		return;
	mail_date_write(date, when_s);
	put_text(w, name, slice_of(date));
}

static void
put_hold(struct shower *w, const struct envelope_hold *hold)
{
	char since[MAIL_DATE_SIZE], until[MAIL_DATE_SIZE] = "it is released";

	mail_date_write(since, hold->since_s);
	if (hold->until_s != 0)
		mail_date_write(until, hold->until_s);
	if (w->error == 0)
		w->error = buf_printf(w->out, "%-12s by %.*s since %s until "
		    "%s%s%.*s\n", "Held", (int)hold->owner.size,
		    hold->owner.data, since, until,
		    hold->reason.size > 0 ? ": " : "",
		    (int)hold->reason.size, hold->reason.data);
}

static const char *
state_words(const struct envelope_recipient *r)
{
	static const char *const words[] = {
		[RECIPIENT_WAITING] = "waiting", [RECIPIENT_SENT] = "sent",
		[RECIPIENT_FAILED] = "failed",
		[RECIPIENT_DELIVERED] = "delivered",
	};

	return words[r->state];
}

static void
put_recipient(struct shower *w, const struct queued *m,
    const struct envelope_recipient *r)
{
	char line[64];

	put_text(w, "\nTo", r->address);
	snprintf(line, sizeof line, "%s%s", state_words(r),
	    r->owes != REPORT_NONE ? ", a report is owed" : "");
	put_text(w, "  State", slice_of(line));
	if (r->tries > 0) {
		snprintf(line, sizeof line, "%u", r->tries);
		put_text(w, "  Tries", slice_of(line));
	}
	if (r->state == RECIPIENT_WAITING)
		put_when(w, "  Next try", r->next_s);
	put_when(w, "  Last try", r->last.when_s);
	put_text(w, "  Host", r->host);
	if (r->last.code != 0 && w->error == 0)
		w->error = buf_printf(w->out, "%-12s %u %u.%u.%u %.*s\n",
		    "  Answer", r->last.code, r->last.code / 100,
		    r->last.subject, r->last.detail, (int)r->last.text.size,
		    r->last.text.data);
	(void)m;
}

/* Those whose host is bad wait for it together. */
static void
put_waits(struct shower *w, const struct queued *m)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		const struct part *part = &m->parts[i];

		if (part->destination == NULL || !part_host_is_bad(part) ||
		    w->error != 0)
			continue;
		w->error = buf_printf(w->out, "%-12s for %.*s, which is "
		    "tried again with all its mail: %.*s\n", "Waits",
		    (int)part_destination(part).size,
		    part_destination(part).data, (int)part_reason(part).size,
		    part_reason(part).data);
	}
}

int
show_write(struct buf *out, const struct queue *q, const struct queued *m)
{
	const struct envelope *e = m->open;
	struct shower w = { .out = out };
	char id[ENVELOPE_ID_SIZE], size[32];

	(void)q;
	envelope_id_write(id, m->id);
	snprintf(size, sizeof size, "%llu octets",
	    (unsigned long long)e->size_bytes);
	put_text(&w, "Queue ID", slice_of(id));
	put_text(&w, "State", m->folder == SPOOL_FAILED ?
	    SLICE("failed; a report to its sender waits") :
	    m->is_held ? SLICE("held") : queued_is_running(m) ?
	    SLICE("being sent") : SLICE("waiting"));
	put_when(&w, "Arrived", e->time_s);
	put_text(&w, "From", e->from.size > 0 ? e->from : SLICE("<>"));
	put_text(&w, "Account", e->user);
	put_text(&w, "Session", e->session);
	put_text(&w, "Message-ID", e->message_id);
	put_text(&w, "Size", slice_of(size));
	put_when(&w, "Delay told", e->delayed_s);
	put_when(&w, "Next report", e->report_next_s);
	put_text(&w, "Report", e->report_text);
	for (size_t i = 0; i < e->n_holds; i++)
		put_hold(&w, &e->holds[i]);
	put_waits(&w, m);
	for (size_t i = 0; i < e->n_recipients; i++)
		put_recipient(&w, m, &e->recipients[i]);
	return w.error;
}
