/* SPDX-License-Identifier: ISC */
/*
 * role_user.c - see role_user.h.
 */
#include <stdio.h>
#include "role_user.h"

const struct passwd *
role_user(const struct config *config, enum role role,
    char name[ROLE_USER_SIZE])
{
	snprintf(name, ROLE_USER_SIZE, "%s%s", config->user_prefix,
	    role_name(role));
	return getpwnam(name);
}
