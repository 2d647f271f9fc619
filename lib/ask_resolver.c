/* SPDX-License-Identifier: ISC */
/*
 * ask_resolver.c - questions to resolver; see ask.h.
 */
#include "ask.h"

static bool
is_dns_type(uint16_t type)
{
	return type == DNS_A || type == DNS_PTR || type == DNS_MX ||
	    type == DNS_TXT || type == DNS_AAAA || type == DNS_TLSA ||
	    type == DNS_CNAME;
}

/* What dns_name makes is one: lower case, no final dot, labels 1 to 63. */
static bool
is_dns_name(struct slice name)
{
	size_t label = 0;

	if (name.size == 0)
		return true;
	if (name.size > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];

		if (c == '\0' || (c >= 'A' && c <= 'Z') ||
		    (c == '.' && label == 0))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

void
put_dns_ask(struct ipc_writer *w, const struct dns_ask *q)
{
	ipc_put_u16(w, (uint16_t)q->type);
	ipc_put_slice(w, q->name);
	ipc_put_slice(w, q->network);
}

bool
get_dns_ask(struct ipc_reader *r, struct dns_ask *q)
{
	uint16_t type = ipc_get_u16(r);

	q->type = (enum dns_type)type;
	q->wants_proof = false;
	q->name = ipc_get_slice(r);
	q->network = ipc_get_slice(r);
	if (!is_dns_type(type) || (!r->failed && !is_dns_name(q->name)) ||
	    q->network.size >= ASK_NETWORK_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}
