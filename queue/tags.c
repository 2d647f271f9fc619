/* SPDX-License-Identifier: ISC */
/*
 * tags.c - the BATV tag of a reverse-path (DESIGN 8). One for each message,
 * made when it is first needed and again two days before it would expire.
 */
#include "address.h"
#include "clock.h"
#include "config.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define VAULT_MS 20000
#define TAG_GOOD_DAYS 5		/* of the seven that it is valid */

static uint32_t
today(void)
{
	return (uint32_t)(clock_wall_s() / 86400);
}

bool
tag_is_wanted(const struct queue *q, const struct envelope *e)
{
	size_t at = e->from.size;

	while (at > 0 && e->from.data[at - 1] != '@')
		at--;
	/* bounces to another domain would find nobody who knows our tags */
	if (at == 0 || config_find_domain(q->c.config, (struct slice){
	    e->from.data + at, e->from.size - at }) == NULL)
		return false;
	return e->tag_day == 0 || today() >= e->tag_day + TAG_GOOD_DAYS ||
	    today() < e->tag_day;
}

uint32_t
tag_ask(struct queue *q, const struct envelope *e,
    channel_answered_fn *answered, void *arg)
{
	static struct ipc_writer w;	/* large */
	const struct vault_tag ask = { .kind = VAULT_TAG_BATV,
		.address = e->from, .day = today() };

	if (q->vault == NULL)
		return 0;
	ipc_writer_init(&w);
	put_vault_tag(&w, &ask);
	return channel_ask(q->vault, VAULT_TAG, &w, -1, VAULT_MS, answered,
	    arg);
}

bool
tag_take(const struct queue *q, struct envelope *e, struct ipc_message *answer)
{
	static struct address a;
	char text[ASK_ADDRESS_MAX];
	bool failed = false;

	(void)q;
	if (answer == NULL || answer->type != VAULT_TAGGED ||
	    !ipc_get_string(&answer->body, text, sizeof text) ||
	    !ipc_reader_is_done(&answer->body) ||
	    address_parse(&a, slice_of(text), ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return false;
	e->tag = envelope_keep(e, slice_of(text), ASK_ADDRESS_MAX, &failed);
	e->tag_day = today();
	return !failed;
}
