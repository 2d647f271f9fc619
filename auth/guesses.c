/* SPDX-License-Identifier: ISC */
/*
 * See guesses.h. The table is cut into sets of SET_ROWS rows; a new row
 * takes the place of the one in its set whose time is over first, so that
 * guesses at names that nobody has do not wash out what counts. Two
 * processes that take the same row at the same moment may forget one
 * failure.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <openssl/evp.h>
#include "clock.h"
#include "guesses.h"
#include "sealed.h"

#define HOUR_MS 3600000ull
#define KNOWN_MS (30 * 24 * HOUR_MS)
#define SET_ROWS 8

struct row {
	_Atomic uint64_t who;		/* 0: free */
	_Atomic uint64_t until_ms;
};

#define N_SETS (GUESSES_SIZE / sizeof(struct row) / SET_ROWS)

struct guesses {
	struct row *rows;
	unsigned per_network, per_account;
	uint8_t key[GUESSES_KEY_SIZE];
	EVP_MD_CTX *digest;
};

enum purpose { OF_NETWORK = 1, OF_ACCOUNT, OF_KNOWN };

struct guesses *
guesses_new(const struct guesses_setup *setup)
{
	struct guesses *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->per_network = setup->per_network;
	f->per_account = setup->per_account;
	memcpy(f->key, setup->key, sizeof(f->key));
	f->digest = EVP_MD_CTX_new();
	f->rows = sealed_open_board(setup->fd, GUESSES_SIZE);
	if (f->rows == NULL || f->digest == NULL)
		guesses_free(&f);
	return f;
}

void
guesses_free(struct guesses **guesses)
{
	struct guesses *f = *guesses;

	*guesses = NULL;
	if (f == NULL)
		return;
	if (f->rows != NULL)
		munmap(f->rows, GUESSES_SIZE);
	EVP_MD_CTX_free(f->digest);
	explicit_bzero(f, sizeof(*f));
	free(f);
}

static uint64_t
now_ms(void)
{
	return (uint64_t)clock_monotonic_us() / 1000;
}

static void
digest_part(const struct guesses *f, struct slice part)
{
	uint32_t size = (uint32_t)part.size;

	EVP_DigestUpdate(f->digest, &size, sizeof(size));
	EVP_DigestUpdate(f->digest, part.data, part.size);
}

/*
 * Known to nobody outside, and never 0. The last bit chooses a half of the
 * table: what is known cannot wash out failures.
 */
static uint64_t
hash_of(const struct guesses *f, enum purpose purpose,
    const struct guesses_who *who)
{
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 };
	uint8_t octet = (uint8_t)purpose;
	uint64_t hash;

	EVP_DigestInit_ex(f->digest, EVP_sha256(), NULL);
	EVP_DigestUpdate(f->digest, f->key, sizeof(f->key));
	EVP_DigestUpdate(f->digest, &octet, 1);
	digest_part(f, purpose == OF_ACCOUNT ? SLICE("") : who->network);
	digest_part(f, purpose == OF_NETWORK ? SLICE("") : who->account);
	EVP_DigestFinal_ex(f->digest, digest, NULL);
	memcpy(&hash, digest, sizeof(hash));
	hash = (hash & ~(uint64_t)1) | (purpose == OF_KNOWN);
	return hash == 0 ? 2 : hash;
}

static struct row *
set_of(const struct guesses *f, uint64_t hash)
{
	uint64_t set = (hash >> 1) % (N_SETS / 2) + (hash & 1) * (N_SETS / 2);

	return &f->rows[set * SET_ROWS];
}

static struct row *
row_find(const struct guesses *f, uint64_t hash)
{
	struct row *set = set_of(f, hash);
	size_t i;

	for (i = 0; i < SET_ROWS; i++)
		if (atomic_load(&set[i].who) == hash)
			return &set[i];
	return NULL;
}

/* One for this hash, at the cost of the row that matters least. */
static struct row *
row_take(struct guesses *f, uint64_t hash)
{
	struct row *set = set_of(f, hash);
	struct row *row = row_find(f, hash);
	size_t i;

	if (row != NULL)
		return row;
	row = &set[0];
	for (i = 0; i < SET_ROWS; i++) {
		if (atomic_load(&set[i].who) == 0) {
			row = &set[i];
			break;
		}
		if (atomic_load(&set[i].until_ms) <
		    atomic_load(&row->until_ms))
			row = &set[i];
	}
	atomic_store(&row->until_ms, 0);
	atomic_store(&row->who, hash);
	return row;
}

/* Whether one more failure stays within limit. */
static bool
allows(const struct guesses *f, uint64_t hash, unsigned limit)
{
	const struct row *row = limit == 0 ? NULL : row_find(f, hash);
	uint64_t now = now_ms(), until;

	if (row == NULL)
		return true;
	until = atomic_load(&row->until_ms);
	return until <= now || until + HOUR_MS / limit <= now + HOUR_MS;
}

static void
charge(struct guesses *f, uint64_t hash, unsigned limit)
{
	uint64_t now = now_ms(), until, next;
	struct row *row;

	if (limit == 0)
		return;
	row = row_take(f, hash);
	until = atomic_load(&row->until_ms);
	do
		next = (until < now ? now : until) + HOUR_MS / limit;
	while (!atomic_compare_exchange_weak(&row->until_ms, &until, next));
}

static void
refund(struct guesses *f, uint64_t hash, unsigned limit)
{
	struct row *row = limit == 0 ? NULL : row_find(f, hash);
	uint64_t until;

	if (row == NULL)
		return;
	until = atomic_load(&row->until_ms);
	while (until >= HOUR_MS / limit &&
	    !atomic_compare_exchange_weak(&row->until_ms, &until,
	    until - HOUR_MS / limit))
		;
}

/* It came in from there within the last month. */
static bool
is_known(const struct guesses *f, const struct guesses_who *who)
{
	const struct row *row = row_find(f, hash_of(f, OF_KNOWN, who));

	return row != NULL && atomic_load(&row->until_ms) > now_ms();
}

static bool
counts_account(const struct guesses *f, const struct guesses_who *who)
{
	return !is_known(f, who);
}

bool
guesses_allow(const struct guesses *f, const struct guesses_who *who)
{
	if (!allows(f, hash_of(f, OF_NETWORK, who), f->per_network))
		return false;
	return !counts_account(f, who) ||
	    allows(f, hash_of(f, OF_ACCOUNT, who), f->per_account);
}

bool
guesses_charge(struct guesses *f, const struct guesses_who *who)
{
	if (!guesses_allow(f, who))
		return false;
	charge(f, hash_of(f, OF_NETWORK, who), f->per_network);
	if (counts_account(f, who))
		charge(f, hash_of(f, OF_ACCOUNT, who), f->per_account);
	return true;
}

void
guesses_refund(struct guesses *f, const struct guesses_who *who)
{
	refund(f, hash_of(f, OF_NETWORK, who), f->per_network);
	if (counts_account(f, who))
		refund(f, hash_of(f, OF_ACCOUNT, who), f->per_account);
}

/* After the refund. */
void
guesses_note_success(struct guesses *f, const struct guesses_who *who)
{
	struct row *row = row_take(f, hash_of(f, OF_KNOWN, who));

	atomic_store(&row->until_ms, now_ms() + KNOWN_MS);
}
