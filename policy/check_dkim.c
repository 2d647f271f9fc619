/* SPDX-License-Identifier: ISC */
/*
 * check_dkim.c - does a domain vouch for this message by its signature?
 *
 * By itself a signature that fails says nothing against a message (RFC 6376
 * 6.3): the check marks. Told to refuse, it refuses a message that has
 * signatures of which none is good (RFC 7372 3.1: 5.7.20). It runs even if
 * it is off, as DMARC lives on its result.
 */
#include "check.h"
#include "dkim_report.h"
#include "log.h"
#include "sender_auth.h"

/* Made before the sandbox closes, and never changed: the library's own
 * state, that OpenSSL is read from the disk. No message leaves a trace. */
static struct dkim_library *library;

void
check_dkim_warm_up(void)
{
	if (library == NULL && dkim_library_new(&library) < 0)
		fatal("libopendkim does not start");
}

/* "pass example.org (s=a, 2048 bits); fail example.net (s=b, expired)" */
static void
describe(const struct dkim_report *report, struct buf *text)
{
	for (unsigned i = 0; i < report->n_results; i++) {
		const struct dkim_result *r = &report->results[i];

		(void)buf_printf(text, "%s%s %s (s=%s", i ? "; " : "",
		    dkim_status_name(r->status),
		    *r->domain ? r->domain : "-", r->selector);
		if (*r->reason != '\0')
			(void)buf_printf(text, ", %s", r->reason);
		if (r->key_bits > 0)
			(void)buf_printf(text, ", %u bits", r->key_bits);
		(void)buf_printf(text, "%s)", r->is_testing ? ", testing" :
		    "");
	}
	if (report->n_ignored > 0)
		(void)buf_printf(text, "; %u more are not evaluated",
		    report->n_ignored);
}

static bool
has_status(const struct dkim_report *report, enum dkim_status status)
{
	for (unsigned i = 0; i < report->n_results; i++)
		if (report->results[i].status == status)
			return true;
	return false;
}

static enum check_said
say(struct check *c, const struct dkim_report *report)
{
	if (report->n_results == 0)
		return check_good(c, "none");
	if (has_status(report, DKIM_PASS))
		return SAID_GOOD;
	if (has_status(report, DKIM_TEMPERROR))
		return check_silent(c, 7, 20, "cannot verify the DKIM "
		    "signature of this message now, try again later");
	return check_bad(c, 550, 7, 20, "no DKIM signature of this message "
	    "is good");
}

enum check_said
check_dkim(struct check *c)
{
	struct dkim_report report;
	struct buf text = { .maximum = 2000 };

	check_dkim_warm_up();
	if (!dkim_judge(library, c->message, c->facts, &report))
		return SAID_WANTS;
	if (put_dkim_report(&text, &report) < 0) {
		buf_free(&text);
		return check_silent(c, 3, 0, "no memory to verify DKIM");
	}
	check_put_result(c, "dkim", buf_slice(&text));
	sender_put_dkim(c, &report);
	text.size = 0;
	describe(&report, &text);
	check_note(c, "%.*s", (int)text.size, text.size ? text.data : "");
	buf_free(&text);
	return say(c, &report);
}
