/* SPDX-License-Identifier: ISC */
/*
 * config_text.c - names, mail addresses and paths; see config_text.h.
 */
#include <ctype.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include "config_text.h"

#define PATH_LONGEST 1024

const char *
config_text_keep(struct buf *out, struct slice s)
{
	return buf_append_slice(out, s) == 0 && buf_puts(out, "") == 0 ?
	    NULL : CONFIG_NO_MEMORY;
}

const char *
config_text_line(struct slice in, struct buf *out)
{
	if (in.size == 0)
		return "empty";
	if (in.size > 300)
		return "longer than 300 octets";
	for (size_t i = 0; i < in.size; i++)
		if ((unsigned char)in.data[i] < ' ' || in.data[i] == 127)
			return "more than one line";
	return config_text_keep(out, in);
}

const char *
config_text_exit_code(struct slice in, struct buf *out)
{
	unsigned long long code;

	if (!slice_number(in, 255, &code) || code < 64 || code > 78)
		return "not an exit code from 64 to 78 (sysexits.h)";
	if (code == 75)
		return "that exit code means: try again later";
	if (code == 67)
		return "with that exit code a program always says that "
		    "there is no such recipient";
	return config_text_keep(out, in);
}

bool
config_text_starts(struct slice s, struct slice prefix)
{
	return s.size >= prefix.size &&
	    slice_equals((struct slice){ s.data, prefix.size }, prefix);
}

struct slice
config_text_after(struct slice s, size_t n)
{
	return (struct slice){ s.data + n, s.size - n };
}

static bool
has_only(struct slice s, bool (*is_allowed)(unsigned char))
{
	for (size_t i = 0; i < s.size; i++)
		if (!is_allowed((unsigned char)s.data[i]))
			return false;
	return true;
}

/* ---- domains ---- */

/* RFC 1123 2.1 and RFC 1035 2.3.4: letters, digits, inner hyphens. */
static const char *
check_labels(struct slice name)
{
	size_t start = 0;

	for (size_t i = 0; i <= name.size; i++) {
		if (i < name.size && name.data[i] != '.') {
			unsigned char c = (unsigned char)name.data[i];

			if (!isalnum(c) && c != '-')
				return "not a domain name";
			continue;
		}
		if (i == start)
			return "not a domain name: a label is empty";
		if (i - start > 63)
			return "not a domain name: a label is too long";
		if (name.data[start] == '-' || name.data[i - 1] == '-')
			return "not a domain name: a label begins or ends "
			    "with '-'";
		start = i + 1;
	}
	return name.size > 253 ? "domain name is too long" : NULL;
}

/* UTF-8 labels become A-labels (RFC 5891, UTS 46 mapping of case). */
static const char *
append_a_labels(struct slice in, struct buf *out)
{
	char *utf8 = slice_strdup(in), *ascii = NULL;
	const char *wrong;
	int status;

	if (utf8 == NULL)
		return CONFIG_NO_MEMORY;
	status = idn2_to_ascii_8z(utf8, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	free(utf8);
	if (status == IDN2_MALLOC)
		return CONFIG_NO_MEMORY;
	if (status != IDN2_OK)
		return "not an internationalised domain name";
	wrong = check_labels(slice_of(ascii));
	if (wrong == NULL)
		wrong = config_text_keep(out, slice_of(ascii));
	idn2_free(ascii);
	return wrong;
}

const char *
config_text_domain(struct slice in, struct buf *out)
{
	size_t start = out->size;
	const char *wrong;
	bool is_ascii = true;

	for (size_t i = 0; i < in.size; i++)
		is_ascii = is_ascii && (unsigned char)in.data[i] < 0x80;
	if (in.size == 0 || in.size > 1024)
		return "not a domain name";
	if (in.data[in.size - 1] == '.') {
		if (config_text_domain((struct slice){ in.data, in.size - 1 },
		    out) != NULL)
			out->size = start;
		return "domain name ends with a dot";
	}
	if (!is_ascii)
		return append_a_labels(in, out);
	wrong = check_labels(in);
	if (wrong == NULL)
		wrong = config_text_keep(out, in);
	for (size_t i = start; wrong == NULL && i < out->size; i++)
		out->data[i] = (char)tolower((unsigned char)out->data[i]);
	return wrong;
}

/* ---- addresses ---- */

/* RFC 5321 4.1.2 Dot-string, and UTF-8 of RFC 6531. */
static bool
is_local_octet(unsigned char c)
{
	return isalnum(c) || c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static const char *
check_local_part(struct slice local)
{
	if (local.size == 0 || local.size > 64)
		return "not a mail address: its local part has no octets or "
		    "more than 64";
	if (!has_only(local, is_local_octet) || local.data[0] == '.' ||
	    local.data[local.size - 1] == '.' ||
	    memmem(local.data, local.size, "..", 2) != NULL)
		return "not a mail address";
	return NULL;
}

/*
 * LOCAL@DOMAIN; the domain in the form in which domains are kept. "*" is a
 * local part too, which `may` of a sender needs.
 */
const char *
config_text_address(struct slice in, struct buf *out)
{
	size_t at = slice_find(in, '@'), start = out->size;
	const char *wrong;

	if (at == in.size)
		return "not a complete mail address";
	wrong = check_local_part((struct slice){ in.data, at });
	if (wrong == NULL)
		wrong = config_text_keep(out,
		    (struct slice){ in.data, at + 1 });
	if (wrong == NULL)
		wrong = config_text_domain(config_text_after(in, at + 1), out);
	/* half an address is nothing to suggest */
	if (wrong != NULL && out->size == start + at + 1)
		out->size = start;
	return wrong;
}

/* The same, or a local part alone, which config_check completes. */
const char *
config_text_local_address(struct slice in, struct buf *out)
{
	const char *wrong;

	if (slice_find(in, '@') < in.size)
		return config_text_address(in, out);
	wrong = check_local_part(in);
	return wrong ? wrong : config_text_keep(out, in);
}

/* ---- names and paths ---- */

static bool
is_name_octet(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '-' || c == '.';
}

const char *
config_text_name(struct slice in, struct buf *out)
{
	if (in.size == 0 || in.size > 32 || in.data[0] == '-' ||
	    in.data[0] == '.' || !has_only(in, is_name_octet))
		return "not a name of a user or group";
	return config_text_keep(out, in);
}

const char *
config_text_account(struct slice in, struct buf *out)
{
	if (slice_find(in, '@') < in.size)
		return config_text_address(in, out);
	return config_text_name(in, out);
}

/* Whether one of the components is "." or "..". */
static bool
has_dots(struct slice path)
{
	while (path.size > 0) {
		size_t n = slice_find(path, '/');
		struct slice part = { path.data, n };

		if (slice_equals(part, SLICE(".")) ||
		    slice_equals(part, SLICE("..")))
			return true;
		path = config_text_after(path, n < path.size ? n + 1 : n);
	}
	return false;
}

static bool
is_path_octet(unsigned char c)
{
	return c >= 0x20 && c != 0x7f;
}

static const char *
check_path(struct slice in)
{
	if (!has_only(in, is_path_octet))
		return "not a path: it holds a control character";
	if (in.size > PATH_LONGEST)
		return "path is too long";
	if (has_dots(in))
		return "path with \".\" or \"..\" in it";
	return NULL;
}

const char *
config_text_path(struct slice in, struct buf *out)
{
	const char *wrong;

	if (in.size == 0 || in.data[0] != '/')
		return "not an absolute path";
	wrong = check_path(in);
	return wrong ? wrong : config_text_keep(out, in);
}

const char *
config_text_users(struct slice in, struct buf *out)
{
	if (slice_equals(in, SLICE("passwd")))
		return config_text_keep(out, in);
	if (config_text_starts(in, SLICE("table:")))
		return config_text_path(config_text_after(in, 6), out);
	if (in.size > 0 && in.data[0] == '/' &&
	    config_text_keep(out, SLICE("table:")) == NULL)
		config_text_keep(out, in);
	return "neither passwd nor table: and a path";
}

/* %u %d %n %% and nothing else behind a percent sign. */
static const char *
check_mailbox_percents(struct slice in)
{
	for (size_t i = 0; i < in.size; i++) {
		if (in.data[i] != '%')
			continue;
		if (++i == in.size || !memchr("udn%", in.data[i], 4))
			return "mailbox has a % that is not %u, %d, %n "
			    "or %%";
	}
	return NULL;
}

const char *
config_text_mailbox(struct slice in, struct buf *out)
{
	const char *wrong;

	if (!config_text_starts(in, SLICE("/")) &&
	    !config_text_starts(in, SLICE("~/")))
		return "mailbox is neither an absolute path nor ~/ and one";
	while (in.size > 2 && in.data[in.size - 1] == '/')
		in.size--;
	if (in.size < 2 || slice_equals(in, SLICE("~/")))
		return "mailbox does not name a directory";
	wrong = check_path(in);
	if (wrong == NULL)
		wrong = check_mailbox_percents(in);
	return wrong ? wrong : config_text_keep(out, in);
}

static bool
is_separator(unsigned char c)
{
	return !isalnum(c) && c != '.' && c != '@' && c < 0x80 &&
	    is_local_octet(c);
}

const char *
config_text_plus(struct slice in, struct buf *out)
{
	if (!has_only(in, is_separator))
		return "not characters that can separate a tag (such as + "
		    "and -)";
	return config_text_keep(out, in);
}
