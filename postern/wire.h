/* SPDX-License-Identifier: ISC */
/*
 * wire.h - what compartments are handed, at their start and later: channels,
 * keys, the configuration. For the supervisor's own folder.
 */
#ifndef POSTERN_WIRE_H
#define POSTERN_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include "compartment.h"

struct child;
struct generation;
struct supervisor;

/*
 * Send everything that the child needs over fd, ending with SETUP_DONE, and
 * give each running peer its end. 0 or a negative errno.
 */
int wire_child(struct child *child, int fd);
/* One for all generations, such as store. */
bool role_is_shared(enum role role);
/* The newest configuration, to the shared ones that run. */
void wire_config(struct supervisor *s);
/* What is in s->secret_fd now, to the vault that runs. */
void wire_secrets(struct supervisor *s);
/* The keys of this generation, to the vault that runs. */
void wire_keys(struct supervisor *s, const struct generation *generation);
/* accuser closed the channel of this peer, as it broke the rules. */
void wire_accused(struct child *accuser, enum role role, uint16_t index);

#endif
