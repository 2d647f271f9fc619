/* SPDX-License-Identifier: ISC */
/*
 * generation.h - a configuration, and what was started with it.
 *
 * A reload reads the next one beside the current one; it is released when
 * the last process that was started with it has ended.
 */
#ifndef POSTERN_GENERATION_H
#define POSTERN_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"

struct generation {
	uint16_t number;
	struct config *config;
	int config_fd;			/* sealed memfd of the text */
	uint64_t config_size;
	bool is_draining;
};

/*
 * Read and parse path; text (empty at first) gets what it holds. NULL after
 * printing that it cannot be read, or with an error among the problems.
 */
struct config *generation_read(const char *path, struct buf *text,
    struct config_problems *problems);
/* To stderr, one a line. */
void generation_print_problems(const char *path,
    struct config_problems *problems, bool is_quiet);
/* Read and parse path. NULL after printing every problem to stderr. */
struct generation *generation_load(const char *path, uint16_t number,
    bool is_quiet);
void generation_free(struct generation **generation);

#endif
