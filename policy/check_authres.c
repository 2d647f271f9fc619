/* SPDX-License-Identifier: ISC */
/*
 * check_authres.c - what we found out, for the reader's programs, and the
 * fields cut that others wrote in our name (RFC 8601).
 *
 * The last check of DATA: it says what the others found, and of itself only
 * something when a message has more forged fields than can be cut.
 */
#include <stdio.h>
#include "authres.h"
#include "dkim_report.h"
#include "dmarc_text.h"
#include "spf_result.h"

static void
put_spf(struct authres *a, const struct check *c)
{
	struct spf_told told;

	if (!spf_told(c, &told))
		return;
	authres_result(a, "spf", told.result, SLICE(""));
	if (told.is_helo)
		authres_property(a, "smtp.helo", slice_of(told.domain));
	else
		authres_property(a, "smtp.mailfrom",
		    check_told(c, FACT_SENDER));
}

static void
put_signature(struct authres *a, const struct dkim_result *r)
{
	char comment[100];

	snprintf(comment, sizeof(comment), "%s%s", r->reason,
	    r->is_testing ? (*r->reason ? ", testing" : "testing") : "");
	if (*comment == '\0' && r->key_bits > 0)
		snprintf(comment, sizeof(comment), "%u bits", r->key_bits);
	authres_result(a, "dkim", dkim_status_name(r->status),
	    slice_of(comment));
	if (*r->domain != '\0')
		authres_property(a, "header.d", slice_of(r->domain));
	if (*r->selector != '\0')
		authres_property(a, "header.s", slice_of(r->selector));
	if (*r->algorithm != '\0')
		authres_property(a, "header.a", slice_of(r->algorithm));
	if (*r->signature != '\0')
		authres_property(a, "header.b", slice_of(r->signature));
}

static void
put_dkim(struct authres *a, const struct check *c)
{
	struct dkim_report report;
	struct slice text;
	char comment[60];

	if (!facts_find(&c->judgement->facts, FACT_RESULT, SLICE("dkim"),
	    &text) || !get_dkim_report(text, &report))
		return;
	if (report.n_results == 0)
		authres_result(a, "dkim", "none", SLICE(""));
	for (unsigned i = 0; i < report.n_results; i++)
		put_signature(a, &report.results[i]);
	if (report.n_ignored == 0)
		return;
	snprintf(comment, sizeof(comment), "%u more are not evaluated",
	    report.n_ignored);
	authres_result(a, "dkim", "policy", slice_of(comment));
}

static void
put_dmarc(struct authres *a, const struct check *c)
{
	struct dmarc_told told = { .status = "" };
	char comment[20];

	if (!dmarc_told(c, &told))
		return;
	snprintf(comment, sizeof(comment), "p=%s", told.policy);
	authres_result(a, "dmarc", told.status, *told.policy == '-' ?
	    SLICE("") : slice_of(comment));
	if (*told.domain != '-')
		authres_property(a, "header.from", slice_of(told.domain));
}

/* RFC 8601 3, as check_fcrdns found it: its answers are known by now, so it
 * is asked again and not waited for. */
static void
put_iprev(struct authres *a, const struct check *c)
{
	struct judgement none = { .is_complete = false };
	struct facts facts = { .n = 0 };
	struct check again = { .config = c->config, .stage = c->stage,
		.facts = &facts, .judgement = &none };
	enum check_said said;

	if (c->config->checks.actions[CHECK_FCRDNS] == ACTION_OFF ||
	    facts_add_all(&facts, c->facts) < 0) {
		facts_free(&facts);
		return;
	}
	said = check_fcrdns(&again);
	if (said != SAID_WANTS && said != SAID_NOTHING) {
		authres_result(a, "iprev", said == SAID_GOOD ? "pass" :
		    said == SAID_SILENCE ? "temperror" : "fail", SLICE(""));
		authres_property(a, "policy.iprev",
		    check_told(c, FACT_CLIENT_IP));
	}
	facts_free(&facts);
	judgement_free(&none);
}

enum check_said
check_authres(struct check *c)
{
	struct authres a;
	char host[ADDRESS_DOMAIN_MAX + 1];
	bool is_all;

	if (c->others_wait)
		return SAID_NOTHING;
	check_told_text(c, FACT_HOST, host, sizeof(host));
	authres_start(&a, &c->judgement->fields, host);
	put_spf(&a, c);
	put_dkim(&a, c);
	put_dmarc(&a, c);
	put_iprev(&a, c);
	if (authres_end(&a) < 0) {
		c->judgement->fields.size = 0;
		return check_silent(c, 3, 0, "no memory for the results of "
		    "authentication");
	}
	is_all = authres_find_forged(c->message, host, c->judgement);
	if (c->judgement->n_cuts == 0)
		return SAID_NOTHING;
	check_note(c, "%zu pieces of the header claim to be of %s: cut",
	    c->judgement->n_cuts, host);
	return is_all ? SAID_MARK : check_bad(c, 550, 7, 7, "the message "
	    "has more than %d fields that were forged in the name of %s",
	    JUDGEMENT_CUTS_MAX, host);
}
