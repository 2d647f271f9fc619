/* SPDX-License-Identifier: ISC */
/*
 * A program as the last participant, see last.h: an alias of this host names
 * it, deliver runs it, and its exit is our answer to the message. What it
 * wrote is for the trail; a client sees it only with an exit code by which
 * the configuration lets programs refuse.
 *
 * One that has begun is not stopped when the client leaves. A crash of ours
 * meanwhile: it runs to its end, and the retry is given to it again.
 */
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"
#include "judge.h"
#include "last.h"

#define DEADLINE_MS 600000	/* DESIGN 6; deliver keeps within it */

static const struct recipient *
find_recipient(const struct transaction *tx)
{
	const struct recipient *r = tx->recipients;

	while (!recipient_has_program(r))
		r++;
	return r;
}

static void
note_ended(const struct session *s, const struct program_answer *a)
{
	char told[JUDGEMENT_DETAIL_MAX + 1];

	slice_clip(told, sizeof(told), a->told);
	if (a->verdict.code != 0)
		last_note_refusal(s, "program", &a->verdict, told);
	else
		note_finding(s, "program", FINDING_ACCEPT, told);
}

static enum step
program_ended(struct session *s, struct answer *a)
{
	const struct program_answer *said = &a->as.program;
	struct last_result result = { .is_own = true,
		.recipient = find_recipient(s->tx)->index };

	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	if (!a->is_known) {
		verdict_set(&result.verdict, 451, 3, 0, "nobody knows what "
		    "became of the program for this address; try again later");
		return last_answered(s, &result, 1, SLICE(""));
	}
	note_ended(s, said);
	result.verdict = said->verdict;
	if (said->verdict.code == 0)
		result.verdict.code = 250;
	return last_answered(s, &result, 1, SLICE(""));
}

enum step
program_deliver(struct session *s)
{
	const struct transaction *tx = s->tx;
	const struct program_ask ask = { .transaction = tx->number,
		.recipient = find_recipient(tx)->index,
		.message_size = tx->message_bytes,
		.return_path = slice_of(tx->reverse_path),
		.trace = last_top(tx) };
	struct question q = { .kind = QUESTION_PROGRAM,
		.fd = tx->message_fd, .deadline_ms = DEADLINE_MS,
		.as.program = &ask };

	return session_ask(s, &q, program_ended);
}
