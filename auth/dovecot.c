/* SPDX-License-Identifier: ISC */
/*
 * See dovecot.h.
 *
 *	CLOSED -> the supervisor is asked -> GREETING -> DONE is read -> READY
 *	   ^--- it ends, or breaks the rules; all that is out is unknown ---/
 *
 * What is asked meanwhile waits for READY, as long as its deadline allows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "base64.h"
#include "dovecot.h"
#include "dovecot_line.h"
#include "log.h"
#include "stream.h"

#define OPEN_MS 5000
#define AGAIN_MS 1000			/* after a connection that ended */
#define ANSWER_MS 20000			/* it delays failures by 2 s and more */
#define CLIENT_MS 60000			/* for a client's next word */
#define MAX_PENDING 1024
#define IN_MAX 65536

struct pending {
	struct dovecot *dovecot;
	uint32_t id;
	bool is_sent;
	bool is_scram, is_between;	/* the client has the word */
	struct buf line;		/* until it is sent */
	dovecot_answered_fn *answered;
	void *arg;
	struct loop_timer limit;
	struct pending *next;
};

enum state { CLOSED, OPENING, GREETING, READY };

struct dovecot {
	struct compartment *c;
	enum state state;
	struct stream stream;
	struct buf in;
	bool has_plain, has_scram;
	dovecot_ready_fn *ready;
	void *arg;
	struct loop_timer again;
	struct pending *pending;
	size_t n_pending;
	uint32_t last_id;
	bool is_down_logged;
};

static void dovecot_connect(struct dovecot *d);

/* ---- questions ---- */

static void
pending_free(struct pending *p)
{
	struct dovecot *d = p->dovecot;
	struct pending **at = &d->pending;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	d->n_pending--;
	loop_timer_stop(d->c->loop, &p->limit);
	if (p->line.data != NULL)
		explicit_bzero(p->line.data, p->line.capacity);
	buf_free(&p->line);
	free(p);
}

static void
pending_end(struct pending *p, const struct dovecot_answer *answer)
{
	dovecot_answered_fn *answered = p->answered;
	bool is_awaited = !p->is_between;
	void *arg = p->arg;

	pending_free(p);
	if (is_awaited)
		answered(answer, arg);
}

static void
pending_give_up(struct pending *p)
{
	const struct dovecot_answer answer = { .result =
		DOVECOT_UNAVAILABLE };

	pending_end(p, &answer);
}

static struct pending *
pending_find(struct dovecot *d, uint32_t id)
{
	struct pending *p = d->pending;

	while (p != NULL && p->id != id)
		p = p->next;
	return p;
}

/* A new one is at the front, and answering may add one: start over. */
static void
end_all(struct dovecot *d)
{
	uint32_t last = d->last_id;
	struct pending *p = d->pending;

	while (p != NULL) {
		if (p->id > last) {
			p = p->next;
			continue;
		}
		pending_give_up(p);
		p = d->pending;
	}
}

static void
on_limit(struct loop_timer *timer, void *arg)
{
	struct pending *p = arg;

	(void)timer;
	if (p->is_between) {
		dovecot_forget(p->dovecot, p->id);
		return;
	}
	log_warning("dovecot_silent", LOG_U("after_ms", ANSWER_MS), LOG_END);
	pending_give_up(p);
}

/* ---- the connection ---- */

static void
on_again(struct loop_timer *timer, void *arg)
{
	(void)timer;
	dovecot_connect(arg);
}

static void
disconnect(struct dovecot *d, const char *problem, int error)
{
	if (d->state == GREETING || d->state == READY)
		stream_close(&d->stream);
	d->state = CLOSED;
	buf_free(&d->in);
	if (!d->is_down_logged)
		log_error("alarm", LOG_S("problem", "Dovecot's "
		    "authentication socket cannot be used"),
		    LOG_S("dovecot", d->c->config->auth.dovecot),
		    LOG_S("why", problem), LOG_E("error", error),
		    LOG_S("effect", "nobody can log in until it answers"),
		    LOG_END);
	d->is_down_logged = true;
	loop_timer_start(d->c->loop, &d->again, AGAIN_MS, on_again, d);
	end_all(d);
}

static bool
send_pending(struct dovecot *d, struct pending *p)
{
	int error = stream_write(&d->stream, buf_slice(&p->line));

	p->is_sent = true;
	explicit_bzero(p->line.data, p->line.capacity);
	buf_free(&p->line);
	if (error)
		disconnect(d, "it takes nothing in", error);
	return error == 0;
}

static void
become_ready(struct dovecot *d)
{
	struct pending *p;

	if (!d->has_plain) {
		disconnect(d, "it has no mechanism PLAIN", 0);
		return;
	}
	d->state = READY;
	log_info("dovecot", LOG_S("state", "connected"), LOG_END);
	d->is_down_logged = false;
	d->ready(d->has_scram, d->arg);
	for (p = d->pending; p != NULL; p = p->next)
		if (!p->is_sent && !send_pending(d, p))
			return;
}

static enum dovecot_result
result_of(const struct dovecot_line *line)
{
	if (line->kind == DOVECOT_LINE_OK)
		return DOVECOT_OK;
	if (line->kind == DOVECOT_LINE_CONT)
		return DOVECOT_MORE;
	return line->is_temporary ? DOVECOT_UNAVAILABLE : DOVECOT_REFUSED;
}

/* False: the connection was closed. */
static bool
take_answer(struct dovecot *d, const struct dovecot_line *line)
{
	struct pending *p = pending_find(d, line->number);
	struct buf text = { .maximum = DOVECOT_LINE_MAX };
	struct dovecot_answer answer = { .result = result_of(line),
		.user = slice_of(line->user) };

	if (p == NULL)
		return true;		/* forgotten meanwhile */
	if (!p->is_sent || p->is_between || (!p->is_scram &&
	    line->kind == DOVECOT_LINE_CONT) ||
	    base64_decode(&text, line->data) != 0) {
		buf_free(&text);
		disconnect(d, "it breaks its protocol", -EPROTO);
		return false;
	}
	answer.text = buf_slice(&text);
	if (answer.result == DOVECOT_MORE) {
		p->is_between = true;
		loop_timer_start(d->c->loop, &p->limit, CLIENT_MS, on_limit,
		    p);
		p->answered(&answer, p->arg);
	} else {
		pending_end(p, &answer);
	}
	buf_free(&text);
	return d->state != CLOSED;
}

static bool
take_line(struct dovecot *d, struct slice text)
{
	struct dovecot_line line;

	dovecot_line_parse(&line, text);
	switch (line.kind) {
	case DOVECOT_LINE_MECH:
		d->has_plain |= line.is_plain;
		d->has_scram |= line.is_scram;
		return true;
	case DOVECOT_LINE_DONE:
		if (d->state == GREETING)
			become_ready(d);
		return d->state != CLOSED;
	case DOVECOT_LINE_OK:
	case DOVECOT_LINE_FAIL:
	case DOVECOT_LINE_CONT:
		return take_answer(d, &line);
	case DOVECOT_LINE_OTHER:
		return true;
	case DOVECOT_LINE_VERSION:
		if (line.number == 1)
			return true;
		break;
	case DOVECOT_LINE_BAD:
		break;
	}
	disconnect(d, "it breaks its protocol", -EPROTO);
	return false;
}

/* False: the connection was closed. */
static bool
take_lines(struct dovecot *d)
{
	char *lf;

	while (d->in.size > 0 &&
	    (lf = memchr(d->in.data, '\n', d->in.size)) != NULL) {
		size_t size = (size_t)(lf - d->in.data);

		if (!take_line(d, (struct slice){ d->in.data, size }))
			return false;
		buf_consume(&d->in, size + 1);
	}
	return true;
}

static void
read_some(struct dovecot *d)
{
	char data[4096];
	ssize_t n = stream_read(&d->stream, data, sizeof(data));

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		disconnect(d, "it has closed the connection", (int)n);
		return;
	}
	if (buf_append(&d->in, data, (size_t)n) < 0 || !take_lines(d))
		goto bad;
	if (d->in.size <= DOVECOT_LINE_MAX)
		return;
bad:
	if (d->state != CLOSED)
		disconnect(d, "it breaks its protocol", -EPROTO);
}

static void
on_stream(struct stream *stream, enum stream_event event, void *arg)
{
	struct dovecot *d = arg;

	(void)stream;
	if (event == STREAM_INPUT)
		read_some(d);
	else if (event == STREAM_BROKEN)
		disconnect(d, "the connection was reset", -ECONNRESET);
}

/* ---- opening ---- */

static void
begin(struct dovecot *d, int fd)
{
	struct buf greeting = { .maximum = 256 };
	int error = stream_open(&d->stream, d->c->loop, fd, on_stream, d);

	if (error) {
		disconnect(d, "no connection", error);
		return;
	}
	d->state = GREETING;
	d->has_plain = d->has_scram = false;
	d->in.maximum = IN_MAX;
	error = dovecot_put_greeting(&greeting, (uint32_t)getpid());
	if (!error)
		error = stream_write(&d->stream, buf_slice(&greeting));
	buf_free(&greeting);
	if (error)
		disconnect(d, "no connection", error);
}

/* What the supervisor says is read like anybody else's word. */
static void
on_opened(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct dovecot *d = arg;
	uint32_t error = m != NULL ? ipc_get_u32(&m->body) : ETIMEDOUT;

	(void)ch;
	d->state = CLOSED;
	if (m == NULL || m->type != ENDPOINT_ANSWER ||
	    !ipc_reader_is_done(&m->body) || m->fd < 0) {
		disconnect(d, "no connection", -(int)(error & 4095));
		return;
	}
	begin(d, m->fd);
	m->fd = -1;
}

static void
dovecot_connect(struct dovecot *d)
{
	struct ipc_writer w;

	if (d->state != CLOSED || d->c->supervisor == NULL)
		return;
	ipc_writer_init(&w);
	ipc_put_u16(&w, 0);
	d->state = OPENING;
	if (channel_ask(d->c->supervisor, ENDPOINT_ASK, &w, -1, OPEN_MS,
	    on_opened, d) == 0) {
		d->state = CLOSED;
		disconnect(d, "the supervisor cannot be asked", 0);
	}
}

struct dovecot *
dovecot_new(struct compartment *c, dovecot_ready_fn *ready, void *arg)
{
	struct dovecot *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->c = c;
	d->ready = ready;
	d->arg = arg;
	loop_timer_start(c->loop, &d->again, 0, on_again, d);
	return d;
}

/* ---- asking ---- */

static int
put_question(struct pending *p, const struct dovecot_ask *ask)
{
	return ask->is_scram ? dovecot_put_scram(&p->line, p->id, ask->first,
	    ask->client) : dovecot_put_auth(&p->line, p->id,
	    &ask->credentials, ask->client);
}

/* A connection that is broken says so itself, and not in here. */
static void
write_line(struct pending *p)
{
	p->is_sent = true;
	(void)stream_write(&p->dovecot->stream, buf_slice(&p->line));
	explicit_bzero(p->line.data, p->line.capacity);
	buf_free(&p->line);
}

uint32_t
dovecot_ask(struct dovecot *d, const struct dovecot_ask *ask,
    dovecot_answered_fn *answered, void *arg)
{
	struct pending *p;

	if (d->n_pending == MAX_PENDING ||
	    (d->state == CLOSED && d->is_down_logged))
		return 0;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return 0;
	p->dovecot = d;
	p->id = ++d->last_id != 0 ? d->last_id : ++d->last_id;
	p->answered = answered;
	p->arg = arg;
	p->line.maximum = DOVECOT_LINE_MAX;
	p->next = d->pending;
	d->pending = p;
	d->n_pending++;
	p->is_scram = ask->is_scram;
	if (put_question(p, ask) < 0) {
		pending_free(p);
		return 0;
	}
	loop_timer_start(d->c->loop, &p->limit, ANSWER_MS, on_limit, p);
	if (d->state == READY)
		write_line(p);
	return p->id;
}

bool
dovecot_go_on(struct dovecot *d, uint32_t id, struct slice response)
{
	struct pending *p = pending_find(d, id);

	if (p == NULL || d->state != READY)
		return false;
	p->line.maximum = DOVECOT_LINE_MAX;
	if (dovecot_put_continue(&p->line, id, response) < 0) {
		dovecot_forget(d, id);
		return false;
	}
	p->is_between = false;
	loop_timer_start(d->c->loop, &p->limit, ANSWER_MS, on_limit, p);
	write_line(p);
	return true;
}

void
dovecot_forget(struct dovecot *d, uint32_t id)
{
	struct pending *p = pending_find(d, id);
	struct buf line = { .maximum = 64 };

	if (p == NULL)
		return;
	if (p->is_sent && d->state == READY &&
	    dovecot_put_cancel(&line, id) == 0)
		(void)stream_write(&d->stream, buf_slice(&line));
	buf_free(&line);
	pending_free(p);
}
