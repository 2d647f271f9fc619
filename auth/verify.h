/* SPDX-License-Identifier: ISC */
/*
 * verify.h - is this the password? And the same work for a name that nobody
 * has, so that the time of an answer does not tell who exists.
 *
 * Blocks for as long as the hash takes: 5 ms to half a second.
 */
#ifndef AUTH_VERIFY_H
#define AUTH_VERIFY_H

#include <stdint.h>
#include "account.h"
#include "buf.h"
#include "password_table.h"
#include "sasl.h"

enum verify_result { VERIFY_RIGHT, VERIFY_WRONG, VERIFY_FAILED };

/* The stored password that a login is measured against. */
struct verify_entry {
	bool is_real;			/* false: nothing ever matches */
	struct account account;		/* of a real one */
	enum password_kind kind;
	struct slice password;		/* in the table, or verify's own */
	const uint8_t *secret;		/* of the table */
	char name[VOUCHER_USER_MAX];	/* as it was looked for */
};

/*
 * The entry of this account, if is_one; else, or where it has none or is
 * locked, that of somebody else, the same one each time, chosen so that
 * unknown names take as long as the accounts that there are.
 */
void verify_find(struct verify_entry *entry,
    const struct password_table *table, const struct account *account,
    bool is_one);

/* Does the work in any case. FAILED: out of memory, an unusable hash. */
enum verify_result verify_password(const struct verify_entry *entry,
    struct slice password);

/*
 * The keys for SCRAM: those of the entry, or made up, with the iterations
 * of an account that has them. False: made up, the exchange must fail.
 */
bool verify_scram_keys(const struct verify_entry *entry,
    const struct password_table *table, struct sasl_scram *keys);

/* Every account that can log in at all has SCRAM keys, and there is one. */
bool verify_all_have_scram(const struct password_table *table);

#endif
