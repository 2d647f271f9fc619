/* SPDX-License-Identifier: ISC */
/*
 * sts.h - MTA-STS policies (RFC 8461): found, fetched, kept; for this
 * folder only.
 *
 *	TXT _mta-sts.DOMAIN --id is new--> https://mta-sts.DOMAIN/... --> kept
 *
 * A domain without a record, or whose policy cannot be had, has none (or
 * the old one, as long as that lives). Whoever can suppress answers of the
 * DNS can hide a policy that we have not seen; one that we have holds.
 */
#ifndef RELAY_STS_H
#define RELAY_STS_H

#include <stdbool.h>

struct relay;
struct sts;
struct sts_policy;

/* policy is good as long as the relay lives, or NULL. */
typedef void sts_found_fn(void *arg, const struct sts_policy *policy);

/* Before the sandbox. NULL without memory. */
struct sts *sts_new(struct relay *relay);
/* found is called once, perhaps from within. arg: who waits. */
void sts_find(struct sts *sts, const char *domain, void *arg,
    sts_found_fn *found);
/* found is not called any more for arg, and its policy is let go. */
void sts_forget(struct sts *sts, void *arg);
bool sts_is_enforced(const struct sts_policy *policy);
bool sts_has_host(const struct sts_policy *policy, const char *host);

#endif
