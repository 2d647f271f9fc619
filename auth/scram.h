/* SPDX-License-Identifier: ISC */
/*
 * scram.h - the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), by
 * libgsasl, with stored keys only: no password is ever known here.
 *
 *	scram_new -> scram_step: MORE, challenge -> scram_step: DONE, the last
 *	message -> scram_free
 */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include <stdbool.h>
#include "buf.h"
#include "mac.h"
#include "sasl.h"

/* Before the sandbox: the library looks for what it needs. False: it has no
 * SCRAM-SHA-256. */
bool scram_warm_up(void);

/*
 * The client has given its name: what are its keys? Asked once, before the
 * first challenge. False: there is no such name, then the exchange goes on
 * with these keys and fails in the end. *is_allowed false ends it now.
 */
typedef bool scram_keys_fn(struct slice name, struct sasl_scram *keys,
    bool *is_allowed, void *arg);

struct scram;

/* NULL without memory. */
struct scram *scram_new(scram_keys_fn *keys, void *arg);
/* Accepts NULL, sets NULL. */
void scram_free(struct scram **scram);

enum scram_result {
	SCRAM_MORE,			/* out is the next challenge */
	SCRAM_DONE,			/* it is right; out is the last word */
	SCRAM_WRONG,			/* so are the keys, or the message */
	SCRAM_FAILED,			/* no memory */
};

/* The keys were not allowed: that is why it is WRONG. */
bool scram_is_limited(const struct scram *scram);
/* Appends to out. */
enum scram_result scram_step(struct scram *scram, struct slice response,
    struct buf *out);

/*
 * A challenge to a client with this nonce whose name has no keys elsewhere:
 * one name has one salt while the key stays. 0 or a negative errno.
 */
int scram_decoy(struct buf *out, const uint8_t key[MAC_KEY_SIZE],
    const char *name, const char *nonce);

#endif
