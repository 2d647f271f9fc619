/* SPDX-License-Identifier: ISC */
/*
 * spf.c - one identity, checked: check_host() of RFC 7208 4; see spf.h.
 */
#include <string.h>
#include "address.h"
#include "spf_walk.h"

#define EXPLANATION_EXPANDED_MAX 4096

static bool
is_visible(struct slice text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return true;
}

/* A name of several labels that can be asked for (4.3); false: none. */
static bool
set_domain(struct spf_walk *w, struct slice domain)
{
	char ascii[ADDRESS_DOMAIN_MAX + 1];
	const char *last;

	for (size_t i = 0; i < domain.size; i++)
		if ((unsigned char)domain.data[i] >= 0x80) {
			/* A-labels (4.3) */
			if (address_parse_domain(ascii, domain,
			    ADDRESS_ALLOW_UTF8) != ADDRESS_OK)
				return false;
			domain = slice_of(ascii);
			break;
		}
	if (!is_visible(domain) || !dns_name(w->sender_domain, domain))
		return false;
	last = strrchr(w->sender_domain, '.');
	if (last != NULL && last[1 + strspn(last + 1, "0123456789")] != '\0' &&
	    strpbrk(w->sender_domain, "[]") == NULL)
		return true;
	*w->sender_domain = '\0';
	return false;
}

/* Whom to check: 2.4, 4.1, 4.3. False: there is nobody to ask. */
static bool
set_sender(struct spf_walk *w, struct spf_answer *a)
{
	struct slice sender = w->query->sender, domain = w->query->helo;
	struct slice local = { NULL, 0 };
	size_t at = slice_after_last(sender, '@');
	bool is_set;

	a->identity = sender.size > 0 ? SPF_MAILFROM : SPF_HELO;
	if (sender.size > 0)
		domain = (struct slice){ sender.data + at, sender.size - at };
	if (at > 1)
		local = (struct slice){ sender.data, at - 1 };
	if (local.size == 0)
		local = SLICE("postmaster");
	slice_clip(w->local, sizeof w->local, local);
	is_set = set_domain(w, domain);
	memcpy(a->domain, w->sender_domain, sizeof a->domain);
	return is_set;
}

/* What is said to the client: printable, bounded. */
static void
put_explanation(struct spf_answer *a, struct slice text)
{
	size_t n = text.size < SPF_EXPLANATION_MAX ? text.size :
	    SPF_EXPLANATION_MAX;

	for (size_t i = 0; i < n; i++) {
		char c = text.data[i];

		a->explanation[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	a->explanation[n] = '\0';
}

/* exp= (6.2): whatever is wrong with it, there is none. False: missing. */
static bool
explain(struct spf_walk *w, struct spf_answer *a)
{
	const struct spf_entered *record = &w->records[w->exp_record];
	struct spf_handed term = { SPF_ASKED_EXISTS, record->exp,
		(uint8_t)w->exp_record };
	char name[DNS_NAME_MAX + 1], room[SPF_VALUES_ROOM];
	struct buf out = { .maximum = EXPLANATION_EXPANDED_MAX };
	struct dns_answer answer;
	struct spf_values values;
	struct slice text;
	bool is_name;

	if (record->exp.size == 0)
		return true;
	if (!spf_walk_name(w, &term, name, &is_name) || !is_name ||
	    !spf_walk_dns(w, FACT_DNS_TXT, name, &answer))
		return !w->is_missing;
	if (answer.n_records != 1 || answer.is_cut)
		return true;
	text = answer.records[0].data;
	if (!spf_macro_is_valid(text, SPF_IN_EXPLANATION))
		return true;
	if (!spf_walk_values(w, w->exp_record, text, &values, room))
		return !w->is_missing;
	if (spf_macro_expand(&out, text, &values) == 0)
		put_explanation(a, buf_slice(&out));
	buf_free(&out);
	return true;
}

/* The walk's end as an answer. False: facts are wanted. */
static bool
conclude(struct spf_walk *w, struct spf_answer *a)
{
	a->n_lookups = w->n_lookups;
	a->n_voids = w->n_voids;
	if (w->is_missing)
		return false;
	a->result = w->result;
	if (w->is_failed)
		memcpy(a->problem, w->problem, sizeof a->problem);
	return w->is_failed || w->result != SPF_FAIL || explain(w, a);
}

bool
spf_check(struct facts *facts, const struct spf_query *q,
    struct spf_answer *a)
{
	struct spf_walk w = { .facts = facts, .query = q,
		.result = SPF_NONE };
	char text[SPF_TEXT_MAX];
	bool is_none;

	*a = (struct spf_answer){ .result = SPF_NONE };
	if (!set_sender(&w, a) || !spf_walk_client(&w, q->client_ip))
		return true;
	if (spf_walk_enter(&w, w.sender_domain, text, &is_none))
		spf_layer_run(&w, text);
	return conclude(&w, a);
}
