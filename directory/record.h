/* SPDX-License-Identifier: ISC */
/*
 * record.h - what stands in a compiled table: keys and their values.
 *
 * A key is one octet that says what kind of entry it is, and the name:
 *
 *	'u' local part		a user of a users table
 *	'n' partial name	the users whom it may mean
 *	'a' alias name		its targets
 *	'i' path		the targets in an :include: file
 *	'm'			about the table as a whole
 *
 * Values are written with pack.h and read with ipc_reader. A value that
 * does not decode means a damaged table, and nothing else. Pure.
 */
#ifndef DIRECTORY_RECORD_H
#define DIRECTORY_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include "aliases.h"
#include "buf.h"
#include "source.h"
#include "users.h"

#define RECORD_USER 'u'
#define RECORD_NAME 'n'
#define RECORD_ALIAS 'a'
#define RECORD_INCLUDE 'i'
#define RECORD_META 'm'

#define RECORD_KEY_MAX 4200		/* a path and the kind */
#define RECORD_NAME_USERS 8		/* kept for an explanation */

/* Strings point into the value that was decoded. */
struct record_user {
	uint32_t line;
	struct slice local;		/* as the table spells it */
	bool has_quota;
	uint64_t quota_bytes;
};

struct record_name {
	uint32_t n_users;		/* all of them */
	uint32_t n;			/* of users[] */
	struct slice users[RECORD_NAME_USERS];
};

struct record_target {
	enum alias_target_kind kind;
	uint32_t line;
	uint16_t code;
	uint8_t subject, detail;
	struct slice text;
	struct slice domain;
};

/* An alias or an include; its targets are read one after the other. */
struct record_list {
	uint32_t line;			/* of the alias; 0 for an include */
	struct slice name;		/* as written; an include: why it
					 * cannot be read, or "" */
	uint32_t n_targets;
	struct slice targets;		/* encoded */
};


struct record_meta {
	uint8_t kind;			/* enum table_kind */
	bool folds_case;
	int64_t made_s;
	uint32_t n_entries;
	struct slice path;		/* of the main source */
};

/* postmaster and abuse, in any case (RFC 5321 4.5.1, RFC 2142). */
bool record_is_exempt(struct slice local);
/*
 * Make a local part comparable, in place: lower case if the table folds it,
 * and always for the names above. Builder and look-up share this.
 */
void record_fold(char *local, size_t size, bool folds_case);

/* Encoders append to out: 0 or a negative errno. */
int record_put_user(struct buf *out, const struct user *user);
int record_put_name(struct buf *out, const struct record_name *name);
/* reason: of an include that cannot be read; else "". */
int record_put_list(struct buf *out, const struct alias *alias,
    bool is_include, const char *reason);
int record_put_meta(struct buf *out, const struct record_meta *meta);

/* Decoders: false for a damaged value. */
bool record_get_user(struct slice value, struct record_user *user);
bool record_get_name(struct slice value, struct record_name *name);
bool record_get_list(struct slice value, struct record_list *list);
bool record_get_meta(struct slice value, struct record_meta *meta);
/* Take the next target off list->targets; false at the end or if damaged. */
bool record_next_target(struct record_list *list,
    struct record_target *target);

#endif
