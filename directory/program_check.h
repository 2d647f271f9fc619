/* SPDX-License-Identifier: ISC */
/*
 * program_check.h - `postern -n`: can this program be run, and by whom?
 *
 * What is looked at is what deliver would do with the command: its user, and
 * the file that is executed. A command for the shell is looked at only where
 * it begins with a path.
 */
#ifndef DIRECTORY_PROGRAM_CHECK_H
#define DIRECTORY_PROGRAM_CHECK_H

#include <stdbool.h>
#include "buf.h"
#include "config.h"

/* The first thing that is wrong, a line; "" for none. True: a warning. */
bool program_check(struct buf *wrong, const struct config *config,
    bool is_privileged, struct slice command);

#endif
