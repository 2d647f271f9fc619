/* SPDX-License-Identifier: ISC */
/*
 * hops.h - a next hop that answers for a recipient: a domain that we front,
 * or a forward (hops.c); for this folder only.
 */
#ifndef DIRECTORY_HOPS_H
#define DIRECTORY_HOPS_H

#include "resolve_parts.h"

/* This address is its server's, whom the domain names (next_hop; fallback). */
void hop_front(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target);
/* The account of this name, whose own mailbox that server has. */
void hop_home(struct resolver *r, const struct catalog_domain *domain,
    struct slice local);
/* The alias leads to this address in no domain of ours. */
void hop_forward(struct resolver *r, const struct step *step,
    const struct record_target *target);

/* ---- programs.c: what answers once, like a next hop ---- */

/* The alias leads to a program of this host. */
void program_add(struct resolver *r, const struct step *step,
    const struct record_target *target);
/* All is followed: nothing that answers once may stand beside it. */
void program_end(struct resolver *r);

#endif
