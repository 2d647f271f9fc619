/* SPDX-License-Identifier: ISC */
/*
 * records.h - delivery records: what makes a lost 250 harmless (DESIGN 6).
 *
 * One record per copy, by key HMAC(reverse-path, recipient, maildir,
 * digest). Records of running sessions are slots of a mapped file
 * (slots.h) with an index in memory; those of sessions that ended
 * unconfirmed go to disk (ended.h). A happy message touches memory only.
 *
 *	BEGIN     -> BEGUN     prepared or not; no COMMIT was sent
 *	INTENT    -> INTENT    all is prepared; COMMIT may be sent now. BEGIN
 *	                       goes there at once if DELIVER is next
 *	DONE      -> DONE      in new/, directory fsynced
 *	CONFIRM   -> gone      the client has read "delivered"
 *	WITHDRAW  -> gone      not delivered; its tmp/ file may be unlinked now
 *	END, peer gone:  DONE -> disk, 48 h; BEGUN, INTENT -> unresolved
 *	SETTLE:          BEGUN, INTENT -> unresolved
 *
 * What a last participant has to say, or queue (RECORD_LAST), has no file: it
 * is BEGUN until it is DONE, and then nobody is asked about it.
 * An unresolved INTENT waits until deliver has said what became of its
 * file, and its key is OPEN until then. A BEGUN one was not delivered
 * whatever deliver says: its file may never have been in tmp/. It is asked
 * only to have tmp/ cleaned, and its key is NEW. After a restart of store
 * the records of this boot are here again; of an earlier boot only what is
 * DONE (a duplicate at worst).
 *
 * INTENT and WITHDRAW of a transaction that is not known (store was
 * restarted) get no answer: smtpd must not commit, and must leave the files
 * in tmp/, since a record of them may still be INTENT. CONFIRM belongs
 * after a reply that said "delivered"; it also removes the earlier DONE
 * records that BEGIN met. A transaction ends with CONFIRM, END or WITHDRAW.
 *
 * A peer is an address that is never looked at; it reaches only its own
 * transactions. Nothing here logs; no I/O but the page cache and kv's.
 */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "ended.h"
#include "hmac.h"
#include "slots.h"

#define RECORDS_GRACE_US 5000000	/* before INTENTs found at start are
					 * asked about: their COMMITs may run */
#define RECORDS_LIFE_S ENDED_LIFE_S
#define RECORDS_TRANSACTION_LIFE_S (4 * 3600)

struct records;

struct records_parts {		/* borrowed; must outlive the records */
	struct slots *slots;
	struct ended *ended;
	struct hmac *hmac;
	uint8_t boot[SLOT_BOOT_SIZE];
};

struct records_counts {
	uint32_t n_live;	/* slots in use */
	uint32_t n_unresolved;
	uint32_t n_transactions;
	uint32_t n_unstored;	/* DONE, waiting for the disk */
	uint64_t n_refused;	/* BEGINs answered OPEN for want of room */
	uint64_t n_met;		/* copies that were not delivered twice */
};

/* Takes in what the slots hold. 0 or -ENOMEM. */
int records_open(struct records **records, const struct records_parts *parts);
void records_close(struct records **records);

/* false: the peer broke the rules of ask.h. */
bool records_begin(struct records *r, const void *peer,
    const struct record_begin *begin, struct record_states *states);
/* What BEGIN said, once more; one entry, OPEN, if there was none. */
void records_look(struct records *r, const void *peer, uint64_t transaction,
    struct record_states *states);
/* Entry numbers of one transaction; n 0: all of them. */
struct record_list {
	uint64_t transaction;
	uint16_t n;
	const uint16_t *entries;
};
enum records_outcome { RECORDS_OK, RECORDS_UNKNOWN, RECORDS_MALFORMED };
enum records_outcome records_intent(struct records *r, const void *peer,
    uint64_t transaction);
enum records_outcome records_done(struct records *r, const void *peer,
    const struct record_list *list);
enum records_outcome records_withdraw(struct records *r, const void *peer,
    const struct record_list *list);
void records_settle(struct records *r, const void *peer, uint64_t transaction);
void records_confirm(struct records *r, const void *peer,
    uint64_t transaction);
void records_end(struct records *r, const void *peer, uint64_t transaction);
void records_peer_gone(struct records *r, const void *peer);

/*
 * The next record to ask deliver about, or SLOT_NONE. Its strings are good
 * until records_resolved, which must follow for each.
 */
uint32_t records_next_unresolved(struct records *r, struct resolve_ask *ask);
void records_resolved(struct records *r, uint32_t slot,
    enum resolution resolution, int64_t now_us);
/* Make those whose pause is over unresolved again; call it each second. */
void records_wake(struct records *r, int64_t now_us);

bool records_have_unstored(const struct records *r);
/* Put what waits into ended; then kv_commit, then tell its result. */
int records_store(struct records *r);
void records_stored(struct records *r, int error);

/* Drop what is too old. */
void records_expire(struct records *r, int64_t now_us, int64_t now_s);
void records_get_counts(const struct records *r,
    struct records_counts *counts);

#endif
