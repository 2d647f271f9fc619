/* SPDX-License-Identifier: ISC */
/*
 * program_verdict.h - what the end of a program is to the client.
 *
 *	exit 0		it has the message
 *	exit 67		550 5.1.1 (EX_NOUSER: sysexits.h)
 *	configured	550, with the first line that it wrote
 *	all else	451 4.3.0: another exit code, a signal, too long, too
 *			much output, not started
 *
 * What a program writes is seen by the client in the one case above and
 * nowhere else; told is for the trail and the log. Pure.
 */
#ifndef DELIVER_PROGRAM_VERDICT_H
#define DELIVER_PROGRAM_VERDICT_H

#include "config.h"
#include "run.h"
#include "verdict.h"

#define PROGRAM_TOLD_MAX 320

/* answer NULL: nobody can tell. told is one clean line, terminated. */
void program_verdict(struct verdict *v, char told[PROGRAM_TOLD_MAX],
    const struct run_answer *answer, const struct config_program *config);

#endif
