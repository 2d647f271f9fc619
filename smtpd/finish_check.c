/* SPDX-License-Identifier: ISC */
/*
 * What speaks against a message at its end, before anybody else is asked:
 * what was wrong with its octets (body.h), and loops (RFC 5321 6.3).
 */
#include <inttypes.h>
#include "commands.h"
#include "finish.h"

static bool
is_loop_for(const struct transaction *tx, struct slice address)
{
	struct slice rest = buf_slice(&tx->body.header.delivered_to), line;

	while (rest.size > 0) {
		line.data = rest.data;
		line.size = slice_find(rest, '\n');
		if (slice_equals_nocase(line, address)) {
			note_told("Delivered-To: %.*s", (int)line.size,
			    line.data);
			return true;
		}
		rest.data += line.size + 1;
		rest.size -= line.size + 1;
	}
	return false;
}

static bool
is_loop(const struct transaction *tx)
{
	const struct recipient *r;
	size_t i, leaf;

	if (tx->body.header.has_many_delivered_to)
		return true;
	if (tx->body.header.delivered_to.size == 0)
		return false;
	for (i = 0; i < tx->n_recipients; i++) {
		r = &tx->recipients[i];
		if (is_loop_for(tx, slice_of(r->address)))
			return true;
		for (leaf = 0; leaf < r->route.n_leaves; leaf++)
			if (is_loop_for(tx,
			    r->route.leaves[leaf].delivered_to))
				return true;
	}
	return false;
}

/* Which octets they were, and how much is too much. */
static void
finish_note_faults(const struct session *s)
{
	const unsigned bare = BODY_BARE_CR | BODY_BARE_LF | BODY_NUL;
	unsigned faults = s->tx->body.faults;

	if ((faults & (BODY_ENDLESS | BODY_TOO_LARGE)) != 0)
		note_told("more than %" PRIu64 " octets",
		    s->tx->body.limits.max_bytes);
	else if ((faults & BODY_LONG_LINE) == 0 && (faults & bare) != 0)
		note_told("%s%s%sin the message",
		    (faults & BODY_BARE_CR) != 0 ? "bare CR " : "",
		    (faults & BODY_BARE_LF) != 0 ? "bare LF " : "",
		    (faults & BODY_NUL) != 0 ? "NUL " : "");
}

enum reply_name
finish_check(const struct session *s)
{
	const struct body *body = &s->tx->body;
	unsigned most = s->settings->config->limits.received_fields;

	if (body->faults != 0) {
		finish_note_faults(s);
		return data_fault(body->faults);
	}
	if (most != 0 && body->header.n_received > most) {
		note_told("%u Received fields, at most %u (received_fields)",
		    body->header.n_received, most);
		return REPLY_TOO_MANY_HOPS;
	}
	return is_loop(s->tx) ? REPLY_LOOP : REPLY_COUNT;
}

