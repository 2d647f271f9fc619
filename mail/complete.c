/* SPDX-License-Identifier: ISC */
/*
 * complete.c - see complete.h.
 */
#include <inttypes.h>
#include "address_list.h"
#include "complete.h"
#include "list_tokens.h"
#include "octets.h"

static bool
is_one_of(struct slice name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equals_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

bool
complete_is_unwanted(struct slice name)
{
	static const char *const names[] = { "bcc", "resent-bcc",
		"return-path" };

	return is_one_of(name, names, sizeof names / sizeof *names);
}

bool
complete_is_list(struct slice name)
{
	static const char *const names[] = { "from", "sender", "reply-to",
		"to", "cc", "resent-from", "resent-sender", "resent-to",
		"resent-cc" };

	return is_one_of(name, names, sizeof names / sizeof *names);
}

/* Only what can be read as a whole is changed. */
static bool
is_good_list(struct slice value)
{
	struct address_list list;
	struct address a;
	enum address_list_step step;

	address_list_start(&list, value);
	while ((step = address_list_next(&list, &a)) == ADDRESS_LIST_MAILBOX)
		;
	return step == ADDRESS_LIST_END;
}

bool
complete_is_host(const struct complete_names *names, struct slice domain)
{
	const char *const *host = names->hosts;

	while (host != NULL && *host != NULL &&
	    !slice_equals_nocase(domain, slice_of(*host)))
		host++;
	return host != NULL && *host != NULL;
}

/* The last word of a mailbox that is to be completed; data NULL: none is. */
struct bare {
	struct slice name;
	const char *end;	/* behind it, or behind this host's domain */
};

/* To the end of the mailbox under way. */
static struct bare
bare_name(struct token_reader *r, const struct complete_names *names)
{
	struct slice last = { NULL, 0 }, domain = { NULL, 0 };
	bool has_angle = token_has_angle(r), has_at = false;

	while (has_angle && !token_is(r, '<'))
		token_advance(r);
	while (r->token.kind != TOKEN_END && r->token.kind != TOKEN_BAD &&
	    (has_angle ? !token_is(r, '>') : !token_is_separator(r))) {
		if (token_is(r, '@'))
			has_at = true;
		else if (token_is(r, ':')) {	/* behind a route */
			has_at = false;
			domain.data = NULL;
		} else if (has_at)
			/* one in several words is none of this host */
			domain = domain.data == NULL ? r->token.text :
			    (struct slice){ domain.data, 0 };
		else if (token_is_text(r))
			last = r->token.text;
		token_advance(r);
	}
	if (has_angle)
		token_advance(r);
	/* a group's name is none */
	if (!has_angle && token_is(r, ':'))
		last.data = NULL;
	if (!has_at)
		domain = (struct slice){ last.data + last.size, 0 };
	else if (last.data == NULL || !complete_is_host(names, domain))
		last.data = NULL;
	return (struct bare){ last, last.data != NULL ?
	    domain.data + domain.size : NULL };
}

int
complete_list(struct buf *to, struct slice value,
    const struct complete_names *names)
{
	struct token_reader r = { .rest = value };
	const char *from = value.data;
	struct bare bare;
	bool is_changed = false;
	int error = 0;

	if (!is_good_list(value))
		return buf_append_slice(to, value);
	token_advance(&r);
	while (error == 0 && r.token.kind != TOKEN_END &&
	    r.token.kind != TOKEN_BAD) {
		if (token_is_separator(&r)) {
			token_advance(&r);
			continue;
		}
		bare = bare_name(&r, names);
		if (bare.name.data == NULL)
			continue;
		error = buf_append(to, from,
		    (size_t)(bare.name.data + bare.name.size - from));
		if (error == 0)
			error = buf_printf(to, "@%s", names->origin);
		from = bare.end;
		is_changed = true;
	}
	if (error == 0)
		error = buf_append(to, from,
		    (size_t)(value.data + value.size - from));
	return error < 0 ? error : is_changed;
}

int
complete_message_id(struct buf *to, int64_t when_us, const char *id,
    uint64_t number, const char *host)
{
	return buf_printf(to, " <%" PRId64 ".%s.%" PRIu64 "@%s>",
	    when_us / 1000, id, number, host);
}
