/* SPDX-License-Identifier: ISC */
/*
 * fate.h - which recipients may share one transaction (DESIGN 7).
 *
 * Mailboxes prepare and commit, so any number of them shares one fate.
 * So does a list, whose members elsewhere are queue's (finish.h).
 * What answers only once (a next hop, LMTP, a program) can be there once
 * per transaction: last.h says who may join it. Everything that is none of
 * these stays out.
 */
#ifndef POSTERN_SMTPD_FATE_H
#define POSTERN_SMTPD_FATE_H

#include <stdbool.h>
#include "route.h"

struct fate {
	unsigned n_mailboxes;
	unsigned n_discards;
	unsigned n_lists;
	unsigned n_hops;
	unsigned n_programs;
};

/* May a recipient with such a route join? Counts it if so. */
bool fate_joins(struct fate *fate, enum route_kind kind);

#endif
