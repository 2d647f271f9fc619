/* SPDX-License-Identifier: ISC */
/*
 * Recipients that stand for the sender of a forward (srs.h), see rcpt.h:
 * vault says whom a bounce to one is for.
 *
 *	forged, too old			550: nobody bounces off us; what none
 *					of our keys has made may be of the
 *					domain's fallback, which is asked
 *	its sender could be forged	550: nor to a stranger
 *	a sender here			as if he stood there
 *	a sender elsewhere		a bounce is passed on (last.h)
 *
 * Our own users may write to anybody, so the sender takes its place for
 * them.
 */
#include "address.h"
#include "commands.h"
#include "rcpt.h"
#include "srs.h"
#include "submit.h"

#define SRS_DEADLINE_MS 5000

static const struct config_domain *
domain_of(const struct session *s)
{
	return config_find_domain(s->settings->config,
	    slice_of(s->tx->rcpt.domain));
}

/* Forwards of a domain that we only front are not ours. */
bool
rcpt_is_of_forward(const struct session *s)
{
	const struct config_domain *domain = domain_of(s);
	struct srs_tag tag;

	return domain != NULL && domain->next_hop == NULL &&
	    srs_parse(slice_of(s->tx->rcpt.local), &tag);
}

/* Each round takes a layer off, so this ends. */
static enum step
go_on_with(struct session *s, const struct address *original)
{
	struct transaction *tx = s->tx;

	tx->rcpt = *original;
	tx->rcpt_has_tag = true;
	return rcpt_untag(s, tx->then);
}

static bool
is_here(const struct session *s, const struct address *a)
{
	return config_find_domain(s->settings->config, slice_of(a->domain)) !=
	    NULL;
}

/*
 * On to his own server, which is asked before our answer. With a reverse-path
 * it has to be a bounce all the same, as its content will tell. Who asks by
 * MAIL and RCPT alone whether the sender is real hears that he is.
 */
static enum step
go_back_to(struct session *s, struct slice way_back)
{
	struct transaction *tx = s->tx;
	struct hop_route hop;

	if (*tx->reverse_path != '\0' && s->is_relay_peer)
		return session_reply(s, REPLY_SRS_NO_BOUNCE);
	if (*tx->reverse_path != '\0' && tx->n_recipients > 0)
		return session_reply(s, REPLY_OTHER_FATE);
	if (hop_route_open(&hop, way_back, NULL) < 0)
		return session_reply(s, REPLY_SRS_SILENT);
	tx->rcpt_hop = (struct slice){ slice_strdup(way_back),
		way_back.size };
	if (tx->rcpt_hop.data == NULL)
		return session_reply(s, REPLY_NO_MEMORY);
	tx->rcpt_goes_back = tx->rcpt_has_tag = true;
	return tx->then(s);
}

static enum step
passed_on(struct session *s, const struct vault_srs_checked *checked)
{
	struct address original;

	if (address_parse(&original, checked->original, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return session_reply(s, REPLY_SRS_SILENT);
	note_told("of %s", original.text);
	if (session_is_own(s) || is_here(s, &original))
		return go_on_with(s, &original);
	return go_back_to(s, checked->way_back);
}

static enum step
srs_checked(struct session *s, struct answer *a)
{
	const struct vault_srs_checked *checked = &a->as.srs;

	note_asked("rcpt", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known)
		return session_reply(s, REPLY_SRS_SILENT);
	switch (checked->result) {
	case SRS_VALID:
		return passed_on(s, checked);
	case SRS_UNAUTHENTICATED:
		if (session_is_own(s))
			return passed_on(s, checked);
		note_told("of %.*s, who had passed neither SPF nor DKIM",
		    (int)checked->original.size, checked->original.data);
		return session_reply(s, REPLY_SRS_STRANGER);
	case SRS_EXPIRED:
		note_told("of %.*s", (int)checked->original.size,
		    checked->original.data);
		return session_reply(s, REPLY_SRS_EXPIRED);
	default:
		note_told("none of our keys has made it");
		if (domain_of(s)->fallback != NULL)
			return s->tx->then(s);
		return rcpt_count_unknown(s, session_reply(s,
		    REPLY_SRS_WRONG));
	}
}

enum step
rcpt_ask_forward(struct session *s)
{
	const struct vault_srs_check check = { .session = slice_of(s->id),
		.recipient = slice_of(s->tx->rcpt.text) };
	struct question q = { .kind = QUESTION_SRS_CHECK, .fd = -1,
		.deadline_ms = SRS_DEADLINE_MS, .as.srs_check = &check };

	return session_ask(s, &q, srs_checked);
}
