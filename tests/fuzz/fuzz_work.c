/* SPDX-License-Identifier: ISC */
/*
 * fuzz_work.c - what deliver's supervisor, workers and runner send each other.
 * Whatever decodes holds no path or name that a worker must not use, and
 * encodes to the same again.
 */
#include <string.h>
#include "../../deliver/maildir.h"
#include "../../deliver/program_verdict.h"
#include "../../deliver/run.h"
#include "../../deliver/work.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_work(const uint8_t *data, size_t size, const struct work *work)
{
	static struct ipc_writer w;

	REQUIRE(work->n_leaves >= 1 && work->n_leaves <= WORK_MAX_LEAVES);
	for (size_t i = 0; i < work->n_leaves; i++) {
		const struct work_leaf *leaf = &work->leaves[i];

		REQUIRE(leaf->maildir.size > 0 && leaf->maildir.data[0] == '/');
		REQUIRE(slice_find(leaf->maildir, '\0') == leaf->maildir.size);
		REQUIRE(slice_find(leaf->file, '/') == leaf->file.size ||
		    work->kind == WORK_PROBE || work->kind == WORK_SWEEP);
	}
	ipc_writer_init(&w);
	put_work(&w, work);
	REQUIRE(!w.failed && w.size == size &&
	    memcmp(w.data, data, size) == 0);
}

static void
check_run(const uint8_t *data, size_t size)
{
	static struct ipc_writer w;
	struct ipc_reader r;
	struct run run;

	ipc_reader_init(&r, data, size);
	if (!get_run(&r, &run))
		return;
	REQUIRE(run.command.size > 0 && !slice_has_control(run.command));
	REQUIRE(!slice_has_control(run.sender));
	ipc_writer_init(&w);
	put_run(&w, &run);
	REQUIRE(!w.failed && w.size == size &&
	    memcmp(w.data, data, size) == 0);
}

/* Whatever a program writes, one clean line is told of it. */
static void
check_run_answer(const uint8_t *data, size_t size)
{
	char code[] = "77", *codes[] = { code };
	const struct config_program config = { .refuses = { codes, 1 } };
	char told[PROGRAM_TOLD_MAX];
	struct run_answer answer;
	struct ipc_reader r;
	struct verdict v;

	ipc_reader_init(&r, data, size);
	if (!get_run_answer(&r, &answer))
		return;
	program_verdict(&v, told, &answer, &config);
	REQUIRE((v.code == 0) == (answer.end == RUN_EXITED &&
	    answer.status == 0));
	REQUIRE(v.code == 0 || v.code == 451 || v.code == 550);
	REQUIRE(!slice_has_control(slice_of(told)));
	REQUIRE(!slice_has_control(slice_of(v.text)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct work work;
	struct work_answer answer;
	struct ipc_reader r;

	if (size > IPC_PAYLOAD_MAX)
		return 0;
	ipc_reader_init(&r, data, size);
	if (get_work(&r, &work))
		check_work(data, size, &work);
	ipc_reader_init(&r, data, size);
	if (get_work_answer(&r, &answer))
		for (size_t i = 0; i < answer.n_leaves; i++)
			REQUIRE(answer.leaves[i].error <= 0 &&
			    answer.leaves[i].error >= -4095);
	check_run(data, size);
	check_run_answer(data, size);
	return 0;
}
