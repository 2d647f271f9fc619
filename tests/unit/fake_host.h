/* SPDX-License-Identifier: ISC */
/*
 * fake_host.h - the network and all other compartments around one session.
 *
 * Questions are answered by host_answer, one at a time, from the local part
 * of the recipient or as host.fakes says. Everything else is written down:
 * what was sent, how often each kind was asked, what memfd was handed to
 * PREPARE. Used by test_dialogue.c and fuzz_session.c.
 */
#ifndef POSTERN_TESTS_FAKE_HOST_H
#define POSTERN_TESTS_FAKE_HOST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../smtpd/caller.h"
#include "../../smtpd/digest.h"
#include "../../smtpd/limits.h"
#include "../../smtpd/session_state.h"
#include "../../smtpd/starttls.h"
#include "clearances.h"
#include "clock.h"
#include "config.h"
#include "dkim_sign.h"
#include "sealed.h"
#include "tls.h"
#include "trail.h"

struct host_fake {		/* how the next of a kind is answered */
	bool is_set, is_unknown, is_own, is_of_message, is_all, is_short;
	struct verdict verdict;	/* code 0: fine */
	unsigned which;		/* recipient or entry */
	unsigned n_left;	/* COMMIT: left behind; RECORDS: from this
				 * entry on there is no answer; 0: there is */
	unsigned state;		/* RECORDS: of that entry */
	char change;		/* MILTERS: 'j'unk, 'd'rop, 'a'dd bob,
				 * 'r'emove bob, 'm'essage and sender */
};

struct host {
	struct session *s;	/* NULL once it is closed */
	struct session_settings settings;
	struct config *config;
	struct buf sent;
	size_t n_sends;
	enum presence presence;
	uint32_t timer_ms;	/* 0: it does not run */
	int64_t timer_due_us;
	uint64_t unconfirmed;
	bool is_closed;
	enum config_tls_mode tls_mode;	/* of the listener */
	bool is_handshaking, fails_tls, breaks_tls, is_vault_away;
	unsigned asked[QUESTION_COUNT];
	unsigned n_released_all, n_released_kept;
	struct host_fake fakes[QUESTION_COUNT];
	/* the question that is out */
	uint32_t question;
	enum question_kind kind;
	struct answer answer;
	struct buf route, hop;
	uint16_t told[HOP_RECIPIENTS_MAX], n_told;	/* of a HOP_SEND */
	/* what the last PREPARE was given */
	struct buf message, trace, name, entry_file, key;
	char return_path[ASK_ADDRESS_MAX];
	uint64_t message_size;
	unsigned n_recipients, n_skipped, skipped_recipient, skipped_leaf;
	bool is_junk;
	unsigned caller;		/* by the local socket: what auth says
					 * (host_auth_peer), 1: it is alice */
	unsigned probed;		/* index of the last PROBE */
	/* entries of the last RECORDS, and in the last list told of them */
	unsigned n_entries, n_withdrawn, n_done;
	uint64_t transaction;		/* whose records they are */
	bool is_intent;
	uint8_t digest[32];		/* of the last message, and */
	unsigned n_digests;		/* how often it was another */
	struct record_states begun;	/* what BEGIN would have said */
	bool is_cleared;
	bool is_late;			/* store is, for one DELIVER */
	char remembered[ASK_ADDRESS_MAX];	/* of the last FAILURE_PUT */
	unsigned remembered_code;
	/* submission: who is there, and what queue was told and given */
	enum config_listen_role role;	/* mx unless it is set */
	char user[64];			/* of auth, in example.org; "": none */
	struct buf envelope, queued;
	bool is_envelope_told;
	struct buf octets;		/* of the answer that is out */
};

#define HOST_CONFIG "hostname = \"mx.example.org\"\n" \
	"postmaster = \"alice@example.org\"\n" \
	"state_dir = \"/var/lib/postern\"\n" \
	"listen \"127.0.0.1:2525\" { role = mx }\n" \
	"domain \"example.org\" { users = \"passwd\" mailbox = \"~/Maildir\" }\n"

static void
host_send(void *conn, struct slice data)
{
	struct host *h = conn;

	if (h->is_handshaking)
		abort();	/* nothing in the clear any more */
	h->n_sends++;
	if (buf_append_slice(&h->sent, data) < 0)
		abort();
}

static enum presence
host_presence(void *conn)
{
	return ((struct host *)conn)->presence;
}

static void
host_local_ip(void *conn, char *ip)
{
	(void)conn;
	strcpy(ip, "192.0.2.25");
}

static bool
host_can_start_tls(void *conn)
{
	return !((struct host *)conn)->is_vault_away;
}

static int
host_start_tls(void *conn)
{
	struct host *h = conn;

	if (h->is_handshaking)
		abort();
	h->is_handshaking = !h->fails_tls;
	return h->fails_tls ? -1 : 0;
}

/* The handshake that is under way comes to its end, good or bad. */
static inline void
host_end_handshake(struct host *h, bool is_good)
{
	static const struct tls_facts facts = { "TLSv1.3",
		"TLS_AES_256_GCM_SHA384", 256, "mx.example.org" };

	if (!h->is_handshaking || h->s == NULL)
		abort();
	h->is_handshaking = false;
	if (is_good)
		session_secured(h->s, &facts);
	else
		session_insecure(h->s, "no shared cipher");
}

static void
host_timer(void *conn, uint32_t after_ms)
{
	struct host *h = conn;

	h->timer_ms = after_ms;
	h->timer_due_us = clock_monotonic_us() + after_ms * (int64_t)1000;
}

static void
host_closed(void *conn, uint64_t unconfirmed)
{
	struct host *h = conn;

	if (h->question != 0)
		abort();	/* its answer would meet nobody */
	h->s = NULL;
	h->is_closed = true;
	h->unconfirmed = unconfirmed;
}

/* ---- answers ---- */

static bool
local_is(const struct route_ask *ask, const char *name)
{
	return slice_starts_nocase(ask->local, slice_of(name));
}

/* Bob's mailbox is of another owner than all others. */
static void
host_seal(struct host *h, const struct route_ask *ask, struct answer *a)
{
	static const uint8_t secret[32];
	bool is_list = local_is(ask, "list"), is_few = local_is(ask, "few");
	bool is_program = local_is(ask, "program");
	struct route_leaf leaves[100];
	struct route route = { .kind = is_program ? ROUTE_PROGRAM :
		ROUTE_MAILBOX, .program = is_program ? SLICE("/bin/program") :
		SLICE(""),
		.recipient = ask->recipient, .session = ask->session,
		.expires_s = 4000000000, .leaves = leaves,
		.n_leaves = is_list ? 100 : is_few ? 3 : !is_program };
	uid_t uid = local_is(ask, "bob") ? 1001 : 1000;
	size_t i;

	for (i = 0; i < route.n_leaves; i++)
		leaves[i] = (struct route_leaf){ .uid = uid, .gid = uid,
			.user = ask->local, .home = SLICE("/home/x"),
			.maildir = SLICE("/home/x/Maildir"),
			.delivered_to = ask->recipient };
	buf_free(&h->route);
	if (route_seal(&h->route, &route, secret) < 0)
		abort();
	a->as.route.sealed = buf_slice(&h->route);
}

/* Everything below .net is elsewhere, and address literals are. */
static bool
is_elsewhere(const struct route_ask *ask)
{
	return slice_starts_nocase(ask->domain, SLICE("[")) ||
	    (ask->domain.size > 4 && slice_equals(SLICE(".net"),
	    (struct slice){ ask->domain.data + ask->domain.size - 4, 4 }));
}

/* Mail hosts of dead.net and null.net there are none, of others there are.
 * What is said of half.net ends in silence. */
static void
host_dns(struct host *h, const struct dns_ask *ask, struct answer *a)
{
	struct dns_answer dns = { .status = DNS_OK, .n_records = 1 };
	struct slice name = ask->name;

	a->is_known = a->is_known && !slice_equals(name, SLICE("silent.net"));
	if (slice_equals(name, SLICE("none.net")))
		dns.status = DNS_NO_NAME;
	if (slice_equals(name, SLICE("fail.net")) ||
	    (slice_equals(name, SLICE("half.net")) && ask->type == DNS_AAAA))
		dns.status = DNS_FAILED;
	if (slice_equals(name, SLICE("dead.net")) ||
	    (slice_equals(name, SLICE("half.net")) && ask->type != DNS_AAAA) ||
	    (slice_equals(name, SLICE("bare.net")) && ask->type != DNS_A) ||
	    (slice_equals(name, SLICE("six.net")) && ask->type != DNS_AAAA))
		dns.status = DNS_NO_DATA;
	dns.n_records = dns.status == DNS_OK;
	dns.records[0].data = slice_equals(name, SLICE("null.net")) ?
	    SLICE("\0\0") : ask->type == DNS_MX ? SLICE("\0\12mx.b.net") :
	    ask->type == DNS_A ? SLICE("\1\2\3\4") : SLICE("0123456789abcdef");
	h->octets.size = 0;
	if (put_dns_answer(&h->octets, &dns) < 0)
		abort();
	a->as.octets = buf_slice(&h->octets);
}

/* A user may write as himself and as anybody called shared. */
static void
host_may(const struct host *h, const struct may_ask *ask, struct answer *a)
{
	char own[80];

	snprintf(own, sizeof(own), "%s@", h->user);
	a->as.may = slice_starts_nocase(ask->address, SLICE("shared@")) ||
	    slice_starts_nocase(ask->address, slice_of(own)) ? MAY_SEND :
	    MAY_NOT;
	if (!slice_equals(ask->user, slice_of(h->user)))
		abort();
}

/* Two keys; a signature says how much was signed. */
static void
host_dkim(struct host *h, const struct vault_dkim *q, struct answer *a)
{
	struct vault_dkim_signed *made = &a->as.dkim;
	struct dkim_input input;

	made->n_signatures = 2;
	made->signatures[0].algorithm = DKIM_RSA_SHA256;
	made->signatures[0].selector = SLICE("r1");
	made->signatures[1].algorithm = DKIM_ED25519_SHA256;
	made->signatures[1].selector = SLICE("e1");
	if (q->input.size == 0)
		return;
	made->n_signatures = 1;
	if (!dkim_input_read(q->input, &input) ||
	    !slice_equals(input.domain, q->domain))
		abort();
	h->octets.size = 0;
	buf_printf(&h->octets, "%zu octets", q->input.size);
	made->signatures[0].signature = buf_slice(&h->octets);
}

/* The next one begins when the one before has been told. */
static void
host_envelope(struct host *h)
{
	if (h->is_envelope_told)
		h->envelope.size = 0;
	h->is_envelope_told = false;
}

/* "list OCTETS; " for each */
static void
host_queue_members(struct host *h, const struct queue_members *m)
{
	host_envelope(h);
	buf_printf(&h->envelope, "list %.*s; ", (int)m->sealed.size,
	    m->sealed.data);
}

/* "<address> NOTIFY ORCPT here;" for each */
static void
host_queue_recipient(struct host *h, const struct queue_recipient *r)
{
	host_envelope(h);
	buf_printf(&h->envelope, "<%.*s>", (int)r->address.size,
	    r->address.data);
	if (r->notify != 0)
		buf_printf(&h->envelope, " %u", r->notify);
	if (r->orcpt.size > 0)
		buf_printf(&h->envelope, " %.*s", (int)r->orcpt.size,
		    r->orcpt.data);
	buf_puts(&h->envelope, r->is_here ? " here; " : "; ");
}

static void
host_queue(struct host *h, const struct question *q,
    const struct host_fake *fake, struct answer *a)
{
	const struct queue_prepare *p = q->as.queue;
	char block[4096];
	ssize_t n;

	buf_printf(&h->envelope, "from <%.*s> user %.*s of %u",
	    (int)p->reverse_path.size, p->reverse_path.data,
	    (int)p->voucher.user.size, p->voucher.user.data,
	    p->n_recipients);
	buf_printf(&h->envelope, "%s%s%s%s ret %u envid %.*s",
	    p->is_alone ? " alone" : "", p->is_8bit ? " 8bit" : "", p->is_utf8 ? " utf8" : "",
	    p->requires_tls ? " tls" : "", (unsigned)p->ret,
	    (int)p->envid.size, p->envid.data);
	if (p->n_lists > 0)
		buf_printf(&h->envelope, " lists %u", p->n_lists);
	h->is_envelope_told = true;
	h->queued.size = 0;
	while ((n = pread(q->fd, block, sizeof(block),
	    (off_t)h->queued.size)) > 0)
		buf_append(&h->queued, block, (size_t)n);
	if (h->queued.size != p->message_size)
		abort();
	a->as.queued.verdict = fake->verdict;
	a->as.queued.queue_id = SLICE("q1w2e3");
}

/* team has a mailbox here too; of away all are elsewhere. */
static void
host_list(struct host *h, const struct route_ask *ask, struct answer *a)
{
	a->as.route.kind = ROUTE_LIST;
	if (ask->wants_list)
		a->as.route.sealed = local_is(ask, "team") ?
		    SLICE("sealed team") : SLICE("sealed away");
	else if (local_is(ask, "team"))
		host_seal(h, ask, a);
}

/* hopboth has a mailbox here too; all but hopelse have one next hop. */
static void
host_next_hop(struct host *h, const struct route_ask *ask, struct answer *a)
{
	static const uint8_t secret[32];
	const struct hop_route hop = { .recipient = ask->recipient,
		.session = ask->session, .expires_s = 4000000000,
		.destination = local_is(ask, "hopelse") ?
		    SLICE("smtp:[127.0.0.1]:27") :
		    SLICE("smtp:[127.0.0.1]:26"),
		.address = ask->recipient };

	a->as.route.kind = ROUTE_HOP;
	if (local_is(ask, "hopboth"))
		host_seal(h, ask, a);
	h->hop.size = 0;
	if (hop_route_seal(&h->hop, &hop, secret) < 0)
		abort();
	a->as.route.hop = buf_slice(&h->hop);
}

static void
host_route(struct host *h, const struct route_ask *ask, struct answer *a)
{
	struct route_answer *r = &a->as.route;

	memset(r, 0, sizeof(*r));
	r->kind = ROUTE_REFUSE;
	if (local_is(ask, "nobody")) {
		verdict_set(&r->verdict, 550, 1, 1, "no such mailbox here");
		r->is_unknown_user = true;
	} else if (local_is(ask, "two")) {
		verdict_set(&r->verdict, 553, 1, 4, "more than one match");
	} else if (local_is(ask, "evil")) {
		verdict_set(&r->verdict, 250, 0, 0, "x\r\n250 y");
	} else if (is_elsewhere(ask)) {
		verdict_set(&r->verdict, 550, 7, 1, "not our domain");
		r->is_elsewhere = true;
	} else if (local_is(ask, "team") || local_is(ask, "away")) {
		host_list(h, ask, a);
	} else if (local_is(ask, "hop")) {
		host_next_hop(h, ask, a);
	} else if (local_is(ask, "void")) {
		r->kind = ROUTE_DISCARD;
	} else if (local_is(ask, "silent")) {
		a->is_known = false;
	} else {
		r->kind = local_is(ask, "program") ? ROUTE_PROGRAM :
		    ROUTE_MAILBOX;
		host_seal(h, ask, a);
	}
}

static void
host_outcome(const struct host *h, const struct host_fake *fake,
    struct answer *a)
{
	struct outcome *o = &a->as.outcome;
	uint16_t i;

	o->n_failures = fake->verdict.code != 0;
	o->n_left_behind = (uint16_t)fake->n_left;
	o->failures[0].recipient = (uint16_t)fake->which;
	o->failures[0].is_own = fake->is_own;
	o->failures[0].is_of_message = fake->is_of_message;
	o->failures[0].verdict = fake->verdict;
	if (!fake->is_all)
		return;
	o->n_failures = (uint16_t)h->n_recipients;
	for (i = 0; i < h->n_recipients; i++)
		o->failures[i] = (struct outcome_failure){ i, true,
			fake->is_of_message, fake->verdict };
}

static void
host_keep_prepare(struct host *h, const struct question *q)
{
	const struct prepare_ask *ask = q->as.prepare;
	char block[4096];
	off_t at = 0;
	ssize_t n;

	h->message.size = h->trace.size = h->name.size = 0;
	if (q->fd < 0)
		buf_append_slice(&h->message, ask->message);
	while (q->fd >= 0 && (n = pread(q->fd, block, sizeof(block), at)) > 0) {
		buf_append(&h->message, block, (size_t)n);
		at += n;
	}
	buf_append_slice(&h->trace, ask->trace);
	buf_append_slice(&h->name, ask->name);
	slice_copy(h->return_path, sizeof(h->return_path), ask->return_path);
	h->message_size = ask->message_size;
	h->n_recipients = ask->n_recipients;
	h->n_skipped = ask->n_skipped;
	if (ask->n_skipped > 0) {	/* the last of them */
		h->skipped_recipient =
		    ask->skipped[ask->n_skipped - 1].recipient;
		h->skipped_leaf = ask->skipped[ask->n_skipped - 1].leaf;
	}
	h->is_junk = ask->is_junk;
	if (h->message.size != h->message_size)
		abort();
}

static void
host_records(struct host *h, const struct record_begin *begin,
    const struct host_fake *fake, struct answer *a)
{
	struct record_states *states = &a->as.states;
	uint16_t i;

	if (begin->first == 0 && begin->transaction <= h->transaction)
		abort();	/* others may still have a say about that */
	h->transaction = begin->transaction;
	h->is_intent = begin->is_intent;
	h->key.size = 0;
	buf_append_slice(&h->key, begin->reverse_path);
	if (fake->n_left > 0 && begin->first >= fake->n_left)
		a->is_known = false;
	states->first = begin->first;
	states->n_entries = begin->n_entries;
	for (i = 0; i < begin->n_entries; i++)
		states->states[i] = fake->is_set &&
		    (fake->is_all ||
		    fake->which == (unsigned)begin->first + i) ?
		    (uint8_t)fake->state : RECORD_IS_NEW;
	h->n_entries = begin->first + begin->n_entries;
	if (memcmp(h->digest, begin->digest, sizeof(h->digest)) != 0) {
		memcpy(h->digest, begin->digest, sizeof(h->digest));
		h->n_digests++;
	}
	for (i = 0; i < begin->n_entries; i++)
		if (begin->entries[i].recipient.size == 0)
			abort();
	h->entry_file.size = 0;
	buf_append_slice(&h->entry_file, begin->entries[0].file);
}

/* Entries that store has never heard of are no request. */
static void
host_withdraw(struct host *h, const struct entry_list *list)
{
	h->n_withdrawn = list->n;
	for (uint16_t i = 0; i < list->n; i++)
		if (list->entries[i] >= h->n_entries)
			abort();
}

/* Store clears what it finds new; of anything else nobody hears. */
static void
host_begin(struct host *h, const struct record_begin *begin)
{
	const struct host_fake *fake = &h->fakes[QUESTION_RECORDS];
	struct answer a;

	if (begin->n_entries != 1 || begin->clearance == CLEARANCE_NONE ||
	    !begin->is_intent)
		abort();
	host_records(h, begin, fake, &a);
	h->begun = a.as.states;
	h->is_cleared = !(fake->is_set && fake->is_unknown) &&
	    a.as.states.states[0] == RECORD_IS_NEW;
}

/* Without its clearance DELIVER does no more than PREPARE. */
static void
host_deliver(struct host *h, const struct question *q,
    const struct host_fake *fake, struct answer *a)
{
	host_keep_prepare(h, q);
	host_outcome(h, fake, a);
	a->as.outcome.is_prepared = fake->verdict.code == 0 &&
	    (h->is_late || (q->as.prepare->clearance != CLEARANCE_NONE &&
	    !h->is_cleared));
	h->is_late = false;
}

static void
host_change_recipient(struct milter_changes *changes, bool is_removed)
{
	changes->recipients = calloc(1, sizeof(*changes->recipients));
	changes->n_recipients = 1;
	changes->recipients->is_removed = is_removed;
	changes->recipients->address = strdup("bob@example.org");
}

static void
host_change_message(struct milters_answer *m, struct answer *a)
{
	static const char text[] = "X-Other: message\n\nother\n";

	a->fd = sealed_create("fake");
	if (write(a->fd, text, sizeof(text) - 1) != sizeof(text) - 1 ||
	    sealed_finish(a->fd) < 0)
		abort();
	m->size_bytes = sizeof(text) - 1;
	m->changes.sender = strdup("other@b.example");
}

static void
host_milters(const struct host_fake *fake, const struct milters_ask *ask,
    struct answer *a)
{
	struct milters_answer *m = &a->as.milters;

	m->verdict = fake->verdict;
	if (ask->stage != TALK_MESSAGE)
		return;
	if (fake->change == 'j' || fake->change == 'd')
		milter_changes_dispose(&m->changes, fake->change == 'j' ?
		    DISPOSAL_JUNK : DISPOSAL_DROP, "unix:/m", SLICE("odd"));
	if (fake->change == 'a' || fake->change == 'r')
		host_change_recipient(&m->changes, fake->change == 'r');
	if (fake->change == 'm')
		host_change_message(m, a);
}

static void
host_scan(const struct host_fake *fake, struct answer *a)
{
	struct scan_answer *scan = &a->as.scan;

	scan->result = fake->verdict.code == 0 ? CLAMD_CLEAN :
	    fake->verdict.code < 500 ? CLAMD_ERROR : CLAMD_FOUND;
	slice_copy(scan->name, sizeof(scan->name), SLICE("Fake.Virus"));
}

/*
 * An auth to which the password of everybody is "secret". PLAIN; LOGIN; and
 * SCRAM-SHA-256 for one whose first response is "first" and second "proof".
 * A verdict's code: 454 too many failures, 535 no, 250 another session's.
 */
static void
host_auth(struct host *h, const struct auth_step *step,
    const struct host_fake *fake, struct answer *a)
{
	static const struct slice plain = SLICE("\0alice\0secret");
	struct auth_answer *answer = &a->as.auth;
	bool is_right = slice_equals(step->response, plain) ||
	    slice_equals(step->response, SLICE("secret")) ||
	    slice_equals(step->response, SLICE("proof"));
	bool is_more = step->mechanism != AUTH_PLAIN &&
	    (slice_equals(step->response, SLICE("alice")) ||
	    slice_equals(step->response, SLICE("first")));

	if (step->exchange == 0 || step->session.size == 0 ||
	    step->network.size == 0)
		abort();
	answer->result = AUTH_REFUSED;
	if (!step->has_response || is_more) {
		answer->result = AUTH_CONTINUE;
		answer->challenge = step->mechanism == AUTH_LOGIN ?
		    is_more ? SLICE("Password:") : SLICE("Username:") :
		    is_more ? SLICE("r=1") : SLICE("");
	} else if (is_right && fake->verdict.code <= 250) {
		answer->result = AUTH_OK;
		if (step->mechanism == AUTH_SCRAM_SHA_256)
			answer->challenge = SLICE("v=1");
		answer->voucher = (struct voucher){ .user = SLICE("alice"),
			.address = SLICE("alice@example.org"),
			.session = fake->verdict.code == 250 ?
			    SLICE("another") : slice_of(h->s->id),
			.expires_s = UINT64_MAX };
		slice_copy(h->user, sizeof(h->user), SLICE("alice"));
	}
	if (fake->verdict.code == 454)
		answer->result = AUTH_LIMITED;
}

/* Whom the kernel names. A verdict's code: 454 it cannot be told, 554 nobody,
 * 250 somebody of another session. */
static void
host_auth_peer(const struct host *h, const struct host_fake *fake,
    struct answer *a)
{
	struct auth_answer *answer = &a->as.auth;

	answer->result = fake->verdict.code == 454 ? AUTH_UNAVAILABLE :
	    fake->verdict.code == 554 ? AUTH_NOT_A_USER : AUTH_OK;
	if (answer->result != AUTH_OK)
		return;
	answer->voucher = (struct voucher){ .user = SLICE("alice"),
		.address = SLICE("alice@example.org"),
		.session = fake->verdict.code == 250 ? SLICE("another") :
		slice_of(h->s->id), .expires_s = UINT64_MAX };
}

/* which 1: the next hop said nothing; n_left: seconds that it took. */
static void
host_hop(const struct queue_probe *ask, const struct host_fake *fake,
    struct answer *a)
{
	struct hop_reply *hop = &a->as.hop;

	if (ask->voucher.user.size == 0 || ask->address.size == 0)
		abort();
	a->took_us = fake->n_left * 1000000;
	hop->is_said = fake->which != 1;
	hop->stage = RELAY_AT_RCPT;
	hop->remote_host = SLICE("mx.a.net[192.0.2.1]");
	hop->verdict = fake->verdict;
	if (hop->verdict.code == 0)
		verdict_set(&hop->verdict, 250, 1, 5, "fine");
}

static void
host_hop_rcpt(const struct host_fake *fake, struct answer *a)
{
	a->as.hop = (struct hop_reply){ .is_said = true,
		.stage = RELAY_AT_RCPT, .verdict = fake->verdict,
		.remote_host = SLICE("hop[192.0.2.1]") };
	if (fake->verdict.code == 0)
		verdict_set(&a->as.hop.verdict, 250, 1, 5, "fine");
}

/* A verdict is of all who were told, or one's own; then others have it. */
static void
host_hop_send(struct host *h, const struct host_fake *fake, struct answer *a)
{
	struct hop_sent *sent = &a->as.hop_sent;

	sent->remote_host = SLICE("hop[192.0.2.1]");
	sent->tls = SLICE("");
	sent->n = h->n_told;
	for (uint16_t i = 0; i < sent->n; i++) {
		struct hop_result *to = &sent->results[i];
		bool is_meant = fake->verdict.code != 0 && (!fake->is_own ||
		    fake->which == h->told[i]);

		*to = (struct hop_result){ .index = h->told[i],
			.stage = RELAY_AT_END, .is_said = fake->is_own };
		verdict_set(&to->verdict, 250, 0, 0, "taken");
		if (is_meant)
			to->verdict = fake->verdict;
	}
	sent->n -= fake->is_short;
	h->n_told = 0;
}

/* Generation 0 is unknown; of others aaaaaa is good, eeeeee has expired. */
static void
host_tag(struct slice address, struct answer *a)
{
	static char plain[ADDRESS_LONG_LOCAL_MAX + 1];
	struct vault_tag_checked *checked = &a->as.tag;
	struct batv_tag tag;

	address.size = slice_find(address, '@');
	if (!batv_parse(address, &tag))
		abort();	/* why did it ask? */
	checked->result = tag.generation == 0 ? BATV_UNKNOWN :
	    tag.mac == 0xaaaaaa ? BATV_VALID : tag.mac == 0xeeeeee ?
	    BATV_EXPIRED : BATV_WRONG;
	if (checked->result != BATV_UNKNOWN &&
	    slice_copy(plain, sizeof(plain), tag.local))
		checked->plain = slice_of(plain);
}

/* GOODGO and one of yesterday, OLDOLD, STRANG are ours; all else is not. */
static void
host_srs(const struct vault_srs_check *q, struct answer *a)
{
	static char original[ADDRESS_TEXT_MAX + 1];
	struct vault_srs_checked *checked = &a->as.srs;
	struct address rcpt;
	struct srs_tag tag;

	if (address_parse(&rcpt, q->recipient, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK ||
	    !srs_parse(slice_of(rcpt.local), &tag))
		abort();	/* why did it ask? */
	checked->result = slice_equals(tag.mac, SLICE("GOODGO")) ? SRS_VALID :
	    slice_equals(tag.mac, SLICE("OLDOLD")) ? SRS_EXPIRED :
	    slice_equals(tag.mac, SLICE("STRANG")) ? SRS_UNAUTHENTICATED :
	    SRS_WRONG;
	checked->original = SLICE("");
	if (checked->result == SRS_WRONG)
		return;
	snprintf(original, sizeof(original), "%s%.*s@%.*s",
	    tag.is_chain ? "SRS0" : "", (int)tag.local.size, tag.local.data,
	    (int)tag.domain.size, tag.domain.data);
	checked->original = slice_of(original);
}

/* A policy that has nothing to say. */
static void
host_judge(struct answer *a)
{
	static struct buf octets;
	const struct judgement nothing = { .is_complete = true };

	octets.size = 0;
	if (put_judgement(&octets, &nothing) < 0)
		abort();
	a->as.judge.judgement = buf_slice(&octets);
}

/* Work the answer out now, while what the question points to is there. */
static void
host_think(struct host *h, const struct question *q)
{
	struct host_fake *fake = &h->fakes[q->kind];
	struct answer *a = &h->answer;

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	a->is_known = !(fake->is_set && fake->is_unknown);
	switch (q->kind) {
	case QUESTION_ROUTE:
		host_route(h, q->as.route, a);
		break;
	case QUESTION_PROBE:
		h->probed = q->as.probe->recipient;
		a->as.probe = (struct probe_answer){
			.verdict = fake->verdict };
		break;
	case QUESTION_FAILURE:
		a->as.verdict = fake->verdict;
		break;
	case QUESTION_PREPARE:
		host_keep_prepare(h, q);
		host_outcome(h, fake, a);
		break;
	case QUESTION_COMMIT:
		host_outcome(h, fake, a);
		break;
	case QUESTION_DELIVER:
		host_deliver(h, q, fake, a);
		break;
	case QUESTION_LOOK:
		a->is_known = !(h->fakes[QUESTION_RECORDS].is_set &&
		    h->fakes[QUESTION_RECORDS].is_unknown);
		a->as.states = h->begun;
		break;
	case QUESTION_RECORDS:
		host_records(h, q->as.records, fake, a);
		break;
	case QUESTION_WITHDRAW:
		host_withdraw(h, &q->as.list);
		break;
	case QUESTION_MILTERS:
		if (fake->is_set && fake->which != 0 &&
		    fake->which != q->as.milters->stage + 1u)
			return;		/* it waits for its stage */
		host_milters(fake, q->as.milters, a);
		break;
	case QUESTION_SCAN:
		host_scan(fake, a);
		break;
	case QUESTION_DNS:
		host_dns(h, q->as.dns, a);
		break;
	case QUESTION_MAY:
		host_may(h, q->as.may, a);
		break;
	case QUESTION_QUEUE:
		host_queue(h, q, fake, a);
		break;
	case QUESTION_QUEUE_COMMIT:
		a->as.verdict = fake->verdict;
		break;
	case QUESTION_HOP:
		host_hop(q->as.hop, fake, a);
		break;
	case QUESTION_HOP_RCPT:
		host_hop_rcpt(fake, a);
		break;
	case QUESTION_PROGRAM:
		a->as.program.verdict = fake->verdict;
		break;
	case QUESTION_HOP_SEND:
		host_hop_send(h, fake, a);
		break;
	case QUESTION_DKIM:
		host_dkim(h, q->as.dkim, a);
		break;
	case QUESTION_AUTH_STEP:
		host_auth(h, &q->as.auth_step->step, fake, a);
		break;
	case QUESTION_AUTH_PEER:
		host_auth_peer(h, fake, a);
		break;
	case QUESTION_JUDGE:
		host_judge(a);
		break;
	case QUESTION_TAG_CHECK:
		host_tag(q->as.octets, a);
		break;
	case QUESTION_SRS_CHECK:
		host_srs(q->as.srs_check, a);
		break;
	case QUESTION_TRACE:
		a->as.octets = SLICE("MACMACMACM");
		break;
	default:
		break;
	}
	if (fake->is_set && q->kind != QUESTION_RECORDS)
		memset(fake, 0, sizeof(*fake));
}

static uint32_t
host_ask(struct session *s, const struct question *q)
{
	struct host *h = s->conn;

	if (h->question != 0)
		abort();	/* one at a time */
	h->asked[q->kind]++;
	h->question = h->asked[q->kind] * QUESTION_COUNT + q->kind + 1;
	h->kind = q->kind;
	host_think(h, q);
	return h->question;
}

static void
host_forget(struct session *s, uint32_t id)
{
	struct host *h = s->conn;

	if (h->question != id)
		abort();
	h->question = 0;
}

static void
host_remember(struct host *h, const struct failure *failure)
{
	slice_copy(h->remembered, sizeof(h->remembered), failure->recipient);
	h->remembered_code = failure->verdict.code;
}

static void
host_tell(struct session *s, const struct question *q)
{
	struct host *h = s->conn;

	h->asked[q->kind]++;
	if (q->kind == QUESTION_RELEASE) {
		h->n_released_all += q->as.release.how == RELEASE_ALL;
		h->n_released_kept += q->as.release.how == RELEASE_KEEP_FILES;
	}
	if (q->kind == QUESTION_DONE || q->kind == QUESTION_DONE_NOW)
		h->n_done = q->as.list.n;
	if (q->kind == QUESTION_BEGIN)
		host_begin(h, q->as.records);
	if (q->kind == QUESTION_QUEUE_RECIPIENT)
		host_queue_recipient(h, q->as.queue_recipient);
	if (q->kind == QUESTION_QUEUE_MEMBERS)
		host_queue_members(h, q->as.queue_members);
	if (q->kind == QUESTION_HOP_RECIPIENT)
		h->told[h->n_told++] = q->as.hop_recipient->index;
	if (q->kind == QUESTION_FAILED)
		host_remember(h, q->as.failure);
}

static const struct session_host fake_session_host = {
	.send = host_send, .presence = host_presence,
	.local_ip = host_local_ip,
	.can_start_tls = host_can_start_tls,
	.start_tls = host_start_tls, .timer = host_timer,
	.closed = host_closed, .ask = host_ask, .forget = host_forget,
	.tell = host_tell,
};

/* Answer what is out; false: nothing is. */
static bool
host_answer(struct host *h)
{
	uint32_t id = h->question;

	if (id == 0 || h->s == NULL)
		return false;
	h->question = 0;
	session_answer(h->s, id, &h->answer);
	return true;
}

/* ---- life ---- */

static void
host_open(struct host *h, const char *more_config)
{
	struct config_problems problems;
	struct limits_setup setup = { 0 };
	struct buf text = { 0 };
	enum config_listen_role role = h->role;
	unsigned caller = h->caller;

	memset(h, 0, sizeof(*h));
	h->role = role;
	h->caller = caller;
	if (!digest_set_key((const uint8_t[DIGEST_KEY_SIZE]){ 1 }))
		abort();
	buf_puts(&text, HOST_CONFIG);
	buf_puts(&text, more_config);
	h->config = config_parse(buf_slice(&text), &problems);
	if (h->config == NULL) {
		fprintf(stderr, "config: %s\n", problems.items[0].text);
		abort();
	}
	config_problems_free(&problems);
	buf_free(&text);
	/* nobody plays policy here */
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (i != CHECK_VIRUS)
			h->config->checks.actions[i] = ACTION_OFF;
	setup.config = h->config;
	setup.memory_bytes = config_memory_bytes(h->config);
	h->settings = (struct session_settings){ .config = h->config,
		.kind = h->role,
		.auth_offers = (1u << AUTH_MECHANISM_COUNT) - 1,
		.host = &fake_session_host, .limits = limits_new(&setup),
		.trail = trail_new(), .memory_bytes = setup.memory_bytes,
		.max_recipients = session_max_recipients(h->config) };
}

/* auth has said who it is. */
static void
host_vouch(struct host *h)
{
	struct voucher voucher = { .user = slice_of(h->user),
		.session = SLICE("x"), .expires_s = UINT64_MAX };
	char address[80];

	if (h->user[0] == '\0')
		return;
	snprintf(address, sizeof(address), "%s@example.org", h->user);
	voucher.address = slice_of(address);
	h->s->user = calloc(1, sizeof(*h->s->user));
	if (h->s->user == NULL || !voucher_copy(h->s->user, &voucher))
		abort();
}

static void
host_greet_caller(struct host *h)
{
	struct host_fake *fake = &h->fakes[QUESTION_AUTH_PEER];

	fake->is_set = true;
	fake->verdict.code = h->caller;
	session_begin(h->s);
	caller_greet(h->s);
	while (host_answer(h))
		;
}

static void
host_connect(struct host *h, bool has_talked)
{
	struct client *client = NULL;
	enum reply_name reply = limits_admit(h->settings.limits, "192.0.2.1",
	    &client);

	h->is_closed = false;
	h->s = session_new(&h->settings, h, "192.0.2.1", client,
	    reply == REPLY_COUNT);
	if (h->s == NULL)
		abort();
	h->is_handshaking = false;
	host_vouch(h);
	h->s->tls_mode = h->tls_mode;
	if (reply != REPLY_COUNT)
		session_turn_away(h->s, reply);
	else if (h->tls_mode == TLS_IMPLICIT)
		session_secure(h->s);
	else if (h->caller == 0)
		session_greet(h->s, has_talked);
	else
		host_greet_caller(h);
}

static void
host_close(struct host *h)
{
	while (host_answer(h))
		;
	if (h->s != NULL)
		session_hang_up(h->s);
	while (host_answer(h))
		;
	limits_free(&h->settings.limits);
	trail_free(&h->settings.trail);
	config_free(&h->config);
	buf_free(&h->sent);
	buf_free(&h->route);
	buf_free(&h->hop);
	buf_free(&h->message);
	buf_free(&h->envelope);
	buf_free(&h->queued);
	buf_free(&h->octets);
	buf_free(&h->trace);
	buf_free(&h->name);
	buf_free(&h->entry_file);
	buf_free(&h->key);
	if (!h->is_closed)
		abort();	/* nobody freed the session */
}

#endif
