/* SPDX-License-Identifier: ISC */
/*
 * judge.c - all checks of a stage, and what each word of theirs costs.
 *
 * This is the one place where a configured action turns what a check says
 * into a finding: off does not run it, mark notes it, refuse lets it speak.
 * Silence is never an accept where the answer could have refused (P3): it is
 * temporary there, unless the row says that the check itself has weighed it.
 */
#include <stdio.h>
#include <string.h>
#include "judging.h"

const struct check_row check_rows[] = {
	{ "helo", JUDGE_MAIL, true, false, check_helo, CHECK_HELO,
	    SILENCE_TEMPORARY },
	{ "fcrdns", JUDGE_MAIL, true, false, check_fcrdns, CHECK_FCRDNS,
	    SILENCE_TEMPORARY },
	{ "sender_domain", JUDGE_MAIL, false, false, check_sender,
	    CHECK_SENDER_DOMAIN, SILENCE_TEMPORARY },
	{ "dnsbl", JUDGE_RCPT, true, false, check_dnsbl, CHECK_DNSBL,
	    SILENCE_TEMPORARY },
	{ "greylist", JUDGE_RCPT, false, false, check_greylist,
	    CHECK_GREYLIST, SILENCE_TEMPORARY },
	{ "content", JUDGE_DATA, false, false, check_content, CHECK_CONTENT,
	    SILENCE_TEMPORARY },
	{ "attachments", JUDGE_DATA, false, false, check_attachments,
	    CHECK_ATTACHMENTS, SILENCE_TEMPORARY },
	{ "date", JUDGE_DATA, false, false, check_date, CHECK_DATE,
	    SILENCE_TEMPORARY },
	{ "from", JUDGE_DATA, false, false, check_from, CHECK_FROM,
	    SILENCE_TEMPORARY },
	/* after all others: it looks at what they said */
	{ "greylist", JUDGE_DATA, false, false, check_accepted,
	    CHECK_GREYLIST, SILENCE_TEMPORARY },
};
const size_t check_n_rows = sizeof check_rows / sizeof *check_rows;

/* At HELO nothing is said yet: the checks only ask, ahead of time. */
static bool
is_of_stage(const struct check_row *row, enum judge_stage stage)
{
	return row->stage == stage ||
	    (stage == JUDGE_HELO && row->is_early);
}

static enum finding_kind
kind_of(const struct check_row *row, enum config_action action,
    enum check_said said, const struct verdict *verdict)
{
	if (said == SAID_GOOD)
		return FINDING_ACCEPT;
	if (action != ACTION_REFUSE ||
	    (said == SAID_SILENCE && row->silence == SILENCE_MARKS))
		return FINDING_MARK;
	return verdict->code < 500 ? FINDING_TEMPORARY : FINDING_REFUSE;
}

static void
add_finding(const struct check_row *row, enum check_said said,
    const struct check *c, struct judgement *j)
{
	enum config_action action = c->config->checks.actions[row->action];
	struct finding *f;

	if (said == SAID_NOTHING || action == ACTION_OFF ||
	    j->n_findings == JUDGEMENT_FINDINGS_MAX)
		return;
	f = &j->findings[j->n_findings++];
	snprintf(f->check, sizeof f->check, "%s", row->name);
	memcpy(f->detail, c->detail, sizeof f->detail);
	f->kind = kind_of(row, action, said, &c->verdict);
	if (f->kind >= FINDING_TEMPORARY)
		f->verdict = c->verdict;
}

/* It wants more than a set may hold: no answer will ever come. */
static enum check_said
give_up(struct check *c)
{
	c->detail[0] = '\0';
	return check_silent(c, 4, 3, "too much would have to be asked");
}

static void
run_row(const struct check_row *row, struct check *c, struct judgement *j,
    bool is_last)
{
	enum check_said said;

	memset(&c->verdict, 0, sizeof c->verdict);
	c->detail[0] = '\0';
	said = row->fn(c);
	if (said == SAID_WANTS && is_last)
		said = give_up(c);
	if (said != SAID_WANTS && c->stage != JUDGE_HELO)
		add_finding(row, said, c, j);
}

static void
run_all(struct check *c, struct judgement *j, bool is_last)
{
	for (size_t i = 0; i < check_n_rows; i++) {
		const struct check_row *row = &check_rows[i];

		if (!is_of_stage(row, c->stage))
			continue;
		if (c->config->checks.actions[row->action] != ACTION_OFF ||
		    row->feeds)
			run_row(row, c, j, is_last);
	}
}

/* The judgement takes what is wanted over, and says nothing else. */
static void
want(struct facts *facts, struct judgement *j)
{
	judgement_free(j);
	j->facts.wanted = facts->wanted;
	j->facts.n_wanted = facts->n_wanted;
	for (size_t i = 0; i < facts->n_wanted; i++)
		facts->bytes -= 6 + facts->wanted[i].key.size;
	facts->wanted = NULL;
	facts->n_wanted = 0;
}

void
judge(const struct config *config, enum judge_stage stage,
    struct facts *facts, struct slice message, struct judgement *j)
{
	struct check c = { .config = config, .stage = stage, .facts = facts,
		.message = message, .judgement = j };

	memset(j, 0, sizeof *j);
	run_all(&c, j, false);
	if (facts->n_wanted > 0) {
		want(facts, j);
		return;
	}
	if (facts->is_over) {
		judgement_free(j);
		run_all(&c, j, true);
	}
	j->is_complete = true;
}
