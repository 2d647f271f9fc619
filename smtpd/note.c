/* SPDX-License-Identifier: ISC */
/*
 * What is written down about a session: the log, the trail, the counters.
 *
 * A handler says what it asked before it replies (note_asked); whatever is
 * refused within the same call was decided on that.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "checks.h"
#include "clock.h"
#include "commands.h"
#include "limits.h"
#include "log.h"
#include "tls.h"
#include "trail.h"
#include "transaction.h"

#define ASKED_MAX 200

static struct noted {
	const char *stage;
	char what[ASKED_MAX + 1];
	char told[ASKED_MAX + 1];
	uint32_t took_us;
} asked;

void
note_asked(const char *stage, struct slice what, uint32_t took_us)
{
	if (what.size > ASKED_MAX)
		what.size = ASKED_MAX;
	asked.stage = stage;
	asked.took_us = took_us;
	memcpy(asked.what, what.data, what.size);
	asked.what[what.size] = '\0';
	asked.told[0] = '\0';
}

void
note_told(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vsnprintf(asked.told, sizeof(asked.told), format, ap) < 0)
		asked.told[0] = '\0';
	va_end(ap);
}

struct noted *
note_hold(void)
{
	struct noted *held = malloc(sizeof(*held));

	if (held != NULL)
		*held = asked;
	return held;
}

void
note_resume(struct noted **held)
{
	if (*held != NULL)
		asked = **held;
	else
		note_asked("data", SLICE(""), 0);
	free(*held);
	*held = NULL;
}

void
note_count(const struct session *s, enum scoreboard_counter counter,
    unsigned n)
{
	if (n > 0 && !s->is_self_test)
		limits_count(s->settings->limits, counter, n);
}

void
note_rcpt_answered(struct session *s)
{
	static const int64_t most_us[] = { 5000, 50000, 500000, 5000000 };
	int64_t took_us;

	if (s->rcpt_began_us == 0)
		return;
	took_us = clock_monotonic_us() - s->rcpt_began_us;
	s->rcpt_began_us = 0;
	for (size_t i = 0; i < sizeof(most_us) / sizeof(most_us[0]); i++)
		note_count(s, SCOREBOARD_RCPT_WITHIN_5MS + i,
		    took_us <= most_us[i]);
	note_count(s, SCOREBOARD_RCPT_ANSWERED, 1);
	note_count(s, SCOREBOARD_RCPT_US, took_us < UINT32_MAX ?
	    (unsigned)took_us : UINT32_MAX);
}

/* What comes back to somebody and has no proof, or nobody to go to. */
static bool
is_bounce_refused(const struct session *s, const struct verdict *v)
{
	return v->code >= 500 && s->tx != NULL &&
	    s->tx->reverse_path != NULL && *s->tx->reverse_path == '\0' &&
	    (strcmp(asked.stage, "rcpt") == 0 ||
	    strcmp(asked.stage, "data") == 0);
}

/* "text (ID)"; a text that is too long is cut, its id never. */
static void
refusal_put_id(struct verdict *v, const char *id)
{
	size_t room = sizeof(v->text) - strlen(id) - 4;
	size_t size = strlen(v->text);

	if (size > room)
		size = room;
	snprintf(v->text + size, sizeof(v->text) - size, " (%s)", id);
}

void
note_refusal(struct session *s, struct verdict *v, const char *check,
    const char *answer)
{
	bool is_temporary = v->code < 500;
	char id[SHORT_ID_NUMBERED_SIZE], enhanced[16];

	if (s->is_self_test) {
		asked.told[0] = '\0';
		return;
	}
	if (asked.told[0] != '\0')
		answer = asked.told;
	if (s->n_refusals < SHORT_ID_NUMBER_MAX)
		s->n_refusals++;
	if (short_id_with_number(id, s->id, s->n_refusals) < 0)
		slice_copy(id, sizeof(id), slice_of(s->id));
	snprintf(enhanced, sizeof(enhanced), "%u.%u.%u", v->code / 100u,
	    v->subject, v->detail);
	note_count(s, is_temporary ? SCOREBOARD_REFUSED_4XX :
	    SCOREBOARD_REFUSED_5XX, 1);
	note_count(s, SCOREBOARD_BOUNCES_REFUSED, is_bounce_refused(s, v));
	trail_add(s->settings->trail, s->id, s->n_refusals,
	    (const struct log_value[]){ LOG_S("stage", asked.stage),
	    LOG_S("check", check),
	    LOG_S("verdict", is_temporary ? "temporary" : "refuse"),
	    LOG_U("code", v->code), LOG_S("enhanced", enhanced),
	    LOG_S("asked", asked.what), LOG_S("answer", answer),
	    LOG_U("took_us", asked.took_us), LOG_S("text", v->text),
	    LOG_END });
	log_info("refused", LOG_S("session", s->id), LOG_S("id", id),
	    LOG_S("client", s->ip), LOG_S("stage", asked.stage),
	    LOG_S("check", check), LOG_U("code", v->code),
	    LOG_S("asked", asked.what),
	    LOG_S("from", s->tx != NULL ? s->tx->reverse_path : ""),
	    LOG_U("took_us", asked.took_us), LOG_S("text", v->text), LOG_END);
	asked.told[0] = '\0';
	refusal_put_id(v, id);
}

void
note_mark(struct session *s, const char *stage, const char *check,
    const char *what, const char *answer)
{
	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", stage), LOG_S("check", check),
	    LOG_S("verdict", "mark"), LOG_S("asked", what),
	    LOG_S("answer", answer), LOG_U("took_us", asked.took_us),
	    LOG_END });
	log_info("marked", LOG_S("session", s->id), LOG_S("client", s->ip),
	    LOG_S("stage", stage), LOG_S("check", check),
	    LOG_S("asked", what), LOG_S("answer", answer), LOG_END);
}

void
note_spared(struct session *s, const char *check, const char *why)
{
	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", asked.stage), LOG_S("check", check),
	    LOG_S("verdict", "junk"), LOG_S("asked", asked.what),
	    LOG_S("answer", why), LOG_U("took_us", asked.took_us),
	    LOG_END });
	log_warning("relay_peer_junk", LOG_S("session", s->id),
	    LOG_S("client", s->ip), LOG_S("check", check),
	    LOG_S("from", s->tx != NULL ? s->tx->reverse_path : ""),
	    LOG_S("refusal", why),
	    LOG_S("text", "this would be refused, but a relay_peer has "
	    "accepted it already: it goes into .Junk"), LOG_END);
}

void
note_finding(const struct session *s, const char *check,
    enum finding_kind kind, const char *detail)
{
	static const char *const words[] = {
		[FINDING_ACCEPT] = "accept", [FINDING_MARK] = "mark",
		[FINDING_TEMPORARY] = "temporary", [FINDING_REFUSE] = "refuse",
	};

	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", asked.stage), LOG_S("check", check),
	    LOG_S("verdict", words[kind]), LOG_S("asked", asked.what),
	    LOG_S("answer", detail), LOG_U("took_us", asked.took_us),
	    LOG_END });
}

void
note_facts(const struct session *s, const char *stage,
    const struct buf *facts)
{
	if (facts->size > 0)
		trail_add(s->settings->trail, s->id, 0,
		    (const struct log_value[]){ LOG_S("stage", stage),
		    LOG_SL("facts", buf_slice(facts)), LOG_END });
}

void
note_opened(struct session *s)
{
	if (s->is_self_test) {
		slice_copy(s->id, sizeof(s->id), SLICE("selftest"));
		return;
	}
	trail_begin(s->settings->trail, s->id, (const struct log_value[]){
	    LOG_S("stage", "connect"), LOG_S("client", s->ip), LOG_END });
	log_debug("session_open", LOG_S("session", s->id),
	    LOG_S("client", s->ip), LOG_END);
}

void
note_secured(struct session *s, const struct tls_facts *facts)
{
	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", "tls"), LOG_S("version", facts->version),
	    LOG_S("cipher", facts->cipher), LOG_S("name", facts->name),
	    LOG_END });
	log_info("tls", LOG_S("session", s->id), LOG_S("client", s->ip),
	    LOG_S("version", facts->version), LOG_S("cipher", facts->cipher),
	    LOG_S("name", facts->name), LOG_END);
}

/* Nobody is told: the alert of the handshake is all that can be said. */
void
note_insecure(struct session *s, const char *why)
{
	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", "tls"), LOG_S("verdict", "failed"),
	    LOG_S("answer", why), LOG_END });
	log_info("tls_failed", LOG_S("session", s->id), LOG_S("client", s->ip),
	    LOG_S("why", why), LOG_END);
}

void
note_closed(const struct session *s)
{
	int64_t took_us = clock_monotonic_us() - s->opened_us;

	if (s->is_self_test)
		return;
	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", "end"), LOG_U("messages", s->n_accepted),
	    LOG_U("refused", s->n_refusals), LOG_END });
	log_info("session_closed", LOG_S("session", s->id),
	    LOG_S("client", s->ip), LOG_U("messages", s->n_accepted),
	    LOG_U("recipients", s->n_recipients),
	    LOG_U("unknown", s->n_unknown), LOG_U("refused", s->n_refusals),
	    LOG_U("errors", s->n_errors),
	    LOG_S("tls", s->tls != NULL ? s->tls : ""),
	    LOG_D("took_ms", took_us / 1000), LOG_END);
}

/* Of whom a next hop or a program has said yes, now or before. */
static unsigned
last_count(const struct transaction *tx)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < tx->n_recipients; i++)
		n += tx->recipients[i].is_last_done;
	return n;
}

/* Recipients that got it, and the copies that are in mailboxes for it. */
static void
delivered_count(const struct transaction *tx, unsigned *n_recipients,
    unsigned *n_copies, unsigned *n_discarded)
{
	const struct recipient *r;

	*n_recipients = *n_copies = *n_discarded = 0;
	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++) {
		if (r->failure != NULL)
			continue;
		++*n_recipients;
		*n_copies += (unsigned)r->route.n_leaves;
		*n_discarded += r->is_discarded;
	}
}

void
note_delivered(struct session *s)
{
	const struct transaction *tx = s->tx;
	unsigned n_recipients, n_copies, n_discarded;
	int64_t took_us = clock_monotonic_us() - tx->dot_us;

	if (s->is_self_test)
		return;
	checks_accepted(s);
	delivered_count(tx, &n_recipients, &n_copies, &n_discarded);
	n_copies -= (unsigned)tx->n_done;
	trail_add(s->settings->trail, s->id, 0, (const struct log_value[]){
	    LOG_S("stage", "data"), LOG_S("verdict", "accept"),
	    LOG_S("from", tx->reverse_path),
	    LOG_U("recipients", n_recipients),
	    LOG_U("passed_on", last_count(tx)),
	    LOG_U("discarded", n_discarded), LOG_END });
	s->n_accepted++;
	note_count(s, SCOREBOARD_MESSAGES_ACCEPTED, 1);
	note_count(s, SCOREBOARD_RECIPIENTS_ACCEPTED, n_recipients);
	note_count(s, SCOREBOARD_COPIES_DELIVERED, n_copies);
	note_count(s, SCOREBOARD_MESSAGES_DISCARDED, n_discarded);
	note_count(s, SCOREBOARD_DUPLICATES_SUPPRESSED, (unsigned)tx->n_done);
	limits_count(s->settings->limits, SCOREBOARD_MESSAGES_BYTES,
	    (int64_t)tx->message_bytes);
	log_info("delivered", LOG_S("session", s->id), LOG_S("client", s->ip),
	    LOG_S("from", tx->reverse_path), LOG_U("recipients", n_recipients),
	    LOG_U("copies", n_copies), LOG_U("passed_on", last_count(tx)),
	    LOG_U("queued", tx->n_remote),
	    LOG_U("lists", tx->n_lists),
	    LOG_S("queue_id", tx->queue_id), LOG_U("discarded", n_discarded),
	    LOG_U("done_before", tx->n_done), LOG_U("size", tx->message_bytes),
	    LOG_D("took_ms", took_us / 1000), LOG_END);
}
