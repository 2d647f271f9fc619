/* SPDX-License-Identifier: ISC */
/*
 * check.h - one check: a pure function of facts and, at the end of the data,
 * of the message.
 *
 * A check reads facts (facts_find for what smtpd tells, facts_get and
 * facts_dns for what must be asked) and says one of the words below. What it
 * asked for and did not get is wanted by then: it says SAID_WANTS and is
 * called again, from its beginning, when the answers are there. It should
 * ask for all that it can before it says so, as that is answered in parallel.
 * A check never decides what its word costs the client: judge.c does, by
 * the configured action.
 *
 *	static enum check_said
 *	check_x(struct check *c)
 *	{
 *		if (!facts_dns(c->facts, FACT_DNS_A, name, &answer))
 *			return SAID_WANTS;
 *		if (answer.status == DNS_FAILED)
 *			return check_silent(c, 451, 4, 3, "no answer");
 *		...
 *		return check_good(c, "%s has an address", name);
 *	}
 *
 * Nothing here keeps anything from one call to the next.
 */
#ifndef POSTERN_POLICY_CHECK_H
#define POSTERN_POLICY_CHECK_H

#include <stdbool.h>
#include "config.h"
#include "facts.h"
#include "judge.h"

enum check_said {
	SAID_NOTHING,	/* it does not apply: no finding */
	SAID_WANTS,	/* facts are wanted */
	SAID_GOOD,	/* a finding that accepts */
	SAID_BAD,	/* c->verdict (4yz or 5yz) is what it would say */
	SAID_MARK,	/* a finding that marks, whatever the action is */
	SAID_SILENCE,	/* it cannot tell; c->verdict is a 4yz */
};

struct check {
	const struct config *config;
	enum judge_stage stage;
	struct facts *facts;
	struct slice message;		/* DATA: all of it, LF lines */
	bool is_proven;			/* a bounce of our own mail: set by
					 * check_bounce for those behind it */
	bool is_relay_peer;		/* the client took the mail before us */
	bool others_wait;		/* a check before it wants facts: this
					 * is not the last round */
	/* for a check that has more to give than a word: fields, cuts,
	 * is_junk, and results (check_put_result) */
	struct judgement *judgement;
	/* set by the functions below */
	struct verdict verdict;
	char detail[JUDGEMENT_DETAIL_MAX + 1];
};

typedef enum check_said check_fn(struct check *c);

/* Each formats the detail: what was asked and told, for the trail. */
enum check_said check_good(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text goes to the client, after the detail was set by check_note. */
enum check_said check_bad(struct check *c, int code, int subject, int detail,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
enum check_said check_silent(struct check *c, int subject, int detail,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Set the detail. Without it, it is the verdict's text. */
void check_note(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What smtpd told, "" when it did not. Points into the set. */
struct slice check_told(const struct check *c, enum fact_kind kind);
/* The same, terminated, cut to room. */
void check_told_text(const struct check *c, enum fact_kind kind, char *to,
    size_t room);
/* The client's address; false when there is none that can be parsed. */
bool check_client_ip(const struct check *c, char *to, size_t room);
/* The domain of the reverse-path, "" when it has none. */
struct slice check_sender_domain(const struct check *c);
/* Hand a result to the stages to come: FACT_RESULT under the check's name. */
void check_put_result(struct check *c, const char *name, struct slice value);
/* What put_result gave at an earlier stage. */
bool check_result(const struct check *c, const char *name,
    struct slice *value);

/* ---- the checks, one file each ---- */

/* Before the sandbox closes; they end the process when they cannot. */
void check_dkim_warm_up(void);
void check_dmarc_warm_up(void);

check_fn check_helo, check_fcrdns, check_sender, check_dnsbl,
    check_greylist, check_accepted, check_date, check_from, check_dkim,
    check_dmarc, check_authres, check_content, check_attachments, check_spf,
    check_spf_trace, check_bounce;

#endif
