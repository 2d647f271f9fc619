/* SPDX-License-Identifier: ISC */
/*
 * spf_suite.c - check identities over real DNS: what policy's SPF wants is
 * looked up through libunbound, which asks the one server that is named.
 *
 *	spf_suite ADDRESS@PORT < cases
 *
 * A case is a line "name TAB client-ip TAB helo TAB reverse-path"; for each
 * a line "name TAB result TAB explanation TAB rounds TAB problem" is
 * written. Each case has a cache of its own.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unbound.h>
#include "../../policy/spf.h"

#define DEADLINE_MS 1500	/* of one question: then it is silence */
#define ROUNDS_MAX 60

struct question {
	enum fact_kind kind;
	char name[DNS_NAME_MAX + 1];
	bool is_done;
	struct ub_result *result;
	int id;
};

static void
require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "spf_suite: %s\n", what);
	exit(2);
}

static struct ub_ctx *
new_context(const char *server)
{
	static const char *const zones[] = { "2.0.192.in-addr.arpa.",
		"100.51.198.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa." };
	struct ub_ctx *ctx = ub_ctx_create();

	require(ctx != NULL, "ub_ctx_create");
	/* neither files nor built-in zones may answer */
	require(!ub_ctx_set_option(ctx, "do-not-query-localhost:", "no") &&
	    !ub_ctx_set_option(ctx, "unblock-lan-zones:", "yes") &&
	    !ub_ctx_set_option(ctx, "insecure-lan-zones:", "yes") &&
	    !ub_ctx_set_fwd(ctx, server) && !ub_ctx_async(ctx, 1),
	    "ub_ctx_set_option");
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		ub_ctx_zone_remove(ctx, zones[i]);
	return ctx;
}

/* Presentation form: dots between labels, \DDD for what is unusual. */
static void
put_name(char *to, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if (c == '.' || c == '-' || c == '_' ||
		    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
			*to++ = (char)c;
		else
			to += sprintf(to, "\\%03u", c);
	}
	strcpy(to, ".");
}

/* A wire-form name without escapes. */
static void
put_wire_name(struct buf *to, const uint8_t *at, const uint8_t *end)
{
	bool is_first = true;

	while (at < end && *at > 0 && at + 1 + *at <= end) {
		if (!is_first)
			buf_append(to, ".", 1);
		buf_append(to, at + 1, *at);
		at += 1 + *at;
		is_first = false;
	}
}

static void
put_record(struct buf *to, enum fact_kind kind, const uint8_t *data,
    size_t size)
{
	switch (kind) {
	case FACT_DNS_TXT:
		for (size_t i = 0; i < size; i += 1 + data[i])
			buf_append(to, data + i + 1, data[i]);
		break;
	case FACT_DNS_MX:
		buf_append(to, data, 2);
		put_wire_name(to, data + 2, data + size);
		break;
	case FACT_DNS_PTR:
		put_wire_name(to, data, data + size);
		break;
	default:
		buf_append(to, data, size);
		break;
	}
}

static void
on_answer(void *argument, int error, struct ub_result *result)
{
	struct question *q = argument;

	q->is_done = true;
	q->result = error ? NULL : result;
}

static enum dns_status
status_of(const struct question *q)
{
	if (!q->is_done || q->result == NULL)
		return DNS_FAILED;
	if (q->result->rcode == 3)
		return DNS_NO_NAME;
	if (q->result->rcode != 0)
		return DNS_FAILED;
	return q->result->havedata ? DNS_OK : DNS_NO_DATA;
}

static void
add_answer(struct facts *facts, const struct question *q)
{
	struct dns_answer answer = { .status = status_of(q) };
	struct buf records[DNS_RECORDS_MAX] = { { 0 } }, wire = { 0 };

	for (size_t n = 0; answer.status == DNS_OK && n < DNS_RECORDS_MAX &&
	    q->result->data[n] != NULL; n++) {
		put_record(&records[n], q->kind,
		    (const uint8_t *)q->result->data[n],
		    (size_t)q->result->len[n]);
		answer.records[n].data = buf_slice(&records[n]);
		answer.n_records++;
	}
	require(put_dns_answer(&wire, &answer) == 0 &&
	    facts_add(facts, q->kind, slice_of(q->name), buf_slice(&wire)) ==
	    0, "facts_add");
	for (size_t n = 0; n < answer.n_records; n++)
		buf_free(&records[n]);
	buf_free(&wire);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
wait_for(struct ub_ctx *ctx, struct question *questions, size_t n)
{
	int64_t end = now_ms() + DEADLINE_MS;

	for (;;) {
		struct pollfd p = { .fd = ub_fd(ctx), .events = POLLIN };
		size_t n_open = 0;

		for (size_t i = 0; i < n; i++)
			n_open += !questions[i].is_done;
		if (n_open == 0 || now_ms() >= end)
			return;
		poll(&p, 1, (int)(end - now_ms()));
		ub_process(ctx);
	}
}

/* All that is wanted, at the same time. */
static void
answer_wanted(struct ub_ctx *ctx, struct facts *facts)
{
	size_t n = facts->n_wanted;
	struct question *questions = calloc(n, sizeof *questions);

	require(questions != NULL, "calloc");
	for (size_t i = 0; i < n; i++) {
		char text[4 * DNS_NAME_MAX + 8];
		struct question *q = &questions[i];

		q->kind = facts->wanted[i].kind;
		require(slice_copy(q->name, sizeof q->name,
		    facts->wanted[i].key), "a name too long");
		put_name(text, q->name);
		if (ub_resolve_async(ctx, text, fact_dns_type(q->kind), 1, q,
		    on_answer, &q->id))
			q->is_done = true;
	}
	wait_for(ctx, questions, n);
	for (size_t i = 0; i < n; i++) {
		add_answer(facts, &questions[i]);
		if (!questions[i].is_done)
			ub_cancel(ctx, questions[i].id);
		ub_resolve_free(questions[i].result);
	}
	free(questions);
}

static void
run_case(const char *server, char *line)
{
	const char *name = strsep(&line, "\t"), *ip = strsep(&line, "\t");
	const char *helo = strsep(&line, "\t");
	struct spf_query query = { .client_ip = ip, .helo = slice_of(helo),
		.sender = slice_of(line), .host = SLICE("mx.example.com"),
		.time_s = 1700000000 };
	struct ub_ctx *ctx = new_context(server);
	struct facts facts = { 0 };
	struct spf_answer answer;
	unsigned rounds = 0;

	require(line != NULL, "a line has four fields");
	while (!spf_check(&facts, &query, &answer)) {
		require(facts.n_wanted > 0, "not complete, nothing wanted");
		require(++rounds < ROUNDS_MAX, "too many rounds");
		answer_wanted(ctx, &facts);
	}
	printf("%s\t%s\t%s\t%u\t%s\n", name, spf_result_name(answer.result),
	    answer.explanation, rounds, answer.problem);
	fflush(stdout);
	facts_free(&facts);
	ub_ctx_delete(ctx);
}

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	require(argc == 2, "usage: spf_suite ADDRESS@PORT < cases");
	while ((n = getline(&line, &room, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		run_case(argv[1], line);
	}
	free(line);
	return 0;
}
