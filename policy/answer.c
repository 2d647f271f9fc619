/* SPDX-License-Identifier: ISC */
/*
 * answer.c - one question, one judgement; see answer.h.
 *
 * The message is a sealed memfd that is mapped for the time of the question.
 * A check that neither ends nor crashes is ended by a timer: its asker hears
 * "unknown", and the supervisor starts another worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>
#include "answer.h"
#include "ask.h"
#include "fault.h"
#include "judging.h"
#include "log.h"
#include "message.h"
#include "sealed.h"

#define INLINE_MAX 12000	/* a larger judgement goes as a descriptor */
#define MOST_SECONDS 10		/* of one question */

struct peer {
	struct judge_desk *desk;
	struct channel *channel;
	enum role role;
	uint16_t index;
	char name[32];
	/* what JUDGE_MORE has brought */
	uint32_t set;
	struct facts facts;
};

/* The default action of SIGALRM ends the process. */
static void
limit_time(unsigned seconds)
{
	struct itimerval limit = { .it_value.tv_sec = seconds };

	setitimer(ITIMER_REAL, &limit, NULL);
}

static bool
on_judge_more(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct judge_more more;

	(void)ch;
	if (!get_judge_more(&m->body, &more))
		return false;
	if (more.set != peer->set)
		facts_free(&peer->facts);
	peer->set = more.set;
	return get_facts(more.facts, &peer->facts);
}

/* ---- the message ---- */

/* Map it; false for what is no sealed message of that size. */
static bool
map_message(struct ipc_message *m, const struct judge_ask *q,
    struct slice *text)
{
	struct message message = { .fd = -1 };
	void *at;

	*text = SLICE("");
	if ((m->fd >= 0) != (q->stage == JUDGE_DATA))
		return false;
	if (m->fd < 0)
		return true;
	if (message_accept(&message, m->fd, (size_t)q->message_bytes) < 0)
		return false;
	if (q->message_bytes == 0)
		return true;
	at = mmap(NULL, message.size_bytes, PROT_READ, MAP_PRIVATE,
	    message.fd, 0);
	if (at == MAP_FAILED)
		return false;
	*text = (struct slice){ at, message.size_bytes };
	return true;
}

static void
unmap_message(struct slice text)
{
	if (text.size > 0)
		munmap((void *)(uintptr_t)text.data, text.size);
}

/* ---- the answer ---- */

/* Without an answer the asker hears "unknown" at its deadline. */
static void
send_judgement(struct channel *ch, uint32_t id, const struct judgement *j)
{
	struct judge_answer answer = { .sealed_size = 0 };
	struct buf wire = { .maximum = JUDGEMENT_BYTES_MAX };
	struct ipc_writer w;
	int fd = -1;

	if (put_judgement(&wire, j) != 0)
		log_error("judgement_lost", LOG_END);
	answer.judgement = buf_slice(&wire);
	if (wire.size > INLINE_MAX) {
		fd = sealed_of_text("judgement", buf_slice(&wire));
		answer.judgement = SLICE("");
		answer.sealed_size = fd < 0 ? 0 : (uint32_t)wire.size;
	}
	ipc_writer_init(&w);
	put_judge_answer(&w, &answer);
	channel_answer(ch, id, JUDGE_ANSWER, &w, fd);
	if (fd >= 0)
		close(fd);
	buf_free(&wire);
}

static bool
on_judge_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct judge_ask q;
	struct judgement j;
	struct slice text;
	bool is_sane;

	if (!get_judge_ask(&m->body, &q))
		return false;
	if (q.set == 0 || q.set != peer->set)
		facts_free(&peer->facts);
	is_sane = get_facts(q.facts, &peer->facts) &&
	    map_message(m, &q, &text);
	if (is_sane) {
		limit_time(MOST_SECONDS);
		FAULT_STEP("policy.judge");
		judge(peer->desk->config, q.stage, &peer->facts, text,
		    &j);
		limit_time(0);
		send_judgement(ch, m->id, &j);
		judgement_free(&j);
		unmap_message(text);
	}
	facts_free(&peer->facts);
	peer->set = 0;
	return is_sane;
}

/* ---- peers ---- */

static const struct channel_rule rules[] = {
	{ JUDGE_MORE, CHANNEL_NO_FD, on_judge_more },
	{ JUDGE_ASK, CHANNEL_MAY_FD, on_judge_ask },
};

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;
	struct judge_desk *a = peer->desk;

	(void)ch;
	if (misbehaved) {
		log_error("peer_misbehaved", LOG_S("peer", peer->name),
		    LOG_END);
		compartment_accuse(peer->role, peer->index);
	}
	a->n_smtpd -= peer->role == ROLE_SMTPD;
	if (a->is_stopping && a->n_smtpd == 0)
		loop_stop(a->loop);
	facts_free(&peer->facts);
	free(peer);
}

void
policy_peer(struct judge_desk *a, enum role role, uint16_t index, int fd)
{
	struct peer *peer = NULL;

	if (role == ROLE_SMTPD || role == ROLE_CONTROL)
		peer = calloc(1, sizeof *peer);
	if (peer == NULL) {
		close(fd);
		return;
	}
	*peer = (struct peer){ .desk = a, .role = role, .index = index };
	snprintf(peer->name, sizeof peer->name, "%s.%u", role_name(role),
	    index);
	peer->channel = channel_new(a->loop, fd, peer->name, rules,
	    sizeof rules / sizeof *rules, on_closed, peer);
	if (peer->channel == NULL)
		free(peer);
	else
		a->n_smtpd += role == ROLE_SMTPD;
}
