/* SPDX-License-Identifier: ISC */
/*
 * dmarc_text.c - see dmarc_text.h.
 */
#include <stdio.h>
#include "dmarc_text.h"

static bool
has_record(const struct dmarc_result *result)
{
	return *result->record_domain != '\0';
}

const char *
dmarc_describe(char *to, size_t room, const struct dmarc_result *r)
{
	if (r->status == DMARC_STATUS_PERMERROR)
		snprintf(to, room, "permerror: the message %s",
		    author_problem(r->author));
	else if (!has_record(r))
		snprintf(to, room, "%s (From %s, %s at _dmarc)%s",
		    dmarc_status_name(r->status), r->domain,
		    r->status == DMARC_STATUS_NONE ? "no usable record" :
		    "no answer", r->is_by_spf || r->is_by_dkim ?
		    ", passes by any record" : "");
	else
		snprintf(to, room, "%s (From %s, p=%s pct=%u at _dmarc.%s, "
		    "SPF %saligned, DKIM %saligned%s%s)",
		    dmarc_status_name(r->status), r->domain,
		    dmarc_policy_name(r->published), r->record.percent,
		    r->record_domain, r->is_by_spf ? "" : "not ",
		    r->is_by_dkim ? "" : "not ",
		    r->status == DMARC_STATUS_FAIL ? ", applied " : "",
		    r->status == DMARC_STATUS_FAIL ?
		    dmarc_policy_name(r->applied) : "");
	return to;
}

void
dmarc_put_result(struct check *c, const struct dmarc_result *r)
{
	char text[ADDRESS_DOMAIN_MAX + 40];

	snprintf(text, sizeof(text), "%s %s %s",
	    dmarc_status_name(r->status),
	    has_record(r) ? dmarc_policy_name(r->published) : "-",
	    *r->domain ? r->domain : "-");
	check_put_result(c, "dmarc", slice_of(text));
}

bool
dmarc_told(const struct check *c, struct dmarc_told *told)
{
	struct slice text;
	size_t first, second;

	if (!facts_find(&c->judgement->facts, FACT_RESULT, SLICE("dmarc"),
	    &text))
		return false;
	first = slice_find(text, ' ');
	second = first + 1;
	while (second < text.size && text.data[second] != ' ')
		second++;
	return second < text.size &&
	    slice_copy(told->status, sizeof(told->status),
	    (struct slice){ text.data, first }) &&
	    slice_copy(told->policy, sizeof(told->policy),
	    (struct slice){ text.data + first + 1, second - first - 1 }) &&
	    slice_copy(told->domain, sizeof(told->domain),
	    (struct slice){ text.data + second + 1,
	    text.size - second - 1 });
}
