/* SPDX-License-Identifier: ISC */
/*
 * addressing_from.c - the fields that a program may leave out; addressing.h.
 *
 * From is known here only: the full name is the user's, or -F says it. The
 * date is when the message was handed in. The rest is the server's, but for
 * the Message-ID of what is handed in more than once.
 */
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "address_list.h"
#include "complain.h"
#include "addressing.h"
#include "header.h"
#include "mail_date.h"
#include "utf8.h"

#define WORD_OCTETS 40		/* of an encoded word (RFC 2047 2: 75) */

static bool
has_field(const struct letter *letter, const char *name)
{
	struct header_walk walk;
	struct header_field field;

	header_walk_start(&walk, buf_slice(&letter->header), true);
	while (header_next(&walk, &field) == HEADER_FIELD)
		if (header_is(&field, name))
			return true;
	return false;
}

/* ---- the name ---- */

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == ' ' || c == '-' || c == '_';
}

static int
put_quoted(struct buf *out, struct slice name)
{
	int error = buf_puts(out, "\"");

	for (size_t i = 0; i < name.size && error == 0; i++) {
		char c = name.data[i];

		if (c == '"' || c == '\\')
			error = buf_puts(out, "\\");
		if (error == 0)
			error = buf_append(out, &c, 1);
	}
	return error == 0 ? buf_puts(out, "\"") : error;
}

/* RFC 2047; whole characters in each word. */
static int
put_encoded(struct buf *out, struct slice name)
{
	const char *charset = utf8_is_valid(name) ? "utf-8" : "unknown-8bit";
	int error = 0;

	for (size_t at = 0, in_word = 0; at < name.size && error == 0;) {
		struct slice rest = { name.data + at, name.size - at };
		size_t n = utf8_char_size(rest);

		if (n == 0)
			n = 1;
		if (in_word == 0)
			error = buf_printf(out, "=?%s?q?", charset);
		for (size_t i = 0; i < n && error == 0; i++)
			error = buf_printf(out, "=%02X",
			    (unsigned char)rest.data[i]);
		at += n;
		in_word += 3 * n;
		if (error == 0 && (in_word > WORD_OCTETS || at == name.size)) {
			in_word = 0;
			error = buf_puts(out, at < name.size ? "?=\n " : "?=");
		}
	}
	return error;
}

static int
put_name(struct buf *out, struct slice name)
{
	for (size_t i = 0; i < name.size; i++)
		if (!is_plain(name.data[i]))
			return utf8_is_ascii(name) ? put_quoted(out, name) :
			    put_encoded(out, name);
	return buf_append_slice(out, name);
}

/* "Alice Smith,Room 5,..."; & is the login name with a capital. */
static int
put_gecos(struct buf *name, const struct passwd *pw)
{
	int error = 0;

	for (const char *c = pw->pw_gecos; *c != '\0' && *c != ',' &&
	    error == 0; c++) {
		char first = *pw->pw_name;

		if (*c != '&') {
			error = buf_append(name, c, 1);
			continue;
		}
		if (first >= 'a' && first <= 'z')
			first = (char)(first - ('a' - 'A'));
		error = buf_printf(name, "%c%s", first, pw->pw_name + 1);
	}
	return error;
}

static int
put_full_name(struct buf *out, const char *given)
{
	const struct passwd *pw = getpwuid(getuid());
	struct buf name = { 0 };
	struct slice text;
	int error = 0;

	if (given != NULL)
		error = buf_puts(&name, given);
	else if (pw != NULL)
		error = put_gecos(&name, pw);
	for (size_t i = 0; i < name.size; i++)
		if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f)
			name.data[i] = ' ';
	text = slice_trim(buf_slice(&name));
	if (error == 0)
		error = put_name(out, text);
	if (error == 0 && text.size > 0)
		error = buf_puts(out, " ");
	buf_free(&name);
	return error;
}

/* ---- somebody else's name ---- */

/* "root" as it stands in "root (Cron Daemon)" or "Cron <root>"; data NULL:
 * the field names somebody else, or more than one. */
static struct slice
find_bare_root(struct slice value)
{
	struct address_list list;
	struct address a, another;
	const char *at;

	address_list_start(&list, value);
	if (address_list_next(&list, &a) != ADDRESS_LIST_MAILBOX ||
	    strcmp(a.text, "root") != 0 ||
	    address_list_next(&list, &another) != ADDRESS_LIST_END)
		return (struct slice){ NULL, 0 };
	value = slice_trim(value);
	at = memmem(value.data, value.size, "<root>", 6);
	if (at != NULL)
		return (struct slice){ at + 1, 4 };
	if (!slice_starts_nocase(value, SLICE("root")))
		at = NULL;
	else
		at = value.data;
	return (struct slice){ at, at != NULL ? 4 : 0 };
}

static int
replace(struct buf *header, struct slice old, const char *new)
{
	size_t at = (size_t)(old.data - header->data);
	struct buf changed = { 0 };
	int error = buf_append(&changed, header->data, at);

	if (error == 0)
		error = buf_puts(&changed, new);
	if (error == 0)
		error = buf_append(&changed, header->data + at + old.size,
		    header->size - at - old.size);
	if (error < 0) {
		buf_free(&changed);
		return error;
	}
	buf_free(header);
	*header = changed;
	return 0;
}

/*
 * cron runs us as the owner of the crontab and writes "From: root (Cron
 * Daemon)" in front. The server lets nobody write as root who is not, so
 * it is the owner's name that stands there.
 */
static int
disown_root(struct buf *header)
{
	const struct passwd *pw = getpwuid(getuid());
	struct header_walk walk;
	struct header_field field;

	if (getuid() == 0 || pw == NULL)
		return 0;
	header_walk_start(&walk, buf_slice(header), true);
	while (header_next(&walk, &field) == HEADER_FIELD) {
		struct slice root = { NULL, 0 };

		if (header_is(&field, "From"))
			root = find_bare_root(field.value);
		if (root.data != NULL)
			return replace(header, root, pw->pw_name);
	}
	return 0;
}

/* ---- the fields ---- */

/* Who a bounce's From is: the null path has no name. */
static int
put_address(struct buf *out, const struct addressing *e,
    const struct server_place *place)
{
	const struct passwd *pw;

	if (*e->sender != '\0')
		return buf_printf(out, "<%s>", e->sender);
	pw = getpwuid(getuid());
	return buf_printf(out, "<%s%s%s>", pw != NULL ? pw->pw_name :
	    "postmaster", *place->origin != '\0' ? "@" : "", place->origin);
}

int
addressing_complete(const struct addressing *e, struct letter *letter,
    const struct sendmail_options *o, const struct server_place *place)
{
	struct buf *header = &letter->header;
	char date[MAIL_DATE_SIZE];
	int error = disown_root(header);

	if (error == 0 && !has_field(letter, "From")) {
		error = buf_puts(header, "From: ");
		if (error == 0)
			error = put_full_name(header, o->full_name);
		if (error == 0)
			error = put_address(header, e, place);
		if (error == 0)
			error = buf_puts(header, "\n");
	}
	if (error == 0 && !has_field(letter, "Date")) {
		mail_date_write(date, time(NULL));
		error = buf_printf(header, "Date: %s\n", date);
	}
	return error == 0 ? 0 : complain(EX_TEMPFAIL, "out of memory");
}

int
addressing_identify(struct letter *letter, const struct server_place *place)
{
	char host[HOST_NAME_MAX + 1] = "";
	const char *domain = place->origin;

	if (has_field(letter, "Message-ID"))
		return 0;
	if (*domain == '\0') {
		(void)gethostname(host, sizeof host - 1);
		domain = *host != '\0' ? host : "localhost";
	}
	return buf_printf(&letter->header, "Message-ID: <%" PRIu64 ".%08"
	    PRIx32 "%08" PRIx32 "@%s>\n", (uint64_t)time(NULL), arc4random(),
	    arc4random(), domain) == 0 ? 0 :
	    complain(EX_TEMPFAIL, "out of memory");
}
