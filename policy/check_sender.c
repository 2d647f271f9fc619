/* SPDX-License-Identifier: ISC */
/*
 * check_sender.c - could mail to the domain of the reverse-path be sent?
 * (RFC 5321 5.1, RFC 7505 for a domain that takes none)
 */
#include "check.h"

static enum check_said
no_answer(struct check *c, struct slice domain, const char *type)
{
	check_note(c, "%s %.*s: no answer", type, (int)domain.size,
	    domain.data);
	return check_silent(c, 4, 3, "cannot look up the sender's domain "
	    "%.*s now, try again later", (int)domain.size, domain.data);
}

static enum check_said
no_domain(struct check *c, struct slice domain, const char *why)
{
	check_note(c, "%.*s: %s", (int)domain.size, domain.data, why);
	return check_bad(c, 550, 1, 8, "the sender's domain %.*s %s",
	    (int)domain.size, domain.data, why);
}

/* RFC 7505 3: one record, preference 0, the root. */
static bool
is_null_mx(const struct dns_answer *mx)
{
	struct slice host;
	uint16_t preference;

	return mx->n_records == 1 && dns_mx(mx->records[0].data, &preference,
	    &host) && host.size == 0;
}

/* RFC 5321 5.1: without MX, its address is its mail server. */
static enum check_said
judge_addresses(struct check *c, struct slice domain)
{
	struct dns_answer a, aaaa;
	bool has_a = facts_dns(c->facts, FACT_DNS_A, domain, &a);
	bool has_aaaa = facts_dns(c->facts, FACT_DNS_AAAA, domain, &aaaa);

	if ((has_a && a.status == DNS_OK) ||
	    (has_aaaa && aaaa.status == DNS_OK))
		return check_good(c, "%.*s has an address, no MX",
		    (int)domain.size, domain.data);
	if (!has_a || !has_aaaa)
		return SAID_WANTS;
	if (a.status == DNS_FAILED || aaaa.status == DNS_FAILED)
		return no_answer(c, domain, "A, AAAA");
	return no_domain(c, domain, "has neither MX nor address");
}

enum check_said
check_sender(struct check *c)
{
	struct slice domain = check_sender_domain(c);
	struct dns_answer mx;

	if (domain.size == 0 || *domain.data == '[')
		return SAID_NOTHING;
	if (!facts_dns(c->facts, FACT_DNS_MX, domain, &mx))
		return SAID_WANTS;
	switch (mx.status) {
	case DNS_OK:
		if (!is_null_mx(&mx))
			return check_good(c, "%.*s has %zu MX",
			    (int)domain.size, domain.data, mx.n_records);
		check_note(c, "%.*s has a null MX", (int)domain.size,
		    domain.data);
		return check_bad(c, 550, 7, 27, "the sender's domain %.*s "
		    "takes no mail (null MX)", (int)domain.size, domain.data);
	case DNS_NO_DATA:
		return judge_addresses(c, domain);
	case DNS_NO_NAME:
		return no_domain(c, domain, "does not exist");
	case DNS_FAILED:
		break;
	}
	return no_answer(c, domain, "MX");
}
