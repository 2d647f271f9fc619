/* SPDX-License-Identifier: ISC */
/*
 * answer.c - questions of smtpd and control; see answer.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "account_rights.h"
#include "address.h"
#include "answer.h"
#include "ask.h"
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "sealed.h"
#include "state.h"

#define INLINE_MAX 6000		/* a larger route goes as a descriptor */

struct peer {
	struct answerer *answerer;
	struct channel *channel;
	enum role role;
	uint16_t index;
	char name[32];
};

/* ---- ROUTE_ASK ---- */

static bool
is_session_id(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ", s.data[i]) == NULL ||
		    s.data[i] == '\0')
			return false;
	return true;
}

static bool
is_question_sane(const struct route_ask *q)
{
	return q->local.size > 0 && q->local.size <= ADDRESS_LONG_LOCAL_MAX &&
	    q->domain.size <= ADDRESS_DOMAIN_MAX &&
	    is_session_id(q->session) && !slice_has_control(q->local) &&
	    !slice_has_control(q->domain) && !slice_has_control(q->recipient);
}

/* Whom a route is made for, and of which of its parts. */
struct wanted {
	struct slice recipient, session;	/* "": for somebody to read */
	bool is_list;			/* the members elsewhere */
};

static int
seal_list(struct answerer *a, const struct wanted *w,
    const struct resolved *found)
{
	const struct list_route route = { .list = w->recipient,
		.session = w->session,
		.expires_s = clock_wall_s() + ROUTE_LIFE_S,
		.owner = slice_of(found->owner),
		.account = slice_of(found->account),
		.members = found->members, .n_members = found->n_members };

	return found->kind == ROUTE_LIST ?
	    list_route_seal(&a->sealed, &route, a->list_secret) : 0;
}

static int
seal_hop(struct answerer *a, const struct wanted *w,
    const struct resolved *found)
{
	const struct hop_route route = { .recipient = w->recipient,
		.session = w->session,
		.expires_s = clock_wall_s() + ROUTE_LIFE_S,
		.destination = slice_of(found->destination),
		.is_smart_host = found->is_smart_host,
		.is_forward = found->is_forward,
		.srs_domain = found->is_forward ?
		slice_of(found->srs_domain) : SLICE(""),
		.address = slice_of(found->hop_address) };

	a->hop.size = 0;
	return found->kind == ROUTE_HOP ?
	    hop_route_seal(&a->hop, &route, a->hop_secret) : 0;
}

/* What deliver is told of it: the mailboxes, and the program. */
static enum route_kind
kind_here(const struct resolved *found)
{
	if (found->program.size > 0)
		return ROUTE_PROGRAM;
	return found->kind == ROUTE_LIST || found->kind == ROUTE_HOP ?
	    ROUTE_MAILBOX : found->kind;
}

/* Where all of it is elsewhere nothing is for deliver. */
static int
seal(struct answerer *a, const struct wanted *w, const struct resolved *found)
{
	const struct route route = { .kind = kind_here(found),
		.recipient = w->recipient, .session = w->session,
		.expires_s = clock_wall_s() + ROUTE_LIFE_S,
		.program = found->program,
		.leaves = found->leaves, .n_leaves = found->n_leaves };

	a->sealed.size = 0;
	if (w->is_list)
		return seal_list(a, w, found);
	return route.kind == ROUTE_MAILBOX && found->n_leaves == 0 ? 0 :
	    route_seal(&a->sealed, &route, a->secret);
}

static void
refuse(struct route_answer *answer, int error)
{
	answer->kind = ROUTE_REFUSE;
	answer->is_unknown_user = false;
	answer->alarm = error == -ENOMEM ? SLICE("directory: out of memory") :
	    SLICE("directory: the path of a mailbox, or the whole list, is "
	    "too long or holds \"..\"");
	verdict_set(&answer->verdict, 451, 3, 5,
	    "this address is not set up correctly here");
}

static void
send_answer(struct peer *peer, uint32_t id, struct route_answer *answer)
{
	struct slice sealed = answer->sealed;
	struct ipc_writer w;
	int fd = -1;

	if (sealed.size > INLINE_MAX) {
		fd = sealed_of_text("route", sealed);
		answer->sealed = SLICE("");
		answer->sealed_size = (uint32_t)sealed.size;
		if (fd < 0) {
			answer->sealed_size = 0;
			refuse(answer, -ENOMEM);
		}
	}
	ipc_writer_init(&w);
	put_route_answer(&w, answer);
	channel_answer(peer->channel, id, ROUTE_ANSWER, &w, fd);
	if (fd >= 0)
		close(fd);
}

static void
answer_with(struct peer *peer, uint32_t id, const struct resolved *found,
    const struct wanted *wanted)
{
	struct answerer *a = peer->answerer;
	struct route_answer answer = { .kind = found->kind,
		.verdict = found->verdict, .is_exempt = found->is_exempt,
		.is_unknown_user = found->is_unknown_user,
		.is_elsewhere = found->is_elsewhere,
		.alarm = slice_of(found->alarm),
		.explanation = found->explanation.size ?
		    buf_slice(&found->explanation) : SLICE(""),
		.sealed = SLICE(""), .hop = SLICE("") };
	int error;

	if (found->kind != ROUTE_REFUSE && wanted->session.size > 0) {
		error = seal(a, wanted, found);
		if (!error)
			error = seal_hop(a, wanted, found);
		if (error)
			refuse(&answer, error);
		if (!error && a->sealed.size > 0)
			answer.sealed = buf_slice(&a->sealed);
		if (!error && found->kind == ROUTE_HOP)
			answer.hop = buf_slice(&a->hop);
	}
	FAULT_STEP("directory.before-answer");
	send_answer(peer, id, &answer);
}

/* A postmaster makes aliases of those that are in use. */
static void
note_guess(const struct wanted *w, const struct resolved *found)
{
	if (found->kind != ROUTE_REFUSE && found->guess.size > 0 &&
	    w->session.size > 0 && !w->is_list)
		log_info("partial_name", LOG_SL("session", w->session),
		    LOG_SL("recipient", w->recipient),
		    LOG_SL("user", found->guess), LOG_END);
}

static bool
on_route_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct wanted wanted = { .session = SLICE("") };
	const struct resolved *found;
	struct route_ask q;

	(void)ch;
	if (!get_route_ask(&m->body, &q) || !is_question_sane(&q))
		return false;
	FAULT_STEP("directory.before-route");
	wanted.recipient = q.recipient;
	wanted.is_list = q.wants_list;
	if (peer->role == ROLE_SMTPD)
		wanted.session = q.session;
	found = resolver_find(peer->answerer->resolver, q.local, q.domain,
	    q.explains);
	note_guess(&wanted, found);
	answer_with(peer, m->id, found, &wanted);
	return true;
}

/* ---- MAILBOX_ASK, MAY_ASK ---- */

static bool
on_mailbox_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct wanted wanted = { .is_list = false };
	struct mailbox_ask q;

	(void)ch;
	if (!get_mailbox_ask(&m->body, &q) || !is_session_id(q.session) ||
	    q.session.size == 0 || slice_has_control(q.user))
		return false;
	wanted.recipient = q.user.size > 0 ? q.user : SLICE("postmaster");
	wanted.session = q.session;
	answer_with(peer, m->id, account_find_mailbox(
	    peer->answerer->resolver, q.user), &wanted);
	return true;
}

static bool
on_may_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct ipc_writer w;
	struct may_ask q;

	if (!get_may_ask(&m->body, &q) || slice_has_control(q.user) ||
	    slice_has_control(q.address))
		return false;
	ipc_writer_init(&w);
	put_may_answer(&w, account_may_send(peer->answerer->resolver, q.user,
	    q.address));
	channel_answer(ch, m->id, MAY_ANSWER, &w, -1);
	return true;
}

/* ---- TABLES_ASK ---- */

static void
write_table(struct buf *out, const struct answerer *a,
    const struct catalog_slot *slot)
{
	char path[PATH_MAX], when[32] = "never";
	struct record_meta meta = { 0 };
	struct state state = { 0 };
	bool has_state = table_spec_path(path, sizeof path,
	    a->catalog->config->state_dir, slot->spec, "state") &&
	    state_read(path, &state) == 0;
	bool has_meta = slot->live != NULL && table_meta(slot->live, &meta);
	time_t made_s = (time_t)meta.made_s;
	struct tm tm;

	if (has_meta && gmtime_r(&made_s, &tm) != NULL)
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)buf_printf(out, "%s %s entries=%u compiled=%s use=%s last=%s%s%s"
	    "\n", table_kind_name(slot->spec->kind), slot->spec->path,
	    meta.n_entries, when, slot->live == NULL ? "none" :
	    slot->is_lookup_damaged ? "damaged" : slot->live_error ? "old" :
	    slot->pending ? "old,pending" : "current",
	    has_state ? state_result_name(state.result) : "unknown",
	    state.text[0] ? " " : "", state.text);
	state_free(&state);
}

static bool
on_tables_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	const struct answerer *a = peer->answerer;
	struct buf text = { .maximum = IPC_PAYLOAD_MAX - 16 };
	struct ipc_writer w;

	if (peer->role != ROLE_CONTROL || !ipc_reader_is_done(&m->body))
		return false;
	for (size_t i = 0; i < a->catalog->specs.n; i++)
		write_table(&text, a, &a->catalog->slots[i]);
	ipc_writer_init(&w);
	ipc_put_slice(&w, text.size ? buf_slice(&text) : SLICE(""));
	channel_answer(ch, m->id, TABLES_ANSWER, &w, -1);
	buf_free(&text);
	return true;
}

/* ---- peers ---- */

static const struct channel_rule rules[] = {
	{ ROUTE_ASK, CHANNEL_NO_FD, on_route_ask },
	{ TABLES_ASK, CHANNEL_NO_FD, on_tables_ask },
	{ MAY_ASK, CHANNEL_NO_FD, on_may_ask },
};

/* It brings mail home, and has no use for any other address. */
static const struct channel_rule queue_rules[] = {
	{ MAILBOX_ASK, CHANNEL_NO_FD, on_mailbox_ask },
};
#define N_OF(list) (sizeof(list) / sizeof *(list))

static void
on_peer_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;
	struct answerer *a = peer->answerer;

	(void)ch;
	if (misbehaved)
		log_error("peer_misbehaved", LOG_S("peer", peer->name),
		    LOG_S("hint", "suspected break-in"), LOG_END);
	if (misbehaved)
		compartment_accuse(peer->role, peer->index);
	a->n_smtpd -= peer->role == ROLE_SMTPD;
	if (a->is_stopping && a->n_smtpd == 0)
		loop_stop(a->loop);
	free(peer);
}

void
answer_peer(struct answerer *answerer, enum role role, uint16_t index, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (peer == NULL || (role != ROLE_SMTPD &&
	    role != ROLE_CONTROL && role != ROLE_QUEUE)) {
		free(peer);
		close(fd);
		return;
	}
	peer->answerer = answerer;
	peer->role = role;
	peer->index = index;
	snprintf(peer->name, sizeof peer->name, "%s-%u", role_name(role),
	    index);
	peer->channel = role == ROLE_QUEUE ?
	    channel_new(answerer->loop, fd, peer->name, queue_rules,
	    N_OF(queue_rules), on_peer_closed, peer) :
	    channel_new(answerer->loop, fd, peer->name, rules, N_OF(rules),
	    on_peer_closed, peer);
	if (peer->channel == NULL) {
		log_error("peer", LOG_S("peer", peer->name),
		    LOG_E("error", errno), LOG_END);
		free(peer);
		return;
	}
	answerer->n_smtpd += role == ROLE_SMTPD;
}
