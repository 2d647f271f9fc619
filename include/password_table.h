/* SPDX-License-Identifier: ISC */
/*
 * password_table.h - the passwords of all accounts, in one file that the
 * table compiler writes and only auth can read.
 *
 *	password_table_write -> PATH.new -> (fsync, rename) -> PATH
 *	PATH -> password_table_open -> find, at ... -> password_table_close
 *
 * Apart from directory's tables, which everybody who knows recipients may
 * see. The file is sorted, has a checksum over all of it that is tested when
 * it is opened, and is never written in place; an open table goes on reading
 * the old file. It holds a secret of its own, kept from one version to the
 * next, by which auth answers alike each time about names that nobody has.
 * Nothing here logs.
 */
#ifndef POSTERN_PASSWORD_TABLE_H
#define POSTERN_PASSWORD_TABLE_H

#include <stdint.h>
#include "buf.h"

#define PASSWORD_TABLE_SECRET_SIZE 32

struct password_entry {
	struct slice name;	/* to look for: "alice@example.com", "alice",
				 * folded as the configuration compares */
	struct slice user;	/* the account, as in a voucher */
	struct slice address;	/* its own address */
	struct slice password;	/* see password_kind_of; never to be shown */
	unsigned line;		/* where it stands; not in the table */
};

struct password_table;

/* "STATE_DIR/passwords/passwords"; false if it does not fit. */
bool password_table_path(char *to, size_t room, const char *state_dir);

/*
 * Replace the file of that path, mode 0640; durable when this returns. The
 * entries are sorted in place. 0; -EEXIST when two names are alike; or
 * another negative errno: then the old file stays.
 */
int password_table_write(const char *path, struct password_entry *entries,
    size_t n, const uint8_t secret[PASSWORD_TABLE_SECRET_SIZE]);

/* 0; -ENOENT; -EIO when it is damaged; another negative errno. */
int password_table_open(struct password_table **table, const char *path);
/* Accepts NULL, sets NULL. */
void password_table_close(struct password_table **table);

/* Entries point into the table. */
bool password_table_find(const struct password_table *table,
    struct slice name, struct password_entry *entry);
size_t password_table_size(const struct password_table *table);
/* The i-th by name. */
void password_table_at(const struct password_table *table, size_t i,
    struct password_entry *entry);
const uint8_t *password_table_secret(const struct password_table *table);

#endif
