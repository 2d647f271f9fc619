/* SPDX-License-Identifier: ISC */
/*
 * smart_host.c - see smart_host.h.
 */
#include "buf.h"
#include "smart_host.h"

bool
smart_host_split(const char *text, char name[DNS_NAME_MAX + 1],
    uint16_t *port)
{
	struct slice s = slice_of(text), host;
	unsigned long long number = 25;
	size_t end;

	if (!slice_starts_nocase(s, SLICE("smtp:")))
		return false;
	s = (struct slice){ s.data + 5, s.size - 5 };
	if (s.size > 0 && *s.data == '[') {
		end = slice_find(s, ']');
		if (end == s.size)
			return false;
		host = (struct slice){ s.data + 1, end - 1 };
		s = (struct slice){ s.data + end + 1, s.size - end - 1 };
	} else {
		end = slice_find(s, ':');
		host = (struct slice){ s.data, end };
		s = (struct slice){ s.data + end, s.size - end };
	}
	if (s.size > 0 && (*s.data != ':' || !slice_number((struct slice){
	    s.data + 1, s.size - 1 }, 65535, &number)))
		return false;
	*port = (uint16_t)number;
	return host.size > 0 && dns_name(name, host);
}
