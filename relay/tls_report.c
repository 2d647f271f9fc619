/* SPDX-License-Identifier: ISC */
/*
 * tls_report.c - see tls_report.h.
 */
#include "tls_report.h"

static const char *const policies[TLS_POLICY_COUNT] = {
	[TLS_POLICY_NONE] = "none",
	[TLS_POLICY_STS] = "sts",
	[TLS_POLICY_TLSA] = "tlsa",
};

static const char *const results[TLS_RESULT_COUNT] = {
	[TLS_RESULT_OK] = "successful",
	[TLS_RESULT_NO_STARTTLS] = "starttls-not-supported",
	[TLS_RESULT_HOST_MISMATCH] = "certificate-host-mismatch",
	[TLS_RESULT_EXPIRED] = "certificate-expired",
	[TLS_RESULT_NOT_TRUSTED] = "certificate-not-trusted",
	[TLS_RESULT_VALIDATION] = "validation-failure",
	[TLS_RESULT_TLSA_INVALID] = "tlsa-invalid",
	[TLS_RESULT_DNSSEC_INVALID] = "dnssec-invalid",
	[TLS_RESULT_DANE_REQUIRED] = "dane-required",
	[TLS_RESULT_STS_FETCH] = "sts-policy-fetch-error",
	[TLS_RESULT_STS_INVALID] = "sts-policy-invalid",
	[TLS_RESULT_STS_WEBPKI] = "sts-webpki-invalid",
};

void
tls_report_add(struct tls_report *report, enum tls_policy policy,
    enum tls_result result)
{
	report->n[policy][result]++;
}

void
tls_report_put(struct buf *to, const struct tls_report *report)
{
	for (size_t p = 0; p < TLS_POLICY_COUNT; p++)
		for (size_t i = 0; i < TLS_RESULT_COUNT; i++)
			if (report->n[p][i] > 0)
				(void)buf_printf(to, " tls_%s_%s=%llu",
				    policies[p], results[i],
				    (unsigned long long)report->n[p][i]);
}
