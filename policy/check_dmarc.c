/* SPDX-License-Identifier: ISC */
/*
 * check_dmarc.c - does the author's domain want this message?
 *
 * p=reject is a 550 that names the domain, p=quarantine goes to .Junk, and
 * a silence that could have become either is a 451. A message without a
 * single author domain is refused, as nobody can tell whom its readers will
 * be shown (RFC 7489 6.6.1); only a bounce may come without, as some old
 * servers write "From: MAILER-DAEMON".
 */
#include <stdio.h>
#include <string.h>
#include "dkim_report.h"
#include "dmarc.h"
#include "dmarc_text.h"
#include "log.h"
#include "spf_result.h"

void
check_dmarc_warm_up(void)
{
	if (dmarc_warm_up() < 0)
		fatal("libpsl has no list of public suffixes");
}

static void
read_spf(const struct check *c, struct dmarc_spf *spf)
{
	struct spf_told told;

	*spf = (struct dmarc_spf){ .is_pass = false };
	if (!spf_told(c, &told))
		return;
	spf->is_pass = slice_equals(slice_of(told.result), SLICE("pass"));
	spf->is_temporary = slice_equals(slice_of(told.result),
	    SLICE("temperror"));
	memcpy(spf->domain, told.domain, sizeof(spf->domain));
}

static enum check_said
no_author(struct check *c, const struct dmarc_result *result)
{
	bool is_bounce = check_told(c, FACT_SENDER).size == 0;

	if (is_bounce && (result->author == AUTHOR_NO_DOMAIN ||
	    result->author == AUTHOR_NO_FIELD))
		return SAID_MARK;
	return check_bad(c, 550, 7, 1, "the message %s: its author cannot "
	    "be told (RFC 7489 6.6.1)", author_problem(result->author));
}

static enum check_said
failed(struct check *c, const struct dmarc_result *result)
{
	bool is_heard = c->config->checks.actions[CHECK_DMARC] ==
	    ACTION_REFUSE && !c->is_proven;

	bool is_own = strcmp(result->record_domain, result->domain) == 0;

	if (result->applied == DMARC_REJECT)
		return check_bad(c, 550, 7, 26, "%s asks to refuse mail in "
		    "%s%s that neither SPF nor DKIM vouches for (DMARC, "
		    "RFC 7489)", result->record_domain,
		    is_own ? "its name" : "the name of ",
		    is_own ? "" : result->domain);
	if (result->applied == DMARC_QUARANTINE && is_heard) {
		c->judgement->is_junk = true;
		snprintf(c->judgement->junk_reason,
		    sizeof(c->judgement->junk_reason), "DMARC: %.60s",
		    result->domain);
	}
	return SAID_MARK;
}

enum check_said
check_dmarc(struct check *c)
{
	struct dkim_report report;
	struct dmarc_result result;
	struct dmarc_spf spf;
	struct slice text;
	char note[JUDGEMENT_DETAIL_MAX + 1];
	bool has_report = facts_find(&c->judgement->facts, FACT_RESULT,
	    SLICE("dkim"), &text);

	if (has_report && !get_dkim_report(text, &report))
		return check_silent(c, 7, 26, "cannot tell now who vouches "
		    "for this message, try again later");
	read_spf(c, &spf);
	if (!dmarc_evaluate(c->message, &spf, has_report ? &report : NULL,
	    c->facts, &result))
		return SAID_WANTS;
	dmarc_put_result(c, &result);
	check_note(c, "%s", dmarc_describe(note, sizeof(note), &result));
	switch (result.status) {
	case DMARC_STATUS_NONE:
	case DMARC_STATUS_PASS:
		return SAID_GOOD;
	case DMARC_STATUS_FAIL:
		return failed(c, &result);
	case DMARC_STATUS_TEMPERROR:
		return result.is_silence_grave ? check_silent(c, 7, 26,
		    "cannot find out now what %s wants done with mail in its "
		    "name (DMARC), try again later", result.domain) :
		    SAID_MARK;
	case DMARC_STATUS_PERMERROR:
		break;
	}
	return no_author(c, &result);
}
