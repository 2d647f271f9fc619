/* SPDX-License-Identifier: ISC */
/*
 * test_work.c - questions to workers, there and back, and malformed ones.
 */
#include <errno.h>
#include "../../deliver/work.h"
#include "table.h"

static const struct work sample = { .kind = WORK_PREPARE, .is_junk = true,
	.message_size = 4096, .return_path = { "Return-Path: <>\n", 16 },
	.trace = { "Received: x\n", 12 }, .n_leaves = 2, .leaves = {
	    { .maildir = { "/home/a/Maildir", 15 }, .home = { "/home/a", 7 },
	      .file = { "1.M2_0_0.h,S=5", 14 },
	      .delivered_to = { "Delivered-To: a\n", 16 }, .quota_bytes = 7,
	      .size_bytes = 1ull << 40 },
	    { .maildir = { "/v/b", 4 }, .home = { "", 0 },
	      .file = { "1.M2_1_0.h,S=5", 14 },
	      .delivered_to = { "", 0 } } } };

static void
encode(struct ipc_writer *w, const struct work *work)
{
	ipc_writer_init(w);
	put_work(w, work);
	assert_false(w->failed);
}

static bool
decode(const struct ipc_writer *w, size_t size, struct work *work)
{
	struct ipc_reader r;

	ipc_reader_init(&r, w->data, size);
	return get_work(&r, work);
}

static void
test_work_there_and_back(void **state)
{
	static struct ipc_writer w;
	static struct work got;

	(void)state;
	encode(&w, &sample);
	assert_true(decode(&w, w.size, &got));
	assert_int_equal(got.kind, WORK_PREPARE);
	assert_true(got.is_junk);
	assert_int_equal(got.message_size, 4096);
	assert_true(slice_equals(got.return_path, sample.return_path));
	assert_true(slice_equals(got.trace, sample.trace));
	assert_int_equal(got.n_leaves, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct work_leaf *a = &got.leaves[i];
		const struct work_leaf *b = &sample.leaves[i];

		assert_true(slice_equals(a->maildir, b->maildir));
		assert_true(slice_equals(a->home, b->home));
		assert_true(slice_equals(a->file, b->file));
		assert_true(slice_equals(a->delivered_to, b->delivered_to));
		assert_int_equal(a->quota_bytes, b->quota_bytes);
		assert_int_equal(a->size_bytes, b->size_bytes);
	}
	for (size_t size = 0; size < w.size; size++)
		assert_false(decode(&w, size, &got));
	w.data[w.size] = 0;
	assert_false(decode(&w, w.size + 1, &got));
}

static void
test_malformed_work(void **state)
{
	static const struct {
		const char *name;
		enum work_kind kind;
		uint16_t n_leaves;
		const char *maildir, *home, *file;
		bool want;
	} rows[] = {
		{ "good", WORK_COMMIT, 1, "/m", "", "f", true },
		{ "probe without file", WORK_PROBE, 1, "/m", "", "", true },
		{ "sweep without file", WORK_SWEEP, 1, "/m", "", "", true },
		{ "kind 0", 0, 1, "/m", "", "f", false },
		{ "kind too high", WORK_SWEEP + 1, 1, "/m", "", "f", false },
		{ "no leaf", WORK_COMMIT, 0, "/m", "", "f", false },
		{ "no path", WORK_COMMIT, 1, "", "", "f", false },
		{ "relative path", WORK_COMMIT, 1, "m", "", "f", false },
		{ "relative home", WORK_COMMIT, 1, "/m", "h", "f", false },
		{ "no file", WORK_COMMIT, 1, "/m", "", "", false },
		{ "file with /", WORK_COMMIT, 1, "/m", "", "../f", false },
		{ "file ..", WORK_ABORT, 1, "/m", "", "..", false },
	};
	static struct ipc_writer w;
	static struct work work, got;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		work = (struct work){ .kind = rows[i].kind,
			.n_leaves = rows[i].n_leaves };
		work.leaves[0] = (struct work_leaf){
			.maildir = slice_of(rows[i].maildir),
			.home = slice_of(rows[i].home),
			.file = slice_of(rows[i].file) };
		encode(&w, &work);
		CHECK(rows[i].name, decode(&w, w.size, &got) == rows[i].want);
	}
}

static void
test_answer_there_and_back(void **state)
{
	static struct ipc_writer w;
	struct work_answer a = { .n_leaves = 3, .leaves = {
		{ 0, UINT64_MAX }, { -ENOSPC, 0 }, { -4095, 1 } } }, got;
	struct ipc_reader r;

	(void)state;
	ipc_writer_init(&w);
	put_work_answer(&w, &a);
	ipc_reader_init(&r, w.data, w.size);
	assert_true(get_work_answer(&r, &got));
	assert_int_equal(got.n_leaves, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(got.leaves[i].error, a.leaves[i].error);
		assert_int_equal(got.leaves[i].value, a.leaves[i].value);
	}
	for (size_t size = 0; size < w.size; size++) {
		ipc_reader_init(&r, w.data, size);
		assert_false(get_work_answer(&r, &got));
	}
}

static void
test_malformed_answer(void **state)
{
	static struct ipc_writer w;
	struct work_answer got;
	struct ipc_reader r;

	(void)state;
	/* a positive errno, and one that no kernel knows */
	for (int error = 4096; error > -100000; error -= 100000) {
		ipc_writer_init(&w);
		ipc_put_u16(&w, 1);
		ipc_put_u32(&w, (uint32_t)error);
		ipc_put_u64(&w, 0);
		ipc_reader_init(&r, w.data, w.size);
		assert_false(get_work_answer(&r, &got));
	}
	ipc_writer_init(&w);
	ipc_put_u16(&w, WORK_MAX_LEAVES + 1);
	for (int i = 0; i <= WORK_MAX_LEAVES; i++) {
		ipc_put_u32(&w, 0);
		ipc_put_u64(&w, 0);
	}
	ipc_reader_init(&r, w.data, w.size);
	assert_false(get_work_answer(&r, &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_there_and_back),
		cmocka_unit_test(test_malformed_work),
		cmocka_unit_test(test_answer_there_and_back),
		cmocka_unit_test(test_malformed_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
