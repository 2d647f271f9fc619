/* SPDX-License-Identifier: ISC */
/*
 * test_records_disk.c - delivery records when the disk does not answer:
 * ended.h is played here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "clock.h"
#include "../../store/ended.h"
#include "../../store/records.h"

#define NOW_S 1000000000

static int found, put_error;
static unsigned n_put, n_recounted;
static int64_t put_until_s;

int
ended_find(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE])
{
	(void)ended;
	(void)key;
	return found;
}

int
ended_put(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE],
    int64_t expires_s)
{
	(void)ended;
	(void)key;
	n_put++;
	put_until_s = expires_s;
	return put_error;
}

int
ended_delete(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE])
{
	(void)ended;
	(void)key;
	return 0;
}

int
ended_recount(struct ended *ended)
{
	(void)ended;
	n_recounted++;
	return 0;
}

static char path[64];
static struct records_parts parts;
static struct records *records;
static const char peer;

static int
setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/test_records_disk.XXXXXX");
	fd = mkstemp(path);
	close(fd);
	found = put_error = 0;
	n_put = n_recounted = 0;
	clock_set_for_tests(1000000, (int64_t)NOW_S * 1000000);
	assert_int_equal(slots_open(&parts.slots, path), 0);
	assert_int_equal(hmac_new(&parts.hmac, "secret", 6), 0);
	return records_open(&records, &parts);
}

static int
teardown(void **state)
{
	(void)state;
	records_close(&records);
	hmac_free(&parts.hmac);
	slots_close(&parts.slots);
	clock_set_for_tests(0, 0);
	return unlink(path);
}

static enum record_state
begin(uint64_t transaction)
{
	struct record_begin q = { .transaction = transaction, .n_entries = 1,
		.reverse_path = SLICE("alice@example.org") };
	struct record_states states;

	q.entries[0] = (struct record_entry){ .recipient = SLICE("a"),
		.maildir = SLICE("/m"), .file = SLICE("f") };
	assert_true(records_begin(records, &peer, &q, &states));
	return (enum record_state)states.states[0];
}

/* An answer that is none is neither "deliver it" nor "he has it". */
static void
a_disk_that_cannot_tell_is_open(void **state)
{
	(void)state;
	found = -EIO;
	assert_int_equal(begin(1), RECORD_IS_OPEN);
	found = 1;
	assert_int_equal(begin(2), RECORD_IS_DONE);
	found = 0;
	assert_int_equal(begin(3), RECORD_IS_NEW);
}

static void
what_cannot_be_put_is_kept(void **state)
{
	const struct record_list all = { .transaction = 1 };
	struct records_counts counts;

	(void)state;
	assert_int_equal(begin(1), RECORD_IS_NEW);
	assert_int_equal(records_intent(records, &peer, 1), RECORDS_OK);
	assert_int_equal(records_done(records, &peer, &all), RECORDS_OK);
	/* 48 hours from the delivery, however late it is put */
	clock_set_for_tests(1000000, (int64_t)(NOW_S + 1000) * 1000000);
	records_end(records, &peer, 1);
	put_error = -EIO;
	assert_int_equal(records_store(records), -EIO);
	records_stored(records, -EIO);
	assert_int_equal(n_recounted, 1);
	assert_int_equal(begin(2), RECORD_IS_DONE);
	assert_true(records_have_unstored(records));
	put_error = 0;
	assert_int_equal(records_store(records), 0);
	records_stored(records, 0);
	assert_int_equal(n_recounted, 1);
	assert_int_equal(n_put, 2);
	assert_int_equal(put_until_s, NOW_S + 48 * 3600);
	records_get_counts(records, &counts);
	assert_int_equal(counts.n_live, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_disk_that_cannot_tell_is_open),
		TEST(what_cannot_be_put_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
