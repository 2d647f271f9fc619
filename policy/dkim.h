/* SPDX-License-Identifier: ISC */
/*
 * dkim.h - DKIM signatures of one message (RFC 6376, 8301, 8463).
 *
 * Each signature is read by our own parser first (dkim_signature.h), its
 * key is taken from the facts, and then libopendkim verifies it in a
 * context of its own: in the library one signature's l= leaks into the
 * next, which would make an appended text part of a signed body.
 *
 *	dkim_library_new (before the sandbox) -> dkim_judge ... -> _free
 *
 * A function of message and facts: x= and t= are compared with FACT_TIME.
 * No I/O, no logging.
 */
#ifndef POSTERN_POLICY_DKIM_H
#define POSTERN_POLICY_DKIM_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "dns.h"
#include "facts.h"

#define DKIM_SIGNATURES_MAX 5	/* evaluated, from the top; RFC 6376 6.1 */
#define DKIM_HEADER_MAX (256 * 1024)	/* octets of all fields */
#define DKIM_FIELDS_MAX 1000
#define DKIM_KEY_BITS_MIN 1024		/* RSA, RFC 8301 3.2 */
#define DKIM_CLOCK_DRIFT_S 300		/* forgiven in t= and x= */

/* RFC 8601 2.7.1 */
enum dkim_status {
	DKIM_NEUTRAL,		/* malformed: as if it were not there */
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_POLICY,		/* good, but not acceptable: parts of the
				 * body are not signed */
	DKIM_TEMPERROR,		/* silence of the DNS, or no memory */
	DKIM_PERMERROR,		/* no usable key */
};

struct dkim_result {
	enum dkim_status status;
	char domain[DNS_NAME_MAX + 1];		/* d=; "" when malformed */
	char selector[DNS_NAME_MAX + 1];
	char signature[9];			/* the first 8 octets of b= */
	char algorithm[16];			/* "rsa-sha256" */
	unsigned key_bits;
	bool is_testing;			/* the key says t=y */
	char reason[64];			/* "" for a pass */
};

struct dkim_report {
	unsigned n_results;
	struct dkim_result results[DKIM_SIGNATURES_MAX];
	unsigned n_ignored;	/* signatures over DKIM_SIGNATURES_MAX */
};

struct dkim_library;

/* Prepares libopendkim and OpenSSL, which open files. 0 or -ENOMEM. */
int dkim_library_new(struct dkim_library **library);
void dkim_library_free(struct dkim_library **library);

/*
 * Judge a message with LF line ends. False when facts are wanted: *report
 * is not to be used then. A message without FACT_TIME is judged at 0.
 */
bool dkim_judge(struct dkim_library *library, struct slice message,
    struct facts *facts, struct dkim_report *report);

const char *dkim_status_name(enum dkim_status status);

#endif
