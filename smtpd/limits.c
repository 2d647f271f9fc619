/* SPDX-License-Identifier: ISC */
/*
 * See limits.h. Clients are kept in one hash table with chains; those that
 * have no session and nothing held against them go when their chain is next
 * walked, so the table holds no more than came in the last hour.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "clock.h"
#include "limits.h"

#define N_CHAINS 16384
#define CLIENTS_MAX 262144
#define HOUR_US (3600 * (int64_t)1000000)
#define RESERVE_STEP 65536
#define MEMORY_MIN (256u << 20)

struct client {
	struct client *next;
	uint8_t address[16];		/* IPv4: mapped; IPv6: a /64 */
	uint32_t bucket, who;		/* in the scoreboard */
	unsigned n_sessions;
	uint64_t memory_bytes;
	/* unknown recipients, since window_us */
	int64_t window_us, harvester_until_us;
	unsigned n_unknown, n_recipients;
	/* messages, since hour_us */
	int64_t hour_us;
	unsigned n_messages;
};

struct limits {
	struct limits_setup setup;
	uint64_t seed;
	unsigned n_clients;
	int64_t counters[SCOREBOARD_COUNTERS];	/* without a scoreboard */
	struct client *chains[N_CHAINS];
};

struct limits *
limits_new(const struct limits_setup *setup)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (limits == NULL)
		return NULL;
	limits->setup = *setup;
	/* Which clients share a chain must not be known from outside. */
	if (getrandom(&limits->seed, sizeof(limits->seed), 0) < 0)
		limits->seed = (uint64_t)clock_monotonic_us();
	return limits;
}

void
limits_free(struct limits **limitsp)
{
	struct limits *limits = *limitsp;
	struct client *client;
	size_t i;

	*limitsp = NULL;
	for (i = 0; limits != NULL && i < N_CHAINS; i++) {
		while ((client = limits->chains[i]) != NULL) {
			limits->chains[i] = client->next;
			free(client);
		}
	}
	free(limits);
}

uint64_t
limits_memory_bytes(const struct config *config)
{
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
	uint64_t eighth = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 8;

	if (config->memory_messages_bytes != 0)
		return config->memory_messages_bytes;
	return eighth < MEMORY_MIN ? MEMORY_MIN : eighth;
}

void
limits_count(struct limits *limits, enum scoreboard_counter counter,
    int64_t delta)
{
	if (limits->setup.own != NULL)
		scoreboard_add(limits->setup.own, counter, delta);
	else
		limits->counters[counter] += delta;
}

static uint64_t
limits_sum(const struct limits *limits, enum scoreboard_counter counter)
{
	if (limits->setup.own == NULL)
		return (uint64_t)limits->counters[counter];
	return scoreboards_sum(*limits->setup.others, limits->setup.own,
	    counter);
}

/* ---- clients ---- */

/* IPv4 as ::ffff:a.b.c.d, of IPv6 the first half. */
static void
address_key(uint8_t key[16], const char *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(key, 0, 16);
	if (inet_pton(AF_INET, ip, key + 12) == 1)
		memcpy(key, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, ip, key) == 1)
		memset(key + 8, 0, 8);
}

void
limits_network(char to[LIMITS_NETWORK_SIZE], const char *ip)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t key[16];

	if (strchr(ip, ':') == NULL) {
		snprintf(to, LIMITS_NETWORK_SIZE, "%.45s/32", ip);
		return;
	}
	address_key(key, ip);
	if (inet_ntop(AF_INET6, key, text, sizeof(text)) == NULL)
		text[0] = '\0';
	snprintf(to, LIMITS_NETWORK_SIZE, "%s/64", text);
}

static size_t
chain_of(const struct limits *limits, const uint8_t key[16])
{
	uint64_t a, b, hash;

	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	hash = (a ^ limits->seed) * 0x9e3779b97f4a7c15u;
	hash = (hash ^ (hash >> 29) ^ b) * 0xbf58476d1ce4e5b9u;
	return (hash >> 40) % N_CHAINS;
}

static bool
client_is_over(const struct client *client, int64_t now_us)
{
	return client->n_sessions == 0 &&
	    now_us >= client->harvester_until_us &&
	    now_us - client->window_us >= LIMITS_HARVEST_US &&
	    now_us - client->hour_us >= HOUR_US;
}

static struct client *
client_find(struct limits *limits, const uint8_t key[16], int64_t now_us)
{
	struct client **at = &limits->chains[chain_of(limits, key)];
	struct client *client;

	while ((client = *at) != NULL) {
		if (memcmp(client->address, key, 16) == 0)
			return client;
		if (client_is_over(client, now_us)) {
			*at = client->next;
			free(client);
			limits->n_clients--;
		} else {
			at = &client->next;
		}
	}
	return NULL;
}

static struct client *
client_make(struct limits *limits, const uint8_t key[16])
{
	struct client **chain = &limits->chains[chain_of(limits, key)];
	struct client *client;

	if (limits->n_clients >= CLIENTS_MAX)
		return NULL;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	memcpy(client->address, key, 16);
	if (limits->setup.own != NULL) {
		client->bucket = scoreboard_client_bucket(limits->setup.own,
		    key, 16);
		client->who = scoreboard_client_who(limits->setup.own, key,
		    16);
	}
	client->hour_us = -HOUR_US;
	client->window_us = -LIMITS_HARVEST_US;
	client->next = *chain;
	*chain = client;
	limits->n_clients++;
	return client;
}

/* ---- sessions ---- */

static uint64_t
client_n_sessions(const struct limits *limits, const struct client *client)
{
	if (limits->setup.own == NULL)
		return client->n_sessions;
	return scoreboards_client_sum(*limits->setup.others,
	    limits->setup.own, client->bucket);
}

static bool
has_room(const struct limits *limits, const struct client *client)
{
	const struct config_limits *most = &limits->setup.config->limits;

	if (most->sessions != 0 &&
	    limits_sum(limits, SCOREBOARD_SESSIONS_NOW) >= most->sessions)
		return false;
	return client == NULL || most->sessions_per_client == 0 ||
	    client_n_sessions(limits, client) < most->sessions_per_client;
}

enum reply_name
limits_admit(struct limits *limits, const char *ip, struct client **clientp)
{
	struct client *client;
	uint8_t key[16];

	address_key(key, ip);
	client = client_find(limits, key, clock_monotonic_us());
	if (client == NULL)
		client = client_make(limits, key);
	*clientp = NULL;
	if (!has_room(limits, client)) {
		limits_count(limits, SCOREBOARD_SESSIONS_REFUSED, 1);
		return REPLY_TOO_MANY_SESSIONS;
	}
	limits_count(limits, SCOREBOARD_SESSIONS_NOW, 1);
	limits_count(limits, SCOREBOARD_SESSIONS_TOTAL, 1);
	*clientp = client;
	if (client == NULL)
		return REPLY_COUNT;
	client->n_sessions++;
	if (limits->setup.own != NULL)
		scoreboard_client_add(limits->setup.own, client->bucket, 1);
	return REPLY_COUNT;
}

void
limits_leave(struct limits *limits, struct client **clientp)
{
	struct client *client = *clientp;

	*clientp = NULL;
	limits_count(limits, SCOREBOARD_SESSIONS_NOW, -1);
	if (client == NULL)
		return;
	client->n_sessions--;
	if (limits->setup.own != NULL)
		scoreboard_client_add(limits->setup.own, client->bucket, -1);
}

/* ---- messages and their memory ---- */

bool
limits_allow_mail(struct limits *limits, struct client *client)
{
	unsigned most = limits->setup.config->limits.messages_per_client;
	int64_t now_us;

	if (most == 0 || client == NULL)
		return true;
	now_us = clock_monotonic_us();
	if (now_us - client->hour_us >= HOUR_US) {
		client->hour_us = now_us;
		client->n_messages = 0;
	}
	if (client->n_messages >= most)
		return false;
	client->n_messages++;
	return true;
}

bool
limits_reserve(struct limits *limits, struct client *client, uint64_t *held,
    uint64_t wanted)
{
	uint64_t most = limits->setup.memory_bytes, used, more;

	if (wanted <= *held)
		return true;
	if (most != 0 && wanted > most)
		return false;
	wanted = (wanted + RESERVE_STEP - 1) / RESERVE_STEP * RESERVE_STEP;
	more = wanted - *held;
	used = limits_sum(limits, SCOREBOARD_MEMORY_MESSAGES_BYTES);
	if (most != 0 && (used + more > most || (client != NULL &&
	    client->memory_bytes + more > most / 4))) {
		limits_count(limits, SCOREBOARD_MEMORY_REFUSED, 1);
		return false;
	}
	limits_count(limits, SCOREBOARD_MEMORY_MESSAGES_BYTES, (int64_t)more);
	if (client != NULL)
		client->memory_bytes += more;
	*held = wanted;
	return true;
}

void
limits_unreserve(struct limits *limits, struct client *client, uint64_t *held)
{
	if (*held == 0)
		return;
	limits_count(limits, SCOREBOARD_MEMORY_MESSAGES_BYTES,
	    -(int64_t)*held);
	if (client != NULL)
		client->memory_bytes -= *held;
	*held = 0;
}

/* ---- address harvesting ---- */

bool
limits_note_recipient(struct limits *limits, struct client *client,
    bool is_unknown)
{
	unsigned most = limits->setup.config->limits.unknown_recipients;
	int64_t now_us;

	if (most == 0 || client == NULL)
		return false;
	now_us = clock_monotonic_us();
	if (now_us - client->window_us >= LIMITS_HARVEST_US) {
		client->window_us = now_us;
		client->n_unknown = client->n_recipients = 0;
	}
	client->n_recipients++;
	client->n_unknown += is_unknown;
	if (!is_unknown || client->n_unknown <= most ||
	    client->n_unknown * 2 <= client->n_recipients)
		return false;
	client->harvester_until_us = now_us + LIMITS_HARVEST_US;
	if (limits->setup.own != NULL)
		scoreboard_client_mark(limits->setup.own, client->bucket,
		    client->who, (uint32_t)(client->harvester_until_us /
		    1000000));
	return true;
}

bool
limits_is_harvester(const struct limits *limits, const struct client *client)
{
	int64_t now_us;

	if (client == NULL || limits->setup.config->limits.unknown_recipients
	    == 0)
		return false;
	now_us = clock_monotonic_us();
	if (now_us < client->harvester_until_us)
		return true;
	return limits->setup.own != NULL && now_us / 1000000 <
	    scoreboards_client_marked(*limits->setup.others,
	    limits->setup.own, client->bucket, client->who);
}
