/* SPDX-License-Identifier: ISC */
/*
 * messages.c - the messages in memory, and what becomes of each.
 *
 *	add --> parts wait, run, wait ... --> every recipient has his answer
 *	    --> nothing owed: removed
 *	    --> a DSN is owed: failed/, reported, then removed
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "address.h"
#include "config.h"
#include "log.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define BUCKETS 131072u
/* ---- the table ---- */

static struct queued **
bucket_of(const struct queue *q, uint64_t id)
{
	return &q->buckets[(id * 0x9e3779b97f4a7c15u >> 32) &
	    (q->n_buckets - 1)];
}

struct queued *
queued_find(const struct queue *q, uint64_t id)
{
	struct queued *m = *bucket_of(q, id);

	while (m != NULL && m->id != id)
		m = m->next;
	return m;
}

void
messages_each(struct queue *q,
    void (*fn)(struct queue *q, struct queued *m, void *arg), void *arg)
{
	for (uint32_t i = 0; i < q->n_buckets; i++)
		for (struct queued *m = q->buckets[i], *next; m != NULL;
		     m = next) {
			next = m->next;
			fn(q, m, arg);
		}
}

static void
drop_parts(struct queue *q, struct queued *m)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		schedule_leave(q->schedule, &m->parts[i]);
		word_drop(&m->parts[i].user);
		free(m->parts[i].addresses);
	}
	free(m->parts);
	m->parts = NULL;
	m->n_parts = 0;
}

/* Out of memory; the spool stays as it is. */
static void
queued_free(struct queue *q, struct queued *m)
{
	struct queued **at = bucket_of(q, m->id);

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	q->n_messages--;
	q->n_held -= m->is_held;
	for (at = &q->fresh; *at != NULL; at = &(*at)->next_fresh)
		if (*at == m) {
			*at = m->next_fresh;
			break;
		}
	assert(!m->is_saving);
	report_drop(q, m);
	drop_parts(q, m);
	heap_take(&q->deadlines, &m->deadline);
	envelope_free(&m->open);
	word_drop(&m->user);
	word_drop(&m->from);
	free(m);
}

void
queued_remove(struct queue *q, struct queued *m)
{
	int error = spool_remove(q->spool, m->id,
	    (enum spool_folder)m->folder);
	char id[ENVELOPE_ID_SIZE];

	envelope_id_write(id, m->id);
	if (error)	/* it would be sent once more after the next start */
		log_error("not_removed", LOG_S("queue", id),
		    LOG_E("error", error), LOG_END);
	else
		log_info("removed", LOG_S("queue", id), LOG_END);
	queued_free(q, m);
}

int
messages_init(struct queue *q)
{
	q->n_buckets = BUCKETS;
	q->buckets = calloc(BUCKETS, sizeof(*q->buckets));
	return q->buckets == NULL ? -ENOMEM : 0;
}

/* ---- parts ---- */

void
queue_destination_of(const struct queue *q, struct slice text,
    char to[ADDRESS_DOMAIN_MAX + 1])
{
	const struct config *config = q->c.config;
	const struct config_domain *domain = NULL;
	const char *hop = config->relay.smart_host;
	static struct address a;
	bool is_known = address_parse(&a, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;

	to[0] = '\0';
	if (is_known)
		domain = config_find_domain(config, slice_of(a.domain));
	if (domain != NULL && config_domain_hop(domain) != NULL)
		hop = config_domain_hop(domain);
	if (hop != NULL)
		(void)slice_copy(to, ADDRESS_DOMAIN_MAX + 1, slice_of(hop));
	else if (is_known)
		memcpy(to, a.domain, sizeof a.domain);
}

bool
queue_is_smart_host(const struct queue *q, struct slice destination)
{
	const char *smart_host = q->c.config->relay.smart_host;

	return smart_host != NULL &&
	    slice_equals(destination, slice_of(smart_host));
}

static struct part *
part_find(const struct queued *m, struct slice destination)
{
	for (size_t i = 0; i < m->n_parts; i++)
		if (m->parts[i].destination != NULL && slice_equals(
		    part_destination(&m->parts[i]), destination))
			return &m->parts[i];
	return NULL;
}

static int
add_address(struct part *part, struct slice address)
{
	size_t size = part->addresses ? strlen(part->addresses) : 0;
	char *grown = realloc(part->addresses, size + address.size + 2);

	if (grown == NULL)
		return -ENOMEM;
	part->addresses = grown;
	memcpy(grown + size, address.data, address.size);
	memcpy(grown + size + address.size, "\n", 2);
	return 0;
}

bool
part_has(const struct part *part, struct slice address)
{
	struct slice rest = slice_of(part->addresses);

	while (rest.size > 0)
		if (slice_equals(slice_next_line(&rest), address))
			return true;
	return false;
}

static bool
is_in_domain(struct slice address, struct slice domain)
{
	return address.size > domain.size &&
	    address.data[address.size - domain.size - 1] == '@' &&
	    slice_equals_nocase(domain, (struct slice){ address.data +
	    address.size - domain.size, domain.size });
}

bool
part_is_for(const struct part *part, struct slice domain)
{
	struct slice rest;

	if (part->destination == NULL)
		return false;
	if (slice_equals_nocase(domain, part_destination(part)))
		return true;
	rest = slice_of(part->addresses != NULL ? part->addresses : "");
	while (rest.size > 0)
		if (is_in_domain(slice_next_line(&rest), domain))
			return true;
	return false;
}

static struct part *
part_add(struct queue *q, struct queued *m, struct slice destination)
{
	struct part *part = &m->parts[m->n_parts];

	*part = (struct part){ .message = m, .user = word_share(m->user) };
	m->n_parts++;
	return schedule_join(q->schedule, part, destination) == 0 ? part :
	    NULL;
}

static int
sort_recipient(struct queue *q, struct queued *m,
    const struct envelope_recipient *r)
{
	char destination[ADDRESS_DOMAIN_MAX + 1];
	struct part *part;

	queue_destination_of(q, r->address, destination);
	part = part_find(m, slice_of(destination));
	if (part == NULL)
		part = part_add(q, m, slice_of(destination));
	if (part == NULL)
		return -ENOMEM;
	if (r->tries > part->tries)
		part->tries = r->tries;
	if (r->last.when_s != 0 && part->reason == NULL)
		part->reason = word_get(r->last.text);
	return add_address(part, r->address);
}

/* No more than it has recipients; the rest is given back. */
int
queued_make_parts(struct queue *q, struct queued *m, const struct envelope *e)
{
	size_t n = 0;
	int error = 0;

	drop_parts(q, m);
	for (size_t i = 0; i < e->n_recipients; i++)
		n += e->recipients[i].state == RECIPIENT_WAITING;
	if (n == 0)
		return 0;
	m->parts = calloc(n, sizeof *m->parts);
	if (m->parts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_recipients && !error; i++)
		if (e->recipients[i].state == RECIPIENT_WAITING)
			error = sort_recipient(q, m, &e->recipients[i]);
	/* not yet in any list, so they may still move */
	if (!error && m->n_parts < n) {
		struct part *fit = reallocarray(m->parts, m->n_parts,
		    sizeof *fit);

		if (fit != NULL)
			m->parts = fit;
	}
	return error;
}

/* Those that run do so first. */
static bool
part_may_wait(const struct part *part)
{
	return part->destination != NULL && part->state != PART_RUNNING;
}

/* When the earliest of its recipients is due; looks at each address once. */
static void
note_due(const struct queue *q, struct queued *m, const struct envelope *e)
{
	char destination[ADDRESS_DOMAIN_MAX + 1];

	for (size_t i = 0; i < e->n_recipients; i++) {
		const struct envelope_recipient *r = &e->recipients[i];
		struct part *part;

		if (r->state != RECIPIENT_WAITING)
			continue;
		queue_destination_of(q, r->address, destination);
		part = part_find(m, slice_of(destination));
		if (part != NULL && part_may_wait(part) &&
		    r->next_s < part->due.due_s)
			part->due.due_s = r->next_s;
	}
}

int64_t
queued_latest_s(const struct queue *q)
{
	return queue_now_s(q) +
	    (int64_t)q->c.config->queue.retry_longest_s * 2;
}

void
queued_schedule(struct queue *q, struct queued *m, const struct envelope *e)
{
	int64_t latest = queued_latest_s(q);

	for (size_t i = 0; i < m->n_parts; i++)
		if (part_may_wait(&m->parts[i])) {
			schedule_rest(q->schedule, &m->parts[i]);
			m->parts[i].due.due_s = latest;
		}
	if (m->is_held || m->is_removed)
		return;
	if (m->n_parts == 1 && e->recipients[0].next_s == 0 &&
	    part_may_wait(&m->parts[0]))
		m->parts[0].due.due_s = 0;
	else
		note_due(q, m, e);
	for (size_t i = 0; i < m->n_parts; i++)
		if (part_may_wait(&m->parts[i]))
			(void)schedule_wait(q->schedule, &m->parts[i],
			    m->parts[i].due.due_s);
}

bool
queued_is_running(const struct queued *m)
{
	for (size_t i = 0; i < m->n_parts; i++)
		if (m->parts[i].destination != NULL &&
		    m->parts[i].state == PART_RUNNING)
			return true;
	return false;
}

/* ---- deadlines ---- */

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void
queued_set_deadline(struct queue *q, struct queued *m,
    const struct envelope *e)
{
	const struct config_queue *config = &q->c.config->queue;
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < e->n_holds; i++)
		if (e->holds[i].until_s != 0)
			due = earlier(due, e->holds[i].until_s);
	if (!m->is_held && envelope_is_waiting(e)) {
		due = earlier(due, e->time_s + config->give_up_s);
		if (!m->is_delayed && config->delay_notice_s != 0)
			due = earlier(due, e->time_s + config->delay_notice_s);
	}
	if (m->owes_report && m->report == NULL)
		due = earlier(due, e->report_next_s);
	if (due == INT64_MAX)
		heap_take(&q->deadlines, &m->deadline);
	else
		(void)heap_put(&q->deadlines, &m->deadline, due);
}

/* ---- into memory ---- */

struct queued *
queued_add(struct queue *q, const struct envelope *e,
    enum spool_folder folder)
{
	struct queued *m = calloc(1, sizeof *m), **bucket;

	if (m == NULL)
		return NULL;
	bucket = bucket_of(q, e->id);
	*m = (struct queued){ .queue = q, .next = *bucket, .id = e->id,
		.time_s = e->time_s, .size_bytes = e->size_bytes,
		.user = word_get(e->user), .from = word_get(e->from),
		.folder = (uint8_t)folder, .is_held = e->n_holds > 0,
		.is_delayed = e->delayed_s != 0,
		.owes_report = envelope_owes(e) };
	*bucket = m;
	q->n_messages++;
	q->n_held += m->is_held;
	if (e->id > q->last_id)
		q->last_id = e->id;
	if (m->user == NULL || m->from == NULL ||
	    queued_make_parts(q, m, e) != 0) {
		queued_free(q, m);
		return NULL;
	}
	queued_schedule(q, m, e);
	queued_set_deadline(q, m, e);
	return m;
}

static void
on_found(struct envelope *e, enum spool_folder folder, void *arg)
{
	struct queue *q = arg;

	if (queued_add(q, e, folder) == NULL)
		fatal("no memory for the spool");
	envelope_free(&e);
}

static void
on_damaged(const char *name, const char *why, void *arg)
{
	struct queue *q = arg;

	q->n_damaged++;
	log_error("alarm", LOG_S("problem", "a queued message is damaged"),
	    LOG_S("file", name), LOG_S("why", why),
	    LOG_S("effect", "it was moved to spool/damaged and is not sent"),
	    LOG_END);
}

static void
on_unread(const char *name, int error, bool is_end, void *arg)
{
	(void)arg;
	log_error("spool_read", LOG_S("file", name), LOG_E("error", error),
	    LOG_S("effect", is_end ? "queue ends, and is started again" :
	    "this message stays where it is until a start can read it"),
	    LOG_END);
}

/* A message whose recipients all have their answer, at a kill right then. */
static void
finish_loaded(struct queue *q, struct queued *m, void *arg)
{
	(void)arg;
	if (m->n_parts == 0 && !m->owes_report)
		queued_remove(q, m);
}

void
messages_load(struct queue *q)
{
	const struct spool_visitor visitor = { .found = on_found,
		.damaged = on_damaged, .unread = on_unread, .arg = q };
	int error = spool_load(q->spool, &visitor);

	if (error)
		fatal("spool: %s", strerror(-error));
	messages_each(q, finish_loaded, NULL);
	log_info("spool", LOG_U("messages", q->n_messages),
	    LOG_U("damaged", q->n_damaged), LOG_END);
}

/* ---- the envelope, as long as it is needed ---- */

int
queued_open(struct queue *q, struct queued *m)
{
	char id[ENVELOPE_ID_SIZE];
	int error;

	if (m->open == NULL) {
		error = spool_read(q->spool, m->id,
		    (enum spool_folder)m->folder, &m->open);
		envelope_id_write(id, m->id);
		if (error == -EBADMSG || error == -ENOENT) {
			on_damaged(id, error == -ENOENT ? "it is missing" :
			    "it was changed", q);
			queued_free(q, m);
			return -EBADMSG;
		}
		if (error) {
			log_error("spool_read", LOG_S("queue", id),
			    LOG_E("error", error), LOG_END);
			return error;
		}
	}
	m->n_open++;
	return 0;
}

/* Everybody has an answer: report what is owed, or end it. */
static void
settle_final(struct queue *q, struct queued *m)
{
	int error;

	if (!m->owes_report) {
		queued_remove(q, m);
		return;
	}
	if (m->folder == SPOOL_ACTIVE) {
		error = spool_fail(q->spool, m->id);
		if (error == 0)
			m->folder = SPOOL_FAILED;
	}
	report_start(q, m);
}

/* Nobody else has the envelope open, and it is on disk as it is here. */
static void
settle(struct queue *q, struct queued *m)
{
	const struct envelope *e = m->open;

	if (m->is_removed) {
		queued_remove(q, m);
		return;
	}
	m->owes_report = envelope_owes(e);
	if (m->is_stale) {
		m->is_stale = false;
		if (queued_make_parts(q, m, e) == 0)
			queued_schedule(q, m, e);
	}
	queued_set_deadline(q, m, e);
	if (!envelope_is_waiting(e))
		settle_final(q, m);
	else if (m->owes_report)
		report_start(q, m);
}

void
queued_close(struct queue *q, struct queued *m)
{
	uint64_t id = m->id;

	if (m->n_open > 1) {
		m->n_open--;
		return;
	}
	/* what settling does may need the envelope too, or be the end of m */
	settle(q, m);
	m = queued_find(q, id);
	if (m != NULL && --m->n_open == 0)
		envelope_free(&m->open);
}

void
messages_round_end(struct queue *q)
{
	while (q->fresh != NULL) {
		struct queued *m = q->fresh;

		q->fresh = m->next_fresh;
		m->next_fresh = NULL;
		if (m->n_open == 0)
			envelope_free(&m->open);
	}
}
