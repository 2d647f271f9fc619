/* SPDX-License-Identifier: ISC */
/*
 * alias_target.c - one target of an alias; see alias_target.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "address.h"
#include "alias_target.h"
#include "verdict.h"

static struct slice
skip(struct slice s, size_t n)
{
	return (struct slice){ s.data + n, s.size - n };
}

bool
alias_target_is_reply(struct slice text)
{
	return slice_starts_nocase(text, SLICE("error:"));
}

static int
bad(struct source *source, const struct alias_target *target,
    const char *why, struct slice item)
{
	source_error(source, target->line, "\"%.*s\": %s",
	    item.size < 120 ? (int)item.size : 120, item.data, why);
	return -EBADMSG;
}

static int
keep_text(struct alias_target *target, enum alias_target_kind kind,
    struct slice text)
{
	target->kind = kind;
	target->text = slice_strdup(text);
	return target->text != NULL ? 0 : -ENOMEM;
}

/* ---- error:550 5.1.6 text ---- */

/* RFC 3463 codes for replies that were written without one. */
static void
set_default_codes(struct alias_target *target)
{
	static const struct { uint16_t code; uint8_t subject, detail; }
	table[] = { { 550, 1, 1 }, { 551, 1, 6 }, { 552, 2, 2 },
		{ 553, 1, 3 }, { 554, 7, 1 }, { 452, 2, 2 } };

	target->subject = 2;
	target->detail = 1;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].code == target->code) {
			target->subject = table[i].subject;
			target->detail = table[i].detail;
		}
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Take "5.1.6 " off the front of *text. 0: none there, 1: taken, -1: wrong. */
static int
take_enhanced(struct alias_target *target, struct slice *text)
{
	struct slice word = { text->data, slice_find(*text, ' ') };
	unsigned long long subject, detail;
	struct slice rest;
	size_t dot;

	if (word.size < 5 || !is_digit(word.data[0]) || word.data[1] != '.')
		return 0;
	rest = skip(word, 2);
	dot = slice_find(rest, '.');
	if (word.data[0] != (char)('0' + target->code / 100) ||
	    dot == rest.size ||
	    !slice_number((struct slice){ rest.data, dot }, 255, &subject) ||
	    !slice_number(skip(rest, dot + 1), 255, &detail))
		return -1;
	target->subject = (uint8_t)subject;
	target->detail = (uint8_t)detail;
	*text = slice_trim(skip(*text, word.size));
	return 1;
}

/* Three digits, 4yz or 5yz (RFC 5321 4.2.1); 421 would end the session. */
static bool
is_reply_code(struct slice word, unsigned long long *code)
{
	return word.size == 3 && slice_number(word, 599, code) &&
	    *code >= 400 && *code % 100 < 60 && *code != 421;
}

static int
parse_reply(struct alias_target *target, struct slice item,
    struct source *source)
{
	struct slice text = slice_trim(skip(item, strlen("error:")));
	struct slice word = { text.data, slice_find(text, ' ') };
	unsigned long long code = 550;

	if (word.size > 0 && is_digit(word.data[0])) {
		if (!is_reply_code(word, &code))
			return bad(source, target, "the code of error: must "
			    "be 4yz or 5yz, and not 421", item);
		text = slice_trim(skip(text, word.size));
	}
	target->code = (uint16_t)code;
	set_default_codes(target);
	if (take_enhanced(target, &text) < 0)
		return bad(source, target, "the enhanced code must be like "
		    "5.1.6 and of the same class as the reply code", item);
	if (slice_has_control(text) || text.size > VERDICT_TEXT_MAX)
		return bad(source, target, "the text of error: is too long "
		    "or holds a control character", item);
	if (text.size == 0)
		text = SLICE("this address takes no mail");
	return keep_text(target, ALIAS_ERROR, text);
}

/* ---- the others ---- */

static int
parse_path(struct alias_target *target, enum alias_target_kind kind,
    struct slice path, struct source *source)
{
	if (path.size == 0 || *path.data != '/' || path.size >= PATH_MAX ||
	    slice_has_control(path))
		return bad(source, target, "expected an absolute path", path);
	return keep_text(target, kind, path);
}

static int
parse_program(struct alias_target *target, struct slice item,
    struct source *source)
{
	struct slice command = slice_trim(skip(item, 1));

	if (command.size == 0 || slice_has_control(command))
		return bad(source, target, "expected |command", item);
	return keep_text(target, ALIAS_PROGRAM, command);
}

/* "Alice Smith <alice@example.org>" -> "alice@example.org" */
static struct slice
strip_phrase(struct slice item)
{
	size_t at = slice_find(item, '<');

	if (at == item.size || item.data[item.size - 1] != '>')
		return item;
	return slice_trim((struct slice){ item.data + at + 1,
	    item.size - at - 2 });
}

static int
parse_address(struct alias_target *target, struct slice item,
    struct source *source)
{
	struct slice text = strip_phrase(item);
	bool is_mailbox = text.size > 0 && *text.data == '\\';
	struct address address;
	enum address_result result;
	int error;

	result = address_parse(&address, is_mailbox ? skip(text, 1) : text,
	    ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL |
	    ADDRESS_ALLOW_BARE_LOCAL);
	if (result == ADDRESS_BAD_DOMAIN || result == ADDRESS_BAD_LITERAL)
		return bad(source, target, "the domain is not valid", item);
	if (result != ADDRESS_OK || address.is_null)
		return bad(source, target, "not an address", item);
	error = keep_text(target, is_mailbox ? ALIAS_MAILBOX : ALIAS_ADDRESS,
	    slice_of(address.local));
	if (error)
		return error;
	target->domain = strdup(address.domain);
	return target->domain != NULL ? 0 : -ENOMEM;
}

/* The special forms, by how they begin. */
static int
parse_unquoted(struct alias_target *target, struct slice item,
    struct source *source)
{
	if (alias_target_is_reply(item))
		return parse_reply(target, item, source);
	if (slice_equals_nocase(item, SLICE("discard:")))
		return keep_text(target, ALIAS_DISCARD, SLICE(""));
	if (slice_starts_nocase(item, SLICE("discard:")))
		return bad(source, target, "nothing may follow discard:",
		    item);
	if (slice_starts_nocase(item, SLICE(":include:")))
		return parse_path(target, ALIAS_INCLUDE, slice_trim(
		    skip(item, strlen(":include:"))), source);
	if (*item.data == '|')
		return parse_program(target, item, source);
	if (*item.data == '/')
		return parse_path(target, ALIAS_FILE, item, source);
	return parse_address(target, item, source);
}

/* The quoted forms of what is not an address. */
static bool
is_special(struct slice text)
{
	return text.size > 0 && (*text.data == '|' || *text.data == '/' ||
	    alias_target_is_reply(text) ||
	    slice_starts_nocase(text, SLICE("discard:")) ||
	    slice_starts_nocase(text, SLICE(":include:")));
}

/* The inside of a fully quoted item, escapes removed. */
static char *
unquote(struct slice item)
{
	char *out = malloc(item.size);
	size_t n = 0;

	for (size_t i = 1; out != NULL && i + 1 < item.size; i++) {
		if (item.data[i] == '\\' && i + 2 < item.size)
			i++;
		out[n++] = item.data[i];
	}
	if (out != NULL)
		out[n] = '\0';
	return out;
}

int
alias_target_parse(struct alias_target *target, struct slice item,
    struct source *source)
{
	char *inside;
	int error;

	if (item.size < 3 || *item.data != '"' ||
	    item.data[item.size - 1] != '"')
		return parse_unquoted(target, item, source);
	inside = unquote(item);
	if (inside == NULL)
		return -ENOMEM;
	if (is_special(slice_of(inside)))
		error = parse_unquoted(target, slice_of(inside), source);
	else
		error = parse_unquoted(target, item, source);
	free(inside);
	return error;
}

void
alias_target_free(struct alias_target *target)
{
	free(target->text);
	free(target->domain);
	target->text = target->domain = NULL;
}
