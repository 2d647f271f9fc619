/* SPDX-License-Identifier: ISC */
/*
 * changes.c - what time and changes of an envelope do to a message.
 *
 * A changed envelope is written once in a round, however much has changed.
 * One that could not be written (a full disk) stays in memory and rests
 * until it could: its results are known, and must not be forgotten by a
 * restart that would send it once more.
 */
#include <stddef.h>
#include "log.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define UNSAVED_RETRY_MS 5000
#define LATER_S 60

#define QUEUED_OF(item) \
	((struct queued *)(void *)((char *)(item) - \
	offsetof(struct queued, deadline)))

/* ---- saving ---- */

static void
link_save(struct queue *q, struct queued *m)
{
	m->is_saving = true;
	m->next_save = q->to_save;
	q->to_save = m;
	queue_want_work(q);
}

void
queued_save(struct queue *q, struct queued *m)
{
	if (m->is_saving || m->is_unsaved)
		return;
	m->n_open++;
	link_save(q, m);
}

static void
save_again(struct queue *q, struct queued *m, void *arg)
{
	(void)arg;
	if (!m->is_unsaved)
		return;
	m->is_unsaved = false;
	link_save(q, m);
}

static void
on_saves(struct loop_timer *timer, void *arg)
{
	(void)timer;
	messages_each(arg, save_again, NULL);
}

static void
on_saved(void *arg, int error)
{
	struct queued *m = arg;
	struct queue *q = m->queue;
	char id[ENVELOPE_ID_SIZE];

	m->is_saving = false;
	if (error == 0) {
		queued_close(q, m);
		return;
	}
	m->is_unsaved = true;
	envelope_id_write(id, m->id);
	log_error("not_saved", LOG_S("queue", id), LOG_E("error", error),
	    LOG_S("effect", "it rests until it can be written"), LOG_END);
	if (!loop_timer_is_running(&q->saves))
		loop_timer_start(q->c.loop, &q->saves, UNSAVED_RETRY_MS,
		    on_saves, q);
}

void
messages_write(struct queue *q)
{
	while (q->to_save != NULL) {
		struct queued *m = q->to_save;
		int error;

		q->to_save = m->next_save;
		m->next_save = NULL;
		error = spool_replace(q->spool, m->open,
		    (enum spool_folder)m->folder, on_saved, m);
		if (error)
			on_saved(m, error);
	}
}

/* ---- holds ---- */

void
queued_update_hold(struct queue *q, struct queued *m)
{
	bool is_held = m->open->n_holds > 0;

	if (is_held == m->is_held)
		return;
	m->is_held = is_held;
	q->n_held = is_held ? q->n_held + 1 : q->n_held - 1;
	queued_schedule(q, m, m->open);
}

static bool
end_leases(struct queue *q, struct queued *m, int64_t now_s)
{
	struct envelope *e = m->open;
	size_t kept = 0;
	bool has_ended;

	for (size_t i = 0; i < e->n_holds; i++)
		if (e->holds[i].until_s == 0 || e->holds[i].until_s > now_s)
			e->holds[kept++] = e->holds[i];
	has_ended = kept < e->n_holds;
	e->n_holds = kept;
	queued_update_hold(q, m);
	return has_ended;
}

/* ---- delay notices, giving up ---- */

/*
 * Why it waits, where it was not its own fault: it has been waiting for a
 * host that another message probes.
 */
static void
note_reasons(struct queue *q, struct queued *m, int64_t now_s)
{
	for (size_t i = 0; i < m->open->n_recipients; i++) {
		struct envelope_recipient *r = &m->open->recipients[i];
		struct verdict v = { .code = 450, .subject = 4, .detail = 1 };
		struct part *part = NULL;

		for (size_t k = 0; k < m->n_parts && part == NULL; k++)
			if (m->parts[k].destination != NULL &&
			    m->parts[k].addresses != NULL &&
			    part_has(&m->parts[k], r->address))
				part = &m->parts[k];
		if (r->state != RECIPIENT_WAITING || part == NULL ||
		    (r->last.when_s != 0 && !part_host_is_bad(part)))
			continue;
		if (part_reason(part).size == 0)
			continue;
		slice_clip(v.text, sizeof v.text, part_reason(part));
		recipient_answered(m->open, r, &v, SLICE(""), now_s);
	}
	(void)q;
}

static void
notice_delay(struct queue *q, struct queued *m, int64_t now_s)
{
	struct envelope *e = m->open;

	m->is_delayed = true;
	e->delayed_s = now_s;
	note_reasons(q, m, now_s);
	for (size_t i = 0; i < e->n_recipients; i++) {
		struct envelope_recipient *r = &e->recipients[i];

		if (r->state == RECIPIENT_WAITING && r->owes == REPORT_NONE &&
		    recipient_wants(e, r, REPORT_DELAY))
			r->owes = REPORT_DELAY;
	}
}

/* RFC 5321 4.5.4.1: the sender must be told in the end. */
static void
give_up(struct queue *q, struct queued *m, int64_t now_s)
{
	struct envelope *e = m->open;
	char id[ENVELOPE_ID_SIZE];

	note_reasons(q, m, now_s);
	envelope_id_write(id, m->id);
	for (size_t i = 0; i < e->n_recipients; i++) {
		struct envelope_recipient *r = &e->recipients[i];
		struct verdict v = { .code = 450, .subject = 4, .detail = 7,
			.text = "it was never tried" };

		if (r->state != RECIPIENT_WAITING)
			continue;
		if (r->last.when_s == 0)
			recipient_answered(e, r, &v, SLICE(""), now_s);
		recipient_failed(e, r);
		q->n_failed++;
		log_notice("expired", LOG_S("queue", id),
		    LOG_SL("to", r->address), LOG_SL("last", r->last.text),
		    LOG_END);
	}
	(void)queued_make_parts(q, m, e);	/* none is left */
}

/* The envelope is open. */
static void
look_at(struct queue *q, struct queued *m, int64_t now_s)
{
	const struct config_queue *config = &q->c.config->queue;
	struct envelope *e = m->open;
	bool has_changed = end_leases(q, m, now_s);

	if (!m->is_held && envelope_is_waiting(e)) {
		if (now_s >= e->time_s + config->give_up_s) {
			give_up(q, m, now_s);
			has_changed = true;
		} else if (!m->is_delayed && config->delay_notice_s != 0 &&
		    now_s >= e->time_s + config->delay_notice_s) {
			notice_delay(q, m, now_s);
			has_changed = true;
		}
	}
	if (has_changed)
		queued_save(q, m);
}

void
messages_tick(struct queue *q)
{
	int64_t now_s = queue_now_s(q);
	struct heap_item *item;

	while ((item = heap_first(&q->deadlines)) != NULL &&
	    item->due_s <= now_s) {
		struct queued *m = QUEUED_OF(item);
		int error;

		/* it is moved again when it is closed */
		(void)heap_put(&q->deadlines, item, now_s + LATER_S);
		if (m->is_unsaved || queued_is_running(m))
			continue;
		error = queued_open(q, m);
		if (error)
			continue;
		look_at(q, m, now_s);
		queued_close(q, m);
	}
}

/* ---- a new configuration ---- */

static void
rebuild(struct queue *q, struct queued *m, void *arg)
{
	(void)arg;
	m->is_stale = true;
	/* whoever has it open sees to it at the end */
	if (m->n_open == 0 && queued_open(q, m) == 0)
		queued_close(q, m);
}

void
messages_rebuild(struct queue *q)
{
	messages_each(q, rebuild, NULL);
}
