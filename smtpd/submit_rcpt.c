/* SPDX-License-Identifier: ISC */
/*
 * A recipient elsewhere, see submit.h:
 *
 *	MX -> [none: A -> AAAA] -> [probe] -> milters -> 250, for queue
 *
 * What is sure to fail is refused now, in the user's own program. Where DNS
 * is silent the message is taken, and no next hop is asked: it is our own
 * user's, it can be tried again, and if it fails its bounce comes home.
 */
#include <errno.h>
#include <string.h>
#include "commands.h"
#include "dns.h"
#include "filter_steps.h"
#include "limits.h"
#include "submit.h"

#define DNS_DEADLINE_MS 5000

static enum step mx_answered(struct session *s, struct answer *a);
static enum step a_answered(struct session *s, struct answer *a);
static enum step aaaa_answered(struct session *s, struct answer *a);

static enum step
remote_refuse(struct session *s, enum reply_name reply)
{
	enum step step = session_reply_with(s, reply,
	    slice_of(s->tx->rcpt.domain));

	transaction_drop_rcpt(s->tx);
	note_count(s, SCOREBOARD_RECIPIENTS_REFUSED, 1);
	return step;
}

static enum step
remote_add(struct session *s)
{
	int error = transaction_accept_remote(s->tx);

	transaction_drop_rcpt(s->tx);
	if (error < 0)
		return session_reply(s, REPLY_NO_MEMORY);
	s->phase = PHASE_RCPT;
	return session_reply(s, REPLY_RCPT_OK);
}

static enum step
remote_takes_mail(struct session *s)
{
	return milters_rcpt(s, remote_add);
}

static enum step
remote_has_host(struct session *s)
{
	return submit_ask_hop(s, remote_takes_mail);
}

static enum step
remote_ask(struct session *s, enum dns_type type,
    session_answered_fn *answered)
{
	struct dns_ask ask = { .type = type,
		.name = slice_of(s->tx->rcpt.domain) };
	struct question q = { .kind = QUESTION_DNS, .fd = -1,
		.deadline_ms = DNS_DEADLINE_MS, .as.dns = &ask };

	return session_ask(s, &q, answered);
}

/* What DNS says; silence for what cannot be read. */
static enum dns_status
remote_answer(struct session *s, const struct answer *a,
    struct dns_answer *dns)
{
	note_asked("rcpt", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known || !get_dns_answer(a->as.octets, dns))
		return DNS_FAILED;
	return dns->status;
}

/* RFC 7505 3: one record, with the root for a host. */
static bool
is_null_mx(const struct dns_answer *dns)
{
	uint16_t preference;
	struct slice host;

	return dns->n_records == 1 &&
	    dns_mx(dns->records[0].data, &preference, &host) && host.size == 0;
}

static enum step
mx_answered(struct session *s, struct answer *a)
{
	static struct dns_answer dns;	/* large */

	switch (remote_answer(s, a, &dns)) {
	case DNS_OK:
		if (is_null_mx(&dns))
			return remote_refuse(s, REPLY_NULL_MX);
		return remote_has_host(s);
	case DNS_NO_NAME:
		note_told("DNS: no such name");
		return remote_refuse(s, REPLY_NO_DOMAIN);
	case DNS_NO_DATA:
		return remote_ask(s, DNS_A, a_answered);
	default:
		return remote_takes_mail(s);
	}
}

/* RFC 5321 5.1: without MX the domain itself is the host. */
static enum step
a_answered(struct session *s, struct answer *a)
{
	static struct dns_answer dns;	/* large */
	enum dns_status status = remote_answer(s, a, &dns);

	if (status == DNS_NO_DATA || status == DNS_NO_NAME)
		return remote_ask(s, DNS_AAAA, aaaa_answered);
	return status == DNS_OK ? remote_has_host(s) : remote_takes_mail(s);
}

static enum step
aaaa_answered(struct session *s, struct answer *a)
{
	static struct dns_answer dns;	/* large */
	enum dns_status status = remote_answer(s, a, &dns);

	if (status == DNS_OK)
		return remote_has_host(s);
	if (status == DNS_FAILED)
		return remote_takes_mail(s);
	note_told("DNS: neither MX nor address");
	return remote_refuse(s, REPLY_NO_DOMAIN);
}

static const struct config_domain *
domain_of(const struct session *s)
{
	return config_find_domain(s->settings->config,
	    slice_of(s->tx->rcpt.domain));
}

bool
submit_is_remote(const struct session *s, const struct route_answer *route)
{
	const struct config_domain *domain = domain_of(s);

	return session_is_own(s) && (route->is_elsewhere ||
	    (domain != NULL && domain->next_hop != NULL));
}

/* A domain of ours has its host, its fallback's users too; with a smart host
 * all DNS of the world may be its business alone. */
static bool
is_asked_about(const struct session *s)
{
	return !s->tx->rcpt.is_literal && domain_of(s) == NULL &&
	    s->settings->config->relay.smart_host == NULL;
}

/* Where it leads to; false: that is no address. */
static bool
forward_parse(struct slice sealed, struct address *to)
{
	struct hop_route hop;

	return hop_route_open(&hop, sealed, NULL) == 0 &&
	    address_parse(to, hop.address, ADDRESS_ALLOW_UTF8) == ADDRESS_OK;
}

bool
submit_follow(struct transaction *tx, struct slice hop)
{
	struct address to;

	if (!forward_parse(hop, &to))
		return false;
	tx->rcpt = to;
	return true;
}

enum step
submit_forward(struct session *s)
{
	struct transaction *tx = s->tx;

	if (!submit_follow(tx, tx->rcpt_hop)) {
		transaction_drop_rcpt(tx);
		return session_reply(s, REPLY_DIRECTORY_SILENT);
	}
	return submit_rcpt(s);
}

/*
 * RFC 3461 5.2.7.3 c: of success the mailbox tells; the rest of NOTIFY holds
 * for what goes on, and who wants to hear of success alone hears no more.
 */
static unsigned
notify_of_forward(unsigned notify)
{
	return notify == NOTIFY_SUCCESS ? NOTIFY_NEVER :
	    notify & ~(unsigned)NOTIFY_SUCCESS;
}

int
submit_accept_forward(struct session *s, struct slice hop)
{
	struct transaction *tx = s->tx;
	const struct recipient *mailbox =
	    &tx->recipients[tx->n_recipients - 1];
	struct address to, given = tx->rcpt;
	int error;

	if (!forward_parse(hop, &to))
		return -EBADMSG;
	if (mailbox->orcpt != NULL) {
		tx->rcpt_orcpt = strdup(mailbox->orcpt);
		if (tx->rcpt_orcpt == NULL)
			return -ENOMEM;
	}
	tx->rcpt = to;
	tx->rcpt_notify = notify_of_forward(mailbox->notify);
	error = transaction_accept_remote(tx);
	if (error == 0)
		tx->recipients[tx->n_recipients - 1].goes_along = true;
	tx->rcpt = given;
	return error;
}

enum step
submit_rcpt(struct session *s)
{
	if (!is_asked_about(s))
		return remote_has_host(s);
	return remote_ask(s, DNS_MX, mx_answered);
}
