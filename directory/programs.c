/* SPDX-License-Identifier: ISC */
/*
 * programs.c - a leaf that is a program (DESIGN 7): see resolve_parts.h.
 *
 * There is one at most for each recipient, and no next hop beside it: either
 * answers once, and what one of two has taken the other may refuse. Members
 * of a list elsewhere are queue's, which can wait for its answer. Here it
 * is only a text; deliver runs it, and `postern -n` looks at the file.
 */
#include "hops.h"

void
program_add(struct resolver *r, const struct step *step,
    const struct record_target *target)
{
	struct resolved *out = &r->out;

	if (!r->allows_lists) {
		resolve_trouble(r, step, TROUBLE_DEAD, "\"|%.*s\" is a "
		    "program and no mailbox", RESOLVE_QUOTE(target->text));
		return;
	}
	if (target->text.size > ROUTE_PROGRAM_MAX) {
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "\"|%.*s...\": "
		    "a command of more than %d octets; write a script",
		    RESOLVE_QUOTE(target->text), ROUTE_PROGRAM_MAX);
		return;
	}
	if (out->program.size > 0 && !slice_equals(out->program,
	    target->text)) {
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "\"|%.*s\" and "
		    "\"|%.*s\": one of two programs could take what the other "
		    "refuses; write one that runs both",
		    RESOLVE_QUOTE(out->program), RESOLVE_QUOTE(target->text));
		return;
	}
	out->program = arena_copy(&r->arena, target->text);
	if (out->program.data == NULL) {
		out->program.size = 0;
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "out of memory");
		return;
	}
	resolve_explain(r, "|%.*s: a program, whose exit counts",
	    RESOLVE_QUOTE(target->text));
}

void
program_end(struct resolver *r)
{
	const struct resolved *out = &r->out;

	if (out->program.size == 0)
		return;
	if (*out->destination != '\0')
		resolve_trouble(r, NULL, TROUBLE_UNREADABLE, "\"|%.*s\" and "
		    "\"%s\" elsewhere: one of them could take what the "
		    "other refuses", RESOLVE_QUOTE(out->program),
		    out->hop_address);
}
