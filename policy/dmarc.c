/* SPDX-License-Identifier: ISC */
/*
 * dmarc.c - see dmarc.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <libpsl.h>
#include <openssl/sha.h>
#include "big_endian.h"
#include "dmarc.h"

int
dmarc_warm_up(void)
{
	const psl_ctx_t *psl = psl_builtin();

	return psl != NULL && psl_suffix_count(psl) > 1000 &&
	    dmarc_is_aligned("a.example.co.uk", "example.co.uk", false) ?
	    0 : -ENOENT;
}

const char *
dmarc_organisation(const char *name)
{
	return psl_registrable_domain(psl_builtin(), name);
}

bool
dmarc_is_aligned(const char *name, const char *domain, bool is_strict)
{
	const char *a, *b;

	if (strcmp(name, domain) == 0)
		return *name != '\0';
	if (is_strict)
		return false;
	a = dmarc_organisation(name);
	b = dmarc_organisation(domain);
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool
dmarc_is_drawn(struct slice message, unsigned percent)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (percent >= 100)
		return true;
	SHA256((const unsigned char *)message.data, message.size, digest);
	return big_endian_get(digest, 3) % 100 < percent;
}

/* Ask for the record at _dmarc.domain. False: wanted. */
static bool
look_up(struct facts *facts, const char *domain, enum dmarc_found *found,
    struct dmarc_record *record)
{
	char name[ADDRESS_DOMAIN_MAX + 16];
	struct dns_answer answer;

	snprintf(name, sizeof(name), "_dmarc.%s", domain);
	if (facts_dns(facts, FACT_DNS_TXT, slice_of(name), &answer)) {
		*found = dmarc_record_find(&answer, record);
		return true;
	}
	*found = DMARC_SILENCE;
	return facts->is_over;
}

/*
 * RFC 7489 6.6.3: the domain's own record, else its organisation's; an own
 * one that cannot be used is not made up for by the other. Both are asked
 * for at once. False: wanted.
 */
static bool
discover(struct facts *facts, struct dmarc_result *result,
    enum dmarc_found *found)
{
	struct dmarc_record record = { 0 };
	const char *organisation = dmarc_organisation(result->domain);
	enum dmarc_found above = DMARC_NOT_FOUND;
	bool is_known, is_known_above = true;

	is_known = look_up(facts, result->domain, found, &result->record);
	snprintf(result->record_domain, sizeof(result->record_domain), "%s",
	    result->domain);
	result->published = result->record.policy;
	if (organisation == NULL ||
	    strcmp(organisation, result->domain) == 0)
		return is_known;
	is_known_above = look_up(facts, organisation, &above, &record);
	if (!is_known || *found != DMARC_NOT_FOUND)
		return is_known;
	snprintf(result->record_domain, sizeof(result->record_domain), "%s",
	    organisation);
	*found = above;
	result->record = record;
	result->published = record.subdomain_policy;
	return is_known_above;
}

enum alignment {
	ALIGNED_NOT,
	ALIGNED_PERHAPS,	/* a silence that could have been a pass */
	ALIGNED,
};

static enum alignment
align_spf(const struct dmarc_result *result, const struct dmarc_spf *spf,
    bool is_strict)
{
	if ((!spf->is_pass && !spf->is_temporary) ||
	    !dmarc_is_aligned(spf->domain, result->domain, is_strict))
		return ALIGNED_NOT;
	return spf->is_pass ? ALIGNED : ALIGNED_PERHAPS;
}

static enum alignment
align_dkim(const struct dmarc_result *result,
    const struct dkim_report *dkim, bool is_strict)
{
	enum alignment best = ALIGNED_NOT;

	for (unsigned i = 0; i < dkim->n_results; i++) {
		const struct dkim_result *r = &dkim->results[i];

		if (r->status == DKIM_PASS &&
		    dmarc_is_aligned(r->domain, result->domain, is_strict))
			return ALIGNED;
		/* without d= it was the whole header, for lack of memory */
		if (r->status == DKIM_TEMPERROR && (*r->domain == '\0' ||
		    dmarc_is_aligned(r->domain, result->domain, is_strict)))
			best = ALIGNED_PERHAPS;
	}
	return best;
}

static enum dmarc_policy
draw(struct slice message, const struct dmarc_result *result)
{
	if (result->published == DMARC_NONE ||
	    dmarc_is_drawn(message, result->record.percent))
		return result->published;
	/* RFC 7489 6.6.4: the next lower one */
	return result->published == DMARC_REJECT ? DMARC_QUARANTINE :
	    DMARC_NONE;
}

static void
decide(struct slice message, const struct dmarc_spf *spf,
    const struct dkim_report *dkim, struct dmarc_result *result)
{
	enum alignment by_spf = align_spf(result, spf,
	    result->record.is_strict_spf);
	enum alignment by_dkim = align_dkim(result, dkim,
	    result->record.is_strict_dkim);

	result->is_by_spf = by_spf == ALIGNED;
	result->is_by_dkim = by_dkim == ALIGNED;
	if (result->is_by_spf || result->is_by_dkim)
		result->status = DMARC_STATUS_PASS;
	else if (by_spf == ALIGNED_PERHAPS || by_dkim == ALIGNED_PERHAPS) {
		result->status = DMARC_STATUS_TEMPERROR;
		result->is_silence_grave = draw(message, result) !=
		    DMARC_NONE;
	} else {
		result->status = DMARC_STATUS_FAIL;
		result->applied = draw(message, result);
	}
}

/* No record was told. One who passes strictly would pass by any record. */
static void
decide_without_record(const struct dmarc_spf *spf,
    const struct dkim_report *dkim, struct dmarc_result *result)
{
	result->status = DMARC_STATUS_TEMPERROR;
	result->is_by_spf = align_spf(result, spf, true) == ALIGNED;
	result->is_by_dkim = align_dkim(result, dkim, true) == ALIGNED;
	result->is_silence_grave = !result->is_by_spf && !result->is_by_dkim;
}

bool
dmarc_evaluate(struct slice message, const struct dmarc_spf *spf,
    const struct dkim_report *dkim, struct facts *facts,
    struct dmarc_result *result)
{
	enum dmarc_found found;

	memset(result, 0, sizeof(*result));
	result->author = author_find(message, result->domain);
	if (result->author != AUTHOR_OK) {
		result->status = DMARC_STATUS_PERMERROR;
		return dkim != NULL;
	}
	if (!discover(facts, result, &found) || dkim == NULL)
		return false;
	if (found == DMARC_SILENCE)
		decide_without_record(spf, dkim, result);
	else if (found == DMARC_FOUND)
		decide(message, spf, dkim, result);
	if (found != DMARC_FOUND)
		*result->record_domain = '\0';
	return true;
}

const char *
dmarc_status_name(enum dmarc_status status)
{
	static const char *const names[] = { "none", "pass", "fail",
	    "temperror", "permerror" };

	return names[status];
}
