/* SPDX-License-Identifier: ISC */
/*
 * MAIL: begins a transaction (RFC 5321 4.1.1.2) and reserves the memory that
 * SIZE= announces (RFC 1870 6.1).
 */
#include <inttypes.h>
#include "checks.h"
#include "commands.h"
#include "fault.h"
#include "filter_steps.h"
#include "limits.h"
#include "smtp_command.h"
#include "submit.h"
#include "transaction.h"

#define MAIL_OFFERED (COMMAND_SIZE | COMMAND_BODY | COMMAND_SMTPUTF8 | \
	COMMAND_PRDR)

static enum step
mail_filtered(struct session *s)
{
	return session_reply(s, REPLY_MAIL_OK);
}

static enum step
mail_checked(struct session *s)
{
	return milters_mail(s, mail_filtered);
}

static enum step
mail_begin(struct session *s, const struct address *sender,
    const struct mail_params *params)
{
	s->tx = transaction_begin(sender, params);
	if (s->tx == NULL)
		return session_reply(s, REPLY_NO_MEMORY);
	if (!limits_reserve(s->settings->limits, s->client,
	    &s->tx->reserved_bytes, params->size_bytes)) {
		transaction_end(s);
		return session_reply(s, REPLY_BUDGET_USED);
	}
	s->tx->is_counted = !s->is_self_test;
	note_count(s, SCOREBOARD_TRANSACTIONS_NOW, 1);
	s->phase = PHASE_MAIL;
	s->n_mails += !s->is_self_test;	/* it needs three */
	note_asked("mail", slice_of(s->tx->reverse_path), 0);
	return session_is_own(s) ? submit_mail(s, sender, mail_checked) :
	    checks_mail(s, sender, mail_checked);
}

/* Whether anybody may begin now, whatever he would say. */
static enum reply_name
mail_may_begin(const struct session *s)
{
	unsigned most = s->settings->config->limits.messages_per_session;

	if (s->tls_mode == TLS_REQUIRED && s->tls == NULL)
		return REPLY_TLS_REQUIRED;
	if (most != 0 && s->n_mails >= most)
		return REPLY_TOO_MANY_MAILS;
	if (!s->is_self_test && (s->settings->failing & SELF_TEST_LOGIN))
		return REPLY_SELF_TEST_FAILED;
	return session_is_own(s) ? submit_may_begin(s) : REPLY_COUNT;
}

static enum command_result
mail_parse(const struct session *s, struct slice argument,
    struct address *sender, struct mail_params *params)
{
	unsigned offered = session_is_own(s) ? submit_mail_offered(s) :
	    s->tls != NULL ? MAIL_OFFERED | COMMAND_REQUIRETLS : MAIL_OFFERED;
	enum command_result result = command_parse_mail(argument,
	    s->is_esmtp ? offered : offered & COMMAND_BARE_LOCAL, sender,
	    params);

	if (result != COMMAND_OK || !session_is_own(s) ||
	    submit_complete(s, sender))
		return result;
	return COMMAND_BAD_PATH;
}

/* Too many in an hour, of a client network or of one of our own users? */
static enum reply_name
mail_limit(struct session *s)
{
	const struct config_limits *most = &s->settings->config->limits;

	if (session_is_own(s)) {
		if (limits_allow_user_mail(s->settings->limits,
		    s->user->voucher.user))
			return REPLY_COUNT;
		note_told("%s: %u in an hour (messages_per_user)",
		    s->user->user, most->messages_per_user);
		return REPLY_USER_TOO_FAST;
	}
	if (s->is_relay_peer ||
	    limits_allow_mail(s->settings->limits, s->client))
		return REPLY_COUNT;
	note_told("%u in an hour (messages_per_client)",
	    most->messages_per_client);
	return REPLY_TOO_FAST;
}

enum step
cmd_mail(struct session *s, struct slice argument)
{
	uint64_t most_bytes = limits_message_bytes(s->settings->limits);
	struct address sender;
	struct mail_params params;
	enum command_result result;
	enum reply_name refusal = mail_may_begin(s);

	if (s->is_login_test && FAULT("self-test.login"))
		refusal = REPLY_MAIL_OK;
	if (refusal != REPLY_COUNT)
		return session_reply(s, refusal);
	result = mail_parse(s, argument, &sender, &params);
	if (result != COMMAND_OK)
		return session_reply_syntax(s, result, REPLY_SENDER_SYNTAX,
		    params.wrong);
	if (most_bytes != 0 && params.size_bytes > most_bytes) {
		note_told("%" PRIu64 " octets, at most %" PRIu64,
		    params.size_bytes, most_bytes);
		return session_reply(s, REPLY_TOO_LARGE);
	}
	refusal = mail_limit(s);
	if (refusal != REPLY_COUNT)
		return session_reply(s, refusal);
	return mail_begin(s, &sender, &params);
}
