/* SPDX-License-Identifier: ISC */
/*
 * why_text.c - see why_text.h.
 *
 * Values came from clients and other servers: each passes reply_clean before
 * a terminal sees it.
 */
#include <string.h>
#include "reply.h"
#include "trail.h"
#include "why_text.h"

#define VALUE_MAX 1024

struct stage_words {
	const char *stage;
	const char *words;
};

static const struct stage_words stages[] = {
	{ "connect", "at the connection" },
	{ "command", "at a command" },
	{ "helo", "at HELO or EHLO" },
	{ "mail", "at MAIL FROM" },
	{ "rcpt", "at RCPT TO" },
	{ "data", "at the message" },
	{ "timeout", "when time was up" },
	{ "end", "at the end" },
};

/* Keys with a line of their own in the account of a refusal, in order. */
static const struct { const char *key, *label; } known[] = {
	{ "from", "Sender" },
	{ "check", "Check" },
	{ "asked", "Asked" },
	{ "answer", "Answer" },
	{ "took_us", "Took" },
	{ "verdict", "Verdict" },
};

/* What a verdict means to who reads it for the first time. */
static const struct { const char *verdict, *words; } meanings[] = {
	{ "temporary", "the client is to try again later" },
	{ "refuse", "the client is not to try again" },
};

/* Where to look next, of those with a value that begins so. */
static const struct { const char *check, *key, *begins, *words; }
next_steps[] = {
	{ "recipient", "code", "", "`posternctl route` and the address: how "
	    "it is resolved, by which line" },
	{ "mailbox", "enhanced", "4.2.0", "event=mailbox_unusable in the log: "
	    "its folder, and the error (owner, rights, disk)" },
	{ "virus", "answer", "none", "event=clamd_failed in the log: the "
	    "socket of clamd, and the error" },
	{ "milter", "answer", "none", "event=milter_failed in the log: the "
	    "socket of the milter, and the error" },
	{ "sender_domain", "code", "4", "`posternctl dns` and the name and "
	    "type: what the DNS says now" },
	{ "spf", "code", "4", "`posternctl dns` and the name and type: what "
	    "the DNS says now" },
	{ "dmarc", "code", "4", "`posternctl dns` and the name and type: "
	    "what the DNS says now" },
};

static bool
find(struct slice line, const char *key, char *to)
{
	char raw[TRAIL_FIELD_MAX + 1];
	struct trail_field field;

	*to = '\0';
	while (trail_get_field(&line, &field)) {
		size_t n;

		if (!slice_equals(field.key, slice_of(key)))
			continue;
		n = trail_unescape(raw, sizeof raw, field.raw);
		reply_clean(to, VALUE_MAX, (struct slice){ raw, n }, true);
		return true;
	}
	return false;
}

static unsigned
number_of(struct slice line)
{
	char text[VALUE_MAX];
	unsigned long long n = 0;

	if (!find(line, "n", text) ||
	    !slice_number(slice_of(text), UINT16_MAX, &n))
		return 0;
	return (unsigned)n;
}

/* "2026-11-21T23:00:00.123456Z" as "2026-11-21 23:00:00.123 UTC". */
static void
put_time(struct buf *out, struct slice line)
{
	char at[VALUE_MAX];

	if (!find(line, "at", at) || strlen(at) != 27) {
		buf_puts(out, "at an unknown time        ");
		return;
	}
	buf_printf(out, "%.10s %.12s UTC", at, at + 11);
}

static void
put_duration(struct buf *out, const char *text)
{
	unsigned long long us;

	if (!slice_number(slice_of(text), UINT64_MAX / 2, &us))
		buf_puts(out, text);
	else if (us < 1000)
		buf_printf(out, "%llu us", us);
	else if (us < 1000000)
		buf_printf(out, "%llu.%llu ms", us / 1000, us / 100 % 10);
	else
		buf_printf(out, "%llu.%llu s", us / 1000000,
		    us / 100000 % 10);
}

static const char *
words_of_stage(const char *stage)
{
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		if (strcmp(stage, stages[i].stage) == 0)
			return stages[i].words;
	return NULL;
}

static bool
is_said_elsewhere(struct slice key)
{
	static const char *const keys[] = { "id", "n", "at", "stage", "code",
		"enhanced", "text" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (slice_equals(key, slice_of(keys[i])))
			return true;
	return false;
}

static bool
is_known(struct slice key)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (slice_equals(key, slice_of(known[i].key)))
			return true;
	return false;
}

/* ---- facts of the session: one line each ---- */

static void
put_fact(struct buf *out, struct slice line)
{
	struct slice rest = line;
	struct trail_field field;
	char stage[VALUE_MAX], value[VALUE_MAX], key[64];

	put_time(out, line);
	find(line, "stage", stage);
	buf_printf(out, "  %-8.32s", stage);
	while (trail_get_field(&rest, &field)) {
		if (is_said_elsewhere(field.key) ||
		    !slice_copy(key, sizeof key, field.key))
			continue;
		find(line, key, value);
		if (strcmp(key, "took_us") == 0) {
			buf_puts(out, " took ");
			put_duration(out, value);
			continue;
		}
		reply_clean(key, sizeof key, field.key, false);
		buf_printf(out, " %s %s", key, *value ? value : "\"\"");
	}
	buf_puts(out, "\n");
}

/* ---- a refusal ---- */

static void
put_meaning(struct buf *out, const char *verdict)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strcmp(verdict, meanings[i].verdict) == 0)
			buf_printf(out, ": %s", meanings[i].words);
}

static void
put_next_step(struct buf *out, struct slice line)
{
	char check[VALUE_MAX], value[VALUE_MAX];

	find(line, "check", check);
	for (size_t i = 0; i < sizeof next_steps / sizeof *next_steps; i++)
		if (strcmp(check, next_steps[i].check) == 0 &&
		    find(line, next_steps[i].key, value) &&
		    strncmp(value, next_steps[i].begins,
		    strlen(next_steps[i].begins)) == 0)
			buf_printf(out, "  See also  %s\n",
			    next_steps[i].words);
}

static void
put_reply(struct buf *out, struct slice line)
{
	char code[VALUE_MAX], enhanced[VALUE_MAX], text[VALUE_MAX];

	if (!find(line, "code", code))
		return;
	find(line, "enhanced", enhanced);
	find(line, "text", text);
	buf_printf(out, "  Reply     %s%s%s %s\n", code,
	    *enhanced ? " " : "", enhanced, text);
}

static void
put_others(struct buf *out, struct slice line)
{
	struct slice rest = line;
	struct trail_field field;
	char value[VALUE_MAX], key[64];

	while (trail_get_field(&rest, &field)) {
		if (is_said_elsewhere(field.key) || is_known(field.key) ||
		    !slice_copy(key, sizeof key, field.key))
			continue;
		find(line, key, value);
		reply_clean(key, sizeof key, field.key, false);
		buf_printf(out, "  %-10s%s\n", key, value);
	}
}

static void
put_refusal(struct buf *out, struct slice line)
{
	char value[VALUE_MAX];
	const char *words;

	find(line, "stage", value);
	words = words_of_stage(value);
	buf_printf(out, "\nRefusal %u, %s%s, ", number_of(line),
	    words ? "" : "at ", words ? words : value);
	put_time(out, line);
	buf_puts(out, "\n");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!find(line, known[i].key, value))
			continue;
		buf_printf(out, "  %-10s", known[i].label);
		if (strcmp(known[i].key, "took_us") == 0)
			put_duration(out, value);
		else
			buf_puts(out, *value ? value : "(nothing)");
		if (strcmp(known[i].key, "verdict") == 0)
			put_meaning(out, value);
		buf_puts(out, "\n");
	}
	put_others(out, line);
	put_reply(out, line);
	put_next_step(out, line);
}

/* ---- all of it ---- */

static void
put_heading(struct buf *out, struct slice lines)
{
	char id[VALUE_MAX];

	find(slice_next_line(&lines), "id", id);
	buf_printf(out, "Session %s\n\n", id);
}

bool
why_text(struct buf *out, struct slice lines, unsigned number)
{
	struct slice rest = lines;
	bool has_found = number == 0;

	put_heading(out, lines);
	while (rest.size > 0) {
		struct slice line = slice_next_line(&rest);

		if (line.size > 0 && number_of(line) == 0)
			put_fact(out, line);
	}
	for (rest = lines; rest.size > 0;) {
		struct slice line = slice_next_line(&rest);
		unsigned n = number_of(line);

		if (n == 0 || (number != 0 && n != number))
			continue;
		has_found = true;
		put_refusal(out, line);
	}
	return has_found;
}
