/* SPDX-License-Identifier: ISC */
/*
 * passwords.h - the table of passwords, from the users tables' password=
 * fields or from a file of its own (auth { users = }).
 *
 * It is compiled beside directory's tables and from the same texts, into a
 * file that auth can read and directory cannot (password_table.h). Used by
 * the compiler and by `postern -n`.
 */
#ifndef DIRECTORY_PASSWORDS_H
#define DIRECTORY_PASSWORDS_H

#include <stdbool.h>
#include "config.h"
#include "password_table.h"

struct passwords {
	struct password_entry *entries;
	size_t n;
};

/*
 * Read all that the configuration names. 0; -EBADMSG when something in the
 * text is wrong; another negative errno when it cannot be read: problems
 * then says what. Release with passwords_free in every case.
 */
int passwords_collect(struct passwords *passwords,
    const struct config *config, struct config_problems *problems);
/* Overwrites what it frees. */
void passwords_free(struct passwords *passwords);

/* Whether anybody is going to ask auth for a password. */
bool passwords_are_wanted(const struct config *config);

/*
 * Collect them and replace the file. 0 or a negative errno: then the old
 * file stays, and problems says why. *n is how many there are.
 */
int passwords_compile(const struct config *config,
    struct config_problems *problems, size_t *n);

#endif
