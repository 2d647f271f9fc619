/* SPDX-License-Identifier: ISC */
/*
 * scoreboard.c - shared counters; see scoreboard.h.
 *
 * One writer each, so relaxed loads and stores do.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "scoreboards.h"
#include "sealed.h"

#define COUNTER_MAX ((uint64_t)1 << 48)	/* what one board may claim */
#define GAUGE_MAX ((uint32_t)1 << 31)		/* 2 TiB of memory */
#define COUNT_MAX (((uint32_t)1 << 24) - 1)

struct scoreboard {
	uint8_t hash_key[16];
	_Atomic uint64_t counters[SCOREBOARD_COUNTERS];
	_Atomic uint32_t gauges[SCOREBOARD_BUCKETS][SCOREBOARD_CLIENT_GAUGES];
	_Atomic uint64_t marks[SCOREBOARD_BUCKETS];	/* until_s, who */
	/* 24 bits of who, 16 of the window, 24 of the count: one store */
	_Atomic uint64_t counts[SCOREBOARD_BUCKETS][SCOREBOARD_CLIENT_COUNTS];
};

struct scoreboards {
	size_t n;
	struct scoreboard *boards[SCOREBOARD_MAX_OTHERS];
	ino_t inodes[SCOREBOARD_MAX_OTHERS];
	uint64_t past[SCOREBOARD_COUNTERS];	/* of boards that went */
};

static const char *const names[SCOREBOARD_COUNTERS] = {
	[SCOREBOARD_SESSIONS_NOW] = "sessions_now",
	[SCOREBOARD_TRANSACTIONS_NOW] = "transactions_now",
	[SCOREBOARD_MEMORY_MESSAGES_BYTES] = "memory_messages_bytes",
	[SCOREBOARD_SELF_TEST_FAILING] = "self_test_failing",
	[SCOREBOARD_SIGNATURES_AGE_S] = "signatures_age_s",
	[SCOREBOARD_SESSIONS_TOTAL] = "sessions_total",
	[SCOREBOARD_SESSIONS_REFUSED] = "sessions_refused",
	[SCOREBOARD_MESSAGES_ACCEPTED] = "messages_accepted",
	[SCOREBOARD_MESSAGES_BYTES] = "messages_bytes",
	[SCOREBOARD_MESSAGES_DISCARDED] = "messages_discarded",
	[SCOREBOARD_COPIES_DELIVERED] = "copies_delivered",
	[SCOREBOARD_RECIPIENTS_ACCEPTED] = "recipients_accepted",
	[SCOREBOARD_RECIPIENTS_REFUSED] = "recipients_refused",
	[SCOREBOARD_REFUSED_4XX] = "refused_4xx",
	[SCOREBOARD_REFUSED_5XX] = "refused_5xx",
	[SCOREBOARD_LEFT_BEHIND] = "left_behind",
	[SCOREBOARD_DUPLICATES_SUPPRESSED] = "duplicates_suppressed",
	[SCOREBOARD_ABORTED_CLIENT_GONE] = "aborted_client_gone",
	[SCOREBOARD_COMMITS_UNKNOWN] = "commits_unknown",
	[SCOREBOARD_TIMEOUTS] = "timeouts",
	[SCOREBOARD_MEMORY_REFUSED] = "memory_refused",
	[SCOREBOARD_TRAIL_LOST] = "trail_lost",
	[SCOREBOARD_SELF_TESTS] = "self_tests",
	[SCOREBOARD_BOUNCES_REFUSED] = "bounces_refused",
	[SCOREBOARD_RCPT_WITHIN_5MS] = "rcpt_within_5ms",
	[SCOREBOARD_RCPT_WITHIN_50MS] = "rcpt_within_50ms",
	[SCOREBOARD_RCPT_WITHIN_500MS] = "rcpt_within_500ms",
	[SCOREBOARD_RCPT_WITHIN_5S] = "rcpt_within_5s",
	[SCOREBOARD_RCPT_ANSWERED] = "rcpt_answered",
	[SCOREBOARD_RCPT_US] = "rcpt_us",
};

const char *
scoreboard_counter_name(enum scoreboard_counter counter)
{
	return (unsigned)counter < SCOREBOARD_COUNTERS ? names[counter] :
	    "unknown";
}

/* ---- the supervisor ---- */

int
scoreboard_create(void)
{
	static uint8_t hash_key[16];
	static bool has_key;
	int fd, error;

	if (!has_key && getrandom(hash_key, sizeof hash_key, 0) !=
	    (ssize_t)sizeof hash_key)
		return -EIO;
	has_key = true;
	fd = sealed_create("scoreboard");
	if (fd < 0)
		return fd;
	error = sealed_make_board(fd, sizeof(struct scoreboard));
	if (!error && pwrite(fd, hash_key, sizeof hash_key, 0) !=
	    (ssize_t)sizeof hash_key)
		error = -EIO;
	if (error)
		close(fd);
	return error ? error : fd;
}

struct scoreboard *
scoreboard_map_own(int fd)
{
	return sealed_map_board(fd, sizeof(struct scoreboard), true);
}

struct scoreboard *
scoreboard_map_private(void)
{
	return sealed_open_board(-1, sizeof(struct scoreboard));
}

void
scoreboard_unmap(struct scoreboard **board)
{
	if (*board != NULL)
		munmap(*board, sizeof **board);
	*board = NULL;
}

void
scoreboard_reset_gauges(int fd)
{
	struct scoreboard *board = scoreboard_map_own(fd);

	if (board == NULL)
		return;
	for (size_t i = 0; i < SCOREBOARD_GAUGES; i++)
		board->counters[i] = 0;
	for (size_t i = 0; i < SCOREBOARD_BUCKETS; i++)
		for (size_t k = 0; k < SCOREBOARD_CLIENT_GAUGES; k++)
			board->gauges[i][k] = 0;
	scoreboard_unmap(&board);
}

/* ---- the owner ---- */

void
scoreboard_add(struct scoreboard *board, enum scoreboard_counter counter,
    int64_t delta)
{
	_Atomic uint64_t *at = &board->counters[counter];

	atomic_store_explicit(at, atomic_load_explicit(at,
	    memory_order_relaxed) + (uint64_t)delta, memory_order_relaxed);
}

uint64_t
scoreboard_get(const struct scoreboard *board,
    enum scoreboard_counter counter)
{
	return atomic_load_explicit(&board->counters[counter],
	    memory_order_relaxed);
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t
client_hash(const struct scoreboard *board, const void *address, size_t size)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff };
	uint64_t network = 0, key[2];

	if (size == 16 && memcmp(address, mapped, sizeof mapped) == 0) {
		address = (const uint8_t *)address + sizeof mapped;
		size = 4;
	}
	memcpy(key, board->hash_key, sizeof key);
	memcpy(&network, address, size < 8 ? size : 8);
	return mix(mix(network ^ key[0]) ^ key[1] ^ (size == 4));
}

struct scoreboard_client
scoreboard_client_of(const struct scoreboard *board, const void *address,
    size_t size)
{
	uint64_t hash = client_hash(board, address, size);

	return (struct scoreboard_client){
		.bucket = (uint32_t)(hash % SCOREBOARD_BUCKETS),
		.who = (uint32_t)(hash >> 32) };
}

void
scoreboard_client_mark(struct scoreboard *board,
    const struct scoreboard_client *client, uint32_t until_s)
{
	atomic_store_explicit(
	    &board->marks[client->bucket % SCOREBOARD_BUCKETS],
	    (uint64_t)until_s << 32 | client->who, memory_order_relaxed);
}

void
scoreboard_client_add(struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_gauge gauge, int64_t delta)
{
	_Atomic uint32_t *at =
	    &board->gauges[client->bucket % SCOREBOARD_BUCKETS][gauge];

	atomic_store_explicit(at, atomic_load_explicit(at,
	    memory_order_relaxed) + (uint32_t)delta, memory_order_relaxed);
}

/* Whose count it is and of when, above the count itself. */
static uint64_t
count_tag(const struct scoreboard_client *client, uint32_t window)
{
	return (uint64_t)(client->who & 0xffffff) << 16 | (window & 0xffff);
}

void
scoreboard_client_count(struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window, uint32_t n)
{
	uint64_t tag = count_tag(client, window);

	atomic_store_explicit(
	    &board->counts[client->bucket % SCOREBOARD_BUCKETS][count],
	    tag << 24 | (n < COUNT_MAX ? n : COUNT_MAX),
	    memory_order_relaxed);
}

/* ---- the others ---- */

/* A gauge that was taken below 0 reads as a huge number. */
static uint64_t
claim(const struct scoreboard *board, enum scoreboard_counter counter)
{
	uint64_t value = scoreboard_get(board, counter);

	return value > COUNTER_MAX ? 0 : value;
}

static uint64_t
client_claim(const struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_gauge gauge)
{
	uint32_t value = atomic_load_explicit(
	    &board->gauges[client->bucket % SCOREBOARD_BUCKETS][gauge],
	    memory_order_relaxed);

	return value > GAUGE_MAX ? 0 : value;
}

static void
forget(struct scoreboards *set, size_t i)
{
	for (size_t c = SCOREBOARD_GAUGES; c < SCOREBOARD_COUNTERS; c++)
		set->past[c] += claim(set->boards[i],
		    (enum scoreboard_counter)c);
	scoreboard_unmap(&set->boards[i]);
	set->n--;
	set->boards[i] = set->boards[set->n];
	set->inodes[i] = set->inodes[set->n];
	set->boards[set->n] = NULL;
}

static bool
holds(const struct scoreboards *set, ino_t inode)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->inodes[i] == inode)
			return true;
	return false;
}

static bool
is_listed(ino_t inode, const int *fds, size_t n)
{
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (fstat(fds[i], &st) == 0 && st.st_ino == inode)
			return true;
	return false;
}

int
scoreboards_update(struct scoreboards **setp, const int *fds, size_t n)
{
	struct scoreboards *set = *setp;

	if (set == NULL)
		set = *setp = calloc(1, sizeof *set);
	if (set == NULL)
		return -ENOMEM;
	for (size_t i = set->n; i-- > 0;)
		if (!is_listed(set->inodes[i], fds, n))
			forget(set, i);
	for (size_t i = 0; i < n && set->n < SCOREBOARD_MAX_OTHERS; i++) {
		struct scoreboard *board;
		struct stat st;

		if (fstat(fds[i], &st) < 0 || holds(set, st.st_ino))
			continue;
		board = sealed_map_board(fds[i], sizeof *board, false);
		if (board != NULL) {
			set->boards[set->n] = board;
			set->inodes[set->n++] = st.st_ino;
		}
	}
	return 0;
}

void
scoreboards_free(struct scoreboards **set)
{
	if (*set == NULL)
		return;
	for (size_t i = 0; i < (*set)->n; i++)
		scoreboard_unmap(&(*set)->boards[i]);
	free(*set);
	*set = NULL;
}

uint64_t
scoreboards_sum(const struct scoreboards *set, const struct scoreboard *own,
    enum scoreboard_counter counter)
{
	uint64_t sum = own ? claim(own, counter) : 0;

	for (size_t i = 0; set != NULL && i < set->n; i++)
		sum += claim(set->boards[i], counter);
	return sum + (set ? set->past[counter] : 0);
}

uint64_t
scoreboards_greatest(const struct scoreboards *set,
    enum scoreboard_counter counter)
{
	uint64_t greatest = 0;

	for (size_t i = 0; set != NULL && i < set->n; i++) {
		uint64_t value = claim(set->boards[i], counter);

		greatest = value > greatest ? value : greatest;
	}
	return greatest;
}

uint64_t
scoreboards_client_sum(const struct scoreboards *set,
    const struct scoreboard *own, const struct scoreboard_client *client,
    enum scoreboard_client_gauge gauge)
{
	uint64_t sum = own ? client_claim(own, client, gauge) : 0;

	for (size_t i = 0; set != NULL && i < set->n; i++)
		sum += client_claim(set->boards[i], client, gauge);
	return sum;
}

uint32_t
scoreboard_client_counted(const struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window)
{
	uint64_t value = atomic_load_explicit(
	    &board->counts[client->bucket % SCOREBOARD_BUCKETS][count],
	    memory_order_relaxed);

	return value >> 24 == count_tag(client, window) ?
	    (uint32_t)(value & COUNT_MAX) : 0;
}

uint64_t
scoreboards_client_counted(const struct scoreboards *set,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window)
{
	uint64_t sum = 0;

	for (size_t i = 0; set != NULL && i < set->n; i++)
		sum += scoreboard_client_counted(set->boards[i], client,
		    count, window);
	return sum;
}

static uint32_t
marked_until(const struct scoreboard *board,
    const struct scoreboard_client *client)
{
	uint64_t mark = atomic_load_explicit(
	    &board->marks[client->bucket % SCOREBOARD_BUCKETS],
	    memory_order_relaxed);

	return (uint32_t)mark == client->who ? (uint32_t)(mark >> 32) : 0;
}

uint32_t
scoreboards_client_marked(const struct scoreboards *set,
    const struct scoreboard *own, const struct scoreboard_client *client)
{
	uint32_t latest = own ? marked_until(own, client) : 0;
	uint32_t other;

	for (size_t i = 0; set != NULL && i < set->n; i++) {
		other = marked_until(set->boards[i], client);
		if (other > latest)
			latest = other;
	}
	return latest;
}
