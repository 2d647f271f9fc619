/* SPDX-License-Identifier: ISC */
/*
 * passwords.c - see passwords.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "account.h"
#include "grow.h"
#include "passwords.h"
#include "source.h"
#include "users.h"

/* ---- entries ---- */

static int
copy_slice(struct slice *to, const char *from)
{
	char *copy = strdup(from);

	if (copy == NULL)
		return -ENOMEM;
	*to = slice_of(copy);
	return 0;
}

static void
free_text(struct slice *text)
{
	/* all of them were made by copy_slice */
	char *owned = (char *)(uintptr_t)text->data;

	if (owned != NULL)
		explicit_bzero(owned, text->size);
	free(owned);
}

static int
add_entry(struct passwords *passwords, const struct account *account,
    const struct user *user)
{
	struct password_entry *items = grow_array(passwords->entries,
	    passwords->n, sizeof *items);
	int error;

	if (items == NULL)
		return -ENOMEM;
	passwords->entries = items;
	items += passwords->n++;
	*items = (struct password_entry){ .line = user->line };
	error = copy_slice(&items->name, account->key);
	if (!error)
		error = copy_slice(&items->user, account->user);
	if (!error)
		error = copy_slice(&items->address, account->address);
	return error ? error : copy_slice(&items->password, user->password);
}

void
passwords_free(struct passwords *passwords)
{
	for (size_t i = 0; i < passwords->n; i++) {
		free_text(&passwords->entries[i].name);
		free_text(&passwords->entries[i].user);
		free_text(&passwords->entries[i].address);
		free_text(&passwords->entries[i].password);
	}
	free(passwords->entries);
	*passwords = (struct passwords){ 0 };
}

/* ---- sources ---- */

/* A file as users. What is wrong with it is among the problems. */
static int
read_users(struct users *users, const char *path,
    const struct config_domain *domain, struct config_problems *problems)
{
	struct buf text = { 0 };
	struct source_stamp stamp;
	int error = source_read(path, &text, &stamp);

	*users = (struct users){ 0 };
	if (error)
		config_problem_add(problems, 0, false, "%s: passwords cannot "
		    "be read: %s", path, strerror(-error));
	else if (domain != NULL)
		error = users_parse(users, buf_slice(&text), path,
		    !domain->is_case_sensitive, problems);
	else
		error = users_parse_passwords(users, buf_slice(&text), path,
		    problems);
	if (text.data != NULL)
		explicit_bzero(text.data, text.size);
	buf_free(&text);
	return error;
}

static int
compare_places(const void *a, const void *b)
{
	const struct password_entry *x = a, *y = b;
	int order = strcmp(x->name.data, y->name.data);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* One account may be written in several ways: "alice", "alice@example.org".
 * Of the entries of one file. */
static int
check_doubles(struct passwords *passwords, size_t first, const char *path,
    struct config_problems *problems)
{
	struct password_entry *entries = passwords->entries;
	int error = 0;

	if (passwords->n > first)
		qsort(entries + first, passwords->n - first, sizeof *entries,
		    compare_places);
	for (size_t i = first + 1; i < passwords->n; i++) {
		if (!slice_equals(entries[i].name, entries[i - 1].name))
			continue;
		config_problem_add(problems, 0, false, "%s:%u: the password of "
		    "\"%s\" stands on line %u already", path,
		    entries[i].line, entries[i].name.data,
		    entries[i - 1].line);
		error = -EBADMSG;
	}
	return error;
}

static int
collect_domain(struct passwords *passwords,
    const struct config_domain *domain, struct config_problems *problems)
{
	size_t first = passwords->n;
	struct users users;
	struct account account;
	int error = read_users(&users, domain->users_table, domain, problems);

	for (size_t i = 0; i < users.n && !error; i++)
		if (users.items[i].password != NULL &&
		    account_of_user(&account, domain,
		    slice_of(users.items[i].local)))
			error = add_entry(passwords, &account,
			    &users.items[i]);
	users_free(&users);
	return error ? error : check_doubles(passwords, first,
	    domain->users_table, problems);
}

static int
collect_file(struct passwords *passwords, const struct config *config,
    struct config_problems *problems)
{
	const char *path = config->auth.users;
	struct users users;
	struct account account;
	int error = read_users(&users, path, NULL, problems);

	for (size_t i = 0; i < users.n && !error; i++) {
		const struct user *user = &users.items[i];

		if (account_of_login(&account, config,
		    slice_of(user->local)))
			error = add_entry(passwords, &account, user);
		else
			config_problem_add(problems, 0, true, "%s:%u: \"%s\" "
			    "is nobody's name: its domain is not delivered "
			    "here", path, user->line, user->local);
	}
	users_free(&users);
	return error ? error : check_doubles(passwords, 0, path, problems);
}

int
passwords_collect(struct passwords *passwords, const struct config *config,
    struct config_problems *problems)
{
	int error = 0;

	*passwords = (struct passwords){ 0 };
	if (config->auth.users != NULL)
		return collect_file(passwords, config, problems);
	for (size_t i = 0; i < config->n_domains && !error; i++)
		if (config->domains[i].users_table != NULL &&
		    !config->domains[i].users_are_passwd)
			error = collect_domain(passwords,
			    &config->domains[i], problems);
	return error;
}

bool
passwords_are_wanted(const struct config *config)
{
	for (size_t i = 0; i < config->n_listens; i++)
		if (config->listens[i].role == LISTEN_SUBMISSION)
			return config->auth.dovecot == NULL;
	return false;
}

/* ---- the file ---- */

/* That of the old file, so that auth answers as before; else a new one. */
static int
choose_secret(const char *path, uint8_t secret[PASSWORD_TABLE_SECRET_SIZE])
{
	struct password_table *old;
	ssize_t n;

	if (password_table_open(&old, path) == 0) {
		memcpy(secret, password_table_secret(old),
		    PASSWORD_TABLE_SECRET_SIZE);
		password_table_close(&old);
		return 0;
	}
	n = getrandom(secret, PASSWORD_TABLE_SECRET_SIZE, 0);
	return n == PASSWORD_TABLE_SECRET_SIZE ? 0 : -EIO;
}

static int
replace(struct passwords *passwords, const struct config *config,
    struct config_problems *problems)
{
	uint8_t secret[PASSWORD_TABLE_SECRET_SIZE];
	char path[PATH_MAX];
	int error;

	if (!password_table_path(path, sizeof path, config->state_dir))
		return -ENAMETOOLONG;
	error = choose_secret(path, secret);
	if (!error)
		error = password_table_write(path, passwords->entries,
		    passwords->n, secret);
	explicit_bzero(secret, sizeof secret);
	if (error)
		config_problem_add(problems, 0, false, "%s: the table of "
		    "passwords cannot be written: %s", path,
		    error == -EEXIST ? "one account stands there twice" :
		    strerror(-error));
	return error;
}

int
passwords_compile(const struct config *config,
    struct config_problems *problems, size_t *n)
{
	struct passwords passwords;
	int error = passwords_collect(&passwords, config, problems);

	*n = passwords.n;
	if (!error)
		error = replace(&passwords, config, problems);
	passwords_free(&passwords);
	return error;
}
