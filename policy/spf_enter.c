/* SPDX-License-Identifier: ISC */
/*
 * spf_enter.c - a domain's record, read strictly and written anew.
 *
 * What libspf2 gets of "v=spf1 ip4:192.0.2.0/24 a:%{h}/28 mx/0 -all" is, for
 * a client that the first term does not hold, "v=spf1 +a:t0.spf/28
 * +exists:t1.spf -all". Left out is what cannot matter: addresses without
 * the client, what follows a term that always matches, modifiers. Written
 * differently is what it gets wrong: macros and strange names (a name of
 * ours instead), prefixes of 0, ptr. Nothing of a sender's text remains.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "spf_walk.h"

/* The record among a domain's TXT records (4.5). */
static bool
find_record(struct spf_walk *w, const char *domain, struct slice *text,
    bool *is_none)
{
	struct dns_answer answer;
	size_t n = 0;

	*is_none = false;
	if (!spf_walk_dns(w, FACT_DNS_TXT, domain, &answer))
		return false;
	if (answer.status == DNS_FAILED) {
		spf_walk_fail(w, SPF_TEMPERROR, "no answer for TXT of %s",
		    domain);
		return false;
	}
	for (size_t i = 0; i < answer.n_records; i++)
		if (spf_record_is_one(answer.records[i].data)) {
			*text = answer.records[i].data;
			n++;
		}
	if (n == 0 && answer.is_cut)
		spf_walk_fail(w, SPF_PERMERROR, "too many TXT records at %s",
		    domain);
	else if (n > 1)
		spf_walk_fail(w, SPF_PERMERROR, "%zu SPF records at %s", n,
		    domain);
	*is_none = n == 0 && !answer.is_cut;
	return n == 1;
}

static bool
is_within(const uint8_t *client, const uint8_t *network, unsigned bits)
{
	size_t octets = bits / 8;
	unsigned rest = bits % 8;

	if (memcmp(client, network, octets) != 0)
		return false;
	return rest == 0 ||
	    (client[octets] ^ network[octets]) >> (8 - rest) == 0;
}

/* Where a record is written, and whether more of it can matter. */
struct writer {
	struct spf_walk *w;
	char *text;
	size_t size;
	bool is_done;
};

static void
put(struct writer *to, char qualifier, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
put(struct writer *to, char qualifier, const char *format, ...)
{
	va_list ap;
	int n;

	n = snprintf(to->text + to->size, SPF_TEXT_MAX - to->size, " %c",
	    qualifier);
	/* a modifier has no qualifier */
	to->size += qualifier != '\0' ? (size_t)n : 1;
	va_start(ap, format);
	n = vsnprintf(to->text + to->size, SPF_TEXT_MAX - to->size, format,
	    ap);
	va_end(ap);
	to->size += (size_t)n;
}

/* Remember a term that asks; its number is its name for the library. */
static unsigned
hand_out(struct spf_walk *w, enum spf_asked asked, struct slice spec)
{
	struct spf_entered *record = &w->records[w->n_records - 1];

	w->terms[w->n_terms] = (struct spf_handed){ asked, spec,
		(uint8_t)(w->n_records - 1) };
	record->n++;
	return (unsigned)w->n_terms++;
}

static void
put_address(struct writer *to, const struct spf_term *term)
{
	bool is_ip6 = term->mechanism == SPF_IP6;
	unsigned prefix = is_ip6 ? term->prefix6 : term->prefix4;
	char text[INET6_ADDRSTRLEN];

	if (is_ip6 != to->w->is_ip6 ||
	    !is_within(to->w->client, term->address, prefix))
		return;
	inet_ntop(is_ip6 ? AF_INET6 : AF_INET, term->address, text,
	    sizeof text);
	if (prefix == 0)
		put(to, term->qualifier, "all");
	else
		put(to, term->qualifier, "%s:%s/%u", is_ip6 ? "ip6" : "ip4",
		    text, prefix);
	to->is_done = true;
}

/* a and mx. */
static void
put_hosts(struct writer *to, const struct spf_term *term)
{
	bool is_mx = term->mechanism == SPF_MX;
	unsigned prefix = to->w->is_ip6 ? term->prefix6 : term->prefix4;
	unsigned all = to->w->is_ip6 ? 128 : 32;

	if (prefix == 0)
		put(to, term->qualifier, "exists:t%u.spf", hand_out(to->w,
		    is_mx ? SPF_ASKED_ANY_HOST : SPF_ASKED_ANY_ADDRESS,
		    term->spec));
	else if (prefix == all)
		put(to, term->qualifier, "%s:t%u.spf", is_mx ? "mx" : "a",
		    hand_out(to->w, is_mx ? SPF_ASKED_HOSTS :
		    SPF_ASKED_ADDRESSES, term->spec));
	else
		put(to, term->qualifier, "%s:t%u.spf%s%u", is_mx ? "mx" : "a",
		    hand_out(to->w, is_mx ? SPF_ASKED_HOSTS :
		    SPF_ASKED_ADDRESSES, term->spec),
		    to->w->is_ip6 ? "//" : "/", prefix);
}

static void
put_term(struct writer *to, const struct spf_term *term)
{
	switch (term->mechanism) {
	case SPF_ALL:
		put(to, term->qualifier, "all");
		to->is_done = true;
		break;
	case SPF_IP4:
	case SPF_IP6:
		put_address(to, term);
		break;
	case SPF_A:
	case SPF_MX:
		put_hosts(to, term);
		break;
	case SPF_PTR:
		put(to, term->qualifier, "exists:t%u.spf",
		    hand_out(to->w, SPF_ASKED_PTR, term->spec));
		break;
	case SPF_EXISTS:
		put(to, term->qualifier, "exists:t%u.spf",
		    hand_out(to->w, SPF_ASKED_EXISTS, term->spec));
		break;
	case SPF_INCLUDE:
		put(to, term->qualifier, "include:t%u.spf",
		    hand_out(to->w, SPF_ASKED_INCLUDE, term->spec));
		break;
	case SPF_MODIFIER:
		break;
	}
}

static void
write_record(struct spf_walk *w, const struct spf_record *record,
    char text[SPF_TEXT_MAX])
{
	struct spf_entered *entered = &w->records[w->n_records - 1];
	struct writer to = { .w = w, .text = text };
	struct slice rest = record->terms;
	struct spf_term term;

	to.size = (size_t)snprintf(text, SPF_TEXT_MAX, "v=spf1");
	/* one more than may be asked: whoever gets there is over the limit */
	while (!to.is_done && entered->n <= SPF_LOOKUPS_MAX &&
	    spf_record_next(&rest, &term))
		put_term(&to, &term);
	/* not after an all, which is the end wherever it stands (5.1) */
	if (!to.is_done && record->redirect.size > 0)
		put(&to, '\0', "redirect=t%u.spf",
		    hand_out(w, SPF_ASKED_REDIRECT, record->redirect));
}

bool
spf_walk_enter(struct spf_walk *w, const char *domain,
    char text[SPF_TEXT_MAX], bool *is_none)
{
	struct spf_entered *entered = &w->records[w->n_records];
	struct spf_record record;
	struct slice found, where;
	const char *problem;

	if (!find_record(w, domain, &found, is_none))
		return false;
	problem = spf_record_check(&record, found, &where);
	if (problem != NULL) {
		spf_walk_fail(w, SPF_PERMERROR, "%s at %.100s: %.*s", problem,
		    domain, (int)(where.size > 60 ? 60 : where.size),
		    where.data);
		return false;
	}
	if (w->n_records == SPF_RECORDS_MAX) {
		spf_walk_fail(w, SPF_PERMERROR, "too many records");
		return false;
	}
	*entered = (struct spf_entered){ .exp = record.exp,
		.first = w->n_terms };
	snprintf(entered->domain, sizeof entered->domain, "%s", domain);
	w->n_records++;
	write_record(w, &record, text);
	return true;
}

/* The question that a term begins with; false: it cannot be told yet. */
static bool
first_question(struct spf_walk *w, const struct spf_handed *term,
    enum fact_kind *kind, char name[DNS_NAME_MAX + 1])
{
	bool is_name;

	if (spf_macro_uses(term->spec, 'p'))
		return false;
	switch (term->asked) {
	case SPF_ASKED_ADDRESSES:
	case SPF_ASKED_ANY_ADDRESS:
		*kind = spf_walk_address_kind(w);
		break;
	case SPF_ASKED_HOSTS:
	case SPF_ASKED_ANY_HOST:
		*kind = FACT_DNS_MX;
		break;
	case SPF_ASKED_EXISTS:
		*kind = FACT_DNS_A;
		break;
	case SPF_ASKED_PTR:
		*kind = FACT_DNS_PTR;
		return dns_reverse_name(name, w->query->client_ip);
	default:
		*kind = FACT_DNS_TXT;
		break;
	}
	return spf_walk_name(w, term, name, &is_name) && is_name;
}

void
spf_walk_foresee(struct spf_walk *w, size_t at)
{
	const struct spf_entered *record =
	    &w->records[w->terms[at].record];
	char name[DNS_NAME_MAX + 1];
	struct dns_answer answer;
	enum fact_kind kind;

	for (size_t i = at; i < record->first + record->n; i++)
		if (w->n_lookups + (i - at) <= SPF_LOOKUPS_MAX &&
		    w->facts->n + w->facts->n_wanted < FACTS_MAX / 2 &&
		    first_question(w, &w->terms[i], &kind, name))
			facts_dns(w->facts, kind, slice_of(name), &answer);
}
