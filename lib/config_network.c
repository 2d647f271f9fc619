/* SPDX-License-Identifier: ISC */
/*
 * config_network.c - string values that name addresses of the network.
 *
 * See config_text.h. Nothing is looked up: where an address
 * is wanted, a host name is a mistake.
 */
#include <arpa/inet.h>
#include <string.h>
#include "config_lex.h"
#include "config_text.h"

struct address {
	int family;
	unsigned bits;
	unsigned char octets[16];
};

static bool
parse_address(struct slice in, struct address *a)
{
	char text[INET6_ADDRSTRLEN];

	*a = (struct address){ .family = AF_INET, .bits = 32 };
	if (!slice_copy(text, sizeof(text), in) || memchr(in.data, 0, in.size))
		return false;
	if (inet_pton(AF_INET, text, a->octets) == 1)
		return true;
	a->family = AF_INET6;
	a->bits = 128;
	return inet_pton(AF_INET6, text, a->octets) == 1;
}

/* ---- networks ---- */

/* Clear the bits after the first ones; whether any was set. */
static bool
clear_host_bits(struct address *a, unsigned prefix)
{
	bool was_set = false;

	for (unsigned i = prefix; i < a->bits; i++) {
		unsigned char bit = (unsigned char)(0x80 >> (i % 8));

		was_set = was_set || (a->octets[i / 8] & bit);
		a->octets[i / 8] &= (unsigned char)~bit;
	}
	return was_set;
}

static bool
parse_network(struct slice in, struct address *a, unsigned *prefix)
{
	size_t slash = slice_find(in, '/');
	unsigned long long bits;

	if (!parse_address((struct slice){ in.data, slash }, a))
		return false;
	*prefix = a->bits;
	if (slash == in.size)
		return true;
	if (!slice_number(config_text_after(in, slash + 1), a->bits, &bits))
		return false;
	*prefix = (unsigned)bits;
	return true;
}

const char *
config_text_network(struct slice in, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	struct address a;
	unsigned prefix;

	if (!parse_network(in, &a, &prefix))
		return "not an address or network";
	if (!clear_host_bits(&a, prefix))
		return config_text_keep(out, in);
	inet_ntop(a.family, a.octets, text, sizeof(text));
	buf_printf(out, "%s/%u", text, prefix);
	return "network with bits set behind its prefix";
}

bool
config_networks_contain(const struct config_strings *networks,
    const char *address)
{
	struct address wanted, network;
	unsigned prefix;

	if (!parse_address(slice_of(address), &wanted))
		return false;
	for (size_t i = 0; i < networks->n; i++) {
		struct address masked = wanted;

		if (!parse_network(slice_of(networks->items[i]), &network,
		    &prefix) || network.family != wanted.family)
			continue;
		clear_host_bits(&masked, prefix);
		if (memcmp(masked.octets, network.octets, 16) == 0)
			return true;
	}
	return false;
}

/* ---- sockets ---- */

static const char *
socket_path(struct slice in, struct buf *out)
{
	if (in.size > 107)	/* sun_path, unix(7) */
		return "path is too long for a socket";
	return config_text_path(in, out);
}

/* "unix:/path"; starts with unix: already. */
static const char *
socket_endpoint(struct slice in, struct buf *out)
{
	const char *wrong = config_text_keep(out, SLICE("unix:"));

	if (wrong == NULL)
		wrong = socket_path(config_text_after(in, 5), out);
	if (wrong != NULL)
		out->size = 0;
	return wrong;
}

/* Split "HOST:PORT" and "[IPV6]:PORT". */
static const char *
split_port(struct slice in, struct slice *host, unsigned long long *port)
{
	size_t colon = in.size;

	while (colon > 0 && in.data[colon - 1] != ':' &&
	    in.data[colon - 1] != ']')
		colon--;
	if (colon == 0 || in.data[colon - 1] != ':')
		return "port is missing";
	*host = (struct slice){ in.data, colon - 1 };
	if (!slice_number(config_text_after(in, colon), 65535, port) ||
	    *port == 0)
		return "port is not a number from 1 to 65535";
	if (host->size > 1 && host->data[0] == '[' &&
	    host->data[host->size - 1] == ']')
		*host = (struct slice){ host->data + 1, host->size - 2 };
	else if (slice_find(*host, ':') < host->size)
		return "IPv6 address without brackets";
	return NULL;
}

/* Such as ::ffff:127.0.0.1: our sockets of IPv6 do not take IPv4. */
static bool
is_mapped(const struct address *a)
{
	static const unsigned char prefix[12] = { [10] = 0xff, 0xff };

	return a->family == AF_INET6 &&
	    memcmp(a->octets, prefix, sizeof(prefix)) == 0;
}

const char *
config_split_listen(struct slice in, struct slice *host, uint16_t *port)
{
	unsigned long long number = 0;
	const char *wrong = split_port(in, host, &number);
	struct address a;

	*port = (uint16_t)number;
	if (wrong != NULL || slice_equals(*host, SLICE("*")))
		return wrong;
	if (!parse_address(*host, &a))
		return "not an address and port";
	return is_mapped(&a) ? "IPv4 address in the form of IPv6" : NULL;
}

/* What may have been meant by a title that lacks its port or brackets. */
static void
suggest_listen(struct slice in, struct slice host, uint16_t port,
    struct buf *out)
{
	struct address a;

	if (slice_equals(in, SLICE("*")))
		buf_puts(out, "*:25");
	else if (port != 0 && parse_address(host, &a) && is_mapped(&a))
		buf_printf(out, "%u.%u.%u.%u:%u", a.octets[12], a.octets[13],
		    a.octets[14], a.octets[15], port);
	else if (port != 0 && parse_address(host, &a))
		buf_printf(out, "[%.*s]:%u", CONFIG_QUOTE(host), port);
	else if (parse_address(in, &a))
		buf_printf(out, a.family == AF_INET ? "%.*s:25" : "[%.*s]:25",
		    CONFIG_QUOTE(in));
}

/* "*:25", "127.0.0.1:25", "[::1]:25", "unix:/path". */
const char *
config_text_listen(struct slice in, struct buf *out)
{
	struct slice host = { NULL, 0 };
	uint16_t port;
	const char *wrong;

	if (config_text_starts(in, SLICE("unix:")))
		return socket_endpoint(in, out);
	wrong = config_split_listen(in, &host, &port);
	if (wrong == NULL)
		return config_text_keep(out, in);
	suggest_listen(in, host, port, out);
	return wrong;
}

/* The wildcard of the family, or "*", which is both. */
static bool
covers(const char *wildcard, const struct address *a)
{
	static const struct address any;
	struct address w;

	if (strcmp(wildcard, "*") == 0)
		return true;
	return parse_address(slice_of(wildcard), &w) &&
	    w.family == a->family &&
	    (memcmp(w.octets, any.octets, sizeof(w.octets)) == 0 ||
	    memcmp(w.octets, a->octets, sizeof(w.octets)) == 0);
}

bool
config_listens_overlap(const struct config_listen *a,
    const struct config_listen *b)
{
	struct address address;

	if (a->path != NULL && b->path != NULL)
		return strcmp(a->path, b->path) == 0;
	if (a->address == NULL || b->address == NULL || a->port != b->port)
		return false;
	if (strcmp(a->address, "*") == 0 || strcmp(b->address, "*") == 0)
		return true;
	return (parse_address(slice_of(a->address), &address) &&
	    covers(b->address, &address)) ||
	    (parse_address(slice_of(b->address), &address) &&
	    covers(a->address, &address));
}

/* A milter or clamd: "unix:/path" or "inet:PORT@ADDRESS". */
const char *
config_text_endpoint(struct slice in, struct buf *out)
{
	size_t at = slice_find(in, '@');
	unsigned long long port;
	struct address a;

	if (config_text_starts(in, SLICE("unix:")))
		return socket_endpoint(in, out);
	if (!config_text_starts(in, SLICE("inet:")) || at == in.size ||
	    !slice_number((struct slice){ in.data + 5, at - 5 }, 65535,
	    &port) || port == 0 ||
	    !parse_address(config_text_after(in, at + 1), &a))
		return "neither unix: and a path nor inet:PORT@ADDRESS";
	return config_text_keep(out, in);
}

struct slice
config_split_endpoint(struct slice in, uint16_t *port)
{
	size_t at = slice_find(in, '@');
	unsigned long long number;

	*port = 0;
	if (config_text_starts(in, SLICE("unix:")))
		return config_text_after(in, 5);
	if (at < in.size && slice_number((struct slice){ in.data + 5, at - 5 },
	    65535, &number))
		*port = (uint16_t)number;
	return config_text_after(in, at + 1);
}

const char *
config_text_ip(struct slice in, struct buf *out)
{
	struct address a;

	return parse_address(in, &a) ? config_text_keep(out, in) :
	    "not an IP address";
}

/* A name server: an address, or ADDRESS@PORT. */
const char *
config_text_server(struct slice in, struct buf *out)
{
	size_t at = slice_find(in, '@');
	unsigned long long port;
	struct address a;
	struct slice host;

	if (at < in.size && (!slice_number(config_text_after(in, at + 1),
	    65535, &port) || port == 0))
		return "port is not a number from 1 to 65535";
	if (parse_address((struct slice){ in.data, at }, &a))
		return config_text_keep(out, in);
	if (split_port(in, &host, &port) == NULL && parse_address(host, &a))
		buf_printf(out, "%.*s@%llu", CONFIG_QUOTE(host), port);
	return "not an address, or an address, @ and a port";
}

/* "[10.0.0.2]:25", "mail.example.org:25" */
static const char *
check_hop_host(struct slice where, bool is_lmtp)
{
	struct buf unused = { 0 };
	unsigned long long port;
	struct slice host;
	struct address a;
	const char *wrong = split_port(where, &host, &port);

	if (wrong == NULL && !parse_address(host, &a))
		wrong = config_text_domain(host, &unused);
	if (wrong == NULL && is_lmtp && port == 25)
		wrong = "port 25 is not for lmtp: (RFC 2033 5)";
	buf_free(&unused);
	return wrong;
}

/* "lmtp:unix:/path", "smtp:[10.0.0.2]:25", "smtp:mail.example.org:25". */
const char *
config_text_next_hop(struct slice in, struct buf *out)
{
	bool is_lmtp = config_text_starts(in, SLICE("lmtp:"));
	struct buf unused = { 0 };
	struct slice where;
	const char *wrong;

	if (!is_lmtp && !config_text_starts(in, SLICE("smtp:")))
		return "next hop begins with neither smtp: nor lmtp:";
	where = config_text_after(in, 5);
	if (!config_text_starts(where, SLICE("unix:")))
		wrong = check_hop_host(where, is_lmtp);
	else if (!is_lmtp)
		wrong = "a unix socket is for lmtp:";
	else
		wrong = socket_path(config_text_after(where, 5), &unused);
	buf_free(&unused);
	return wrong ? wrong : config_text_keep(out, in);
}
