/* SPDX-License-Identifier: ISC */
/*
 * Policies of MTA-STS on a real table: they come back as they were, in
 * order, over a restart; what has expired or was changed does not; and there
 * are never more than so many.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "clock.h"
#include "../../store/sts.h"

#define NOW 2000000000

static char folder[64];
static struct kv *kv;
static struct hmac *hmac;
static struct sts_table *table;

static void
open_all(void)
{
	assert_int_equal(kv_open(&kv, folder), 0);
	assert_int_equal(sts_open(&table, kv, hmac), 0);
}

static void
close_all(void)
{
	sts_close(&table);
	kv_close(&kv);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_sts.XXXXXX");
	if (mkdtemp(folder) == NULL || hmac_new(&hmac, "secret", 6) != 0)
		return -1;
	clock_set_for_tests(1000000, NOW * (int64_t)1000000);
	open_all();
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	close_all();
	hmac_free(&hmac);
	clock_set_for_tests(0, 0);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static int
keep(const char *domain, const char *text, uint64_t lives_s)
{
	const struct sts_kept p = { slice_of(domain), SLICE("id1"), NOW,
		NOW + lives_s, slice_of(text) };

	return sts_keep(table, &p);
}

/* The next one is this; NULL: there is none. */
static void
next_is(const char *behind, const char *domain, const char *text)
{
	struct sts_kept p;
	int error = sts_next(table, slice_of(behind), &p);

	if (domain == NULL) {
		assert_int_equal(error, -ENOENT);
		return;
	}
	assert_int_equal(error, 0);
	assert_true(slice_equals(p.domain, slice_of(domain)));
	assert_true(slice_equals(p.text, slice_of(text)));
	assert_true(slice_equals(p.id, SLICE("id1")));
	assert_int_equal(p.fetched_s, NOW);
}

static void
test_comes_back(void **state)
{
	static char large[STS_KEPT_TEXT_MAX + 1];

	(void)state;
	memset(large, 'x', sizeof large - 1);
	next_is("", NULL, NULL);
	assert_int_equal(keep("b.example", "one", 100), 0);
	assert_int_equal(keep("a.example", large, 100), 0);
	assert_int_equal(keep("c.example", "three", 100), 0);
	assert_int_equal(keep("b.example", "two", 200), 0);
	for (int i = 0; i < 2; i++) {
		next_is("", "a.example", large);
		next_is("a.example", "b.example", "two");
		next_is("b", "b.example", "two");
		next_is("b.example", "c.example", "three");
		next_is("c.example", NULL, NULL);
		assert_int_equal(kv_commit(kv), 0);
		close_all();
		open_all();
	}
	/* a large one gives way to a small one, and is forgotten at all */
	assert_int_equal(keep("a.example", "small", 100), 0);
	next_is("", "a.example", "small");
	assert_int_equal(keep("a.example", "", 0), 0);
	assert_int_equal(keep("a.example", "", 0), 0);
	next_is("", "b.example", "two");
	assert_int_equal(kv_commit(kv), 0);
	close_all();
	open_all();
	next_is("", "b.example", "two");
}

static void
test_expires(void **state)
{
	(void)state;
	assert_int_equal(keep("a.example", "one", 100), 0);
	assert_int_equal(keep("b.example", "two", 300), 0);
	clock_set_for_tests(1000000, (NOW + 200) * (int64_t)1000000);
	next_is("", "b.example", "two");
	clock_set_for_tests(1000000, (NOW + 400) * (int64_t)1000000);
	next_is("", NULL, NULL);
}

static struct {
	char key[KV_KEY_MAX], value[KV_VALUE_MAX];
	size_t key_size, size;
} seen;

static bool
note(struct slice key, struct slice value, void *arg)
{
	(void)arg;
	memcpy(seen.key, key.data, key.size);
	memcpy(seen.value, value.data, value.size);
	seen.key_size = key.size;
	seen.size = value.size;
	return true;
}

/* As if somebody else had written to the file: whatever he changes. */
static void
test_changed(void **state)
{
	struct kv_table *direct;

	(void)state;
	assert_int_equal(keep("a.example", "one", 100), 0);
	assert_int_equal(kv_table_open(kv, "sts", &direct), 0);
	assert_int_equal(kv_iterate(direct, note, NULL), 0);
	for (size_t i = 0; i <= seen.size; i++) {
		struct slice key = { seen.key, seen.key_size };
		struct slice value = { seen.value, seen.size };

		/* the last time as it was */
		if (i < seen.size)
			seen.value[i] ^= 1;
		assert_int_equal(kv_put(direct, key, value, 0), 0);
		if (i < seen.size)
			seen.value[i] ^= 1;
		sts_close(&table);
		assert_int_equal(sts_open(&table, kv, hmac), 0);
		next_is("", i < seen.size ? NULL : "a.example", "one");
	}
}

/* Another key: all that an attacker could have is worth nothing. */
static void
test_other_secret(void **state)
{
	(void)state;
	assert_int_equal(keep("a.example", "one", 100), 0);
	assert_int_equal(kv_commit(kv), 0);
	close_all();
	hmac_free(&hmac);
	assert_int_equal(hmac_new(&hmac, "another", 7), 0);
	open_all();
	next_is("", NULL, NULL);
	/* and it makes room */
	assert_int_equal(keep("a.example", "two", 100), 0);
	next_is("", "a.example", "two");
}

static void
test_bounds(void **state)
{
	char name[64];

	(void)state;
	for (unsigned i = 0; i < STS_KEPT_MAX; i++) {
		snprintf(name, sizeof name, "d%04u.example", i);
		assert_int_equal(keep(name, "one", i < 3 ? 100 : 1000), 0);
	}
	assert_int_equal(keep("x.example", "one", 1000), -ENOSPC);
	assert_int_equal(keep("d0004.example", "new", 1000), 0);
	next_is("d0003.example", "d0004.example", "new");
	/* those that have expired make room */
	clock_set_for_tests(1000000, (NOW + 200) * (int64_t)1000000);
	assert_int_equal(keep("x.example", "one", 1000), 0);
	next_is("", "d0003.example", "one");
	next_is("d0999.example", "x.example", "one");
}

#define WITH_TABLE(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TABLE(test_comes_back),
		WITH_TABLE(test_expires),
		WITH_TABLE(test_changed),
		WITH_TABLE(test_other_secret),
		WITH_TABLE(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
