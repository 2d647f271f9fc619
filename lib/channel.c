/* SPDX-License-Identifier: ISC */
/*
 * channel.c - channels on a loop; see ipc.h.
 *
 * Outgoing messages gather in one buffer per channel, {size, descriptor,
 * octets} after one another, and leave with sendmmsg at the end of the
 * round. One with a descriptor leaves at once, so that the descriptor need
 * not be duplicated. Incoming ones are fetched with recvmmsg.
 *
 * A channel may be freed, or its peer found dead, in the middle of its own
 * handler: it is then only marked, and the end of dispatch or of the round
 * buries it. The list of channels that have something to do at the end of
 * the round is this file's only state, since a process has one loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "fault.h"
#include "ipc.h"
#include "ipc_wire.h"
#include "log.h"

#define BATCH 16
#define COMPACT_OVER (1u << 20)
#define QUESTION_SLOTS_MAX (1u << 18)
#define SERIAL_SHIFT 18
#define LATER_MS 5
#define SILENCE_MS 1000		/* a shorter one says nothing about a peer */

struct question {
	struct channel *ch;
	uint32_t id;
	uint32_t n_heard;		/* the channel's when it was asked */
	uint32_t deadline_ms;
	channel_answered_fn *answered;
	void *arg;
	struct loop_timer timer;
	struct question *next_free;
};

struct pending {		/* before each message in ch->out */
	uint32_t size;
	int fd;			/* -1, or owned */
};

struct channel {
	struct loop *loop;
	struct loop_io io;
	const char *name;
	const struct channel_rule *rules;
	size_t n_rules;
	channel_closed_fn *closed;
	void *arg;
	struct buf out;
	size_t out_at;			/* first octet that was not sent */
	unsigned n_queued;
	struct loop_timer later;
	struct question **questions;	/* by slot */
	uint32_t n_slots, n_outstanding;
	uint32_t *free_slots;
	uint32_t n_free;
	uint32_t serial;
	uint32_t n_heard;		/* times that something came in */
	bool is_silent;
	bool is_dead, is_ending, is_misbehaved, is_released, is_listed;
	struct channel *next_listed;
};

static struct channel *listed;

static void flush(struct channel *ch);

/* ---- life ---- */

static void
bury(struct channel *ch)
{
	close(ch->io.fd);
	for (uint32_t i = 0; i < ch->n_slots; i++)
		free(ch->questions[i]);
	free(ch->questions);
	free(ch->free_slots);
	buf_free(&ch->out);
	free(ch);
}

static void
question_end(struct question *q, struct ipc_message *answer)
{
	struct channel *ch = q->ch;
	channel_answered_fn *answered = q->answered;

	loop_timer_stop(ch->loop, &q->timer);
	q->answered = NULL;
	ch->free_slots[ch->n_free++] = q->id & (QUESTION_SLOTS_MAX - 1);
	ch->n_outstanding--;
	q->id = 0;
	answered(ch, answer, q->arg);
}

static void
drop_queue(struct channel *ch)
{
	struct pending p;

	while (ch->out_at < ch->out.size) {
		memcpy(&p, ch->out.data + ch->out_at, sizeof p);
		if (p.fd >= 0)
			close(p.fd);
		ch->out_at += sizeof p + p.size;
	}
	ch->n_queued = 0;
}

/* Everything that waits for this channel hears "unknown"; then it ends. */
static void
end(struct channel *ch)
{
	ch->is_ending = true;
	loop_unwatch(ch->loop, &ch->io);
	loop_timer_stop(ch->loop, &ch->later);
	drop_queue(ch);
	for (uint32_t i = 0; i < ch->n_slots; i++)
		if (ch->questions[i] && ch->questions[i]->answered)
			question_end(ch->questions[i], NULL);
	if (!ch->is_released && ch->closed != NULL)
		ch->closed(ch, ch->is_misbehaved, ch->arg);
	bury(ch);
}

static void
list_for_round_end(struct channel *ch)
{
	if (ch->is_listed || ch->is_ending)
		return;
	ch->is_listed = true;
	ch->next_listed = listed;
	listed = ch;
	/* another round's end may be what says it */
	loop_again(ch->loop);
}

static void
round_end(void *arg)
{
	(void)arg;
	while (listed != NULL) {
		struct channel *ch = listed;

		listed = ch->next_listed;
		ch->is_listed = false;
		/* a flush that finds the peer dead lists it once more */
		if (ch->is_dead)
			end(ch);
		else
			flush(ch);
	}
}

/* It cannot be used any more, but somebody up the stack may hold it. */
static void
mark_dead(struct channel *ch)
{
	ch->is_dead = true;
	loop_unwatch(ch->loop, &ch->io);
	list_for_round_end(ch);
}

static void on_io(struct loop_io *io, uint32_t events, void *arg);

struct channel *
channel_new(struct loop *loop, int fd, const char *name,
    const struct channel_rule *rules, size_t n_rules,
    channel_closed_fn *closed, void *arg)
{
	struct channel *ch = calloc(1, sizeof *ch);

	if (ch == NULL)
		goto fail;
	ch->loop = loop;
	ch->name = name;
	ch->rules = rules;
	ch->n_rules = n_rules;
	ch->closed = closed;
	ch->arg = arg;
	ch->out.maximum = 64u << 20;
	ch->serial = 1;
	if (loop_at_round_end(loop, round_end, NULL) != 0 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
	    loop_watch(loop, &ch->io, fd, EPOLLIN, on_io, ch) != 0)
		goto fail;
	return ch;
fail:
	close(fd);
	free(ch);
	return NULL;
}

void
channel_free(struct channel **chp)
{
	struct channel *ch = *chp;

	*chp = NULL;
	if (ch == NULL || ch->is_released)
		return;
	if (!ch->is_dead)
		flush(ch);	/* what was said last should arrive */
	ch->is_released = true;
	mark_dead(ch);
}

/* ---- sending ---- */

static size_t
gather(struct channel *ch, struct mmsghdr *msgs, struct iovec *iov,
    union ipc_control *controls)
{
	size_t at = ch->out_at, n = 0;
	struct pending p;

	for (; n < BATCH && at < ch->out.size; n++) {
		memcpy(&p, ch->out.data + at, sizeof p);
		memset(&msgs[n], 0, sizeof msgs[n]);
		iov[n].iov_base = ch->out.data + at + sizeof p;
		iov[n].iov_len = p.size;
		msgs[n].msg_hdr.msg_iov = &iov[n];
		msgs[n].msg_hdr.msg_iovlen = 1;
		if (p.fd >= 0)
			ipc_fd_attach(&msgs[n].msg_hdr, &controls[n], p.fd);
		at += sizeof p + p.size;
	}
	return n;
}

static void
consume_sent(struct channel *ch, int n)
{
	struct pending p;

	for (int i = 0; i < n; i++) {
		memcpy(&p, ch->out.data + ch->out_at, sizeof p);
		if (p.fd >= 0)
			close(p.fd);
		ch->out_at += sizeof p + p.size;
		ch->n_queued--;
	}
	if (ch->out_at == ch->out.size) {
		ch->out_at = ch->out.size = 0;
		if (ch->out.capacity > (64u << 10))
			buf_free(&ch->out);
	}
}

static void
flush(struct channel *ch)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	union ipc_control controls[BATCH];

	while (ch->out_at < ch->out.size) {
		size_t n = gather(ch, msgs, iov, controls);
		int sent = sendmmsg(ch->io.fd, msgs, (unsigned)n,
		    MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK &&
		    errno != ETOOMANYREFS) {
			mark_dead(ch);
			return;
		}
		if (sent < 0)
			break;
		consume_sent(ch, sent);
	}
	loop_change(ch->loop, &ch->io,
	    ch->out.size > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Append one message to the queue; fd stays the caller's. */
static int
enqueue(struct channel *ch, const uint8_t *header, const struct ipc_writer *w,
    int fd)
{
	size_t payload = w ? w->size : 0, before = ch->out.size;
	struct pending p = { (uint32_t)(IPC_HEADER_SIZE + payload), fd };
	int error;

	if (ch->n_queued >= IPC_QUEUE_MAX)
		return -EAGAIN;
	if (ch->out_at > COMPACT_OVER) {
		buf_consume(&ch->out, ch->out_at);
		ch->out_at = 0;
		before = ch->out.size;
	}
	error = buf_append(&ch->out, &p, sizeof p);
	if (!error)
		error = buf_append(&ch->out, header, IPC_HEADER_SIZE);
	if (!error && payload > 0)
		error = buf_append(&ch->out, w->data, payload);
	if (error)
		ch->out.size = before;
	else
		ch->n_queued++;
	return error;
}

#ifdef POSTERN_FAULTS
/* As if this process had been taken over: break the rules of this peer. */
static bool
is_garbled(const struct channel *ch)
{
	char name[64];

	snprintf(name, sizeof name, "garble.%s", ch->name);
	return FAULT(name) != 0;
}
#else
#define is_garbled(ch) false
#endif

/* Queue it; with a descriptor, send it now or queue a duplicate. */
static int
post(struct channel *ch, const uint8_t *header, const struct ipc_writer *w,
    int fd)
{
	static const uint8_t garbled[IPC_HEADER_SIZE];
	int copy = -1, error;

	if (is_garbled(ch))
		header = garbled;
	if (ch->is_dead)
		return -EPIPE;
	if (w != NULL && w->failed)
		return -EMSGSIZE;
	if (fd >= 0) {
		flush(ch);
		if (ch->is_dead)
			return -EPIPE;
		if (ch->out.size == 0) {
			error = ipc_send_with_header(ch->io.fd, header, w, fd);
			if (error != -EAGAIN && error != -ETOOMANYREFS)
				return error;
		}
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return -errno;
	}
	error = enqueue(ch, header, w, copy);
	if (error && copy >= 0)
		close(copy);
	if (!error)
		list_for_round_end(ch);
	return error;
}

int
channel_tell(struct channel *ch, uint16_t type, const struct ipc_writer *w,
    int fd)
{
	uint8_t header[IPC_HEADER_SIZE];

	ipc_header_write(header, type, 0, 0);
	return post(ch, header, w, fd);
}

static void
on_later(struct loop_timer *timer, void *arg)
{
	(void)timer;
	list_for_round_end(arg);
}

int
channel_tell_later(struct channel *ch, uint16_t type,
    const struct ipc_writer *w)
{
	uint8_t header[IPC_HEADER_SIZE];
	int error;

	if (ch->is_dead || w->failed)
		return channel_tell(ch, type, w, -1);
	ipc_header_write(header, type, 0, 0);
	if (is_garbled(ch))
		memset(header, 0, sizeof header);
	error = enqueue(ch, header, w, -1);
	if (!error && !ch->is_listed && !loop_timer_is_running(&ch->later))
		loop_timer_start(ch->loop, &ch->later, LATER_MS, on_later, ch);
	return error;
}

void
channel_flush(struct channel *ch)
{
	if (!ch->is_dead)
		flush(ch);
}

int
channel_answer(struct channel *ch, uint32_t id, uint16_t type,
    const struct ipc_writer *w, int fd)
{
	uint8_t header[IPC_HEADER_SIZE];

	ipc_header_write(header, type, id, 0);
	return post(ch, header, w, fd);
}

/* ---- questions ---- */

static int
grow_questions(struct channel *ch)
{
	uint32_t wanted = ch->n_slots ? ch->n_slots * 2 : 32;
	struct question **questions;
	uint32_t *free_slots;

	if (wanted > QUESTION_SLOTS_MAX)
		return -ENOBUFS;
	questions = reallocarray(ch->questions, wanted, sizeof *questions);
	if (questions == NULL)
		return -ENOMEM;
	ch->questions = questions;
	free_slots = reallocarray(ch->free_slots, wanted, sizeof *free_slots);
	if (free_slots == NULL)
		return -ENOMEM;
	ch->free_slots = free_slots;
	for (uint32_t i = wanted; i > ch->n_slots; i--) {
		questions[i - 1] = NULL;
		free_slots[ch->n_free++] = i - 1;
	}
	ch->n_slots = wanted;
	return 0;
}

static struct question *
question_new(struct channel *ch)
{
	uint32_t slot;
	struct question *q;

	if (ch->n_free == 0 && grow_questions(ch) != 0)
		return NULL;
	slot = ch->free_slots[ch->n_free - 1];
	q = ch->questions[slot];
	if (q == NULL) {
		q = calloc(1, sizeof *q);
		if (q == NULL)
			return NULL;
		q->ch = ch;
		ch->questions[slot] = q;
	}
	ch->n_free--;
	ch->serial = (ch->serial + 1) & ((1u << (32 - SERIAL_SHIFT)) - 1);
	if (ch->serial == 0)
		ch->serial = 1;
	q->id = ch->serial << SERIAL_SHIFT | slot;
	return q;
}

static void
on_deadline(struct loop_timer *timer, void *arg)
{
	struct question *q = arg;

	(void)timer;
	if (q->ch->n_heard == q->n_heard && q->deadline_ms >= SILENCE_MS)
		q->ch->is_silent = true;
	question_end(q, NULL);
}

uint32_t
channel_ask(struct channel *ch, uint16_t type, const struct ipc_writer *w,
    int fd, uint32_t deadline_ms, channel_answered_fn *answered, void *arg)
{
	uint8_t header[IPC_HEADER_SIZE];
	struct question *q;

	if (ch->is_dead || (q = question_new(ch)) == NULL)
		return 0;
	ipc_header_write(header, type, q->id, deadline_ms);
	if (post(ch, header, w, fd) != 0) {
		ch->free_slots[ch->n_free++] = q->id & (QUESTION_SLOTS_MAX - 1);
		q->id = 0;
		return 0;
	}
	q->answered = answered;
	q->arg = arg;
	q->n_heard = ch->n_heard;
	q->deadline_ms = deadline_ms;
	ch->n_outstanding++;
	loop_timer_start(ch->loop, &q->timer, deadline_ms, on_deadline, q);
	return q->id;
}

static struct question *
question_find(struct channel *ch, uint32_t id)
{
	uint32_t slot = id & (QUESTION_SLOTS_MAX - 1);
	struct question *q = slot < ch->n_slots ? ch->questions[slot] : NULL;

	return q != NULL && q->answered != NULL && q->id == id ? q : NULL;
}

static void
ignore_answer(struct channel *ch, struct ipc_message *answer, void *arg)
{
	(void)ch;
	(void)answer;
	(void)arg;
}

void
channel_forget(struct channel *ch, uint32_t id)
{
	struct question *q = question_find(ch, id);

	/* its slot stays taken until the answer or the deadline comes, so a
	 * late answer is not mistaken for that of another question */
	if (q != NULL) {
		q->answered = ignore_answer;
		q->arg = NULL;
	}
}

size_t
channel_n_outstanding(const struct channel *ch)
{
	return ch->n_outstanding;
}

bool
channel_is_silent(const struct channel *ch)
{
	return ch->is_silent;
}

const char *
channel_name(const struct channel *ch)
{
	return ch->name;
}

/* ---- receiving ---- */

/* false: the peer broke the rules */
static bool
dispatch(struct channel *ch, struct ipc_message *m)
{
	struct question *q;

	for (size_t i = 0; i < ch->n_rules; i++) {
		const struct channel_rule *rule = &ch->rules[i];

		if (rule->type != m->type)
			continue;
		if ((rule->wants == CHANNEL_WANTS_FD && m->fd < 0) ||
		    (rule->wants == CHANNEL_NO_FD && m->fd >= 0))
			return false;
		return rule->handler(ch, m, ch->arg);
	}
	/* an answer: only to what was asked here; a late one is no crime */
	if (m->id == 0)
		return false;
	q = question_find(ch, m->id);
	if (q != NULL)
		question_end(q, m);
	return true;
}

struct inbox {
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	union ipc_control controls[BATCH];
	uint8_t data[BATCH][IPC_BUFFER_SIZE];
};

static int
fetch(int fd, struct inbox *in)
{
	for (size_t i = 0; i < BATCH; i++) {
		in->iov[i] = (struct iovec){ in->data[i], IPC_BUFFER_SIZE };
		in->msgs[i].msg_hdr = (struct msghdr){
			.msg_iov = &in->iov[i], .msg_iovlen = 1,
			.msg_control = in->controls[i].space,
			.msg_controllen = sizeof in->controls[i].space };
	}
	return recvmmsg(fd, in->msgs, BATCH, MSG_CMSG_CLOEXEC | MSG_DONTWAIT,
	    NULL);
}

/* One received message; false when the channel must end. */
static bool
take_one(struct channel *ch, struct inbox *in, int i)
{
	struct ipc_message m;
	size_t size = in->msgs[i].msg_len;
	int fd = -1, error = ipc_fd_detach(&in->msgs[i].msg_hdr, &fd);

	if (error == -EMFILE) {
		/* ours is the shortage: whoever asked hears nothing */
		log_warning("message_lost", LOG_S("why",
		    "no descriptors are left"), LOG_END);
		return true;
	}
	if (error != 0) {
		ch->is_misbehaved = true;
		return false;
	}
	if (ch->is_dead || size == 0 ||
	    ipc_message_read(&m, in->data[i], size) != 0) {
		if (fd >= 0)
			close(fd);
		ch->is_misbehaved = ch->is_misbehaved ||
		    (size > 0 && !ch->is_dead);
		return false;
	}
	m.fd = fd;
	if (!dispatch(ch, &m)) {
		ch->is_misbehaved = true;
		if (m.fd >= 0)
			close(m.fd);
		return false;
	}
	if (m.fd >= 0)
		close(m.fd);
	return true;
}

static void
on_io(struct loop_io *io, uint32_t events, void *arg)
{
	/* one loop, one dispatch at a time: the buffers can be shared */
	static struct inbox in;
	struct channel *ch = arg;
	int n;

	(void)io;
	if (events & EPOLLOUT)
		flush(ch);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || ch->is_dead)
		return;
	n = fetch(ch->io.fd, &in);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		mark_dead(ch);
		return;
	}
	ch->n_heard++;
	ch->is_silent = false;
	for (int i = 0; i < n; i++)
		if (!take_one(ch, &in, i) && !ch->is_dead)
			mark_dead(ch);
}
