/* SPDX-License-Identifier: ISC */
/*
 * test_peers.c - what smtpd does about a peer that breaks the rules or takes
 * nothing in. The peer is the other end of a socket pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../smtpd/peers.h"
#include "ask.h"
#include "log.h"

#define N_QUESTIONS 3

static struct loop *loop;
static struct loop_timer limit;
static uint32_t n_failures;
static unsigned n_answers, n_unknown;
static struct session *const nobody = (struct session *)&n_answers;

static void
on_answered(struct session *s, uint32_t id, struct answer *a)
{
	assert_ptr_equal(s, nobody);
	assert_int_not_equal(id, 0);
	n_answers++;
	n_unknown += !a->is_known;
}

static void
on_limit(struct loop_timer *timer, void *arg)
{
	(void)timer;
	(void)arg;
	loop_stop(loop);
}

/* What comes within a moment. */
static void
run_a_while(void)
{
	loop_timer_start(loop, &limit, 50, on_limit, NULL);
	assert_int_equal(loop_run(loop), 0);
}

/* peers with one deliver; the end that is deliver's. */
static struct peers *
make(int *end)
{
	static struct peers *peers;
	int ends[2];

	n_answers = n_unknown = 0;
	if (loop == NULL) {
		loop = loop_new();
		peers = peers_new(loop, on_answered, &n_failures);
	}
	assert_non_null(peers);
	assert_int_equal(ipc_pair(ends), 0);
	peers_add(peers, ROLE_DELIVER, 0, ends[0]);
	*end = ends[1];
	return peers;
}

static uint32_t
ask_commit(struct peers *peers)
{
	struct question q = { .kind = QUESTION_COMMIT, .fd = -1,
		.deadline_ms = 5000, .as.transaction = 1 };

	return peers_ask(peers, nobody, &q);
}

/* Read one question; its id. */
static uint32_t
take_question(int end)
{
	static uint8_t buffer[IPC_BUFFER_SIZE];
	struct ipc_message m;

	assert_int_equal(ipc_receive(end, &m, buffer), 0);
	assert_int_equal(m.type, COMMIT_ASK);
	return m.id;
}

static void
is_cut_off(struct peers *peers, int end)
{
	static uint8_t buffer[IPC_BUFFER_SIZE];
	ssize_t n;

	assert_int_equal(ask_commit(peers), 0);
	while ((n = recv(end, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		;
	assert_int_equal(n, 0);
	close(end);
}

static void
good_answers_are_heard(void **state)
{
	static const struct outcome fine;
	struct ipc_writer w;
	struct peers *peers;
	uint32_t ids[N_QUESTIONS];
	int end, i;

	(void)state;
	peers = make(&end);
	for (i = 0; i < N_QUESTIONS; i++)
		assert_int_not_equal(ask_commit(peers), 0);
	run_a_while();
	for (i = 0; i < N_QUESTIONS; i++)
		ids[i] = take_question(end);
	ipc_writer_init(&w);
	put_outcome(&w, &fine);
	for (i = 0; i < N_QUESTIONS; i++)
		ipc_send(end, COMMIT_ANSWER, ids[i], 0, &w, -1);
	run_a_while();
	assert_int_equal(n_answers, N_QUESTIONS);
	assert_int_equal(n_unknown, 0);
	assert_int_not_equal(ask_commit(peers), 0);
	close(end);
	run_a_while();
}

/* It is cut off, and so all that it was asked is unknown at once. */
static void
after(void (*lie)(int end, uint32_t id))
{
	struct peers *peers;
	int end, i;

	peers = make(&end);
	for (i = 0; i < N_QUESTIONS; i++)
		assert_int_not_equal(ask_commit(peers), 0);
	run_a_while();
	lie(end, take_question(end));
	run_a_while();
	assert_int_equal(n_answers, N_QUESTIONS);
	assert_int_equal(n_unknown, N_QUESTIONS);
	is_cut_off(peers, end);
}

static void
lie_in_body(int end, uint32_t id)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u8(&w, 200);
	ipc_send(end, COMMIT_ANSWER, id, 0, &w, -1);
}

static void
lie_in_type(int end, uint32_t id)
{
	static const struct outcome fine;
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_outcome(&w, &fine);
	ipc_send(end, PREPARE_ANSWER, id, 0, &w, -1);
}

static void
lie_with_descriptor(int end, uint32_t id)
{
	static const struct outcome fine;
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_outcome(&w, &fine);
	ipc_send(end, COMMIT_ANSWER, id, 0, &w, end);
}

static void
malformed_answers_cut_off(void **state)
{
	(void)state;
	after(lie_in_body);
	after(lie_in_type);
	after(lie_with_descriptor);
}

/* It would keep what the lost RELEASE was about. */
static void
full_queue_cuts_off(void **state)
{
	struct question release = { .kind = QUESTION_RELEASE, .fd = -1,
		.as.release = { .transaction = 1, .how = RELEASE_ALL } };
	struct peers *peers;
	int end, i;

	(void)state;
	peers = make(&end);
	for (i = 0; i < IPC_QUEUE_MAX; i++)
		peers_tell(peers, &release);
	peers_tell(peers, &release);
	run_a_while();
	is_cut_off(peers, end);
	/* its successor is heard */
	peers = make(&end);
	assert_int_not_equal(ask_commit(peers), 0);
	run_a_while();
	assert_int_not_equal(take_question(end), 0);
	close(end);
	run_a_while();
}

/* ---- policy ---- */

static uint32_t
ask_judge(struct peers *peers, struct slice facts)
{
	struct judge_question ask = { .stage = JUDGE_MAIL, .parts = &facts,
		.n_parts = 1 };
	struct question q = { .kind = QUESTION_JUDGE, .fd = -1,
		.deadline_ms = 5000, .as.judge = &ask };

	return peers_ask(peers, nobody, &q);
}

/* What a worker finds in its socket: the facts, or "" for nothing. */
static uint32_t
take_judge(int end, const char *facts)
{
	static uint8_t buffer[IPC_BUFFER_SIZE];
	struct ipc_message m;
	struct judge_ask q;
	int error = ipc_receive_waiting(end, &m, buffer);

	assert_int_equal(error, *facts ? 0 : -EAGAIN);
	if (error)
		return 0;
	assert_int_equal(m.type, JUDGE_ASK);
	assert_true(get_judge_ask(&m.body, &q));
	assert_true(slice_equals(q.facts, slice_of(facts)));
	return m.id;
}

static void
add_policy(struct peers *peers, int *end)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	peers_add(peers, ROLE_POLICY, 0, ends[0]);
	*end = ends[1];
}

/* A worker that dies takes one question along; the others wait for the next
 * one, a second at most. */
static void
a_worker_dies_of_one_question(void **state)
{
	struct ipc_writer w;
	struct judge_answer answer = { .judgement = SLICE("x") };
	struct peers *peers;
	int deliver, end;
	uint32_t id, forgotten;

	(void)state;
	peers = make(&deliver);
	add_policy(peers, &end);
	assert_int_not_equal(ask_judge(peers, SLICE("one")), 0);
	assert_int_not_equal(ask_judge(peers, SLICE("two")), 0);
	forgotten = ask_judge(peers, SLICE("three"));
	assert_int_not_equal(ask_judge(peers, SLICE("four")), 0);
	peers_forget(peers, forgotten);
	run_a_while();
	take_judge(end, "one");
	take_judge(end, "");
	close(end);
	run_a_while();
	assert_int_equal(n_answers, 1);
	assert_int_equal(n_unknown, 1);
	add_policy(peers, &end);
	run_a_while();
	id = take_judge(end, "two");
	take_judge(end, "");
	ipc_writer_init(&w);
	put_judge_answer(&w, &answer);
	assert_int_equal(ipc_send(end, JUDGE_ANSWER, id, 0, &w, -1), 0);
	run_a_while();
	assert_int_equal(n_answers, 2);
	assert_int_equal(n_unknown, 1);
	take_judge(end, "four");
	/* no worker comes any more */
	assert_int_not_equal(ask_judge(peers, SLICE("five")), 0);
	close(end);
	for (int i = 0; i < 30 && n_answers < 4; i++)
		run_a_while();
	assert_int_equal(n_answers, 4);
	assert_int_equal(n_unknown, 3);
	close(deliver);
	run_a_while();
}

/* Whoever asked has left; the worker's answer is still a sign that it is
 * free for the one that waits. */
static void
an_answer_that_nobody_wants(void **state)
{
	struct ipc_writer w;
	struct judge_answer answer = { .judgement = SLICE("x") };
	struct peers *peers;
	int deliver, end;
	uint32_t forgotten, id;

	(void)state;
	peers = make(&deliver);
	add_policy(peers, &end);
	forgotten = ask_judge(peers, SLICE("one"));
	assert_int_not_equal(forgotten, 0);
	run_a_while();
	id = take_judge(end, "one");
	peers_forget(peers, forgotten);
	assert_int_not_equal(ask_judge(peers, SLICE("two")), 0);
	run_a_while();
	take_judge(end, "");
	ipc_writer_init(&w);
	put_judge_answer(&w, &answer);
	assert_int_equal(ipc_send(end, JUDGE_ANSWER, id, 0, &w, -1), 0);
	run_a_while();
	id = take_judge(end, "two");
	assert_int_equal(n_answers, 0);
	assert_int_equal(ipc_send(end, JUDGE_ANSWER, id, 0, &w, -1), 0);
	run_a_while();
	assert_int_equal(n_answers, 1);
	assert_int_equal(n_unknown, 0);
	/* it is the same when the worker dies of it */
	forgotten = ask_judge(peers, SLICE("three"));
	run_a_while();
	take_judge(end, "three");
	peers_forget(peers, forgotten);
	close(end);
	run_a_while();
	assert_int_equal(n_answers, 1);
	close(deliver);
	run_a_while();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_answers_are_heard),
		cmocka_unit_test(a_worker_dies_of_one_question),
		cmocka_unit_test(an_answer_that_nobody_wants),
		cmocka_unit_test(malformed_answers_cut_off),
		cmocka_unit_test(full_queue_cuts_off),
	};

	log_open("test", open("/dev/null", O_WRONLY | O_CLOEXEC),
	    LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
