/* SPDX-License-Identifier: ISC */
/*
 * build.c - tables of users and of names; see build.h. Aliases are in
 * build_aliases.c.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include "build.h"
#include "build_parts.h"
#include "clock.h"
#include "grow.h"
#include "names.h"
#include "passwd.h"

int
build_add(struct build *build, char kind, struct slice name,
    const struct buf *value, int error)
{
	return error ? error :
	    image_add(&build->image, kind, name, buf_slice(value));
}

bool
build_goes_on(int error)
{
	return error == 0 || error == -EBADMSG;
}

int
build_read(struct build *build, const char *path, struct buf *text,
    struct config_problems *problems)
{
	struct source_stamp stamp;
	int error = source_read(path, text, &stamp), full;

	full = state_add_source(&build->sources, path, &stamp);
	if (error == 0 && full == 0)
		return 0;
	if (error == 0)
		error = full;
	config_problem_add(problems, 0, false, "%s: %s", path,
	    error == -EBUSY ? "changed while it was read" :
	    error == -EINVAL ? "is not a file" :
	    error == -EFBIG ? "is too large" : strerror(-error));
	return error;
}

/* ---- partial names ---- */

struct name_pair {
	char *key;
	char *user;
};

struct name_pairs {
	struct name_pair *items;
	size_t n;
};

static int
add_pair(struct name_pairs *pairs, const char *key, const char *user)
{
	struct name_pair *items = grow_array(pairs->items, pairs->n,
	    sizeof *items);
	struct name_pair pair;

	if (items == NULL)
		return -ENOMEM;
	pairs->items = items;
	pair = (struct name_pair){ strdup(key), strdup(user) };
	if (pair.key == NULL || pair.user == NULL) {
		free(pair.key);
		free(pair.user);
		return -ENOMEM;
	}
	items[pairs->n++] = pair;
	return 0;
}

static int
add_real_name(struct name_pairs *pairs, const char *real_name,
    const char *user)
{
	struct names_keys keys;
	int error = 0;

	names_make_keys(&keys, slice_of(real_name));
	for (size_t i = 0; i < keys.n && !error; i++)
		error = add_pair(pairs, keys.keys[i], user);
	return error;
}

static void
free_pairs(struct name_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		free(pairs->items[i].key);
		free(pairs->items[i].user);
	}
	free(pairs->items);
}

static int
compare_pairs(const void *a, const void *b)
{
	const struct name_pair *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : strcmp(x->user, y->user);
}

/* One record for each run of pairs with one key. */
static int
add_name_records(struct build *build, struct name_pairs *pairs,
    uint32_t *n_records)
{
	struct record_name record;
	struct buf value = { 0 };
	size_t begin, end;
	int error = 0;

	if (pairs->n > 0)
		qsort(pairs->items, pairs->n, sizeof *pairs->items,
		    compare_pairs);
	for (begin = 0; begin < pairs->n && !error; begin = end) {
		const char *key = pairs->items[begin].key;

		record.n = record.n_users = 0;
		for (end = begin; end < pairs->n &&
		     strcmp(pairs->items[end].key, key) == 0; end++)
			if (record.n_users++ < RECORD_NAME_USERS)
				record.users[record.n++] =
				    slice_of(pairs->items[end].user);
		value.size = 0;
		error = build_add(build, RECORD_NAME, slice_of(key), &value,
		    record_put_name(&value, &record));
		++*n_records;
	}
	buf_free(&value);
	return error;
}

/* ---- users ---- */

static int
add_users(struct build *build, const struct users *users, bool folds_case,
    struct name_pairs *pairs)
{
	struct buf value = { 0 };
	int error = 0;

	for (size_t i = 0; i < users->n && !error; i++) {
		const struct user *user = &users->items[i];
		char *key = strdup(user->local);

		if (key == NULL) {
			error = -ENOMEM;
			break;
		}
		record_fold(key, strlen(key), folds_case);
		value.size = 0;
		error = build_add(build, RECORD_USER, slice_of(key), &value,
		    record_put_user(&value, user));
		if (!error && user->name != NULL)
			error = add_real_name(pairs, user->name, user->local);
		free(key);
	}
	build->n_entries = (uint32_t)users->n;
	buf_free(&value);
	return error;
}

static int
build_users(struct build *build, const struct table_spec *spec,
    struct config_problems *problems)
{
	struct buf text = { 0 };
	struct users users = { 0 };
	struct name_pairs pairs = { 0 };
	uint32_t n_names = 0;
	int error = build_read(build, spec->path, &text, problems), added;

	if (!error)
		error = users_parse(&users, buf_slice(&text), spec->path,
		    spec->folds_case, problems);
	if (build_goes_on(error)) {
		added = add_users(build, &users, spec->folds_case, &pairs);
		if (!added)
			added = add_name_records(build, &pairs, &n_names);
		error = added ? added : error;
	}
	free_pairs(&pairs);
	users_free(&users);
	buf_free(&text);
	return error;
}

/* ---- names of the system's users ---- */

static int
collect_passwd(struct name_pairs *pairs, const struct config *config)
{
	char real_name[NAMES_KEY_MAX];
	struct passwd *pw;
	int error = 0;

	setpwent();
	for (;;) {
		errno = 0;
		pw = getpwent();
		if (pw == NULL) {
			/* the end is 0, and ENOENT from some modules */
			if (errno != 0 && errno != ENOENT && !error)
				error = -errno;
			break;
		}
		if (!passwd_may_have_mailbox(pw->pw_uid, config->min_uid) ||
		    !names_from_gecos(real_name, sizeof real_name,
		    pw->pw_gecos ? pw->pw_gecos : "", pw->pw_name))
			continue;
		error = add_real_name(pairs, real_name, pw->pw_name);
		if (error)
			break;
	}
	endpwent();
	return error;
}

static int
build_names(struct build *build, const struct table_spec *spec,
    const struct config *config, struct config_problems *problems)
{
	struct name_pairs pairs = { 0 };
	struct source_stamp stamp;
	int error;

	/* without the file (all users in LDAP, say) it is not watched */
	(void)source_stat(spec->path, &stamp);
	error = state_add_source(&build->sources, spec->path, &stamp);
	if (!error)
		error = collect_passwd(&pairs, config);
	if (error)
		config_problem_add(problems, 0, false, "the names of the "
		    "system's users cannot be listed: %s", strerror(-error));
	else
		error = add_name_records(build, &pairs, &build->n_entries);
	free_pairs(&pairs);
	return error;
}

/* ---- the whole ---- */

static int
finish(struct build *build, const struct table_spec *spec)
{
	struct record_meta meta = { (uint8_t)spec->kind, spec->folds_case,
		clock_wall_s(), build->n_entries, slice_of(spec->path) };
	struct buf value = { 0 };
	int error = build_add(build, RECORD_META, SLICE(""), &value,
	    record_put_meta(&value, &meta));

	buf_free(&value);
	return error ? error : image_sort(&build->image);
}

int
build_table(struct build *build, const struct table_spec *spec,
    const struct config *config, struct config_problems *problems)
{
	size_t n_before = problems->n_errors;
	int error, finished;

	*build = (struct build){ 0 };
	if (spec->kind == TABLE_USERS)
		error = build_users(build, spec, problems);
	else if (spec->kind == TABLE_ALIASES)
		error = build_aliases(build, spec, problems);
	else
		error = build_names(build, spec, config, problems);
	if (build_goes_on(error)) {
		finished = finish(build, spec);
		build->has_image = finished == 0 || finished == -EEXIST;
		if (!error)
			error = finished;
	}
	if (error && problems->n_errors == n_before)
		/* the parsers have found all other duplicates */
		config_problem_add(problems, 0, false, "%s: %s", spec->path,
		    error == -EEXIST ? "postmaster or abuse stands there in "
		    "two spellings" : strerror(-error));
	return error;
}

void
build_free(struct build *build)
{
	image_free(&build->image);
	build->has_image = false;
	state_free(&build->sources);
	build->n_entries = 0;
}
