/* SPDX-License-Identifier: ISC */
/*
 * dmarc_record.c - parses DMARC records; see dmarc_record.h.
 */
#include "dmarc_record.h"
#include "tag_list.h"

static bool
parse_policy(struct slice value, enum dmarc_policy *policy)
{
	for (int p = DMARC_NONE; p <= DMARC_REJECT; p++)
		if (slice_equals_nocase(value,
		    slice_of(dmarc_policy_name((enum dmarc_policy)p)))) {
			*policy = (enum dmarc_policy)p;
			return true;
		}
	return false;
}

/* RFC 7489 6.4: the version comes first and is written just so. */
static bool
is_dmarc(struct slice text)
{
	struct tag tag;

	return tag_next(&text, &tag) == TAG_NEXT &&
	    slice_equals(tag.name, SLICE("v")) &&
	    slice_equals(tag.value, SLICE("DMARC1"));
}

/* Is there a place that reports can go to? (6.6.3, step 6) */
static bool
has_report_uri(struct slice text)
{
	struct slice list, uri;

	if (!tag_find(text, "rua", &list))
		return false;
	while (tag_item(&list, ',', &uri)) {
		size_t colon = slice_find(uri, ':');

		if (colon > 0 && colon + 1 < uri.size)
			return true;
	}
	return false;
}

bool
dmarc_record_parse(struct slice text, struct dmarc_record *record)
{
	struct slice value;
	unsigned long long percent;
	bool is_good;

	*record = (struct dmarc_record){ .percent = 100 };
	if (!is_dmarc(text))
		return false;
	is_good = tag_find(text, "p", &value) &&
	    parse_policy(value, &record->policy);
	record->subdomain_policy = record->policy;
	if (tag_find(text, "sp", &value))
		is_good &= parse_policy(value, &record->subdomain_policy);
	if (!is_good) {
		record->policy = record->subdomain_policy = DMARC_NONE;
		return has_report_uri(text);
	}
	if (tag_find(text, "adkim", &value))
		record->is_strict_dkim = slice_equals_nocase(value,
		    SLICE("s"));
	if (tag_find(text, "aspf", &value))
		record->is_strict_spf = slice_equals_nocase(value,
		    SLICE("s"));
	if (tag_find(text, "pct", &value) &&
	    slice_number(value, 100, &percent))
		record->percent = (unsigned)percent;
	return true;
}

enum dmarc_found
dmarc_record_find(const struct dns_answer *answer,
    struct dmarc_record *record)
{
	const struct dns_record *found = NULL;
	size_t n = 0;

	if (answer->status == DNS_FAILED)
		return DMARC_SILENCE;
	for (size_t i = 0; answer->status == DNS_OK &&
	    i < answer->n_records; i++)
		if (is_dmarc(answer->records[i].data)) {
			found = &answer->records[i];
			n++;
		}
	if (n == 0 && answer->is_cut)
		return DMARC_SILENCE;
	if (n == 0)
		return DMARC_NOT_FOUND;
	return n == 1 && dmarc_record_parse(found->data, record) ?
	    DMARC_FOUND : DMARC_UNUSABLE;
}

const char *
dmarc_policy_name(enum dmarc_policy policy)
{
	static const char *const names[] = { "none", "quarantine", "reject" };

	return names[policy];
}
