/* SPDX-License-Identifier: ISC */
/*
 * The envelope as milters want it, when the message is complete.
 *
 *	sender -> next to add -> ROUTE -> PROBE -> accepted -> next ...
 *	       -> removals -> (clamd) -> what they want discarded
 *
 * Whom a milter adds is looked up and probed like any other; one who cannot
 * be delivered to now costs the message a 451, because nobody could be told
 * later. When a milter removes the last recipient, the message goes into
 * .Junk instead of nowhere. What becomes of one that they discard is the
 * postmaster's word; it is dropped only when clamd too has let it pass,
 * since a refusal is stricter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"
#include "last.h"
#include "log.h"
#include "rcpt.h"
#include "submit.h"

#define CHANGED_ALLOW (ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL | \
    ADDRESS_ALLOW_BARE_LOCAL)

static enum step added_routed(struct session *s, struct answer *a);
static enum step added_probed(struct session *s, struct answer *a);

static bool
has_recipient(const struct transaction *tx, const char *address)
{
	for (uint16_t i = 0; i < tx->n_recipients; i++)
		if (strcasecmp(tx->recipients[i].address, address) == 0)
			return true;
	return false;
}

void
milters_added_cannot(const struct session *s, const char *address,
    const char *why, struct verdict *v)
{
	log_error("alarm", LOG_S("session", s->id),
	    LOG_S("recipient", address),
	    LOG_S("text", "a milter adds a recipient that cannot be "
	    "delivered to"), LOG_S("why", why), LOG_END);
	note_told("%s: %s", address, why);
	verdict_set(v, 451, 3, 0, "a filter adds a recipient who cannot be "
	    "delivered to now, try again later");
}

static enum step
added_cannot(struct session *s, const char *why)
{
	struct verdict v;

	milters_added_cannot(s, s->tx->rcpt.text, why, &v);
	transaction_drop_rcpt(s->tx);
	return finish_refuse_with(s, &v, "milter");
}

/* ---- of the message as a whole ---- */

static void
note_disposal(struct session *s)
{
	struct milter_changes *changes = &s->tx->changes;
	char told[MILTER_REASON_MAX + 20];

	if (changes->disposal == DISPOSAL_NONE)
		return;
	s->tx->is_junk = s->tx->is_junk ||
	    changes->disposal == DISPOSAL_JUNK;
	snprintf(told, sizeof(told), "%s: %s", changes->reason,
	    changes->disposal == DISPOSAL_DROP ? "dropped" : "into .Junk");
	note_mark(s, "data", "milter", changes->milter, told);
	if (changes->is_spared)
		finish_spare(s, "milter", changes->reason);
}

bool
milters_dispose(struct session *s, struct verdict *v)
{
	struct transaction *tx = s->tx;

	if (tx->changes.disposal == DISPOSAL_DROP) {
		transaction_discard(s);
	} else if (tx->changes.disposal == DISPOSAL_JUNK &&
	    (submit_goes_elsewhere(tx) || last_kind_of(tx) != LAST_NONE)) {
		verdict_set(v, 550, 7, 1, "a filter keeps it back: %s",
		    tx->changes.reason);
		return false;
	}
	return true;
}

/* ---- removals ---- */

/* Was it added again afterwards? Then it stays. */
static bool
is_added_later(const struct milter_changes *changes, size_t from)
{
	for (size_t i = from + 1; i < changes->n_recipients; i++)
		if (!changes->recipients[i].is_removed &&
		    strcasecmp(changes->recipients[i].address,
		    changes->recipients[from].address) == 0)
			return true;
	return false;
}

/* He has one address and, if his mail goes on, two places: at and the next. */
static uint16_t
places_of(const struct transaction *tx, uint16_t at)
{
	return at + 1 < tx->n_recipients && tx->recipients[at + 1].goes_along ?
	    2 : 1;
}

static void
remove_recipient(struct session *s, const char *address)
{
	struct transaction *tx = s->tx;

	for (uint16_t i = 0; i < tx->n_recipients; i++) {
		uint16_t n = places_of(tx, i);

		if (strcasecmp(tx->recipients[i].address, address) != 0)
			continue;
		if (tx->n_recipients > n) {
			while (n-- > 0)
				transaction_remove(s, i);
			i--;
			continue;
		}
		milter_changes_dispose(&tx->changes, DISPOSAL_JUNK,
		    "milters", SLICE("every recipient is removed"));
	}
}

static enum step
recipients_changed(struct session *s)
{
	const struct milter_changes *changes = &s->tx->changes;

	for (size_t i = 0; i < changes->n_recipients; i++)
		if (changes->recipients[i].is_removed &&
		    !is_added_later(changes, i))
			remove_recipient(s, changes->recipients[i].address);
	note_disposal(s);
	return s->after_filter(s);
}

/* ---- additions ---- */

static enum step
add_next(struct session *s)
{
	struct transaction *tx = s->tx;
	const struct changed_recipient *r;

	for (; tx->at_change < tx->changes.n_recipients; tx->at_change++) {
		r = &tx->changes.recipients[tx->at_change];
		if (r->is_removed || has_recipient(tx, r->address))
			continue;
		if (address_parse(&tx->rcpt, slice_of(r->address),
		    CHANGED_ALLOW) != ADDRESS_OK)
			return added_cannot(s, "malformed");
		if (rcpt_is_full(tx))
			return added_cannot(s, "too many recipients");
		tx->at_change++;
		return rcpt_ask_route(s, added_routed);
	}
	return recipients_changed(s);
}

/* "spam" is spam@ the origin, as for sendmail and Postfix. "postmaster" is
 * an address as it is (RFC 5321 4.5.1), which the client may have named. */
static bool
complete_recipient(const struct session *s, struct changed_recipient *r)
{
	struct address a;
	char *whole;

	if (s->settings->config->origin == NULL ||
	    address_parse(&a, slice_of(r->address), CHANGED_ALLOW |
	    ADDRESS_ALLOW_POSTMASTER) != ADDRESS_OK ||
	    *a.domain != '\0' || !submit_complete(s, &a))
		return true;	/* directory says what it is */
	whole = strdup(a.text);
	if (whole == NULL)
		return false;
	free(r->address);
	r->address = whole;
	return true;
}

enum step
milters_change_envelope(struct session *s)
{
	struct transaction *tx = s->tx;

	for (size_t i = 0; i < tx->changes.n_recipients; i++)
		if (!complete_recipient(s, &tx->changes.recipients[i]))
			return finish_refuse(s, REPLY_NO_MEMORY);
	if (tx->changes.sender != NULL) {
		free(tx->reverse_path);
		tx->reverse_path = tx->changes.sender;
		tx->changes.sender = NULL;
		tx->is_sender_changed = true;
	}
	tx->at_change = 0;
	/* nobody gets it, so nobody need be asked */
	if (tx->changes.disposal == DISPOSAL_DROP)
		tx->at_change = tx->changes.n_recipients;
	return add_next(s);
}

static enum step
added_accept(struct session *s, enum route_kind kind)
{
	int error = transaction_accept(s->tx, kind);

	if (error < 0)
		return added_cannot(s, "it cannot be kept");
	s->tx->recipients[s->tx->n_recipients - 1].is_added = true;
	transaction_drop_rcpt(s->tx);
	return add_next(s);
}

/* Of our own users' mail a copy may go elsewhere. */
static enum step
added_remote(struct session *s)
{
	if (transaction_accept_remote(s->tx) < 0)
		return added_cannot(s, "it cannot be kept");
	transaction_drop_rcpt(s->tx);
	return add_next(s);
}

static enum step
added_routed(struct session *s, struct answer *a)
{
	const struct route_answer *route = &a->as.route;

	note_asked("data", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known)
		return added_cannot(s, "directory does not answer");
	if (submit_is_remote(s, route))
		return added_remote(s);
	if (route->kind == ROUTE_REFUSE)
		return added_cannot(s, route->verdict.text);
	if (route->kind == ROUTE_LIST)
		return added_cannot(s, "it is a list with members elsewhere");
	if (route->kind == ROUTE_HOP && session_is_own(s) &&
	    route->sealed.size + route->sealed_size == 0 &&
	    submit_follow(s->tx, route->hop))
		return added_remote(s);
	if (route->kind == ROUTE_HOP)
		return added_cannot(s, "its mail goes on to another host");
	if (route->kind == ROUTE_PROGRAM && last_kind_of(s->tx) != LAST_NONE)
		return added_cannot(s, "another fate");
	if (route->kind == ROUTE_DISCARD)
		return added_accept(s, ROUTE_DISCARD);
	if (!rcpt_keep_route(s->tx, a))
		return added_cannot(s, "its route cannot be kept");
	return rcpt_ask_probe(s, added_probed);
}

static enum step
added_probed(struct session *s, struct answer *a)
{
	note_asked("data", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known)
		return added_cannot(s, "deliver does not answer");
	if (a->as.probe.verdict.code != 0)
		return added_cannot(s, a->as.probe.verdict.text);
	rcpt_note_probe(s, a);
	return added_accept(s, ROUTE_MAILBOX);
}
