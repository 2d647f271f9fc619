/* SPDX-License-Identifier: ISC */
/*
 * See desk.h. An smtpd's exchanges are a list: it has few at a time, as one
 * is over within a second or two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "desk.h"
#include "exchange.h"
#include "log.h"
#include "who.h"

#define MAX_EXCHANGES 4096		/* of one smtpd */

/* An exchange, and the question that its step came with. */
struct running {
	struct peer *peer;
	struct exchange *exchange;
	uint32_t question;
	struct running *next;
};

struct peer {				/* one smtpd */
	struct desk *desk;
	struct channel *ch;
	enum role role;
	uint16_t index;
	struct running *running;
	size_t n_running;
	struct peer *next;
};

static struct running **
running_find(struct peer *peer, uint32_t exchange)
{
	struct running **at = &peer->running;

	while (*at != NULL && exchange_id((*at)->exchange) != exchange)
		at = &(*at)->next;
	return at;
}

static void
running_remove(struct running *r)
{
	struct running **at = &r->peer->running;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->peer->n_running--;
	exchange_free(&r->exchange);
	free(r);
}

static void
send_answer(struct peer *peer, uint32_t question,
    const struct auth_answer *a)
{
	static struct ipc_writer w;	/* large */
	int error;

	ipc_writer_init(&w);
	put_auth_answer(&w, a);
	error = channel_answer(peer->ch, question, AUTH_ANSWER, &w, -1);
	explicit_bzero(w.data, w.size);
	if (error)
		log_warning("answer", LOG_E("error", error), LOG_END);
}

static void
send_result(struct peer *peer, uint32_t question, enum auth_result result)
{
	const struct auth_answer a = { .result = result };

	send_answer(peer, question, &a);
}

static void
on_done(const struct auth_answer *a, void *arg)
{
	struct running *r = arg;

	send_answer(r->peer, r->question, a);
	if (a->result != AUTH_CONTINUE)
		running_remove(r);
}

/* ---- questions ---- */

static struct running *
running_new(struct peer *peer, const struct auth_step *step)
{
	struct running *r = peer->n_running < MAX_EXCHANGES ?
	    calloc(1, sizeof(*r)) : NULL;

	if (r == NULL)
		return NULL;
	r->peer = peer;
	r->exchange = exchange_new(peer->desk, step);
	if (r->exchange == NULL) {
		free(r);
		return NULL;
	}
	r->next = peer->running;
	peer->running = r;
	peer->n_running++;
	return r;
}

static bool
on_step(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct auth_step step;
	struct running *r;

	(void)ch;
	if (!get_auth_step(&m->body, &step))
		return false;
	r = *running_find(peer, step.exchange);
	if (r != NULL && (step.is_first || exchange_is_busy(r->exchange)))
		return false;
	if (r == NULL && step.is_first)
		r = running_new(peer, &step);
	if (r == NULL) {
		/* too many, or begun with one that has died */
		send_result(peer, m->id, AUTH_UNAVAILABLE);
		return true;
	}
	r->question = m->id;
	exchange_step(r->exchange, &step, on_done, r);
	return true;
}

static bool
on_who(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct auth_answer a = { .result = AUTH_NOT_A_USER };
	struct account account;
	struct auth_peer ask;

	(void)ch;
	if (!get_auth_peer(&m->body, &ask))
		return false;
	a.result = who_is(&account, peer->desk->config, m->fd);
	if (a.result == AUTH_OK && !desk_vouch(peer->desk, &account,
	    ask.session, &a.voucher))
		a.result = AUTH_UNAVAILABLE;
	send_answer(peer, m->id, &a);
	return true;
}

static bool
on_forget(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint32_t exchange = ipc_get_u32(&m->body);
	struct running *r;

	(void)ch;
	if (!ipc_reader_is_done(&m->body))
		return false;
	r = *running_find(peer, exchange);
	if (r != NULL)
		running_remove(r);
	return true;
}

static const struct channel_rule rules[] = {
	{ AUTH_STEP, CHANNEL_NO_FD, on_step },
	{ AUTH_PEER, CHANNEL_WANTS_FD, on_who },
	{ AUTH_FORGET, CHANNEL_NO_FD, on_forget },
};
#define N_RULES (sizeof(rules) / sizeof(rules[0]))

/* ---- the smtpd ---- */

static void
peer_remove(struct peer *peer)
{
	struct desk *desk = peer->desk;
	struct peer **at = &desk->peers;

	while (peer->running != NULL)
		running_remove(peer->running);
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
	if (--desk->n_peers == 0 && desk->is_stopping)
		loop_stop(desk->loop);
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;

	(void)ch;
	if (misbehaved) {
		log_error("suspected_break_in", LOG_S("peer",
		    role_name(peer->role)), LOG_U("index", peer->index),
		    LOG_S("effect", "its channel is closed"), LOG_END);
		compartment_accuse(peer->role, peer->index);
	}
	peer_remove(peer);
}

static void
tell_offers(struct peer *peer)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_auth_offers(&w, peer->desk->offers);
	(void)channel_tell(peer->ch, AUTH_OFFERS, &w, -1);
}

void
desk_peer(struct desk *desk, enum role role, uint16_t index, int fd)
{
	struct peer *peer = role == ROLE_SMTPD ? calloc(1, sizeof(*peer)) :
	    NULL;

	if (peer == NULL) {
		close(fd);
		return;
	}
	*peer = (struct peer){ .desk = desk, .role = role, .index = index };
	peer->ch = channel_new(desk->loop, fd, role_name(role), rules,
	    N_RULES, on_closed, peer);
	if (peer->ch == NULL) {
		log_error("peer", LOG_E("error", errno), LOG_END);
		free(peer);
		return;
	}
	peer->next = desk->peers;
	desk->peers = peer;
	desk->n_peers++;
	tell_offers(peer);
}

void
desk_set_offers(struct desk *desk, unsigned offers)
{
	struct peer *peer;

	if (desk->offers == offers)
		return;
	desk->offers = offers;
	for (peer = desk->peers; peer != NULL; peer = peer->next)
		tell_offers(peer);
}
