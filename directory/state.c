/* SPDX-License-Identifier: ISC */
/*
 * state.c - outcome of the last compilation; see state.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "grow.h"
#include "state.h"

static const char *const result_names[] = { "ok", "shrunken", "failed" };

const char *
state_result_name(enum state_result result)
{
	return result_names[result];
}

int
state_add_source(struct state *state, const char *path,
    const struct source_stamp *stamp)
{
	struct state_source *sources;
	char *copy;

	if (state->n_sources == STATE_MAX_SOURCES)
		return -E2BIG;
	sources = grow_array(state->sources, state->n_sources,
	    sizeof *sources);
	if (sources == NULL)
		return -ENOMEM;
	state->sources = sources;
	copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	sources[state->n_sources++] = (struct state_source){ copy, *stamp };
	return 0;
}

void
state_free(struct state *state)
{
	for (size_t i = 0; i < state->n_sources; i++)
		free(state->sources[i].path);
	free(state->sources);
	*state = (struct state){ 0 };
}

/* ---- writing ---- */

static int
put_state(struct buf *out, const struct state *state)
{
	int error = buf_printf(out, "result %s\ntime %" PRId64 "\n"
	    "entries %" PRIu32 "\ntext %.*s\n",
	    result_names[state->result], state->time_s, state->n_entries,
	    (int)strcspn(state->text, "\n"), state->text);

	for (size_t i = 0; i < state->n_sources && !error; i++) {
		const struct state_source *s = &state->sources[i];

		/* dates before 1970 as they are in two's complement */
		error = buf_printf(out, "source %" PRIu64 " %" PRIu64
		    " %" PRIu64 " %" PRIu64 " %s\n",
		    (uint64_t)s->stamp.mtime_ns, (uint64_t)s->stamp.ctime_ns,
		    s->stamp.size_bytes, s->stamp.inode, s->path);
	}
	return error;
}

static int
write_file(const char *path, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n;
	int error;

	if (fd < 0)
		return -errno;
	n = write(fd, text.data, text.size);
	error = n < 0 ? -errno : (size_t)n < text.size ? -ENOSPC : 0;
	if (close(fd) < 0 && !error)
		error = -errno;
	return error;
}

int
state_write(const char *path, const struct state *state)
{
	struct buf text = { 0 };
	char new_path[PATH_MAX];
	int error, n = snprintf(new_path, sizeof new_path, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof new_path)
		return -ENAMETOOLONG;
	error = put_state(&text, state);
	if (!error)
		error = write_file(new_path, buf_slice(&text));
	if (!error && rename(new_path, path) < 0)
		error = -errno;
	buf_free(&text);
	return error;
}

/* ---- reading ---- */

/* Take "word " off the front of *line. */
static bool
take_word(struct slice *line, struct slice *word)
{
	size_t size = slice_find(*line, ' ');

	if (size == line->size)
		return false;
	*word = (struct slice){ line->data, size };
	line->data += size + 1;
	line->size -= size + 1;
	return true;
}

static bool
take_number(struct slice *line, unsigned long long max,
    unsigned long long *value)
{
	struct slice word;

	return take_word(line, &word) && slice_number(word, max, value);
}

static bool
get_source(struct state *state, struct slice rest)
{
	unsigned long long mtime, ctime, size, inode;
	struct source_stamp stamp;
	char path[PATH_MAX];

	if (!take_number(&rest, UINT64_MAX, &mtime) ||
	    !take_number(&rest, UINT64_MAX, &ctime) ||
	    !take_number(&rest, UINT64_MAX, &size) ||
	    !take_number(&rest, UINT64_MAX, &inode) ||
	    !slice_copy(path, sizeof path, rest))
		return false;
	stamp = (struct source_stamp){ (int64_t)mtime, (int64_t)ctime, size,
		inode };
	return state_add_source(state, path, &stamp) == 0;
}

static bool
get_line(struct state *state, struct slice line)
{
	unsigned long long number;
	struct slice key;

	if (!take_word(&line, &key))
		return false;
	if (slice_equals(key, SLICE("source")))
		return get_source(state, line);
	if (slice_equals(key, SLICE("text")))
		return slice_copy(state->text, sizeof state->text, line);
	if (slice_equals(key, SLICE("result"))) {
		for (int i = STATE_OK; i <= STATE_FAILED; i++)
			if (slice_equals(line, slice_of(result_names[i]))) {
				state->result = (enum state_result)i;
				return true;
			}
		return false;
	}
	if (!slice_number(line, INT64_MAX, &number))
		return false;
	if (slice_equals(key, SLICE("time")))
		state->time_s = (int64_t)number;
	else if (slice_equals(key, SLICE("entries")))
		state->n_entries = (uint32_t)number;
	else
		return false;
	return true;
}

int
state_read(const char *path, struct state *state)
{
	struct buf text = { 0 };
	struct source_stamp stamp;
	struct source source = { .path = path };
	struct slice line;
	int error;

	*state = (struct state){ 0 };
	error = source_read(path, &text, &stamp);
	source.rest = buf_slice(&text);
	while (!error && source_next_line(&source, &line))
		if (!get_line(state, line))
			error = -EBADMSG;
	buf_free(&text);
	if (error)
		state_free(state);
	return error;
}
