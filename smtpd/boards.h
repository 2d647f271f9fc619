/* SPDX-License-Identifier: ISC */
/*
 * boards.h - this process's scoreboard and those of the other smtpds.
 */
#ifndef POSTERN_SMTPD_BOARDS_H
#define POSTERN_SMTPD_BOARDS_H

#include "compartment.h"
#include "scoreboards.h"

struct boards {
	const struct compartment *c;
	struct scoreboard *own;
	struct scoreboards *others;
	size_t n_seen;			/* descriptors of others */
	struct loop_timer timer;
};

/* fatal() without a board of our own. */
void boards_open(struct boards *boards, const struct compartment *c);
/* Others come with restarts and reloads: they count from the next round. */
void boards_update(struct boards *boards);
/* Those that have gone are looked for now and then. */
void boards_watch(struct boards *boards);

#endif
