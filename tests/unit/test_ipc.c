/* SPDX-License-Identifier: ISC */
/*
 * test_ipc.c - cursors, blocking messages, channels between two ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ipc.h"

enum { ECHO_ASK = 10, ECHO_ANSWER, FD_ASK, TELL, BAD_ASK, SILENT_ASK };

struct world {
	struct loop *loop;
	struct channel *asker, *answerer;
	int n_answers, n_unknown, n_told, n_closed, n_misbehaved;
	uint32_t last_number;
	struct loop_timer limit;
};

static void
on_limit(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	(void)timer;
	loop_stop(w->loop);
}

static bool
on_echo(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct ipc_writer w;
	uint32_t n = ipc_get_u32(&m->body);

	(void)arg;
	if (!ipc_reader_is_done(&m->body))
		return false;
	ipc_writer_init(&w);
	ipc_put_u32(&w, n + 1);
	channel_answer(ch, m->id, ECHO_ANSWER, &w, -1);
	return true;
}

static bool
on_fd(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct ipc_writer w;
	char text[8] = "";

	(void)arg;
	assert_true(m->fd >= 0);
	assert_int_equal(pread(m->fd, text, 5, 0), 5);
	assert_string_equal(text, "hello");
	ipc_writer_init(&w);
	ipc_put_u32(&w, 42);
	channel_answer(ch, m->id, ECHO_ANSWER, &w, -1);
	return true;
}

static bool
on_tell(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct world *w = arg;

	(void)ch;
	w->last_number = ipc_get_u32(&m->body);
	w->n_told++;
	return ipc_reader_is_done(&m->body);
}

static bool
on_bad(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	(void)m;
	(void)arg;
	return false;
}

static bool
on_silent(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	(void)m;
	(void)arg;
	return true;
}

static const struct channel_rule rules[] = {
	{ ECHO_ASK, CHANNEL_NO_FD, on_echo },
	{ FD_ASK, CHANNEL_WANTS_FD, on_fd },
	{ TELL, CHANNEL_NO_FD, on_tell },
	{ BAD_ASK, CHANNEL_NO_FD, on_bad },
	{ SILENT_ASK, CHANNEL_NO_FD, on_silent },
};

static void
on_closed(struct channel *ch, bool is_misbehaved, void *arg)
{
	struct world *w = arg;

	if (ch == w->asker)
		w->asker = NULL;
	if (ch == w->answerer)
		w->answerer = NULL;
	w->n_closed++;
	w->n_misbehaved += is_misbehaved;
}

static void
on_answer(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct world *w = arg;

	(void)ch;
	if (m == NULL) {
		w->n_unknown++;
	} else {
		w->last_number = ipc_get_u32(&m->body);
		w->n_answers++;
	}
}

static void
world_open(struct world *w)
{
	int fds[2];

	memset(w, 0, sizeof *w);
	w->loop = loop_new();
	assert_non_null(w->loop);
	assert_int_equal(ipc_pair(fds), 0);
	w->asker = channel_new(w->loop, fds[0], "asker", NULL, 0, on_closed,
	    w);
	w->answerer = channel_new(w->loop, fds[1], "answerer", rules,
	    sizeof rules / sizeof *rules, on_closed, w);
	assert_non_null(w->asker);
	assert_non_null(w->answerer);
}

static void
world_run(struct world *w, uint32_t ms)
{
	loop_timer_start(w->loop, &w->limit, ms, on_limit, w);
	assert_int_equal(loop_run(w->loop), 0);
}

/* Run until *counter has come to wanted; ten seconds are long enough for a
 * slow machine, and one that never comes there fails the test. */
static void
world_run_until(struct world *w, const int *counter, int wanted)
{
	for (int i = 0; i < 500 && *counter < wanted; i++)
		world_run(w, 20);
	assert_int_equal(*counter, wanted);
}

static void
world_close(struct world *w)
{
	channel_free(&w->asker);
	channel_free(&w->answerer);
	world_run(w, 0);
	loop_free(&w->loop);
}

static void
ask_number(struct world *w, uint16_t type, uint32_t n, uint32_t deadline_ms)
{
	struct ipc_writer out;

	ipc_writer_init(&out);
	ipc_put_u32(&out, n);
	assert_int_not_equal(channel_ask(w->asker, type, &out, -1,
	    deadline_ms, on_answer, w), 0);
}

static void
test_cursors(void **state)
{
	struct ipc_writer w;
	struct ipc_reader r;
	char text[8];

	(void)state;
	ipc_writer_init(&w);
	ipc_put_u8(&w, 7);
	ipc_put_u16(&w, 0xfedc);
	ipc_put_u32(&w, 0xdeadbeef);
	ipc_put_u64(&w, UINT64_C(0x0123456789abcdef));
	ipc_put_string(&w, "abc");
	ipc_reader_init(&r, w.data, w.size);
	assert_int_equal(ipc_get_u8(&r), 7);
	assert_int_equal(ipc_get_u16(&r), 0xfedc);
	assert_int_equal(ipc_get_u32(&r), 0xdeadbeef);
	assert_true(ipc_get_u64(&r) == UINT64_C(0x0123456789abcdef));
	assert_false(ipc_reader_is_done(&r));
	assert_true(ipc_get_string(&r, text, sizeof text));
	assert_string_equal(text, "abc");
	assert_true(ipc_reader_is_done(&r));
	assert_int_equal(ipc_get_u8(&r), 0);	/* the error sticks */
	assert_false(ipc_reader_is_done(&r));
}

static void
test_cursor_bounds(void **state)
{
	static const uint8_t lying[] = { 0xff, 0xff, 'a' };
	static const uint8_t with_nul[] = { 0, 2, 'a', 0 };
	struct ipc_reader r;
	struct ipc_writer w;
	char text[4];

	(void)state;
	ipc_reader_init(&r, lying, sizeof lying);
	assert_int_equal(ipc_get_slice(&r).size, 0);
	assert_true(r.failed);
	ipc_reader_init(&r, with_nul, sizeof with_nul);
	assert_false(ipc_get_string(&r, text, sizeof text));
	ipc_writer_init(&w);
	for (int i = 0; i < IPC_PAYLOAD_MAX / 8; i++)
		ipc_put_u64(&w, 1);
	assert_false(w.failed);
	ipc_put_u8(&w, 1);
	assert_true(w.failed);
}

/* Nothing is read into what it is not, nor written cut off. */
static void
test_cursor_values(void **state)
{
	static const uint8_t octets[] = { 0, 1, 2, 'a', 'b' };
	static const char text[UINT16_MAX + 1];
	struct ipc_reader r;
	struct ipc_writer w;
	char three[3];

	(void)state;
	ipc_reader_init(&r, octets, sizeof octets);
	assert_false(ipc_get_bool(&r));
	assert_true(ipc_get_bool(&r));
	assert_false(r.failed);
	assert_false(ipc_get_bool(&r));		/* 2 is neither */
	assert_true(r.failed);
	ipc_reader_init(&r, octets + 2, 3);
	assert_true(ipc_get_bytes(&r, three, sizeof three));
	assert_memory_equal(three, "\2ab", 3);
	assert_true(ipc_reader_is_done(&r));
	ipc_reader_init(&r, octets + 3, 2);
	assert_false(ipc_get_bytes(&r, three, sizeof three));
	assert_memory_equal(three, "\0\0\0", 3);
	ipc_writer_init(&w);
	ipc_put_slice(&w, (struct slice){ text, sizeof text });
	assert_true(w.failed);
	assert_int_equal(w.size, 0);
}

static void
test_many_questions(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (uint32_t i = 0; i < 2000; i++)
		ask_number(&w, ECHO_ASK, i, 20000);
	assert_int_equal(channel_n_outstanding(w.asker), 2000);
	world_run_until(&w, &w.n_answers, 2000);
	assert_int_equal(w.last_number, 2000);
	assert_int_equal(w.n_unknown, 0);
	assert_int_equal(channel_n_outstanding(w.asker), 0);
	world_close(&w);
}

/* Silent: from a deadline without a word on, until the next word. */
static void
test_silence_is_known(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	assert_false(channel_is_silent(w.asker));
	ask_number(&w, SILENT_ASK, 1, 1000);
	ask_number(&w, ECHO_ASK, 1, 20000);
	world_run_until(&w, &w.n_unknown, 1);
	/* one is late, but the peer has spoken meanwhile */
	assert_int_equal(w.n_answers, 1);
	assert_false(channel_is_silent(w.asker));
	/* too short a time to tell */
	ask_number(&w, SILENT_ASK, 1, 20);
	world_run_until(&w, &w.n_unknown, 2);
	assert_false(channel_is_silent(w.asker));
	ask_number(&w, SILENT_ASK, 1, 1000);
	world_run_until(&w, &w.n_unknown, 3);
	assert_true(channel_is_silent(w.asker));
	ask_number(&w, ECHO_ASK, 1, 20000);
	assert_true(channel_is_silent(w.asker));
	world_run_until(&w, &w.n_answers, 2);
	assert_false(channel_is_silent(w.asker));
	world_close(&w);
}

static void
test_descriptor(void **state)
{
	struct world w;
	int fd = memfd_create("t", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, "hello", 5), 5);
	world_open(&w);
	for (int i = 0; i < 50; i++)
		assert_int_not_equal(channel_ask(w.asker, FD_ASK, NULL, fd,
		    1000, on_answer, &w), 0);
	world_run_until(&w, &w.n_answers, 50);
	close(fd);
	world_close(&w);
}

static void
test_deadline(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	ask_number(&w, SILENT_ASK, 1, 30);
	ask_number(&w, ECHO_ASK, 1, 30);
	world_run(&w, 100);
	assert_int_equal(w.n_answers, 1);
	assert_int_equal(w.n_unknown, 1);
	assert_non_null(w.asker);
	world_close(&w);
}

static void
test_dead_peer(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	ask_number(&w, SILENT_ASK, 1, 10000);
	world_run(&w, 20);
	channel_free(&w.answerer);
	world_run(&w, 20);
	assert_int_equal(w.n_unknown, 1);
	assert_null(w.asker);
	assert_int_equal(w.n_closed, 1);	/* freed by hand: not told */
	world_close(&w);
}

struct sudden {
	struct world *w;
	struct loop_timer timer;
	int other_end;
};

static void
die_and_ask(struct loop_timer *timer, void *arg)
{
	struct sudden *sudden = arg;

	(void)timer;
	close(sudden->other_end);
	ask_number(sudden->w, SILENT_ASK, 1, 10000);
}

/* The loop has not seen it yet: the send at the end of the round does. */
static void
test_peer_dies_before_it_is_asked(void **state)
{
	struct world w = { .n_closed = 0 };
	struct sudden sudden = { .w = &w };
	int fds[2];

	(void)state;
	w.loop = loop_new();
	assert_int_equal(ipc_pair(fds), 0);
	w.asker = channel_new(w.loop, fds[0], "asker", NULL, 0, on_closed, &w);
	sudden.other_end = fds[1];
	loop_timer_start(w.loop, &sudden.timer, 0, die_and_ask, &sudden);
	world_run(&w, 20);
	assert_int_equal(w.n_unknown, 1);
	assert_null(w.asker);
	assert_int_equal(w.n_closed, 1);
	world_close(&w);
}

/* A peer that breaks the rules is closed; the receiver lives on. */
static void
expect_misbehaved(uint16_t type, int fd)
{
	struct world w;

	world_open(&w);
	channel_tell(w.asker, type, NULL, fd);
	world_run(&w, 50);
	assert_int_equal(w.n_misbehaved, 1);
	assert_null(w.answerer);
	world_close(&w);
}

static void
test_misbehaviour(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	expect_misbehaved(BAD_ASK, -1);
	expect_misbehaved(999, -1);		/* no such type */
	expect_misbehaved(FD_ASK, -1);		/* descriptor missing */
	expect_misbehaved(ECHO_ASK, fd);	/* descriptor not wanted */
	expect_misbehaved(ECHO_ASK, -1);	/* payload missing */
	close(fd);
}

static void
test_short_and_odd_messages(void **state)
{
	struct world w;
	int fds[2], pair[2];
	struct ipc_message m;
	static uint8_t buffer[IPC_BUFFER_SIZE];
	union { struct cmsghdr align; char space[CMSG_SPACE(2 * sizeof(int))]; }
	    control = { .space = { 0 } };
	struct iovec iov = { buffer, 12 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	(void)state;
	assert_int_equal(ipc_pair(fds), 0);
	assert_int_equal(send(fds[0], "abc", 3, 0), 3);
	assert_int_equal(ipc_receive(fds[1], &m, buffer), -EBADMSG);
	/* two descriptors in one message: refused, neither leaks */
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof pair);
	memcpy(CMSG_DATA(c), pair, sizeof pair);
	memset(buffer, 0, 12);
	assert_int_equal(sendmsg(fds[0], &msg, 0), 12);
	close(pair[1]);
	assert_int_equal(ipc_receive(fds[1], &m, buffer), -EBADMSG);
	assert_int_equal(read(pair[0], buffer, 1), 0);	/* no writer left */
	close(pair[0]);
	close(fds[0]);
	assert_int_equal(ipc_receive(fds[1], &m, buffer), -EPIPE);
	close(fds[1]);
	world_open(&w);
	world_close(&w);
}

static void
free_in_answer(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct world *w = arg;

	(void)ch;
	(void)m;
	w->n_answers++;
	channel_free(&w->asker);
}

static void
test_free_in_answer(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (int i = 0; i < 5; i++) {
		struct ipc_writer out;

		ipc_writer_init(&out);
		ipc_put_u32(&out, 1);
		channel_ask(w.asker, ECHO_ASK, &out, -1, 1000, free_in_answer,
		    &w);
	}
	world_run(&w, 50);
	assert_int_equal(w.n_answers, 5);	/* each exactly once */
	assert_null(w.asker);
	world_close(&w);
}

static void
test_full_socket(void **state)
{
	struct world w;
	struct ipc_writer big;
	int n = 0;

	(void)state;
	world_open(&w);
	ipc_writer_init(&big);
	while (big.size < 16000)
		ipc_put_u64(&big, 0);
	while (channel_tell(w.asker, SILENT_ASK, &big, -1) == 0 && n < 100000)
		n++;
	assert_in_range(n, 100, IPC_QUEUE_MAX);	/* bounded, then refused */
	ipc_writer_init(&big);
	ipc_put_u32(&big, 5);
	for (n = 0; n < 500 && channel_ask(w.asker, ECHO_ASK, &big, -1, 10000,
	    on_answer, &w) == 0; n++)
		world_run(&w, 20);
	world_run_until(&w, &w.n_answers, 1);
	assert_int_equal(w.last_number, 6);	/* and it goes on */
	world_close(&w);
}

/* ---- what a peer may send that is not one of ours ---- */

/* The asker as it is, and a bare socket where its peer was. */
static int
open_raw(struct world *w, bool is_answerer)
{
	int fds[2];

	world_open(w);
	assert_int_equal(ipc_pair(fds), 0);
	if (is_answerer) {
		channel_free(&w->answerer);
		w->answerer = channel_new(w->loop, fds[0], "answerer", rules,
		    sizeof rules / sizeof *rules, on_closed, w);
		assert_non_null(w->answerer);
	} else {
		channel_free(&w->asker);
		w->asker = channel_new(w->loop, fds[0], "asker", NULL, 0,
		    on_closed, w);
		assert_non_null(w->asker);
	}
	world_run(w, 1);
	w->n_closed = w->n_misbehaved = 0;
	return fds[1];
}

static uint32_t
receive_id(int fd)
{
	static uint8_t buffer[IPC_BUFFER_SIZE];
	struct ipc_message m;

	assert_int_equal(ipc_receive_waiting(fd, &m, buffer), 0);
	return m.id;
}

/* What one question is answered with, late, is not for the next one. */
static void
test_late_answer(void **state)
{
	struct ipc_writer answer;
	uint32_t first, second;
	struct world w;
	int fd;

	(void)state;
	fd = open_raw(&w, false);
	ask_number(&w, ECHO_ASK, 1, 1);
	world_run_until(&w, &w.n_unknown, 1);
	ask_number(&w, ECHO_ASK, 2, 60000);
	world_run(&w, 1);
	first = receive_id(fd);
	second = receive_id(fd);
	/* in the same place, so that nothing but the id tells them apart */
	assert_int_equal(first & 0x3ffff, second & 0x3ffff);
	assert_int_not_equal(first, second);
	ipc_writer_init(&answer);
	ipc_put_u32(&answer, 100);
	assert_int_equal(ipc_send(fd, ECHO_ANSWER, first, 0, &answer, -1), 0);
	world_run(&w, 5);
	assert_int_equal(w.n_answers, 0);
	assert_int_equal(w.n_closed, 0);
	ipc_writer_init(&answer);
	ipc_put_u32(&answer, 200);
	assert_int_equal(ipc_send(fd, ECHO_ANSWER, second, 0, &answer, -1),
	    0);
	world_run_until(&w, &w.n_answers, 1);
	assert_int_equal(w.last_number, 200);
	close(fd);
	world_close(&w);
}

static void
expect_end_of(struct world *w, int fd)
{
	world_run_until(w, &w->n_closed, 1);
	assert_int_equal(w->n_misbehaved, 1);
	assert_int_equal(w->n_told, 0);
	close(fd);
	world_close(w);
}

static int
n_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Nor is it kept open. */
static void
test_descriptor_unwanted(void **state)
{
	int before = n_descriptors(), fd;
	struct ipc_writer number;
	struct world w;

	(void)state;
	fd = open_raw(&w, true);
	ipc_writer_init(&number);
	ipc_put_u32(&number, 1);
	assert_int_equal(ipc_send(fd, TELL, 0, 0, &number, STDIN_FILENO), 0);
	expect_end_of(&w, fd);
	assert_int_equal(n_descriptors(), before);
}

/* Whoever sends one is no liar where there is no room for it. */
static void
test_descriptor_without_room(void **state)
{
	struct rlimit was, none;
	struct world w;
	int fd;

	(void)state;
	if (getenv("UNDER_VALGRIND") != NULL)
		skip();		/* which keeps such a limit to itself */
	world_open(&w);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	fd = memfd_create("t", MFD_CLOEXEC);
	assert_int_equal(write(fd, "hello", 5), 5);
	none = was;
	none.rlim_cur = (rlim_t)fd + 1;	/* all below are taken */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_not_equal(channel_ask(w.asker, FD_ASK, NULL, fd, 50,
	    on_answer, &w), 0);
	world_run_until(&w, &w.n_unknown, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	/* and then all is as it was */
	assert_non_null(w.asker);
	assert_int_not_equal(channel_ask(w.asker, FD_ASK, NULL, fd, 1000,
	    on_answer, &w), 0);
	world_run_until(&w, &w.n_answers, 1);
	close(fd);
	world_close(&w);
}

/* All of it may have come in at once. */
static void
test_nothing_after_misbehaviour(void **state)
{
	struct ipc_writer number;
	struct world w;
	int fd;

	(void)state;
	fd = open_raw(&w, true);
	ipc_writer_init(&number);
	ipc_put_u32(&number, 1);
	assert_int_equal(ipc_send(fd, BAD_ASK, 0, 0, &number, -1), 0);
	assert_int_equal(ipc_send(fd, TELL, 0, 0, &number, -1), 0);
	expect_end_of(&w, fd);
}

/* Longer than there is room for: what was read of it means nothing. */
static void
test_too_long(void **state)
{
	static uint8_t octets[IPC_BUFFER_SIZE + 1] = { 0, SILENT_ASK };
	struct world w;
	int fd;

	(void)state;
	fd = open_raw(&w, true);
	assert_int_equal(send(fd, octets, sizeof octets, 0), sizeof octets);
	expect_end_of(&w, fd);
}

/* What does not fit is not sent cut off, and in nobody's way. */
static void
test_what_does_not_fit(void **state)
{
	struct ipc_writer w_big, w_small;
	struct world w;

	(void)state;
	world_open(&w);
	ipc_writer_init(&w_big);
	for (int i = 0; i <= IPC_PAYLOAD_MAX / 8; i++)
		ipc_put_u64(&w_big, 0);
	assert_int_equal(channel_tell(w.asker, SILENT_ASK, &w_big, -1),
	    -EMSGSIZE);
	assert_int_equal(channel_ask(w.asker, SILENT_ASK, &w_big, -1, 1000,
	    on_answer, &w), 0);
	assert_int_equal(channel_n_outstanding(w.asker), 0);
	ipc_writer_init(&w_small);
	ipc_put_u32(&w_small, 7);
	assert_int_equal(channel_tell(w.asker, TELL, &w_small, -1), 0);
	world_run_until(&w, &w.n_told, 1);
	assert_int_equal(w.last_number, 7);
	assert_int_equal(w.n_closed, 0);
	world_close(&w);
}

/* The queue is full by its octets, in the middle of a message. */
static void
test_full_of_large_ones(void **state)
{
	struct ipc_writer big, number;
	struct world w;
	int n = 0;

	(void)state;
	world_open(&w);
	ipc_writer_init(&big);
	while (big.size < IPC_PAYLOAD_MAX)
		ipc_put_u64(&big, 0);
	while (channel_tell(w.asker, SILENT_ASK, &big, -1) == 0)
		n++;
	assert_in_range(n, 1000, IPC_QUEUE_MAX - 1);
	ipc_writer_init(&number);
	ipc_put_u32(&number, 9);
	assert_int_equal(channel_tell(w.asker, TELL, &number, -1), 0);
	world_run_until(&w, &w.n_told, 1);
	assert_int_equal(w.last_number, 9);
	assert_int_equal(w.n_closed, 0);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursors),
		cmocka_unit_test(test_cursor_bounds),
		cmocka_unit_test(test_cursor_values),
		cmocka_unit_test(test_many_questions),
		cmocka_unit_test(test_silence_is_known),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_dead_peer),
		cmocka_unit_test(test_peer_dies_before_it_is_asked),
		cmocka_unit_test(test_misbehaviour),
		cmocka_unit_test(test_short_and_odd_messages),
		cmocka_unit_test(test_free_in_answer),
		cmocka_unit_test(test_full_socket),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_descriptor_unwanted),
		cmocka_unit_test(test_descriptor_without_room),
		cmocka_unit_test(test_nothing_after_misbehaviour),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_full_of_large_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
