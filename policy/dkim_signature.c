/* SPDX-License-Identifier: ISC */
/*
 * dkim_signature.c - see dkim_signature.h.
 *
 * A malformed signature is "neutral", a missing or unusable key "permerror"
 * (RFC 8601 2.7.1); neither ever hurts a message more than no signature.
 */
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "dkim_signature.h"
#include "tag_list.h"

bool
dkim_result_set(struct dkim_result *result, enum dkim_status status,
    const char *reason)
{
	result->status = status;
	snprintf(result->reason, sizeof(result->reason), "%s", reason);
	return false;
}

static bool
neutral(struct dkim_result *result, const char *reason)
{
	return dkim_result_set(result, DKIM_NEUTRAL, reason);
}

/* A name that can be asked for; "" and the root are none. */
static bool
parse_name(char to[DNS_NAME_MAX + 1], struct slice value)
{
	for (size_t i = 0; i < value.size; i++)
		if (value.data[i] <= ' ' || value.data[i] == 0x7f)
			return false;
	return dns_name(to, value) && *to != '\0';
}

static bool
parse_names(struct dkim_signature *s, struct dkim_result *result)
{
	struct slice rest = s->names, name;
	unsigned n = 0;
	bool has_from = false;

	if (rest.size > DKIM_NAMES_BYTES_MAX)
		return neutral(result, "h= is too long");
	while (tag_item(&rest, ':', &name)) {
		if (name.size == 0)
			return neutral(result, "h= has an empty name");
		if (++n > DKIM_NAMES_MAX)
			return neutral(result, "h= has too many names");
		has_from |= slice_equals_nocase(name, SLICE("From"));
		s->n_own_names += slice_equals_nocase(name,
		    SLICE("DKIM-Signature"));
	}
	if (!has_from)	/* RFC 6376 5.4 */
		return dkim_result_set(result, DKIM_PERMERROR,
		    "the From field is not signed");
	return true;
}

static bool
parse_algorithm(struct dkim_signature *s, struct dkim_result *result)
{
	s->is_ed25519 = slice_equals(s->algorithm, SLICE("ed25519-sha256"));
	if (slice_equals(s->algorithm, SLICE("rsa-sha1")))
		/* RFC 8301 3.1: never valid */
		return dkim_result_set(result, DKIM_PERMERROR,
		    "rsa-sha1 is no longer accepted");
	if (!s->is_ed25519 &&
	    !slice_equals(s->algorithm, SLICE("rsa-sha256")))
		return neutral(result, "a= is unknown");
	snprintf(result->algorithm, sizeof(result->algorithm), "%.*s",
	    (int)s->algorithm.size, s->algorithm.data);
	return true;
}

/* RFC 6376 3.5: "simple", "relaxed/simple" ... */
static bool
parse_canonicalization(struct slice value, struct dkim_signature *s,
    struct dkim_result *result)
{
	static const char *const names[] = { "simple", "relaxed" };
	struct slice part;
	unsigned n = 0;
	int found = 0;

	while (tag_item(&value, '/', &part)) {
		for (found = 1; found >= 0; found--)
			if (slice_equals_nocase(part, slice_of(names[found])))
				break;
		if (found < 0 || ++n > 2)
			return neutral(result, "c= is unknown");
	}
	s->is_relaxed_body = n == 2 && found == 1;
	return true;
}

/* i= is of d= or below it. What stands before the "@" is not looked at. */
static bool
is_identity_of(struct slice identity, const char *domain, bool *is_below)
{
	char name[DNS_NAME_MAX + 1];
	size_t size, want = strlen(domain);
	size_t at = slice_after_last(identity, '@');

	if (at == 0 || !parse_name(name, (struct slice){ identity.data + at,
	    identity.size - at }))
		return false;
	size = strlen(name);
	*is_below = size > want;
	return size >= want && strcmp(name + size - want, domain) == 0 &&
	    (size == want || name[size - want - 1] == '.');
}

/* An optional number; false only when it is there and none. */
static bool
parse_number(struct slice list, const char *name, bool *has,
    uint64_t *number)
{
	struct slice value;
	unsigned long long n = 0;

	*has = tag_find(list, name, &value);
	if (*has && !slice_number(value, 1ull << 53, &n))
		return false;
	*number = n;
	return true;
}

static bool
parse_numbers(struct slice list, struct dkim_signature *s,
    struct dkim_result *result)
{
	if (!parse_number(list, "l", &s->has_length, &s->length))
		return neutral(result, "l= is no length");
	if (!parse_number(list, "t", &s->has_time, &s->time_s))
		return neutral(result, "t= is no time");
	if (!parse_number(list, "x", &s->has_expiry, &s->expiry_s))
		return neutral(result, "x= is no time");
	if (s->has_time && s->has_expiry && s->expiry_s <= s->time_s)
		return neutral(result, "x= is not after t=");
	return true;
}

/* The first octets of b=, its white space left out (RFC 8601 2.7.1). */
static bool
parse_signature(struct slice list, struct dkim_signature *s,
    struct dkim_result *result)
{
	struct slice value;
	size_t n = 0;

	if (!tag_find(list, "bh", &s->body_hash) || s->body_hash.size == 0)
		return neutral(result, "bh= is missing");
	if (!tag_find(list, "b", &value) || value.size == 0)
		return neutral(result, "b= is missing");
	s->signature = value;
	for (size_t i = 0; i < value.size && n < 8; i++)
		if (value.data[i] > ' ')
			result->signature[n++] = value.data[i];
	return true;
}

static bool
parse_domain(struct slice list, struct dkim_signature *s,
    struct dkim_result *result)
{
	struct slice value;

	tag_find(list, "d", &value);
	if (!parse_name(result->domain, value))
		return neutral(result, "d= is no domain");
	tag_find(list, "s", &value);
	if (!parse_name(result->selector, value))
		return neutral(result, "s= is no selector");
	if (tag_find(list, "i", &value) &&
	    !is_identity_of(value, result->domain, &s->is_subdomain))
		return neutral(result, "i= is not of d=");
	return true;
}

bool
dkim_signature_parse(struct slice value, struct dkim_signature *s,
    struct dkim_result *result)
{
	struct slice found;

	*s = (struct dkim_signature){ 0 };
	if (value.size > DKIM_FIELD_MAX)
		return neutral(result, "the field is too long");
	if (!tag_list_is_valid(value))
		return neutral(result, "the field is malformed");
	if (!tag_find(value, "v", &found) || !slice_equals(found, SLICE("1")))
		return neutral(result, "v= is not 1");
	if (!parse_domain(value, s, result) ||
	    !parse_signature(value, s, result))
		return false;
	tag_find(value, "a", &s->algorithm);
	tag_find(value, "h", &s->names);
	if (!parse_algorithm(s, result) || !parse_names(s, result))
		return false;
	if (tag_find(value, "c", &found) &&
	    !parse_canonicalization(found, s, result))
		return false;
	if (tag_find(value, "q", &found) &&
	    !tag_has_item(found, ':', "dns/txt"))
		return neutral(result, "q= is unknown");
	return parse_numbers(value, s, result);
}

bool
dkim_signature_is_timely(const struct dkim_signature *s, uint64_t now_s,
    struct dkim_result *result)
{
	if (s->has_time && s->time_s > now_s + DKIM_CLOCK_DRIFT_S)
		return dkim_result_set(result, DKIM_FAIL,
		    "signed in the future");
	if (s->has_expiry && s->expiry_s + DKIM_CLOCK_DRIFT_S <= now_s)
		return dkim_result_set(result, DKIM_FAIL, "expired");
	return true;
}

static bool
no_key(struct dkim_result *result, const char *reason)
{
	return dkim_result_set(result, DKIM_PERMERROR, reason);
}

/* RFC 6376 3.6.1, RFC 8463 4 */
static bool
check_key(struct slice key, const struct dkim_signature *s,
    struct dkim_result *result)
{
	struct slice value;

	if (key.size > DKIM_KEY_MAX)
		return no_key(result, "the key is too long");
	if (!tag_list_is_valid(key))
		return no_key(result, "the key is malformed");
	if (tag_find(key, "v", &value) && !slice_equals(value,
	    SLICE("DKIM1")))
		return no_key(result, "the key is of another version");
	if (!tag_find(key, "k", &value))
		value = SLICE("rsa");
	if (!slice_equals(value, s->is_ed25519 ? SLICE("ed25519") :
	    SLICE("rsa")))
		return no_key(result, "the key is of another algorithm");
	if (tag_find(key, "h", &value) && !tag_has_item(value, ':', "sha256"))
		return no_key(result, "the key is not for sha256");
	if (tag_find(key, "s", &value) && !tag_has_item(value, ':', "*") &&
	    !tag_has_item(value, ':', "email"))
		return no_key(result, "the key is not for mail");
	tag_find(key, "p", &value);
	if (value.size == 0)
		return no_key(result, "the key is revoked");
	tag_find(key, "t", &value);
	result->is_testing = tag_has_item(value, ':', "y");
	if (s->is_subdomain && tag_has_item(value, ':', "s"))
		return no_key(result, "the key is not for subdomains");
	return true;
}

bool
dkim_key_find(const struct dns_answer *answer,
    const struct dkim_signature *s, struct slice *key,
    struct dkim_result *result)
{
	struct slice value, record = { "", 0 };
	unsigned n = 0;

	if (answer->status == DNS_FAILED)
		return dkim_result_set(result, DKIM_TEMPERROR,
		    "the key could not be looked up");
	for (size_t i = 0; answer->status == DNS_OK &&
	    i < answer->n_records; i++)
		if (tag_find(answer->records[i].data, "p", &value)) {
			record = answer->records[i].data;
			*key = value;
			n++;
		}
	if (n == 0 && answer->is_cut)
		return dkim_result_set(result, DKIM_TEMPERROR,
		    "the answer with the key is too large");
	if (n == 0)
		return no_key(result, "there is no key");
	if (n > 1)	/* RFC 6376 3.6.2.2: undefined */
		return no_key(result, "there are several keys");
	return check_key(record, s, result);
}
