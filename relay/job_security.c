/* SPDX-License-Identifier: ISC */
/*
 * job_security.c - what TLS to a host must prove: DANE before MTA-STS
 * before what the configuration wants (RFC 8461 2: a policy must not
 * override DANE).
 */
#include <string.h>
#include "clock.h"
#include "log.h"
#include "relay.h"
#include "sts.h"

#define DANE_WARN_US INT64_C(3600000000)

/* A host that is not tried counts as one session, whatever addresses it has. */
static void
report(struct job *job, struct host *host, enum tls_policy policy,
    enum tls_result result)
{
	const struct tls_report_key key = { policy, job->destination,
		host->name };

	if (!host->is_reported)
		tls_report_add(job->relay->report, &key, result,
		    clock_wall_s());
	host->is_reported = true;
}

/*
 * RFC 7672 3.2.2, for usage 2 (with 3 no name matters): the base domain, and
 * the names that a secure MX was found by.
 */
static void
want_dane_names(const struct hosts *hosts, const struct host *host,
    struct security *s)
{
	s->tls.names[s->tls.n_names++] = host_tlsa_base(host);
	if (hosts->is_implicit)
		return;
	s->tls.names[s->tls.n_names++] = hosts->domain;
	if (*hosts->canonical != '\0')
		s->tls.names[s->tls.n_names++] = hosts->canonical;
}

/* RFC 7672 2.2: records that cannot be used still ask for TLS. */
static bool
secure_dane(struct job *job, struct host *host, struct security *s,
    struct verdict *why)
{
	unsigned n_usable = 0;

	s->policy = TLS_POLICY_TLSA;
	if (host->dane == HOST_DANE_UNKNOWN) {
		report(job, host, TLS_POLICY_TLSA,
		    TLS_RESULT_DNSSEC_INVALID);
		verdict_set(why, 451, 7, 5, "the DNS does not answer for the "
		    "TLSA records of %s", host->name);
		return false;
	}
	s->requires_tls = true;
	s->tls.sni = host_tlsa_base(host);	/* RFC 7672 8.1 */
	for (size_t i = 0; i < host->n_tlsa; i++)
		n_usable += tls_tlsa_is_usable(&host->tlsa[i]);
	if (n_usable == 0) {
		s->result = TLS_RESULT_TLSA_INVALID;
		return true;
	}
	s->tls.check = TLS_CHECK_DANE;
	s->tls.tlsa = host->tlsa;
	s->tls.n_tlsa = host->n_tlsa;
	want_dane_names(&job->hosts, host, s);
	return true;
}

static void
look_at_names(struct host *host, struct security *s)
{
	s->tls.check = TLS_CHECK_NAMES;
	s->tls.names[0] = host->name;
	s->tls.n_names = 1;
	s->tls.may_fail = true;
}

static void
want_names(struct host *host, struct security *s)
{
	look_at_names(host, s);
	s->tls.may_fail = false;
	s->requires_tls = true;
}

static bool
is_proved(const struct security *s)
{
	return s->tls.check != TLS_CHECK_NOTHING && !s->tls.may_fail;
}

/* RFC 8461 5: testing is as enforce, but that mail is delivered. */
static bool
secure_sts(struct job *job, struct host *host, struct security *s,
    struct verdict *why)
{
	bool is_enforced = sts_is_enforced(job->sts);

	s->policy = TLS_POLICY_STS;
	if (is_enforced)
		want_names(host, s);
	else
		look_at_names(host, s);
	if (sts_has_host(job->sts, host->name))
		return true;
	s->result = TLS_RESULT_VALIDATION;
	if (!is_enforced)
		return true;
	report(job, host, TLS_POLICY_STS, TLS_RESULT_VALIDATION);
	verdict_set(why, 451, 7, 5, "the MTA-STS policy of %s does not have "
	    "the host %s", job->hosts.domain, host->name);
	return false;
}

/*
 * RFC 8689 4.2.1: the host's name must be known to be right (DNSSEC or
 * MTA-STS), and its certificate to be of that name.
 */
static bool
secure_required(struct job *job, struct host *host, struct security *s,
    struct verdict *why)
{
	if (is_proved(s))
		return true;
	if (job->hosts.is_secure || next_hop_is_named(job->destination)) {
		want_names(host, s);
		return true;
	}
	verdict_set(why, 550, 7, 30, "the sender requires TLS all the way, "
	    "and nothing proves that %s is a host of %s", host->name,
	    job->hosts.domain);
	return false;
}

/* What the domain says of its next hop, else what relay's section says. */
static enum config_relay_tls
mode_of(const struct job *job)
{
	static const enum config_relay_tls modes[] = {
		[HOP_TLS_OFF] = RELAY_TLS_OFF,
		[HOP_TLS_OPPORTUNISTIC] = RELAY_TLS_OPPORTUNISTIC,
		[HOP_TLS_REQUIRED] = RELAY_TLS_REQUIRED,
	};

	if (job->hop.where.is_unix)
		return RELAY_TLS_OFF;
	return job->hop.fronted == NULL ||
	    job->hop.fronted->next_hop_tls == HOP_TLS_AS_RELAY ?
	    job->relay->settings.tls : modes[job->hop.fronted->next_hop_tls];
}

bool
job_secure(struct job *job, struct host *host, struct security *s,
    struct verdict *why)
{
	enum config_relay_tls mode = mode_of(job);
	struct net_address literal;
	bool is_ok = true;

	*s = (struct security){ .wants_tls = mode != RELAY_TLS_OFF,
		.requires_tls = mode == RELAY_TLS_REQUIRED,
		.policy = TLS_POLICY_NONE };
	if (!net_address_parse(&literal, host->name))
		s->tls.sni = host->name;
	if (mode == RELAY_TLS_DANE || mode == RELAY_TLS_REQUIRED) {
		s->is_dane_off = job->hosts.is_unchecked;
		if (host->dane != HOST_DANE_NONE)
			is_ok = secure_dane(job, host, s, why);
		else if (job->sts != NULL)
			is_ok = secure_sts(job, host, s, why);
	}
	/* what the configuration promises, also without a policy */
	if (is_ok && mode == RELAY_TLS_REQUIRED && !is_proved(s))
		want_names(host, s);
	/* a password goes to nobody else than to whom it is for */
	if (is_ok && job->errand.is_for_smart_host &&
	    job->relay->settings.smart_host_user != NULL && !is_proved(s))
		want_names(host, s);
	if (is_ok && job->errand.requires_tls && !job->hop.where.is_unix) {
		s->wants_tls = s->requires_tls = true;
		is_ok = secure_required(job, host, s, why);
	}
	return is_ok;
}

void
job_note_dane(struct job *job)
{
	struct relay *r = job->relay;
	int64_t now_us = loop_now_us(r->c.loop);

	if (!job->hosts.is_unchecked)
		return;
	if (r->counts.dane_off++ == 0 ||
	    now_us - r->dane_warned_us >= DANE_WARN_US) {
		r->dane_warned_us = now_us;
		log_warning("dane_off", LOG_S("why", "resolver cannot "
		    "validate: see dnssec in posternctl status"),
		    LOG_S("effect", "TLSA records are not looked for"),
		    LOG_U("jobs", r->counts.dane_off), LOG_END);
	}
}
