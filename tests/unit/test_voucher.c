/* SPDX-License-Identifier: ISC */
/*
 * test_voucher.c - vouchers: what the MAC covers, when they end, and how
 * they travel.
 */
#include <errno.h>
#include <string.h>
#include "table.h"
#include "voucher.h"

static const uint8_t key[VOUCHER_KEY_SIZE] = { 1, 2, 3 };

static struct voucher
alice(void)
{
	struct voucher v = { .user = SLICE("alice@example.org"),
		.address = SLICE("alice@example.org"),
		.session = SLICE("k3f9q2m7t"), .expires_s = 1000 };

	assert_int_equal(voucher_make(&v, key), 0);
	return v;
}

static void
test_believed_until_it_ends(void **state)
{
	const struct voucher v = alice();

	(void)state;
	assert_int_equal(voucher_check(&v, key, 0), 0);
	assert_int_equal(voucher_check(&v, key, 999), 0);
	assert_int_equal(voucher_check(&v, key, 1000), -ETIMEDOUT);
}

/* What smtpd could change, each at a time. */
static void
test_nothing_can_be_changed(void **state)
{
	const uint8_t other_key[VOUCHER_KEY_SIZE] = { 1, 2, 4 };
	struct voucher v;

	(void)state;
	v = alice();
	assert_int_equal(voucher_check(&v, other_key, 1), -EACCES);
	v.user = SLICE("bob@example.org");
	assert_int_equal(voucher_check(&v, key, 1), -EACCES);
	v = alice();
	v.address = SLICE("bob@example.org");
	assert_int_equal(voucher_check(&v, key, 1), -EACCES);
	v = alice();
	v.session = SLICE("k3f9q2m7u");
	assert_int_equal(voucher_check(&v, key, 1), -EACCES);
	v = alice();
	v.expires_s++;
	assert_int_equal(voucher_check(&v, key, 1), -EACCES);
	for (size_t i = 0; i < VOUCHER_MAC_SIZE; i++) {
		v = alice();
		v.mac[i] ^= 1;
		assert_int_equal(voucher_check(&v, key, 1), -EACCES);
	}
}

/* The end of one field is not the beginning of the next. */
static void
test_fields_do_not_run_together(void **state)
{
	struct voucher v = alice();

	(void)state;
	v.user = SLICE("alice@example.orga");
	v.address = SLICE("lice@example.org");
	assert_int_equal(voucher_check(&v, key, 1), -EACCES);
}

static void
test_what_is_no_voucher(void **state)
{
	static char octets[VOUCHER_ADDRESS_MAX];
	struct voucher v = alice();

	(void)state;
	memset(octets, 'a', sizeof octets);
	v.user = SLICE("");
	assert_int_equal(voucher_make(&v, key), -EINVAL);
	v.user = (struct slice){ octets, VOUCHER_USER_MAX - 1 };
	assert_int_equal(voucher_make(&v, key), 0);
	v.user.size++;
	assert_int_equal(voucher_make(&v, key), -EINVAL);
	v.user = SLICE("a\nb");
	assert_int_equal(voucher_make(&v, key), -EINVAL);
	v = alice();
	v.address = (struct slice){ octets, VOUCHER_ADDRESS_MAX };
	assert_int_equal(voucher_make(&v, key), -EINVAL);
	v = alice();
	v.session = (struct slice){ octets, VOUCHER_SESSION_MAX };
	assert_int_equal(voucher_make(&v, key), -EINVAL);
}

static void
test_round_trip(void **state)
{
	static struct ipc_writer w;
	const struct voucher v = alice();
	struct ipc_reader r;
	struct voucher read;

	(void)state;
	ipc_writer_init(&w);
	put_voucher(&w, &v);
	ipc_put_u8(&w, 7);
	ipc_reader_init(&r, w.data, w.size);
	assert_true(get_voucher(&r, &read));
	assert_int_equal(ipc_get_u8(&r), 7);
	assert_true(ipc_reader_is_done(&r));
	assert_int_equal(voucher_check(&read, key, 1), 0);
	for (size_t cut = 0; cut < w.size - 1; cut++) {
		ipc_reader_init(&r, w.data, cut);
		assert_false(get_voucher(&r, &read));
	}
	ipc_writer_init(&w);
	read = v;
	read.user = SLICE("");
	put_voucher(&w, &read);
	ipc_reader_init(&r, w.data, w.size);
	assert_false(get_voucher(&r, &read));
}

static void
test_copy(void **state)
{
	struct voucher v = alice();
	struct voucher_copy copy;

	(void)state;
	assert_true(voucher_copy(&copy, &v));
	assert_ptr_equal(copy.voucher.user.data, copy.user);
	assert_ptr_equal(copy.voucher.address.data, copy.address);
	assert_ptr_equal(copy.voucher.session.data, copy.session);
	assert_int_equal(voucher_check(&copy.voucher, key, 1), 0);
	v.session = SLICE("012345678901234567890123");
	assert_false(voucher_copy(&copy, &v));
	assert_int_equal(copy.voucher.user.size, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_believed_until_it_ends),
		cmocka_unit_test(test_nothing_can_be_changed),
		cmocka_unit_test(test_fields_do_not_run_together),
		cmocka_unit_test(test_what_is_no_voucher),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
