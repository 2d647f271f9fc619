/* SPDX-License-Identifier: ISC */
/*
 * authres.c - writes Authentication-Results; see authres.h. Forged ones are
 * found in authres_forged.c.
 */
#include "authres.h"
#include "octets.h"

#define FOLD_COLUMN 78
#define COMMENT_MAX 160

/* RFC 2045 5.1 tokens, without "/" as some readers take it for a version. */
static bool
is_token(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!is_atext(s.data[i]) && s.data[i] != '.')
			return false;
	for (size_t i = 0; i < s.size; i++)
		if (strchr("/=?", s.data[i]) != NULL)
			return false;
	return s.size > 0;
}

/* [[local-part] "@"] domain-name may stand bare (RFC 8601 2.2). */
static bool
is_bare(struct slice s)
{
	size_t at = slice_find(s, '@');

	if (at == s.size)
		return is_token(s);
	return (at == 0 || is_token(slice_first(s, at))) &&
	    is_token(slice_after(s, at + 1));
}

static void
put(struct authres *a, const char *text, size_t size)
{
	if (a->error == 0)
		a->error = buf_append(a->to, text, size);
	a->column += size;
}

static void
put_string(struct authres *a, const char *text)
{
	put(a, text, strlen(text));
}

/* A space, or a fold if the next size octets do not fit the line. */
static void
put_space(struct authres *a, size_t size)
{
	if (a->column + 1 + size <= FOLD_COLUMN) {
		put_string(a, " ");
		return;
	}
	put_string(a, "\n\t");
	a->column = 8;
}

/* A stranger's octet: what may not be shown is "?". */
static char
clean(char c)
{
	return is_control(c) || !is_ascii(c) ? '?' : c;
}

/* Write value, cleaned and quoted where it must be, into text. */
static size_t
write_value(char text[2 * AUTHRES_VALUE_MAX + 2], struct slice value)
{
	char c;
	size_t n = 0;

	if (value.size > AUTHRES_VALUE_MAX)
		value.size = AUTHRES_VALUE_MAX;
	if (is_bare(value)) {
		memcpy(text, value.data, value.size);
		return value.size;
	}
	text[n++] = '"';
	for (size_t i = 0; i < value.size; i++) {
		c = clean(value.data[i]);
		if (c == '"' || c == '\\')
			text[n++] = '\\';
		text[n++] = c;
	}
	text[n++] = '"';
	return n;
}

void
authres_start(struct authres *a, struct buf *to, const char *host)
{
	char text[2 * AUTHRES_VALUE_MAX + 2];

	*a = (struct authres){ .to = to };
	put_string(a, "Authentication-Results: ");
	put(a, text, write_value(text, slice_of(host)));
}

/* Parentheses and backslashes in it would end or nest the comment. */
static void
put_comment(struct authres *a, struct slice comment)
{
	char text[COMMENT_MAX + 2];
	size_t n = 0;

	text[n++] = '(';
	for (size_t i = 0; i < comment.size && n < COMMENT_MAX; i++)
		text[n++] = strchr("()\\", comment.data[i]) != NULL ? '?' :
		    clean(comment.data[i]);
	text[n++] = ')';
	put_space(a, n);
	put(a, text, n);
}

/* Some come back from an earlier stage, through another process. */
static bool
is_word(const char *result)
{
	size_t n = strspn(result, "abcdefghijklmnopqrstuvwxyz");

	return n > 0 && result[n] == '\0';
}

void
authres_result(struct authres *a, const char *method, const char *result,
    struct slice comment)
{
	if (!is_word(result))
		result = "temperror";
	put_string(a, ";");
	put_space(a, strlen(method) + 1 + strlen(result));
	put_string(a, method);
	put_string(a, "=");
	put_string(a, result);
	if (comment.size > 0)
		put_comment(a, comment);
	a->has_result = true;
}

void
authres_property(struct authres *a, const char *name, struct slice value)
{
	char text[2 * AUTHRES_VALUE_MAX + 2];
	size_t size = write_value(text, value);

	put_space(a, strlen(name) + 1 + size);
	put_string(a, name);
	put_string(a, "=");
	put(a, text, size);
}

int
authres_end(struct authres *a)
{
	if (!a->has_result)
		put_string(a, "; none");
	put_string(a, "\n");
	return a->error;
}
