/* SPDX-License-Identifier: ISC */
/*
 * watch.h - have the sources of the tables changed since they were compiled?
 *
 * Looks at each source once a second (its stamp only, it opens none). A
 * change that has been still for WATCH_STILL_MS is reported once, so that a
 * file which does not parse is not compiled again and again. The clock is
 * the monotonic one: setting the time back changes nothing.
 */
#ifndef DIRECTORY_WATCH_H
#define DIRECTORY_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "spec.h"
#include "state.h"

#define WATCH_STILL_MS 5000

struct watched {
	struct state state;		/* of the last compilation */
	uint64_t seen;			/* fingerprint of the sources */
	uint64_t asked;			/* for which a compilation was wanted */
	int64_t since_us;		/* seen has not changed since */
};

struct watch {
	const char *state_dir;
	const struct table_specs *specs;
	struct watched *tables;		/* one per spec */
};

/* specs and state_dir must outlive it. 0 or -ENOMEM. */
int watch_open(struct watch *watch, const char *state_dir,
    const struct table_specs *specs);
/* Read the state files again: tables were compiled. */
void watch_reload(struct watch *watch);
/* Look at the sources. True when a compilation is wanted now. */
bool watch_look(struct watch *watch);
void watch_close(struct watch *watch);

/* One file that is no table's source: that of the passwords. */
struct watch_file {
	const char *path;		/* NULL: none */
	struct source_stamp compiled, seen;
	int64_t since_us;
};

/* As it is now it has been compiled, or is being. */
void watch_file_open(struct watch_file *file, const char *path);
/* True once for each version that has been still for long enough. */
bool watch_file_look(struct watch_file *file);

#endif
