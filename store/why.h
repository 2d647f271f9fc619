/* SPDX-License-Identifier: ISC */
/*
 * why.h - find a session's records in the trail by its id.
 *
 * The id says where the first record stands; the others follow it in the
 * same segment or in later ones. They are searched for in steps, one per
 * round of the loop, so that a question of the postmaster's never holds up
 * mail. Bounded: 64 MiB of trail, 1 MiB of answer; it ends at stage=end.
 */
#ifndef STORE_WHY_H
#define STORE_WHY_H

#include <stdbool.h>
#include "buf.h"
#include "segments.h"

struct why;

/*
 * 0; -ENOENT: not an id, or its record is not there (deleted, or never kept);
 * else a negative errno: the file is there and cannot be read.
 */
int why_begin(struct why **why, const struct segments *segments,
    struct slice id);
/* Look on. True: there is more to do. */
bool why_step(struct why *why);
/* A sealed memfd of the lines found, or -errno, also of a read. */
int why_result(const struct why *why);
void why_free(struct why **why);

#endif
