/* SPDX-License-Identifier: ISC */
/*
 * spf.h - may this client send mail for this domain? (RFC 7208)
 *
 * libspf2 decides, but what it is given is made here: each record is read by
 * a strict parser (spf_record.h) and refused, or written anew with names of
 * our own, which its DNS layer (spf_layer.c) answers from facts. Look-ups
 * are counted, macros expanded and explanations written by us. So nothing
 * that a sender wrote reaches the library; doc/internals.md says why.
 *
 * Pure: the same facts give the same answer. No I/O, no logging.
 */
#ifndef POSTERN_SPF_H
#define POSTERN_SPF_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "dns.h"
#include "facts.h"

#define SPF_LOOKUPS_MAX 10	/* terms that ask DNS (4.6.4) */
#define SPF_VOIDS_MAX 2		/* of these, terms whose answer is empty */
#define SPF_HOSTS_MAX 10	/* names of one MX or PTR answer */
#define SPF_EXPLANATION_MAX 250	/* octets; longer ones are cut */
#define SPF_PROBLEM_MAX 200

enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL,
	SPF_TEMPERROR, SPF_PERMERROR };
enum spf_identity { SPF_MAILFROM, SPF_HELO };

struct spf_query {
	const char *client_ip;	/* text; IPv4-mapped is IPv4 */
	struct slice helo;	/* as given */
	struct slice sender;	/* reverse-path without <>; "" is null: then
				 * postmaster@helo is checked (2.4) */
	struct slice host;	/* our own name */
	int64_t time_s;
};

struct spf_answer {
	enum spf_result result;
	enum spf_identity identity;
	char domain[DNS_NAME_MAX + 1];	/* checked; "" if it is no name */
	/* of fail: the domain's own words, printable ASCII; "" for none */
	char explanation[SPF_EXPLANATION_MAX + 1];
	/* of temperror, permerror: what is wrong, printable ASCII */
	char problem[SPF_PROBLEM_MAX + 1];
	unsigned n_lookups, n_voids;
};

/*
 * False: facts are wanted (more than one, where they can be asked for
 * together). Have them answered, and call again; nothing is kept.
 */
bool spf_check(struct facts *facts, const struct spf_query *q,
    struct spf_answer *a);

/* "pass", as in RFC 7208 2.6. */
const char *spf_result_name(enum spf_result result);
/* The whole field with its LF (9.1), folded. 0, -ENOBUFS or -ENOMEM. */
int spf_put_received(struct buf *to, const struct spf_query *q,
    const struct spf_answer *a);

#endif
