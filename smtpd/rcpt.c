/* SPDX-License-Identifier: ISC */
/*
 * RCPT, the whole story:
 *
 *	cmd_rcpt -> [tag: is it one of ours? (rcpt_bounce.c)]
 *	-> [FAILURE: has it failed by itself lately?] -> ROUTE: who is
 *	that? -> [checks] -> PROBE: can its mailboxes take it, now frozen?
 *	(only told while the last answer holds: believed.h) -> 250
 *
 * Whatever cannot be told is a 451, never a 550 (RFC 5321 4.2.1 leaves the
 * client a way to try again).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "believed.h"
#include "checks.h"
#include "clock.h"
#include "commands.h"
#include "filter_steps.h"
#include "fault.h"
#include "last.h"
#include "limits.h"
#include "log.h"
#include "prdr.h"
#include "rcpt.h"
#include "remembered.h"
#include "self_test.h"
#include "smtp_command.h"
#include "submit.h"
#include "transaction.h"

#define ROUTE_DEADLINE_MS 10000
#define PROBE_DEADLINE_MS 20000

static enum step rcpt_untagged(struct session *s);
static enum step rcpt_find_route(struct session *s);
static enum step rcpt_routed(struct session *s, struct answer *a);
static enum step rcpt_probed(struct session *s, struct answer *a);
static enum step rcpt_join(struct session *s);
static enum step rcpt_add(struct session *s, enum route_kind kind);
static enum step rcpt_remembered(struct session *s, struct answer *a);

/* They can always be reached, even by somebody who guesses addresses. */
static bool
rcpt_is_exempt(const struct address *rcpt)
{
	return strcasecmp(rcpt->local, "postmaster") == 0 ||
	    strcasecmp(rcpt->local, "abuse") == 0;
}

/* RFC 5321 2.4: the domain is the same in any case, the local part is not. */
static bool
is_same_address(const char *a, const char *b)
{
	const char *at = strrchr(a, '@');
	size_t local = at != NULL ? (size_t)(at - a) : strlen(a);

	return strncmp(a, b, local) == 0 && strcasecmp(a + local, b + local)
	    == 0;
}

/* The same again would be a second copy. Its place, or n_recipients. */
static uint16_t
rcpt_find_same(const struct transaction *tx)
{
	uint16_t i = 0;

	while (i < tx->n_recipients &&
	    !is_same_address(tx->recipients[i].address, tx->rcpt.text))
		i++;
	return i;
}

static enum step
rcpt_is_there(struct session *s, uint16_t at)
{
	if ((s->tx->params.given & COMMAND_PRDR) != 0 &&
	    prdr_repeat(s->tx, at) < 0)
		return session_reply(s, REPLY_NO_MEMORY);
	return session_reply(s, REPLY_RCPT_OK);
}

/* A mailbox whose mail goes on as well takes two places at once. */
bool
rcpt_is_full(const struct transaction *tx)
{
	return tx->n_probed >= TRANSACTION_MAX_RECIPIENTS;
}

/* Whoever lives here: no look at that, so harvesters hear all in equal time.
 * REPLY_COUNT: none is met. */
static enum reply_name
rcpt_limit(const struct session *s)
{
	const struct transaction *tx = s->tx;
	unsigned n_accepted = (unsigned)tx->n_recipients + tx->n_repeats;

	if (n_accepted >= s->settings->max_recipients || rcpt_is_full(tx)) {
		note_told("%u are accepted already", n_accepted);
		return REPLY_TOO_MANY_RECIPIENTS;
	}
	if (session_is_own(s) || s->is_relay_peer ||
	    rcpt_is_exempt(&tx->rcpt) ||
	    !limits_is_harvester(s->settings->limits, s->client))
		return REPLY_COUNT;
	note_told("its network asked for more than %u unknown recipients "
	    "(unknown_recipients)",
	    s->settings->config->limits.unknown_recipients);
	return REPLY_HARVEST;
}

/* Too many in an hour, of a client network or of one of our own users? */
static enum reply_name
rcpt_rate(struct session *s)
{
	const struct config_limits *most = &s->settings->config->limits;

	if (session_is_own(s)) {
		if (limits_allow_user_rcpt(s->settings->limits,
		    s->user->voucher.user))
			return REPLY_COUNT;
		note_told("%s: %u in an hour (recipients_per_user)",
		    s->user->user, most->recipients_per_user);
		return REPLY_USER_TOO_MANY_RCPTS;
	}
	if (s->is_relay_peer ||
	    limits_allow_rcpt(s->settings->limits, s->client))
		return REPLY_COUNT;
	note_told("%u in an hour (recipients_per_client)",
	    most->recipients_per_client);
	return REPLY_TOO_MANY_RCPTS;
}

/* user@[192.0.2.1], where that is the address that the client has found us
 * at. RFC 1123 5.2.17: whoever the DNS fails can still reach us. */
static bool
rcpt_is_at_our_ip(const struct session *s)
{
	const struct address *rcpt = &s->tx->rcpt;
	char ip[INET6_ADDRSTRLEN], literal[sizeof("[ipv6:]") + sizeof(ip)];

	if (!rcpt->is_literal)
		return false;
	s->settings->host->local_ip(s->conn, ip);
	snprintf(literal, sizeof(literal), "[%s%s]",
	    strchr(ip, ':') != NULL ? "ipv6:" : "", ip);
	return strcmp(literal, rcpt->domain) == 0;
}

/* The domain that it means then is the origin, if that is one of ours. */
static bool
rcpt_at_origin(const struct session *s)
{
	const struct config *config = s->settings->config;
	struct address *rcpt = &s->tx->rcpt;

	if (config->origin == NULL || config_find_domain(config,
	    slice_of(config->origin)) == NULL)
		return true;
	return address_make(rcpt, slice_of(rcpt->local),
	    slice_of(config->origin));
}

static enum command_result
rcpt_parse(struct session *s, struct slice argument,
    struct rcpt_params *params)
{
	struct transaction *tx = s->tx;
	unsigned offered = tx->params.given & COMMAND_SMTPUTF8;
	enum command_result result;

	if (session_is_own(s))
		offered |= submit_rcpt_offered(s);
	result = command_parse_rcpt(argument, offered, &tx->rcpt, params);
	if (result != COMMAND_OK)
		return result;
	if (rcpt_is_at_our_ip(s) && !rcpt_at_origin(s))
		return COMMAND_BAD_PATH;
	if (!session_is_own(s))
		return COMMAND_OK;
	if (!submit_complete(s, &tx->rcpt))
		return COMMAND_BAD_PATH;
	tx->rcpt_notify = params->notify;
	if (params->orcpt.size == 0)
		return COMMAND_OK;
	tx->rcpt_orcpt = slice_strdup(params->orcpt);
	return tx->rcpt_orcpt != NULL ? COMMAND_OK : COMMAND_NO_MEMORY;
}

enum step
cmd_rcpt(struct session *s, struct slice argument)
{
	struct transaction *tx = s->tx;
	struct rcpt_params params;
	enum command_result result;
	enum reply_name limit;

	s->n_recipients++;
	s->n_idle = 0;
	s->rcpt_began_us = clock_monotonic_us();
	transaction_drop_rcpt(tx);
	result = rcpt_parse(s, argument, &params);
	if (result != COMMAND_OK)
		return session_reply_syntax(s, result, REPLY_RECIPIENT_SYNTAX,
		    params.wrong);
	note_asked("rcpt", slice_of(tx->rcpt.text), 0);
	limit = rcpt_limit(s);
	if (limit != REPLY_COUNT)
		return session_reply(s, limit);
	if (s->is_self_test && self_test_is_reserved(&tx->rcpt))
		return rcpt_add(s, ROUTE_DISCARD);
	if (!s->is_self_test && (s->settings->failing & SELF_TEST_RECIPIENT))
		return session_reply(s, REPLY_SELF_TEST_FAILED);
	limit = rcpt_rate(s);
	if (limit != REPLY_COUNT)
		return session_reply(s, limit);
	return rcpt_untag(s, rcpt_untagged);
}

/* From here on the recipient is known by its plain address. */
static enum step
rcpt_untagged(struct session *s)
{
	uint16_t at = rcpt_find_same(s->tx);

	if (at < s->tx->n_recipients)
		return rcpt_is_there(s, at);
	if (rcpt_is_second_of_bounce(s))
		return session_reply(s, REPLY_ONE_BOUNCE);
	if (s->tx->has_to_be_bounce)
		return session_reply(s, REPLY_OTHER_FATE);
	if (s->settings->n_remembered_failures > 0)
		return remembered_ask(s, rcpt_remembered);
	return rcpt_find_route(s);
}

static enum step
rcpt_remembered(struct session *s, struct answer *a)
{
	note_asked("rcpt", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known)
		return session_reply(s, REPLY_RECORDS_SILENT);
	if (a->as.verdict.code == 0)
		return rcpt_find_route(s);
	remembered_say(s->tx, &a->as.verdict);
	return session_reply_verdict(s, &a->as.verdict, "failure",
	    slice_of(s->tx->rcpt.text));
}

struct route_ask
rcpt_question(const struct session *s)
{
	const struct address *rcpt = &s->tx->rcpt;

	return (struct route_ask){ .session = slice_of(s->id),
		.local = slice_of(rcpt->local),
		.domain = slice_of(rcpt->domain),
		.recipient = slice_of(rcpt->text) };
}

enum step
rcpt_ask_route(struct session *s, session_answered_fn *answered)
{
	struct route_ask ask = rcpt_question(s);
	struct question q = { .kind = QUESTION_ROUTE, .fd = -1,
		.deadline_ms = ROUTE_DEADLINE_MS, .as.route = &ask };

	FAULT_STEP("smtpd.before-route");
	return session_ask(s, &q, answered);
}

/* Nobody learns who lives here by asking for everybody (DESIGN 9). */
enum step
rcpt_count_unknown(struct session *s, enum step step)
{
	if (step != STEP_NEXT)
		return step;
	s->n_unknown++;
	if (session_is_own(s) || s->is_relay_peer ||
	    !limits_note_recipient(s->settings->limits, s->client, true))
		return step;
	note_told("%u unknown in this session; its network may ask for %u "
	    "(unknown_recipients)", s->n_unknown,
	    s->settings->config->limits.unknown_recipients);
	return session_reply(s, REPLY_HARVEST_CLOSE);
}

static enum step
rcpt_unknown(struct session *s, const struct route_answer *route)
{
	enum step step;

	if (s->is_self_test && FAULT("self-test.recipient"))
		return session_reply(s, REPLY_RCPT_OK);
	if (route->alarm.size > 0)
		note_told("%.*s", (int)route->alarm.size, route->alarm.data);
	step = session_reply_verdict(s, &route->verdict, "recipient",
	    slice_of(s->tx->rcpt.text));
	note_count(s, SCOREBOARD_RECIPIENTS_REFUSED, 1);
	if (!route->is_unknown_user || route->is_exempt)
		return step;
	return rcpt_count_unknown(s, step);
}

bool
answer_copy_sealed(const struct answer *a, struct slice *to)
{
	const struct route_answer *route = &a->as.route;
	size_t size = a->fd >= 0 ? route->sealed_size : route->sealed.size;
	char *sealed;

	if (size == 0 || size > ROUTE_MAX_BYTES)
		return false;
	sealed = malloc(size);
	if (sealed == NULL)
		return false;
	*to = (struct slice){ sealed, size };
	if (a->fd >= 0)
		return pread(a->fd, sealed, size, 0) == (ssize_t)size;
	memcpy(sealed, route->sealed.data, size);
	return true;
}

/* Keep the sealed route: it outlives the answer. */
bool
rcpt_keep_route(struct transaction *tx, struct answer *a)
{
	bool is_whole = answer_copy_sealed(a, &tx->rcpt_sealed);

	tx->rcpt_fd = a->fd;
	a->fd = -1;
	return is_whole &&
	    route_open(&tx->rcpt_route, tx->rcpt_sealed, NULL) == 0;
}

/* Deliver has just said so of the same mailbox. */
static bool
is_believed(const struct session *s)
{
	return s->tx->rcpt_fd < 0 && believed_has(s->settings->believed,
	    &s->tx->rcpt_route, clock_monotonic_us());
}

enum step
rcpt_ask_probe(struct session *s, session_answered_fn *answered)
{
	struct transaction *tx = s->tx;
	struct answer yes;
	struct probe_ask ask = {
		.transaction = tx->number,
		.recipient = tx->n_probed,
		.size_bytes = tx->params.size_bytes,
		.session = slice_of(s->id),
		.sealed = tx->rcpt_sealed,
	};
	struct question q = { .kind = QUESTION_PROBE, .fd = tx->rcpt_fd,
		.deadline_ms = PROBE_DEADLINE_MS, .as.probe = &ask };

	if (tx->rcpt_fd >= 0) {
		ask.sealed_size = (uint32_t)tx->rcpt_sealed.size;
		ask.sealed = (struct slice){ NULL, 0 };
	}
	tx->is_probed = true;
	if (!is_believed(s))
		return session_ask(s, &q, answered);
	q.kind = QUESTION_FREEZE;
	session_tell(s, &q);
	answer_init(&yes, true);
	memset(&yes.as.probe, 0, sizeof(yes.as.probe));
	return answered(s, &yes);
}

void
rcpt_note_probe(struct session *s, const struct answer *a)
{
	believed_note(s->settings->believed, &s->tx->rcpt_route,
	    clock_monotonic_us(), a->as.probe.believed_ms);
}

/* A mailbox here; of our own user's, what goes on from it is queue's. */
static int
rcpt_accept(struct session *s, enum route_kind kind)
{
	struct transaction *tx = s->tx;
	struct slice hop = tx->rcpt_hop;
	int error;

	if (!session_is_own(s) || hop.size == 0)
		return transaction_accept(tx, kind);
	tx->rcpt_hop = (struct slice){ NULL, 0 };
	error = transaction_accept(tx, kind);
	if (error == 0) {
		error = submit_accept_forward(s, hop);
		if (error < 0)
			transaction_remove(s, tx->n_recipients - 1);
	}
	slice_free(&hop);
	return error;
}

static enum step
rcpt_add(struct session *s, enum route_kind kind)
{
	bool has_tag = s->tx->rcpt_has_tag;
	bool goes_back = s->tx->rcpt_goes_back;
	int error = rcpt_accept(s, kind);

	transaction_drop_rcpt(s->tx);
	if (error == -EMSGSIZE)
		return session_reply(s, REPLY_OTHER_FATE);
	if (error == -ENOMEM)
		return session_reply(s, REPLY_NO_MEMORY);
	if (error < 0)
		return session_reply(s, REPLY_DIRECTORY_SILENT);
	s->phase = PHASE_RCPT;
	s->tx->has_tag |= has_tag;
	s->tx->goes_back |= goes_back;
	s->tx->has_to_be_bounce = s->tx->goes_back &&
	    *s->tx->reverse_path != '\0';
	if (!session_is_own(s))
		limits_note_recipient(s->settings->limits, s->client, false);
	return session_reply(s, REPLY_RCPT_OK);
}

static enum step
rcpt_wanted(struct session *s)
{
	return milters_rcpt(s, rcpt_join);
}

/* Whoever is here can take it. */
static enum step
rcpt_has_room(struct session *s)
{
	/* whose content is yet to tell that it is a bounce asks nobody else */
	bool is_asked = s->tx->rcpt_hop.size > 0 && !session_is_own(s) &&
	    (!s->tx->rcpt_goes_back || *s->tx->reverse_path == '\0');

	return is_asked ? hop_ask_rcpt(s, rcpt_wanted) : rcpt_wanted(s);
}

static enum step
rcpt_checked(struct session *s)
{
	return s->tx->rcpt_sealed.size == 0 ? rcpt_has_room(s) :
	    rcpt_ask_probe(s, rcpt_probed);
}

static enum step
rcpt_list(struct session *s)
{
	return submit_list(s, rcpt_checked);
}

/* A mailbox must have one; a list or hop has it when somebody is here. */
static bool
route_has_sealed(const struct answer *a)
{
	const struct route_answer *route = &a->as.route;

	return route->kind == ROUTE_MAILBOX ||
	    route->kind == ROUTE_PROGRAM || ((route->kind == ROUTE_LIST ||
	    route->kind == ROUTE_HOP) &&
	    route->sealed.size + route->sealed_size > 0);
}

/* REPLY_COUNT: its next hop or program can have a part in this transaction. */
static enum reply_name
rcpt_keep_hop(const struct session *s, const struct route_answer *route)
{
	struct transaction *tx = s->tx;
	struct hop_route hop;

	if (route->kind == ROUTE_PROGRAM && last_kind_of(tx) != LAST_NONE)
		return REPLY_OTHER_FATE;
	if (route->kind != ROUTE_HOP)
		return REPLY_COUNT;
	if (hop_route_open(&hop, route->hop, NULL) < 0)
		return REPLY_DIRECTORY_SILENT;
	if (!session_is_own(s) && !last_joins(tx, &hop))
		return REPLY_OTHER_FATE;
	tx->rcpt_hop = (struct slice){ slice_strdup(route->hop),
		route->hop.size };
	return tx->rcpt_hop.data != NULL ? REPLY_COUNT : REPLY_NO_MEMORY;
}

static enum step
rcpt_routed(struct session *s, struct answer *a)
{
	const struct route_answer *route = &a->as.route;
	struct transaction *tx = s->tx;
	enum reply_name reply;
	bool is_exempt;

	FAULT_STEP("smtpd.after-route");
	note_asked("rcpt", slice_of(tx->rcpt.text), a->took_us);
	if (!a->is_known)
		return session_reply(s, REPLY_DIRECTORY_SILENT);
	if (submit_is_remote(s, route))
		return submit_rcpt(s);
	if (route->alarm.size > 0)
		log_warning("alarm", LOG_S("session", s->id),
		    LOG_S("recipient", tx->rcpt.text),
		    LOG_SL("text", route->alarm), LOG_END);
	if (route->kind == ROUTE_REFUSE) {
		note_told("%.*s", (int)route->alarm.size, route->alarm.data);
		return rcpt_unknown(s, route);
	}
	is_exempt = route->is_exempt || rcpt_is_exempt(&tx->rcpt);
	if (!is_exempt && rcpt_needs_tag(s))
		return session_reply(s, REPLY_UNTAGGED);
	reply = rcpt_keep_hop(s, route);
	if (reply != REPLY_COUNT)
		return session_reply(s, reply);
	tx->rcpt_is_discarded = route->kind == ROUTE_DISCARD;
	if (route_has_sealed(a) && !rcpt_keep_route(tx, a)) {
		transaction_drop_rcpt(tx);
		return session_reply(s, REPLY_DIRECTORY_SILENT);
	}
	/* a list may have a program among its members here */
	if (route->kind == ROUTE_LIST && tx->rcpt_route.program.size > 0 &&
	    last_kind_of(tx) != LAST_NONE) {
		transaction_drop_rcpt(tx);
		return session_reply(s, REPLY_OTHER_FATE);
	}
	if (route->kind == ROUTE_HOP && session_is_own(s) &&
	    tx->rcpt_sealed.size == 0)
		return submit_forward(s);
	if (route->kind == ROUTE_LIST && session_is_own(s))
		return submit_list(s, rcpt_checked);
	return checks_rcpt(s, is_exempt || rcpt_is_proven(s),
	    route->kind == ROUTE_LIST ? rcpt_list : rcpt_checked);
}

/* directory knows where; but vault has said so of a forward's sender. */
static enum step
rcpt_find_route(struct session *s)
{
	if (!s->tx->rcpt_goes_back)
		return rcpt_ask_route(s, rcpt_routed);
	return checks_rcpt(s, true, rcpt_checked);
}

/* Deliver froze a route that does not join after all. */
static void
rcpt_release(struct session *s, uint16_t index)
{
	struct question q = { .kind = QUESTION_RELEASE, .fd = -1,
		.as.release = { .transaction = s->tx->number,
		.how = RELEASE_RECIPIENT, .recipient = index } };

	session_tell(s, &q);
}

/* Its number is spent: a late answer must not meet another's. */
void
rcpt_refused(struct session *s)
{
	struct transaction *tx = s->tx;
	uint16_t index = tx->n_probed;
	bool is_probed = tx->rcpt_sealed.size > 0;

	transaction_drop_rcpt(tx);
	note_count(s, SCOREBOARD_RECIPIENTS_REFUSED, 1);
	if (!is_probed)
		return;
	tx->n_probed = (uint16_t)(index + 1);
	rcpt_release(s, index);
}

/* Everybody lets it pass. */
static enum step
rcpt_join(struct session *s)
{
	struct transaction *tx = s->tx;
	uint16_t index = tx->n_probed;
	bool is_probed = tx->rcpt_sealed.size > 0;
	enum step step = rcpt_add(s, tx->rcpt_is_discarded ? ROUTE_DISCARD :
	    ROUTE_MAILBOX);

	if (tx->n_probed > index || !is_probed)
		return step;
	tx->n_probed = (uint16_t)(index + 1);
	rcpt_release(s, index);
	return step;
}

static enum step
rcpt_probed(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;
	uint16_t index = tx->n_probed;
	enum step step;

	FAULT_STEP("smtpd.after-probe");
	note_asked("rcpt", slice_of(tx->rcpt.text), a->took_us);
	if (a->is_known && a->as.probe.verdict.code != 0) {
		transaction_drop_rcpt(tx);
		note_count(s, SCOREBOARD_RECIPIENTS_REFUSED, 1);
		return session_reply_verdict(s, &a->as.probe.verdict,
		    "mailbox", slice_of(tx->rcpt.text));
	}
	if (a->is_known) {
		rcpt_note_probe(s, a);
		return rcpt_has_room(s);
	}
	transaction_drop_rcpt(tx);
	step = session_reply(s, REPLY_DELIVER_SILENT);
	/* its number is spent: a late answer must not meet another's */
	tx->n_probed = (uint16_t)(index + 1);
	rcpt_release(s, index);
	return step;
}
