/* SPDX-License-Identifier: ISC */
/*
 * scoreboards.h - all that the smtpd processes have counted, in sum.
 *
 * A set of other processes' boards (scoreboard.h), mapped read-only: an
 * smtpd holds its limits over all processes with it, control adds up what
 * posternctl shows.
 */
#ifndef POSTERN_SCOREBOARDS_H
#define POSTERN_SCOREBOARDS_H

#include <stddef.h>
#include <stdint.h>
#include "scoreboard_client.h"

#define SCOREBOARD_MAX_OTHERS 64

struct scoreboards;

/*
 * Make *set (NULL at first) hold the boards of these n descriptors; one
 * that comes twice counts once, the totals of one that is no longer listed
 * are kept in the sums. A descriptor that is no board is left out.
 * 0 or -ENOMEM.
 */
int scoreboards_update(struct scoreboards **set, const int *fds, size_t n);
void scoreboards_free(struct scoreboards **set);
/* own may be NULL. */
uint64_t scoreboards_sum(const struct scoreboards *set,
    const struct scoreboard *own, enum scoreboard_counter counter);
/* The greatest of them, where a sum says nothing. */
uint64_t scoreboards_greatest(const struct scoreboards *set,
    enum scoreboard_counter counter);
uint64_t scoreboards_client_sum(const struct scoreboards *set,
    const struct scoreboard *own, const struct scoreboard_client *client,
    enum scoreboard_client_gauge gauge);
/* What all of a set say of a client in a window. */
uint64_t scoreboards_client_counted(const struct scoreboards *set,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window);
/* Until when any of them has marked this client; 0: never. */
uint32_t scoreboards_client_marked(const struct scoreboards *set,
    const struct scoreboard *own, const struct scoreboard_client *client);

#endif
