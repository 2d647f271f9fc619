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
#define MINUTE_US (60 * (int64_t)1000000)
#define HOUR_US (60 * MINUTE_US)
#define RESERVE_STEP 65536
#define CLIENT_SHARE 4		/* one client network holds at most a quarter */

/* What this process has counted since a window of time began. */
struct tally {
	uint32_t window, n;
};

struct client {
	struct client *next;
	uint8_t address[16];		/* IPv4: mapped; IPv6: a /64 */
	struct scoreboard_client board;	/* it, in the scoreboards */
	unsigned n_sessions;
	int64_t harvester_until_us;
	int64_t patient_until_us;
	struct tally tallies[SCOREBOARD_CLIENT_COUNTS];
};

struct limits {
	struct limits_setup setup;
	struct scoreboard *private;	/* ours: nobody gave us one */
	uint64_t seed;
	unsigned n_clients;
	struct client *chains[N_CHAINS];
};

static const int64_t windows_us[SCOREBOARD_CLIENT_COUNTS] = {
	[SCOREBOARD_CLIENT_MESSAGES] = HOUR_US,
	[SCOREBOARD_CLIENT_RECIPIENTS] = LIMITS_HARVEST_US,
	[SCOREBOARD_CLIENT_UNKNOWN] = LIMITS_HARVEST_US,
	[SCOREBOARD_CLIENT_CONNECTS] = MINUTE_US,
	[SCOREBOARD_CLIENT_RCPTS] = HOUR_US,
};

struct limits *
limits_new(const struct limits_setup *setup)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (limits == NULL)
		return NULL;
	limits->setup = *setup;
	if (setup->own == NULL)
		limits->setup.own = limits->private = scoreboard_map_private();
	if (limits->setup.own == NULL) {
		free(limits);
		return NULL;
	}
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
	if (limits == NULL)
		return;
	for (i = 0; i < N_CHAINS; i++) {
		while ((client = limits->chains[i]) != NULL) {
			limits->chains[i] = client->next;
			free(client);
		}
	}
	scoreboard_unmap(&limits->private);
	free(limits);
}

/* Of that, what one client network may hold; UINT64_MAX: any. */
static uint64_t
client_memory_bytes(const struct limits *limits)
{
	uint64_t share = limits->setup.memory_bytes / CLIENT_SHARE;

	return share == 0 ? UINT64_MAX : share / RESERVE_STEP * RESERVE_STEP;
}

uint64_t
limits_message_bytes(const struct limits *limits)
{
	uint64_t most = limits->setup.config->limits.message_bytes;
	uint64_t share = client_memory_bytes(limits);

	if (share != UINT64_MAX && (most == 0 || share < most))
		return share;
	return most;
}

void
limits_count(struct limits *limits, enum scoreboard_counter counter,
    int64_t delta)
{
	scoreboard_add(limits->setup.own, counter, delta);
}

static const struct scoreboards *
limits_others(const struct limits *limits)
{
	return limits->setup.others != NULL ? *limits->setup.others : NULL;
}

static uint64_t
limits_sum(const struct limits *limits, enum scoreboard_counter counter)
{
	return scoreboards_sum(limits_others(limits), limits->setup.own,
	    counter);
}

/* ---- clients ---- */

/* IPv4 as ::ffff:a.b.c.d, of IPv6 the first half; a user of this host. */
static void
address_key(uint8_t key[16], const char *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	unsigned uid;

	memset(key, 0, 16);
	if (sscanf(ip, "uid:%u", &uid) == 1) {
		key[0] = 1;	/* 100::/64 is nobody's (RFC 6666) */
		memcpy(key + 4, &uid, sizeof(uid));
		return;
	}
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

/* From 1 on: 0 is never. */
static uint32_t
window_of(enum scoreboard_client_count count, int64_t now_us)
{
	return (uint32_t)(now_us / windows_us[count]) + 1;
}

static bool
client_is_over(const struct client *client, int64_t now_us)
{
	unsigned i;

	for (i = 0; i < SCOREBOARD_CLIENT_COUNTS; i++)
		if (client->tallies[i].window == window_of(
		    (enum scoreboard_client_count)i, now_us))
			return false;
	return client->n_sessions == 0 &&
	    now_us >= client->harvester_until_us &&
	    now_us >= client->patient_until_us;
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
	client->board = scoreboard_client_of(limits->setup.own, key, 16);
	client->next = *chain;
	*chain = client;
	limits->n_clients++;
	return client;
}

/* ---- room ---- */

static uint64_t
client_sum(const struct limits *limits, const struct client *client,
    enum scoreboard_client_gauge gauge)
{
	return scoreboards_client_sum(limits_others(limits),
	    limits->setup.own, &client->board, gauge);
}

static bool
has_room(const struct limits *limits)
{
	unsigned most = limits->setup.config->limits.sessions;

	return most == 0 ||
	    limits_sum(limits, SCOREBOARD_SESSIONS_NOW) < most;
}

static bool
client_has_room(const struct limits *limits, const struct client *client)
{
	unsigned most = limits->setup.config->limits.sessions_per_client;

	return client == NULL || most == 0 || client_sum(limits, client,
	    SCOREBOARD_CLIENT_SESSIONS) < most;
}

/* ---- what a client has done in a window ---- */

/*
 * This process's count so far. A client that is met anew may have been
 * counted before this process was started: its board has outlived that.
 */
static struct tally *
tally_now(const struct limits *limits, struct client *client,
    enum scoreboard_client_count count, int64_t now_us)
{
	struct tally *tally = &client->tallies[count];
	uint32_t window = window_of(count, now_us);

	if (tally->window != window) {
		tally->window = window;
		tally->n = scoreboard_client_counted(limits->setup.own,
		    &client->board, count, window);
	}
	return tally;
}

/* Over all processes. */
static uint64_t
tally_sum(const struct limits *limits, struct client *client,
    enum scoreboard_client_count count, int64_t now_us)
{
	const struct tally *own = tally_now(limits, client, count, now_us);

	return own->n + scoreboards_client_counted(limits_others(limits),
	    &client->board, count, own->window);
}

static void
tally_add(struct limits *limits, struct client *client,
    enum scoreboard_client_count count, int64_t now_us)
{
	struct tally *tally = tally_now(limits, client, count, now_us);

	tally->n++;
	scoreboard_client_count(limits->setup.own, &client->board, count,
	    tally->window, tally->n);
}

/* Counts one more unless there are so many already; 0: any number. */
static bool
tally_allow(struct limits *limits, struct client *client,
    enum scoreboard_client_count count, unsigned most)
{
	int64_t now_us;

	if (most == 0 || client == NULL)
		return true;
	now_us = clock_monotonic_us();
	if (tally_sum(limits, client, count, now_us) >= most)
		return false;
	tally_add(limits, client, count, now_us);
	return true;
}

/* ---- users ---- */

/*
 * A user is a client of an address that nobody has, the same in each
 * process. Two names that share it share their limits, too.
 */
static struct client *
user_find(struct limits *limits, struct slice user)
{
	uint8_t key[16] = { 1, 1 };	/* in 100::/8, of which 100::/64 alone
					 * means something (RFC 6666) */
	uint64_t hash = 0xcbf29ce484222325u;
	struct client *client;

	for (size_t i = 0; i < user.size; i++)
		hash = (hash ^ (uint8_t)user.data[i]) * 0x100000001b3u;
	memcpy(key + 2, &hash, 6);	/* the scoreboard sees a /64 */
	memcpy(key + 8, &hash, sizeof(hash));
	client = client_find(limits, key, clock_monotonic_us());
	return client != NULL ? client : client_make(limits, key);
}

bool
limits_allow_user_mail(struct limits *limits, struct slice user)
{
	unsigned most = limits->setup.config->limits.messages_per_user;

	return most == 0 || tally_allow(limits, user_find(limits, user),
	    SCOREBOARD_CLIENT_MESSAGES, most);
}

bool
limits_allow_user_rcpt(struct limits *limits, struct slice user)
{
	unsigned most = limits->setup.config->limits.recipients_per_user;

	return most == 0 || tally_allow(limits, user_find(limits, user),
	    SCOREBOARD_CLIENT_RCPTS, most);
}

/* ---- sessions ---- */

enum reply_name
limits_admit(struct limits *limits, const char *ip, struct client **clientp)
{
	unsigned per_minute = limits->setup.config->limits.sessions_per_minute;
	enum reply_name refusal = REPLY_COUNT;
	struct client *client;
	uint8_t key[16];

	if (limits->setup.trusted != NULL &&
	    config_networks_contain(limits->setup.trusted, ip))
		per_minute = 0;
	address_key(key, ip);
	client = client_find(limits, key, clock_monotonic_us());
	if (client == NULL)
		client = client_make(limits, key);
	*clientp = NULL;
	if (!has_room(limits))
		refusal = REPLY_TOO_MANY_SESSIONS;
	else if (!client_has_room(limits, client))
		refusal = REPLY_TOO_MANY_OF_CLIENT;
	else if (!tally_allow(limits, client, SCOREBOARD_CLIENT_CONNECTS,
	    per_minute))
		refusal = REPLY_TOO_MANY_CONNECTS;
	if (refusal != REPLY_COUNT) {
		limits_count(limits, SCOREBOARD_SESSIONS_REFUSED, 1);
		return refusal;
	}
	limits_count(limits, SCOREBOARD_SESSIONS_NOW, 1);
	limits_count(limits, SCOREBOARD_SESSIONS_TOTAL, 1);
	*clientp = client;
	if (client == NULL)
		return REPLY_COUNT;
	client->n_sessions++;
	scoreboard_client_add(limits->setup.own, &client->board,
	    SCOREBOARD_CLIENT_SESSIONS, 1);
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
	scoreboard_client_add(limits->setup.own, &client->board,
	    SCOREBOARD_CLIENT_SESSIONS, -1);
}

void
limits_note_patience(struct client *client)
{
	if (client != NULL)
		client->patient_until_us = clock_monotonic_us() + HOUR_US;
}

bool
limits_is_patient(const struct client *client)
{
	return client != NULL &&
	    clock_monotonic_us() < client->patient_until_us;
}

/* ---- messages and their memory ---- */

bool
limits_allow_mail(struct limits *limits, struct client *client)
{
	return tally_allow(limits, client, SCOREBOARD_CLIENT_MESSAGES,
	    limits->setup.config->limits.messages_per_client);
}

bool
limits_allow_rcpt(struct limits *limits, struct client *client)
{
	return tally_allow(limits, client, SCOREBOARD_CLIENT_RCPTS,
	    limits->setup.config->limits.recipients_per_client);
}

/* Is there room for so much more, of all memory and of this client's? */
static bool
has_memory(const struct limits *limits, const struct client *client,
    uint64_t more)
{
	uint64_t most = limits->setup.memory_bytes, used;

	if (most == 0)
		return true;
	used = limits_sum(limits, SCOREBOARD_MEMORY_MESSAGES_BYTES);
	if (used > most || more > most - used)
		return false;
	if (client == NULL)
		return true;
	used = client_sum(limits, client, SCOREBOARD_CLIENT_MEMORY_KIB) * 1024;
	most = client_memory_bytes(limits);
	return used <= most && more <= most - used;
}

static void
memory_add(struct limits *limits, const struct client *client, int64_t delta)
{
	limits_count(limits, SCOREBOARD_MEMORY_MESSAGES_BYTES, delta);
	if (client != NULL)
		scoreboard_client_add(limits->setup.own, &client->board,
		    SCOREBOARD_CLIENT_MEMORY_KIB, delta / 1024);
}

bool
limits_reserve(struct limits *limits, struct client *client, uint64_t *held,
    uint64_t wanted)
{
	uint64_t steps = wanted / RESERVE_STEP + (wanted % RESERVE_STEP != 0);
	uint64_t rounded = steps * RESERVE_STEP;

	if (wanted <= *held)
		return true;
	if (rounded < wanted || rounded > INT64_MAX ||
	    !has_memory(limits, client, rounded - *held)) {
		limits_count(limits, SCOREBOARD_MEMORY_REFUSED, 1);
		return false;
	}
	memory_add(limits, client, (int64_t)(rounded - *held));
	*held = rounded;
	return true;
}

void
limits_unreserve(struct limits *limits, struct client *client, uint64_t *held)
{
	if (*held != 0)
		memory_add(limits, client, -(int64_t)*held);
	*held = 0;
}

/* ---- address harvesting ---- */

bool
limits_note_recipient(struct limits *limits, struct client *client,
    bool is_unknown)
{
	unsigned most = limits->setup.config->limits.unknown_recipients;
	uint64_t n_unknown;
	int64_t now_us;

	if (most == 0 || client == NULL)
		return false;
	now_us = clock_monotonic_us();
	tally_add(limits, client, SCOREBOARD_CLIENT_RECIPIENTS, now_us);
	if (!is_unknown)
		return false;
	tally_add(limits, client, SCOREBOARD_CLIENT_UNKNOWN, now_us);
	n_unknown = tally_sum(limits, client, SCOREBOARD_CLIENT_UNKNOWN,
	    now_us);
	if (n_unknown <= most || n_unknown * 2 <= tally_sum(limits, client,
	    SCOREBOARD_CLIENT_RECIPIENTS, now_us))
		return false;
	client->harvester_until_us = now_us + LIMITS_HARVEST_US;
	scoreboard_client_mark(limits->setup.own, &client->board,
	    (uint32_t)(client->harvester_until_us / 1000000));
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
	return now_us < client->harvester_until_us || now_us / 1000000 <
	    scoreboards_client_marked(limits_others(limits),
	    limits->setup.own, &client->board);
}
