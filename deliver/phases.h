/* SPDX-License-Identifier: ISC */
/*
 * phases.h - what is done with a delivery.h transaction: probe.c, phases.c,
 * and steps.c below them.
 */
#ifndef DELIVER_PHASES_H
#define DELIVER_PHASES_H

#include "maildir.h"
#include "peer.h"

/* ---- probe.c ---- */

/* false: the peer broke the rules. fd, or -1, stays the caller's. */
bool deliver_probe_begin(struct peer *peer, const struct probe_ask *ask,
    int fd, uint32_t question);
/* The same for one that is told: frozen, and not probed. */
bool deliver_freeze(struct peer *peer, const struct probe_ask *ask);
/* This uid and gid may have mailboxes here. */
bool deliver_probe_allows(const struct deliver *d, uid_t uid, gid_t gid);

/* ---- phases.c ---- */

/* false: the peer broke the rules. The message's fd is the transaction's. */
bool phase_prepare(struct peer *peer, const struct prepare_ask *ask, int fd,
    uint32_t question);
/* No line in the one, whole header lines in the other, and not too long. */
bool phase_has_valid_headers(struct slice return_path, struct slice trace);
/* PREPARE of one leaf and COMMIT in one step. */
bool phase_deliver(struct peer *peer, const struct prepare_ask *ask, int fd,
    uint32_t question);
/* Told: a DELIVER that has not moved its copy yet should fail. */
void phase_cancel(struct peer *peer, uint64_t id);
bool phase_commit(struct peer *peer, uint64_t id, uint32_t question);
bool phase_release(struct peer *peer, const struct release_ask *ask,
    uint32_t question);
/* All jobs of the running step are back. */
void phase_next(struct delivery *tx);

/* ---- steps.c ---- */

/* Which copies a step is for. */
typedef bool step_wants_fn(const struct delivery *tx,
    const struct copy *copy);
/*
 * Give every wanted copy to a worker. phase_next is called when all are
 * back, also when there was nothing to do.
 */
void steps_submit(struct delivery *tx, enum work_kind kind,
    step_wants_fn *wants);
/* How a copy is called in its mailbox, written into room; "": it is too
 * long, and the worker refuses it. */
struct slice steps_file_name(const struct copy *copy,
    char room[MAILDIR_NAME_SIZE]);

#endif
