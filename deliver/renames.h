/* SPDX-License-Identifier: ISC */
/*
 * renames.h - which copies a worker has begun to move into new/.
 *
 * A copy that goes the short way (DELIVER) has its INTENT before there is a
 * file. When its worker dies, "in neither tmp/ nor new/" can mean that it
 * was never written, or that a reader has taken it already. The worker notes
 * the name of each such copy here right before it renames it: only then was
 * it delivered. A copy that is still in tmp/ was not, whatever stands here.
 *
 * It is a shared mapping that the supervisor of all compartments holds, so
 * it outlives workers and deliver, like the records that ask about it. Each
 * worker has a ring of its own, unmaps the others', and cannot let its own
 * grow over them (SANDBOX_BOARD_PART): one that is taken over can only lie
 * about its own copies. Only hashes of names are kept.
 *
 * The other way round it carries the wish that a copy be not moved any more,
 * since its client has left: the worker looks right before it notes it.
 */
#ifndef DELIVER_RENAMES_H
#define DELIVER_RENAMES_H

#include <stdbool.h>
#include "buf.h"

#define RENAMES_RINGS 256
#define RENAMES_NAMES 4077	/* that one ring remembers */
#define RENAMES_CANCELS 16

/* ---- in deliver's supervisor ---- */

/* fd is a memfd, empty at first; -1: kept in this process only. 0 or a
 * negative errno. */
int renames_open(int fd);
/* Has any worker begun to rename this copy? */
bool renames_has(struct slice file);

/* Told to every worker; the last RENAMES_CANCELS are remembered. */
void renames_cancel(struct slice file);

/* ---- in a worker ---- */

/* Keep this ring alone. */
void renames_keep(unsigned ring);
/* Nothing happens before renames_keep. */
void renames_note(struct slice file);
/* The client has left: leave it where it is. */
bool renames_is_cancelled(struct slice file);
/* It was not renamed after all. */
void renames_forget(struct slice file);

#endif
