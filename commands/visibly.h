/* SPDX-License-Identifier: ISC */
/*
 * visibly.h - what the server says, on a terminal.
 *
 * What others sent or wrote may hold orders to a terminal, and characters
 * that are not seen and change how the rest of a line reads. They are
 * written as their numbers, as in the log.
 */
#ifndef POSTERN_COMMANDS_VISIBLY_H
#define POSTERN_COMMANDS_VISIBLY_H

#include <stdio.h>
#include "buf.h"

void print_visibly(FILE *to, struct slice text);

#endif
