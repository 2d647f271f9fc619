/* SPDX-License-Identifier: ISC */
/*
 * proofs.c - see proofs.h. Claims live for the seconds of a transaction, and
 * are few: they are looked through one by one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "proofs.h"

struct claim {
	const void *owner;
	uint64_t transaction;
	uint8_t key[LEDGER_KEY_SIZE];
};

struct taken {
	struct ledger_spending what;
	bool is_put;			/* durable with the next commit */
};

struct proofs {
	struct ledger *ledger;
	size_t n, n_taken;
	struct claim claims[PROOFS_CLAIMS_MAX];
	struct taken taken[PROOFS_TAKEN_MAX];
};

struct proofs *
proofs_new(struct ledger *ledger)
{
	struct proofs *proofs = calloc(1, sizeof *proofs);

	if (proofs != NULL)
		proofs->ledger = ledger;
	return proofs;
}

void
proofs_free(struct proofs **proofs)
{
	free(*proofs);
	*proofs = NULL;
}

static bool
is_of(const struct claim *claim, const void *owner, uint64_t transaction)
{
	return claim->owner == owner && claim->transaction == transaction;
}

static const struct claim *
find(const struct proofs *proofs, const uint8_t key[LEDGER_KEY_SIZE])
{
	for (size_t i = 0; i < proofs->n; i++)
		if (memcmp(proofs->claims[i].key, key, LEDGER_KEY_SIZE) == 0)
			return &proofs->claims[i];
	return NULL;
}

static size_t
count(const struct proofs *proofs, const void *owner, uint64_t transaction)
{
	size_t n = 0;

	for (size_t i = 0; i < proofs->n; i++)
		n += is_of(&proofs->claims[i], owner, transaction);
	return n;
}

/* There may be more delays, as soon as the ledger counts them again. */
static enum proof_state
state_of_taken(const struct proofs *proofs,
    const uint8_t key[LEDGER_KEY_SIZE], enum proof_action action)
{
	for (size_t i = 0; i < proofs->n_taken; i++) {
		const struct taken *t = &proofs->taken[i];

		if (!t->is_put && t->what.action == action &&
		    memcmp(t->what.key, key, LEDGER_KEY_SIZE) == 0)
			return action == PROOF_DELAYED ? PROOF_BUSY :
			    PROOF_USED;
	}
	return PROOF_GOOD;
}

int
proofs_ask(struct proofs *proofs, const void *owner,
    const struct proof_ask *q, struct proof_answer *a)
{
	uint8_t key[LEDGER_KEY_SIZE];
	const struct claim *claim;
	struct claim *new;
	int error = ledger_prove(proofs->ledger, q, a, key);

	if (!error && a->state == PROOF_GOOD)
		a->state = state_of_taken(proofs, key, q->action);
	if (error || a->state != PROOF_GOOD)
		return error;
	claim = find(proofs, key);
	if (claim != NULL) {
		if (!is_of(claim, owner, q->transaction))
			a->state = PROOF_BUSY;
		return 0;
	}
	if (q->transaction == 0)
		return 0;
	if (proofs->n == PROOFS_CLAIMS_MAX || count(proofs, owner,
	    q->transaction) == PROOFS_OF_TRANSACTION_MAX) {
		a->state = PROOF_UNKNOWN;
		return -EBUSY;
	}
	new = &proofs->claims[proofs->n++];
	*new = (struct claim){ .owner = owner,
		.transaction = q->transaction };
	memcpy(new->key, key, sizeof key);
	return 0;
}

/* ---- taken ---- */

int
proofs_take(struct proofs *proofs, const struct proof_ask *q, int64_t now_s)
{
	struct taken t = { .is_put = false };
	int error = ledger_spending(proofs->ledger, q, &t.what);

	if (!error)
		error = ledger_spend(proofs->ledger, &t.what, now_s);
	if (error == -ENOENT)
		return 0;
	if (proofs->n_taken == PROOFS_TAKEN_MAX)
		return -EBUSY;
	t.is_put = error == 0;
	proofs->taken[proofs->n_taken++] = t;
	return error;
}

void
proofs_committed(struct proofs *proofs, int error)
{
	size_t kept = 0;

	for (size_t i = 0; i < proofs->n_taken; i++) {
		struct taken t = proofs->taken[i];

		if (t.is_put && error == 0)
			continue;
		t.is_put = false;
		proofs->taken[kept++] = t;
	}
	proofs->n_taken = kept;
}

/* Nobody asks for one that has expired, and nobody has to know. */
void
proofs_write(struct proofs *proofs, int64_t now_s)
{
	for (size_t i = 0; i < proofs->n_taken; i++) {
		struct taken *t = &proofs->taken[i];
		int error = ledger_spend(proofs->ledger, &t->what, now_s);

		t->is_put = error == 0 || error == -ENOENT;
		if (!t->is_put)
			return;		/* the disk has no room for others */
	}
}

/* ---- the end of a claim ---- */

void
proofs_drop(struct proofs *proofs, const void *owner, uint64_t transaction)
{
	size_t kept = 0;

	for (size_t i = 0; i < proofs->n; i++)
		if (!is_of(&proofs->claims[i], owner, transaction))
			proofs->claims[kept++] = proofs->claims[i];
	proofs->n = kept;
}

void
proofs_owner_gone(struct proofs *proofs, const void *owner)
{
	size_t kept = 0;

	for (size_t i = 0; i < proofs->n; i++)
		if (proofs->claims[i].owner != owner)
			proofs->claims[kept++] = proofs->claims[i];
	proofs->n = kept;
}
