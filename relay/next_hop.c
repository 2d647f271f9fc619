/* SPDX-License-Identifier: ISC */
/*
 * next_hop.c - see next_hop.h.
 */
#include <string.h>
#include "buf.h"
#include "next_hop.h"

static struct slice
after(struct slice s, size_t n)
{
	return (struct slice){ s.data + n, s.size - n };
}

bool
next_hop_is_named(const char *destination)
{
	struct slice s = slice_of(destination);

	return slice_starts_nocase(s, SLICE("smtp:")) ||
	    slice_starts_nocase(s, SLICE("lmtp:"));
}

/* "[host]:port", "host:port", "host". */
static bool
split_host(struct slice s, struct next_hop *hop)
{
	unsigned long long number = hop->port;
	struct slice host;
	size_t end;

	if (s.size > 0 && *s.data == '[') {
		end = slice_find(s, ']');
		if (end == s.size)
			return false;
		host = (struct slice){ s.data + 1, end - 1 };
		s = after(s, end + 1);
	} else {
		end = slice_find(s, ':');
		host = (struct slice){ s.data, end };
		s = after(s, end);
	}
	if (s.size > 0 && (*s.data != ':' ||
	    !slice_number(after(s, 1), 65535, &number)))
		return false;
	hop->port = (uint16_t)number;
	return host.size > 0 && dns_name(hop->name, host);
}

bool
next_hop_split(const char *destination, struct next_hop *hop)
{
	struct slice s = slice_of(destination);

	memset(hop, 0, sizeof *hop);
	if (!next_hop_is_named(destination))
		return false;
	hop->is_lmtp = slice_starts_nocase(s, SLICE("lmtp:"));
	s = after(s, 5);
	hop->is_unix = hop->is_lmtp && slice_starts_nocase(s,
	    SLICE("unix:"));
	if (hop->is_unix) {
		s = after(s, 5);
		return s.size > 0 && *s.data == '/' &&
		    slice_copy(hop->name, sizeof hop->name, s);
	}
	hop->port = hop->is_lmtp ? NEXT_HOP_LMTP_PORT : NEXT_HOP_SMTP_PORT;
	return split_host(s, hop);
}
