/* SPDX-License-Identifier: ISC */
/*
 * probes.c - smtpd asks whether the next hop would take a recipient.
 *
 *	QUEUE_PROBE (voucher checked) -> TAG -> RELAY_PROBE -> QUEUE_PROBED
 *
 * It goes this way because queue alone knows what a message of that user to
 * that address would be: where it goes, and from which tagged address. The
 * next hop is asked just that. Nothing is kept here, nothing is queued by
 * it; whoever does not answer in time makes it "not said".
 */
#include <errno.h>
#include <stdlib.h>
#include "address.h"
#include "clock.h"
#include "fault.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define PROBES_MAX 256			/* at a time */
#define MARGIN_MS 300			/* before smtpd gives up on us */

struct probe {
	struct probe *next;
	struct queue *queue;
	struct peer *peer;		/* NULL: its channel has ended */
	uint32_t question;
	int64_t until_us;
	char reverse_path[ASK_ADDRESS_MAX], address[ASK_ADDRESS_MAX];
	char destination[ADDRESS_DOMAIN_MAX + 1];
	bool is_utf8, requires_tls;
};

/* ---- answers ---- */

static void
say(struct channel *ch, uint32_t question, const struct hop_reply *a)
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	put_hop_reply(&w, a);
	(void)channel_answer(ch, question, QUEUE_PROBED, &w, -1);
}

static void
say_not_asked(struct channel *ch, uint32_t question, const char *why)
{
	struct hop_reply a = { .stage = RELAY_AT_DNS,
		.remote_host = SLICE("") };

	verdict_set(&a.verdict, 451, 3, 0, "not asked: %s", why);
	say(ch, question, &a);
}

static void
probe_free(struct probe *p)
{
	struct probe **at = &p->queue->probes;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->queue->n_probes--;
	free(p);
}

static void
probe_end(struct probe *p, const char *why)
{
	if (p->peer != NULL)
		say_not_asked(p->peer->ch, p->question, why);
	probe_free(p);
}

void
probes_forget(struct peer *peer)
{
	for (struct probe *p = peer->queue->probes; p != NULL; p = p->next)
		if (p->peer == peer)
			p->peer = NULL;
}

/* ---- relay ---- */

static void
on_probed(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct probe *p = arg;
	struct hop_reply a;

	(void)ch;
	if (m == NULL || m->type != RELAY_PROBED ||
	    !get_hop_reply(&m->body, &a)) {
		probe_end(p, "relay does not answer");
		return;
	}
	if (p->peer != NULL)
		say(p->peer->ch, p->question, &a);
	probe_free(p);
}

/* Milliseconds that are left for whom we ask. */
static uint32_t
time_left_ms(const struct probe *p)
{
	int64_t left_us = p->until_us - loop_now_us(p->queue->c.loop);

	return left_us > 1000 ? (uint32_t)(left_us / 1000) : 1;
}

static void
ask_relay(struct probe *p, const char *reverse_path)
{
	static struct ipc_writer w;	/* large */
	struct queue *q = p->queue;
	const struct relay_probe ask = { .envelope = {
		.domain = slice_of(p->destination),
		.is_smart_host = queue_is_smart_host(q,
		    slice_of(p->destination)),
		.reverse_path = slice_of(reverse_path),
		.is_utf8 = p->is_utf8, .requires_tls = p->requires_tls },
		.address = slice_of(p->address) };

	FAULT_STEP("queue.probe");
	ipc_writer_init(&w);
	put_relay_probe(&w, &ask);
	if (q->relay == NULL || q->is_stopping || channel_ask(q->relay,
	    RELAY_PROBE, &w, -1, time_left_ms(p), on_probed, p) == 0)
		probe_end(p, "relay is not there");
}

/* ---- the tag first ---- */

static void
on_tag(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct probe *p = arg;
	char tagged[ASK_ADDRESS_MAX];

	(void)ch;
	if (tag_read(m, tagged))
		ask_relay(p, tagged);
	else
		probe_end(p, "the vault does not answer");
}

static void
begin(struct probe *p)
{
	struct queue *q = p->queue;

	if (p->destination[0] == '\0')
		probe_end(p, "nobody knows where it goes");
	else if (!tag_is_for(q, slice_of(p->reverse_path)) ||
	    tag_is_exempt(q, slice_of(p->address)))
		ask_relay(p, p->reverse_path);
	else if (tag_ask(q, slice_of(p->reverse_path), time_left_ms(p) / 2,
	    on_tag, p) == 0)
		probe_end(p, "the vault is not there");
}

/* ---- the question ---- */

/* NULL without memory, or when there are too many. */
static struct probe *
probe_new(struct peer *peer, const struct queue_probe *ask,
    const struct ipc_message *m)
{
	struct queue *q = peer->queue;
	struct probe *p = q->n_probes < PROBES_MAX ? calloc(1, sizeof *p) :
	    NULL;
	uint32_t wait_ms = m->deadline_ms > 2 * MARGIN_MS ?
	    m->deadline_ms - MARGIN_MS : m->deadline_ms;

	if (p == NULL)
		return NULL;
	p->queue = q;
	p->peer = peer;
	p->question = m->id;
	p->until_us = loop_now_us(q->c.loop) + (int64_t)wait_ms * 1000;
	p->is_utf8 = ask->is_utf8;
	p->requires_tls = ask->requires_tls;
	/* the decoder has seen that they fit */
	(void)slice_copy(p->reverse_path, sizeof p->reverse_path,
	    ask->reverse_path);
	(void)slice_copy(p->address, sizeof p->address, ask->address);
	queue_destination_of(q, ask->address, p->destination);
	p->next = q->probes;
	q->probes = p;
	q->n_probes++;
	return p;
}

bool
queue_on_probe(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct queue_probe ask;
	struct probe *p;
	int error;

	if (m->id == 0 || !get_queue_probe(&m->body, &ask) ||
	    !intake_is_address(ask.address) || (ask.reverse_path.size > 0 &&
	    !intake_is_address(ask.reverse_path)))
		return false;
	error = voucher_check(&ask.voucher,
	    peer->queue->c.secrets[SECRET_VOUCH], (uint64_t)clock_wall_s());
	if (error == -EACCES)
		return false;
	p = error == 0 ? probe_new(peer, &ask, m) : NULL;
	if (p != NULL)
		begin(p);
	else
		say_not_asked(ch, m->id, error ? "the user's word has "
		    "expired" : "too many are asked about at the moment");
	return true;
}
