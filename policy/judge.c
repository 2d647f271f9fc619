/* SPDX-License-Identifier: ISC */
/*
 * judge.c - all checks of a stage, and what each word of theirs costs.
 *
 * This is the one place where a configured action turns what a check says
 * into a finding: off does not run it, mark notes it, refuse lets it speak.
 * Silence is never an accept where the answer could have refused (P3): it is
 * temporary there, unless the row says that the check itself has weighed it.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "judging.h"

#define BIT(check) (1u << CHECK_ ## check)
#define ALWAYS ~0u			/* even with every check off */

const struct check_row check_rows[] = {
	{ "helo", JUDGE_MAIL, true, 0, check_helo, CHECK_HELO,
	    SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "fcrdns", JUDGE_MAIL, true, 0, check_fcrdns, CHECK_FCRDNS,
	    SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "sender_domain", JUDGE_MAIL, false, 0, check_sender,
	    CHECK_SENDER_DOMAIN, SILENCE_TEMPORARY, BOUNCES_TOO },
	/* greylist, DMARC and Authentication-Results want its result */
	{ "spf", JUDGE_MAIL, false, BIT(DMARC) | BIT(GREYLIST),
	    check_spf, CHECK_SPF, SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "dnsbl", JUDGE_RCPT, true, 0, check_dnsbl, CHECK_DNSBL,
	    SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "greylist", JUDGE_RCPT, false, 0, check_greylist,
	    CHECK_GREYLIST, SILENCE_TEMPORARY, BOUNCES_TOO },
	/* before those that let it pass for it */
	{ "bounce", JUDGE_DATA, false, 0, check_bounce, CHECK_BOUNCE,
	    SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "spf", JUDGE_DATA, false, 0, check_spf_trace, CHECK_SPF,
	    SILENCE_TEMPORARY, BOUNCES_NOT },
	{ "content", JUDGE_DATA, false, 0, check_content, CHECK_CONTENT,
	    SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "attachments", JUDGE_DATA, false, 0, check_attachments,
	    CHECK_ATTACHMENTS, SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "date", JUDGE_DATA, false, 0, check_date, CHECK_DATE,
	    SILENCE_TEMPORARY, BOUNCES_NOT },
	{ "from", JUDGE_DATA, false, 0, check_from, CHECK_FROM,
	    SILENCE_TEMPORARY, BOUNCES_NOT },
	{ "dkim", JUDGE_DATA, false, BIT(DMARC), check_dkim, CHECK_DKIM,
	    SILENCE_TEMPORARY, BOUNCES_TOO },
	{ "dmarc", JUDGE_DATA, false, 0, check_dmarc, CHECK_DMARC,
	    SILENCE_TEMPORARY, BOUNCES_NOT },
	/* behind those whose results it writes down; forged fields are cut
	 * whatever is on */
	{ "authres", JUDGE_DATA, false, ALWAYS, check_authres,
	    CHECK_DMARC, SILENCE_TEMPORARY, BOUNCES_TOO },
	/* after all others: it looks at what they said */
	{ "greylist", JUDGE_DATA, false, 0, check_accepted,
	    CHECK_GREYLIST, SILENCE_TEMPORARY, BOUNCES_TOO },
};
const size_t check_n_rows = sizeof check_rows / sizeof *check_rows;

/* At HELO nothing is said yet: the checks only ask, ahead of time. */
static bool
is_of_stage(const struct check_row *row, enum judge_stage stage)
{
	return row->stage == stage ||
	    (stage == JUDGE_HELO && row->is_early);
}

static bool
is_to_run(const struct check_row *row, const struct config_checks *checks)
{
	if (checks->actions[row->action] != ACTION_OFF ||
	    row->needed_by == ALWAYS)
		return true;
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if ((row->needed_by & (1u << i)) != 0 &&
		    checks->actions[i] != ACTION_OFF)
			return true;
	return false;
}

/* Of a relay_peer that is not the sender's, but the peer's own. */
static bool
is_about_client(enum config_check action)
{
	return action == CHECK_HELO || action == CHECK_FCRDNS ||
	    action == CHECK_SPF || action == CHECK_DNSBL ||
	    action == CHECK_GREYLIST;
}

static enum finding_kind
kind_of(const struct check_row *row, enum config_action action,
    enum check_said said, const struct check *c)
{
	if (said == SAID_GOOD)
		return FINDING_ACCEPT;
	if (said == SAID_MARK || action != ACTION_REFUSE ||
	    (c->is_proven && row->bounces == BOUNCES_NOT) ||
	    (said == SAID_SILENCE && row->silence == SILENCE_MARKS))
		return FINDING_MARK;
	return c->verdict.code < 500 ? FINDING_TEMPORARY : FINDING_REFUSE;
}

/*
 * Who took the mail before us would return it to whoever is named as its
 * sender: it goes into .Junk instead. A recipient's refusal stays.
 */
static void
spare(const struct check *c, struct judgement *j, struct finding *f)
{
	const struct verdict *v = &f->verdict;

	if (!c->is_relay_peer || f->kind != FINDING_REFUSE ||
	    c->stage == JUDGE_RCPT)
		return;
	j->is_junk = j->is_spared = true;
	snprintf(j->junk_reason, sizeof j->junk_reason,
	    "%s: %u %u.%u.%u %.160s", f->check, v->code, v->code / 100u,
	    v->subject, v->detail, v->text);
	f->kind = FINDING_MARK;
	memset(&f->verdict, 0, sizeof f->verdict);
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
	f->kind = kind_of(row, action, said, c);
	if (f->kind >= FINDING_TEMPORARY)
		f->verdict = c->verdict;
	spare(c, j, f);
}

/* It wants more than a set may hold: no answer will ever come. */
static enum check_said
give_up(struct check *c)
{
	c->detail[0] = '\0';
	return check_silent(c, 4, 3, "too much would have to be asked");
}

/* False: it waits for facts. */
static bool
run_row(const struct check_row *row, struct check *c, struct judgement *j,
    bool is_last)
{
	enum check_said said;

	memset(&c->verdict, 0, sizeof c->verdict);
	c->detail[0] = '\0';
	if (c->is_relay_peer && is_about_client(row->action))
		said = check_good(c, "not asked: the client is a relay_peer");
	else
		said = row->fn(c);
	if (said == SAID_WANTS && is_last)
		said = give_up(c);
	if (said != SAID_WANTS && c->stage != JUDGE_HELO)
		add_finding(row, said, c, j);
	return said != SAID_WANTS;
}

/* True: no check waits. What one has asked for beyond that is no matter. */
static bool
run_all(struct check *c, struct judgement *j, bool is_last)
{
	c->others_wait = false;
	c->is_proven = false;
	for (size_t i = 0; i < check_n_rows; i++) {
		const struct check_row *row = &check_rows[i];

		if (is_of_stage(row, c->stage) &&
		    is_to_run(row, &c->config->checks))
			c->others_wait = !run_row(row, c, j, is_last) ||
			    c->others_wait;
	}
	return !c->others_wait;
}

static bool
is_relay_peer(const struct check *c)
{
	char ip[INET6_ADDRSTRLEN];

	return check_client_ip(c, ip, sizeof ip) &&
	    config_networks_contain(&c->config->checks.relay_peer, ip);
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
	c.is_relay_peer = is_relay_peer(&c);
	if (!run_all(&c, j, false)) {
		if (facts->n_wanted > 0) {
			want(facts, j);
			return;
		}
		judgement_free(j);
		(void)run_all(&c, j, true);
	}
	j->is_complete = true;
}
