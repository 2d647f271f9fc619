/* SPDX-License-Identifier: ISC */
/*
 * See scanner.h.
 *
 *	open -> zFILDES + descriptor             \
 *	     -> zINSTREAM, pieces, 0 (TCP only)   +-> answer -> close
 *	     -> zVERSION                          /
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clamd.h"
#include "endpoint.h"
#include "log.h"
#include "scanner.h"
#include "stream.h"

#define PIECE_MAX 65536		/* octets of one INSTREAM piece */

struct scanner {
	struct compartment *c;
	const struct config_filter *config;
	char session[ASK_SESSION_MAX];
	scanner_answered_fn *answered;
	void *arg;
	int fd;				/* lent; -1: VERSION is asked */
	uint64_t size_bytes, at;	/* at: what was sent of it */
	bool is_sent;			/* there is no more to write, */
	bool is_whole;			/* and the last piece was written */
	struct stream stream;
	bool is_open;
	uint32_t opening;
	struct buf in;
	struct loop_timer timer, done;
	struct scan_answer answer;
};

/* ---- the answer ---- */

static void
scanner_close(struct scanner *s)
{
	if (s->opening != 0)
		endpoint_forget(s->c, s->opening);
	s->opening = 0;
	loop_timer_stop(s->c->loop, &s->timer);
	if (s->is_open)
		stream_close(&s->stream);
	s->is_open = false;
	buf_free(&s->in);
}

static void
on_done(struct loop_timer *timer, void *arg)
{
	static struct scan_answer answer;	/* outlives the scanner */
	struct scanner *s = arg;

	(void)timer;
	answer = s->answer;
	s->answered(&answer, s->arg);
}

static void
scanner_done(struct scanner *s, enum clamd_result result)
{
	s->answer.result = result;
	scanner_close(s);
	loop_timer_start(s->c->loop, &s->done, 0, on_done, s);
}

static void
scanner_fail(struct scanner *s, const char *problem, int error)
{
	log_warning("clamd_failed", LOG_S("session", s->session),
	    LOG_S("clamd", s->config->text), LOG_S("problem", problem),
	    LOG_E("error", error), LOG_END);
	slice_clip(s->answer.name, sizeof(s->answer.name), slice_of(problem));
	scanner_done(s, CLAMD_ERROR);
}

/* A word about a message that it has not seen whole is none. */
static bool
has_seen_all(const struct scanner *s)
{
	return s->is_whole && !stream_has_output(&s->stream);
}

static void
scanner_read_answer(struct scanner *s)
{
	enum clamd_result result = s->fd < 0 ?
	    clamd_read_version(buf_slice(&s->in), &s->answer.made_s) :
	    clamd_read(buf_slice(&s->in), s->answer.name);

	if (!has_seen_all(s) && (result == CLAMD_CLEAN ||
	    result == CLAMD_FOUND))
		result = CLAMD_RUBBISH;
	switch (result) {
	case CLAMD_MORE:
		break;
	case CLAMD_RUBBISH:
		scanner_fail(s, "what it said is no answer", -EBADMSG);
		break;
	case CLAMD_ERROR:
		log_warning("clamd_failed", LOG_S("session", s->session),
		    LOG_S("clamd", s->config->text),
		    LOG_S("problem", s->answer.name), LOG_END);
		scanner_done(s, result);
		break;
	case CLAMD_CLEAN:
	case CLAMD_FOUND:
	case CLAMD_VERSION:
		scanner_done(s, result);
		break;
	}
}

/* ---- what it is sent ---- */

/* FILDES wants an octet that carries the descriptor. */
static int
send_descriptor(const struct scanner *s)
{
	char octet = 0;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct iovec piece = { &octet, 1 };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &s->fd, sizeof(int));
	return sendmsg(s->stream.io.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ?
	    0 : -errno;
}

/* One piece with its length, or the 0 that ends them. */
static int
send_piece(struct scanner *s)
{
	static char piece[4 + PIECE_MAX];
	ssize_t n = pread(s->fd, piece + 4, PIECE_MAX, (off_t)s->at);
	int error;

	if (n < 0 || (n == 0 && s->at != s->size_bytes))
		return -EIO;
	piece[0] = 0;
	piece[1] = (char)(n >> 16);
	piece[2] = (char)(n >> 8);
	piece[3] = (char)n;
	s->at += (uint64_t)n;
	error = stream_write(&s->stream, (struct slice){ piece,
	    4 + (size_t)n });
	s->is_sent = n == 0;
	s->is_whole = n == 0 && error == 0;
	return error;
}

/* As much as the socket takes now. */
static void
scanner_send(struct scanner *s)
{
	int error = 0;

	while (!s->is_sent && !stream_has_output(&s->stream) && error == 0)
		error = send_piece(s);
	/* it may have an answer ready: too large, for one */
	if (error < 0 && stream_look(&s->stream) != STREAM_HAS_INPUT)
		scanner_fail(s, "the connection is broken", error);
	else if (error < 0)
		s->is_sent = true;
}

static void
scanner_begin(struct scanner *s)
{
	/* with their NUL */
	static const char by_descriptor[] = "zFILDES";
	static const char in_pieces[] = "zINSTREAM";
	static const char version[] = "zVERSION";
	int error;

	if (s->fd < 0) {
		s->is_sent = s->is_whole = true;
		error = stream_write(&s->stream, (struct slice){ version,
		    sizeof(version) });
		if (error == 0)
			return;
	} else if (!s->config->is_unix) {
		error = stream_write(&s->stream, (struct slice){ in_pieces,
		    sizeof(in_pieces) });
		if (error == 0) {
			scanner_send(s);
			return;
		}
	} else {
		s->is_sent = s->is_whole = true;
		error = stream_write(&s->stream, (struct slice){
		    by_descriptor, sizeof(by_descriptor) });
		if (error == 0)
			error = send_descriptor(s);
		if (error == 0)
			return;
	}
	scanner_fail(s, "the connection is broken", error);
}

/* ---- events ---- */

static void
scanner_readable(struct scanner *s)
{
	char octets[CLAMD_ANSWER_MAX];
	ssize_t n = stream_read(&s->stream, octets, sizeof(octets));

	if (n == -EAGAIN)
		return;
	if (n <= 0)
		scanner_fail(s, "it closed the connection", (int)n);
	else if (buf_append(&s->in, octets, (size_t)n) < 0)
		scanner_fail(s, "what it said is no answer", -EBADMSG);
	else
		scanner_read_answer(s);
}

static void
on_stream(struct stream *stream, enum stream_event event, void *arg)
{
	struct scanner *s = arg;

	(void)stream;
	switch (event) {
	case STREAM_INPUT:
		scanner_readable(s);
		break;
	case STREAM_WRITTEN:
		scanner_send(s);
		break;
	case STREAM_BROKEN:
		scanner_fail(s, "the connection is broken", -EPIPE);
		break;
	case STREAM_HELD:
	case STREAM_SECURED:
	case STREAM_INSECURE:
		break;		/* without TLS neither comes */
	}
}

static void
on_opened(int fd, void *arg)
{
	struct scanner *s = arg;
	int error = fd;

	s->opening = 0;
	if (fd >= 0)
		error = stream_open(&s->stream, s->c->loop, fd, on_stream, s);
	if (error < 0) {
		scanner_fail(s, "it cannot be reached", error);
		return;
	}
	s->is_open = true;
	scanner_begin(s);
}

static void
on_slow(struct loop_timer *timer, void *arg)
{
	(void)timer;
	scanner_fail(arg, "no answer in time", -ETIMEDOUT);
}

/* ---- life ---- */

void
scanner_ask_version(struct scanner *s)
{
	scanner_ask(s, -1, 0, UINT32_MAX);
}

void
scanner_ask(struct scanner *s, int fd, uint64_t size_bytes,
    uint32_t deadline_ms)
{
	uint32_t timeout_ms = s->config->timeout_s * 1000;

	s->fd = fd;
	s->size_bytes = size_bytes;
	s->at = 0;
	s->is_sent = s->is_whole = false;
	s->in.maximum = CLAMD_ANSWER_MAX + 1;
	memset(&s->answer, 0, sizeof(s->answer));
	loop_timer_start(s->c->loop, &s->timer, timeout_ms < deadline_ms ?
	    timeout_ms : deadline_ms, on_slow, s);
	s->opening = endpoint_open(s->c, CONFIG_ENDPOINT_CLAMD, on_opened, s);
	if (s->opening == 0)
		scanner_fail(s, "it cannot be reached", -ENOBUFS);
}

void
scanner_forget(struct scanner *s)
{
	scanner_close(s);
	loop_timer_stop(s->c->loop, &s->done);
}

struct scanner *
scanner_new(struct compartment *c, const char *session,
    scanner_answered_fn *answered, void *arg)
{
	struct scanner *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->c = c;
	s->config = config_find_endpoint(c->config, CONFIG_ENDPOINT_CLAMD);
	s->answered = answered;
	s->arg = arg;
	slice_copy(s->session, sizeof(s->session), slice_of(session));
	return s;
}

void
scanner_free(struct scanner **sp)
{
	struct scanner *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	scanner_forget(s);
	free(s);
}
