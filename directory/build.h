/* SPDX-License-Identifier: ISC */
/*
 * build.h - from text to a table in memory.
 *
 * Reads the source of one table, for aliases also every :include: file, and
 * makes the sorted image that is written to a file or looked up in
 * directly. Used by the compiler and by `postern -n`.
 */
#ifndef DIRECTORY_BUILD_H
#define DIRECTORY_BUILD_H

#include <stdbool.h>
#include "config.h"
#include "image.h"
#include "spec.h"
#include "state.h"

struct build {
	struct image image;
	bool has_image;		/* also true after errors in the text */
	uint32_t n_entries;
	struct state sources;	/* only the sources are used */
};

/*
 * Build the table of spec. 0; -EBADMSG when something in the text is wrong;
 * another negative errno when it cannot be read: in both cases problems says
 * what, with file and line. After -EBADMSG there may be an image of what
 * could be read (has_image): never to be served, but good to look for more
 * errors in. An include that cannot be read is a warning:
 * the table is complete without it, and the aliases that need it answer
 * 451 4.3.5. Release with build_free in every case.
 */
int build_table(struct build *build, const struct table_spec *spec,
    const struct config *config, struct config_problems *problems);
void build_free(struct build *build);

#endif
