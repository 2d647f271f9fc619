/* SPDX-License-Identifier: ISC */
/*
 * endpoint.h - sockets of milters, of clamd, and of LMTP servers on this
 * host, from the supervisor.
 *
 * smtpd cannot connect, and relay can reach no unix socket. Each names an
 * endpoint of its configuration by number (ENDPOINT_ASK) and is given a
 * descriptor that is connected or on its way to be; or, where that fails at
 * once, a negative errno. One that is only busy is tried until the owner
 * forgets it: his is the time limit.
 */
#ifndef POSTERN_ENDPOINT_H
#define POSTERN_ENDPOINT_H

#include <stdint.h>
#include "compartment.h"

/* He owns fd; it is a negative errno when there is none. */
typedef void endpoint_opened_fn(int fd, void *arg);

/* An id for endpoint_forget, or 0: it cannot be asked. opened is
 * called later, never from within; after 0 not at all. */
uint32_t endpoint_open(struct compartment *c, unsigned index,
    endpoint_opened_fn *opened, void *arg);
void endpoint_forget(struct compartment *c, uint32_t id);

#endif
