/* SPDX-License-Identifier: ISC */
/*
 * clamd's part of a transaction: the message as it would be delivered, after
 * all milters. Only its OK lets the message pass; its silence is a 451, and
 * so is, with on_old_signatures = tempfail, the OK of old signatures.
 */
#include <stdio.h>
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"

static enum step
scan_silent(struct session *s, const char *problem)
{
	struct verdict v;
	char none[CLAMD_NAME_MAX + 8];

	snprintf(none, sizeof none, "none: %s", problem);
	if (s->settings->config->checks.actions[CHECK_VIRUS] ==
	    ACTION_MARK) {
		note_mark(s, "data", "virus", "clamd", none);
		return s->after_filter(s);
	}
	note_told("%s", none);
	verdict_set(&v, 451, 3, 0, "cannot scan for viruses now, try again "
	    "later");
	return finish_refuse_with(s, &v, "virus");
}

static enum step
scan_found(struct session *s, const char *name)
{
	struct verdict v;

	if (s->settings->config->checks.actions[CHECK_VIRUS] ==
	    ACTION_MARK) {
		note_mark(s, "data", "virus", "clamd", name);
		return s->after_filter(s);
	}
	verdict_set(&v, 554, 7, 1, "virus found: %s", name);
	if (finish_spares(s, &v, "virus"))
		return s->after_filter(s);
	return finish_refuse_with(s, &v, "virus");
}

/* A self-test has to hear that EICAR was found clean. */
static bool
is_clean_enough(const struct session *s)
{
	return s->is_self_test || !s->settings->has_old_signatures ||
	    !s->settings->config->clamds[0].defers_old;
}

static enum step
scan_answered(struct session *s, struct answer *a)
{
	const struct scan_answer *scan = &a->as.scan;

	note_asked("data", slice_of("clamd"), a->took_us);
	if (!a->is_known)
		return scan_silent(s, "cannot be asked");
	switch (scan->result) {
	case CLAMD_CLEAN:
		return is_clean_enough(s) ? s->after_filter(s) :
		    scan_silent(s, "its signatures are too old");
	case CLAMD_FOUND:
		return scan_found(s, scan->name);
	default:
		return scan_silent(s, scan->name);
	}
}

enum step
clamd_scan(struct session *s, session_then_fn *then)
{
	struct question q = { .kind = QUESTION_SCAN,
		.fd = s->tx->message_fd,
		.deadline_ms = transaction_time_left_ms(s->tx),
		.as.scan = { .size_bytes = s->tx->message_bytes } };

	if (s->settings->config->n_clamds == 0 ||
	    s->settings->config->checks.actions[CHECK_VIRUS] == ACTION_OFF)
		return then(s);
	s->after_filter = then;
	if (q.deadline_ms == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	return session_ask(s, &q, scan_answered);
}
