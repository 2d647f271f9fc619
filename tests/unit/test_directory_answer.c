/* SPDX-License-Identifier: ISC */
/*
 * test_directory_answer.c - the directory's side of its channels: what it
 * answers to whom, and what it takes for a lie.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include "../../directory/answer.h"
#include "ask.h"
#include "directory_fixture.h"
#include "message.h"

static const uint8_t secret[32] = { 9, 9, 9 };
static const uint8_t list_secret[32] = { 7, 7, 7 };
static struct fixture fixture;
static struct answerer answerer;
static uint8_t receive_buffer[IPC_BUFFER_SIZE];

static int
set_up(void **state)
{
	struct buf aliases = { 0 }, users = { 0 };

	(void)state;
	fixture_open_folder();
	(void)buf_puts(&aliases, "root: u0\ntrap: discard:\nteam: u1, "
	    "x@far.example\naway: x@far.example\nowner-team: u2\n"
	    "owner-away: u3\nmany: u0");
	for (int i = 1; i < 500; i++)
		(void)buf_printf(&aliases, ", u%d", i);
	(void)buf_puts(&aliases, "\n");
	for (int i = 0; i < 500; i++)
		(void)buf_printf(&users, "u%d\n", i);
	fixture_write("aliases", aliases.data);
	fixture_write("users", users.data);
	buf_free(&aliases);
	buf_free(&users);
	fixture_start(&fixture, FIXTURE_HEAD "domain \"example.org\" { users "
	    "= \"table:@/users\" aliases = \"@/aliases\" "
	    "mailbox = \"/v/%u/Maildir\" owner = \"vmail\" }\n", true);
	answerer = (struct answerer){ .loop = loop_new(),
		.catalog = fixture.catalog, .resolver = fixture.resolver,
		.secret = secret, .list_secret = list_secret };
	return answerer.loop == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&answerer.sealed);
	loop_free(&answerer.loop);
	fixture_stop(&fixture);
	fixture_close_folder();
	return 0;
}

static void
on_enough(struct loop_timer *timer, void *arg)
{
	(void)timer;
	loop_stop(arg);
}

static void
run_loop(void)
{
	struct loop_timer timer = { 0 };

	loop_timer_start(answerer.loop, &timer, 30, on_enough,
	    answerer.loop);
	assert_int_equal(loop_run(answerer.loop), 0);
}

/* A peer of that role; its end, non-blocking. */
static int
new_peer(enum role role)
{
	int fds[2];

	assert_int_equal(ipc_pair(fds), 0);
	answer_peer(&answerer, role, 0, fds[0]);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	return fds[1];
}

static void
close_peer(int fd)
{
	close(fd);
	run_loop();
}

static const struct route_ask sane = { .session = SLICE("k3f9q2m7t"),
	.local = SLICE("u1"), .domain = SLICE("example.org"),
	.recipient = SLICE("U1@example.org") };

/* Ask and receive. 0, or what ipc_receive says. */
static int
ask(int fd, const struct route_ask *q, struct ipc_message *m,
    struct route_answer *answer)
{
	struct ipc_writer w;
	int error;

	ipc_writer_init(&w);
	put_route_ask(&w, q);
	assert_int_equal(ipc_send(fd, ROUTE_ASK, 7, 1000, &w, -1), 0);
	run_loop();
	error = ipc_receive(fd, m, receive_buffer);
	if (error)
		return error;
	assert_int_equal(m->type, ROUTE_ANSWER);
	assert_int_equal(m->id, 7);
	assert_true(get_route_answer(&m->body, answer));
	return 0;
}

static void
test_sealed(void **state)
{
	struct route_answer answer;
	struct ipc_message m;
	struct route route;
	int fd = new_peer(ROLE_SMTPD);

	(void)state;
	assert_int_equal(ask(fd, &sane, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_MAILBOX);
	assert_int_equal(m.fd, -1);
	assert_int_equal(route_open(&route, answer.sealed, secret), 0);
	assert_true(slice_equals(route.session, sane.session));
	assert_true(slice_equals(route.recipient, sane.recipient));
	assert_in_range(route.expires_s, clock_wall_s() + ROUTE_LIFE_S - 5,
	    clock_wall_s() + ROUTE_LIFE_S);
	assert_int_equal(route.n_leaves, 1);
	assert_true(slice_equals(route.leaves[0].maildir,
	    SLICE("/v/u1/Maildir")));
	assert_int_equal(route.leaves[0].uid, 3000);
	route_close(&route);
	close_peer(fd);
}

/* Each of its parts under a key of its own, when it is asked for. */
static void
test_list_is_sealed_in_parts(void **state)
{
	struct route_ask q = sane;
	struct route_answer answer;
	struct ipc_message m;
	struct route route;
	struct list_route list;
	int fd = new_peer(ROLE_SMTPD);

	(void)state;
	q.local = SLICE("team");
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_LIST);
	assert_int_equal(route_open(&route, answer.sealed, secret), 0);
	assert_int_equal(route.kind, ROUTE_MAILBOX);
	assert_int_equal(route.n_leaves, 1);
	route_close(&route);
	q.wants_list = true;
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(route_open(&route, answer.sealed, secret),
	    -EBADMSG);
	assert_int_equal(list_route_open(&list, answer.sealed, list_secret),
	    0);
	assert_true(slice_equals(list.session, sane.session));
	assert_true(slice_equals(list.list, sane.recipient));
	assert_true(slice_equals(list.owner, SLICE("owner-team@example.org")));
	assert_true(slice_equals(list.account, SLICE("u2@example.org")));
	assert_int_equal(list.n_members, 1);
	list_route_close(&list);
	/* nobody is here, and a mailbox has no such part */
	q.local = SLICE("away");
	q.wants_list = false;
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_LIST);
	assert_int_equal(answer.sealed.size + answer.sealed_size, 0);
	q.local = SLICE("u1");
	q.wants_list = true;
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.sealed.size + answer.sealed_size, 0);
	close_peer(fd);
}

static void
test_discard_is_sealed(void **state)
{
	struct route_ask q = sane;
	struct route_answer answer;
	struct ipc_message m;
	struct route route;
	int fd = new_peer(ROLE_SMTPD);

	(void)state;
	q.local = SLICE("trap");
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_DISCARD);
	assert_int_equal(route_open(&route, answer.sealed, secret), 0);
	assert_int_equal(route.kind, ROUTE_DISCARD);
	route_close(&route);
	close_peer(fd);
}

static void
test_refused(void **state)
{
	struct route_ask q = sane;
	struct route_answer answer;
	struct ipc_message m;
	int fd = new_peer(ROLE_SMTPD);

	(void)state;
	q.local = SLICE("nobody");
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_REFUSE);
	assert_int_equal(answer.verdict.code, 550);
	assert_true(answer.is_unknown_user);
	assert_int_equal(answer.sealed.size, 0);
	assert_int_equal(answer.sealed_size, 0);
	close_peer(fd);
}

static void
test_large(void **state)
{
	struct route_ask q = sane;
	struct route_answer answer;
	struct ipc_message m;
	struct message content;
	struct route route;
	char *text;
	int fd = new_peer(ROLE_SMTPD);

	(void)state;
	q.local = SLICE("many");
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_MAILBOX);
	assert_int_equal(answer.sealed.size, 0);
	assert_true(answer.sealed_size > 16384);
	assert_true(m.fd >= 0);
	assert_int_equal(message_accept(&content, m.fd, answer.sealed_size),
	    0);
	text = malloc(answer.sealed_size);
	assert_int_equal(pread(content.fd, text, answer.sealed_size, 0),
	    answer.sealed_size);
	assert_int_equal(route_open(&route, (struct slice){ text,
	    answer.sealed_size }, secret), 0);
	assert_int_equal(route.n_leaves, 500);
	route_close(&route);
	free(text);
	message_close(&content);
	close_peer(fd);
}

/* posternctl may ask where mail goes, and gets nothing to send it with. */
static void
test_no_seal(void **state)
{
	struct route_ask q = sane;
	struct route_answer answer;
	struct ipc_message m;
	int fd = new_peer(ROLE_CONTROL);

	(void)state;
	q.explains = true;
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.kind, ROUTE_MAILBOX);
	assert_int_equal(answer.sealed.size, 0);
	assert_non_null(memmem(answer.explanation.data,
	    answer.explanation.size, "user \"u1\" at ", 13));
	close_peer(fd);
	fd = new_peer(ROLE_SMTPD);
	q.session = SLICE("");
	assert_int_equal(ask(fd, &q, &m, &answer), 0);
	assert_int_equal(answer.sealed.size, 0);
	close_peer(fd);
}

static char long_local[300];

static void
test_lies(void **state)
{
	const struct { const char *name; struct slice session, local, domain,
	    recipient; } rows[] = {
		{ "no local part", SLICE("s"), SLICE(""), SLICE("example.org"),
		    SLICE("x") },
		{ "control in the local part", SLICE("s"), SLICE("a\nb"),
		    SLICE("example.org"), SLICE("x") },
		{ "NUL in the local part", SLICE("s"), SLICE("a\0b"),
		    SLICE("example.org"), SLICE("x") },
		{ "control in the domain", SLICE("s"), SLICE("a"),
		    SLICE("example.org\r"), SLICE("x") },
		{ "control in the recipient", SLICE("s"), SLICE("a"),
		    SLICE("example.org"), SLICE("x\r\nX: y") },
		{ "odd session", SLICE("a b"), SLICE("a"),
		    SLICE("example.org"), SLICE("x") },
		{ "NUL in the session", SLICE("a\0"), SLICE("a"),
		    SLICE("example.org"), SLICE("x") },
		{ "long local part", SLICE("s"), { long_local, 300 },
		    SLICE("example.org"), SLICE("x") },
	};

	(void)state;
	memset(long_local, 'a', sizeof long_local);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct route_ask q = { rows[i].session, rows[i].local,
			rows[i].domain, rows[i].recipient, false, false };
		struct route_answer answer;
		struct ipc_message m;
		int fd = new_peer(ROLE_SMTPD);

		CHECK(rows[i].name, ask(fd, &q, &m, &answer) == -EPIPE);
		close_peer(fd);
	}
}

static void
test_tables(void **state)
{
	struct ipc_message m;
	struct slice text;
	int fd = new_peer(ROLE_CONTROL);

	(void)state;
	assert_int_equal(ipc_send(fd, TABLES_ASK, 3, 1000, NULL, -1), 0);
	run_loop();
	assert_int_equal(ipc_receive(fd, &m, receive_buffer), 0);
	assert_int_equal(m.type, TABLES_ANSWER);
	text = ipc_get_slice(&m.body);
	assert_true(ipc_reader_is_done(&m.body));
	assert_non_null(memmem(text.data, text.size, "/users entries=500 ",
	    19));
	assert_non_null(memmem(text.data, text.size, "use=current last=ok\n",
	    20));
	close_peer(fd);
	/* not smtpd's business */
	fd = new_peer(ROLE_SMTPD);
	assert_int_equal(ipc_send(fd, TABLES_ASK, 3, 1000, NULL, -1), 0);
	run_loop();
	assert_int_equal(ipc_receive(fd, &m, receive_buffer), -EPIPE);
	close_peer(fd);
}

/* What comes back for one message; 0, or what ipc_receive says. */
static int
say(int fd, uint16_t type, const struct ipc_writer *w,
    struct ipc_message *m)
{
	assert_int_equal(ipc_send(fd, type, 9, 1000, w, -1), 0);
	run_loop();
	return ipc_receive(fd, m, receive_buffer);
}

/* queue may bring an account its mail, and nothing to anybody else. */
static void
test_mailbox(void **state)
{
	const struct mailbox_ask q = { SLICE("q1"), SLICE("u7@example.org") };
	const struct mailbox_ask no_session = { SLICE(""), SLICE("u7") };
	struct route_answer answer;
	struct ipc_message m;
	struct ipc_writer w;
	struct route route;
	int fd = new_peer(ROLE_QUEUE);

	(void)state;
	ipc_writer_init(&w);
	put_mailbox_ask(&w, &q);
	assert_int_equal(say(fd, MAILBOX_ASK, &w, &m), 0);
	assert_int_equal(m.type, ROUTE_ANSWER);
	assert_true(get_route_answer(&m.body, &answer));
	assert_int_equal(route_open(&route, answer.sealed, secret), 0);
	assert_true(slice_equals(route.session, q.session));
	assert_true(slice_equals(route.recipient, q.user));
	assert_true(slice_equals(route.leaves[0].maildir,
	    SLICE("/v/u7/Maildir")));
	route_close(&route);
	ipc_writer_init(&w);
	put_route_ask(&w, &sane);
	assert_int_equal(say(fd, ROUTE_ASK, &w, &m), -EAGAIN);
	close_peer(fd);
	fd = new_peer(ROLE_SMTPD);
	ipc_writer_init(&w);
	put_mailbox_ask(&w, &q);
	assert_int_equal(say(fd, MAILBOX_ASK, &w, &m), -EAGAIN);
	close_peer(fd);
	fd = new_peer(ROLE_QUEUE);
	ipc_writer_init(&w);
	put_mailbox_ask(&w, &no_session);
	assert_int_equal(say(fd, MAILBOX_ASK, &w, &m), -EPIPE);
	close_peer(fd);
}

static void
test_may(void **state)
{
	const struct may_ask own = { SLICE("u7@example.org"),
		SLICE("u7@example.org") };
	const struct may_ask lie = { SLICE("u7\n"), SLICE("u7@example.org") };
	struct ipc_message m;
	struct ipc_writer w;
	enum may_answer answer;
	int fd = new_peer(ROLE_SMTPD);

	(void)state;
	ipc_writer_init(&w);
	put_may_ask(&w, &own);
	assert_int_equal(say(fd, MAY_ASK, &w, &m), 0);
	assert_int_equal(m.type, MAY_ANSWER);
	assert_true(get_may_answer(&m.body, &answer));
	assert_int_equal(answer, MAY_SEND);
	ipc_writer_init(&w);
	put_may_ask(&w, &lie);
	assert_int_equal(say(fd, MAY_ASK, &w, &m), -EPIPE);
	close_peer(fd);
}

/* Nobody else has a channel here. */
static void
test_strangers(void **state)
{
	struct ipc_message m;
	int fd = new_peer(ROLE_STORE);

	(void)state;
	assert_int_equal(ipc_receive(fd, &m, receive_buffer), -EPIPE);
	close(fd);
}

/* Told to stop, it is there for the transactions of each that is left. */
static void
test_stops_with_the_last(void **state)
{
	struct loop *loop = answerer.loop;
	int first = new_peer(ROLE_SMTPD), second = new_peer(ROLE_SMTPD);
	struct loop_timer limit = { 0 };

	(void)state;
	assert_int_equal(answerer.n_smtpd, 2);
	answerer.is_stopping = true;
	close(first);
	loop_timer_start(loop, &limit, 30, on_enough, loop);
	assert_int_equal(loop_run(loop), 0);
	assert_false(loop_timer_is_running(&limit));
	close(second);
	loop_timer_start(loop, &limit, 10000, on_enough, loop);
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_timer_is_running(&limit));
	loop_timer_stop(loop, &limit);
	answerer.is_stopping = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_list_is_sealed_in_parts),
		cmocka_unit_test(test_discard_is_sealed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_no_seal),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_may),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_stops_with_the_last),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
