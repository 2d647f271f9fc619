/* SPDX-License-Identifier: ISC */
/*
 * test_dnssec_probe.c - when validation is on: name servers of each kind,
 * and the order of what they say. Engine, alarms and clients are fakes here.
 */
#include <string.h>
#include "../../resolver/probe.h"
#include "../../resolver/rdata.h"
#include "table.h"

#define DNSKEY 48
/* What the probe has asked last, and what its alarm waits for. */
static struct {
	char plain, validating;		/* engines are told apart, not used */
	const void *engine, *used;
	uint16_t type;
	engine_answered_fn *answered;
	void *arg;
	alarm_fn *alarm;
} world;

int
engine_ask(struct engine *engine, struct slice name, uint16_t type,
    engine_answered_fn *answered, void *arg, struct lookup **lookup)
{
	(void)name;
	*lookup = NULL;
	world.engine = engine;
	world.type = type;
	world.answered = answered;
	world.arg = arg;
	return 0;
}

void
engine_cancel(struct engine *engine, struct lookup **lookup)
{
	(void)engine;
	*lookup = NULL;
}

void
questions_use(struct questions *questions, struct engine *engine,
    struct engine *proving)
{
	(void)questions;
	(void)proving;
	world.used = engine;
}

struct questions_counts
questions_count(const struct questions *questions)
{
	(void)questions;
	return (struct questions_counts){ 0 };
}

/* The last one is what asks next. */
int
alarm_start(struct alarms *alarms, struct alarm *alarm, int64_t after_us,
    alarm_fn *fn, void *arg)
{
	(void)alarms;
	(void)alarm;
	(void)arg;
	(void)after_us;
	world.alarm = fn;
	return 0;
}

void
alarm_stop(struct alarms *alarms, struct alarm *alarm)
{
	(void)alarms;
	(void)alarm;
}

bool
rdata_has_type(struct slice packet, uint16_t type)
{
	(void)type;
	return slice_equals(packet, SLICE("signed"));
}

/* K: the keys are asked for with validation, k: without; s: a name that
 * nobody has. */
static char
asked(void)
{
	return world.type != DNSKEY ? 's' :
	    world.engine == &world.validating ? 'K' : 'k';
}

/* '+' it is secure or signed, '0' it is bare, '-' nobody answers. */
static void
answer(char how)
{
	engine_answered_fn *answered = world.answered;
	const struct engine_result result = { .is_answered = how != '-',
		.security = how == '+' && asked() == 'K' ? ENGINE_SECURE :
		ENGINE_INSECURE,
		.packet = how == '+' ? SLICE("signed") : SLICE("bare") };

	world.answered = NULL;
	world.alarm = NULL;
	assert_non_null(answered);
	answered(world.arg, &result);
}

/* Pairs of what must be asked and what is answered; then the state. */
static void
test_orders(void **state)
{
	static const struct { const char *said, *want; } rows[] = {
		{ "K+s+", "on" },
		{ "K+s-", "on" },
		{ "K+s0", "off" },
		{ "K0k0", "off" },
		{ "K0k+", "failing" },
		{ "K-k-K+s+", "on" },
		{ "K+s0s+K+", "on" },
		{ "K0k+s+K+", "on" },
		{ "K0k+s+K0k+", "failing" },
		/* silence is no signature */
		{ "K+s0s-", "off" },
		{ "K+s0s-s0", "off" },
		{ "K+s0s-s+K+", "on" },
		{ "K0k+s-s+K0k+", "failing" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct settings settings = { .anchors = { strdup(". IN DS") },
			.n_anchors = 1 };
		struct probe *probe;

		memset(&world, 0, sizeof world);
		probe = probe_new(NULL, NULL, (struct engine *)&world.plain,
		    (struct engine *)&world.validating, &settings);
		assert_non_null(probe);
		for (const char *c = rows[i].said; *c != '\0'; c += 2) {
			if (world.answered == NULL)
				world.alarm(world.arg);
			if (asked() != *c)
				fail_msg("%s: %c for %s", rows[i].said,
				    asked(), c);
			answer(c[1]);
		}
		CHECK_STRING(rows[i].said, probe_state(probe), rows[i].want);
		probe_free(&probe);
		free(settings.anchors[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
