/* SPDX-License-Identifier: ISC */
/*
 * MAIL of our own users, see submit.h: nobody begins without auth's word who
 * he is, and nobody writes as somebody else.
 */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "commands.h"
#include "submit.h"

#define MAY_DEADLINE_MS 10000

bool
session_is_own(const struct session *s)
{
	return s->settings->kind != LISTEN_MX &&
	    (!s->is_self_test || s->is_login_test);
}

/* RFC 8689 2: REQUIRETLS is offered under TLS only, or inside of the host. */
unsigned
submit_mail_offered(const struct session *s)
{
	unsigned offered = COMMAND_SIZE | COMMAND_BODY | COMMAND_SMTPUTF8 |
	    COMMAND_RET | COMMAND_ENVID | COMMAND_AUTH | COMMAND_BARE_LOCAL;

	if (s->tls != NULL || s->settings->kind == LISTEN_LOCAL)
		offered |= COMMAND_REQUIRETLS;
	return offered;
}

unsigned
submit_rcpt_offered(const struct session *s)
{
	(void)s;
	return COMMAND_NOTIFY | COMMAND_ORCPT | COMMAND_BARE_LOCAL;
}

struct complete_names
submit_names(const struct session *s)
{
	return (struct complete_names){ .origin = s->settings->config->origin,
		.hosts = s->settings->host_names };
}

bool
submit_complete(const struct session *s, struct address *a)
{
	const struct complete_names names = submit_names(s);

	if (a->is_null || a->is_postmaster || (a->domain[0] != '\0' &&
	    !complete_is_host(&names, slice_of(a->domain))))
		return true;
	return address_make(a, slice_of(a->local), slice_of(names.origin));
}

enum reply_name
submit_may_begin(const struct session *s)
{
	if (s->user == NULL)
		return REPLY_AUTH_REQUIRED;
	if (s->user->voucher.expires_s <= (uint64_t)clock_wall_s())
		return REPLY_AUTH_EXPIRED;
	return REPLY_COUNT;
}

/* By the local socket; he could become any user first. */
static bool
is_root_of_host(const struct session *s)
{
	return s->settings->kind == LISTEN_LOCAL &&
	    slice_equals(s->user->voucher.user, SLICE("root"));
}

/* RFC 5321 2.4: local parts are the same only octet for octet; our own are
 * compared without case, as directory does by default. */
enum step
submit_ask_may(struct session *s, struct slice address,
    session_then_fn *then, session_answered_fn *answered)
{
	struct may_ask ask = { .user = s->user->voucher.user,
		.address = address };
	struct question q = { .kind = QUESTION_MAY, .fd = -1,
		.deadline_ms = MAY_DEADLINE_MS, .as.may = &ask };

	if (slice_equals_nocase(address, s->user->voucher.address) ||
	    is_root_of_host(s))
		return then(s);
	return session_ask(s, &q, answered);
}

static enum step
sender_answered(struct session *s, struct answer *a)
{
	enum step step;

	note_asked("mail", slice_of(s->tx->reverse_path), a->took_us);
	note_told("user %s", s->user->user);
	if (a->is_known && a->as.may == MAY_SEND)
		return s->tx->after_may(s);
	if (a->is_known && a->as.may == MAY_NOT)
		step = session_reply(s, REPLY_NOT_YOUR_ADDRESS);
	else
		step = session_reply(s, REPLY_DIRECTORY_SILENT);
	transaction_end(s);
	return step;
}

/*
 * A null reverse-path is what read receipts and vacation programs send, and
 * anybody's: no bounce can come of it.
 */
enum step
submit_mail(struct session *s, const struct address *sender,
    session_then_fn *then)
{
	char plain[ADDRESS_TEXT_MAX + 1];
	enum step step;

	if (sender->is_null)
		return then(s);
	if (!address_write(plain, sizeof(plain), slice_of(sender->local),
	    slice_of(sender->domain))) {
		step = session_reply(s, REPLY_SENDER_SYNTAX);
		transaction_end(s);
		return step;
	}
	s->tx->after_may = then;
	return submit_ask_may(s, slice_of(plain), then, sender_answered);
}
