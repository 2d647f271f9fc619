/* SPDX-License-Identifier: ISC */
/*
 * tags.h - what vault makes with the secrets of secrets.h.
 */
#ifndef POSTERN_VAULT_TAGS_H
#define POSTERN_VAULT_TAGS_H

#include "ask.h"
#include "secrets.h"

#define TAGS_TRACE_SIZE 10		/* characters of base32: 50 bits */
#define TAGS_TRACE_DAYS 35		/* as long as the ledger keeps it */
#define TAGS_DAYS_OFF 30		/* an asker's clock may differ by so
					 * much, or it asks for a later day */

/* Read them from a sealed memfd, which stays the caller's. 0, -EBADF,
 * -EBADMSG or -ENOMEM; *secrets is as before then. */
int tags_read(struct secrets *secrets, int fd);
/*
 * The address with a tag; as it is where it cannot have one (batv.h). False:
 * it is no address, or of a day that is far off.
 */
bool tags_make(const struct secrets *secrets, const struct vault_tag *q,
    uint32_t today, char to[ASK_ADDRESS_MAX]);
/*
 * What is the tag of this address worth? plain has room for
 * ADDRESS_LONG_LOCAL_MAX + 1 octets, "" where the result has none. False: it
 * is no address.
 */
bool tags_check(const struct secrets *secrets, struct slice address,
    uint32_t today, enum batv_result *result, char *plain);
/* Is this the id of a Received field of ours, in mail of this sender, which
 * left at most TAGS_TRACE_DAYS ago? */
bool tags_is_trace(const struct secrets *secrets,
    const struct vault_trace *trace, uint32_t today);
/* A MAC of any text; "" when the library fails. */
void tags_trace(const struct secrets *secrets, struct slice text,
    char to[TAGS_TRACE_SIZE + 1]);

#endif
