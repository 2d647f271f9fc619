/* SPDX-License-Identifier: ISC */
/*
 * table.h - a compiled table: a Berkeley DB file, or an image in memory.
 *
 *	image -> table_write -> NAME.db.new -> (caller renames) -> NAME.db
 *	NAME.db -> table_open -> table_get ... -> table_close
 *
 * A file is opened read-only and without an environment, and is never
 * written in place: a new one replaces it by rename, and a handle goes on
 * reading the old one. Every page has a checksum; opening reads the whole
 * file once, so that damage is found then and not by an unlucky recipient.
 * Nothing here logs.
 */
#ifndef DIRECTORY_TABLE_H
#define DIRECTORY_TABLE_H

#include <stdbool.h>
#include "buf.h"
#include "image.h"
#include "record.h"

enum table_kind { TABLE_USERS = 1, TABLE_ALIASES, TABLE_NAMES };

struct table;

/*
 * 0; -ENOENT when there is no file; -EIO when it is damaged or of another
 * kind; another negative errno when it cannot be read.
 */
int table_open(struct table **table, const char *path, enum table_kind kind);
/* Takes the image over (it is emptied). 0 or -ENOMEM (then it is not). */
int table_of_image(struct table **table, struct image *image);
/* Accepts NULL, sets NULL. */
void table_close(struct table **table);

/*
 * The value of {kind, name}; it stays valid until the next call on this
 * table. 0; -ENOENT; -EIO when the table is damaged.
 */
int table_get(struct table *table, char kind, struct slice name,
    struct slice *value);
/* Call fn for every entry until it returns non-zero; that, or -EIO. */
typedef int table_each_fn(struct slice key, struct slice value, void *arg);
int table_each(struct table *table, table_each_fn *fn, void *arg);
/* False for an image. */
bool table_meta(struct table *table, struct record_meta *meta);

/* The kind of the entries that are counted: 'u', 'a' or 'n'. */
char table_entry_kind(enum table_kind kind);

/*
 * Write image to a new file, durable when this returns. path must not
 * exist. 0 or a negative errno; a file that could not be completed is
 * removed.
 */
int table_write(const char *path, const struct image *image);

#endif
