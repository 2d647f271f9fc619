/* SPDX-License-Identifier: ISC */
/*
 * address_domain.c - the domain of an address; see address.h.
 */
#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>
#include "address.h"
#include "octets.h"
#include "utf8.h"

#define LABEL_MAX 63			/* RFC 1035 2.3.4 */

/*
 * Lower-case one label at the front of s. Its size; 0 if it is none. RFC
 * 5321 has letters, digits and hyphens; DNS has names with underscores, and
 * people who send from them.
 */
static size_t
copy_label(char *to, struct slice s)
{
	size_t i;

	for (i = 0; i < s.size && s.data[i] != '.'; i++) {
		if (!is_alnum(s.data[i]) && s.data[i] != '-' &&
		    s.data[i] != '_')
			return 0;
		to[i] = to_lower(s.data[i]);
	}
	if (i == 0 || i > LABEL_MAX || to[0] == '-' || to[i - 1] == '-')
		return 0;
	return i;
}

/* to has room: text is at most ADDRESS_DOMAIN_MAX octets. */
static enum address_result
parse_ascii(char *to, struct slice text)
{
	char *at = to;

	for (;;) {
		size_t n = copy_label(at, text);

		if (n == 0)
			return ADDRESS_BAD_DOMAIN;
		at += n;
		text = slice_after(text, n);
		if (text.size == 0)
			break;
		*at++ = '.';
		text = slice_after(text, 1);
	}
	*at = '\0';
	return ADDRESS_OK;
}

static enum address_result
idn_error(int error)
{
	switch (error) {
	case IDN2_MALLOC:
		return ADDRESS_NO_MEMORY;
	case IDN2_TOO_BIG_DOMAIN:
		return ADDRESS_DOMAIN_TOO_LONG;
	default:
		return ADDRESS_BAD_DOMAIN;
	}
}

/*
 * What UTS #46 maps to ASCII is looked at again: a full-width solidus must
 * not become a path.
 */
static enum address_result
parse_idn(char *to, struct slice text)
{
	char given[ADDRESS_DOMAIN_MAX + 1];
	enum address_result result;
	uint8_t *ascii = NULL;
	struct slice out;
	int error;

	if (!slice_copy(given, sizeof(given), text))
		return ADDRESS_DOMAIN_TOO_LONG;
	error = idn2_lookup_u8((const uint8_t *)given, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (error != IDN2_OK)
		return idn_error(error);
	out = slice_of((const char *)ascii);
	result = out.size > ADDRESS_DOMAIN_MAX ? ADDRESS_DOMAIN_TOO_LONG :
	    parse_ascii(to, out);
	idn2_free(ascii);
	return result;
}

/* RFC 5321 4.1.3; written back in one form so that it can be compared. */
static enum address_result
parse_literal(char *to, struct slice text)
{
	static const struct slice tag = { "IPv6:", 5 };
	char given[INET6_ADDRSTRLEN], written[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];
	struct slice inner;
	int family = AF_INET;

	if (text.size < 3 || text.data[text.size - 1] != ']')
		return ADDRESS_BAD_LITERAL;
	inner = (struct slice){ text.data + 1, text.size - 2 };
	if (slice_starts_nocase(inner, tag)) {
		inner = slice_after(inner, tag.size);
		family = AF_INET6;
	}
	if (slice_has_control(inner) ||
	    !slice_copy(given, sizeof(given), inner) ||
	    inet_pton(family, given, address) != 1 ||
	    inet_ntop(family, address, written, sizeof(written)) == NULL)
		return ADDRESS_BAD_LITERAL;
	snprintf(to, ADDRESS_DOMAIN_MAX + 1, "[%s%s]",
	    family == AF_INET6 ? "ipv6:" : "", written);
	return ADDRESS_OK;
}

static enum address_result
parse_domain(char *to, struct slice text, unsigned allow)
{
	if (text.size > ADDRESS_DOMAIN_MAX)
		return ADDRESS_DOMAIN_TOO_LONG;
	if (text.size > 0 && text.data[0] == '[')
		return parse_literal(to, text);
	if (utf8_is_ascii(text))
		return parse_ascii(to, text);
	if (!utf8_is_valid(text) || slice_has_control(text))
		return ADDRESS_BAD_UTF8;
	if (!(allow & ADDRESS_ALLOW_UTF8))
		return ADDRESS_IS_UTF8;
	return parse_idn(to, text);
}

enum address_result
address_parse_domain(char *to, struct slice text, unsigned allow)
{
	enum address_result result = parse_domain(to, text, allow);

	if (result != ADDRESS_OK)
		*to = '\0';
	return result;
}
