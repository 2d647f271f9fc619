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
#include "certificates.h"
#include "config.h"
#include "dkim_keys.h"

struct generation {
	uint16_t number;
	struct config *config;
	int config_fd;			/* sealed memfd of the text */
	uint64_t config_size;
	struct certificate certificates[CONFIG_MAX_TLS];
	int dkim_fds[CONFIG_MAX_DKIM];	/* sealed memfds, or -1 */
	bool is_draining;
};

/*
 * Read and parse path; text (empty at first) gets what it holds. NULL with
 * an error among the problems.
 */
struct config *generation_read(const char *path, struct buf *text,
    struct config_problems *problems);
/* NULL when there was an error; problems are the caller's in either case. */
struct generation *generation_load(const char *path, uint16_t number,
    struct config_problems *problems);
void generation_free(struct generation **generation);

#endif
