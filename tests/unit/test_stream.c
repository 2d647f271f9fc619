/* SPDX-License-Identifier: ISC */
/*
 * Streams on a real socket pair and a real loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "stream.h"

struct world {
	struct loop *loop;
	struct stream stream;
	int peer;
	struct loop_timer timer;
	unsigned n_input, n_written, n_broken;
	char read[64];
	ssize_t n_read;
};

static void
on_event(struct stream *stream, enum stream_event event, void *arg)
{
	struct world *w = arg;

	w->n_input += event == STREAM_INPUT;
	w->n_written += event == STREAM_WRITTEN;
	w->n_broken += event == STREAM_BROKEN;
	if (event == STREAM_INPUT)
		w->n_read = stream_read(stream, w->read, sizeof(w->read));
	if (event == STREAM_BROKEN)
		stream_close(stream);
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	(void)timer;
	loop_stop(w->loop);
}

static void
turn(struct world *w)
{
	loop_timer_start(w->loop, &w->timer, 20, on_timer, w);
	assert_int_equal(loop_run(w->loop), 0);
}

static void
begin(struct world *w)
{
	int fds[2];

	memset(w, 0, sizeof(*w));
	w->loop = loop_new();
	assert_non_null(w->loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	w->peer = fds[1];
	assert_int_equal(stream_open(&w->stream, w->loop, fds[0], on_event, w),
	    0);
}

static void
end(struct world *w)
{
	stream_close(&w->stream);
	stream_close(&w->stream);
	close(w->peer);
	loop_free(&w->loop);
}

static void
test_reading(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(stream_look(&w.stream), STREAM_QUIET);
	assert_int_equal(write(w.peer, "abc", 3), 3);
	assert_int_equal(stream_look(&w.stream), STREAM_HAS_INPUT);
	turn(&w);
	assert_int_equal(w.n_read, 3);
	assert_memory_equal(w.read, "abc", 3);
	/* not wanted: nothing is lost, and it costs no turns */
	stream_want_input(&w.stream, false);
	assert_int_equal(write(w.peer, "de", 2), 2);
	turn(&w);
	assert_int_equal(w.n_input, 1);
	stream_want_input(&w.stream, true);
	turn(&w);
	assert_int_equal(w.n_input, 2);
	assert_int_equal(w.n_read, 2);
	end(&w);
}

static void
test_end(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(write(w.peer, "QUIT", 4), 4);
	shutdown(w.peer, SHUT_WR);
	assert_int_equal(stream_look(&w.stream), STREAM_HAS_INPUT);
	assert_int_equal(stream_read(&w.stream, w.read, 64), 4);
	assert_int_equal(stream_look(&w.stream), STREAM_GONE);
	turn(&w);
	assert_int_equal(w.n_read, 0);
	assert_int_equal(stream_write(&w.stream, SLICE("bye")), 0);
	assert_int_equal(read(w.peer, w.read, 64), 3);
	stream_shut(&w.stream);
	assert_int_equal(read(w.peer, w.read, 64), 0);
	end(&w);
}

static void
test_broken_while_unwanted(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	stream_want_input(&w.stream, false);
	close(w.peer);
	turn(&w);
	assert_int_equal(w.n_broken, 1);
	assert_false(w.stream.is_open);
	assert_int_equal(stream_write(&w.stream, SLICE("x")), -EPIPE);
	assert_int_equal(stream_look(&w.stream), STREAM_GONE);
	w.peer = -1;
	end(&w);
}

static void
test_slow_reader(void **state)
{
	static char block[300000], got[300000];
	struct world w;
	size_t at = 0;
	ssize_t n;
	int i, error = 0;

	(void)state;
	begin(&w);
	for (i = 0; i < (int)sizeof(block); i++)
		block[i] = (char)(i * 7);
	assert_int_equal(stream_write(&w.stream,
	    (struct slice){ block, sizeof(block) }), 0);
	assert_true(stream_has_output(&w.stream));
	for (i = 0; i < 100 && at < sizeof(got); i++) {
		while ((n = read(w.peer, got + at, sizeof(got) - at)) > 0)
			at += (size_t)n;
		turn(&w);
	}
	assert_int_equal(at, sizeof(got));
	assert_memory_equal(block, got, sizeof(got));
	assert_false(stream_has_output(&w.stream));
	assert_int_equal(w.n_written, 1);
	/* and no more than so much waits for one who never reads */
	for (i = 0; i < 10 && error == 0; i++)
		error = stream_write(&w.stream,
		    (struct slice){ block, sizeof(block) });
	assert_int_equal(error, -ENOBUFS);
	end(&w);
}

/* A TCP connection over loopback whose peer has room for little. */
static void
begin_tcp(struct world *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), little = 4096, fd;

	memset(w, 0, sizeof(*w));
	w->loop = loop_new();
	w->peer = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(w->peer, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&at, &size);
	assert_int_equal(connect(w->peer, (struct sockaddr *)&at, size), 0);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	close(listener);
	assert_int_equal(stream_open(&w->stream, w->loop, fd, on_event, w), 0);
}

static void
test_acknowledged(void **state)
{
	static char block[100000], got[100000];
	struct world w;
	size_t at = 0;
	ssize_t n;

	(void)state;
	begin_tcp(&w);
	assert_int_equal(stream_write(&w.stream,
	    (struct slice){ block, sizeof(block) }), 0);
	assert_false(stream_has_output(&w.stream));	/* the kernel has it */
	stream_shut(&w.stream);
	shutdown(w.peer, SHUT_WR);
	turn(&w);
	assert_int_equal(w.n_read, 0);		/* the peer's end of file */
	assert_false(stream_is_acknowledged(&w.stream));
	while ((n = read(w.peer, got + at, sizeof(got) - at)) > 0)
		at += (size_t)n;
	assert_int_equal(at, sizeof(got));
	turn(&w);
	assert_true(stream_is_acknowledged(&w.stream));
	stream_close(&w.stream);
	assert_false(stream_is_acknowledged(&w.stream));
	close(w.peer);
	loop_free(&w.loop);
}

/* What waits goes first, though there is room in the socket again. */
static void
test_order(void **state)
{
	static char block[512 * 1024], got[sizeof block + 4];
	size_t at = 0;
	struct world w;
	ssize_t n;

	(void)state;
	begin(&w);
	memset(block, 'x', sizeof block);
	assert_int_equal(stream_write(&w.stream, (struct slice){ block,
	    sizeof block }), 0);
	assert_true(stream_has_output(&w.stream));
	while ((n = read(w.peer, got + at, sizeof got - at)) > 0)
		at += (size_t)n;
	assert_int_equal(stream_pass(&w.stream, SLICE("no"), w.peer), -EBUSY);
	assert_int_equal(stream_write(&w.stream, SLICE("last")), 0);
	for (int i = 0; i < 100 && at < sizeof got; i++) {
		turn(&w);
		while ((n = read(w.peer, got + at, sizeof got - at)) > 0)
			at += (size_t)n;
	}
	assert_int_equal(at, sizeof got);
	assert_memory_equal(got + sizeof block, "last", 4);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_broken_while_unwanted),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_acknowledged),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
