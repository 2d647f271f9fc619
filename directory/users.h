/* SPDX-License-Identifier: ISC */
/*
 * users.h - a users table, as text.
 *
 *	# local part, then fields
 *	alice  name="Alice Smith" quota=1G password="$y$j9T$..."
 *	bob
 *
 * Passwords never get into directory's tables: they are compiled into one of
 * their own, which auth alone can read (passwords.h). Local parts must be
 * safe as a component of a path. Pure; does no I/O.
 */
#ifndef DIRECTORY_USERS_H
#define DIRECTORY_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"

struct user {
	char *local;
	char *name;		/* real name, UTF-8, or NULL */
	unsigned line;
	bool has_quota;
	uint64_t quota_bytes;
	char *password;		/* as password_kind_of takes it, or NULL */
};

struct users {
	struct user *items;
	size_t n;
};

/*
 * Parse a whole file. path names it in problems. 0; -EBADMSG when at least
 * one error was added to problems (out then holds what could be read);
 * -EILSEQ when it is no text, or has so many errors that its end was not
 * read; -ENOMEM. Release with users_free in every case.
 */
int users_parse(struct users *out, struct slice text, const char *path,
    bool folds_case, struct config_problems *problems);
/*
 * The same for a file of nothing but passwords (auth { users = }), whose
 * names may have a domain: alice@example.org password="$y$j9T$..."
 */
int users_parse_passwords(struct users *out, struct slice text,
    const char *path, struct config_problems *problems);
void users_free(struct users *users);
/* A local part or login name that may become a component of a path. */
bool users_is_path_safe(struct slice local);

#endif
