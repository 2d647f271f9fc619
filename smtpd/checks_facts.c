/* SPDX-License-Identifier: ISC */
/*
 * checks_facts.c - what is told to policy, and how each fact that it wants
 * is asked for and written down.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "checks_run.h"
#include "clock.h"
#include "commands.h"
#include "limits.h"

#define STORE_DEADLINE_MS 5000
#define SEEN_LIFETIME_S (60 * 86400)
#define PARTS_MAX 8		/* of one question */
#define RECORD_SHOWN_MAX 80
#define ACCOUNT_MAX 1000	/* octets; see TRAIL_FIELD_MAX */

struct facts *
checks_set(struct checks *c)
{
	switch (c->run.stage) {
	case JUDGE_CONNECT:
	case JUDGE_HELO:
		return &c->connection;
	case JUDGE_RCPT:
		return &c->own;
	default:
		return &c->transaction;
	}
}

/* ---- told ---- */

static int
tell(struct facts *f, enum fact_kind kind, const char *value, int error)
{
	if (error < 0)
		return error;
	return facts_add(f, kind, SLICE(""), slice_of(value));
}

int
checks_tell_connection(struct session *s)
{
	struct facts *f = &s->checks->connection;
	int error = tell(f, FACT_HOST, s->settings->config->hostname, 0);

	error = tell(f, FACT_CLIENT_IP, s->ip, error);
	error = tell(f, FACT_HELO, s->helo, error);
	error = tell(f, FACT_IS_ESMTP, s->is_esmtp ? "1" : "0", error);
	error = tell(f, FACT_TLS, s->tls != NULL ? s->tls : "", error);
	return tell(f, FACT_SESSION, s->id, error);
}

int
checks_tell_sender(struct session *s, const struct address *sender)
{
	char now[24], address[ADDRESS_TEXT_MAX + 1] = "";
	struct facts *f = &s->checks->transaction;
	int error;

	facts_free(f);
	buf_free(&s->checks->asked);
	/* the domain in the form in which it can be looked up; a null
	 * reverse-path is no address, and told as "" */
	if (s->tx->reverse_path[0] != '\0' &&
	    !address_write(address, sizeof address, slice_of(sender->local),
	    slice_of(sender->domain)))
		return -ENOBUFS;
	snprintf(now, sizeof now, "%" PRId64, clock_wall_s());
	error = tell(f, FACT_TIME, now, 0);
	error = tell(f, FACT_SENDER, address, error);
	return tell(f, FACT_SENDER_KEY, s->tx->key, error);
}

/* Lower case, tags stripped: one entry however it is written. */
static void
recipient_key(char key[ADDRESS_TEXT_MAX + 1], const struct address *rcpt)
{
	address_write_key(key, rcpt);
	for (char *c = key; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
}

int
checks_tell_recipient(struct session *s, bool is_exempt)
{
	const struct address *rcpt = &s->tx->rcpt;
	char key[ADDRESS_TEXT_MAX + 1], n[16];
	struct facts *f = &s->checks->own;
	int error;

	facts_free(f);
	recipient_key(key, rcpt);
	snprintf(n, sizeof n, "%u", s->tx->n_recipients);
	error = tell(f, FACT_RECIPIENT, rcpt->text, 0);
	error = tell(f, FACT_RECIPIENT_KEY, key, error);
	error = tell(f, FACT_N_RECIPIENTS, n, error);
	return tell(f, FACT_IS_EXEMPT, is_exempt ? "1" : "0", error);
}

int
checks_tell_tag(struct session *s)
{
	const struct transaction *tx = s->tx;
	struct facts *f = &s->checks->own;
	char key[ADDRESS_TEXT_MAX + 1];
	struct address rcpt;
	int error;

	facts_free(f);
	error = tell(f, FACT_IS_TAGGED, tx->has_tag ? "1" : "0", 0);
	if (tx->n_recipients != 1 || address_parse(&rcpt,
	    slice_of(tx->recipients->address), ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL | ADDRESS_ALLOW_BARE_LOCAL) !=
	    ADDRESS_OK)
		return error;
	address_write_key(key, &rcpt);
	return tell(f, FACT_RECIPIENT_KEY, key, error);
}

/* ---- asked ---- */

static uint32_t
ask_dns(struct session *s, const struct fact *wanted, uint32_t deadline_ms)
{
	char network[LIMITS_NETWORK_SIZE];
	struct dns_ask ask = { .type = fact_dns_type(wanted->kind),
		.name = wanted->key };
	struct question q = { .kind = QUESTION_DNS, .fd = -1,
		.deadline_ms = deadline_ms, .as.dns = &ask };

	limits_network(network, s->ip);
	ask.network = slice_of(network);
	return s->settings->host->ask(s, &q);
}

static uint32_t
ask_greylist(struct session *s, const struct fact *wanted)
{
	const struct config_checks *checks = &s->settings->config->checks;
	struct slice rest = wanted->key;
	struct grey_ask ask = {
		.delay_s = checks->greylist_delay_s,
		.window_s = checks->greylist_window_s,
		.lifetime_s = checks->greylist_lifetime_s,
		.notes = true,
	};
	struct question q = { .kind = QUESTION_GREY, .fd = -1,
		.deadline_ms = STORE_DEADLINE_MS, .as.grey = &ask };

	ask.network = slice_next_line(&rest);
	ask.sender = slice_next_line(&rest);
	ask.recipient = rest;
	return s->settings->host->ask(s, &q);
}

void
checks_tell_seen(struct session *s, struct slice key)
{
	struct seen_ask ask = { .key = key, .lifetime_s = SEEN_LIFETIME_S,
		.notes = true };
	struct question q = { .kind = QUESTION_SEEN, .fd = -1,
		.as.seen = &ask };

	session_tell(s, &q);
}

static uint32_t
ask_seen(struct session *s, struct slice key, bool notes)
{
	struct seen_ask ask = { .key = key, .lifetime_s = SEEN_LIFETIME_S,
		.notes = notes };
	struct question q = { .kind = QUESTION_SEEN, .fd = -1,
		.deadline_ms = STORE_DEADLINE_MS, .as.seen = &ask };

	return s->settings->host->ask(s, &q);
}

uint32_t
checks_ask(struct session *s, const struct fact *wanted, uint32_t deadline_ms)
{
	if (fact_dns_type(wanted->kind) != 0)
		return ask_dns(s, wanted, deadline_ms);
	if (wanted->kind == FACT_GREYLIST)
		return ask_greylist(s, wanted);
	if (wanted->kind == FACT_PROOF || wanted->kind == FACT_TRACE)
		return checks_ask_proof(s, wanted, deadline_ms);
	return ask_seen(s, wanted->key, false);
}

uint32_t
checks_note(struct session *s, const struct fact *seen)
{
	return ask_seen(s, seen->key, true);
}

/* ---- answered ---- */

static const char *const grey_words[] = {
	[GREY_UNKNOWN] = "unknown", [GREY_NEW] = "new",
	[GREY_EARLY] = "early", [GREY_LATE] = "late", [GREY_KNOWN] = "known",
};

static void
write_value(struct buf *value, const struct fact *wanted,
    const struct answer *a)
{
	const struct dns_answer failed = { .status = DNS_FAILED };

	if (fact_dns_type(wanted->kind) != 0) {
		if (a->is_known)
			(void)buf_append_slice(value, a->as.octets);
		else
			(void)put_dns_answer(value, &failed);
	} else if (wanted->kind == FACT_GREYLIST) {
		(void)buf_puts(value, grey_words[a->is_known ?
		    a->as.grey.state : GREY_UNKNOWN]);
		if (a->is_known && a->as.grey.wait_s > 0)
			(void)buf_printf(value, " %u", a->as.grey.wait_s);
	} else if (wanted->kind != FACT_SEEN) {
		checks_write_proof(value, wanted, a);
	} else if (!a->is_known || a->as.seen.state == SEEN_UNKNOWN) {
		(void)buf_puts(value, "unknown");
	} else if (a->as.seen.state == SEEN_BEFORE) {
		(void)buf_printf(value, "%" PRIu64, a->as.seen.age_s);
	}
}

/*
 * A session is one contact of a listed client: what the first recipient found
 * out is true for all of them. Otherwise the second would be refused for good
 * because of the first.
 */
static bool
is_about_client(const struct fact *wanted, const struct answer *a)
{
	static const char prefix[] = "dnsbl\n";
	size_t size = sizeof(prefix) - 1;

	return wanted->kind == FACT_SEEN && a->is_known &&
	    wanted->key.size > size &&
	    memcmp(wanted->key.data, prefix, size) == 0;
}

bool
checks_keep(struct session *s, const struct fact *wanted,
    const struct answer *a)
{
	struct facts *set = is_about_client(wanted, a) ?
	    &s->checks->connection : checks_set(s->checks);
	struct buf value = { 0 };
	int error;

	write_value(&value, wanted, a);
	error = facts_add(set, wanted->kind, wanted->key, buf_slice(&value));
	buf_free(&value);
	return error == 0;
}

/* ---- for the trail ---- */

static const char *const dns_words[] = {
	[DNS_OK] = "ok", [DNS_NO_DATA] = "no such record",
	[DNS_NO_NAME] = "no such name", [DNS_FAILED] = "no answer",
};

static const char *const proof_words[PROOF_STATE_COUNT] = {
	[PROOF_UNKNOWN] = "cannot tell", [PROOF_NONE] = "not sent",
	[PROOF_GOOD] = "sent", [PROOF_USED] = "reported on before",
	[PROOF_BUSY] = "being reported on",
};

static const char *
kind_word(enum fact_kind kind)
{
	switch (kind) {
	case FACT_DNS_A:
		return "A ";
	case FACT_DNS_AAAA:
		return "AAAA ";
	case FACT_DNS_MX:
		return "MX ";
	case FACT_DNS_TXT:
		return "TXT ";
	case FACT_DNS_PTR:
		return "PTR ";
	case FACT_GREYLIST:
		return "greylist ";
	case FACT_PROOF:
		return "ledger ";
	case FACT_TRACE:
		return "trace ";
	default:
		return "seen ";
	}
}

static const char *
answer_word(const struct fact *wanted, const struct answer *a)
{
	struct dns_answer dns;

	if (!a->is_known)
		return "no answer";
	if (wanted->kind == FACT_GREYLIST)
		return grey_words[a->as.grey.state];
	if (wanted->kind == FACT_PROOF)
		return proof_words[a->as.proof.state];
	if (wanted->kind == FACT_TRACE)
		return a->as.is_ok ? "ours" : "not ours";
	if (wanted->kind == FACT_SEEN)
		return a->as.seen.state == SEEN_BEFORE ? "before" :
		    a->as.seen.state == SEEN_NEVER ? "never" : "unknown";
	(void)get_dns_answer(a->as.octets, &dns);
	return dns_words[dns.status];
}

/* The first record of an answer as people write it, cut to what a line of the
 * trail has room for; the trail itself escapes what is in it. */
static void
record_text(char *to, size_t room, enum dns_type type, struct slice data)
{
	char address[INET6_ADDRSTRLEN];
	uint16_t preference;

	*to = '\0';
	if (type == DNS_A || type == DNS_AAAA) {
		if (data.size == (type == DNS_A ? 4 : 16) &&
		    inet_ntop(type == DNS_A ? AF_INET : AF_INET6, data.data,
		    address, sizeof address) != NULL)
			slice_copy(to, room, slice_of(address));
		return;
	}
	if (type == DNS_MX && dns_mx(data, &preference, &data) &&
	    data.size == 0)
		data = SLICE(".");
	slice_clip(to, room, data);
}

static void
put_records(struct buf *to, const struct fact *wanted,
    const struct answer *a)
{
	enum dns_type type = fact_dns_type(wanted->kind);
	struct dns_answer dns;
	char text[RECORD_SHOWN_MAX + 1];

	if (type == 0 || !a->is_known ||
	    !get_dns_answer(a->as.octets, &dns) || dns.n_records == 0)
		return;
	record_text(text, sizeof text, type, dns.records[0].data);
	(void)buf_printf(to, " (%s%s)", text,
	    dns.n_records > 1 ? ", ..." : "");
}

/* "MX example.org: ok 1.204 ms (mx.example.org); ". What does not fit is
 * left out. */
void
checks_account(struct checks *c, const struct fact *wanted,
    const struct answer *a)
{
	struct buf *to = c->run.stage == JUDGE_HELO ? &c->asked_ahead :
	    &c->asked;

	to->maximum = ACCOUNT_MAX;
	(void)buf_printf(to, "%s%s%.*s: %s %u.%03u ms",
	    to->size > 0 ? "; " : "", kind_word(wanted->kind),
	    (int)wanted->key.size, wanted->key.data, answer_word(wanted, a),
	    a->took_us / 1000, a->took_us % 1000);
	put_records(to, wanted, a);
}

/* ---- to policy ---- */

static bool
fits(const struct checks *c)
{
	return c->connection.n + c->transaction.n + c->own.n <= FACTS_MAX &&
	    c->connection.bytes + c->transaction.bytes + c->own.bytes <=
	    FACTS_BYTES_MAX;
}

/* All sets in one part, if they fit; else in several. */
static int
put_parts(struct buf *parts, size_t *n_parts, const struct facts *f)
{
	size_t at = 0;

	while (at < f->n) {
		struct buf *part = &parts[*n_parts - 1];
		size_t room = JUDGE_FACTS_MAX - part->size, before = at;
		int error = put_facts_part(part, f, &at, room);

		if (error == -ENOBUFS || (error == 0 && at == before)) {
			if (part->size == 0 || *n_parts == PARTS_MAX)
				return -ENOBUFS;
			++*n_parts;
		} else if (error < 0) {
			return error;
		}
	}
	return 0;
}

uint32_t
checks_ask_policy(struct session *s, uint32_t deadline_ms)
{
	const struct checks *c = s->checks;
	bool has_message = c->run.stage == JUDGE_DATA;
	struct buf bufs[PARTS_MAX] = { { 0 } };
	struct slice parts[PARTS_MAX];
	struct judge_question ask = { .stage = c->run.stage, .parts = parts,
		.n_parts = 1 };
	struct question q = { .kind = QUESTION_JUDGE, .fd = -1,
		.deadline_ms = deadline_ms, .as.judge = &ask };
	uint32_t id = 0;

	if (has_message) {
		q.fd = s->tx->message_fd;
		ask.message_bytes = s->tx->message_bytes;
	}
	if (fits(c) && put_parts(bufs, &ask.n_parts, &c->connection) == 0 &&
	    put_parts(bufs, &ask.n_parts, &c->transaction) == 0 &&
	    put_parts(bufs, &ask.n_parts, &c->own) == 0) {
		for (size_t i = 0; i < ask.n_parts; i++)
			parts[i] = buf_slice(&bufs[i]);
		id = s->settings->host->ask(s, &q);
	}
	for (size_t i = 0; i < PARTS_MAX; i++)
		buf_free(&bufs[i]);
	return id;
}
