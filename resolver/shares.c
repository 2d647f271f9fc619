/* SPDX-License-Identifier: ISC */
/*
 * shares.c - see shares.h. A network is there as long as it has taken.
 */
#include <stdlib.h>
#include <sys/random.h>
#include "ask.h"
#include "keyed_hash.h"
#include "shares.h"

#define N_CHAINS 4096

struct share {
	struct share *next;
	unsigned n_taken;
	char network[ASK_NETWORK_MAX];
};

struct shares {
	uint64_t key[2];
	unsigned most;
	size_t n;
	struct share *chains[N_CHAINS];
};

struct shares *
shares_new(unsigned most)
{
	struct shares *shares = calloc(1, sizeof *shares);

	if (shares == NULL)
		return NULL;
	shares->most = most;
	if (getrandom(shares->key, sizeof shares->key, 0) !=
	    (ssize_t)sizeof shares->key)
		shares_free(&shares);
	return shares;
}

void
shares_free(struct shares **shares)
{
	for (size_t i = 0; *shares != NULL && i < N_CHAINS; i++)
		while ((*shares)->chains[i] != NULL) {
			struct share *share = (*shares)->chains[i];

			(*shares)->chains[i] = share->next;
			free(share);
		}
	free(*shares);
	*shares = NULL;
}

static struct share **
chain_of(struct shares *shares, struct slice network)
{
	return &shares->chains[keyed_hash(shares->key, network) % N_CHAINS];
}

static struct share *
find(struct shares *shares, struct slice network)
{
	struct share *share = *chain_of(shares, network);

	while (share != NULL &&
	    !slice_equals(slice_of(share->network), network))
		share = share->next;
	return share;
}

static struct share *
add(struct shares *shares, struct slice network)
{
	struct share *share = calloc(1, sizeof *share);
	struct share **chain = chain_of(shares, network);

	if (share == NULL ||
	    !slice_copy(share->network, sizeof share->network, network)) {
		free(share);
		return NULL;
	}
	share->next = *chain;
	*chain = share;
	shares->n++;
	return share;
}

bool
shares_take(struct shares *shares, struct slice network,
    struct share **share)
{
	*share = NULL;
	if (network.size == 0)
		return true;
	*share = find(shares, network);
	if (*share == NULL)
		*share = add(shares, network);
	if (*share == NULL)
		return false;
	if ((*share)->n_taken < shares->most) {
		(*share)->n_taken++;
		return true;
	}
	*share = NULL;
	return false;
}

void
shares_give(struct shares *shares, struct share **share)
{
	struct share **at;

	if (*share != NULL && --(*share)->n_taken == 0) {
		at = chain_of(shares, slice_of((*share)->network));
		while (*at != *share)
			at = &(*at)->next;
		*at = (*share)->next;
		free(*share);
		shares->n--;
	}
	*share = NULL;
}

size_t
shares_count(const struct shares *shares)
{
	return shares->n;
}
