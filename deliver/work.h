/* SPDX-License-Identifier: ISC */
/*
 * work.h - what the supervisor of deliver asks a worker, and its answer.
 *
 * One message is one step for some mailboxes ("leaves") of one owner: never
 * more than WORK_MAX_LEAVES, and no more than fit. A worker keeps nothing
 * between messages but open directories, so any worker of the uid can do any
 * step, and the death of one loses only what it was just doing.
 */
#ifndef DELIVER_WORK_H
#define DELIVER_WORK_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "ipc.h"

#define WORK_MAX_LEAVES 64
#define WORK_ROOM 15000		/* octets of leaves that surely fit */

/* On the wire, in both directions; internal to deliver. */
enum work_type { WORK_ASK = 512, WORK_ANSWER };

enum work_kind {
	WORK_PROBE = 1,		/* errors; with a quota, value is the usage */
	WORK_PREPARE,		/* descriptor: the message */
	WORK_COMMIT,
	WORK_DELIVER,		/* both; no leaf is moved where one cannot be
				 * written. value is a maildir_place; without
				 * an error NEW, or TMP for another's error or
				 * for want of the clearance (then durable);
				 * with one NOWHERE, or it may be in either */
	WORK_ABORT,		/* unlink what was prepared */
	WORK_TAKE_BACK,		/* from new/ to tmp/; value: maildir_place */
	WORK_RESOLVE,		/* value is enum maildir_place */
	WORK_SWEEP,		/* value is how many files were removed */
};

struct work_leaf {
	struct slice maildir;	/* absolute */
	struct slice home;	/* or "" */
	struct slice file;	/* name of the copy; not for probe, sweep */
	struct slice delivered_to;	/* whole header line, for prepare */
	uint64_t quota_bytes;	/* 0: none, maildirsize is left alone */
	uint64_t size_bytes;	/* of the copy; for probe: room wanted; for
				 * resolve 1: if it is nowhere it was never
				 * delivered */
};

struct work {
	enum work_kind kind;
	bool is_junk;			/* into .Junk, or back from there */
	uint64_t message_size;		/* with a message, like the next two */
	struct slice message;		/* DELIVER: all of it, or "" and it is
					 * in the descriptor */
	struct slice return_path;	/* whole header line */
	struct slice trace;		/* whole header lines */
	uint64_t clearance;		/* DELIVER: see clearances.h */
	uint16_t n_leaves;
	struct work_leaf leaves[WORK_MAX_LEAVES];
};

struct work_result {
	int32_t error;		/* 0 or a negative errno */
	uint64_t value;
};

struct work_answer {
	uint16_t n_leaves;
	struct work_result leaves[WORK_MAX_LEAVES];
};

void put_work(struct ipc_writer *w, const struct work *work);
/* Slices point into the message. False for anything malformed. */
bool get_work(struct ipc_reader *r, struct work *work);
void put_work_answer(struct ipc_writer *w, const struct work_answer *a);
bool get_work_answer(struct ipc_reader *r, struct work_answer *a);

#endif
