/* SPDX-License-Identifier: ISC */
/*
 * why.c - see why.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sealed.h"
#include "trail.h"
#include "why.h"

#define STEP_BYTES (256u << 10)
#define MOST_BYTES (64u << 20)
#define ANSWER_BYTES (1u << 20)
#define NEEDLE_MAX (SHORT_ID_SIZE + 4)

struct why {
	const struct segments *segments;
	uint16_t segment;
	int fd;
	int error;
	off_t at;
	size_t n_bytes;			/* looked at so far */
	char id[SHORT_ID_SIZE];
	char needle[NEEDLE_MAX];	/* "id=k3f9q2m7t " */
	struct buf found;
	char buffer[STEP_BYTES];
};

/* The record that the id was made for, and nothing else, begins there: 0. */
static int
check_first_record(const struct why *why)
{
	char text[NEEDLE_MAX] = "";
	size_t size = strlen(why->needle);
	char before = '\n';
	ssize_t n;

	if (why->at > 0 && pread(why->fd, &before, 1, why->at - 1) < 0)
		return -errno;
	n = pread(why->fd, text, size, why->at);
	if (n < 0)
		return -errno;
	return before == '\n' && n == (ssize_t)size &&
	    memcmp(text, why->needle, size) == 0 ? 0 : -ENOENT;
}

int
why_begin(struct why **whyp, const struct segments *segments,
    struct slice text)
{
	struct short_id id;
	struct why *why;
	int error;

	*whyp = NULL;
	if (short_id_decode(&id, text) != 0)
		return -ENOENT;
	why = calloc(1, sizeof *why);
	if (why == NULL)
		return -ENOMEM;
	why->segments = segments;
	why->segment = id.segment;
	why->at = id.offset;
	why->found.maximum = ANSWER_BYTES;
	(void)short_id_encode(why->id, id.segment, id.offset);
	snprintf(why->needle, sizeof why->needle, "id=%s ", why->id);
	why->fd = segments_read(segments, id.segment);
	error = why->fd < 0 ? why->fd : check_first_record(why);
	if (error)
		why_free(&why);
	*whyp = why;
	return error;
}

/* A line of this session; true when it is its last one. */
static bool
take_line(struct why *why, struct slice line)
{
	char stage[8];

	if (line.size > TRAIL_LINE_MAX ||
	    buf_append_slice(&why->found, line) != 0)
		return true;
	buf_append(&why->found, "\n", 1);
	return trail_find(line, "stage", stage, sizeof stage) &&
	    strcmp(stage, "end") == 0;
}

/* All whole lines of these octets; true when the session's last was met. */
static bool
take_lines(struct why *why, struct slice text)
{
	size_t size = strlen(why->needle);
	bool is_last = false;

	while (!is_last && text.size > 0) {
		const char *at = memmem(text.data, text.size, why->needle,
		    size);
		struct slice line;

		if (at == NULL)
			return false;
		line = (struct slice){ at,
			text.size - (size_t)(at - text.data) };
		line.size = slice_find(line, '\n');
		if (at == text.data || at[-1] == '\n')
			is_last = take_line(why, line);
		text.size -= (size_t)(at - text.data) + line.size;
		text.data = at + line.size;
	}
	return is_last;
}

static bool
next_segment(struct why *why)
{
	if (!segments_next(why->segments, why->segment, &why->segment))
		return false;
	close(why->fd);
	why->fd = segments_read(why->segments, why->segment);
	why->at = 0;
	why->error = why->fd < 0 && why->fd != -ENOENT ? why->fd : 0;
	return why->fd >= 0;
}

bool
why_step(struct why *why)
{
	ssize_t n = pread(why->fd, why->buffer, sizeof why->buffer, why->at);
	const char *last;
	size_t size;

	if (n < 0)
		why->error = -errno;
	if (n < 0 || why->n_bytes > MOST_BYTES)
		return false;
	last = memrchr(why->buffer, '\n', (size_t)n);
	if (last == NULL && (size_t)n < sizeof why->buffer)
		return next_segment(why);
	/* no line end in all of it: not a trail; skip it */
	size = last ? (size_t)(last - why->buffer) + 1 : (size_t)n;
	why->at += (off_t)size;
	why->n_bytes += size;
	return !take_lines(why, (struct slice){ why->buffer, size });
}

int
why_result(const struct why *why)
{
	return why->error ? why->error :
	    sealed_of_text(why->id, buf_slice(&why->found));
}

void
why_free(struct why **why)
{
	if (*why == NULL)
		return;
	if ((*why)->fd >= 0)
		close((*why)->fd);
	buf_free(&(*why)->found);
	free(*why);
	*why = NULL;
}
