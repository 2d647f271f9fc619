/* SPDX-License-Identifier: ISC */
/*
 * dns.c - DNS answers in wire form, and names made of addresses; see dns.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "dns.h"
#include "ipc.h"
#include "pack.h"

#define IS_SECURE 1
#define IS_CUT 2
#define IS_UNCHECKED 4
#define IS_ALIAS 8
#define FLAGS (IS_SECURE | IS_CUT | IS_UNCHECKED | IS_ALIAS)
#define LABEL_MAX 63		/* RFC 1035 2.3.4 */

static uint8_t
flags_of(const struct dns_answer *a)
{
	return (uint8_t)((a->is_secure ? IS_SECURE : 0) |
	    (a->is_cut ? IS_CUT : 0) |
	    (a->is_unchecked ? IS_UNCHECKED : 0) |
	    (a->canonical.size > 0 ? IS_ALIAS : 0));
}

int
put_dns_answer(struct buf *to, const struct dns_answer *a)
{
	struct pack p = { .out = to };
	size_t size = to->size, octets = 0;

	if (a->n_records > DNS_RECORDS_MAX)
		return -ENOBUFS;
	pack_u8(&p, (uint8_t)a->status);
	pack_u8(&p, flags_of(a));
	pack_u32(&p, a->ttl_s);
	pack_u16(&p, (uint16_t)a->n_records);
	for (size_t i = 0; i < a->n_records; i++) {
		octets += a->records[i].data.size;
		if (octets > DNS_ANSWER_BYTES_MAX)
			p.error = -ENOBUFS;
		pack_slice(&p, a->records[i].data);
	}
	if (a->canonical.size > 0)
		pack_slice(&p, a->canonical);
	if (p.error)
		to->size = size;
	return p.error;
}

bool
get_dns_answer(struct slice from, struct dns_answer *a)
{
	struct ipc_reader r;
	size_t octets = 0, n;
	uint8_t flags;

	*a = (struct dns_answer){ .status = DNS_FAILED };
	ipc_reader_init(&r, from.data, from.size);
	a->status = ipc_get_u8(&r);
	flags = ipc_get_u8(&r);
	a->is_secure = flags & IS_SECURE;
	a->is_cut = flags & IS_CUT;
	a->is_unchecked = flags & IS_UNCHECKED;
	a->ttl_s = ipc_get_u32(&r);
	a->n_records = 0;
	n = ipc_get_u16(&r);
	if (a->status > DNS_FAILED || (flags & ~FLAGS) ||
	    n > DNS_RECORDS_MAX || (n > 0) != (a->status == DNS_OK))
		r.failed = true;
	while (!r.failed && a->n_records < n) {
		struct slice data = ipc_get_slice(&r);

		octets += data.size;
		a->records[a->n_records++].data = data;
	}
	if (flags & IS_ALIAS) {
		a->canonical = ipc_get_slice(&r);
		if (a->canonical.size == 0 ||
		    a->canonical.size > DNS_NAME_MAX)
			r.failed = true;
	}
	if (ipc_reader_is_done(&r) && octets <= DNS_ANSWER_BYTES_MAX)
		return true;
	a->status = DNS_FAILED;
	a->n_records = 0;
	a->is_secure = a->is_cut = a->is_unchecked = false;
	a->canonical = (struct slice){ NULL, 0 };
	return false;
}

bool
dns_mx(struct slice record, uint16_t *preference, struct slice *host)
{
	if (record.size < 2 || record.size > 2 + DNS_NAME_MAX)
		return false;
	*preference = (uint16_t)((uint8_t)record.data[0] << 8 |
	    (uint8_t)record.data[1]);
	*host = (struct slice){ record.data + 2, record.size - 2 };
	return true;
}

bool
dns_name(char to[DNS_NAME_MAX + 1], struct slice from)
{
	size_t label = 0;

	*to = '\0';
	if (from.size > 0 && from.data[from.size - 1] == '.')
		from.size--;
	if (from.size > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < from.size; i++) {
		char c = from.data[i];

		label = c == '.' ? 0 : label + 1;
		if (c == '\0' || label > LABEL_MAX ||
		    (c == '.' && (i == 0 || from.data[i - 1] == '.')) ||
		    (c == '.' && i + 1 == from.size)) {
			*to = '\0';
			return false;
		}
		to[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	to[from.size] = '\0';
	return true;
}

/* The reversed digits with a final dot; false: no address. */
static bool
put_reversed(char to[DNS_NAME_MAX + 1], const char *ip, bool *is_ipv6)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const char digits[] = "0123456789abcdef";
	uint8_t a[16], *v4 = a;

	*is_ipv6 = inet_pton(AF_INET6, ip, a) == 1;
	if (*is_ipv6 && memcmp(a, mapped, sizeof mapped) == 0) {
		*is_ipv6 = false;
		v4 = a + sizeof mapped;
	} else if (!*is_ipv6 && inet_pton(AF_INET, ip, a) != 1) {
		return false;
	}
	if (!*is_ipv6) {
		snprintf(to, DNS_NAME_MAX + 1, "%u.%u.%u.%u.", v4[3], v4[2],
		    v4[1], v4[0]);
		return true;
	}
	for (size_t i = 0; i < sizeof a; i++) {
		*to++ = digits[a[15 - i] & 15];
		*to++ = '.';
		*to++ = digits[a[15 - i] >> 4];
		*to++ = '.';
	}
	*to = '\0';
	return true;
}

/* The reversed address and what follows it. */
static bool
put_below(char to[DNS_NAME_MAX + 1], const char *ip, const char *zone)
{
	char name[DNS_NAME_MAX + 1], whole[2 * (DNS_NAME_MAX + 1)];
	bool is_ipv6;

	*to = '\0';
	if (!put_reversed(name, ip, &is_ipv6))
		return false;
	if (zone == NULL)
		zone = is_ipv6 ? "ip6.arpa" : "in-addr.arpa";
	if (*zone == '\0' || strlen(zone) > DNS_NAME_MAX)
		return false;
	snprintf(whole, sizeof whole, "%s%s", name, zone);
	return dns_name(to, slice_of(whole));
}

bool
dns_reverse_name(char to[DNS_NAME_MAX + 1], const char *ip)
{
	return put_below(to, ip, NULL);
}

bool
dns_list_name(char to[DNS_NAME_MAX + 1], const char *ip, const char *zone)
{
	return put_below(to, ip, zone);
}
