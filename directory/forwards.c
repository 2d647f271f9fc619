/* SPDX-License-Identifier: ISC */
/*
 * forwards.c - users who have a .forward; see directory_check.h.
 *
 * Only whether it exists is looked at: it is neither opened nor followed.
 */
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "directory_check.h"
#include "passwd.h"

static bool
uses_passwd(const struct config *config)
{
	for (size_t i = 0; i < config->n_domains; i++)
		if (config->domains[i].users_are_passwd)
			return true;
	return false;
}

static bool
has_mailbox(const struct config *config, bool is_privileged, uid_t uid)
{
	return passwd_may_have_mailbox(uid, config->min_uid) &&
	    (is_privileged || uid == getuid());
}

void
directory_check_forwards(const struct config *config, bool is_privileged,
    struct config_problems *problems)
{
	char path[4096];
	struct passwd *pw;
	struct stat st;

	if (!uses_passwd(config))
		return;
	setpwent();
	while ((pw = getpwent()) != NULL) {
		snprintf(path, sizeof path, "%s/.forward", pw->pw_dir);
		if (has_mailbox(config, is_privileged, pw->pw_uid) &&
		    lstat(path, &st) == 0)
			config_problem_add(problems, 0, true, "%s: user "
			    "\"%s\" has a .forward, and it is not followed; "
			    "write an alias instead", path, pw->pw_name);
	}
	endpwent();
}
