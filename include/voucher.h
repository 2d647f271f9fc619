/* SPDX-License-Identifier: ISC */
/*
 * voucher.h - auth's word that a session is a user's, on its way to queue.
 *
 * auth makes one when a user has proved who he is (or the kernel has said
 * so); smtpd carries it; queue takes no message without one that it has
 * checked. The key is SECRET_VOUCH, which only those two have: smtpd cannot
 * write one for a user who never came. It holds for one session until it
 * expires. Pure, no I/O.
 */
#ifndef POSTERN_VOUCHER_H
#define POSTERN_VOUCHER_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "ipc_cursor.h"

#define VOUCHER_KEY_SIZE 32
#define VOUCHER_MAC_SIZE 32
#define VOUCHER_USER_MAX 321		/* octets, with terminator */
#define VOUCHER_ADDRESS_MAX 640
#define VOUCHER_SESSION_MAX 24

struct voucher {
	/* the account: "alice@example.com" from a users table (with the name
	 * of the domain's section), "alice" or "www-data" of the system */
	struct slice user;
	struct slice address;		/* its own, for DSNs and completion */
	struct slice session;
	uint64_t expires_s;		/* since 1970 */
	uint8_t mac[VOUCHER_MAC_SIZE];	/* of all of the above */
};

/* One that outlives the message it came in; zero it, free nothing. */
struct voucher_copy {
	struct voucher voucher;		/* points into the rooms below */
	char user[VOUCHER_USER_MAX];
	char address[VOUCHER_ADDRESS_MAX];
	char session[VOUCHER_SESSION_MAX];
};

/* Fill in v->mac. 0, or -EINVAL for fields that are too long, or -EIO. */
int voucher_make(struct voucher *v, const uint8_t key[VOUCHER_KEY_SIZE]);
/* 0; -EACCES when the MAC is another; -ETIMEDOUT when it has expired. */
int voucher_check(const struct voucher *v,
    const uint8_t key[VOUCHER_KEY_SIZE], uint64_t now_s);
/* False, and to is empty, when a field does not fit. */
bool voucher_copy(struct voucher_copy *to, const struct voucher *v);

/* As a part of a message: others may follow. */
void put_voucher(struct ipc_writer *w, const struct voucher *v);
bool get_voucher(struct ipc_reader *r, struct voucher *v);

#endif
