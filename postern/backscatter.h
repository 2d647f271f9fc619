/* SPDX-License-Identifier: ISC */
/*
 * backscatter.h - `postern -n`: what in the configuration itself could make
 * a message fail after its 250, or a forged bounce arrive; and, with -a, the
 * next hops are asked. For the supervisor's own folder.
 *
 * Paths through aliases are directory's (directory_check.h). All are
 * warnings that begin with "backscatter: "; "note: " is good to know. Each
 * names the configuration's line and what to change.
 */
#ifndef POSTERN_BACKSCATTER_H
#define POSTERN_BACKSCATTER_H

#include "config.h"

/* is_asked: next_hops_ask is going to say what the next hops are like. */
void backscatter_check(const struct config *config, bool is_asked,
    struct config_problems *problems);

/*
 * Ask each next hop about a recipient whom nobody has, without sending
 * anything: does it accept everybody? In a child that connects, and then
 * has become relay's user before it reads an octet. Takes two minutes at
 * most. 0 or a negative errno when the child could not run.
 */
int next_hops_ask(const struct config *config, bool is_privileged,
    struct config_problems *problems);

#endif
