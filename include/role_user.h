/* SPDX-License-Identifier: ISC */
/*
 * role_user.h - whom a compartment runs as, where the server is root.
 */
#ifndef POSTERN_ROLE_USER_H
#define POSTERN_ROLE_USER_H

#include <pwd.h>
#include "compartment.h"
#include "config.h"

#define ROLE_USER_SIZE 128

/* Writes its name, and finds it as getpwnam does; NULL: there is none. */
const struct passwd *role_user(const struct config *config, enum role role,
    char name[ROLE_USER_SIZE]);

#endif
