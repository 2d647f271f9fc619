/* SPDX-License-Identifier: ISC */
/*
 * smtp_command.c - command lines; see smtp_command.h.
 */
#include "smtp_command.h"
#include "octets.h"
#include "smtp_params.h"
#include "srs.h"
#include "utf8.h"

enum command_result
command_split(struct command *c, struct slice line)
{
	size_t n = 0;

	*c = (struct command){ .verb = { line.data, 0 },
		.argument = { line.data, 0 } };
	for (size_t i = 0; i < line.size; i++)
		if (is_control(line.data[i]) && line.data[i] != '\t')
			return COMMAND_BAD_OCTETS;
	if (!utf8_is_ascii(line) && !utf8_is_valid(line))
		return COMMAND_BAD_OCTETS;
	while (n < line.size && !is_space(line.data[n]))
		n++;
	c->verb = slice_first(line, n);
	c->argument = slice_trim(slice_after(line, n));
	return COMMAND_OK;
}

/*
 * A web page can make a browser send a form here whose text is a dialogue
 * with us. The long address of a page may hide the request line.
 */
bool
command_is_http(const struct command *c)
{
	struct slice rest = c->argument;
	size_t n;

	if (slice_equals_nocase(c->verb, SLICE("Host:")))
		return true;
	while ((n = slice_find(rest, ' ')) < rest.size)
		rest = slice_after(rest, n + 1);
	return slice_starts_nocase(rest, SLICE("HTTP/"));
}

static bool
take_prefix(struct slice *s, struct slice prefix)
{
	if (!slice_starts_nocase(*s, prefix))
		return false;
	*s = slice_trim(slice_after(*s, prefix.size));
	return true;
}

static enum command_result
path_result(enum address_result path)
{
	switch (path) {
	case ADDRESS_OK:
		return COMMAND_OK;
	case ADDRESS_IS_UTF8:
		return COMMAND_NEEDS_SMTPUTF8;
	case ADDRESS_NO_MEMORY:
		return COMMAND_NO_MEMORY;
	default:
		return COMMAND_BAD_PATH;
	}
}

/* "<path>" and then nothing, or white space and parameters. */
static enum command_result
take_path(struct slice *s, struct address *a, unsigned allow,
    enum address_result *path)
{
	*path = address_parse_path(a, s, allow);
	if (*path != ADDRESS_OK)
		return path_result(*path);
	if (s->size > 0 && !is_space(*s->data)) {
		*path = ADDRESS_BAD_SYNTAX;
		return COMMAND_BAD_PATH;
	}
	*s = slice_trim(*s);
	return COMMAND_OK;
}

/*
 * SMTPUTF8 stands behind the path that needs it, so the path is read as
 * UTF-8 and judged when the parameters are known (RFC 6531 3.4).
 */
enum command_result
command_parse_mail(struct slice argument, unsigned offered,
    struct address *sender, struct mail_params *params)
{
	unsigned allow = ADDRESS_ALLOW_NULL | ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL;
	struct slice rest = slice_trim(argument);
	enum command_result result;

	*params = (struct mail_params){ 0 };
	if (offered & COMMAND_BARE_LOCAL)
		allow |= ADDRESS_ALLOW_BARE_LOCAL;
	if (!take_prefix(&rest, SLICE("FROM:")))
		return COMMAND_BAD_SYNTAX;
	result = take_path(&rest, sender, allow, &params->path);
	if (result == COMMAND_OK)
		result = params_parse_mail(rest, offered, params);
	if (result == COMMAND_OK && sender->needs_smtputf8 &&
	    !(params->given & COMMAND_SMTPUTF8))
		return COMMAND_NEEDS_SMTPUTF8;
	return result;
}

/* Only what forwards have rewritten may be longer than RFC 5321 4.5.3.1.1. */
static bool
is_too_long(const struct address *recipient)
{
	struct slice local = slice_of(recipient->local);
	struct srs_tag tag;

	return local.size > ADDRESS_LOCAL_MAX && !srs_parse(local, &tag);
}

enum command_result
command_parse_rcpt(struct slice argument, unsigned offered,
    struct address *recipient, struct rcpt_params *params)
{
	unsigned allow = ADDRESS_ALLOW_POSTMASTER | ADDRESS_ALLOW_LONG_LOCAL;
	struct slice rest = slice_trim(argument);
	enum command_result result;

	*params = (struct rcpt_params){ 0 };
	if (offered & COMMAND_SMTPUTF8)
		allow |= ADDRESS_ALLOW_UTF8;
	if (offered & COMMAND_BARE_LOCAL)
		allow |= ADDRESS_ALLOW_BARE_LOCAL;
	if (!take_prefix(&rest, SLICE("TO:")))
		return COMMAND_BAD_SYNTAX;
	result = take_path(&rest, recipient, allow, &params->path);
	if (result == COMMAND_OK && is_too_long(recipient)) {
		params->path = ADDRESS_LOCAL_TOO_LONG;
		return COMMAND_BAD_PATH;
	}
	if (result == COMMAND_OK)
		result = params_parse_rcpt(rest, offered, params);
	return result;
}

enum command_result
command_parse_bdat(struct slice argument, uint64_t *size_bytes, bool *is_last)
{
	struct slice rest = slice_trim(argument), word;
	unsigned long long value;
	size_t n = 0;

	*size_bytes = 0;
	*is_last = false;
	while (n < rest.size && !is_space(rest.data[n]))
		n++;
	word = slice_first(rest, n);
	rest = slice_trim(slice_after(rest, n));
	if (!slice_number(word, UINT64_MAX, &value))
		return COMMAND_BAD_SYNTAX;
	if (rest.size > 0 && !slice_equals_nocase(rest, SLICE("LAST")))
		return COMMAND_BAD_SYNTAX;
	*size_bytes = value;
	*is_last = rest.size > 0;
	return COMMAND_OK;
}

enum command_result
command_check_helo(struct slice argument)
{
	if (argument.size == 0 || argument.size > COMMAND_HELO_MAX)
		return COMMAND_BAD_SYNTAX;
	for (size_t i = 0; i < argument.size; i++)
		if (is_control(argument.data[i]) || argument.data[i] == ' ' ||
		    !is_ascii(argument.data[i]))
			return COMMAND_BAD_SYNTAX;
	return COMMAND_OK;
}
