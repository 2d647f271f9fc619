/* SPDX-License-Identifier: ISC */
/*
 * run.h - what the supervisor of deliver asks the runner, and its answer.
 *
 * One message is one run of one program. The question has the message along
 * as a descriptor; the answer says how the program ended, and what it wrote.
 * Internal to deliver.
 */
#ifndef DELIVER_RUN_H
#define DELIVER_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "ipc.h"

#define RUN_COMMAND_MAX 2000
#define RUN_ADDRESS_MAX 640
#define RUN_TOP_MAX 9000
#define RUN_OUTPUT_MAX 1000	/* of what it wrote; the rest is dropped */

enum run_type { RUN_ASK = 520, RUN_ANSWER };

struct run {
	struct slice command;		/* no NUL in it or in the next ones */
	struct slice sender;		/* "": null reverse-path */
	struct slice recipient, local, domain;
	struct slice extension;		/* of a plus-address, or "" */
	struct slice top;		/* header lines before the message */
	uint64_t message_size;		/* of the descriptor */
};

enum run_end {
	RUN_EXITED = 1,		/* status: exit code */
	RUN_KILLED,		/* status: the signal that it died of */
	RUN_TIMED_OUT,		/* the next three were killed by us */
	RUN_FLOODED,		/* it wrote more than it may */
	RUN_LOST,		/* who watched it has died; status 0 */
	RUN_NOT_STARTED,	/* status: errno */
};

struct run_answer {
	enum run_end end;
	uint32_t status;
	bool has_left;		/* something still ran at its end: killed */
	struct slice output;	/* its beginning, any octets */
};

void put_run(struct ipc_writer *w, const struct run *run);
/* Slices point into the message. False for anything malformed. */
bool get_run(struct ipc_reader *r, struct run *run);
void put_run_answer(struct ipc_writer *w, const struct run_answer *a);
bool get_run_answer(struct ipc_reader *r, struct run_answer *a);

#endif
