/* SPDX-License-Identifier: ISC */
/*
 * judging.h - the table of checks, and what it makes of a set of facts.
 */
#ifndef POSTERN_POLICY_JUDGING_H
#define POSTERN_POLICY_JUDGING_H

#include "check.h"

/* What a check's silence means where it refuses. */
enum silence { SILENCE_TEMPORARY, SILENCE_MARKS };

/* Whether a bounce that is proven is refused for it all the same. */
enum bounces { BOUNCES_TOO, BOUNCES_NOT };

struct check_row {
	const char *name;		/* as in configuration and trail */
	enum judge_stage stage;		/* at which it is answered */
	bool is_early;			/* the connection's facts suffice:
					 * asked for at HELO already */
	unsigned needed_by;		/* bits of enum config_check: if one of
					 * these is on it runs though it is
					 * off, and then says nothing itself */
	check_fn *fn;
	enum config_check action;	/* index into config->checks.actions */
	enum silence silence;
	enum bounces bounces;
};
extern const struct check_row check_rows[];
extern const size_t check_n_rows;

/*
 * Run the checks of the stage. facts is added what is wanted; the judgement
 * is complete, or holds what is wanted. It is the caller's to free.
 */
void judge(const struct config *config, enum judge_stage stage,
    struct facts *facts, struct slice message, struct judgement *j);

#endif
