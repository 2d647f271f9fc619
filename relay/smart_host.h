/* SPDX-License-Identifier: ISC */
/*
 * smart_host.h - how a smart host is written; for this folder only.
 */
#ifndef RELAY_SMART_HOST_H
#define RELAY_SMART_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include "dns.h"

/* "smtp:[host]:port": its parts; *port is 25 without one. False: it is none. */
bool smart_host_split(const char *text, char name[DNS_NAME_MAX + 1],
    uint16_t *port);

#endif
