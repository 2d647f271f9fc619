/* SPDX-License-Identifier: ISC */
/*
 * resolve.c - what became of a copy? deliver looks, store remembers.
 *
 * Any deliver can tell, whatever its generation: it goes by uid and path.
 * No answer is "unknown", and the record is asked about again later.
 */
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "store.h"

#define RESOLVE_DEADLINE_MS 30000

void
store_resolve_init(struct store *s)
{
	for (size_t i = 0; i < RESOLVES_AT_ONCE; i++)
		s->resolving[i] = (struct resolving){ s, SLOT_NONE };
}

/* The newest one; peers are kept with the newest first. */
static struct channel *
find_deliver(const struct store *s)
{
	for (const struct peer *p = s->peers; p != NULL; p = p->next)
		if (p->role == ROLE_DELIVER)
			return p->ch;
	return NULL;
}

static struct resolving *
find_free(struct store *s)
{
	for (size_t i = 0; i < RESOLVES_AT_ONCE; i++)
		if (s->resolving[i].slot == SLOT_NONE)
			return &s->resolving[i];
	return NULL;
}

static enum resolution
resolution_of(struct ipc_message *answer)
{
	uint8_t value;

	if (answer == NULL || answer->type != RESOLVE_ANSWER)
		return RESOLVED_UNKNOWN;
	value = ipc_get_u8(&answer->body);
	if (!ipc_reader_is_done(&answer->body) || value > RESOLVED_UNKNOWN)
		return RESOLVED_UNKNOWN;
	return (enum resolution)value;
}

static void
on_resolved(struct channel *ch, struct ipc_message *answer, void *arg)
{
	static const char *const words[] = { "not delivered", "delivered",
		"unknown" };
	struct resolving *resolving = arg;
	struct store *s = resolving->store;
	enum resolution resolution = resolution_of(answer);
	struct slot_content content;

	(void)ch;
	FAULT_STEP("store.before-resolved");
	slots_read(s->slots, resolving->slot, &content);
	if (slots_state(s->slots, resolving->slot) == SLOT_INTENT)
		log_info("resolved", LOG_S("copy", words[resolution]),
		    LOG_SL("maildir", content.maildir),
		    LOG_SL("file", content.file), LOG_END);
	records_resolved(s->records, resolving->slot, resolution,
	    clock_monotonic_us());
	resolving->slot = SLOT_NONE;
	if (answer != NULL)	/* else the channel may be at its end */
		store_resolve(s);
}

void
store_resolve(struct store *s)
{
	struct channel *deliver = find_deliver(s);
	struct resolving *resolving;
	struct resolve_ask ask;
	struct ipc_writer w;

	while (deliver != NULL && (resolving = find_free(s)) != NULL) {
		resolving->slot = records_next_unresolved(s->records, &ask);
		if (resolving->slot == SLOT_NONE)
			return;
		ipc_writer_init(&w);
		put_resolve_ask(&w, &ask);
		if (channel_ask(deliver, RESOLVE_ASK, &w, -1,
		    RESOLVE_DEADLINE_MS, on_resolved, resolving) == 0) {
			records_resolved(s->records, resolving->slot,
			    RESOLVED_UNKNOWN, clock_monotonic_us());
			resolving->slot = SLOT_NONE;
			return;
		}
	}
}
