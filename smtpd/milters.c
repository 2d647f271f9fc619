/* SPDX-License-Identifier: ISC */
/*
 * See milters.h. The answer is always given from a timer of its own, so that
 * nothing is freed under a callback of a socket.
 *
 *	ask -> next: open -> begin -> (input, written)* -> passed -> next
 *	                                    \-> refused, failed -> answer
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "endpoint.h"
#include "log.h"
#include "milters.h"
#include "stream.h"

#define IDLE_MS 20000		/* how long a connection waits for a session */
#define IDLE_MAX 8		/* so many do, for each milter */
#define NO_TIME "no time is left"

struct link {
	struct compartment *c;
	struct milters *all;		/* NULL: it waits for a session */
	const struct config_filter *config;
	unsigned index;
	struct milter_talk talk;
	struct stream stream;
	struct loop_timer timer;
	uint32_t opening;		/* asked of the supervisor, or 0 */
	bool is_open;
	bool is_reused;			/* by another session before, */
	bool has_heard;			/* and it has spoken in this one */
	struct link *next_idle;
	bool is_over;			/* it wants no more of this one, */
	bool is_session_over;		/* or of all */
};

struct milters {
	struct compartment *c;
	char session[ASK_SESSION_MAX];
	milters_answered_fn *answered;
	void *arg;
	struct link **links;
	size_t n_links;
	struct milters_ask ask;		/* under way */
	bool is_asked;
	size_t at;			/* the link whose turn it is */
	struct draft draft;
	bool has_draft;
	struct milter_changes changes;	/* of this transaction */
	bool has_refused_session;
	struct milters_answer answer;
	int answer_fd;
	bool is_late;			/* no time is left for the others */
	struct loop_timer deadline, done;
};

/* Connections that wait for a session, by milter. */
static struct {
	struct link *first;
	unsigned n;
} idle[CONFIG_MAX_MILTERS];

static void link_begin(struct link *l);
static void link_open(struct link *l);
static void milters_next(struct milters *m);

/* ---- the answer ---- */

static void
on_done(struct loop_timer *timer, void *arg)
{
	static struct milters_answer answer;	/* outlives the milters */
	struct milters *m = arg;
	int fd = m->answer_fd;

	(void)timer;
	answer = m->answer;
	m->answer_fd = -1;
	if (m->ask.stage == TALK_MESSAGE) {
		answer.changes = m->changes;
		memset(&m->changes, 0, sizeof(m->changes));
	}
	m->answered(&answer, fd, m->arg);
}

static void
milters_done(struct milters *m)
{
	m->is_asked = false;
	if (m->has_draft)
		draft_close(&m->draft);
	m->has_draft = false;
	loop_timer_stop(m->c->loop, &m->deadline);
	loop_timer_start(m->c->loop, &m->done, 0, on_done, m);
}

static void
milters_refuse(struct milters *m, const struct verdict *v, const char *who)
{
	m->answer.verdict = *v;
	slice_clip(m->answer.milter, sizeof(m->answer.milter), slice_of(who));
	milters_done(m);
}

static void
milters_cannot(struct milters *m, int code, int subject, int detail,
    const char *text)
{
	struct verdict v;

	verdict_set(&v, code, subject, detail, "%s", text);
	if (m->ask.spares && code >= 500) {
		milter_changes_spare(&m->changes, "milters", &v);
		milters_done(m);
		return;
	}
	milters_refuse(m, &v, "milters");
}

/* All have let it pass: what they changed becomes a message. */
static void
milters_pass(struct milters *m)
{
	int fd;

	if (m->has_draft && m->draft.is_changed) {
		fd = draft_seal(&m->draft, m->session, &m->answer.size_bytes);
		if (fd < 0) {
			log_warning("milters_message", LOG_S("session",
			    m->session), LOG_E("error", fd), LOG_END);
			milters_cannot(m, 451, 3, 0, "cannot store the changed "
			    "message now, try again later");
			return;
		}
		m->answer_fd = fd;
	}
	milters_done(m);
}

/* ---- one milter fails ---- */

static void
link_close(struct link *l)
{
	struct loop *loop = l->c->loop;

	if (l->opening != 0)
		endpoint_forget(l->c, l->opening);
	l->opening = 0;
	loop_timer_stop(loop, &l->timer);
	if (l->is_open)
		stream_close(&l->stream);
	l->is_open = false;
	talk_free(&l->talk);
}

static bool
link_is_asked(const struct link *l)
{
	return l->all->is_asked && l->all->at == l->index;
}

/* Its silence, wherever the reason lies. */
static void
link_silent(struct link *l, const char *problem)
{
	struct milters *m = l->all;
	enum talk_stage stage = m->ask.stage;
	struct verdict v;

	if (stage == TALK_HELO || stage == TALK_UNKNOWN) {
		m->at++;
	} else if (l->config->marks_failure && !l->talk.is_spoiled) {
		m->answer.silent[l->index] = problem;
		m->at++;
	} else {
		m->answer.is_silence = true;
		slice_clip(m->answer.problem, sizeof(m->answer.problem),
		    slice_of(problem));
		verdict_set(&v, 451, 3, 0, "a filter cannot answer now, try "
		    "again later");
		milters_refuse(m, &v, l->config->text);
		return;
	}
	milters_next(m);
}

static void
link_fail(struct link *l, const char *problem, int error)
{
	bool is_asked = link_is_asked(l);
	bool is_rubbish = l->talk.is_fault;

	if (is_rubbish)
		log_error("alarm", LOG_S("session", l->all->session),
		    LOG_S("milter", l->config->text),
		    LOG_S("text", "a milter breaks the protocol"),
		    LOG_S("problem", problem), LOG_END);
	else
		log_warning("milter_failed", LOG_S("session",
		    l->all->session), LOG_S("milter", l->config->text),
		    LOG_S("problem", problem), LOG_E("error", error), LOG_END);
	if (is_asked)
		link_silent(l, problem);
	link_close(l);
}

/* ---- octets ---- */

static void
on_slow(struct loop_timer *timer, void *arg)
{
	(void)timer;
	link_fail(arg, "no answer in time", -ETIMEDOUT);
}

static void
link_start_timer(struct link *l)
{
	loop_timer_start(l->c->loop, &l->timer,
	    l->config->timeout_s * 1000, on_slow, l);
}

/* Send what there is to say, and go on saying. False: it is broken. */
static bool
link_flush(struct link *l)
{
	struct milter_talk *t = &l->talk;
	int error;

	while (t->out.size > 0 && !stream_has_output(&l->stream)) {
		error = stream_write(&l->stream, buf_slice(&t->out));
		buf_free(&t->out);
		if (error < 0)
			return false;
		if (!stream_has_output(&l->stream))
			talk_written(t);
	}
	return true;
}

/*
 * It may close between transactions, or when it has said its last word;
 * within one that is a failure.
 */
static void
link_ended(struct link *l, int error)
{
	const struct milter_talk *t = &l->talk;
	bool begins = l->all->ask.stage == TALK_HELO ||
	    l->all->ask.stage == TALK_MAIL;
	bool is_within = (t->said & (1u << STEP_MAIL)) != 0 &&
	    (t->said & (1u << STEP_END)) == 0;

	/* it closed while it waited for this session: a new one, then */
	if (l->is_reused && !l->has_heard && begins && link_is_asked(l)) {
		link_close(l);
		link_open(l);
		return;
	}
	l->is_session_over = t->is_session_accepted;
	l->is_over = t->is_message_over;
	if (link_is_asked(l) ||
	    (is_within && !l->is_session_over && !l->is_over))
		link_fail(l, "it closed the connection", error);
	else
		link_close(l);
}

/* Who refuses a relay_peer itself hears no more of the session; a recipient's
 * refusal stays. */
static bool
link_spares(struct link *l)
{
	struct milters *m = l->all;

	if (!m->ask.spares || l->talk.verdict.code < 500 ||
	    m->ask.stage == TALK_RCPT || m->ask.stage == TALK_UNKNOWN)
		return false;
	if (talk_spare_session(&l->talk))
		m->answer.silent[l->index] = "it refuses the relay_peer";
	else
		milter_changes_spare(&m->changes, l->config->text,
		    &l->talk.verdict);
	m->at++;
	milters_next(m);
	return true;
}

/* Something has happened: what does it mean for the question? */
static void
link_advance(struct link *l, bool restarts_timer)
{
	struct milters *m = l->all;

	if (l->talk.state != TALK_BROKEN && !link_flush(l)) {
		link_ended(l, -EPIPE);
		return;
	}
	switch (l->talk.state) {
	case TALK_WAITS:
		if (restarts_timer)
			link_start_timer(l);
		break;
	case TALK_BROKEN:
		link_fail(l, l->talk.problem, 0);
		break;
	case TALK_PASSED:
		loop_timer_stop(m->c->loop, &l->timer);
		if (!link_is_asked(l))
			break;
		l->talk.state = TALK_IDLE;
		m->at++;
		milters_next(m);
		break;
	case TALK_REFUSED:
		loop_timer_stop(m->c->loop, &l->timer);
		if (!link_is_asked(l))
			break;
		l->talk.state = TALK_IDLE;
		if (link_spares(l))
			break;
		m->has_refused_session = l->talk.has_refused_session;
		m->answer.is_session = l->talk.has_refused_session;
		milters_refuse(m, &l->talk.verdict, l->config->text);
		break;
	case TALK_IDLE:
		break;
	}
}

static void
link_readable(struct link *l)
{
	static char input[65536];
	ssize_t n = stream_read(&l->stream, input, sizeof(input));
	bool has_answered;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		link_ended(l, (int)n);
		return;
	}
	l->has_heard = true;
	has_answered = talk_input(&l->talk,
	    (struct slice){ input, (size_t)n });
	link_advance(l, has_answered);
}

/* ---- connections that wait for a session ---- */

static void
idle_remove(struct link *l)
{
	struct link **at = &idle[l->index].first;

	while (*at != l)
		at = &(*at)->next_idle;
	*at = l->next_idle;
	idle[l->index].n--;
	loop_timer_stop(l->c->loop, &l->timer);
}

/* It closed, or spoke out of turn, or has waited long enough. */
static void
idle_drop(struct link *l)
{
	idle_remove(l);
	link_close(l);
	free(l);
}

static void
on_idle(struct loop_timer *timer, void *arg)
{
	struct link *l = arg;

	(void)timer;
	talk_quit(&l->talk);
	(void)link_flush(l);
	idle_drop(l);
}

/* The session is over. False: this connection is of no more use. */
static bool
link_wait(struct link *l)
{
	if (!l->is_open || !l->config->is_reused ||
	    idle[l->index].n == IDLE_MAX ||
	    stream_has_output(&l->stream) || !talk_next_session(&l->talk) ||
	    !link_flush(l) || stream_has_output(&l->stream))
		return false;
	l->all = NULL;
	l->is_over = l->is_session_over = false;
	l->next_idle = idle[l->index].first;
	idle[l->index].first = l;
	idle[l->index].n++;
	loop_timer_start(l->c->loop, &l->timer, IDLE_MS, on_idle, l);
	return true;
}

/* One that waits takes the place of a link that is not open. */
static struct link *
link_reuse(struct milters *m, struct link *closed)
{
	struct link *l = idle[closed->index].first;

	if (l == NULL)
		return NULL;
	idle_remove(l);
	l->all = m;
	l->is_reused = true;
	l->has_heard = false;
	m->links[closed->index] = l;
	talk_free(&closed->talk);
	free(closed);
	return l;
}

static void
on_stream(struct stream *stream, enum stream_event event, void *arg)
{
	struct link *l = arg;

	(void)stream;
	if (l->all == NULL) {
		idle_drop(l);
		return;
	}
	switch (event) {
	case STREAM_INPUT:
		link_readable(l);
		break;
	case STREAM_WRITTEN:
		talk_written(&l->talk);
		link_advance(l, true);
		break;
	case STREAM_BROKEN:
		link_ended(l, -EPIPE);
		break;
	case STREAM_HELD:
	case STREAM_SECURED:
	case STREAM_INSECURE:
		break;		/* without TLS neither comes */
	}
}

/* ---- the turn of a milter ---- */

static void
on_opened(int fd, void *arg)
{
	struct link *l = arg;
	int error = fd;

	l->opening = 0;
	if (fd >= 0)
		error = stream_open(&l->stream, l->c->loop, fd, on_stream,
		    l);
	if (error < 0) {
		link_fail(l, "it cannot be reached", error);
		return;
	}
	l->is_open = true;
	link_begin(l);
}

static void
link_begin(struct link *l)
{
	struct milters *m = l->all;

	link_start_timer(l);
	talk_begin(&l->talk, m->ask.stage, &m->ask.facts,
	    m->has_draft ? &m->draft : NULL, &m->changes);
	link_advance(l, false);
}

static void
link_open(struct link *l)
{
	talk_free(&l->talk);
	talk_init(&l->talk, l->config->text, l->config->discard);
	l->is_reused = false;
	link_start_timer(l);
	l->opening = endpoint_open(l->c,
	    CONFIG_ENDPOINT_MILTERS + l->index, on_opened, l);
	if (l->opening == 0)
		link_fail(l, "it cannot be reached", -ENOBUFS);
}

/* Ask the one whose turn it is, or answer. */
static void
milters_next(struct milters *m)
{
	struct link *l, *reused;
	bool begins = m->ask.stage == TALK_HELO || m->ask.stage == TALK_MAIL;

	if (m->at == m->n_links) {
		milters_pass(m);
		return;
	}
	l = m->links[m->at];
	if (l->is_over || l->is_session_over) {
		m->at++;
		milters_next(m);
	} else if (m->is_late) {
		link_fail(l, NO_TIME, -ETIMEDOUT);
	} else if (l->is_open) {
		link_begin(l);
	} else if (begins && (reused = link_reuse(m, l)) != NULL) {
		link_begin(reused);
	} else if (begins) {
		link_open(l);
	} else {
		link_silent(l, "it failed before");
	}
}

static void
on_deadline(struct loop_timer *timer, void *arg)
{
	struct milters *m = arg;

	(void)timer;
	m->is_late = true;
	if (m->is_asked && m->at < m->n_links)
		link_fail(m->links[m->at], NO_TIME, -ETIMEDOUT);
}

/* The header and body that they see. False: it has been answered. */
static bool
milters_open_draft(struct milters *m, int fd)
{
	int error = draft_open(&m->draft, fd, m->ask.size_bytes,
	    m->ask.max_bytes);

	m->has_draft = error == 0;
	if (error == -EFBIG)
		milters_cannot(m, 554, 6, 0,
		    "the header is too large to be checked");
	else if (error < 0)
		milters_cannot(m, 451, 3, 0,
		    "cannot check the message now, try again later");
	return error == 0;
}

/* What one of them said of a recipient, and meant of the message. */
static bool
milters_have_refused(struct milters *m)
{
	struct verdict v;

	if (m->changes.disposal != DISPOSAL_REFUSE ||
	    (m->ask.stage != TALK_DATA && m->ask.stage != TALK_MESSAGE))
		return false;
	if (m->ask.spares) {
		m->changes.disposal = DISPOSAL_JUNK;
		m->changes.is_spared = true;
		return false;
	}
	verdict_set(&v, 550, 7, 1, TALK_REFUSED_TEXT);
	milters_refuse(m, &v, m->changes.milter);
	return true;
}

void
milters_ask(struct milters *m, const struct milters_ask *ask, int fd,
    uint32_t deadline_ms)
{
	m->ask = *ask;
	m->is_asked = true;
	m->is_late = false;
	m->at = 0;
	if (!m->has_refused_session) {
		memset(&m->answer, 0, sizeof(m->answer));
	} else {
		milters_done(m);
		return;
	}
	m->answer_fd = -1;
	loop_timer_start(m->c->loop, &m->deadline, deadline_ms, on_deadline,
	    m);
	if (milters_have_refused(m) || (ask->stage == TALK_MESSAGE &&
	    !milters_open_draft(m, fd)))
		return;
	milters_next(m);
}

/* ---- the end ---- */

/* In the middle of a dialogue a connection is of no more use. */
static void
milters_drop_question(struct milters *m)
{
	loop_timer_stop(m->c->loop, &m->deadline);
	loop_timer_stop(m->c->loop, &m->done);
	if (m->is_asked && m->at < m->n_links)
		link_close(m->links[m->at]);
	m->is_asked = false;
	if (m->has_draft)
		draft_close(&m->draft);
	m->has_draft = false;
	if (m->answer_fd >= 0)
		close(m->answer_fd);
	m->answer_fd = -1;
}

void
milters_forget(struct milters *m)
{
	milters_drop_question(m);
}

void
milters_end_transaction(struct milters *m)
{
	milters_drop_question(m);
	milter_changes_free(&m->changes);
	for (size_t i = 0; i < m->n_links; i++) {
		struct link *l = m->links[i];

		l->is_over = false;
		if (!l->is_open)
			continue;
		talk_end_transaction(&l->talk);
		if (!link_flush(l))
			link_close(l);
	}
}

static struct link *
link_new(struct milters *m, unsigned index)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->c = m->c;
	l->all = m;
	l->index = index;
	l->config = &m->c->config->milters[index];
	talk_init(&l->talk, l->config->text, l->config->discard);
	return l;
}

struct milters *
milters_new(struct compartment *c, const char *session,
    milters_answered_fn *answered, void *arg)
{
	size_t n = c->config->n_milters;
	struct milters *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->c = c;
	m->answered = answered;
	m->arg = arg;
	m->answer_fd = -1;
	slice_copy(m->session, sizeof(m->session), slice_of(session));
	m->links = calloc(n, sizeof(*m->links));
	while (m->links != NULL && m->n_links < n) {
		m->links[m->n_links] = link_new(m, (unsigned)m->n_links);
		if (m->links[m->n_links] == NULL)
			break;
		m->n_links++;
	}
	if (m->n_links < n)
		milters_free(&m);
	return m;
}

void
milters_free(struct milters **mp)
{
	struct milters *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	milters_end_transaction(m);
	for (size_t i = 0; i < m->n_links; i++) {
		struct link *l = m->links[i];

		if (link_wait(l))
			continue;
		if (l->is_open) {
			talk_quit(&l->talk);
			(void)link_flush(l);
		}
		link_close(l);
		free(l);
	}
	free(m->links);
	free(m);
}
