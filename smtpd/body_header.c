/* SPDX-License-Identifier: ISC */
/*
 * What smtpd itself needs from a message's header, see body.h: hops and
 * Delivered-To against loops, Message-ID and Date for delivery records, and
 * the digest without the fields that differ from one attempt to the next.
 */
#include "body.h"
#include "header.h"
#include "report.h"

static void
header_note_loops(struct body_header *header, const struct header_facts *facts)
{
	unsigned i;

	header->has_many_delivered_to =
	    facts->n_delivered_to > HEADER_MAX_DELIVERED_TO;
	for (i = 0; i < facts->n_delivered_to &&
	    i < HEADER_MAX_DELIVERED_TO; i++) {
		/* Without memory a loop still ends at the hop limit. */
		(void)buf_append_slice(&header->delivered_to,
		    facts->delivered_to[i]);
		(void)buf_append(&header->delivered_to, "\n", 1);
	}
}

void
body_header_read(struct body *b, struct slice text, bool is_whole)
{
	static struct header_facts facts;
	struct header_walk walk;
	struct header_field field;

	header_facts_find(&facts, text, is_whole);
	b->header.n_received = facts.n_received;
	b->header.has_date = facts.has_date;
	b->header.has_message_id = facts.has_message_id;
	header_note_loops(&b->header, &facts);

	header_walk_start(&walk, text, is_whole);
	while (header_next(&walk, &field) == HEADER_FIELD) {
		if (header_is(&field, "Authentication-Results") ||
		    header_is(&field, "Received-SPF"))
			b->header.has_results = true;
		if (report_is_hint(field.name, field.value))
			b->header.may_be_bounce = true;
		if (!header_changes_on_retry(&field))
			digest_update(b->digest, text.data + field.offset,
			    field.size);
	}
	digest_update(b->digest, text.data + walk.offset,
	    text.size - walk.offset);
}
