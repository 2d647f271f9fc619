/* SPDX-License-Identifier: ISC */
/*
 * spf_text.c - an answer as a Received-SPF field (RFC 7208 9.1).
 */
#include <string.h>
#include "spf.h"

#define LINE_MAX_OCTETS 76	/* then a line is folded */

const char *
spf_result_name(enum spf_result result)
{
	static const char *const names[] = { "none", "neutral", "pass",
		"fail", "softfail", "temperror", "permerror" };

	return names[result];
}

/* RFC 5322 3.2.3. */
static bool
is_dot_atom(struct slice s)
{
	bool was_dot = true;

	for (size_t i = 0; i < s.size; i++) {
		char c = s.data[i];
		bool is_dot = c == '.';

		if (is_dot && was_dot)
			return false;
		if (!is_dot && (c <= ' ' || c > '~' ||
		    strchr("()<>[]:;@\\,\"", c) != NULL))
			return false;
		was_dot = is_dot;
	}
	return !was_dot;
}

/* dot-atom, or quoted-string (3.2.4) with its octets cleaned. */
static int
put_value(struct buf *to, struct slice value)
{
	int error;

	if (is_dot_atom(value))
		return buf_append_slice(to, value);
	error = buf_append(to, "\"", 1);
	for (size_t i = 0; i < value.size && error == 0; i++) {
		char c = value.data[i];

		if (c < ' ' || c > '~')
			c = '?';
		error = c == '"' || c == '\\' ? buf_printf(to, "\\%c", c) :
		    buf_append(to, &c, 1);
	}
	return error ? error : buf_append(to, "\"", 1);
}

/* Text within a comment (3.2.2). */
static int
put_comment(struct buf *to, struct slice text)
{
	int error = 0;

	for (size_t i = 0; i < text.size && error == 0; i++) {
		char c = text.data[i];

		if (c < ' ' || c > '~')
			c = '?';
		error = c == '(' || c == ')' || c == '\\' ?
		    buf_printf(to, "\\%c", c) : buf_append(to, &c, 1);
	}
	return error;
}

/* "; key=value", on a new line where this one would get long. */
static int
put_pair(struct buf *to, size_t *line, const char *key, struct slice value)
{
	size_t size = strlen(key) + 3 + value.size;
	bool folds = to->size - *line + size > LINE_MAX_OCTETS;
	int error;

	if (folds)
		*line = to->size;
	error = buf_puts(to, folds ? "\n\t" : " ");
	if (error == 0)
		error = buf_printf(to, "%s=", key);
	if (error == 0)
		error = put_value(to, value);
	return error ? error : buf_append(to, ";", 1);
}

static const char *
comment_of(enum spf_result result)
{
	switch (result) {
	case SPF_PASS:
		return "designates the client as permitted sender";
	case SPF_FAIL:
		return "does not designate the client as permitted sender";
	case SPF_SOFTFAIL:
		return "probably does not designate the client as permitted "
		    "sender";
	case SPF_NEUTRAL:
		return "neither permits nor denies the client";
	case SPF_TEMPERROR:
		return "cannot be checked now";
	case SPF_PERMERROR:
		return "has a policy that cannot be evaluated";
	default:
		return "has no policy";
	}
}

static struct slice
domain_of(const struct spf_query *q, const struct spf_answer *a)
{
	if (*a->domain != '\0')
		return slice_of(a->domain);
	return a->identity == SPF_HELO ? q->helo : q->sender;
}

int
spf_put_received(struct buf *to, const struct spf_query *q,
    const struct spf_answer *a)
{
	bool is_helo = a->identity == SPF_HELO;
	struct { const char *key; struct slice value; } pairs[] = {
		{ "identity", is_helo ? SLICE("helo") : SLICE("mailfrom") },
		{ "receiver", q->host },
		{ "client-ip", slice_of(q->client_ip) },
		{ "helo", q->helo },
		{ "envelope-from", q->sender },
		{ "problem", slice_of(a->problem) },
	};
	size_t n = sizeof pairs / sizeof *pairs, line;
	int error;

	error = buf_printf(to, "Received-SPF: %s\n\t(",
	    spf_result_name(a->result));
	line = to->size - 2;
	if (error == 0)
		error = put_comment(to, domain_of(q, a));
	if (error == 0)
		error = buf_printf(to, " %s)", comment_of(a->result));
	if (*a->problem == '\0')
		n--;
	for (size_t i = 0; i < n && error == 0; i++)
		error = put_pair(to, &line, pairs[i].key, pairs[i].value);
	return error ? error : buf_append(to, "\n", 1);
}
