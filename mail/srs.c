/* SPDX-License-Identifier: ISC */
/*
 * srs.c - see srs.h.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include "big_endian.h"
#include "mac.h"
#include "octets.h"
#include "srs.h"

#define DAYS 1024		/* TT counts modulo this */
#define MAC_DIGITS 6
#define DAY_DIGITS 2
#define DAYS_AHEAD 1		/* another host's clock, of the same keys */
#define SEPARATORS "=+-"
#define PREFIX_SIZE 5		/* "SRS0=" */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* ---- parse ---- */

static bool
is_separator(char c)
{
	return c != '\0' && strchr(SEPARATORS, c) != NULL;
}

/* Take what stands before the next "=". False: none, or nothing before. */
static bool
take_field(struct slice *rest, struct slice *field)
{
	size_t at = slice_find(*rest, '=');

	if (at == 0 || at == rest->size)
		return false;
	*field = slice_first(*rest, at);
	*rest = slice_after(*rest, at + 1);
	return true;
}

/* The first field of SRS1 is whoever's wrote it; ours has TT at its end. */
static void
split_mac(struct srs_tag *tag)
{
	size_t n = tag->mac.size;

	tag->day = SLICE("");
	if (n <= DAY_DIGITS)
		return;
	tag->day = slice_after(tag->mac, n - DAY_DIGITS);
	tag->mac.size -= DAY_DIGITS;
}

bool
srs_parse(struct slice local, struct srs_tag *tag)
{
	struct slice rest;

	*tag = (struct srs_tag){ 0 };
	if (local.size <= PREFIX_SIZE || !is_separator(local.data[4]))
		return false;
	tag->is_chain = slice_starts_nocase(local, SLICE("SRS1"));
	if (!tag->is_chain && !slice_starts_nocase(local, SLICE("SRS0")))
		return false;
	rest = slice_after(local, PREFIX_SIZE);
	if (!take_field(&rest, &tag->mac) ||
	    (!tag->is_chain && !take_field(&rest, &tag->day)) ||
	    !take_field(&rest, &tag->domain) || rest.size == 0)
		return false;
	tag->local = rest;
	if (!tag->is_chain)
		return true;
	split_mac(tag);
	return rest.size > 1 && is_separator(*rest.data);
}

/* ---- days ---- */

static void
write_day(char to[DAY_DIGITS + 1], uint32_t day)
{
	unsigned number = day / SRS_STEP_DAYS * SRS_STEP_DAYS % DAYS;

	to[0] = digits[number >> 5];
	to[1] = digits[number & 31];
	to[2] = '\0';
}

static int
digit_value(char c)
{
	const char *at = c != '\0' ? strchr(digits, is_alpha(c) ?
	    to_lower(c) - 'a' + 'A' : c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static bool
read_day(struct slice text, unsigned *number)
{
	int high, low;

	if (text.size != DAY_DIGITS)
		return false;
	high = digit_value(text.data[0]);
	low = digit_value(text.data[1]);
	*number = (unsigned)(high * 32 + low);
	return high >= 0 && low >= 0;
}

/* Half of the circle lies ahead, half behind. */
static bool
is_in_time(unsigned number, uint32_t day, unsigned life_days)
{
	int age = (int)((day % DAYS + DAYS - number) % DAYS);

	if (age >= DAYS / 2)
		age -= DAYS;
	return age >= -DAYS_AHEAD &&
	    age < (int)life_days + SRS_STEP_DAYS;
}

/* ---- the MAC ---- */

/* What it is over: kind, authentication, TT, domain, local part. */
static int
write_source(struct buf *source, const struct srs_tag *tag, bool is_good)
{
	int error = buf_printf(source, "SRS%d\n%s\n%.*s\n%.*s\n",
	    tag->is_chain, is_good ? "authenticated" : "not",
	    (int)tag->day.size, tag->day.data, (int)tag->domain.size,
	    tag->domain.data);

	if (error == 0)
		error = buf_append_slice(source, tag->local);
	for (size_t i = 0; error == 0 && i < source->size; i++)
		source->data[i] = to_lower(source->data[i]);
	return error;
}

static bool
make_mac(char to[MAC_DIGITS + 1], const struct srs_tag *tag, bool is_good,
    const uint8_t *secret)
{
	struct buf source = { 0 };
	uint8_t mac[MAC_SIZE];
	uint32_t bits;
	int error = write_source(&source, tag, is_good);

	if (error == 0)
		error = mac_compute(mac, secret, source.data, source.size);
	buf_free(&source);
	if (error)
		return false;
	bits = (uint32_t)big_endian_get(mac, 4);
	for (size_t i = 0; i < MAC_DIGITS; i++, bits <<= 5)
		to[i] = digits[bits >> 27];
	to[MAC_DIGITS] = '\0';
	return true;
}

static bool
is_mac(const struct srs_tag *tag, bool is_good, const uint8_t *secret)
{
	char want[MAC_DIGITS + 1], got[MAC_DIGITS];

	if (tag->mac.size != MAC_DIGITS ||
	    !make_mac(want, tag, is_good, secret))
		return false;
	for (size_t i = 0; i < MAC_DIGITS; i++)
		got[i] = is_alpha(tag->mac.data[i]) ? (char)(to_lower(
		    tag->mac.data[i]) - 'a' + 'A') : tag->mac.data[i];
	return CRYPTO_memcmp(want, got, MAC_DIGITS) == 0;
}

/* ---- make ---- */

/* Whom a bounce is for. */
static bool
write_plain(char *plain, const struct srs_tag *tag)
{
	char local[ADDRESS_LONG_LOCAL_MAX + 1];
	struct address a;

	snprintf(local, sizeof local, "%s%.*s", tag->is_chain ? "SRS0" : "",
	    (int)tag->local.size, tag->local.data);
	if (address_write(plain, ADDRESS_TEXT_MAX + 1, slice_of(local),
	    tag->domain) && address_parse(&a, slice_of(plain),
	    ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK)
		return true;
	*plain = '\0';
	return false;
}

/*
 * Of another forwarder, or of somebody whose address only looks like it:
 * whoever was the first stays, and is bounced to.
 */
static bool
is_chain(struct srs_tag *tag, struct slice local, struct slice domain)
{
	char plain[ADDRESS_TEXT_MAX + 1];
	struct srs_tag old;

	if (!srs_parse(local, &old))
		return false;
	tag->is_chain = true;
	tag->domain = old.is_chain ? old.domain : domain;
	tag->local = old.is_chain ? old.local :
	    slice_after(local, PREFIX_SIZE - 1);
	return write_plain(plain, tag);
}

bool
srs_make(char *to, const struct srs_sender *sender, struct slice domain,
    const struct srs_keys *keys, uint32_t day)
{
	const struct slice own = slice_of(sender->address->domain);
	const struct slice local = slice_of(sender->address->local);
	char text[ADDRESS_LONG_LOCAL_MAX + 1], mac[MAC_DIGITS + 1];
	char days[DAY_DIGITS + 1];
	struct srs_tag tag;
	int n;

	*to = '\0';
	if (keys->n == 0 || own.size == 0 || local.size == 0)
		return false;
	if (!is_chain(&tag, local, own))
		tag = (struct srs_tag){ .domain = own, .local = local };
	write_day(days, day);
	tag.day = slice_of(days);
	if (!make_mac(mac, &tag, sender->is_authenticated, keys->secrets[0]))
		return false;
	n = snprintf(text, sizeof text, "SRS%d=%s%s%s=%.*s=%.*s",
	    tag.is_chain, mac, tag.is_chain ? "" : "=", days,
	    (int)tag.domain.size, tag.domain.data, (int)tag.local.size,
	    tag.local.data);
	return n > 0 && (size_t)n < sizeof text && address_write(to,
	    ADDRESS_TEXT_MAX + 1, slice_of(text), domain);
}

/* ---- check ---- */

enum srs_result
srs_check(char *plain, const struct address *a, const struct srs_keys *keys,
    uint32_t day, unsigned life_days)
{
	bool is_good = false, is_ours = false;
	struct srs_tag tag;
	unsigned number;

	*plain = '\0';
	if (!srs_parse(slice_of(a->local), &tag))
		return SRS_NONE;
	if (!read_day(tag.day, &number))
		return SRS_WRONG;
	for (size_t i = 0; i < keys->n; i++) {
		is_good |= is_mac(&tag, true, keys->secrets[i]);
		is_ours |= is_mac(&tag, false, keys->secrets[i]);
	}
	if ((!is_good && !is_ours) || !write_plain(plain, &tag))
		return SRS_WRONG;
	if (!is_in_time(number, day, life_days))
		return SRS_EXPIRED;
	return is_good ? SRS_VALID : SRS_UNAUTHENTICATED;
}
