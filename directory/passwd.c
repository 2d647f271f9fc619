/* SPDX-License-Identifier: ISC */
/*
 * passwd.c - the system's users; see passwd.h.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "clock.h"
#include "nss_services.h"
#include "passwd.h"
#include "users.h"

#define N_SLOTS 512			/* a power of two */
#define NSS_BUFFER 16384
#define UID_NOBODY 65534		/* the kernel's overflow uid */

struct slot {
	int64_t until_us;
	char asked[PASSWD_NAME_MAX + 1];
	bool is_user;
	struct passwd_entry entry;
};

struct passwd_cache {
	struct slot slots[N_SLOTS];
	char buffer[NSS_BUFFER];
	char why_unknown[NSS_NAME_SIZE + 100];
	struct nss_services services;
};

struct passwd_cache *
passwd_cache_new(void)
{
	return calloc(1, sizeof(struct passwd_cache));
}

void
passwd_cache_free(struct passwd_cache **cache)
{
	free(*cache);
	*cache = NULL;
}

bool
passwd_may_have_mailbox(uid_t uid, unsigned min_uid)
{
	return uid >= min_uid && uid != UID_NOBODY && uid != (uid_t)-1;
}

static struct slot *
slot_of(struct passwd_cache *cache, struct slice name)
{
	uint32_t hash = 0x811c9dc5u;

	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * 0x01000193u;
	return &cache->slots[(hash ^ hash >> 16) & (N_SLOTS - 1)];
}

/* A login name as NSS may be asked for it; anything else is nobody's. */
static bool
is_login_name(struct slice name)
{
	return name.size <= PASSWD_NAME_MAX && users_is_path_safe(name) &&
	    slice_find(name, ':') == name.size && name.data[0] != '-';
}

/*
 * A service may know a user in any case, as those of Active Directory do; he
 * has one name then. Another form of it (name@domain) is not for a path.
 */
static const char *
own_name(const struct slot *slot, const struct passwd *pw)
{
	return strcasecmp(pw->pw_name, slot->asked) == 0 ? pw->pw_name :
	    slot->asked;
}

static void
note_silence(struct passwd_cache *cache, int error)
{
	const char *service = cache->services.silent;

	snprintf(cache->why_unknown, sizeof cache->why_unknown,
	    *service != '\0' ? ": \"%s\" of /etc/nsswitch.conf does not "
	    "answer (%s)" : ": %s%s", service, strerror(error));
}

/* Ask NSS and fill the slot, whose name is set. */
static int
ask(struct passwd_cache *cache, struct slot *slot)
{
	struct passwd pw, *found = NULL;
	int error = nss_find_user(&cache->services, slot->asked, &pw,
	    cache->buffer, sizeof cache->buffer, &found);

	/*
	 * "Not found" is 0 and no entry. Every errno is a service that did
	 * not answer, ENOENT and EPERM included: glibc gives them when, say,
	 * a file or socket of that service is missing.
	 */
	cache->why_unknown[0] = '\0';
	if (error != 0) {
		note_silence(cache, error);
		return -EAGAIN;
	}
	slot->is_user = found != NULL;
	if (found != NULL) {
		slot->entry.uid = pw.pw_uid;
		slot->entry.gid = pw.pw_gid;
		if (!slice_copy(slot->entry.home, sizeof slot->entry.home,
		    slice_of(pw.pw_dir)))
			return -EAGAIN;
		slice_copy(slot->entry.name, sizeof slot->entry.name,
		    slice_of(own_name(slot, &pw)));
	}
	slot->until_us = clock_monotonic_us() + PASSWD_CACHE_MS * 1000;
	return 0;
}

int
passwd_find(struct passwd_cache *cache, struct slice name,
    const struct passwd_entry **entry)
{
	struct slot *slot;
	int error;

	if (!is_login_name(name))
		return -ENOENT;
	slot = slot_of(cache, name);
	if (slot->until_us <= clock_monotonic_us() ||
	    !slice_equals(name, slice_of(slot->asked))) {
		slot->until_us = 0;
		slice_copy(slot->asked, sizeof slot->asked, name);
		error = ask(cache, slot);
		if (error)
			return error;
	}
	*entry = &slot->entry;
	return slot->is_user ? 0 : -ENOENT;
}

const char *
passwd_why_unknown(const struct passwd_cache *cache)
{
	return cache->why_unknown;
}

void
passwd_warm_up(struct passwd_cache *cache)
{
	const struct passwd_entry *entry;

	nss_services_load(&cache->services);
	/* a name that nobody has walks through every service */
	(void)passwd_find(cache, SLICE("postern-nobody-has-this-name"),
	    &entry);
	(void)passwd_find(cache, SLICE("root"), &entry);
}
