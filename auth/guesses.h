/* SPDX-License-Identifier: ISC */
/*
 * guesses.h - how often passwords were guessed, by client network and by
 * account.
 *
 * One table in memory for all processes of auth, in all generations: the
 * supervisor makes it (a memfd), so that neither a restart nor a reload
 * gives anybody a fresh start. A row is a keyed hash and a time, nothing of
 * a name or a password. Each failure moves the time of its row on by an
 * hour / limit; who is more than an hour ahead of the clock has used up
 * what he has, and gets one more try each hour / limit.
 *
 *	guesses_charge  before a password is looked at: so that a hundred
 *	                 guesses at once are not all let through
 *	guesses_refund  it was right, or could not be judged
 *
 * A network from which an account has been used is remembered for a month:
 * an account that strangers try to guess stays usable from there.
 */
#ifndef AUTH_GUESSES_H
#define AUTH_GUESSES_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define GUESSES_KEY_SIZE 32
#define GUESSES_SIZE ((size_t)1 << 21)	/* octets of the table */

struct guesses;

struct guesses_setup {
	int fd;			/* a memfd, empty at first; -1: private */
	unsigned per_network;		/* failures in an hour; 0: any */
	unsigned per_account;
	uint8_t key[GUESSES_KEY_SIZE];	/* the same in all processes */
};

/* NULL with errno. The descriptor stays the caller's. */
struct guesses *guesses_new(const struct guesses_setup *setup);
void guesses_free(struct guesses **guesses);

/* A name that nobody has counts like an account: or it could be told. */
struct guesses_who {
	struct slice network;
	struct slice account;		/* as accounts compare */
};

/* Whether a try is allowed now; nothing is counted. */
bool guesses_allow(const struct guesses *f, const struct guesses_who *who);
/* The same, and it counts as a failure from now on. */
bool guesses_charge(struct guesses *f, const struct guesses_who *who);
void guesses_refund(struct guesses *f, const struct guesses_who *who);
/* It was right: this network is known for this account. */
void guesses_note_success(struct guesses *f,
    const struct guesses_who *who);

#endif
