/* SPDX-License-Identifier: ISC */
/*
 * segments.h - the files of the trail: made, counted, deleted when old.
 *
 * Files of one folder, named by their number with five digits. A segment is
 * given to one writer and never again, not even after a restart: only then
 * are the offsets that the writer counts true. 14 days or 1 GiB in all, the
 * oldest go first. A crash leaves at worst an empty file, which goes after
 * a day.
 */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#define SEGMENTS_MAX 8192
#define SEGMENTS_TOTAL_BYTES ((uint64_t)1 << 30)
#define SEGMENTS_LIFE_S (14 * 86400)

struct segments;

/* The folder is made when missing. 0 or -errno. */
int segments_open(struct segments **segments, const char *folder);
void segments_close(struct segments **segments);
/* A new one, in use. A descriptor to append to, or -errno. */
int segments_begin(struct segments *segments, uint16_t *number);
/* Its writer has another one or is gone. */
void segments_end(struct segments *segments, uint16_t number);
/* A descriptor for reading, or -errno. */
int segments_read(const struct segments *segments, uint16_t number);
/* The one that was made next after this; false if there is none. */
bool segments_next(const struct segments *segments, uint16_t number,
    uint16_t *next);
/*
 * Delete what is too old or too much. Returns how many segments their
 * writer had let grow far over their size; those were emptied.
 */
unsigned segments_expire(struct segments *segments, int64_t now_s);

#endif
