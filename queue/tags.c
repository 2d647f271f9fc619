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

#define TAG_GOOD_DAYS 5		/* of the seven that it is valid */

static uint32_t
today(void)
{
	return (uint32_t)(clock_wall_s() / 86400);
}

/* Bounces to another domain would find nobody who knows our tags. */
bool
tag_is_for(const struct queue *q, struct slice from)
{
	static struct address a;	/* large */

	return address_parse(&a, from, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK &&
	    config_find_domain(q->c.config, slice_of(a.domain)) != NULL;
}

bool
tag_is_exempt(const struct queue *q, struct slice recipient)
{
	const struct config_strings *exempt = &q->c.config->batv_exempt;
	struct address a;
	struct slice domain;

	if (exempt->n == 0 || address_parse(&a, recipient, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return false;
	domain = slice_of(a.domain);
	for (size_t i = 0; i < exempt->n; i++)
		if (slice_equals_nocase(domain, slice_of(exempt->items[i])))
			return true;
	return false;
}

bool
tag_is_wanted(const struct queue *q, const struct envelope *e)
{
	return tag_is_for(q, e->from) && (e->tag_day == 0 ||
	    today() >= e->tag_day + TAG_GOOD_DAYS || today() < e->tag_day);
}

uint32_t
tag_ask(struct queue *q, struct slice from, uint32_t deadline_ms,
    channel_answered_fn *answered, void *arg)
{
	static struct ipc_writer w;	/* large */
	const struct vault_tag ask = { .kind = VAULT_TAG_BATV,
		.address = from, .day = today() };

	if (q->vault == NULL)
		return 0;
	ipc_writer_init(&w);
	put_vault_tag(&w, &ask);
	return channel_ask(q->vault, VAULT_TAG, &w, -1, deadline_ms,
	    answered, arg);
}

bool
tag_read(struct ipc_message *answer, char tagged[ASK_ADDRESS_MAX])
{
	static struct address a;

	return answer != NULL && answer->type == VAULT_TAGGED &&
	    ipc_get_string(&answer->body, tagged, ASK_ADDRESS_MAX) &&
	    ipc_reader_is_done(&answer->body) &&
	    address_parse(&a, slice_of(tagged), ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;
}

bool
tag_take(struct envelope *e, struct ipc_message *answer)
{
	char text[ASK_ADDRESS_MAX];
	bool failed = false;

	if (!tag_read(answer, text))
		return false;
	e->tag = envelope_keep(e, slice_of(text), ASK_ADDRESS_MAX, &failed);
	e->tag_day = today();
	return !failed;
}
