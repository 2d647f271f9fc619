/* SPDX-License-Identifier: ISC */
/*
 * sts.h - MTA-STS policies (RFC 8461): found, fetched, kept; for this
 * folder only.
 *
 *	TXT _mta-sts.DOMAIN --id is new--> addresses of mta-sts.DOMAIN
 *	    --> https://mta-sts.DOMAIN/.well-known/mta-sts.txt --> kept
 *
 * A domain without a record, or whose policy cannot be had, has none (or
 * the old one, as long as that lives). Whoever can suppress answers of the
 * DNS can hide a policy that we have not seen; one that we have holds. So it
 * is kept by store over restarts, and fetched again each day and before it
 * ends, whether there is mail for its domain or not. Until store has said
 * what it keeps nobody is told "none".
 */
#ifndef RELAY_STS_H
#define RELAY_STS_H

#include <stdbool.h>
#include "buf.h"

#define STS_DOMAINS_MAX 3000	/* that were looked at lately */
#define STS_POLICIES_MAX 1000	/* of them have one */
#define STS_CHECK_S 60		/* the record is not asked for again */
#define STS_RETRY_S 300		/* a fetch that failed is not repeated */

struct relay;
struct sts;
struct sts_policy;

/* policy is the callee's to release, or NULL: there is none, or (not
 * is_known) nobody can tell yet. */
typedef void sts_found_fn(void *arg, struct sts_policy *policy,
    bool is_known);

/* Before the sandbox. NULL without memory. ca (PEM) is copied. */
struct sts *sts_new(struct relay *relay, struct slice ca);
/* found is called once, perhaps from within. arg: who waits. */
void sts_find(struct sts *sts, const char *domain, void *arg,
    sts_found_fn *found);
/* Store is there (again): read what it keeps, unless that is done. */
void sts_read(struct sts *sts);
/* found is not called any more for arg. */
void sts_forget(struct sts *sts, const void *arg);
void sts_release(struct sts_policy **policy);
bool sts_is_enforced(const struct sts_policy *policy);
bool sts_has_host(const struct sts_policy *policy, const char *host);

#endif
