/* SPDX-License-Identifier: ISC */
/*
 * passwd.h - the system's users, asked of NSS and remembered for 2 seconds.
 *
 * A user who is not there and a service that cannot answer are different
 * things: the second is -EAGAIN and becomes 451, never 550. Answers of both
 * kinds are kept for PASSWD_CACHE_MS; failures are not kept. Blocks for as
 * long as NSS does.
 */
#ifndef DIRECTORY_PASSWD_H
#define DIRECTORY_PASSWD_H

#include <stdbool.h>
#include <sys/types.h>
#include "buf.h"

#define PASSWD_CACHE_MS 2000
#define PASSWD_NAME_MAX 63
#define PASSWD_HOME_MAX 1023

struct passwd_entry {
	char name[PASSWD_NAME_MAX + 1];		/* as NSS spells it */
	char home[PASSWD_HOME_MAX + 1];
	uid_t uid;
	gid_t gid;
};

struct passwd_cache;

/* NULL without memory. */
struct passwd_cache *passwd_cache_new(void);
void passwd_cache_free(struct passwd_cache **cache);
/*
 * 0; -ENOENT: no such user; -EAGAIN: nobody knows now. The entry is valid
 * until the next call.
 */
int passwd_find(struct passwd_cache *cache, struct slice name,
    const struct passwd_entry **entry);
/* Behind -EAGAIN: ": " and which service does not answer, and why; or "". */
const char *passwd_why_unknown(const struct passwd_cache *cache);
/* Uids that mail may be delivered under: not below min_uid, not nobody. */
bool passwd_may_have_mailbox(uid_t uid, unsigned min_uid);
/* Read nsswitch.conf, and load what NSS needs before the sandbox closes.
 * Without it the system's users are asked for as the C library does. */
void passwd_warm_up(struct passwd_cache *cache);

#endif
