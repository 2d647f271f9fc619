/* SPDX-License-Identifier: ISC */
/*
 * check_bounce.c - does this bounce return something that we sent? (DESIGN 8)
 *
 * A tag of ours answers that by itself. Without one the report must name a
 * Message-ID and a recipient of it that the ledger knows, or return our own
 * Received field, whose id vault can check; and nobody may have reported the
 * same before. Other mail without a reverse-path (reports of DMARC and TLS,
 * receipts, calendars, vacation programs) is no bounce and not judged here.
 * Nor is a bounce's content: what it carries is for the other checks.
 */
#include <stdio.h>
#include "check.h"
#include "report.h"

/* What was found out about all claims of one report. */
struct proving {
	struct check *c;
	const struct report *report;
	bool wants;			/* answers are not there yet */
	bool is_used, is_busy, is_silent;
	unsigned n_good;
	struct buf good;		/* keys, NUL between them */
};

static const char *
action_word(const struct report *report)
{
	switch (report->action) {
	case REPORT_DELAYED:
		return "delayed";
	case REPORT_DELIVERED:
		return "delivered";
	default:
		return "failed";
	}
}

static bool
is_word(struct slice answer, const char *word)
{
	return slice_equals((struct slice){ answer.data,
	    slice_find(answer, ' ') }, slice_of(word));
}

static void
keep_good(struct proving *p, const char *key)
{
	if ((p->n_good > 0 && buf_append(&p->good, "", 1) < 0) ||
	    buf_puts(&p->good, key) < 0)
		p->is_silent = true;
	else
		p->n_good++;
}

/* One thing that would prove it. */
static void
claim(struct proving *p, const char *message_id, const char *recipient,
    const char *trace)
{
	struct slice sender = check_told(p->c, FACT_RECIPIENT_KEY), answer;
	char key[FACT_KEY_MAX];

	if (snprintf(key, sizeof key, "%s\n%.*s\n%s\n%s\n%s",
	    action_word(p->report), (int)sender.size, sender.data,
	    message_id, recipient, trace) >= (int)sizeof key)
		return;
	if (!facts_get(p->c->facts, FACT_PROOF, slice_of(key), &answer))
		p->wants = true;
	else if (is_word(answer, "good"))
		keep_good(p, key);
	else if (is_word(answer, "used"))
		p->is_used = true;
	else if (is_word(answer, "busy"))
		p->is_busy = true;
	else if (!is_word(answer, "none"))
		p->is_silent = true;
}

/* Those whom the report names; what it only returns proves for one. */
static void
prove_by_ledger(struct proving *p)
{
	const struct report *r = p->report;

	if (r->message_id[0] == '\0')
		return;
	for (unsigned i = 0; i < r->n_recipients; i++)
		if (i < r->n_told || (p->n_good == 0 && !p->is_used))
			claim(p, r->message_id, r->recipients[i], "");
}

static bool
is_our_trace(struct proving *p, const char *trace)
{
	struct slice sender = check_told(p->c, FACT_RECIPIENT_KEY), answer;
	char key[FACT_KEY_MAX];

	if (snprintf(key, sizeof key, "%s\n%.*s", trace, (int)sender.size,
	    sender.data) >= (int)sizeof key)
		return false;
	if (!facts_get(p->c->facts, FACT_TRACE, slice_of(key), &answer))
		p->wants = true;
	else if (is_word(answer, "unknown"))
		p->is_silent = true;
	else
		return is_word(answer, "good");
	return false;
}

/* Not after a proof that is used up: both are of the same message. */
static void
prove_by_trace(struct proving *p)
{
	const struct report *r = p->report;
	const char *recipient = r->n_told > 0 ? r->recipients[0] : "";

	for (unsigned i = 0; i < r->n_traces; i++)
		if (is_our_trace(p, r->traces[i]) && !p->wants &&
		    p->n_good == 0 && !p->is_used && !p->is_busy)
			claim(p, "", recipient, r->traces[i]);
}

/* For the trail: what was found, and where. */
static void
note_found(struct proving *p, const char *told)
{
	const struct report *r = p->report;

	check_note(p->c, "%s: %s; it returns %s%.100s%s from %s, names %u "
	    "recipients%s%.60s, %u of our traces", r->format[0] != '\0' ?
	    r->format : "a bounce", told, r->message_id[0] != '\0' ? "<" :
	    "no Message-ID", r->message_id, r->message_id[0] != '\0' ? ">" :
	    "", report_where_name(r->where), r->n_recipients,
	    r->n_recipients > 0 ? ", first " : "", r->n_recipients > 0 ?
	    r->recipients[0] : "", r->n_traces);
}

static enum check_said
conclude(struct proving *p)
{
	struct check *c = p->c;

	if (p->n_good > 0) {
		check_put_result(c, "bounce", buf_slice(&p->good));
		c->is_proven = true;
		note_found(p, "it returns mail of ours");
		return SAID_GOOD;
	}
	if (p->is_silent || p->is_busy) {
		note_found(p, p->is_busy ? "another one like it is being "
		    "delivered" : "no answer");
		return check_silent(c, 7, 1, "cannot find out now whether "
		    "this bounce returns mail of ours, try again later");
	}
	if (p->is_used) {
		note_found(p, "reported before");
		return check_bad(c, 550, 7, 1, "this was reported to us "
		    "before");
	}
	note_found(p, "nothing of ours");
	return check_bad(c, 550, 7, 1, "this bounce returns nothing that we "
	    "have sent");
}

static enum check_said
prove(struct check *c, const struct report *report)
{
	struct proving p = { .c = c, .report = report,
		.good.maximum = FACT_VALUE_MAX };
	enum check_said said;

	prove_by_ledger(&p);
	prove_by_trace(&p);
	said = p.wants ? SAID_WANTS : conclude(&p);
	buf_free(&p.good);
	return said;
}

enum check_said
check_bounce(struct check *c)
{
	static struct report report;	/* large */
	bool is_null = check_told(c, FACT_SENDER).size == 0;

	bool is_tagged = slice_equals(check_told(c, FACT_IS_TAGGED),
	    SLICE("1"));

	if (is_tagged && is_null) {
		c->is_proven = true;
		return check_good(c, "its recipient has a tag of ours");
	}
	report_read(&report, c->message, is_null);
	if (is_tagged) {
		/* smtpd knows whose tag it is, and what may come to it */
		if (report.kind == REPORT_BOUNCE)
			check_put_result(c, "report", slice_of(report.format[0]
			    != '\0' ? report.format : "bounce"));
		return SAID_NOTHING;
	}
	return report.kind == REPORT_BOUNCE ? prove(c, &report) :
	    SAID_NOTHING;
}
