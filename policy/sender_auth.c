/* SPDX-License-Identifier: ISC */
/*
 * sender_auth.c - see sender_auth.h.
 */
#include "dmarc.h"
#include "dns.h"
#include "sender_auth.h"

#define NAME "sender"

static void
put(struct check *c, const char *how, const char *domain)
{
	struct buf value = { 0 };

	if (buf_printf(&value, "%s %s", how, domain) == 0)
		check_put_result(c, NAME, buf_slice(&value));
	buf_free(&value);
}

void
sender_put_spf(struct check *c, const char *domain)
{
	put(c, "spf", domain);
}

void
sender_put_dkim(struct check *c, const struct dkim_report *report)
{
	char domain[DNS_NAME_MAX + 1];
	struct slice known;

	if (check_result(c, NAME, &known) ||
	    !dns_name(domain, check_sender_domain(c)))
		return;
	for (unsigned i = 0; i < report->n_results; i++) {
		const struct dkim_result *r = &report->results[i];

		if (r->status != DKIM_PASS || r->is_testing ||
		    !dmarc_is_aligned(r->domain, domain, false))
			continue;
		put(c, "dkim", r->domain);
		return;
	}
}
