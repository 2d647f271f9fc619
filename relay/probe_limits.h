/* SPDX-License-Identifier: ISC */
/*
 * probe_limits.h - how often a destination is asked about recipients; for
 * this folder only.
 *
 *	probe_limits_begin: yes -> a dialogue -> probe_limits_end: how it was
 *
 * A next hop is there for mail. It takes who asks too often, or about too
 * many addresses that it does not have, for somebody who collects them, and
 * then takes no mail either. So over a limit nothing is asked, and a
 * destination that did not answer is left alone for a while: a probe that
 * waits for nothing costs its user the whole time limit.
 */
#ifndef RELAY_PROBE_LIMITS_H
#define RELAY_PROBE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_DESTINATIONS_MAX 1024
#define PROBES_AT_ONCE 4		/* of one destination */
#define PROBES_BURST 20			/* at any speed, ... */
#define PROBES_EVERY_S 1		/* ... then one in so long */
#define PROBES_REFUSED_BURST 10		/* the same of those with a 5yz */
#define PROBES_REFUSED_EVERY_S 120
#define PROBES_REST_S 300		/* after one without an answer */

enum probe_end { PROBE_ANSWERED, PROBE_REFUSED, PROBE_SILENT,
	PROBE_BROKEN_OFF /* here: it says nothing about the destination */ };

struct probe_limits;

struct probe_limits *probe_limits_new(void);	/* NULL without memory */
void probe_limits_free(struct probe_limits **l);
/* NULL: it may begin, and counts until its end. Else why not, in words. */
const char *probe_limits_begin(struct probe_limits *l,
    const char *destination, int64_t now_us);
void probe_limits_end(struct probe_limits *l, const char *destination,
    enum probe_end how, int64_t now_us);

#endif
