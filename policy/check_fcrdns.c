/* SPDX-License-Identifier: ISC */
/*
 * check_fcrdns.c - has the client's address a name, and the name that
 * address? (RFC 8601 2.7.3 calls it iprev, RFC 7372 gives it X.7.25.)
 */
#include <arpa/inet.h>
#include <string.h>
#include "check.h"

#define NAMES_MAX 10		/* of one address; more are not looked at */

struct client {
	char ip[INET6_ADDRSTRLEN];
	bool is_ipv6;
	uint8_t octets[16];
	size_t size;
};

static bool
client_read(const struct check *c, struct client *client)
{
	if (!check_client_ip(c, client->ip, sizeof client->ip))
		return false;
	client->is_ipv6 = strchr(client->ip, ':') != NULL;
	client->size = client->is_ipv6 ? 16 : 4;
	return inet_pton(client->is_ipv6 ? AF_INET6 : AF_INET, client->ip,
	    client->octets) == 1;
}

static bool
has_address(const struct dns_answer *a, const struct client *client)
{
	for (size_t i = 0; i < a->n_records; i++)
		if (a->records[i].data.size == client->size &&
		    memcmp(a->records[i].data.data, client->octets,
		    client->size) == 0)
			return true;
	return false;
}

static enum check_said
judge_names(struct check *c, const struct client *client,
    const struct dns_answer *ptr)
{
	enum fact_kind kind = client->is_ipv6 ? FACT_DNS_AAAA : FACT_DNS_A;
	size_t n = ptr->n_records < NAMES_MAX ? ptr->n_records : NAMES_MAX;
	bool is_wanting = false, is_silent = false;

	for (size_t i = 0; i < n; i++) {
		struct slice name = ptr->records[i].data;
		struct dns_answer a;

		if (!facts_dns(c->facts, kind, name, &a)) {
			is_wanting = true;
		} else if (has_address(&a, client)) {
			check_put_result(c, "fcrdns", name);
			return check_good(c, "%s is %.*s", client->ip,
			    (int)name.size, name.data);
		} else if (a.status == DNS_FAILED) {
			is_silent = true;
		}
	}
	if (is_wanting)
		return SAID_WANTS;
	check_note(c, "%s is named %.*s, which %s", client->ip,
	    (int)ptr->records[0].data.size, ptr->records[0].data.data,
	    is_silent ? "cannot be looked up now" : "does not confirm it");
	if (is_silent)
		return check_silent(c, 7, 25, "cannot look up the name of "
		    "your address now, try again later");
	return check_bad(c, 550, 7, 25, "the name of your address %s does "
	    "not lead back to it", client->ip);
}

enum check_said
check_fcrdns(struct check *c)
{
	char name[DNS_NAME_MAX + 1];
	struct client client;
	struct dns_answer ptr;

	if (!client_read(c, &client) || !dns_reverse_name(name, client.ip))
		return SAID_NOTHING;
	if (!facts_dns(c->facts, FACT_DNS_PTR, slice_of(name), &ptr))
		return SAID_WANTS;
	if (ptr.status == DNS_OK)
		return judge_names(c, &client, &ptr);
	check_note(c, "PTR %s: %s", name, ptr.status == DNS_FAILED ?
	    "no answer" : "none");
	if (ptr.status == DNS_FAILED)
		return check_silent(c, 7, 25, "cannot look up the name of "
		    "your address now, try again later");
	return check_bad(c, 550, 7, 25, "your address %s has no name",
	    client.ip);
}
