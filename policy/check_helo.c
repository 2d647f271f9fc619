/* SPDX-License-Identifier: ISC */
/*
 * check_helo.c - is the name in HELO or EHLO one that a mail server has?
 *
 * RFC 5321 4.1.4 wants a primary host name or an address literal, and
 * forbids to refuse because it does not match the address; so this looks at
 * the name alone, and marks unless it is told to refuse.
 */
#include <arpa/inet.h>
#include <string.h>
#include "check.h"

/* Whether text is an address, in its binary form (IPv4 as mapped). */
static bool
read_address(struct slice text, uint8_t octets[16])
{
	static const struct slice tag = SLICE("IPv6:");
	char copy[INET6_ADDRSTRLEN];

	if (slice_starts_nocase(text, tag)) {
		text.data += tag.size;
		text.size -= tag.size;
	}
	if (!slice_copy(copy, sizeof copy, text))
		return false;
	memset(octets, 0, 16);
	octets[10] = octets[11] = 0xff;
	return inet_pton(AF_INET, copy, octets + 12) == 1 ||
	    inet_pton(AF_INET6, copy, octets) == 1;
}

static bool
is_loopback(const uint8_t octets[16])
{
	static const uint8_t v4[13] = { [10] = 0xff, 0xff, 127 };
	static const uint8_t v6[16] = { [15] = 1 };

	return memcmp(octets, v4, 13) == 0 || memcmp(octets, v6, 16) == 0;
}

/* RFC 5321 4.1.2: letters, digits, hyphens within, labels, a dot. */
static bool
is_host_name(struct slice name, bool *has_dot)
{
	char last = '.';

	*has_dot = false;
	if (name.size == 0 || name.size > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.size; last = name.data[i++]) {
		char c = name.data[i];
		bool is_letter = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (c == '.' && (last == '.' || last == '-'))
			return false;
		if (c == '-' && last == '.')
			return false;
		if (!is_letter && c != '.' && c != '-')
			return false;
		*has_dot = *has_dot || c == '.';
	}
	return last != '.' && last != '-';
}

static enum check_said
judge_address(struct check *c, struct slice literal, const uint8_t *client)
{
	uint8_t octets[16];

	if (read_address(literal, octets) && memcmp(octets, client, 16) == 0)
		return check_good(c, "%.*s is its own address",
		    (int)literal.size, literal.data);
	return check_bad(c, 550, 7, 1, "HELO names an address that is not "
	    "yours");
}

static enum check_said
judge_name(struct check *c, struct slice helo, bool is_local)
{
	bool has_dot;

	if (!is_host_name(helo, &has_dot))
		return check_bad(c, 550, 7, 1, "HELO is not a host name");
	if (!has_dot && !is_local)
		return check_bad(c, 550, 7, 1, "HELO needs a complete domain "
		    "name");
	if (!is_local && (slice_equals_nocase(helo,
	    check_told(c, FACT_HOST)) ||
	    config_find_domain(c->config, helo) != NULL))
		return check_bad(c, 550, 7, 1, "HELO says our own name");
	return check_good(c, "%.*s", (int)(helo.size > 255 ? 255 : helo.size),
	    helo.data);
}

enum check_said
check_helo(struct check *c)
{
	struct slice helo = check_told(c, FACT_HELO);
	uint8_t client[16], octets[16];

	if (!read_address(check_told(c, FACT_CLIENT_IP), client))
		return SAID_NOTHING;
	if (helo.size > 2 && *helo.data == '[' &&
	    helo.data[helo.size - 1] == ']')
		return judge_address(c, (struct slice){ helo.data + 1,
		    helo.size - 2 }, client);
	if (read_address(helo, octets))
		return judge_address(c, helo, client);
	return judge_name(c, helo, is_loopback(client));
}
