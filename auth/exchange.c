/* SPDX-License-Identifier: ISC */
/*
 * See exchange.h. A name that is no account's stands in no log: people type
 * their password there.
 */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "dovecot.h"
#include "exchange.h"
#include "log.h"
#include "sasl.h"
#include "scram.h"
#include "verify.h"

#define VOUCHER_LIFE_S 86400

enum stage { STAGE_BEGIN, STAGE_PLAIN, STAGE_NAME, STAGE_PASSWORD,
	STAGE_SCRAM, STAGE_DOVECOT };

struct exchange {
	struct desk *desk;
	uint32_t id;
	enum auth_mechanism mechanism;
	enum stage stage;
	char session[ASK_SESSION_MAX];
	char network[AUTH_NETWORK_MAX];
	char name[SASL_NAME_MAX + 1];	/* LOGIN's first response */
	struct account account;		/* whom it means */
	bool is_known;			/* has an entry, or Dovecot says so */
	struct scram *scram;
	uint32_t asked;			/* of Dovecot, or 0 */
	bool has_begun;			/* SCRAM, with Dovecot */
	char nonce[SASL_SCRAM_FIRST_MAX];
	exchange_done_fn *done;		/* of the step that is out */
	void *arg;
};

struct exchange *
exchange_new(struct desk *desk, const struct auth_step *first)
{
	struct exchange *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->desk = desk;
	e->id = first->exchange;
	e->mechanism = first->mechanism;
	slice_copy(e->session, sizeof(e->session), first->session);
	slice_copy(e->network, sizeof(e->network), first->network);
	return e;
}

void
exchange_free(struct exchange **exchange)
{
	struct exchange *e = *exchange;

	*exchange = NULL;
	if (e == NULL)
		return;
	if (e->asked != 0)
		dovecot_forget(e->desk->dovecot, e->asked);
	scram_free(&e->scram);
	explicit_bzero(e, sizeof(*e));
	free(e);
}

bool
exchange_is_busy(const struct exchange *e)
{
	return e->done != NULL;
}

uint32_t
exchange_id(const struct exchange *e)
{
	return e->id;
}

/* ---- answers ---- */

static void
answer(struct exchange *e, const struct auth_answer *a)
{
	exchange_done_fn *done = e->done;

	e->done = NULL;
	done(a, e->arg);
}

static void
answer_result(struct exchange *e, enum auth_result result)
{
	const struct auth_answer a = { .result = result };

	answer(e, &a);
}

static void
challenge(struct exchange *e, enum stage next, struct slice text)
{
	const struct auth_answer a = { .result = AUTH_CONTINUE,
		.challenge = text };

	e->stage = next;
	answer(e, &a);
}

static void
log_result(const struct exchange *e, const char *event, const char *why)
{
	log_notice(event, LOG_S("session", e->session),
	    LOG_S("client", e->network),
	    LOG_S("mechanism", sasl_name(e->mechanism)),
	    LOG_S("user", e->is_known ? e->account.user : ""),
	    LOG_S("why", why), LOG_END);
}

static void
refuse(struct exchange *e, const char *why)
{
	log_result(e, "auth_refused", why);
	answer_result(e, AUTH_REFUSED);
}

static void
unavailable(struct exchange *e, const char *why)
{
	log_result(e, "auth_unavailable", why);
	answer_result(e, AUTH_UNAVAILABLE);
}

static void
limited(struct exchange *e)
{
	log_result(e, "auth_limited", "too many failures");
	answer_result(e, AUTH_LIMITED);
}

bool
desk_vouch(const struct desk *desk, const struct account *account,
    struct slice session, struct voucher *voucher)
{
	*voucher = (struct voucher){ .user = slice_of(account->user),
		.address = slice_of(account->address), .session = session,
		.expires_s = (uint64_t)clock_wall_s() + VOUCHER_LIFE_S };
	return voucher_make(voucher, desk->key) == 0;
}

static void
grant(struct exchange *e, struct slice last)
{
	struct auth_answer a = { .result = AUTH_OK, .challenge = last };

	if (!desk_vouch(e->desk, &e->account, slice_of(e->session),
	    &a.voucher)) {
		unavailable(e, "cannot vouch for this name");
		return;
	}
	log_info("auth", LOG_S("session", e->session),
	    LOG_S("client", e->network),
	    LOG_S("mechanism", sasl_name(e->mechanism)),
	    LOG_S("user", e->account.user), LOG_END);
	answer(e, &a);
}

/* ---- a name and a password ---- */

static struct guesses_who
who_of(const struct exchange *e)
{
	return (struct guesses_who){ slice_of(e->network),
	    slice_of(e->account.key) };
}

/* What a right password, or one that could not be judged, means. */
static void
settle(struct exchange *e, bool is_right)
{
	const struct guesses_who who = who_of(e);

	guesses_refund(e->desk->guesses, &who);
	if (is_right)
		guesses_note_success(e->desk->guesses, &who);
}

static void
judge_here(struct exchange *e, struct slice password, bool is_one)
{
	const struct guesses_who who = who_of(e);
	struct verify_entry entry;

	verify_find(&entry, e->desk->table, &e->account, is_one);
	e->is_known = entry.is_real;
	if (entry.is_real)
		e->account = entry.account;
	if (!guesses_charge(e->desk->guesses, &who)) {
		limited(e);
		return;
	}
	switch (verify_password(&entry, password)) {
	case VERIFY_RIGHT:
		settle(e, true);
		grant(e, SLICE(""));
		break;
	case VERIFY_WRONG:
		refuse(e, "name or password");
		break;
	case VERIFY_FAILED:
		settle(e, false);
		unavailable(e, "the password cannot be checked now");
		break;
	}
}

/* Dovecot's own name for the account, which may be another. */
static void
granted_by_dovecot(struct exchange *e, const struct dovecot_answer *a)
{
	struct account account;

	if (!account_of_login(&account, e->desk->config, a->user)) {
		refuse(e, "Dovecot's user is in no domain of this server");
		return;
	}
	e->account = account;
	e->is_known = true;
	grant(e, a->text);
}

/*
 * Dovecot says no to a name at once if it has no keys for it. Whoever asks
 * does not see that: he is given a challenge that nobody can answer.
 */
static void
refused_by_dovecot(struct exchange *e)
{
	struct buf out = { .maximum = AUTH_RESPONSE_MAX };
	bool is_first = e->mechanism == AUTH_SCRAM_SHA_256 && !e->has_begun;

	e->has_begun = true;
	if (is_first && scram_decoy(&out, e->desk->key, e->account.key,
	    e->nonce) == 0)
		challenge(e, STAGE_DOVECOT, buf_slice(&out));
	else
		refuse(e, "Dovecot says no");	/* and it is gone */
	buf_free(&out);
}

static void
on_dovecot(const struct dovecot_answer *a, void *arg)
{
	struct exchange *e = arg;

	if (a->result != DOVECOT_MORE)
		e->asked = 0;
	switch (a->result) {
	case DOVECOT_OK:
		settle(e, true);
		granted_by_dovecot(e, a);
		break;
	case DOVECOT_MORE:
		e->has_begun = true;
		challenge(e, STAGE_DOVECOT, a->text);
		break;
	case DOVECOT_REFUSED:
		refused_by_dovecot(e);
		break;
	case DOVECOT_UNAVAILABLE:
		settle(e, false);
		unavailable(e, "Dovecot cannot tell now");
		break;
	}
}

static void
ask_dovecot(struct exchange *e, const struct dovecot_ask *ask)
{
	const struct guesses_who who = who_of(e);

	if (!guesses_charge(e->desk->guesses, &who)) {
		limited(e);
		return;
	}
	e->asked = dovecot_ask(e->desk->dovecot, ask, on_dovecot, e);
	if (e->asked != 0)
		return;
	settle(e, false);
	unavailable(e, "Dovecot is not there");
}

static void
judge(struct exchange *e, const struct sasl_credentials *c)
{
	const struct dovecot_ask ask = { .credentials = *c,
		.client = slice_of(e->network) };
	bool is_one = account_of_login(&e->account, e->desk->config, c->name);

	if (e->desk->dovecot != NULL)
		ask_dovecot(e, &ask);
	else if (e->desk->table == NULL)
		unavailable(e, "there is no table of passwords yet");
	else
		judge_here(e, c->password, is_one);
}

/* ---- PLAIN, LOGIN ---- */

static void
take_plain(struct exchange *e, struct slice response)
{
	struct sasl_credentials c;

	if (sasl_parse_plain(response, &c))
		judge(e, &c);
	else
		refuse(e, "malformed response");
}

static void
take_name(struct exchange *e, struct slice response)
{
	if (!sasl_is_name(response) ||
	    !slice_copy(e->name, sizeof(e->name), response)) {
		refuse(e, "malformed response");
		return;
	}
	challenge(e, STAGE_PASSWORD, SLICE("Password:"));
}

static void
take_password(struct exchange *e, struct slice response)
{
	const struct sasl_credentials c = { slice_of(e->name), response };

	if (sasl_is_password(response))
		judge(e, &c);
	else
		refuse(e, "malformed response");
}

/* ---- SCRAM-SHA-256 ---- */

static bool
keys_for(struct slice name, struct sasl_scram *keys, bool *is_allowed,
    void *arg)
{
	struct exchange *e = arg;
	struct verify_entry entry;
	struct guesses_who who;
	bool is_one = account_of_login(&e->account, e->desk->config, name);

	verify_find(&entry, e->desk->table, &e->account, is_one);
	e->is_known = entry.is_real;
	if (entry.is_real)
		e->account = entry.account;
	who = who_of(e);
	*is_allowed = guesses_charge(e->desk->guesses, &who);
	return verify_scram_keys(&entry, e->desk->table, keys);
}

static void
take_scram(struct exchange *e, struct slice response)
{
	struct buf out = { .maximum = AUTH_RESPONSE_MAX };

	switch (scram_step(e->scram, response, &out)) {
	case SCRAM_MORE:
		challenge(e, STAGE_SCRAM, buf_slice(&out));
		break;
	case SCRAM_DONE:
		settle(e, true);
		grant(e, buf_slice(&out));
		break;
	case SCRAM_WRONG:
		if (scram_is_limited(e->scram))
			limited(e);
		else
			refuse(e, "name, password or malformed response");
		break;
	case SCRAM_FAILED:
		settle(e, false);
		unavailable(e, "out of memory");
		break;
	}
	buf_free(&out);
}

/* Dovecot's, of which we read the name alone: it is what is counted. */
static void
begin_there(struct exchange *e, struct slice response)
{
	const struct dovecot_ask ask = { .is_scram = true, .first = response,
		.client = slice_of(e->network) };
	struct slice nonce;

	if (!sasl_parse_scram_first(response, e->name, &nonce) ||
	    !slice_copy(e->nonce, sizeof(e->nonce), nonce)) {
		refuse(e, "malformed response");
		return;
	}
	(void)account_of_login(&e->account, e->desk->config,
	    slice_of(e->name));
	ask_dovecot(e, &ask);
}

static void
take_there(struct exchange *e, struct slice response)
{
	if (!e->has_begun) {
		begin_there(e, response);
	} else if (e->asked == 0) {
		refuse(e, "Dovecot says no");
	} else if (!dovecot_go_on(e->desk->dovecot, e->asked, response)) {
		e->asked = 0;
		settle(e, false);
		unavailable(e, "Dovecot has gone");
	}
}

/* ---- steps ---- */

static void
begin_scram(struct exchange *e)
{
	if (e->desk->dovecot != NULL) {
		challenge(e, STAGE_DOVECOT, SLICE(""));
		return;
	}
	if (e->desk->table == NULL) {
		unavailable(e, "there is no table of passwords");
		return;
	}
	e->scram = scram_new(keys_for, e);
	if (e->scram == NULL)
		unavailable(e, "out of memory");
	else
		challenge(e, STAGE_SCRAM, SLICE(""));
}

/* Without an initial response the client is asked for its first one. */
static void
begin(struct exchange *e)
{
	switch (e->mechanism) {
	case AUTH_LOGIN:
		challenge(e, STAGE_NAME, SLICE("Username:"));
		break;
	case AUTH_SCRAM_SHA_256:
		begin_scram(e);
		break;
	default:
		challenge(e, STAGE_PLAIN, SLICE(""));
		break;
	}
}

static void
take(struct exchange *e, struct slice response)
{
	switch (e->stage) {
	case STAGE_NAME:
		take_name(e, response);
		break;
	case STAGE_PASSWORD:
		take_password(e, response);
		break;
	case STAGE_SCRAM:
		take_scram(e, response);
		break;
	case STAGE_DOVECOT:
		take_there(e, response);
		break;
	default:
		take_plain(e, response);
		break;
	}
}

/* What comes with the command is the answer to the first challenge. */
static void
on_begun(const struct auth_answer *a, void *arg)
{
	enum auth_result *result = arg;

	*result = a->result;
}

void
exchange_step(struct exchange *e, const struct auth_step *step,
    exchange_done_fn *done, void *arg)
{
	enum auth_result begun = AUTH_CONTINUE;

	if (step->is_first && step->has_response) {
		e->done = on_begun;
		e->arg = &begun;
		begin(e);
	}
	e->done = done;
	e->arg = arg;
	if (begun != AUTH_CONTINUE)
		answer_result(e, begun);
	else if (step->is_first && !step->has_response)
		begin(e);
	else
		take(e, step->response);
}
