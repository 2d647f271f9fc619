/* SPDX-License-Identifier: ISC */
/*
 * tls_report.c - see tls_report.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "log.h"
#include "tls_report.h"
#include "trail.h"

#define DAY_S 86400
#define N_CHAINS 1024
#define LINE_MAX_OCTETS 4096

struct row {
	struct row *next;		/* in its chain */
	enum tls_policy policy;
	uint32_t n[TLS_RESULT_COUNT];
	size_t domain_size;		/* with its NUL; the host follows */
	char names[];
};

struct day {
	int64_t day;			/* since 1970; 0: none */
	size_t n_rows;
	uint64_t n_left_out;
	struct row *chains[N_CHAINS];
};

struct tls_report {
	struct day today, yesterday;
	uint64_t sums[TLS_POLICY_COUNT][TLS_RESULT_COUNT];
	uint64_t seed;
};

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
	[TLS_RESULT_STS_FETCH] = "sts-policy-fetch-error",
	[TLS_RESULT_STS_INVALID] = "sts-policy-invalid",
	[TLS_RESULT_STS_WEBPKI] = "sts-webpki-invalid",
};

/* ---- days ---- */

static void
day_clear(struct day *d)
{
	for (size_t i = 0; i < N_CHAINS; i++) {
		struct row *row = d->chains[i], *next;

		for (; row != NULL; row = next) {
			next = row->next;
			free(row);
		}
	}
	memset(d, 0, sizeof *d);
}

/* A clock that is set back by days begins anew too. */
static void
turn_to(struct tls_report *r, int64_t day)
{
	if (r->today.day == day)
		return;
	day_clear(&r->yesterday);
	r->yesterday = r->today;
	memset(&r->today, 0, sizeof r->today);
	r->today.day = day;
}

struct tls_report *
tls_report_new(void)
{
	struct tls_report *r = calloc(1, sizeof *r);

	if (r != NULL)
		arc4random_buf(&r->seed, sizeof r->seed);
	return r;
}

void
tls_report_free(struct tls_report **report)
{
	if (*report == NULL)
		return;
	day_clear(&(*report)->today);
	day_clear(&(*report)->yesterday);
	free(*report);
	*report = NULL;
}

/* ---- rows ---- */

static struct row **
chain_of(struct tls_report *r, const struct tls_report_key *key)
{
	uint64_t hash = r->seed ^ (uint64_t)key->policy;

	for (const char *c = key->domain; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	for (const char *c = key->host; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	return &r->today.chains[(hash ^ hash >> 32) % N_CHAINS];
}

static struct row *
row_new(struct tls_report *r, const struct tls_report_key *key)
{
	size_t domain = strlen(key->domain) + 1;
	size_t host = strlen(key->host) + 1;
	struct row *row = r->today.n_rows < TLS_REPORT_ROWS_MAX ?
	    calloc(1, sizeof *row + domain + host) : NULL;

	if (row == NULL)
		return NULL;
	row->policy = key->policy;
	row->domain_size = domain;
	memcpy(row->names, key->domain, domain);
	memcpy(row->names + domain, key->host, host);
	r->today.n_rows++;
	return row;
}

static struct row *
row_of(struct tls_report *r, const struct tls_report_key *key)
{
	struct row **chain = chain_of(r, key), *row = *chain;

	while (row != NULL && (row->policy != key->policy ||
	    strcmp(row->names, key->domain) != 0 ||
	    strcmp(row->names + row->domain_size, key->host) != 0))
		row = row->next;
	if (row != NULL)
		return row;
	row = row_new(r, key);
	if (row != NULL) {
		row->next = *chain;
		*chain = row;
	}
	return row;
}

void
tls_report_add(struct tls_report *r, const struct tls_report_key *key,
    enum tls_result result, int64_t now_s)
{
	struct row *row;

	turn_to(r, now_s / DAY_S);
	r->sums[key->policy][result]++;
	row = row_of(r, key);
	if (row != NULL)
		row->n[result]++;
	else
		r->today.n_left_out++;
}

/* ---- for people ---- */

void
tls_report_put_sums(struct buf *to, const struct tls_report *r)
{
	for (size_t p = 0; p < TLS_POLICY_COUNT; p++)
		for (size_t i = 0; i < TLS_RESULT_COUNT; i++)
			if (r->sums[p][i] > 0)
				(void)buf_printf(to, " tls_%s_%s=%llu",
				    policies[p], results[i],
				    (unsigned long long)r->sums[p][i]);
}

static int
put_row(struct buf *to, const struct row *row, const char *date)
{
	struct buf line = { .maximum = LINE_MAX_OCTETS };
	struct slice text;
	uint64_t failed = 0;
	int error;

	for (size_t i = TLS_RESULT_OK + 1; i < TLS_RESULT_COUNT; i++)
		failed += row->n[i];
	trail_put_values(&line, (const struct log_value[]){
	    LOG_S("day", date), LOG_S("policy", policies[row->policy]),
	    LOG_S("domain", row->names),
	    LOG_S("mx", row->names + row->domain_size),
	    LOG_U("successful", row->n[TLS_RESULT_OK]),
	    LOG_U("failed", failed), LOG_END });
	for (size_t i = TLS_RESULT_OK + 1; i < TLS_RESULT_COUNT; i++)
		if (row->n[i] > 0)
			(void)buf_printf(&line, " %s=%u", results[i],
			    (unsigned)row->n[i]);
	text = slice_trim(buf_slice(&line));
	error = buf_printf(to, "%.*s\n", (int)text.size, text.data);
	buf_free(&line);
	return error;
}

static const struct day *
day_of(const struct tls_report *r, int64_t day)
{
	return r->today.day == day ? &r->today :
	    r->yesterday.day == day ? &r->yesterday : NULL;
}

int
tls_report_put_day(struct buf *to, const struct tls_report *r,
    int64_t now_s, bool is_yesterday)
{
	int64_t number = now_s / DAY_S - is_yesterday;
	const struct day *d = day_of(r, number);
	const time_t begin = (time_t)(number * DAY_S);
	char date[16] = "";
	struct tm tm;
	int error = 0;

	if (gmtime_r(&begin, &tm) != NULL)
		(void)strftime(date, sizeof date, "%Y-%m-%d", &tm);
	for (size_t i = 0; d != NULL && !error && i < N_CHAINS; i++)
		for (const struct row *row = d->chains[i]; !error &&
		    row != NULL; row = row->next)
			error = put_row(to, row, date);
	if (d != NULL && !error && d->n_left_out > 0)
		error = buf_printf(to, "day=%s left_out=%llu\n", date,
		    (unsigned long long)d->n_left_out);
	return error;
}
