/* SPDX-License-Identifier: ISC */
/*
 * next_hops.c - asks the next hops whether they accept everybody; see
 * backscatter.h.
 *
 *	connect to all -> become relay's user -> of each: greeting, EHLO or
 *	LHLO, STARTTLS as for mail, then for each of its domains MAIL FROM:<>,
 *	RCPT of a name that nobody has, RSET, and once more with postmaster
 *	-> QUIT
 *
 * postmaster must exist (RFC 5321 4.5.1): a server that refuses both takes
 * nothing for that domain, and its refusal says nothing of unknown names. At a
 * fallback he need not: his mail is taken here.
 * No message is ever begun.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "backscatter.h"
#include "check.h"
#include "clock.h"
#include "compartment.h"
#include "hop_talk.h"

#define HOPS_MAX 64
#define TOTAL_MS 120000

struct asking {
	const struct config *config;
	bool is_privileged;
	struct config_problems *problems;
	char nobody[48];		/* a local part that nobody has */
	struct hop hops[HOPS_MAX];
	size_t n;
};

/* ---- what it means ---- */

static void
warn(const struct asking *a, const struct hop *hop,
    const struct config_domain *domain, const char *name, const char *what)
{
	config_problem_add(a->problems, domain->line, true, "backscatter: "
	    "domain \"%s\": its next hop %s %s (\"%s\")", name,
	    hop->next_hop, what, hop->said);
}

static void
ask_about(const struct asking *a, struct hop *hop,
    const struct config_domain *domain, const char *name)
{
	char refusal[HOP_SAID_MAX];
	int code = hop_ask(hop, a->nobody, name);

	if (code / 100 == 2) {
		warn(a, hop, domain, name, "accepts a recipient whom nobody "
		    "has: it bounces such mail later, to whoever the message "
		    "names as its sender. Let it refuse unknown recipients at "
		    "RCPT");
		return;
	}
	if (code / 100 != 5) {
		warn(a, hop, domain, name, "could not be asked whether it "
		    "accepts everybody");
		return;
	}
	memcpy(refusal, hop->said, sizeof refusal);
	if (domain->fallback == NULL &&
	    hop_ask(hop, "postmaster", name) / 100 == 5)
		warn(a, hop, domain, name, "refuses even postmaster: does it "
		    "take mail for this domain at all?");
	else
		config_problem_add(a->problems, domain->line, true, "note: "
		    "domain \"%s\": its next hop %s refuses a recipient whom "
		    "nobody has, as it should (\"%s\")", name, hop->next_hop,
		    refusal);
}

static void
ask_hop(const struct asking *a, struct hop *hop)
{
	(void)hop_greet(hop, a->config->hostname);
	for (size_t i = 0; i < a->config->n_domains; i++) {
		const struct config_domain *d = &a->config->domains[i];

		if (config_domain_hop(d) == NULL ||
		    strcmp(config_domain_hop(d), hop->next_hop) != 0)
			continue;
		ask_about(a, hop, d, d->name);
		for (size_t k = 0; k < d->same_as.n; k++)
			ask_about(a, hop, d, d->same_as.items[k]);
	}
	hop_close(hop);
}

/* ---- all of them ---- */

static enum hop_tls
tls_of(const struct config *config, const struct config_domain *domain)
{
	static const enum hop_tls modes[] = {
		[HOP_TLS_OFF] = HOP_NO_TLS,
		[HOP_TLS_OPPORTUNISTIC] = HOP_MAY_TLS,
		[HOP_TLS_REQUIRED] = HOP_MUST_TLS,
	};

	if (config_hop_path(config_domain_hop(domain)) != NULL)
		return HOP_NO_TLS;
	if (domain->next_hop_tls != HOP_TLS_AS_RELAY)
		return modes[domain->next_hop_tls];
	return config->relay.tls == RELAY_TLS_OFF ? HOP_NO_TLS :
	    config->relay.tls == RELAY_TLS_REQUIRED ? HOP_MUST_TLS :
	    HOP_MAY_TLS;
}

static void
collect(struct asking *a)
{
	const struct config *config = a->config;

	for (size_t i = 0; i < config->n_domains; i++) {
		const struct config_domain *d = &config->domains[i];
		const char *hop = config_domain_hop(d);

		if (hop == NULL || config_find_hop(config, hop) != d)
			continue;
		if (a->n == HOPS_MAX) {
			config_problem_add(a->problems, d->line, true,
			    "backscatter: more than %d next hops: those from "
			    "here on were not asked", HOPS_MAX);
			return;
		}
		a->hops[a->n++] = (struct hop){ .next_hop = hop,
			.tls = tls_of(config, d), .fd = -1, .end_us =
			clock_monotonic_us() + TOTAL_MS * (int64_t)1000 };
	}
}

static void
name_nobody(struct asking *a)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof number, 0) != sizeof number)
		number = (uint64_t)clock_monotonic_us();
	snprintf(a->nobody, sizeof a->nobody, "postern-asks-%016llx",
	    (unsigned long long)number);
}

static void
ask_all(void *arg, struct config_problems *problems)
{
	struct asking *a = arg;

	a->problems = problems;
	signal(SIGPIPE, SIG_IGN);	/* TLS writes where somebody hung up */
	name_nobody(a);
	collect(a);
	for (size_t i = 0; i < a->n; i++)
		hop_open(&a->hops[i]);
	/* as root it could be told to do more by what it reads */
	if (a->is_privileged)
		check_become_role(a->config, ROLE_RELAY);
	for (size_t i = 0; i < a->n; i++)
		ask_hop(a, &a->hops[i]);
}

int
next_hops_ask(const struct config *config, bool is_privileged,
    struct config_problems *problems)
{
	struct asking *a = calloc(1, sizeof *a);
	int error;

	if (a == NULL)
		return -ENOMEM;
	a->config = config;
	a->is_privileged = is_privileged;
	error = check_in_child(ask_all, a, problems);
	free(a);
	return error;
}
