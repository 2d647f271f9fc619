/* SPDX-License-Identifier: ISC */
/*
 * batv.c - see batv.h.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include "batv.h"
#include "big_endian.h"
#include "octets.h"

#define PREFIX SLICE("prvs=")
#define DAYS 1000		/* DDD counts modulo this */
#define MAC_DIGITS 6

uint32_t
batv_expiry(uint32_t day)
{
	return day / BATV_STEP_DAYS * BATV_STEP_DAYS + BATV_LIFE_DAYS;
}

/* "KDDD" and the address in lower case; what the MAC is over. */
static bool
write_source(struct buf *source, const struct batv_tag *tag,
    const char *domain)
{
	size_t from;

	if (buf_printf(source, "%u%03u", tag->generation, tag->day) < 0)
		return false;
	from = source->size;
	if (buf_append_slice(source, tag->local) < 0 ||
	    buf_printf(source, "@%s", domain) < 0)
		return false;
	for (size_t i = from; i < source->size; i++)
		source->data[i] = to_lower(source->data[i]);
	return true;
}

static bool
make_mac(const struct batv_key *key, const struct batv_tag *tag,
    const char *domain, uint32_t *mac)
{
	struct buf source = { 0 };
	uint8_t octets[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool ok = write_source(&source, tag, domain) &&
	    HMAC(EVP_sha256(), key->secret, sizeof key->secret,
	    (const uint8_t *)source.data, source.size, octets, &size) != NULL;

	if (ok)
		*mac = (uint32_t)big_endian_get(octets, 3);
	buf_free(&source);
	return ok;
}

bool
batv_make(char *to, size_t room, const struct address *a,
    const struct batv_key *key, uint32_t day)
{
	struct batv_tag tag = { .generation = key->generation,
		.day = batv_expiry(day) % DAYS, .local = slice_of(a->local) };
	char local[ADDRESS_LOCAL_MAX + 1];
	struct batv_tag old;

	*to = '\0';
	if (a->is_null || a->domain[0] == '\0' || key->generation > 9 ||
	    tag.local.size + BATV_TAG_SIZE > ADDRESS_LOCAL_MAX ||
	    batv_parse(tag.local, &old) ||
	    !make_mac(key, &tag, a->domain, &tag.mac))
		return false;
	snprintf(local, sizeof local, "prvs=%u%03u%06x=%.48s",
	    tag.generation, tag.day, tag.mac, a->local);
	return address_write(to, room, slice_of(local), slice_of(a->domain));
}

static unsigned
hex_value(char c)
{
	return is_digit(c) ? (unsigned)(c - '0') :
	    (unsigned)(to_lower(c) - 'a') + 10;
}

bool
batv_parse(struct slice local, struct batv_tag *tag)
{
	struct slice rest;

	if (local.size <= BATV_TAG_SIZE ||
	    !slice_starts_nocase(local, PREFIX) ||
	    local.data[BATV_TAG_SIZE - 1] != '=')
		return false;
	rest = slice_after(local, PREFIX.size);
	for (size_t i = 0; i < 4 + MAC_DIGITS; i++)
		if (i < 4 ? !is_digit(rest.data[i]) : !is_hex(rest.data[i]))
			return false;
	tag->generation = hex_value(rest.data[0]);
	tag->day = hex_value(rest.data[1]) * 100 +
	    hex_value(rest.data[2]) * 10 + hex_value(rest.data[3]);
	tag->mac = 0;
	for (size_t i = 4; i < 4 + MAC_DIGITS; i++)
		tag->mac = tag->mac << 4 | hex_value(rest.data[i]);
	tag->local = slice_after(local, BATV_TAG_SIZE);
	return true;
}

/* Half of the circle lies ahead, half behind. */
int
batv_days_left(const struct batv_tag *tag, uint32_t day)
{
	int left = (int)((tag->day + DAYS - day % DAYS) % DAYS);

	return left < DAYS / 2 ? left : left - DAYS;
}

static enum batv_result
check_with(const struct batv_key *key, const struct batv_tag *tag,
    const struct address *a, uint32_t day)
{
	int left = batv_days_left(tag, day);
	uint32_t mac;

	if (!make_mac(key, tag, a->domain, &mac))
		return BATV_UNKNOWN;
	if (CRYPTO_memcmp(&mac, &tag->mac, sizeof mac) != 0)
		return BATV_WRONG;
	return left >= 0 && left <= BATV_LIFE_DAYS ? BATV_VALID : BATV_EXPIRED;
}

enum batv_result
batv_check(const struct batv_key *keys, size_t n_keys,
    const struct address *a, uint32_t day, char *plain)
{
	struct batv_tag tag;

	if (!batv_parse(slice_of(a->local), &tag))
		return BATV_NONE;
	for (size_t i = 0; i < n_keys; i++) {
		if (keys[i].generation != tag.generation)
			continue;
		if (plain != NULL)
			slice_copy(plain, ADDRESS_LONG_LOCAL_MAX + 1,
			    tag.local);
		return check_with(&keys[i], &tag, a, day);
	}
	return BATV_UNKNOWN;
}
