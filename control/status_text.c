/* SPDX-License-Identifier: ISC */
/*
 * status_text.c - see status_text.h.
 */
#include <stdio.h>
#include <string.h>
#include "reply.h"
#include "status_text.h"
#include "trail.h"
#include "utf8.h"

#define VALUE_MAX 512

/* "3 d 4 h", "12 min": the two largest units. */
static void
duration(char *to, size_t room, const char *seconds)
{
	unsigned long long s;

	if (!slice_number(slice_of(seconds), UINT32_MAX, &s))
		snprintf(to, room, "?");
	else if (s < 60)
		snprintf(to, room, "%llu s", s);
	else if (s < 3600)
		snprintf(to, room, "%llu min", s / 60);
	else if (s < 86400)
		snprintf(to, room, "%llu h %llu min", s / 3600,
		    s / 60 % 60);
	else
		snprintf(to, room, "%llu d %llu h", s / 86400,
		    s / 3600 % 24);
}

static void
put_compartment(struct buf *out, struct slice line)
{
	char name[VALUE_MAX], index[VALUE_MAX], pid[VALUE_MAX];
	char state[VALUE_MAX], up_s[VALUE_MAX], restarts[VALUE_MAX];
	char generation[VALUE_MAX], kind[VALUE_MAX], up[48];

	if (!trail_find(line, "compartment", name, sizeof name))
		return;
	trail_find(line, "index", index, sizeof index);
	trail_find(line, "pid", pid, sizeof pid);
	trail_find(line, "state", state, sizeof state);
	trail_find(line, "up_s", up_s, sizeof up_s);
	trail_find(line, "restarts", restarts, sizeof restarts);
	trail_find(line, "generation", generation, sizeof generation);
	if (!trail_find(line, "kind", kind, sizeof kind))
		*kind = '\0';
	duration(up, sizeof up, up_s);
	buf_printf(out, "%-11s %5s %10s %7s  %-10s %-12s %8s%s%s\n", name,
	    index, generation, pid, state, up, restarts, *kind ? "  " : "",
	    kind);
}

bool
status_counter(const struct scoreboards *boards,
    enum scoreboard_counter counter, unsigned long long *value)
{
	if (counter != SCOREBOARD_SIGNATURES_AGE_S) {
		*value = scoreboards_sum(boards, NULL, counter);
		return true;
	}
	*value = scoreboards_greatest(boards, counter);
	return *value != 0;
}

static void
put_counter(struct buf *out, const struct scoreboards *boards,
    enum scoreboard_counter counter)
{
	const char *name = scoreboard_counter_name(counter);
	unsigned long long value;

	if (status_counter(boards, counter, &value))
		buf_printf(out, "%-26s %20llu\n", name, value);
	else
		buf_printf(out, "%-26s %20s\n", name, "unknown");
}

/* Its counters, and whether answers are validated. */
static void
put_resolver(struct buf *out, struct slice line)
{
	struct trail_field field;
	char key[64], value[VALUE_MAX];

	if (line.size == 0) {
		buf_puts(out, "\nThe resolver does not answer.\n");
		return;
	}
	trail_find(line, "dnssec", value, sizeof value);
	buf_printf(out, "\nDNSSEC validation is %s", value);
	trail_find(line, "dnssec_why", value, sizeof value);
	buf_printf(out, "%s%s\n", *value ? ": " : "", value);
	trail_find(line, "servers", value, sizeof value);
	buf_printf(out, "Name servers: %s\n", *value ? value :
	    "none, from the root");
	while (trail_get_field(&line, &field)) {
		unsigned long long number;

		if (!slice_number(field.raw, INT64_MAX, &number) ||
		    !slice_copy(key, sizeof key, field.key))
			continue;
		buf_printf(out, "dns_%-22s %20llu\n", key, number);
	}
}

void
status_text(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards)
{
	struct slice first = slice_next_line(&lines);
	char up_s[VALUE_MAX], generation[VALUE_MAX], config[VALUE_MAX], up[48];
	char raw[VALUE_MAX];

	trail_find(first, "uptime_s", up_s, sizeof up_s);
	trail_find(first, "generation", generation, sizeof generation);
	trail_find(first, "config", raw, sizeof raw);
	reply_clean(config, sizeof config, slice_of(raw), true);
	duration(up, sizeof up, up_s);
	buf_printf(out, "Postern has been up for %s, generation %s, with "
	    "%s\n\n", up, generation, config);
	buf_printf(out, "%-11s %5s %10s %7s  %-10s %-12s %8s\n",
	    "COMPARTMENT", "INDEX", "GENERATION", "PID", "STATE", "UP",
	    "RESTARTS");
	while (lines.size > 0)
		put_compartment(out, slice_next_line(&lines));
	buf_puts(out, "\n");
	for (int i = 0; i < SCOREBOARD_COUNTERS; i++)
		put_counter(out, boards, (enum scoreboard_counter)i);
	put_resolver(out, resolver);
}

void
status_text_more(struct buf *out, const char *name, const char *prefix,
    struct slice line)
{
	struct trail_field field;
	char key[64], value[VALUE_MAX];

	if (line.size == 0)
		buf_printf(out, "The %s does not answer.\n", name);
	while (trail_get_field(&line, &field)) {
		if (!slice_copy(key, sizeof key, field.key))
			continue;
		trail_unescape(value, sizeof value, field.raw);
		buf_printf(out, "%s%-*s %20s\n", prefix,
		    26 - (int)strlen(prefix), key, value);
	}
}

/* ---- JSON (RFC 8259) ---- */

/* As the log has it: the octets of what is no UTF-8 become U+0080 on. */
static void
put_json_string(struct buf *out, const char *text)
{
	struct slice rest = slice_of(text);

	buf_puts(out, "\"");
	while (rest.size > 0) {
		unsigned char c = (unsigned char)*rest.data;
		size_t size = utf8_char_size(rest);

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || size == 0)
			buf_printf(out, "\\u%04x", c);
		else
			buf_append(out, rest.data, size);
		size += size == 0;
		rest.data += size;
		rest.size -= size;
	}
	buf_puts(out, "\"");
}

/* Each field of a line as a member; a number stays one. */
static void
put_json_fields(struct buf *out, struct slice line)
{
	struct trail_field field;
	char key[64], value[VALUE_MAX];
	unsigned long long number;
	const char *before = "";

	while (trail_get_field(&line, &field)) {
		if (!slice_copy(key, sizeof key, field.key))
			continue;
		trail_unescape(value, sizeof value, field.raw);
		buf_puts(out, before);
		put_json_string(out, key);
		buf_puts(out, ":");
		if (slice_number(slice_of(value), INT64_MAX, &number))
			buf_printf(out, "%llu", number);
		else
			put_json_string(out, value);
		before = ",";
	}
}

void
status_json(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards)
{
	const char *before = "";
	unsigned long long value;

	buf_puts(out, "{\"server\":{");
	put_json_fields(out, slice_next_line(&lines));
	buf_puts(out, "},\"compartments\":[");
	while (lines.size > 0) {
		buf_puts(out, before);
		buf_puts(out, "{");
		put_json_fields(out, slice_next_line(&lines));
		buf_puts(out, "}");
		before = ",";
	}
	buf_puts(out, "],\"resolver\":{");
	put_json_fields(out, resolver);
	buf_puts(out, "},\"counters\":{");
	for (int i = 0; i < SCOREBOARD_COUNTERS; i++)
		if (status_counter(boards, (enum scoreboard_counter)i,
		    &value))
			buf_printf(out, "%s\"%s\":%llu", i ? "," : "",
			    scoreboard_counter_name(
			    (enum scoreboard_counter)i), value);
	buf_puts(out, "}");
}

void
status_json_more(struct buf *out, const char *name, struct slice line)
{
	buf_printf(out, ",\"%s\":{", name);
	put_json_fields(out, line);
	buf_puts(out, "}");
}

void
status_json_end(struct buf *out)
{
	buf_puts(out, "}\n");
}
