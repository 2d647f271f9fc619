/* SPDX-License-Identifier: ISC */
/*
 * facts_fixture.h - facts written as text, for tests that judge them.
 *
 *	const char *const facts[] = { "ip 192.0.2.1", "helo mx.example",
 *	    "MX example.org 10 mx.example.org", "A mx.example.org 192.0.2.7",
 *	    "TXT x.example NXDOMAIN", "grey 192.0.2.0/24|a@b|c@d new 300" };
 *
 * Of a DNS fact the records are separated by " ; "; NXDOMAIN, NODATA and
 * FAILED are answers without any.
 */
#ifndef POSTERN_TESTS_FACTS_FIXTURE_H
#define POSTERN_TESTS_FACTS_FIXTURE_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "facts.h"

static const struct {
	const char *word;
	enum fact_kind kind;
} fact_words[] = {
	{ "time", FACT_TIME }, { "host", FACT_HOST }, { "ip", FACT_CLIENT_IP },
	{ "helo", FACT_HELO }, { "sender", FACT_SENDER },
	{ "sender_key", FACT_SENDER_KEY }, { "recipient", FACT_RECIPIENT },
	{ "recipient_key", FACT_RECIPIENT_KEY }, { "exempt", FACT_IS_EXEMPT },
	{ "A", FACT_DNS_A }, { "AAAA", FACT_DNS_AAAA }, { "MX", FACT_DNS_MX },
	{ "TXT", FACT_DNS_TXT }, { "PTR", FACT_DNS_PTR },
	{ "grey", FACT_GREYLIST }, { "seen", FACT_SEEN },
	{ "proof", FACT_PROOF }, { "trace", FACT_TRACE },
	{ "tagged", FACT_IS_TAGGED }, { "result", FACT_RESULT },
};

/* One record of a type, from its text. */
static struct slice
fact_record(enum fact_kind kind, const char *text)
{
	static char room[8][256];
	static unsigned next;
	char *to = room[next++ % 8], *host;
	unsigned long preference;

	switch (kind) {
	case FACT_DNS_A:
		return (struct slice){ to,
		    inet_pton(AF_INET, text, to) == 1 ? 4 : 0 };
	case FACT_DNS_AAAA:
		return (struct slice){ to,
		    inet_pton(AF_INET6, text, to) == 1 ? 16 : 0 };
	case FACT_DNS_MX:
		preference = strtoul(text, &host, 10);
		to[0] = (char)(preference >> 8);
		to[1] = (char)preference;
		strcpy(to + 2, strcmp(host, " .") == 0 ? "" : host + 1);
		return (struct slice){ to, 2 + strlen(to + 2) };
	default:
		return slice_of(strcpy(to, text));
	}
}

static void
fact_add_dns(struct facts *f, enum fact_kind kind, const char *name,
    char *text)
{
	struct dns_answer a = { .status = DNS_OK };
	struct buf wire = { 0 };

	if (strcmp(text, "NXDOMAIN") == 0)
		a.status = DNS_NO_NAME;
	else if (strcmp(text, "NODATA") == 0)
		a.status = DNS_NO_DATA;
	else if (strcmp(text, "FAILED") == 0)
		a.status = DNS_FAILED;
	while (a.status == DNS_OK && text != NULL) {
		char *end = strstr(text, " ; ");

		if (end != NULL)
			*end = '\0';
		a.records[a.n_records++].data = fact_record(kind, text);
		text = end != NULL ? end + 3 : NULL;
	}
	if (put_dns_answer(&wire, &a) != 0 || facts_add(f, kind,
	    slice_of(name), buf_slice(&wire)) != 0)
		abort();
	buf_free(&wire);
}

static void
fact_add_line(struct facts *f, const char *line)
{
	char copy[1024], *word = copy, *key, *value;
	size_t i = 0;

	snprintf(copy, sizeof copy, "%s", line);
	key = strchr(word, ' ');
	if (key == NULL)
		abort();
	*key++ = '\0';
	while (strcmp(fact_words[i].word, word) != 0)
		if (++i == sizeof fact_words / sizeof *fact_words)
			abort();
	if (fact_words[i].kind < FACT_DNS_A) {
		if (facts_add(f, fact_words[i].kind, SLICE(""),
		    slice_of(key)) != 0)
			abort();
		return;
	}
	value = strchr(key, ' ');
	if (value == NULL)
		abort();
	*value++ = '\0';
	for (char *c = key; *c != '\0'; c++)
		if (*c == '|')
			*c = '\n';
	if (fact_dns_type(fact_words[i].kind) != 0)
		fact_add_dns(f, fact_words[i].kind, key, value);
	else if (facts_add(f, fact_words[i].kind, slice_of(key),
	    slice_of(value)) != 0)
		abort();
}

#endif
