/* SPDX-License-Identifier: ISC */
/*
 * tls_report.h - what became of TLS, as reports count it (RFC 8460 4.2 to
 * 4.4), for this folder only.
 *
 * One row is one day (UTC, as reports are), kind of policy, policy domain
 * and MX host, with a counter for each result. One session, that is one
 * connection on which TLS was wanted, counts once; so does a policy that
 * could not be had, in a row without a host. Today and yesterday are kept,
 * in memory only: a relay that is started again begins anew. What does not
 * fit is counted without a row.
 */
#ifndef RELAY_TLS_REPORT_H
#define RELAY_TLS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define TLS_REPORT_ROWS_MAX 5000	/* of a day */

enum tls_policy { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA,
	TLS_POLICY_COUNT };

enum tls_result {
	TLS_RESULT_OK,
	TLS_RESULT_NO_STARTTLS,
	TLS_RESULT_HOST_MISMATCH,
	TLS_RESULT_EXPIRED,
	TLS_RESULT_NOT_TRUSTED,
	TLS_RESULT_VALIDATION,
	TLS_RESULT_TLSA_INVALID,
	TLS_RESULT_DNSSEC_INVALID,
	TLS_RESULT_STS_FETCH,
	TLS_RESULT_STS_INVALID,
	TLS_RESULT_STS_WEBPKI,
	TLS_RESULT_COUNT
};

struct tls_report;

struct tls_report_key {
	enum tls_policy policy;
	const char *domain;		/* that the policy is of */
	const char *host;		/* an MX, or "" */
};

/* NULL without memory. */
struct tls_report *tls_report_new(void);
void tls_report_free(struct tls_report **report);
/* now_s: wall-clock time. */
void tls_report_add(struct tls_report *report,
    const struct tls_report_key *key, enum tls_result result, int64_t now_s);
/* All days: " tls_sts_successful=12 tls_tlsa_validation-failure=1 ..." */
void tls_report_put_sums(struct buf *to, const struct tls_report *report);
/*
 * A line of key=value for each row of the day, and a last one of what had no
 * row, if any. 0, or -ENOBUFS or -ENOMEM.
 */
int tls_report_put_day(struct buf *to, const struct tls_report *report,
    int64_t now_s, bool is_yesterday);

#endif
