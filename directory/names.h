/* SPDX-License-Identifier: ISC */
/*
 * names.h - partial names: which local parts may mean which real name.
 *
 * "Alice B. Smith" may be reached as alice.smith, alice_smith, smith and
 * alice, where that is unique. Letters are compared without case and, for
 * Latin ones, without accents. Pure.
 */
#ifndef DIRECTORY_NAMES_H
#define DIRECTORY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

#define NAMES_KEY_MAX 256
#define NAMES_MAX_KEYS 4

struct names_keys {
	char keys[NAMES_MAX_KEYS][NAMES_KEY_MAX];
	size_t n;		/* no two are alike */
};

/* The form that is compared; false (and "") if it does not fit. */
bool names_fold(char *to, size_t room, struct slice text);
/* Every key of a real name; none for a name without letters. */
void names_make_keys(struct names_keys *keys, struct slice real_name);
/*
 * The real name in a passwd entry: the first field of pw_gecos, in which
 * "&" stands for the capitalised login. False (and "") when it is empty.
 */
bool names_from_gecos(char *to, size_t room, const char *gecos,
    const char *login);

#endif
