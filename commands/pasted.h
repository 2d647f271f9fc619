/* SPDX-License-Identifier: ISC */
/*
 * pasted.h - the id in what a postmaster pasted behind `posternctl why`.
 *
 * People paste "(k3f9q2m7t1)", the line of the log, or all that their
 * correspondent sent them of a reply. Pure.
 */
#ifndef COMMANDS_PASTED_H
#define COMMANDS_PASTED_H

#include <stdbool.h>
#include "buf.h"
#include "short_id.h"

/*
 * Find the id: the last one in parentheses, as a reply ends with it; else
 * the longest word that is an id and has a digit, so that of a line of the log
 * the refusal comes before its session; else what stands mistyped in
 * parentheses. False when there is none of these; then *id is untouched.
 */
bool pasted_id(struct slice *id, struct slice text);

#endif
