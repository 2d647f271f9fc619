/* SPDX-License-Identifier: ISC */
/*
 * See boards.h.
 */
#include <errno.h>
#include <string.h>
#include "boards.h"
#include "log.h"

#define LOOK_MS 5000

void
boards_open(struct boards *boards, const struct compartment *c)
{
	boards->c = c;
	boards->own = scoreboard_map_own(c->fds[SETUP_FD_SCOREBOARD]);
	if (boards->own == NULL)
		fatal("the scoreboard cannot be mapped: %s", strerror(errno));
}

void
boards_update(struct boards *boards)
{
	if (boards->n_seen == boards->c->n_scoreboards)
		return;
	boards->n_seen = boards->c->n_scoreboards;
	(void)scoreboards_update(&boards->others, boards->c->scoreboards,
	    boards->c->n_scoreboards);
}

static void
on_look(struct loop_timer *timer, void *arg)
{
	struct boards *boards = arg;

	boards->n_seen = SIZE_MAX;
	boards_update(boards);
	loop_timer_start(boards->c->loop, timer, LOOK_MS, on_look, boards);
}

void
boards_watch(struct boards *boards)
{
	on_look(&boards->timer, boards);
}
