/* SPDX-License-Identifier: ISC */
/*
 * users.c - users tables; see users.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "address.h"
#include "grow.h"
#include "sasl.h"
#include "source.h"
#include "users.h"
#include "utf8.h"

#define NAME_MAX_OCTETS 255

struct parser {
	struct source source;
	struct users *out;
	bool is_out_of_memory;
	bool has_logins;	/* names may have a domain; passwords alone */
};

bool
users_is_path_safe(struct slice local)
{
	if (local.size == 0 || local.size > ADDRESS_LONG_LOCAL_MAX ||
	    local.data[0] == '.')
		return false;
	for (size_t i = 0; i < local.size; i++) {
		unsigned char c = (unsigned char)local.data[i];

		if (c <= 0x20 || c == 0x7f || c == '/' || c == '@')
			return false;
	}
	return utf8_is_valid(local);
}

/* ---- fields ---- */

/* quota=0 is none; K, M, G, T are powers of 1024. */
static bool
parse_quota(struct slice text, struct user *user)
{
	static const char units[] = "KMGT";
	unsigned long long number;
	const char *unit;
	unsigned shift = 0;

	if (user->has_quota || text.size == 0)
		return false;
	unit = memchr(units, text.data[text.size - 1] & ~0x20, strlen(units));
	if (unit != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		text.size--;
	}
	if (!slice_number(text, (UINT64_MAX / 2) >> shift, &number))
		return false;
	user->has_quota = true;
	user->quota_bytes = (uint64_t)number << shift;
	return true;
}

static bool
is_real_name(struct slice text)
{
	return slice_is_field(text, NAME_MAX_OCTETS + 1) &&
	    utf8_is_valid(text);
}

/* The value never stands in a message. */
static void
set_password(struct parser *p, struct user *user, struct slice value)
{
	enum password_kind kind = password_kind_of(value);
	unsigned line = p->source.line;

	if (user->password != NULL || kind == PASSWORD_MALFORMED) {
		source_error(&p->source, line, "password of \"%s\": "
		    "expected one hash as crypt(5) writes it, or the keys of "
		    "SCRAM-SHA-256", user->local);
		return;
	}
	if (kind == PASSWORD_WEAK)
		config_problem_add(p->source.problems, 0, true, "%s:%u: "
		    "password of \"%s\": nobody can log in with a hash of "
		    "this kind; use yescrypt, bcrypt or sha512crypt",
		    p->source.path, line, user->local);
	else if (kind == PASSWORD_CRYPT && !password_is_whole(value))
		config_problem_add(p->source.problems, 0, true, "%s:%u: "
		    "password of \"%s\": nobody can log in, as the hash is "
		    "damaged: a part of it is missing or too much",
		    p->source.path, line, user->local);
	user->password = slice_strdup(value);
	if (user->password == NULL)
		p->is_out_of_memory = true;
}

static void
set_field(struct parser *p, struct user *user, struct slice key,
    struct slice value)
{
	unsigned line = p->source.line;

	if (slice_equals(key, SLICE("password"))) {
		set_password(p, user, value);
	} else if (p->has_logins) {
		source_error(&p->source, line, "unknown field \"%.*s\"; "
		    "here stands only password=",
		    key.size < 40 ? (int)key.size : 40, key.data);
	} else if (slice_equals(key, SLICE("quota"))) {
		if (!parse_quota(value, user))
			source_error(&p->source, line, "quota of \"%s\": "
			    "expected one size such as 500M or 2G",
			    user->local);
	} else if (slice_equals(key, SLICE("name"))) {
		if (user->name != NULL || !is_real_name(value))
			source_error(&p->source, line, "name of \"%s\": "
			    "expected one name in UTF-8", user->local);
		else if ((user->name = slice_strdup(value)) == NULL)
			p->is_out_of_memory = true;
	} else {
		source_error(&p->source, line, "unknown field \"%.*s\"; "
		    "fields are name, quota and password",
		    key.size < 40 ? (int)key.size : 40, key.data);
	}
}

/* ---- words ---- */

/*
 * Take one value off *rest into room (at least rest->size octets): quoted
 * with \" and \\, or up to a space. False: a quotation mark is missing.
 */
static bool
take_value(struct slice *rest, struct buf *value)
{
	size_t i = 0;
	bool is_quoted = rest->size > 0 && *rest->data == '"';
	bool is_closed = !is_quoted;

	value->size = 0;
	for (i = is_quoted; i < rest->size; i++) {
		char c = rest->data[i];

		if (is_quoted && c == '"') {
			is_closed = true;
			i++;
			break;
		}
		if (is_quoted && c == '\\' && i + 1 < rest->size)
			c = rest->data[++i];
		else if (!is_quoted && (c == ' ' || c == '\t'))
			break;
		if (buf_append(value, &c, 1) < 0)
			return false;
	}
	rest->data += i;
	rest->size -= i;
	return is_closed && (rest->size == 0 || *rest->data == ' ' ||
	    *rest->data == '\t');
}

static void
parse_fields(struct parser *p, struct user *user, struct slice rest)
{
	struct buf value = { .maximum = 65536 };

	for (rest = slice_trim(rest); rest.size > 0 && !p->is_out_of_memory;
	     rest = slice_trim(rest)) {
		struct slice key = { rest.data, slice_find(rest, '=') };

		if (key.size == rest.size) {
			source_error(&p->source, p->source.line,
			    "expected field=value after \"%s\"", user->local);
			break;
		}
		rest.data += key.size + 1;
		rest.size -= key.size + 1;
		if (!take_value(&rest, &value)) {
			source_error(&p->source, p->source.line, "the value "
			    "of a field is cut off, or a quotation mark is "
			    "missing");
			break;
		}
		set_field(p, user, key, buf_slice(&value));
	}
	if (value.data != NULL)
		explicit_bzero(value.data, value.capacity);
	buf_free(&value);
}

/* "alice", and in a file of passwords also "alice@example.org". */
static bool
is_name(const struct parser *p, struct slice name)
{
	size_t at = slice_find(name, '@');

	if (!p->has_logins || at + 1 >= name.size)
		return users_is_path_safe(name);
	return users_is_path_safe((struct slice){ name.data, at }) &&
	    slice_find((struct slice){ name.data + at + 1,
	    name.size - at - 1 }, '@') == name.size - at - 1;
}

static void
parse_line(struct parser *p, struct slice line)
{
	struct slice text = slice_trim(line);
	struct users *out = p->out;
	struct slice local;
	struct user *items;

	if (text.size == 0 || *text.data == '#')
		return;
	local = (struct slice){ text.data, slice_find(text, ' ') };
	local.size = slice_find(local, '\t');
	if (!is_name(p, local)) {
		source_error(&p->source, p->source.line, "\"%.*s\" is not a "
		    "local part that can name a mailbox (no %s/, no dot "
		    "in front)", local.size < 80 ? (int)local.size : 80,
		    local.data, p->has_logins ? "" : "@, no ");
		return;
	}
	items = grow_array(out->items, out->n, sizeof *items);
	if (items == NULL) {
		p->is_out_of_memory = true;
		return;
	}
	out->items = items;
	items += out->n++;
	*items = (struct user){ .line = p->source.line,
		.local = slice_strdup(local) };
	if (items->local == NULL)
		p->is_out_of_memory = true;
	else
		parse_fields(p, items, (struct slice){
		    text.data + local.size, text.size - local.size });
}

/* ---- duplicates ---- */

static int
compare_users(const void *a, const void *b)
{
	const struct user *x = *(struct user *const *)a;
	const struct user *y = *(struct user *const *)b;
	int order = strcmp(x->local, y->local);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int
compare_users_nocase(const void *a, const void *b)
{
	const struct user *x = *(struct user *const *)a;
	const struct user *y = *(struct user *const *)b;
	int order = strcasecmp(x->local, y->local);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int
check_duplicates(struct parser *p, bool folds_case)
{
	size_t n = p->out->n;
	struct user **sorted = calloc(n + 1, sizeof *sorted);

	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &p->out->items[i];
	qsort(sorted, n, sizeof *sorted,
	    folds_case ? compare_users_nocase : compare_users);
	for (size_t i = 1; i < n; i++)
		if ((folds_case ? strcasecmp : strcmp)(sorted[i]->local,
		    sorted[i - 1]->local) == 0)
			source_error(&p->source, sorted[i]->line,
			    "user \"%s\" stands on line %u already",
			    sorted[i]->local, sorted[i - 1]->line);
	free(sorted);
	return source_result(&p->source);
}

/* ---- entry points ---- */

static void
parse(struct parser *p)
{
	struct slice line;

	*p->out = (struct users){ 0 };
	if (!source_has_nul(&p->source))
		while (source_next_line(&p->source, &line) &&
		    !p->is_out_of_memory &&
		    p->source.n_errors < SOURCE_MAX_PROBLEMS)
			parse_line(p, line);
}

int
users_parse(struct users *out, struct slice text, const char *path,
    bool folds_case, struct config_problems *problems)
{
	struct parser p = { .out = out, .source = {
		.path = path, .rest = text, .problems = problems } };

	parse(&p);
	return p.is_out_of_memory ? -ENOMEM :
	    check_duplicates(&p, folds_case);
}

int
users_parse_passwords(struct users *out, struct slice text, const char *path,
    struct config_problems *problems)
{
	struct parser p = { .out = out, .has_logins = true, .source = {
		.path = path, .rest = text, .problems = problems } };

	parse(&p);
	for (size_t i = 0; i < out->n && !p.is_out_of_memory; i++)
		if (out->items[i].password == NULL &&
		    p.source.n_errors == 0)
			source_error(&p.source, out->items[i].line,
			    "\"%s\" has no password=", out->items[i].local);
	return p.is_out_of_memory ? -ENOMEM : check_duplicates(&p, false);
}

void
users_free(struct users *users)
{
	for (size_t i = 0; i < users->n; i++) {
		free(users->items[i].local);
		free(users->items[i].name);
		if (users->items[i].password != NULL)
			explicit_bzero(users->items[i].password,
			    strlen(users->items[i].password));
		free(users->items[i].password);
	}
	free(users->items);
	*users = (struct users){ 0 };
}
