/* SPDX-License-Identifier: ISC */
/*
 * compile.h - one table from its source to its file, with guards.
 *
 *	source -> build -> guards --ok---------> NAME.db.new -> NAME.db
 *	             |        \---shrunken-----> NAME.pending.db
 *	             \--------parse error------> (the old one stays)
 *
 * The table in use is replaced only by a complete one that has not lost
 * more than a fifth of its entries, unless that was accepted. A crash at
 * any point leaves the old or the new NAME.db, whole.
 */
#ifndef DIRECTORY_COMPILE_H
#define DIRECTORY_COMPILE_H

#include "config.h"
#include "spec.h"

enum compile_outcome {
	COMPILE_SAME,		/* nothing to replace */
	COMPILE_DONE,
	COMPILE_SHRUNKEN,	/* waits to be accepted */
	COMPILE_FAILED,		/* problems says why */
};

/*
 * Is it the machine's trouble, which passes without a change of the tables'
 * sources? error is a negative errno.
 */
bool compile_may_pass(int error);

struct compile_result {
	enum compile_outcome outcome;
	uint32_t n_entries;	/* of what was built */
	uint32_t n_before, n_gone;
	bool may_pass;		/* COMPILE_FAILED: see compile_may_pass */
	struct config_problems problems;
};

/* The file of the table in use is never touched when this fails. */
void compile_table(struct compile_result *result,
    const struct table_spec *spec, const struct config *config,
    bool accepts_shrunken);
void compile_result_free(struct compile_result *result);

/* More than a fifth gone, of at least five. */
bool compile_is_shrunken(uint32_t n_before, uint32_t n_gone);

#endif
