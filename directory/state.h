/* SPDX-License-Identifier: ISC */
/*
 * state.h - what became of the last compilation of a table, as a text file
 * (NAME.state) that the compiler writes and the directory reads.
 *
 *	result failed
 *	time 1700000000
 *	entries 120
 *	text /etc/aliases:14: alias "team" has no target
 *	source 1700000000000000000 1700000000000000000 4096 1234 /etc/aliases
 *
 * Of a source: when it was modified and changed (ns), octets, inode, path.
 * It is replaced by rename. Losing one costs a compilation. The sources are
 * those of the last attempt, so that the watcher sees when any of them,
 * includes among them, is mended.
 */
#ifndef DIRECTORY_STATE_H
#define DIRECTORY_STATE_H

#include <stddef.h>
#include <stdint.h>
#include "source.h"

enum state_result { STATE_OK, STATE_SHRUNKEN, STATE_FAILED };

#define STATE_TEXT_MAX 511
#define STATE_MAX_SOURCES 1024

struct state_source {
	char *path;
	struct source_stamp stamp;
};

struct state {
	enum state_result result;
	int64_t time_s;
	uint32_t n_entries;		/* of the table that is in use */
	char text[STATE_TEXT_MAX + 1];	/* why it is not OK */
	struct state_source *sources;
	size_t n_sources;
};

/* 0, -ENOMEM, -E2BIG. The path is copied. */
int state_add_source(struct state *state, const char *path,
    const struct source_stamp *stamp);
/* Replace the file. 0 or a negative errno. */
int state_write(const char *path, const struct state *state);
/* 0; -ENOENT; -EBADMSG; another negative errno. state is then empty. */
int state_read(const char *path, struct state *state);
void state_free(struct state *state);

const char *state_result_name(enum state_result result);

#endif
