/* SPDX-License-Identifier: ISC */
/*
 * dkim_keys.h - the private keys of sections dkim on their way from files to
 * vault; as certificates.h, whose way of looking into them in a child it
 * goes.
 */
#ifndef POSTERN_DKIM_KEYS_H
#define POSTERN_DKIM_KEYS_H

#include "certificates.h"

/* fds has CONFIG_MAX_DKIM places, -1 without a key. */
void dkim_keys_init(int *fds);
void dkim_keys_close(int *fds);
/* Copy the files; adds problems. */
void dkim_keys_open(int *fds, const struct config *config,
    struct config_problems *problems);
/* Look into them, in a child that is as (NULL: the caller). 0, or a negative
 * errno when the child could not run. */
int dkim_keys_check(const int *fds, const struct config *config,
    const struct owner *as, struct config_problems *problems);
/* All of that, with the problems to the log; false: one is an error. */
bool dkim_keys_reload(int *fds, const struct config *config,
    const struct owner *as);

#endif
