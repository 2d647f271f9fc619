/* SPDX-License-Identifier: ISC */
/*
 * test_resolver.c - the resolver's own parts: timers, the hash, shares,
 * what is read from files, and questions over a fake engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../resolver/alarm.h"
#include "../../resolver/engine.h"
#include "../../resolver/keyed_hash.h"
#include "../../resolver/questions.h"
#include "../../resolver/settings.h"
#include "../../resolver/shares.h"
#include "clock.h"

/* ---- alarms ---- */

#define N_ALARMS 500

static struct {
	struct loop *loop;
	struct alarms *alarms;
	struct alarm all[N_ALARMS];
	int64_t last_us;
	unsigned n_rung;
} ring;

static void
on_ring(void *arg)
{
	struct alarm *alarm = arg;

	assert_true(clock_monotonic_us() >= alarm->due_us);
	assert_true(alarm->due_us >= ring.last_us);
	assert_false(alarm_is_running(alarm));
	ring.last_us = alarm->due_us;
	/* one that has not rung yet is stopped, another is started anew */
	if (++ring.n_rung == 10) {
		alarm_stop(ring.alarms, &ring.all[N_ALARMS - 1]);
		assert_int_equal(alarm_start(ring.alarms, alarm, 60000,
		    on_ring, alarm), 0);
	}
	if (ring.n_rung == N_ALARMS)
		loop_stop(ring.loop);
}

static void
test_alarms_ring_in_order(void **state)
{
	uint64_t random = 88172645463325252u;

	(void)state;
	ring.loop = loop_new();
	ring.alarms = alarms_new(ring.loop);
	for (size_t i = 0; i < N_ALARMS; i++) {
		int64_t after_us;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		after_us = i == N_ALARMS - 1 ? 50000 :
		    (int64_t)(random % 40000) + 1;
		assert_int_equal(alarm_start(ring.alarms, &ring.all[i],
		    after_us, on_ring, &ring.all[i]), 0);
	}
	assert_int_equal(loop_run(ring.loop), 0);
	assert_int_equal(ring.n_rung, N_ALARMS);
	assert_false(alarm_is_running(&ring.all[N_ALARMS - 1]));
	assert_int_equal(alarm_start(ring.alarms, &ring.all[0], 1000000000,
	    on_ring, NULL), 0);
	alarms_free(&ring.alarms);
	assert_false(alarm_is_running(&ring.all[0]));
	loop_free(&ring.loop);
}

static void
on_order(void *arg)
{
	struct alarm *alarm = arg;

	assert_true(alarm->due_us >= ring.last_us);
	ring.last_us = alarm->due_us;
	if (++ring.n_rung == 8)
		loop_stop(ring.loop);
}

/* The last of the heap takes the place of one that is stopped: it may be
 * due before those above. */
static void
test_alarm_that_is_stopped(void **state)
{
	static const int64_t due_ms[9] = { 1, 20, 2, 21, 22, 3, 4,
		23, 24 };
	struct alarm all[9];

	(void)state;
	memset(&ring, 0, sizeof ring);
	memset(all, 0, sizeof all);
	ring.loop = loop_new();
	ring.alarms = alarms_new(ring.loop);
	for (size_t i = 0; i < 9; i++) {
		if (i == 7)
			alarm_stop(ring.alarms, &all[3]);
		assert_int_equal(alarm_start(ring.alarms, &all[i],
		    due_ms[i] * 1000, on_order, &all[i]), 0);
	}
	assert_int_equal(loop_run(ring.loop), 0);
	assert_int_equal(ring.n_rung, 8);
	alarms_free(&ring.alarms);
	loop_free(&ring.loop);
}

/* What is to be done at once goes before what is long due. */
static void
test_alarms_at_once(void **state)
{
	struct alarm late = { 0 }, now = { 0 };
	int64_t begin_us = clock_monotonic_us();

	(void)state;
	memset(&ring, 0, sizeof ring);
	ring.loop = loop_new();
	ring.alarms = alarms_new(ring.loop);
	ring.last_us = -1;
	ring.n_rung = N_ALARMS - 2;
	alarm_start(ring.alarms, &late, 1, on_ring, &late);
	while (clock_monotonic_us() < begin_us + 2000)
		;
	alarm_start(ring.alarms, &now, 0, on_ring, &now);
	assert_int_equal(ring.n_rung, N_ALARMS - 2);
	assert_int_equal(loop_run(ring.loop), 0);
	assert_int_equal(ring.n_rung, N_ALARMS);
	assert_false(alarm_is_running(&late) || alarm_is_running(&now));
	alarms_free(&ring.alarms);
	loop_free(&ring.loop);
}

/* ---- the hash: vectors of its reference implementation ---- */

static void
test_hash(void **state)
{
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	assert_true(keyed_hash(key, (struct slice){ text, 0 }) ==
	    0x726fdb47dd0e0e31);
	assert_true(keyed_hash(key, (struct slice){ text, 8 }) ==
	    0x93f5f5799a932462);
	assert_true(keyed_hash(key, (struct slice){ text, 15 }) ==
	    0xa129ca6149be45e5);
	assert_true(keyed_hash(key, (struct slice){ text, 63 }) ==
	    0x958a324ceb064572);
}

/* ---- shares ---- */

static void
test_shares(void **state)
{
	struct shares *shares = shares_new(2);
	struct share *a, *b, *c, *none;

	(void)state;
	assert_true(shares_take(shares, SLICE("192.0.2.0/24"), &a));
	assert_true(shares_take(shares, SLICE("192.0.2.0/24"), &b));
	assert_ptr_equal(a, b);
	assert_false(shares_take(shares, SLICE("192.0.2.0/24"), &none));
	assert_null(none);
	assert_true(shares_take(shares, SLICE("192.0.3.0/24"), &c));
	assert_int_equal(shares_count(shares), 2);
	for (int i = 0; i < 10; i++) {
		assert_true(shares_take(shares, SLICE(""), &none));
		assert_null(none);
	}
	shares_give(shares, &none);
	shares_give(shares, &b);
	assert_null(b);
	assert_true(shares_take(shares, SLICE("192.0.2.0/24"), &b));
	shares_give(shares, &a);
	shares_give(shares, &b);
	assert_int_equal(shares_count(shares), 1);
	shares_free(&shares);
}

/* ---- files ---- */

static void
test_resolv_conf(void **state)
{
	static const char *const want[] = { "192.0.2.1", "2001:db8::1",
		"fe80::1%eth0", "192.0.2.4" };
	struct settings s = { .n_servers = 0 };
	unsigned n_bad;

	(void)state;
	n_bad = settings_add_resolv_conf(&s, SLICE("# nameserver 192.0.2.9\n"
	    "nameserver 192.0.2.1\nnameservers 192.0.2.2\n"
	    "  nameserver\t2001:db8::1  # ours\r\n"
	    "nameserver fe80::1%eth0\nsearch nameserver\n"
	    "nameserver ns.example.org\nnameserver\nnameserver \n"
	    "nameserver 192.0.2\nnameserver 192.0.2.4"));
	assert_int_equal(s.n_servers, 4);
	assert_int_equal(n_bad, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(s.servers[i], want[i]);
	for (int i = 0; i < 100; i++)
		settings_add_resolv_conf(&s, SLICE("nameserver 192.0.2.5\n"));
	assert_int_equal(s.n_servers, SETTINGS_SERVERS_MAX);
	settings_free(&s);
}

static void
test_anchors(void **state)
{
	struct settings s = { .n_anchors = 0 };

	(void)state;
	settings_add_anchors(&s, SLICE("; the root\n\n"
	    ". IN DS 20326 8 2 AB ; made up\r\n\t. 172800 IN DNSKEY 257 3 8 "
	    "AwEA\n"));
	assert_int_equal(s.n_anchors, 2);
	assert_string_equal(s.anchors[0], ". IN DS 20326 8 2 AB");
	assert_string_equal(s.anchors[1],
	    ". 172800 IN DNSKEY 257 3 8 AwEA");
	for (int i = 0; i < 100; i++)
		settings_add_anchors(&s, SLICE(". IN DS 1 8 2 AB\n"));
	assert_int_equal(s.n_anchors, SETTINGS_ANCHORS_MAX);
	settings_free(&s);
}

/* ---- questions, over an engine that answers when it is told to ---- */

struct lookup {
	engine_answered_fn *answered;
	void *arg;
	bool is_out;
};

static struct fake {
	struct lookup lookups[16];
	unsigned n_asked, n_cancelled, n_proving;
	bool fails, answers_at_once;
} engine;

#define ENGINE ((struct engine *)&engine)
#define PROVING ((struct engine *)&engine.n_proving)	/* another */

/* "a.b A 1.2.3.4" with id 0. */
static const char packet[] = "\0\0\x81\x80\0\1\0\1\0\0\0\0"
    "\1a\1b\0\0\1\0\1" "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4";
static const struct engine_result good = { .is_answered = true,
	.security = ENGINE_SECURE, .packet = { packet, sizeof packet - 1 } };

int
engine_ask(struct engine *e, struct slice name, uint16_t type,
    engine_answered_fn *answered, void *arg, struct lookup **lookup)
{
	struct lookup *l = &engine.lookups[engine.n_asked % 16];

	(void)name;
	(void)type;
	assert_true(e == ENGINE || e == PROVING);
	engine.n_proving += e == PROVING;
	*lookup = NULL;
	if (engine.fails)
		return -EIO;
	engine.n_asked++;
	if (engine.answers_at_once) {
		answered(arg, &good);
		return 0;
	}
	*l = (struct lookup){ answered, arg, true };
	*lookup = l;
	return 0;
}

bool
engine_validates(const struct engine *e)
{
	return e == PROVING;
}

void
engine_cancel(struct engine *e, struct lookup **lookup)
{
	(void)e;
	if (*lookup == NULL)
		return;
	assert_true((*lookup)->is_out);
	(*lookup)->is_out = false;
	*lookup = NULL;
	engine.n_cancelled++;
}

static void
engine_answers(unsigned i, const struct engine_result *result)
{
	assert_true(engine.lookups[i].is_out);
	engine.lookups[i].is_out = false;
	engine.lookups[i].answered(engine.lookups[i].arg, result);
}

static struct {
	unsigned n;
	uint32_t id;
	void *peer;
	enum dns_status status;
	bool is_secure, is_unchecked;
	char canonical[64];
	struct loop *stops;		/* when n is wanted */
	unsigned wanted;
} got;

static void
on_answer(void *peer, uint32_t id, const struct dns_answer *answer)
{
	got.n++;
	got.id = id;
	got.peer = peer;
	got.status = answer->status;
	got.is_secure = answer->is_secure;
	got.is_unchecked = answer->is_unchecked;
	(void)slice_copy(got.canonical, sizeof got.canonical,
	    answer->canonical);
	if (got.stops != NULL && got.n == got.wanted)
		loop_stop(got.stops);
}

struct fixture {
	struct loop *loop;
	struct alarms *alarms;
	struct questions *questions;
	struct loop_timer guard;
	int peers[2];
};

static int
setup(void **state)
{
	static struct fixture f;
	const struct questions_limits limits = { .most = 6, .per_network = 3,
		.timeout_ms = 50 };

	memset(&f, 0, sizeof f);
	memset(&engine, 0, sizeof engine);
	memset(&got, 0, sizeof got);
	f.loop = loop_new();
	f.alarms = alarms_new(f.loop);
	f.questions = questions_new(f.alarms, &limits, on_answer);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	questions_free(&f->questions);
	alarms_free(&f->alarms);
	loop_free(&f->loop);
	return 0;
}

static void
ask(struct fixture *f, uint32_t id, const char *name, const char *network)
{
	const struct dns_ask q = { DNS_A, slice_of(name),
		slice_of(network), false };

	questions_ask(f->questions, &f->peers[id / 100], id, &q, 10000);
}

static void
too_late(struct loop_timer *timer, void *arg)
{
	(void)timer;
	(void)arg;
	fail_msg("there were %u answers only", got.n);
}

static void
run_until(struct fixture *f, unsigned wanted)
{
	got.stops = f->loop;
	got.wanted = wanted;
	loop_timer_start(f->loop, &f->guard, 30000, too_late, NULL);
	loop_run(f->loop);
	loop_timer_stop(f->loop, &f->guard);
	got.stops = NULL;
}

static void
test_asked_once_and_answered_each(void **state)
{
	struct fixture *f = *state;
	const struct dns_ask other = { DNS_MX, SLICE("a.b"), SLICE(""),
		false };

	questions_use(f->questions, ENGINE, ENGINE);
	ask(f, 1, "a.b", "n");
	ask(f, 2, "a.b", "n");
	ask(f, 101, "a.b", "m");
	assert_int_equal(engine.n_asked, 1);
	questions_ask(f->questions, &f->peers[0], 3, &other, 10000);
	assert_int_equal(engine.n_asked, 2);
	engine_answers(0, &good);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.status, DNS_OK);
	assert_true(got.is_secure);
	assert_int_equal(questions_count(f->questions).n_waiting, 1);
	assert_int_equal(questions_count(f->questions).joined, 2);
	assert_int_equal(questions_count(f->questions).n_networks, 0);
	assert_int_equal(engine.n_cancelled, 0);
}

static void
test_bogus_is_silence(void **state)
{
	struct fixture *f = *state;
	struct engine_result bogus = good;
	const struct engine_result nothing = { .is_answered = false };

	bogus.security = ENGINE_BOGUS;
	questions_use(f->questions, ENGINE, ENGINE);
	ask(f, 1, "a.b", "");
	engine_answers(0, &bogus);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.status, DNS_FAILED);
	assert_false(got.is_secure);
	assert_int_equal(questions_count(f->questions).bogus, 1);
	ask(f, 2, "a.b", "");
	engine_answers(1, &nothing);
	assert_int_equal(got.status, DNS_FAILED);
	engine.fails = true;
	ask(f, 3, "a.b", "");
	assert_int_equal(got.id, 3);
	assert_int_equal(got.status, DNS_FAILED);
	assert_int_equal(questions_count(f->questions).n_lookups, 0);
}

/* Who wants a proof has an engine of his own, and is told more. */
static void
test_proof(void **state)
{
	static const char alias[] = "\0\0\x81\x80\0\1\0\2\0\0\0\0"
	    "\1a\1b\0\0\1\0\1" "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1c\xc0\x0e"
	    "\xc0\x21\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4";
	const struct engine_result chain = { .is_answered = true,
		.security = ENGINE_INSECURE, .packet = { alias,
		sizeof alias - 1 } };
	struct fixture *f = *state;
	const struct dns_ask proof = { DNS_A, SLICE("a.b"), SLICE(""), true };

	questions_use(f->questions, ENGINE, PROVING);
	ask(f, 1, "a.b", "");
	questions_ask(f->questions, &f->peers[0], 2, &proof, 10000);
	assert_int_equal(engine.n_asked, 2);	/* they do not join */
	assert_int_equal(engine.n_proving, 1);
	engine_answers(0, &chain);
	assert_int_equal(got.id, 1);
	assert_int_equal(got.status, DNS_OK);
	assert_string_equal(got.canonical, "");
	engine_answers(1, &chain);
	assert_int_equal(got.id, 2);
	assert_string_equal(got.canonical, "c.b");
	assert_false(got.is_unchecked);
	questions_use(f->questions, ENGINE, ENGINE);
	questions_ask(f->questions, &f->peers[0], 3, &proof, 10000);
	engine_answers(2, &chain);
	assert_true(got.is_unchecked && !got.is_secure);
}

static void
test_limits(void **state)
{
	struct fixture *f = *state;

	questions_use(f->questions, ENGINE, ENGINE);
	ask(f, 1, "a.b", "n");
	ask(f, 2, "a.b", "n");		/* joining counts too */
	ask(f, 3, "c.b", "n");
	assert_int_equal(got.n, 0);
	ask(f, 4, "d.b", "n");
	assert_int_equal(got.n, 1);
	assert_int_equal(got.id, 4);
	assert_int_equal(got.status, DNS_FAILED);
	ask(f, 5, "d.b", "m");
	ask(f, 6, "e.b", "");
	ask(f, 7, "f.b", "");
	assert_int_equal(got.n, 1);
	ask(f, 8, "g.b", "");		/* six are out */
	assert_int_equal(got.id, 8);
	assert_int_equal(got.status, DNS_FAILED);
	assert_int_equal(questions_count(f->questions).over_limit, 2);
	engine_answers(0, &good);
	ask(f, 9, "h.b", "n");
	assert_int_equal(got.n, 4);
	assert_int_equal(questions_count(f->questions).n_waiting, 5);
}

static void
test_deadline_and_the_deserted(void **state)
{
	struct fixture *f = *state;

	questions_use(f->questions, ENGINE, ENGINE);
	ask(f, 1, "a.b", "n");
	ask(f, 2, "c.b", "n");
	ask(f, 3, "d.b", "n");
	run_until(f, 3);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.status, DNS_FAILED);
	assert_int_equal(questions_count(f->questions).timed_out, 3);
	assert_int_equal(questions_count(f->questions).n_waiting, 0);
	assert_int_equal(questions_count(f->questions).n_lookups, 3);
	ask(f, 4, "e.b", "n");		/* its share is still taken */
	assert_int_equal(got.n, 4);
	ask(f, 5, "a.b", "m");		/* joins the deserted one */
	assert_int_equal(engine.n_asked, 3);
	engine_answers(0, &good);
	assert_int_equal(got.id, 5);
	assert_int_equal(got.status, DNS_OK);
	engine_answers(1, &good);	/* late: nobody is told */
	assert_int_equal(got.n, 5);
	ask(f, 6, "e.b", "n");
	assert_int_equal(got.n, 5);
	assert_int_equal(engine.n_asked, 4);
}

static void
test_held_until_there_is_an_engine(void **state)
{
	struct fixture *f = *state;

	ask(f, 1, "a.b", "n");
	ask(f, 2, "c.b", "n");
	ask(f, 101, "d.b", "n");
	assert_int_equal(engine.n_asked, 0);
	questions_forget_peer(f->questions, &f->peers[1]);
	assert_int_equal(questions_count(f->questions).n_lookups, 2);
	engine.answers_at_once = true;
	questions_use(f->questions, ENGINE, ENGINE);
	assert_int_equal(engine.n_asked, 2);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.status, DNS_OK);
	assert_int_equal(questions_count(f->questions).cached, 2);
	assert_int_equal(questions_count(f->questions).n_lookups, 0);
	/* one that nobody waits for any more is not even begun */
	questions_use(f->questions, NULL, NULL);
	ask(f, 3, "e.b", "n");
	run_until(f, 3);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.status, DNS_FAILED);
	assert_int_equal(questions_count(f->questions).n_lookups, 0);
	assert_int_equal(questions_count(f->questions).n_networks, 0);
}

static void
test_peer_is_gone(void **state)
{
	struct fixture *f = *state;

	questions_use(f->questions, ENGINE, ENGINE);
	ask(f, 1, "a.b", "n");
	ask(f, 101, "a.b", "n");
	ask(f, 102, "c.b", "n");
	questions_forget_peer(f->questions, &f->peers[1]);
	assert_int_equal(questions_count(f->questions).n_waiting, 1);
	engine_answers(0, &good);
	engine_answers(1, &good);
	assert_int_equal(got.n, 1);
	assert_ptr_equal(got.peer, &f->peers[0]);
	assert_int_equal(questions_count(f->questions).n_networks, 0);
	ask(f, 1, "a.b", "n");
	questions_free(&f->questions);
	assert_int_equal(engine.n_cancelled, 1);
	assert_int_equal(got.n, 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, \
	teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarms_ring_in_order),
		cmocka_unit_test(test_alarm_that_is_stopped),
		cmocka_unit_test(test_alarms_at_once),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_resolv_conf),
		cmocka_unit_test(test_anchors),
		WITH_FIXTURE(test_asked_once_and_answered_each),
		WITH_FIXTURE(test_bogus_is_silence),
		WITH_FIXTURE(test_proof),
		WITH_FIXTURE(test_limits),
		WITH_FIXTURE(test_deadline_and_the_deserted),
		WITH_FIXTURE(test_held_until_there_is_an_engine),
		WITH_FIXTURE(test_peer_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
