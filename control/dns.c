/* SPDX-License-Identifier: ISC */
/*
 * dns.c - `posternctl dns NAME TYPE`: what resolver says of a name.
 *
 * What stands in records is the owner's of a zone: each octet that a
 * terminal should not see is printed as \DDD (RFC 1035 5.1).
 */
#include <arpa/inet.h>
#include "ask.h"
#include "clock.h"
#include "requests.h"

static const struct { struct slice word; enum dns_type type; } types[] = {
	{ { "A", 1 }, DNS_A }, { { "AAAA", 4 }, DNS_AAAA },
	{ { "MX", 2 }, DNS_MX }, { { "TXT", 3 }, DNS_TXT },
	{ { "PTR", 3 }, DNS_PTR }, { { "TLSA", 4 }, DNS_TLSA },
};

static bool
type_of(struct slice word, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (slice_equals_nocase(word, types[i].word)) {
			*type = types[i].type;
			return true;
		}
	return false;
}

/* ---- records ---- */

static void
put_shown(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			buf_printf(out, "\\%03u", c);
		else
			buf_append(out, &c, 1);
	}
}

static void
put_address(struct buf *out, int family, struct slice data)
{
	char text[INET6_ADDRSTRLEN];

	if (data.size == (family == AF_INET ? 4 : 16) &&
	    inet_ntop(family, data.data, text, sizeof text) != NULL)
		buf_puts(out, text);
}

static void
put_mx(struct buf *out, struct slice data)
{
	uint16_t preference;
	struct slice host;

	if (!dns_mx(data, &preference, &host))
		return;
	buf_printf(out, "%u ", preference);
	put_shown(out, host.size > 0 ? host : SLICE("."));
}

static void
put_tlsa(struct buf *out, struct slice data)
{
	for (size_t i = 0; i < data.size; i++)
		buf_printf(out, i < 3 ? "%u " : "%02x",
		    (unsigned char)data.data[i]);
}

static void
put_record(struct buf *out, enum dns_type type, struct slice data)
{
	switch (type) {
	case DNS_A:
		put_address(out, AF_INET, data);
		break;
	case DNS_AAAA:
		put_address(out, AF_INET6, data);
		break;
	case DNS_MX:
		put_mx(out, data);
		break;
	case DNS_TLSA:
		put_tlsa(out, data);
		break;
	case DNS_TXT:
		buf_puts(out, "\"");
		put_shown(out, data);
		buf_puts(out, "\"");
		break;
	case DNS_PTR:
	case DNS_CNAME:
		put_shown(out, data);
		break;
	}
	buf_puts(out, "\n");
}

/* ---- the answer ---- */

static const char *const status_words[] = {
	[DNS_OK] = "ok", [DNS_NO_DATA] = "no such record",
	[DNS_NO_NAME] = "no such name", [DNS_FAILED] = "no answer",
};

static void
say_answer(struct client *client, const struct dns_answer *a)
{
	struct buf *out = &client->out;
	int64_t took_us = clock_monotonic_us() - client->asked_us;
	enum dns_type type = DNS_A;

	(void)type_of(client->words[2], &type);
	buf_printf(out, "%s, %s, %zu record%s%s, ttl %u s, %lld.%03lld ms\n",
	    status_words[a->status], a->is_secure ? "secure" : "not secure",
	    a->n_records, a->n_records == 1 ? "" : "s", a->is_cut ?
	    " and more" : "", a->ttl_s, (long long)(took_us / 1000),
	    (long long)(took_us % 1000));
	for (size_t i = 0; i < a->n_records; i++)
		put_record(out, type, a->records[i].data);
	client_answer(client, a->status == DNS_OK ? CONTROL_OK :
	    a->status == DNS_FAILED ? CONTROL_TRY_LATER : CONTROL_FAILED);
}

static void
dns_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	static struct dns_answer a;	/* large */
	struct client *client = arg;
	struct slice text = { NULL, 0 };

	(void)ch;
	if (client_is_answered(client, answer, DNS_ANSWER))
		text = ipc_get_slice(&answer->body);
	if (text.size == 0 || !ipc_reader_is_done(&answer->body) ||
	    !get_dns_answer(text, &a))
		client_silent(client, "The resolver");
	else
		say_answer(client, &a);
}

/* An address stands for its reverse name. */
static bool
name_of(char name[DNS_NAME_MAX + 1], struct slice word, enum dns_type type)
{
	char address[INET6_ADDRSTRLEN];

	if (type == DNS_PTR && slice_copy(address, sizeof address, word) &&
	    dns_reverse_name(name, address))
		return true;
	return dns_name(name, word);
}

void
request_dns(struct client *client)
{
	char name[DNS_NAME_MAX + 1];
	struct dns_ask q = { .network = SLICE("") };
	struct ipc_writer w;

	if (!type_of(client->words[2], &q.type)) {
		client_say(client, CONTROL_USAGE, "TYPE is A, AAAA, MX, TXT, "
		    "PTR or TLSA.");
		return;
	}
	if (!name_of(name, client->words[1], q.type)) {
		client_say(client, CONTROL_USAGE, "\"%.*s\" is not a domain "
		    "name.", (int)client->words[1].size,
		    client->words[1].data);
		return;
	}
	q.name = slice_of(name);
	ipc_writer_init(&w);
	put_dns_ask(&w, &q);
	client->asked_us = clock_monotonic_us();
	client_ask(client, client->control->resolver, "The resolver",
	    DNS_ASK, &w, dns_answered);
}
