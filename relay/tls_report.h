/* SPDX-License-Identifier: ISC */
/*
 * tls_report.h - what became of TLS, as reports count it (RFC 8460 4.2,
 * 4.3), for this folder only. One session is one connection for one policy.
 */
#ifndef RELAY_TLS_REPORT_H
#define RELAY_TLS_REPORT_H

#include <stdint.h>
#include "buf.h"

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
	TLS_RESULT_DANE_REQUIRED,
	TLS_RESULT_STS_FETCH,
	TLS_RESULT_STS_INVALID,
	TLS_RESULT_STS_WEBPKI,
	TLS_RESULT_COUNT
};

struct tls_report {
	uint64_t n[TLS_POLICY_COUNT][TLS_RESULT_COUNT];
};

void tls_report_add(struct tls_report *report, enum tls_policy policy,
    enum tls_result result);
/* "tls_sts_successful=12 tls_tlsa_validation-failure=1 ..." */
void tls_report_put(struct buf *to, const struct tls_report *report);

#endif
