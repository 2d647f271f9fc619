/* SPDX-License-Identifier: ISC */
/*
 * facts.h - what is known about a client and a message, for policy.
 *
 * A fact has a kind, a key and a value. smtpd collects facts and sends them
 * with each question to policy; policy is a function of them. What policy
 * looks up and does not find is noted as wanted: smtpd has it answered, by
 * resolver or store, adds it, and asks again. Facts are never changed or
 * taken back, so the same set gives the same verdict whenever it is replayed.
 *
 *	smtpd: facts_add ... -> put_facts ---> policy: get_facts, facts_get
 *	       facts_add <- answers <- asked <--- put_wanted
 *
 * Pure, no I/O, no logging.
 */
#ifndef POSTERN_FACTS_H
#define POSTERN_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "dns.h"

#define FACTS_MAX 400		/* in one set, wanted ones too */
#define FACTS_BYTES_MAX 60000	/* of one set in wire form */
#define FACT_KEY_MAX 2048
#define FACT_VALUE_MAX 12000	/* so that any fact fits into one message */

enum fact_kind {
	/* told by smtpd; the key is "" unless it is named */
	FACT_TIME = 1,		/* decimal seconds since 1970 */
	FACT_HOST,		/* our own host name */
	FACT_CLIENT_IP,		/* text; IPv4-mapped is IPv4 */
	FACT_HELO,		/* as given */
	FACT_IS_ESMTP,		/* "1" or "0" */
	FACT_TLS,		/* "TLSv1.3 CIPHER", "" without */
	FACT_SENDER,		/* reverse-path without <>, "" is null */
	FACT_SENDER_KEY,	/* the same, its tags stripped */
	FACT_RECIPIENT,		/* the recipient under way, as given */
	FACT_RECIPIENT_KEY,	/* lower case, its tag stripped */
	FACT_N_RECIPIENTS,	/* decimal, accepted so far */
	FACT_IS_EXEMPT,		/* "1": postmaster or abuse */
	FACT_SESSION,		/* id, for texts */
	FACT_IS_TAGGED,		/* "1": a recipient had a valid tag */
	/* asked of resolver: key a name, value put_dns_answer's form */
	FACT_DNS_A = 32, FACT_DNS_AAAA, FACT_DNS_MX, FACT_DNS_TXT,
	FACT_DNS_PTR,
	/* asked of store: the value is that question's answer */
	FACT_GREYLIST = 64,	/* key: "NETWORK\nSENDER\nRECIPIENT";
				 * "new 300", "early 17", "late 300", with
				 * the seconds to wait, "known", "unknown" */
	FACT_SEEN,		/* key: anything; "" never, or decimal
				 * seconds since it was first noted;
				 * "unknown": store is silent */
	FACT_PROOF,		/* key: action, sender, Message-ID, recipient
				 * and trace of proof_ask, a line each;
				 * "none", "good SECONDS", "used", "busy",
				 * "unknown" */
	/* asked of vault */
	FACT_TRACE,		/* key: "TRACE\nSENDER"; "good", "wrong",
				 * "unknown": vault is silent */
	/* results of an earlier stage, handed back as they were given */
	FACT_RESULT = 96,	/* key: check name; value: that check's */
};

struct fact {
	uint16_t kind;
	struct slice key, value;	/* owned by the set */
};

struct facts {
	struct fact *items;
	size_t n;
	struct fact *wanted;		/* values are empty */
	size_t n_wanted;
	size_t bytes;
	bool is_over;			/* a limit was met: nothing more */
};

/* Copies key and value; it is wanted no more. 0, -EEXIST (known already),
 * -ENOBUFS, -ENOMEM. */
int facts_add(struct facts *f, enum fact_kind kind, struct slice key,
    struct slice value);
/* All that from knows and f does not. 0, -ENOBUFS, -ENOMEM. */
int facts_add_all(struct facts *f, const struct facts *from);
/* False when it is not there; nothing is noted. */
bool facts_find(const struct facts *f, enum fact_kind kind,
    struct slice key, struct slice *value);
/* The same, and if it is not there it is wanted; over a limit f->is_over
 * is set instead, and whoever needs it must take that for silence. */
bool facts_get(struct facts *f, enum fact_kind kind, struct slice key,
    struct slice *value);
/* facts_get of a DNS answer; the name is brought to lower case. One that
 * cannot be a name is known: DNS_NO_NAME; so is a malformed value: DNS_FAILED,
 * as silence is never an answer. The records live as long as f. */
bool facts_dns(struct facts *f, enum fact_kind kind, struct slice name,
    struct dns_answer *answer);
/* Releases everything; the set can be used again. */
void facts_free(struct facts *f);

/* Known ones, or wanted ones, in wire form. 0, -ENOBUFS, -ENOMEM. */
int put_facts(struct buf *to, const struct facts *f);
int put_wanted(struct buf *to, const struct facts *f);
/* A part of the known ones: from *at on, what fits into room octets (of
 * which one fact needs at most FACT_KEY_MAX + FACT_VALUE_MAX + 8). Moves *at;
 * it is f->n after the last part. */
int put_facts_part(struct buf *to, const struct facts *f, size_t *at,
    size_t room);
/* Add what put_facts (several times, maybe) or put_wanted wrote. False for
 * anything malformed: what is known already, or more than a set may hold,
 * included. */
bool get_facts(struct slice from, struct facts *f);
bool get_wanted(struct slice from, struct facts *f);

/* The DNS type that a FACT_DNS_ kind asks for; 0: it is no such kind. */
enum dns_type fact_dns_type(enum fact_kind kind);

#endif
