/* SPDX-License-Identifier: ISC */
/*
 * program_user.h - who runs the programs that aliases name (program_user).
 *
 * deliver asks before it starts its runner, directory for `postern -n`, and
 * both hear the same: never root, and nobody as whom the server itself runs.
 * Reads the system's users; nothing here logs.
 */
#ifndef POSTERN_PROGRAM_USER_H
#define POSTERN_PROGRAM_USER_H

#include <stdbool.h>
#include <sys/types.h>
#include "config.h"

struct program_user {
	char name[128];
	char home[256];		/* cut if it is longer */
	uid_t uid;
	gid_t gid;
};

/* NULL, or what is wrong with who->name: "does not exist ...". Without
 * privileges it is whoever runs the server. */
const char *program_user_find(struct program_user *who,
    const struct config *config, bool is_privileged);

#endif
