/* SPDX-License-Identifier: ISC */
/*
 * endpoints.h - sockets of milters and clamd, from the supervisor.
 *
 * smtpd cannot connect. It names an endpoint of the configuration by number
 * (config_find_endpoint) and is given a descriptor that is connected or on
 * its way to be; or, where that fails at once, a negative errno. One that
 * is only busy is tried until the owner forgets it: his is the time limit.
 */
#ifndef POSTERN_SMTPD_ENDPOINTS_H
#define POSTERN_SMTPD_ENDPOINTS_H

#include <stdint.h>
#include "compartment.h"

/* Takes fd over; it is a negative errno when there is none. */
typedef void endpoint_opened_fn(int fd, void *arg);

/* An id for endpoint_forget, or 0: it cannot be asked, opened is not called. */
uint32_t endpoint_open(struct compartment *c, unsigned index,
    endpoint_opened_fn *opened, void *arg);
void endpoint_forget(struct compartment *c, uint32_t id);

#endif
