/* SPDX-License-Identifier: ISC */
/*
 * explain.c - see explain.h.
 *
 *	MAIL -> RCPT -> DATA, if there is a message
 *	each: judge -> ask for what is wanted -> judge ... -> findings
 *
 * It goes on after a stage that refuses, so that one run shows all.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "address.h"
#include "ask.h"
#include "clock.h"
#include "explain.h"
#include "ip_text.h"
#include "message.h"
#include "sealed.h"

#define ROUNDS_MAX 64
#define JUDGE_MS 15000
#define FACT_MS 5000
#define TOTAL_US 45000000	/* less than a client's limit */

struct asked {
	struct explain *explain;
	size_t at;			/* in wanted */
	struct channel *ch;
	uint32_t question;		/* 0: answered */
	int64_t began_us;
};

struct explain {
	struct client *client;
	bool is_json;
	enum judge_stage stage;
	unsigned rounds;
	int64_t began_us;
	struct facts facts, wanted;
	struct asked *asked;
	size_t n_out;
	struct channel *policy;
	uint32_t judging;
	uint32_t set;			/* of JUDGE_MORE */
	struct message message;
	/* the first refusal */
	struct finding refusal;
	const char *refused_at;
};

static void stage_judge(struct explain *e);

void
explain_free(struct explain **explain)
{
	struct explain *e = *explain;

	*explain = NULL;
	if (e == NULL)
		return;
	if (e->judging != 0)
		channel_forget(e->policy, e->judging);
	for (size_t i = 0; e->asked != NULL && i < e->wanted.n_wanted; i++)
		if (e->asked[i].question != 0)
			channel_forget(e->asked[i].ch, e->asked[i].question);
	free(e->asked);
	facts_free(&e->facts);
	facts_free(&e->wanted);
	message_close(&e->message);
	free(e);
}

/* ---- a fact is asked for ---- */

static void
keep_answer(struct explain *e, size_t at, struct slice value,
    int64_t took_us)
{
	const struct fact *fact = &e->wanted.wanted[at];
	const struct explained explained = { fact, value, took_us };

	explain_put_fact(&e->client->out, &explained, e->is_json);
	(void)facts_add(&e->facts, fact->kind, fact->key, value);
}

static void
write_value(struct buf *value, const struct fact *fact,
    struct ipc_message *m)
{
	static const char *const words[] = { [GREY_UNKNOWN] = "unknown",
		[GREY_NEW] = "new", [GREY_EARLY] = "early",
		[GREY_LATE] = "late", [GREY_KNOWN] = "known" };
	static struct dns_answer failed = { .status = DNS_FAILED }, a;
	struct grey_answer grey = { .state = GREY_UNKNOWN };
	struct seen_answer seen = { .state = SEEN_UNKNOWN };
	struct proof_answer proof = { .state = PROOF_UNKNOWN };
	struct slice text;
	uint8_t is_good;

	if (fact_dns_type(fact->kind) != 0) {
		text = m != NULL ? ipc_get_slice(&m->body) : SLICE("");
		if (m != NULL && m->type == DNS_ANSWER &&
		    get_dns_answer(text, &a))
			buf_append_slice(value, text);
		else
			put_dns_answer(value, &failed);
	} else if (fact->kind == FACT_GREYLIST) {
		if (m == NULL || m->type != GREY_ANSWER ||
		    !get_grey_answer(&m->body, &grey))
			grey.state = GREY_UNKNOWN;
		buf_puts(value, words[grey.state]);
		if (grey.state != GREY_UNKNOWN && grey.wait_s > 0)
			buf_printf(value, " %u", grey.wait_s);
	} else if (fact->kind == FACT_TRACE) {
		is_good = m != NULL && m->type == VAULT_TRACE_CHECKED ?
		    ipc_get_u8(&m->body) : UINT8_MAX;
		buf_puts(value, is_good > 1 || !ipc_reader_is_done(&m->body) ?
		    "unknown" : is_good == 1 ? "good" : "wrong");
	} else if (fact->kind != FACT_SEEN) {
		if (m == NULL || m->type != PROOF_ANSWER ||
		    !get_proof_answer(&m->body, &proof))
			proof.state = PROOF_UNKNOWN;
		proof_answer_write(value, &proof);
	} else {
		if (m == NULL || m->type != SEEN_ANSWER ||
		    !get_seen_answer(&m->body, &seen))
			seen.state = SEEN_UNKNOWN;
		if (seen.state == SEEN_BEFORE)
			buf_printf(value, "%" PRIu64, seen.age_s);
		else if (seen.state == SEEN_UNKNOWN)
			buf_puts(value, "unknown");
	}
}

static void
fact_answered(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct asked *asked = arg;
	struct explain *e = asked->explain;
	struct buf value = { 0 };

	(void)ch;
	asked->question = 0;
	write_value(&value, &e->wanted.wanted[asked->at], m);
	keep_answer(e, asked->at, buf_slice(&value),
	    clock_monotonic_us() - asked->began_us);
	buf_free(&value);
	if (--e->n_out == 0)
		stage_judge(e);
}

/* The question to whoever knows the fact. */
static enum ask_type
put_question(const struct explain *e, const struct fact *fact,
    struct ipc_writer *w)
{
	const struct config_checks *checks =
	    &e->client->control->c.config->checks;
	struct dns_ask dns = { .type = fact_dns_type(fact->kind),
		.name = fact->key, .network = SLICE("") };
	struct seen_ask seen = { .key = fact->key, .lifetime_s = 86400 };
	struct grey_ask grey = { .delay_s = checks->greylist_delay_s,
		.window_s = checks->greylist_window_s,
		.lifetime_s = checks->greylist_lifetime_s };
	struct slice rest = fact->key;
	struct vault_trace trace;
	struct proof_ask proof;

	if (dns.type != 0) {
		put_dns_ask(w, &dns);
		return DNS_ASK;
	}
	if (fact->kind == FACT_SEEN) {
		put_seen_ask(w, &seen);
		return SEEN_ASK;
	}
	if (fact->kind == FACT_TRACE) {
		trace.id = slice_next_line(&rest);
		trace.sender = rest;
		put_vault_trace(w, &trace);
		return VAULT_TRACE_CHECK;
	}
	if (fact->kind == FACT_PROOF && proof_ask_read(fact->key, &proof)) {
		proof.transaction = 0;
		put_proof_ask(w, &proof);
		return PROOF_ASK;
	}
	grey.network = slice_next_line(&rest);
	grey.sender = slice_next_line(&rest);
	grey.recipient = rest;
	put_grey_ask(w, &grey);
	return GREY_ASK;
}

/* Whoever is asked would take another for a break-in. */
static bool
is_askable(const struct fact *fact)
{
	size_t line = slice_find(fact->key, '\n');
	struct proof_ask proof;

	if (fact->kind == FACT_TRACE)
		return line > 0 && line < PROOF_TRACE_MAX &&
		    fact->key.size - line < ASK_ADDRESS_MAX;
	return fact->kind != FACT_PROOF || proof_ask_read(fact->key, &proof);
}

static void
ask_one(struct explain *e, size_t i)
{
	const struct fact *fact = &e->wanted.wanted[i];
	struct control *control = e->client->control;
	struct asked *asked = &e->asked[i];
	struct ipc_writer w;
	enum ask_type type;

	if (!is_askable(fact))
		return;
	ipc_writer_init(&w);
	type = put_question(e, fact, &w);
	*asked = (struct asked){ .explain = e, .at = i,
		.began_us = clock_monotonic_us(), .ch = type == DNS_ASK ?
		    control->resolver : type == VAULT_TRACE_CHECK ?
		    control->vault : control->store };
	if (asked->ch != NULL)
		asked->question = channel_ask(asked->ch, (uint16_t)type, &w,
		    -1, FACT_MS, fact_answered, asked);
	e->n_out += asked->question != 0;
}

static void
ask_all(struct explain *e)
{
	struct buf silence = { 0 };
	bool is_late = clock_monotonic_us() - e->began_us > TOTAL_US;

	e->asked = calloc(e->wanted.n_wanted, sizeof *e->asked);
	if (e->asked == NULL) {
		client_silent(e->client, "Memory");
		return;
	}
	for (size_t i = 0; i < e->wanted.n_wanted; i++) {
		if (!is_late && e->rounds <= ROUNDS_MAX)
			ask_one(e, i);
		if (e->asked[i].question != 0)
			continue;
		write_value(&silence, &e->wanted.wanted[i], NULL);
		keep_answer(e, i, buf_slice(&silence), 0);
		silence.size = 0;
	}
	buf_free(&silence);
	if (e->n_out == 0)
		stage_judge(e);
}

/* ---- a stage ---- */

/* What smtpd would have asked behind the checks. */
static const char *
left_out(const struct explain *e)
{
	const struct config *config = e->client->control->c.config;

	if (e->message.fd < 0)
		return " before its message; --file FILE looks at that, too";
	if (config->n_milters > 0 && config->n_clamds > 0)
		return "; milters and clamd are not asked";
	if (config->n_milters > 0)
		return "; milters are not asked";
	return config->n_clamds > 0 ? "; clamd is not asked" : "";
}

static void
finish(struct explain *e)
{
	bool is_refused = e->refused_at != NULL;

	explain_put_end(&e->client->out, e->refused_at,
	    is_refused ? &e->refusal : NULL, left_out(e), e->is_json);
	client_answer(e->client, is_refused ? CONTROL_FAILED : CONTROL_OK);
}

static void
stage_over(struct explain *e, const struct judgement *j)
{
	const struct finding *strictest = judgement_strictest(j);
	const char *stage = judge_stage_name(e->stage);

	for (size_t i = 0; i < j->n_findings; i++)
		explain_put_finding(&e->client->out, stage, &j->findings[i],
		    e->is_json);
	if (j->is_junk && !e->is_json)
		buf_puts(&e->client->out, "      it would go into .Junk\n");
	if (strictest != NULL && e->refused_at == NULL) {
		e->refusal = *strictest;
		e->refused_at = stage;
	}
	for (size_t i = 0; i < j->facts.n; i++)
		if (j->facts.items[i].kind == FACT_RESULT)
			(void)facts_add(&e->facts, FACT_RESULT,
			    j->facts.items[i].key, j->facts.items[i].value);
	e->stage++;
	e->rounds = 0;
	if (e->stage > JUDGE_DATA ||
	    (e->stage == JUDGE_DATA && e->message.fd < 0))
		finish(e);
	else
		stage_judge(e);
}

static bool
read_judgement(struct ipc_message *m, struct judgement *j)
{
	struct judge_answer answer;
	struct buf octets = { 0 };
	bool is_good;

	if (m == NULL || m->type != JUDGE_ANSWER ||
	    !get_judge_answer(&m->body, &answer))
		return false;
	if (answer.sealed_size == 0)
		return get_judgement(answer.judgement, j);
	is_good = m->fd >= 0 &&
	    sealed_read(&octets, m->fd, answer.sealed_size) == 0 &&
	    get_judgement(buf_slice(&octets), j);
	buf_free(&octets);
	return is_good;
}

static void
judged(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct judgement j;	/* large */
	struct explain *e = arg;

	(void)ch;
	e->judging = 0;
	if (!read_judgement(m, &j)) {
		client_silent(e->client, "Policy");
		return;
	}
	if (j.is_complete) {
		stage_over(e, &j);
		judgement_free(&j);
		return;
	}
	e->wanted = j.facts;
	j.facts = (struct facts){ 0 };
	judgement_free(&j);
	ask_all(e);
}

/* All facts but those that the last message has room for. */
static bool
tell_facts(struct explain *e, struct buf *last)
{
	struct ipc_writer w;
	size_t at = 0;

	e->set++;
	while (put_facts_part(last, &e->facts, &at, JUDGE_FACTS_MAX) == 0) {
		struct judge_more more = { e->set, buf_slice(last) };

		if (at == e->facts.n)
			return true;
		ipc_writer_init(&w);
		put_judge_more(&w, &more);
		if (channel_tell(e->policy, JUDGE_MORE, &w, -1) != 0)
			return false;
		last->size = 0;
	}
	return false;
}

static void
stage_judge(struct explain *e)
{
	struct judge_ask ask = { .stage = e->stage, .message_bytes =
	    e->stage == JUDGE_DATA ? e->message.size_bytes : 0 };
	struct buf last = { 0 };
	struct ipc_writer w;

	free(e->asked);
	e->asked = NULL;
	facts_free(&e->wanted);
	e->policy = control_any(e->client->control,
	    e->client->control->policies);
	if (e->policy != NULL && e->rounds++ <= ROUNDS_MAX + 1 &&
	    tell_facts(e, &last)) {
		ask.set = e->set;
		ask.facts = buf_slice(&last);
		ipc_writer_init(&w);
		put_judge_ask(&w, &ask);
		e->judging = channel_ask(e->policy, JUDGE_ASK, &w,
		    e->stage == JUDGE_DATA ? e->message.fd : -1, JUDGE_MS,
		    judged, e);
	}
	buf_free(&last);
	if (e->judging == 0)
		client_silent(e->client, "Policy");
}

/* ---- the request ---- */

/* The value of "name=" among the words; false: it is not there. */
static bool
word_of(const struct client *client, struct slice name, struct slice *value)
{
	for (size_t i = 1; i < client->n_words; i++) {
		struct slice word = client->words[i];

		if (word.size < name.size || !slice_equals((struct slice){
		    word.data, name.size }, name))
			continue;
		*value = (struct slice){ word.data + name.size,
			word.size - name.size };
		return true;
	}
	return false;
}

static void
tell(struct explain *e, enum fact_kind kind, const char *value)
{
	(void)facts_add(&e->facts, kind, SLICE(""), slice_of(value));
}

static bool
tell_sender(struct explain *e, struct slice from)
{
	const unsigned allow = ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL;
	struct address a = { .is_null = true };
	char text[ADDRESS_TEXT_MAX + 1] = "";

	if (from.size > 0 && (address_parse(&a, from, allow) != ADDRESS_OK ||
	    !address_write(text, sizeof text, slice_of(a.local),
	    slice_of(a.domain))))
		return false;
	tell(e, FACT_SENDER, text);
	address_write_key(text, &a);
	tell(e, FACT_SENDER_KEY, text);
	return true;
}

static bool
tell_recipient(struct explain *e, struct slice to)
{
	const unsigned allow = ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_POSTMASTER;
	struct address a;
	char key[ADDRESS_TEXT_MAX + 1];

	if (address_parse(&a, to, allow) != ADDRESS_OK)
		return false;
	address_write_key(key, &a);
	for (char *c = key; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	tell(e, FACT_RECIPIENT, a.text);
	tell(e, FACT_RECIPIENT_KEY, key);
	tell(e, FACT_N_RECIPIENTS, "0");
	tell(e, FACT_IS_EXEMPT, strcasecmp(a.local, "postmaster") == 0 ||
	    strcasecmp(a.local, "abuse") == 0 ? "1" : "0");
	return true;
}

/* As smtpd writes it: what was seen of a client is kept by that text. */
static bool
read_ip(char to[INET6_ADDRSTRLEN], struct slice word)
{
	struct in6_addr a;		/* has room for IPv4, too */
	int family;

	if (!slice_copy(to, INET6_ADDRSTRLEN, word))
		return false;
	family = slice_find(word, ':') < word.size ? AF_INET6 : AF_INET;
	if (inet_pton(family, to, &a) != 1)
		return false;
	ip_write(to, family, &a);
	return true;
}

/* NULL, or what is wrong with the request. */
static const char *
tell_all(struct explain *e)
{
	const struct client *client = e->client;
	char ip[INET6_ADDRSTRLEN], now[24], helo[256];
	struct slice word;

	if (!word_of(client, SLICE("ip="), &word) || !read_ip(ip, word))
		return "--ip wants the address of a client.";
	tell(e, FACT_CLIENT_IP, ip);
	if (!word_of(client, SLICE("helo="), &word) ||
	    !slice_copy(helo, sizeof helo, word) || *helo == '\0')
		return "--helo wants the name that the client says.";
	tell(e, FACT_HELO, helo);
	if (!word_of(client, SLICE("from="), &word) || !tell_sender(e, word))
		return "--from wants the reverse-path, or \"\".";
	if (!word_of(client, SLICE("to="), &word) || !tell_recipient(e, word))
		return "--to wants a recipient.";
	snprintf(now, sizeof now, "%" PRId64, clock_wall_s());
	tell(e, FACT_TIME, now);
	tell(e, FACT_HOST, client->control->c.config->hostname);
	tell(e, FACT_IS_ESMTP, "1");
	tell(e, FACT_TLS, "");
	tell(e, FACT_SESSION, "explain");
	return NULL;
}

/* Its maker must have sealed it, as smtpd seals what comes in. */
static bool
take_message(struct explain *e)
{
	struct client *client = e->client;
	struct stat st;

	e->message.fd = -1;
	if (client->passed_fd < 0)
		return true;
	if (fstat(client->passed_fd, &st) < 0 || message_accept(&e->message,
	    client->passed_fd, (size_t)st.st_size) < 0)
		return false;
	client->passed_fd = -1;
	return true;
}

void
request_explain(struct client *client)
{
	struct explain *e = calloc(1, sizeof *e);
	const char *wrong;
	struct slice word;

	if (e == NULL) {
		client_silent(client, "Memory");
		return;
	}
	client->explain = e;
	e->client = client;
	e->stage = JUDGE_MAIL;
	e->began_us = clock_monotonic_us();
	e->is_json = word_of(client, SLICE("json"), &word);
	if (!take_message(e)) {
		client_say(client, CONTROL_FAILED, "The message cannot be "
		    "read.");
		return;
	}
	wrong = tell_all(e);
	if (wrong != NULL)
		client_say(client, CONTROL_USAGE, "%s", wrong);
	else
		stage_judge(e);
}
