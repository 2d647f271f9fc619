/* SPDX-License-Identifier: ISC */
/*
 * spf_walk.h - one evaluation of one identity's policy, while libspf2 is at
 * work: the records that were read, and the terms that were handed out.
 *
 *	record of a domain -> spf_walk_enter -> "v=spf1 ?a:t4.spf -all"
 *	libspf2 asks for t4.spf -> spf_layer -> the name behind term 4 -> facts
 *
 * A walk is over as soon as a fact is missing or an error is found: errors
 * of DNS, of syntax and of limits anywhere are the result of the whole
 * (RFC 7208 4.6, 5.2, 6.1). The library is then told only to give up.
 */
#ifndef POSTERN_SPF_WALK_H
#define POSTERN_SPF_WALK_H

#include "spf.h"
#include "spf_macro.h"
#include "spf_record.h"

/* The first record and one for each look-up that fetches another. */
#define SPF_RECORDS_MAX (SPF_LOOKUPS_MAX + 1)
/* Terms of one record; the last one only trips the limit. */
#define SPF_TERMS_MAX (SPF_LOOKUPS_MAX + 2)
/* A record as the library gets it. It loses terms, silently, when they need
 * more than 511 octets of its memory; SPF_TERMS_MAX need at most 400. */
#define SPF_TEXT_MAX 600
/* For texts that macro letters stand for. */
#define SPF_VALUES_ROOM 1400

/* How the library's question about a term is answered. */
enum spf_asked {
	SPF_ASKED_ADDRESSES,	/* a: its addresses */
	SPF_ASKED_HOSTS,	/* mx: its hosts, then their addresses */
	SPF_ASKED_ANY_ADDRESS,	/* a/0: 127.0.0.2, or nothing */
	SPF_ASKED_ANY_HOST,	/* mx/0: the same */
	SPF_ASKED_EXISTS,
	SPF_ASKED_PTR,		/* ptr: 127.0.0.2, or nothing */
	SPF_ASKED_INCLUDE,
	SPF_ASKED_REDIRECT,
};

struct spf_handed {
	enum spf_asked asked;
	struct slice spec;	/* empty: the record's own domain */
	uint8_t record;		/* index of the one that holds it */
};

struct spf_entered {
	char domain[DNS_NAME_MAX + 1];
	struct slice exp;
	size_t first, n;	/* its terms */
};

struct spf_walk {
	struct facts *facts;
	const struct spf_query *query;
	bool is_ip6;
	uint8_t client[16];		/* four octets, or sixteen */
	char local[640], sender_domain[DNS_NAME_MAX + 1];
	struct spf_entered records[SPF_RECORDS_MAX];
	size_t n_records;
	struct spf_handed terms[SPF_RECORDS_MAX * SPF_TERMS_MAX];
	size_t n_terms;
	size_t exp_record;		/* whose explanation counts (6.2) */
	unsigned n_lookups, n_voids;
	/* over: */
	bool is_missing;		/* facts are wanted */
	bool is_failed;
	enum spf_result result;		/* of is_failed */
	char problem[SPF_PROBLEM_MAX + 1];
};

/* Whether there is an address to check; fills client. */
bool spf_walk_client(struct spf_walk *w, const char *ip);
bool spf_walk_is_over(const struct spf_walk *w);
/* The walk is over with this result; the first one stands. */
void spf_walk_fail(struct spf_walk *w, enum spf_result result,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The answer to a question; false: the walk is over. */
bool spf_walk_dns(struct spf_walk *w, enum fact_kind kind, const char *name,
    struct dns_answer *answer);
/* A or AAAA, as the client has it. */
enum fact_kind spf_walk_address_kind(const struct spf_walk *w);
/* One more term that asks; false: over the limit. */
bool spf_walk_count(struct spf_walk *w);
/* One more of them whose answer was empty; false: over the limit. */
bool spf_walk_count_void(struct spf_walk *w);

/*
 * Read a domain's record and write it as the library shall have it. False:
 * the walk is over, or (*is_none) the domain has none.
 */
bool spf_walk_enter(struct spf_walk *w, const char *domain,
    char text[SPF_TEXT_MAX], bool *is_none);

/* What a macro-string of this record is made of. False: over. */
bool spf_walk_values(struct spf_walk *w, size_t record, struct slice text,
    struct spf_values *values, char room[SPF_VALUES_ROOM]);
/*
 * The name behind a term. False: over. *is_name is false where it expands
 * to what no name can be (RFC 8616 4): no question is asked then.
 */
bool spf_walk_name(struct spf_walk *w, const struct spf_handed *term,
    char name[DNS_NAME_MAX + 1], bool *is_name);
/* Want what the other terms of a record will ask for, from this one on. */
void spf_walk_foresee(struct spf_walk *w, size_t term);

/* Whether the client's reverse names, confirmed, hold one in domain (5.5).
 * False: over. */
bool spf_ptr_match(struct spf_walk *w, const char *domain, bool *is_match);
/* A confirmed name for %{p}, else "unknown" (7.3). False: over. */
bool spf_ptr_name(struct spf_walk *w, const char *domain,
    char name[DNS_NAME_MAX + 1]);

/* Let libspf2 evaluate the record of the first domain. */
enum spf_result spf_layer_run(struct spf_walk *w, const char *text);

#endif
