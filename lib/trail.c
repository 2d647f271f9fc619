/* SPDX-License-Identifier: ISC */
/*
 * trail.c - the writer of trail segments; see trail.h.
 *
 * Offsets are counted, not asked for: this is the segment's only writer.
 * When a write fails the segment is given up, because ids of what was lost
 * must not be given to later sessions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "trail.h"

#define NEARLY_FULL (TRAIL_SEGMENT_BYTES / 16 * 15)
#define FLUSH_OVER (64u << 10)
#define LATE_BYTES (4u << 20)	/* for records of sessions that have begun */
#define HELD_BYTES 8192		/* more are not held back */

struct trail {
	int fd;				/* -1: none */
	uint16_t segment;
	uint64_t offset;		/* of the first octet in held */
	struct buf held;
	unsigned n_held;		/* records in it */
	unsigned n_lost;
	int error;			/* the last write's, until one works */
	bool has_refusal;		/* somebody may ask for it at once */
	uint32_t next_reserved;		/* offset of ids without a trail */
	int64_t second;			/* that second_text shows */
	char second_text[24];
};

struct trail *
trail_new(void)
{
	struct trail *trail = calloc(1, sizeof *trail);

	if (trail == NULL)
		return NULL;
	trail->fd = -1;
	trail->second = -1;
	if (getrandom(&trail->next_reserved, sizeof trail->next_reserved,
	    GRND_NONBLOCK) < 0)
		trail->next_reserved = (uint32_t)clock_wall_us();
	return trail;
}

static void
give_up(struct trail *trail)
{
	if (trail->fd >= 0)
		close(trail->fd);
	trail->fd = -1;
}

void
trail_flush(struct trail *trail)
{
	const char *at = trail->held.data;
	size_t left = trail->held.size;

	while (left > 0 && trail->fd >= 0) {
		ssize_t n = write(trail->fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			trail->error = n < 0 ? errno : ENOSPC;
			give_up(trail);
			trail->n_lost += trail->n_held;
			break;
		}
		trail->error = 0;
		at += n;
		left -= (size_t)n;
	}
	trail->offset += trail->held.size;
	trail->held.size = 0;
	trail->n_held = 0;
	trail->has_refusal = false;
}

enum trail_need
trail_need(const struct trail *trail)
{
	if (trail->held.size == 0)
		return TRAIL_NEEDS_NOTHING;
	return trail->has_refusal || trail->held.size > HELD_BYTES ?
	    TRAIL_NEEDS_FLUSH : TRAIL_MAY_WAIT;
}

void
trail_free(struct trail **trailp)
{
	struct trail *trail = *trailp;

	*trailp = NULL;
	if (trail == NULL)
		return;
	trail_flush(trail);
	give_up(trail);
	buf_free(&trail->held);
	free(trail);
}

bool
trail_open_segment(struct trail *trail, int fd, uint16_t segment,
    uint32_t offset)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	trail_flush(trail);
	give_up(trail);
	trail->fd = fd;
	trail->segment = segment;
	trail->offset = offset;
	return true;
}

static uint64_t
position(const struct trail *trail)
{
	return trail->offset + trail->held.size;
}

bool
trail_wants_segment(const struct trail *trail)
{
	return trail->fd < 0 || position(trail) > NEARLY_FULL;
}

int
trail_error(const struct trail *trail)
{
	return trail->error;
}

unsigned
trail_take_lost(struct trail *trail)
{
	unsigned n = trail->n_lost;

	trail->n_lost = 0;
	return n;
}

/* " at=2026-11-21T23:00:00.123456Z"; the date is made once a second. */
static void
put_time(struct trail *trail, struct buf *line)
{
	int64_t us = clock_wall_us();
	char room[NUMBER_DIGITS];
	struct slice digits;
	struct tm tm;
	time_t s = (time_t)(us / 1000000);

	if (trail->second != s) {
		gmtime_r(&s, &tm);
		strftime(trail->second_text, sizeof trail->second_text,
		    "%Y-%m-%dT%H:%M:%S", &tm);
		trail->second = s;
	}
	buf_puts(line, " at=");
	buf_puts(line, trail->second_text);
	/* the first digit is there for the zeros behind it */
	digits = slice_digits(room, (unsigned long long)(1000000 +
	    us % 1000000));
	buf_append(line, ".", 1);
	buf_append(line, digits.data + 1, digits.size - 1);
	buf_append(line, "Z", 1);
}

static void
put_record(struct trail *trail, const char *id, unsigned number,
    const struct log_value *values)
{
	char room[TRAIL_LINE_MAX];
	struct buf line = { .data = room, .capacity = sizeof room,
		.maximum = sizeof room - 2 };

	buf_puts(&line, "id=");
	buf_puts(&line, id);
	if (number > 0) {
		buf_puts(&line, " n=");
		buf_put_number(&line, number);
	}
	put_time(trail, &line);
	trail_put_values(&line, values);
	line.data[line.size++] = '\n';
	if (buf_append_slice(&trail->held, buf_slice(&line)) != 0) {
		trail->n_lost++;
		return;
	}
	trail->n_held++;
	if (trail->held.size > FLUSH_OVER)
		trail_flush(trail);
}

void
trail_begin(struct trail *trail, char id[SHORT_ID_SIZE],
    const struct log_value *values)
{
	static const char pad[] = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
	size_t odd = position(trail) % SHORT_ID_UNIT;
	uint32_t reserved;

	if (trail->fd >= 0 && odd > 0)
		buf_append(&trail->held, pad, SHORT_ID_UNIT - odd);
	if (trail->fd >= 0 && position(trail) <= SHORT_ID_OFFSET_MAX &&
	    short_id_encode(id, trail->segment,
	    (uint32_t)position(trail)) == 0) {
		put_record(trail, id, 0, values);
		return;
	}
	reserved = trail->next_reserved++ %
	    (SHORT_ID_OFFSET_MAX / SHORT_ID_UNIT);
	(void)short_id_encode(id, TRAIL_SEGMENT_NONE,
	    reserved * SHORT_ID_UNIT);
	trail->n_lost++;
}

void
trail_add(struct trail *trail, const char *id, unsigned number,
    const struct log_value *values)
{
	if (trail->fd >= 0 &&
	    position(trail) < TRAIL_SEGMENT_BYTES + LATE_BYTES)
		put_record(trail, id, number, values);
	else
		trail->n_lost++;
	trail->has_refusal |= number > 0;
}
