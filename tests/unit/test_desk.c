/* SPDX-License-Identifier: ISC */
/*
 * test_desk.c - auth as an smtpd sees it: what it asks over a channel, what
 * is counted against a guesser, and what a peer is closed for. Dovecot and
 * the hash of a password are this file's.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../../auth/desk.h"
#include "../../auth/dovecot.h"
#include "clock.h"
#include "log.h"
#include "table.h"

#define PLAIN(name, password) SLICE("\0" name "\0" password)
#define HASH "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" \
    "X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
#define ALL_EXCHANGES 4096		/* of one smtpd */

static char folder[] = "/tmp/postern-test-desk-XXXXXX";
static char path[sizeof(folder) + 16], socket_path[sizeof(folder) + 16];
static struct config *config;
static const uint8_t key[32] = "key";

/* ---- libc's crypt, which lets "secret" in ---- */

static bool has_no_memory;

char *
crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	static char hash[256];

	(void)data;
	(void)size;
	if (has_no_memory) {
		errno = ENOMEM;
		return NULL;
	}
	snprintf(hash, sizeof(hash), "%s", setting);
	hash[0] = strcmp(phrase, "secret") == 0 ? '$' : '*';
	return hash;
}

/* ---- Dovecot ---- */

static struct {
	bool is_down;
	uint32_t n_asked, n_forgotten;
	dovecot_answered_fn *answered;
	void *arg;
} there;

uint32_t
dovecot_ask(struct dovecot *d, const struct dovecot_ask *ask,
    dovecot_answered_fn *answered, void *arg)
{
	(void)d;
	(void)ask;
	if (there.is_down)
		return 0;
	there.answered = answered;
	there.arg = arg;
	return ++there.n_asked;
}

bool
dovecot_go_on(struct dovecot *d, uint32_t id, struct slice response)
{
	(void)d;
	(void)response;
	assert_int_equal(id, there.n_asked);
	return !there.is_down;
}

void
dovecot_forget(struct dovecot *d, uint32_t id)
{
	(void)d;
	assert_int_equal(id, there.n_asked);
	there.n_forgotten++;
}

/* ---- a desk, and an smtpd ---- */

static struct desk desk;
static struct channel *smtpd;
static struct loop_timer timer;
static unsigned n_closed, n_offers, offers;

static struct {
	unsigned n;
	enum auth_result result;
	struct voucher_copy user;
} last;

static void
on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	(void)arg;
	loop_stop(desk.loop);
}

/* A question, its answer and what they bring about, however slow we are. */
static void
turn(void)
{
	for (int rounds = 0; rounds < 8; rounds++) {
		loop_timer_start(desk.loop, &timer, 1, on_timer, NULL);
		assert_int_equal(loop_run(desk.loop), 0);
	}
}

static bool
on_offers(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	(void)arg;
	n_offers++;
	return get_auth_offers(&m->body, &offers);
}

static const struct channel_rule rules[] = {
	{ AUTH_OFFERS, CHANNEL_NO_FD, on_offers },
};

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	(void)ch;
	(void)arg;
	assert_false(misbehaved);
	smtpd = NULL;
	n_closed++;
}

static void
connect_as(enum role role)
{
	int fds[2];

	assert_int_equal(ipc_pair(fds), 0);
	smtpd = channel_new(desk.loop, fds[0], "auth", rules, N_OF(rules),
	    on_closed, NULL);
	assert_non_null(smtpd);
	desk_peer(&desk, role, 0, fds[1]);
}

static void
open_desk(unsigned per_network, unsigned per_account, bool has_dovecot)
{
	const struct guesses_setup setup = { .fd = -1,
		.per_network = per_network, .per_account = per_account };

	desk = (struct desk){ .loop = loop_new(), .config = config,
		.key = key, .guesses = guesses_new(&setup), .offers = 1 };
	assert_non_null(desk.guesses);
	if (has_dovecot)
		desk.dovecot = (void *)&desk;
	else
		assert_int_equal(password_table_open(&desk.table, path), 0);
	memset(&there, 0, sizeof(there));
	n_closed = n_offers = last.n = 0;
	connect_as(ROLE_SMTPD);
}

/* The other end of the channel has to be seen to go, or it leaks. */
static void
close_desk(void)
{
	if (smtpd != NULL)
		channel_free(&smtpd);
	turn();
	assert_int_equal(desk.n_peers, 0);
	loop_timer_stop(desk.loop, &timer);
	guesses_free(&desk.guesses);
	password_table_close(&desk.table);
	loop_free(&desk.loop);
}

static void
on_answer(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct auth_answer a;

	(void)ch;
	(void)arg;
	if (m == NULL)
		return;			/* the channel has been closed */
	assert_int_equal(m->type, AUTH_ANSWER);
	assert_true(get_auth_answer(&m->body, &a));
	last.n++;
	last.result = a.result;
	if (a.result != AUTH_OK)
		return;
	assert_int_equal(voucher_check(&a.voucher, key,
	    (uint64_t)clock_wall_s()), 0);
	assert_true(a.voucher.expires_s <= (uint64_t)clock_wall_s() + 86400);
	assert_true(voucher_copy(&last.user, &a.voucher));
}

static void
send_step(const struct auth_step *step)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_auth_step(&w, step);
	assert_true(channel_ask(smtpd, AUTH_STEP, &w, -1, 5000, on_answer,
	    NULL) != 0);
}

/* A first step, with this response or none. */
static void
begin(uint32_t exchange, enum auth_mechanism mechanism, struct slice response)
{
	const struct auth_step step = { .exchange = exchange,
		.mechanism = mechanism, .is_first = true,
		.has_response = response.size > 0, .response = response,
		.session = SLICE("S1"), .network = SLICE("192.0.2.1") };

	send_step(&step);
	turn();
}

static void
go_on(uint32_t exchange, enum auth_mechanism mechanism, struct slice response)
{
	const struct auth_step step = { .exchange = exchange,
		.mechanism = mechanism, .has_response = true,
		.response = response, .session = SLICE("S1"),
		.network = SLICE("192.0.2.1") };

	send_step(&step);
	turn();
}

static void
forget(uint32_t exchange)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u32(&w, exchange);
	assert_int_equal(channel_tell(smtpd, AUTH_FORGET, &w, -1), 0);
}

/* The one answer to what was sent since the last time. */
static void
assert_told(enum auth_result want)
{
	assert_int_equal(last.n, 1);
	assert_int_equal(last.result, want);
	last.n = 0;
}

static void
assert_plain(struct slice response, enum auth_result want)
{
	static uint32_t exchange = 1000000;

	begin(++exchange, AUTH_PLAIN, response);
	assert_told(want);
}

/* ---- passwords of the table ---- */

static void
test_right_is_no_guess(void **state)
{
	(void)state;
	open_desk(1, 0, false);
	for (int i = 0; i < 3; i++)
		assert_plain(PLAIN("ALICE", "secret"), AUTH_OK);
	/* as the table writes it, not as he does */
	assert_string_equal(last.user.user, "alice@example.org");
	assert_string_equal(last.user.address, "alice@example.org");
	assert_string_equal(last.user.session, "S1");
	assert_plain(PLAIN("alice", "wrong"), AUTH_REFUSED);
	assert_plain(PLAIN("alice", "secret"), AUTH_LIMITED);
	close_desk();
}

/* A 535 would have him give his password up; nor has he guessed, nor is
 * his network known from now on. */
static void
test_what_cannot_be_judged(void **state)
{
	(void)state;
	open_desk(0, 1, false);
	has_no_memory = true;
	for (int i = 0; i < 3; i++)
		assert_plain(PLAIN("alice", "wrong"), AUTH_UNAVAILABLE);
	has_no_memory = false;
	assert_plain(PLAIN("alice", "wrong"), AUTH_REFUSED);
	assert_plain(PLAIN("alice", "wrong"), AUTH_LIMITED);
	assert_plain(PLAIN("bob", "secret"), AUTH_OK);
	close_desk();
}

/* ---- Dovecot's word ---- */

static void
dovecot_says(enum dovecot_result result, const char *user)
{
	const struct dovecot_answer a = { .result = result,
		.user = slice_of(user), .text = SLICE("x") };

	there.answered(&a, there.arg);
	turn();
}

static void
test_dovecot_names(void **state)
{
	static const struct {
		const char *says;
		enum auth_result want;
	} rows[] = { { "bob@example.org", AUTH_OK }, { "bob", AUTH_OK },
		{ "bob@example.net", AUTH_REFUSED }, { "", AUTH_REFUSED } };

	(void)state;
	open_desk(0, 0, true);
	for (uint32_t i = 0; i < N_OF(rows); i++) {
		begin(i + 1, AUTH_PLAIN, PLAIN("alice", "secret"));
		assert_int_equal(last.n, 0);
		dovecot_says(DOVECOT_OK, rows[i].says);
		assert_told(rows[i].want);
		if (rows[i].want == AUTH_OK)
			assert_string_equal(last.user.user,
			    "bob@example.org");
	}
	/* what has been answered is not cancelled there */
	assert_int_equal(there.n_forgotten, 0);
	close_desk();
}

/* What Dovecot cannot tell is a 454 and no guess; what it refuses is one. */
static void
test_dovecot_limits(void **state)
{
	(void)state;
	open_desk(1, 0, true);
	for (uint32_t i = 1; i < 4; i++) {
		begin(i, AUTH_PLAIN, PLAIN("alice", "secret"));
		dovecot_says(DOVECOT_UNAVAILABLE, "");
		assert_told(AUTH_UNAVAILABLE);
		there.is_down = true;
		assert_plain(PLAIN("alice", "secret"), AUTH_UNAVAILABLE);
		there.is_down = false;
		begin(i, AUTH_PLAIN, PLAIN("alice", "secret"));
		dovecot_says(DOVECOT_OK, "alice");
		assert_told(AUTH_OK);
	}
	begin(9, AUTH_PLAIN, PLAIN("alice", "wrong"));
	dovecot_says(DOVECOT_REFUSED, "");
	assert_told(AUTH_REFUSED);
	assert_int_equal(there.n_asked, 7);
	assert_plain(PLAIN("alice", "wrong"), AUTH_LIMITED);
	assert_int_equal(there.n_asked, 7);
	close_desk();
}

/* Who is counted in SCRAM is the name in the client's own message. */
static void
test_dovecot_scram(void **state)
{
	const struct slice alice = SLICE("n,,n=alice,r=abc"),
	    bob = SLICE("n,,n=bob,r=abc"), proof = SLICE("c=biws,r=x,p=x");

	(void)state;
	open_desk(0, 1, true);
	/* it goes while the client has the word: no guess */
	begin(1, AUTH_SCRAM_SHA_256, alice);
	dovecot_says(DOVECOT_MORE, "");
	assert_told(AUTH_CONTINUE);
	there.is_down = true;
	go_on(1, AUTH_SCRAM_SHA_256, proof);
	assert_told(AUTH_UNAVAILABLE);
	there.is_down = false;
	begin(2, AUTH_SCRAM_SHA_256, alice);
	dovecot_says(DOVECOT_MORE, "");
	assert_told(AUTH_CONTINUE);
	go_on(2, AUTH_SCRAM_SHA_256, proof);
	dovecot_says(DOVECOT_REFUSED, "");
	assert_told(AUTH_REFUSED);
	begin(3, AUTH_SCRAM_SHA_256, alice);
	assert_told(AUTH_LIMITED);
	/* another, whom it does not know: he sees a challenge all the same */
	begin(4, AUTH_SCRAM_SHA_256, bob);
	assert_int_equal(last.n, 0);
	dovecot_says(DOVECOT_REFUSED, "");
	assert_told(AUTH_CONTINUE);
	go_on(4, AUTH_SCRAM_SHA_256, proof);
	assert_told(AUTH_REFUSED);
	begin(5, AUTH_SCRAM_SHA_256, bob);
	assert_told(AUTH_LIMITED);
	assert_int_equal(there.n_forgotten, 0);
	close_desk();
}

/* Its client has gone, or all of its smtpd. */
static void
test_forgotten(void **state)
{
	(void)state;
	open_desk(0, 0, true);
	begin(1, AUTH_PLAIN, PLAIN("alice", "secret"));
	forget(2);
	turn();
	assert_int_equal(there.n_forgotten, 0);
	forget(1);
	turn();
	assert_int_equal(there.n_forgotten, 1);
	begin(3, AUTH_PLAIN, PLAIN("alice", "secret"));
	channel_free(&smtpd);
	turn();
	assert_int_equal(there.n_forgotten, 2);
	assert_int_equal(last.n, 0);
	close_desk();
}

/* ---- exchanges ---- */

/* Begun with one that has died, or over: nobody's password was wrong. */
static void
test_unknown_exchanges(void **state)
{
	(void)state;
	open_desk(0, 0, false);
	go_on(1, AUTH_LOGIN, SLICE("alice"));
	assert_told(AUTH_UNAVAILABLE);
	begin(2, AUTH_LOGIN, SLICE("alice"));
	assert_told(AUTH_CONTINUE);
	go_on(2, AUTH_LOGIN, SLICE("secret"));
	assert_told(AUTH_OK);
	go_on(2, AUTH_LOGIN, SLICE("secret"));
	assert_told(AUTH_UNAVAILABLE);
	begin(3, AUTH_LOGIN, SLICE("alice"));
	assert_told(AUTH_CONTINUE);
	forget(3);
	go_on(3, AUTH_LOGIN, SLICE("secret"));
	assert_told(AUTH_UNAVAILABLE);
	assert_int_equal(n_closed, 0);
	close_desk();
}

static void
test_too_many_exchanges(void **state)
{
	struct auth_step step = { .mechanism = AUTH_LOGIN, .is_first = true,
		.session = SLICE("S1"), .network = SLICE("192.0.2.1") };

	(void)state;
	open_desk(0, 0, false);
	for (step.exchange = 1; step.exchange <= ALL_EXCHANGES;
	    step.exchange++) {
		send_step(&step);
		if (step.exchange % 64 == 0)
			turn();
	}
	for (int tries = 0; tries < 1000 && last.n < ALL_EXCHANGES; tries++)
		turn();
	assert_int_equal(last.n, ALL_EXCHANGES);
	assert_int_equal(last.result, AUTH_CONTINUE);
	last.n = 0;
	assert_plain(PLAIN("alice", "secret"), AUTH_UNAVAILABLE);
	forget(7);
	assert_plain(PLAIN("alice", "secret"), AUTH_OK);
	assert_plain(PLAIN("alice", "secret"), AUTH_OK);
	close_desk();
}

enum lie { TWICE, BEGUN_ANEW, LONG_FORGET, NO_DESCRIPTOR, HALF_STEP };

static void
lie(enum lie what)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	switch (what) {
	case TWICE:		/* while Dovecot is asked */
		go_on(1, AUTH_PLAIN, SLICE("x"));
		return;
	case BEGUN_ANEW:
		dovecot_says(DOVECOT_MORE, "");
		begin(1, AUTH_SCRAM_SHA_256, SLICE("n,,n=bob,r=abc"));
		return;
	case LONG_FORGET:
		ipc_put_u32(&w, 2);
		ipc_put_u8(&w, 0);
		(void)channel_tell(smtpd, AUTH_FORGET, &w, -1);
		break;
	case NO_DESCRIPTOR:
		put_auth_peer(&w, &(struct auth_peer){ .exchange = 2,
			.session = SLICE("S1"), .network = SLICE("") });
		(void)channel_ask(smtpd, AUTH_PEER, &w, -1, 5000, on_answer,
		    NULL);
		break;
	case HALF_STEP:
		ipc_put_u32(&w, 2);
		(void)channel_ask(smtpd, AUTH_STEP, &w, -1, 5000, on_answer,
		    NULL);
		break;
	}
	turn();
}

/* Its channel is closed, and with it what it had; another one is served. */
static void
test_lies(void **state)
{
	(void)state;
	for (enum lie what = TWICE; what <= HALF_STEP; what++) {
		open_desk(0, 0, true);
		begin(1, AUTH_SCRAM_SHA_256, SLICE("n,,n=alice,r=abc"));
		last.n = 0;
		lie(what);
		assert_int_equal(n_closed, 1);
		assert_int_equal(desk.n_peers, 0);
		assert_int_equal(there.n_forgotten, 1);
		connect_as(ROLE_SMTPD);
		last.n = 0;
		begin(1, AUTH_PLAIN, PLAIN("alice", "secret"));
		dovecot_says(DOVECOT_OK, "alice");
		assert_told(AUTH_OK);
		close_desk();
	}
}

/* ---- peers ---- */

static void
test_offers(void **state)
{
	(void)state;
	open_desk(0, 0, false);
	turn();
	assert_int_equal(n_offers, 1);
	assert_int_equal(offers, 1);
	desk_set_offers(&desk, 1);
	turn();
	assert_int_equal(n_offers, 1);
	desk_set_offers(&desk, 3);
	turn();
	assert_int_equal(n_offers, 2);
	assert_int_equal(offers, 3);
	close_desk();
}

static void
test_peers(void **state)
{
	struct channel *first;

	(void)state;
	open_desk(0, 0, false);
	first = smtpd;
	connect_as(ROLE_QUEUE);
	turn();
	assert_int_equal(n_closed, 1);
	assert_int_equal(desk.n_peers, 1);
	/* the last one, and auth is to stop: it does, before its time */
	desk.is_stopping = true;
	channel_free(&first);
	loop_timer_start(desk.loop, &timer, 10000, on_timer, NULL);
	assert_int_equal(loop_run(desk.loop), 0);
	assert_true(loop_timer_is_running(&timer));
	loop_timer_stop(desk.loop, &timer);
	assert_int_equal(desk.n_peers, 0);
	/* but not for one that is restarted */
	desk.is_stopping = false;
	connect_as(ROLE_SMTPD);
	channel_free(&smtpd);
	turn();
	assert_false(loop_timer_is_running(&timer));
	close_desk();
}

/* ---- who is there ---- */

static void
ask_peer(int fd)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_auth_peer(&w, &(struct auth_peer){ .exchange = 1,
		.session = SLICE("S2"), .network = SLICE("") });
	assert_true(channel_ask(smtpd, AUTH_PEER, &w, fd, 5000, on_answer,
	    NULL) != 0);
	turn();
}

static void
test_who_is_there(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0), accepted;

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)),
	    0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)),
	    0);
	accepted = accept(listener, NULL, NULL);
	open_desk(0, 0, false);
	ask_peer(accepted);
	if (getuid() == 0) {
		assert_told(AUTH_OK);
		assert_string_equal(last.user.user, "root");
		assert_string_equal(last.user.session, "S2");
	}
	last.n = 0;
	ask_peer(listener);
	assert_told(AUTH_NOT_A_USER);
	close_desk();
	close(accepted);
	close(client);
	close(listener);
	unlink(socket_path);
}

/* ---- */

#define ENTRY(name) { SLICE(name "@example.org"), \
	SLICE(name "@example.org"), SLICE(name "@example.org"), SLICE(HASH), \
	0 }

static int
set_up(void **state)
{
	static const uint8_t secret[PASSWORD_TABLE_SECRET_SIZE] = "secret";
	struct password_entry entries[] = { ENTRY("alice"), ENTRY("bob") };
	struct config_problems problems;
	char text[1024];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/passwords", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/local", folder);
	snprintf(text, sizeof(text), "hostname = \"mx.example.org\"\n"
	    "origin = \"example.org\"\npostmaster = \"alice@example.org\"\n"
	    "state_dir = \"/x\"\nlisten \"unix:%s\" { role = local }\n"
	    "domain \"example.org\" { users = \"table:/x/users\" "
	    "mailbox = \"/x/%%u\" owner = \"vmail\" }\n", socket_path);
	config = config_parse(slice_of(text), &problems);
	config_problems_free(&problems);
	assert_int_equal(password_table_write(path, entries, N_OF(entries),
	    secret), 0);
	return config == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	config_free(&config);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_is_no_guess),
		cmocka_unit_test(test_what_cannot_be_judged),
		cmocka_unit_test(test_dovecot_names),
		cmocka_unit_test(test_dovecot_limits),
		cmocka_unit_test(test_dovecot_scram),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_unknown_exchanges),
		cmocka_unit_test(test_too_many_exchanges),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_who_is_there),
	};

	log_open("test", open("/dev/null", O_WRONLY | O_CLOEXEC),
	    LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
