/* SPDX-License-Identifier: ISC */
/*
 * fuzz_work.c - what deliver's supervisor and workers send each other.
 * Whatever decodes holds no path or name that a worker must not use, and
 * encodes to the same again.
 */
#include <string.h>
#include "../../deliver/maildir.h"
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
	return 0;
}
