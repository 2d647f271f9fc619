/* SPDX-License-Identifier: ISC */
/*
 * trail.h - what happened in a session, kept for `posternctl why ID`.
 *
 * Text files of one logfmt line per record, append-only, written without
 * sync: DIR/00042 and so on, "segments" of 16 MiB. store makes a segment
 * and hands each smtpd a descriptor of one of its own, so that one writer
 * knows the offset at which its record will stand; that offset and the
 * segment's number are the session's id (short_id.h).
 *
 *	id=k3f9q2m7t at=2026-11-21T23:00:00.123456Z stage=connect ...
 *	id=k3f9q2m7t n=2 at=... stage=rcpt check=recipient verdict=refuse ...
 *	id=k3f9q2m7t at=... stage=end ...
 *
 * The first record of a session (stage=connect) begins at a multiple of 16
 * octets, after empty lines. n is the number of a refusal in its session;
 * lines without n are facts about the session. stage=end is the last one.
 * Keys that posternctl explains: stage (connect, command, helo, mail, rcpt,
 * data, timeout), from, check, verdict, code, enhanced, asked, answer,
 * took_us, text. Others are printed as they are.
 *
 * A crash loses what was not flushed; a torn line is skipped by readers.
 * Without a segment (store is down, its disk is full) sessions get ids of
 * a reserved segment and nothing is kept. Nothing here logs.
 */
#ifndef POSTERN_TRAIL_H
#define POSTERN_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "log.h"
#include "short_id.h"

#define TRAIL_SEGMENT_BYTES (16u << 20)
#define TRAIL_SEGMENT_NONE 0xffff	/* of ids without a trail */
#define TRAIL_LINE_MAX 2048		/* with its line end */
#define TRAIL_FIELD_MAX 1024		/* a value, escapes undone */

/* ---- writing ---- */

struct trail;

/* NULL without memory. */
struct trail *trail_new(void);
void trail_free(struct trail **trail);		/* flushes */
/*
 * From now on write to fd, which is at this offset (a multiple of 16) of
 * this segment; takes fd over. What waits is flushed to the old one first.
 * False: fd is no file, and nothing has changed. Whatever else it is, a
 * write may wait for somebody, and so would every session of this process.
 */
bool trail_open_segment(struct trail *trail, int fd, uint16_t segment,
    uint32_t offset);
/* There is none, or it is nearly full, or it failed: ask store for one. */
bool trail_wants_segment(const struct trail *trail);
/* The first record of a session; makes its id. */
void trail_begin(struct trail *trail, char id[SHORT_ID_SIZE],
    const struct log_value *values);
/* number 0: a fact about the session; else of a refusal. */
void trail_add(struct trail *trail, const char *id, unsigned number,
    const struct log_value *values);
/*
 * What the end of a round of the loop should do: a refusal is written at
 * once, because its id is in somebody's hands; facts may wait for more.
 */
enum trail_need { TRAIL_NEEDS_NOTHING, TRAIL_MAY_WAIT, TRAIL_NEEDS_FLUSH };
enum trail_need trail_need(const struct trail *trail);
void trail_flush(struct trail *trail);
/* The errno of the last write that failed; 0: there was no segment. */
int trail_error(const struct trail *trail);
/* Records that could not be written, since the last call. */
unsigned trail_take_lost(struct trail *trail);

/* ---- lines ---- */

/* Append " key=value" for each; line->maximum bounds it. */
void trail_put_values(struct buf *line, const struct log_value *values);

struct trail_field {
	struct slice key;
	struct slice raw;	/* as in the line, without quotes */
};

/* Take the next field off *line. False at its end, or when malformed. */
bool trail_get_field(struct slice *line, struct trail_field *field);
/* The value of key in line, escapes undone; "" when it is not there. */
bool trail_find(struct slice line, const char *key, char *to, size_t room);
/* Undo escapes; cut to room. Returns the size without the terminator. */
size_t trail_unescape(char *to, size_t room, struct slice raw);

#endif
