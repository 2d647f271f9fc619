/* SPDX-License-Identifier: ISC */
/*
 * A transaction's memory and its one end, see transaction.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "checks.h"
#include "clock.h"
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"
#include "last.h"
#include "limits.h"
#include "remembered.h"
#include "submit.h"

/* Unique in each channel: of this process, never used again. */
static uint64_t last_number;

static void
recipient_free(struct recipient *r)
{
	free(r->address);
	free(r->orcpt);
	route_close(&r->route);
	slice_free(&r->sealed);
	slice_free(&r->members);
	slice_free(&r->hop);
}

void
transaction_drop_rcpt(struct transaction *tx)
{
	route_close(&tx->rcpt_route);
	slice_free(&tx->rcpt_sealed);
	slice_free(&tx->rcpt_members);
	slice_free(&tx->rcpt_hop);
	if (tx->rcpt_fd >= 0)
		close(tx->rcpt_fd);
	tx->rcpt_fd = -1;
	free(tx->rcpt_orcpt);
	tx->rcpt_orcpt = NULL;
	tx->rcpt_notify = 0;
	tx->rcpt_has_tag = tx->rcpt_goes_back = false;
	tx->rcpt_is_discarded = false;
}

static void
transaction_free(struct transaction **txp)
{
	struct transaction *tx = *txp;
	uint16_t i;

	*txp = NULL;
	if (tx == NULL)
		return;
	for (i = 0; i < tx->n_recipients; i++)
		recipient_free(&tx->recipients[i]);
	free(tx->recipients);
	transaction_drop_rcpt(tx);
	body_close(&tx->body);
	if (tx->message_fd >= 0)
		close(tx->message_fd);
	buf_free(&tx->trace);
	buf_free(&tx->authors);
	signing_free(&tx->signing);
	last_free(&tx->last);
	free(tx->reverse_path);
	free(tx->envid);
	free(tx->key);
	free(tx->done);
	free(tx->failures);
	remembered_free(&tx->remembered);
	free(tx->repeats);
	free(tx->refusal);
	free(tx->unless_done);
	free(tx->unless_noted);
	free(tx->noted);
	milter_changes_free(&tx->changes);
	free(tx);
}

struct transaction *
transaction_begin(const struct address *sender,
    const struct mail_params *params)
{
	char key[ADDRESS_TEXT_MAX + 1];
	struct transaction *tx = calloc(1, sizeof(*tx));

	if (tx == NULL)
		return NULL;
	tx->number = ++last_number;
	tx->began_us = clock_monotonic_us();
	tx->params = *params;
	tx->message_fd = tx->rcpt_fd = tx->body.fd = -1;
	address_write_key(key, sender);
	tx->key = strdup(key);
	tx->reverse_path = strdup(sender->text);
	/* the slice points into the command's line */
	tx->params.envid = (struct slice){ NULL, 0 };
	if (params->envid.size > 0)
		tx->envid = slice_strdup(params->envid);
	if (tx->key == NULL || tx->reverse_path == NULL ||
	    (params->envid.size > 0 && tx->envid == NULL))
		transaction_free(&tx);
	return tx;
}

void
transaction_end(struct session *s)
{
	if (s->tx != NULL) {
		milters_end(s);
		finish_release(s, RELEASE_ALL);
		submit_abort(s);
		if (s->tx->is_counted)
			limits_count(s->settings->limits,
			    SCOREBOARD_TRANSACTIONS_NOW, -1);
		limits_unreserve(s->settings->limits, s->client,
		    &s->tx->reserved_bytes);
	}
	if (s->tx != NULL && s->spent_fd < 0) {
		s->spent_fd = s->tx->message_fd;
		s->tx->message_fd = -1;
	}
	transaction_free(&s->tx);
	checks_end_transaction(s);
	s->phase = s->helo != NULL ? PHASE_READY : PHASE_CONNECTED;
	s->mode = INPUT_LINES;
}

const struct recipient *
recipient_find(const struct recipient *recipients, size_t n, uint16_t index)
{
	for (size_t i = 0; i < n; i++)
		if (recipients[i].index == index)
			return &recipients[i];
	return NULL;
}

bool
recipient_is_mailbox(const struct recipient *r)
{
	return r->route.n_leaves > 0 && r->failure == NULL;
}

bool
recipient_has_hop(const struct recipient *r)
{
	return r->hop.size > 0 && r->failure == NULL && !r->is_last_done;
}

bool
recipient_has_program(const struct recipient *r)
{
	return r->route.program.size > 0 && r->failure == NULL &&
	    !r->is_last_done;
}

bool
recipient_is_queued(const struct recipient *r)
{
	return r->members.size > 0;
}

/* Room for one more; grows by doubling. */
static struct recipient *
recipients_grow(struct transaction *tx)
{
	struct recipient *grown;
	size_t n = tx->n_recipients;

	if ((n & (n - 1)) == 0) {
		grown = reallocarray(tx->recipients, n == 0 ? 1 : n * 2,
		    sizeof(*grown));
		if (grown == NULL)
			return NULL;
		tx->recipients = grown;
	}
	memset(&tx->recipients[n], 0, sizeof(tx->recipients[n]));
	return &tx->recipients[n];
}

/* What the RCPT under way wants to hear of it. */
static void
recipient_take_dsn(struct transaction *tx, struct recipient *r)
{
	r->notify = tx->rcpt_notify;
	r->orcpt = tx->rcpt_orcpt;
	tx->rcpt_orcpt = NULL;
}

int
transaction_accept_remote(struct transaction *tx)
{
	struct recipient *r = recipients_grow(tx);

	if (r == NULL)
		return -ENOMEM;
	r->address = strdup(tx->rcpt.text);
	if (r->address == NULL)
		return -ENOMEM;
	r->is_remote = true;
	recipient_take_dsn(tx, r);
	r->index = tx->n_probed++;
	tx->n_recipients++;
	tx->n_remote++;
	return 0;
}

int
transaction_accept(struct transaction *tx, enum route_kind kind)
{
	size_t bytes = tx->rcpt_sealed.size + tx->rcpt_members.size +
	    tx->rcpt_hop.size;
	struct recipient *r;
	int error = 0;

	if (tx->routes_bytes + bytes > TRANSACTION_ROUTES_MAX)
		return -EMSGSIZE;
	r = recipients_grow(tx);
	if (r == NULL)
		return -ENOMEM;
	r->address = strdup(tx->rcpt.text);
	if (r->address == NULL)
		return -ENOMEM;
	r->is_discarded = kind == ROUTE_DISCARD;
	if (tx->rcpt_hop.size > 0)
		error = hop_route_open(&r->hop_route, tx->rcpt_hop, NULL);
	if (error < 0) {
		free(r->address);
		return error;
	}
	recipient_take_dsn(tx, r);
	r->index = tx->n_probed;
	r->route = tx->rcpt_route;
	tx->rcpt_route = (struct route){ 0 };
	r->sealed = tx->rcpt_sealed;
	r->members = tx->rcpt_members;
	r->hop = tx->rcpt_hop;
	tx->rcpt_sealed = tx->rcpt_members = tx->rcpt_hop =
	    (struct slice){ NULL, 0 };
	tx->n_lists += r->members.size > 0;
	tx->routes_bytes += bytes;
	tx->n_recipients++;
	tx->n_probed++;
	return 0;
}

/* deliver need not keep anything for it. */
static void
recipient_release(struct session *s, const struct recipient *r)
{
	struct question q = { .kind = QUESTION_RELEASE, .fd = -1,
		.as.release = { .transaction = s->tx->number,
		.how = RELEASE_RECIPIENT, .recipient = r->index } };

	if (recipient_is_mailbox(r) || r->route.program.size > 0)
		session_tell(s, &q);
}

void
transaction_discard(struct session *s)
{
	struct transaction *tx = s->tx;
	struct recipient *r;

	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++) {
		recipient_release(s, r);
		route_close(&r->route);
		slice_free(&r->hop);
		slice_free(&r->members);
		r->is_remote = false;
		r->is_discarded = true;
	}
	tx->n_remote = tx->n_lists = 0;
}

void
transaction_remove(struct session *s, uint16_t at)
{
	struct transaction *tx = s->tx;

	recipient_release(s, &tx->recipients[at]);
	tx->n_remote -= tx->recipients[at].is_remote;
	tx->n_lists -= tx->recipients[at].members.size > 0;
	tx->routes_bytes -= tx->recipients[at].sealed.size +
	    tx->recipients[at].members.size + tx->recipients[at].hop.size;
	recipient_free(&tx->recipients[at]);
	tx->n_recipients--;
	memmove(&tx->recipients[at], &tx->recipients[at + 1],
	    (size_t)(tx->n_recipients - at) * sizeof(*tx->recipients));
}

uint32_t
transaction_time_left_ms(const struct transaction *tx)
{
	int64_t used_us = clock_monotonic_us() - tx->dot_us;
	int64_t left_s = CHECKS_BUDGET_S - (used_us + 999999) / 1000000;

	/* Whole steps of 5 s: timers of one duration share one list. */
	if (left_s < 1)
		return 0;
	return (uint32_t)(left_s < 5 ? 5 : left_s / 5 * 5) * 1000;
}

uint64_t
transaction_last_number(void)
{
	return last_number;
}

unsigned
session_max_recipients(const struct config *config)
{
	unsigned most = config->limits.recipients;

	return most == 0 || most > TRANSACTION_MAX_RECIPIENTS ?
	    TRANSACTION_MAX_RECIPIENTS : most;
}
