/* SPDX-License-Identifier: ISC */
/*
 * program_user.c - see program_user.h.
 */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
#include "program_user.h"
#include "role_user.h"

/* A program with its uid could do to it whatever it liked. */
static bool
is_compartment(const struct config *config, uid_t uid)
{
	for (unsigned i = ROLE_STORE; i < ROLE_COUNT; i++) {
		char name[ROLE_USER_SIZE];
		const struct passwd *pw = role_user(config, (enum role)i,
		    name);

		if (pw != NULL && pw->pw_uid == uid)
			return true;
	}
	return false;
}

static const struct passwd *
look_up(struct program_user *who, const struct config *config,
    bool is_privileged)
{
	if (config->program.user != NULL)
		snprintf(who->name, sizeof who->name, "%s",
		    config->program.user);
	else
		snprintf(who->name, sizeof who->name, "%sprogram",
		    config->user_prefix);
	return is_privileged ? getpwnam(who->name) : getpwuid(geteuid());
}

const char *
program_user_find(struct program_user *who, const struct config *config,
    bool is_privileged)
{
	const struct passwd *pw = look_up(who, config, is_privileged);

	if (pw == NULL)
		return "does not exist: run systemd-sysusers with "
		    "etc/sysusers.d/postern.conf";
	who->uid = pw->pw_uid;
	who->gid = pw->pw_gid;
	snprintf(who->home, sizeof who->home, "%s", pw->pw_dir);
	if (!is_privileged) {
		snprintf(who->name, sizeof who->name, "%s", pw->pw_name);
		return NULL;
	}
	if (who->uid == 0 || who->gid == 0)
		return "is root: programs never run as root";
	return is_compartment(config, who->uid) ? "is one that a "
	    "compartment of the server runs as" : NULL;
}
