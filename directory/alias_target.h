/* SPDX-License-Identifier: ISC */
/*
 * alias_target.h - one target on the right side of an alias.
 *
 * Shared by the parser of the aliases file and its tests. Pure.
 */
#ifndef DIRECTORY_ALIAS_TARGET_H
#define DIRECTORY_ALIAS_TARGET_H

#include "aliases.h"
#include "source.h"

/* The text begins with an unquoted `error:`, which takes its whole line. */
bool alias_target_is_reply(struct slice text);
/*
 * Parse item (trimmed, not empty) into target, whose line is set. 0;
 * -EBADMSG with an error added to source; -ENOMEM.
 */
int alias_target_parse(struct alias_target *target, struct slice item,
    struct source *source);
void alias_target_free(struct alias_target *target);

#endif
