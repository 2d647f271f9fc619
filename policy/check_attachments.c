/* SPDX-License-Identifier: ISC */
/*
 * check_attachments.c - parts that are refused by their file name, by their
 * declared type, or because they begin as a Windows program does.
 *
 * The name is tried in each way in which a mail program might read it; one
 * of a uuencoded file in plain text counts too. A message or multipart that
 * is encoded as a whole, which RFC 2046 forbids and some programs read, is
 * decoded and searched. What is inside of archives is not looked at: that is
 * the virus scanner's work.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "content.h"

#define NAME_SHOWN_MAX 80
#define ENCODED_DEPTH_MAX 4	/* encoded messages in encoded messages */
#define PROGRAM_BYTES 4096	/* of a part, to tell a program by */
#define PROGRAM_TYPE "application/x-dosexec"

/* Names that run when somebody clicks on them. Not *.com: too many names
 * end like that which are domains. */
static const char *const built_in_names[] = {
	"*.ade", "*.adp", "*.appx", "*.application", "*.bat", "*.chm",
	"*.cmd", "*.cpl", "*.dll", "*.exe", "*.gadget", "*.hta", "*.ins",
	"*.isp", "*.jar", "*.jnlp", "*.js", "*.jse", "*.lnk", "*.mde",
	"*.msc", "*.msi", "*.msix", "*.msp", "*.mst", "*.pif", "*.ps1",
	"*.reg", "*.scf", "*.scr", "*.sct", "*.shb", "*.shs", "*.sys",
	"*.url", "*.vb", "*.vbe", "*.vbs", "*.vxd", "*.wsc", "*.wsf",
	"*.wsh", "*.xll",
};
static const char *const built_in_types[] = {
	PROGRAM_TYPE, "application/x-msdownload",
	"application/x-msdos-program", "application/hta",
	"message/partial", "message/external-body",
};

struct search {
	const struct check *check;
	const struct config_checks *rules;
	const struct mime_part *part;
	char path[MIME_PATH_MAX];	/* of the outermost that was found */
	unsigned faults, n_parts, depth;
	uint64_t left_bytes;		/* that may still be decoded */
	bool is_out_of_memory;
	char found[NAME_SHOWN_MAX + 1];	/* "" : nothing */
};

/* ---- patterns ---- */

/* '*' is any number of octets, '?' one; without case. */
static bool
matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = text;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == '?' || (*pattern != '\0' &&
		    tolower((unsigned char)*pattern) ==
		    tolower((unsigned char)*text))) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* The configured ones, or those that are built in. */
static bool
is_listed(const struct config_strings *listed, const char *const *built_in,
    size_t n_built_in, const char *text)
{
	if (listed->n > 0) {
		for (size_t i = 0; i < listed->n; i++)
			if (matches(listed->items[i], text))
				return true;
		return false;
	}
	for (size_t i = 0; i < n_built_in; i++)
		if (matches(built_in[i], text))
			return true;
	return false;
}

/* What is shown to the client: ASCII, short, its end is what matters. */
static void
note_found(struct search *s, const char *text)
{
	size_t size = strlen(text), from = 0;

	if (size > NAME_SHOWN_MAX)
		from = size - NAME_SHOWN_MAX;
	snprintf(s->found, sizeof s->found, "%s", text + from);
	for (char *at = s->found; *at != '\0'; at++)
		if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\')
			*at = '?';
}

/* ---- names and types ---- */

static bool
try_name(const char *name, void *arg)
{
	struct search *s = arg;

	if (!is_listed(&s->rules->attachment_names, built_in_names,
	    sizeof built_in_names / sizeof *built_in_names, name))
		return true;
	note_found(s, name);
	return false;
}

static void
try_type(struct search *s, const char *type)
{
	if (s->found[0] == '\0' && is_listed(&s->rules->attachment_types,
	    built_in_types, sizeof built_in_types / sizeof *built_in_types,
	    type))
		note_found(s, type);
}

/* ---- contents ---- */

/* "MZ", and "PE" where the number at 60 says. */
static bool
is_program(const unsigned char *octets, size_t size)
{
	size_t at;

	if (size < 64 || octets[0] != 'M' || octets[1] != 'Z')
		return false;
	at = octets[60] | (size_t)octets[61] << 8 | (size_t)octets[62] << 16;
	return at + 4 <= size && memcmp(octets + at, "PE\0\0", 4) == 0;
}

static void
try_program(struct search *s)
{
	unsigned char octets[PROGRAM_BYTES];
	struct mime_decode decode;
	size_t n;

	mime_decode_start(&decode, s->part->encoding, s->part->body);
	n = mime_decode_next(&decode, octets, sizeof octets);
	if (is_program(octets, n))
		try_type(s, PROGRAM_TYPE);
}

/* "begin 644 NAME" at the start of a line: uuencode. */
static void
try_begin(struct search *s, struct slice line)
{
	char name[MIME_NAME_MAX + 1];
	size_t at = 6;

	while (at < line.size && line.data[at] >= '0' && line.data[at] <= '7')
		at++;
	if (at < 9 || at > 10 || at >= line.size || line.data[at] != ' ')
		return;
	if (line.size - at > MIME_NAME_MAX)
		at = line.size - MIME_NAME_MAX;
	line = slice_trim((struct slice){ line.data + at,
		line.size - at });
	if (slice_copy(name, sizeof name, line))
		(void)try_name(name, s);
}

static void
try_uuencoded(struct search *s)
{
	struct slice rest = s->part->body, line;

	while (rest.size > 6 && s->found[0] == '\0') {
		line = (struct slice){ rest.data, slice_find(rest, '\n') };
		if (line.size > 6 && memcmp(line.data, "begin ", 6) == 0)
			try_begin(s, line);
		if (line.size == rest.size)
			return;
		rest.data += line.size + 1;
		rest.size -= line.size + 1;
	}
}

static void
try_part(struct search *s)
{
	mime_names(s->part, try_name, s);
	try_type(s, s->part->type);
	if (s->part->kind != MIME_LEAF || s->found[0] != '\0')
		return;
	try_program(s);
	if (s->part->encoding == MIME_IDENTITY)
		try_uuencoded(s);
}

/* ---- messages within ---- */

static bool search_text(struct search *s, struct slice text);

/* A multipart's own type goes in front of what it holds. */
static bool
put_head(struct buf *text, const struct mime_part *part)
{
	struct slice type;

	if (strncmp(part->type, "message/", 8) == 0)
		return true;
	return mime_field_find(part->header, "Content-Type", &type) &&
	    buf_puts(text, "Content-Type:") == 0 &&
	    buf_append_slice(text, type) == 0 && buf_puts(text, "\n\n") == 0;
}

static bool
decode_part(struct buf *text, const struct mime_part *part, struct slice body)
{
	struct mime_decode decode;
	char octets[16384];
	size_t n;

	if (!put_head(text, part))
		return false;
	mime_decode_start(&decode, part->encoding, body);
	while ((n = mime_decode_next(&decode, octets, sizeof octets)) > 0)
		if (buf_append(text, octets, n) < 0)
			return false;
	return true;
}

static bool
is_encoded_whole(const struct mime_part *part)
{
	return (part->encoding == MIME_BASE64 ||
	    part->encoding == MIME_QUOTED_PRINTABLE) &&
	    (strncmp(part->type, "multipart/", 10) == 0 ||
	    mime_is_message(part->type));
}

/* How often an octet is decoded is limited for all of them together. */
static void
search_encoded(struct search *s, const struct mime_part *part,
    struct slice body)
{
	struct buf text = { 0 };

	if (s->depth == ENCODED_DEPTH_MAX || body.size > s->left_bytes) {
		s->faults |= MIME_TOO_DEEP;
		return;
	}
	s->left_bytes -= body.size;
	if (!decode_part(&text, part, body))
		s->is_out_of_memory = true;
	else {
		s->depth++;
		(void)search_text(s, buf_slice(&text));
		s->depth--;
	}
	buf_free(&text);
}

/* Where an encoded multipart ends: its parts are not those of its text. */
static struct slice
body_of(const struct mime_walk *walk, const struct mime_part *part)
{
	if (part->kind == MIME_LEAF)
		return part->body;
	return (struct slice){ part->body.data, (size_t)(walk->text.data +
	    walk->text.size - part->body.data) };
}

/* True: something was found. */
static bool
search_text(struct search *s, struct slice text)
{
	struct mime_walk walk;
	struct mime_part part;

	content_walk_start(s->check, &walk);
	walk.text = text.size > 0 ? text : SLICE("");
	while (s->found[0] == '\0' && mime_next(&walk, &part)) {
		if (s->depth == 0)
			memcpy(s->path, part.path, sizeof s->path);
		s->part = &part;
		try_part(s);
		if (s->found[0] == '\0' && is_encoded_whole(&part))
			search_encoded(s, &part, body_of(&walk, &part));
	}
	s->faults |= walk.faults;
	s->n_parts += walk.n_parts;
	return s->found[0] != '\0';
}

static enum check_said
say_found(struct check *c, const struct search *s)
{
	return check_bad(c, 554, 7, 1, "%s%s of the message is \"%s\", which "
	    "is not taken here", s->path[0] != '\0' ? "part " : "the body",
	    s->path, s->found);
}

enum check_said
check_attachments(struct check *c)
{
	struct search s = { .check = c, .rules = &c->config->checks,
		.left_bytes = ENCODED_DEPTH_MAX * (uint64_t)c->message.size };

	if (search_text(&s, c->message))
		return say_found(c, &s);
	if (s.is_out_of_memory)
		return check_silent(c, 3, 0, "cannot search the message for "
		    "attachments now, try again later");
	/* two programs would see two messages: neither can be vouched for */
	if (s.faults & MIME_AMBIGUOUS)
		return check_bad(c, 554, 6, 0, "a part of the message says "
		    "twice what it is, and not the same");
	if (s.faults & (MIME_UNCLEAR | MIME_BAD_BOUNDARY))
		return check_bad(c, 554, 6, 0, "the message does not say "
		    "clearly where its parts begin");
	if (s.faults & (MIME_TOO_DEEP | MIME_TOO_MANY_PARTS |
	    MIME_TOO_MANY_FIELDS | MIME_HEADER_TOO_LARGE))
		return check_bad(c, 554, 6, 0, "the message has more parts "
		    "or fields than can be searched for attachments");
	return check_good(c, "%u parts", s.n_parts);
}
