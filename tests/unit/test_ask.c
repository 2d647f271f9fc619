/* SPDX-License-Identifier: ISC */
/*
 * test_ask.c - every question survives encoding and decoding, none survives
 * being cut short or having something left over, and who may ask whom has
 * no cycle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "ask.h"

typedef void put_fn(struct ipc_writer *w);
typedef bool get_fn(struct ipc_reader *r);

static struct verdict
refusal(void)
{
	struct verdict v = { .code = 550, .subject = 1, .detail = 6 };

	snprintf(v.text, sizeof v.text, "moved");
	return v;
}

static void
same(struct slice s, const char *text)
{
	assert_int_equal(s.size, strlen(text));
	assert_memory_equal(s.data, text, s.size);
}

static void
put_self(struct ipc_writer *w)
{
	struct setup_self s = { ROLE_STORE, 2, 3, LISTEN_LOCAL,
		true, 100, 200 };

	put_setup_self(w, &s);
}

static bool
get_self(struct ipc_reader *r)
{
	struct setup_self s;

	if (!get_setup_self(r, &s))
		return false;
	assert_int_equal(s.role, ROLE_STORE);
	assert_int_equal(s.index, 2);
	assert_int_equal(s.generation, 3);
	assert_int_equal(s.kind, LISTEN_LOCAL);
	assert_true(s.is_privileged);
	assert_int_equal(s.uid, 100);
	assert_int_equal(s.gid, 200);
	return true;
}

static void
put_route_question(struct ipc_writer *w)
{
	struct route_ask q = { SLICE("sess"), SLICE("alice"),
		SLICE("example.org"), SLICE("Alice@example.org"), true, true };

	put_route_ask(w, &q);
}

static bool
get_route_question(struct ipc_reader *r)
{
	struct route_ask q;

	if (!get_route_ask(r, &q))
		return false;
	same(q.session, "sess");
	same(q.local, "alice");
	same(q.domain, "example.org");
	same(q.recipient, "Alice@example.org");
	assert_true(q.explains && q.wants_list);
	return true;
}

static void
put_route_reply(struct ipc_writer *w)
{
	struct route_answer a = { .kind = ROUTE_REFUSE, .verdict = refusal(),
		.is_unknown_user = true, .alarm = SLICE("x"),
		.is_elsewhere = true,
		.explanation = SLICE("because"), .sealed = SLICE("") };

	put_route_answer(w, &a);
}

static bool
get_route_reply(struct ipc_reader *r)
{
	struct route_answer a;

	if (!get_route_answer(r, &a))
		return false;
	assert_int_equal(a.kind, ROUTE_REFUSE);
	assert_int_equal(a.verdict.code, 550);
	assert_int_equal(a.verdict.detail, 6);
	assert_string_equal(a.verdict.text, "moved");
	assert_true(a.is_unknown_user);
	assert_false(a.is_exempt);
	assert_true(a.is_elsewhere);
	same(a.alarm, "x");
	same(a.explanation, "because");
	return true;
}

static void
put_probe(struct ipc_writer *w)
{
	struct probe_ask q = { 7, 3, 1000, SLICE("sess"), SLICE("route"), 0 };

	put_probe_ask(w, &q);
}

static bool
get_probe(struct ipc_reader *r)
{
	struct probe_ask q;

	if (!get_probe_ask(r, &q))
		return false;
	assert_int_equal(q.transaction, 7);
	assert_int_equal(q.recipient, 3);
	assert_int_equal(q.size_bytes, 1000);
	same(q.sealed, "route");
	return true;
}

static void
put_probed(struct ipc_writer *w)
{
	const struct probe_answer a = { .believed_ms = 4321 };

	put_probe_answer(w, &a);
}

static bool
get_probed(struct ipc_reader *r)
{
	struct probe_answer a;

	if (!get_probe_answer(r, &a))
		return false;
	assert_int_equal(a.verdict.code, 0);
	assert_int_equal(a.believed_ms, 4321);
	return true;
}

static void
put_prepare(struct ipc_writer *w)
{
	static struct prepare_ask q;

	q = (struct prepare_ask){ .transaction = 9, .message_size = 5,
		.message = SLICE("all\nx"), .is_each = true, .name = SLICE("n"), .host = SLICE("h"),
		.return_path = SLICE("a@b"), .trace = SLICE("Received: x\n"),
		.n_recipients = 2, .recipients = { 0, 4 }, .n_skipped = 1 };
	q.skipped[0].recipient = 4;
	q.skipped[0].leaf = 1;
	put_prepare_ask(w, &q);
}

static bool
get_prepare(struct ipc_reader *r)
{
	static struct prepare_ask q;

	if (!get_prepare_ask(r, &q))
		return false;
	assert_int_equal(q.transaction, 9);
	same(q.message, "all\nx");
	assert_true(q.is_each);
	assert_false(q.is_junk);
	same(q.trace, "Received: x\n");
	assert_int_equal(q.n_recipients, 2);
	assert_int_equal(q.recipients[1], 4);
	assert_int_equal(q.skipped[0].leaf, 1);
	return true;
}

static void
put_result(struct ipc_writer *w)
{
	static struct outcome o;

	o = (struct outcome){ .n_failures = 1, .n_left_behind = 2 };
	o.failures[0].recipient = 5;
	o.failures[0].is_own = o.failures[0].is_of_message = true;
	o.failures[0].verdict = refusal();
	put_outcome(w, &o);
}

static bool
get_result(struct ipc_reader *r)
{
	static struct outcome o;

	if (!get_outcome(r, &o))
		return false;
	assert_int_equal(o.n_failures, 1);
	assert_int_equal(o.n_left_behind, 2);
	assert_int_equal(o.failures[0].recipient, 5);
	assert_true(o.failures[0].is_own && o.failures[0].is_of_message);
	return true;
}

static void
put_program(struct ipc_writer *w)
{
	const struct program_ask q = { .transaction = 12, .recipient = 3,
		.message_size = 1ull << 33, .return_path = SLICE("a@b"),
		.trace = SLICE("Received: x\n") };

	put_program_ask(w, &q);
}

static bool
get_program(struct ipc_reader *r)
{
	struct program_ask q;

	if (!get_program_ask(r, &q))
		return false;
	return q.transaction == 12 && q.recipient == 3 &&
	    q.message_size == 1ull << 33 &&
	    slice_equals(q.return_path, SLICE("a@b")) &&
	    slice_equals(q.trace, SLICE("Received: x\n"));
}

static void
put_program_end(struct ipc_writer *w)
{
	struct program_answer a = { .told = SLICE("exit 75: no") };

	verdict_set(&a.verdict, 451, 3, 0, "later");
	put_program_answer(w, &a);
}

static bool
get_program_end(struct ipc_reader *r)
{
	struct program_answer a;

	if (!get_program_answer(r, &a))
		return false;
	return a.verdict.code == 451 && a.verdict.subject == 3 &&
	    slice_equals(a.told, SLICE("exit 75: no"));
}

static void
put_release(struct ipc_writer *w)
{
	struct release_ask q = { 11, RELEASE_RECIPIENT, 6 };

	put_release_ask(w, &q);
}

static bool
get_release(struct ipc_reader *r)
{
	struct release_ask q;

	if (!get_release_ask(r, &q))
		return false;
	assert_int_equal(q.how, RELEASE_RECIPIENT);
	assert_int_equal(q.recipient, 6);
	return true;
}

static void
put_resolve(struct ipc_writer *w)
{
	struct resolve_ask q = { 1000, 1001, SLICE("/m"), SLICE("f") };

	put_resolve_ask(w, &q);
}

static bool
get_resolve(struct ipc_reader *r)
{
	struct resolve_ask q;

	if (!get_resolve_ask(r, &q))
		return false;
	assert_int_equal(q.gid, 1001);
	same(q.maildir, "/m");
	same(q.file, "f");
	return true;
}

static void
put_begin(struct ipc_writer *w)
{
	static struct record_begin q;

	q = (struct record_begin){ .transaction = 3,
		.reverse_path = SLICE("a@b"), .digest = { 1, 2 }, .first = 64,
		.n_entries = 1 };
	q.entries[0] = (struct record_entry){ SLICE("c@d"), 5, 6,
		SLICE("/m"), SLICE("f") };
	put_record_begin(w, &q);
}

static bool
get_begin(struct ipc_reader *r)
{
	static struct record_begin q;

	if (!get_record_begin(r, &q))
		return false;
	assert_int_equal(q.first, 64);
	assert_int_equal(q.digest[1], 2);
	same(q.entries[0].file, "f");
	assert_int_equal(q.entries[0].gid, 6);
	return true;
}

static void
put_states(struct ipc_writer *w)
{
	struct record_states a = { .first = 1, .n_entries = 2,
		.states = { RECORD_IS_NEW, RECORD_IS_OPEN } };

	put_record_states(w, &a);
}

static bool
get_states(struct ipc_reader *r)
{
	struct record_states a;

	if (!get_record_states(r, &a))
		return false;
	assert_int_equal(a.states[1], RECORD_IS_OPEN);
	return true;
}

static void
put_fail(struct ipc_writer *w)
{
	struct failure f = { SLICE("192.0.2.1"), SLICE("a@b"), SLICE("c@d"),
		refusal() };

	put_failure(w, &f);
}

static bool
get_fail(struct ipc_reader *r)
{
	struct failure f;

	if (!get_failure(r, &f))
		return false;
	same(f.client_network, "192.0.2.1");
	assert_int_equal(f.verdict.code, 550);
	return true;
}

static void
put_policy(struct ipc_writer *w)
{
	const struct sts_kept p = { SLICE("example.org"), SLICE("1"), 100, 200,
		SLICE("version: STSv1") };

	put_sts_kept(w, &p);
}

static bool
get_policy(struct ipc_reader *r)
{
	struct sts_kept p;

	if (!get_sts_kept(r, &p))
		return false;
	same(p.domain, "example.org");
	same(p.id, "1");
	assert_int_equal(p.fetched_s, 100);
	assert_int_equal(p.expires_s, 200);
	same(p.text, "version: STSv1");
	return true;
}

static void
test_kept_policies(void **state)
{
	static char text[STS_KEPT_TEXT_MAX + 1];
	const struct {
		struct sts_kept p;
		bool is_good;
	} rows[] = {
		{ { SLICE(""), SLICE(""), 0, 0, SLICE("") }, true },
		{ { SLICE("a.b"), SLICE(""), 0, 0, SLICE("") }, true },
		{ { SLICE("a.b"), SLICE("1"), 1, 2, { text, sizeof text - 1 }
		    }, true },
		{ { SLICE("a.b"), SLICE("1"), 1, 2, { text, sizeof text } },
		    false },
		{ { SLICE(""), SLICE(""), 1, 2, SLICE("x") }, false },
		{ { SLICE("A.b"), SLICE("1"), 1, 2, SLICE("x") }, false },
		{ { SLICE("a.b."), SLICE("1"), 1, 2, SLICE("x") }, false },
		{ { SLICE("a..b"), SLICE("1"), 1, 2, SLICE("x") }, false },
		{ { SLICE("a.b"), SLICE("1"), 2, 1, SLICE("x") }, false },
		{ { SLICE("a.b"), { text, 33 }, 1, 2, SLICE("x") }, false },
		{ { SLICE("a.b"), SLICE("1"), 1, UINT64_MAX, SLICE("x") },
		    false },
	};
	struct ipc_writer w;
	struct ipc_reader r;
	struct sts_kept p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ipc_writer_init(&w);
		put_sts_kept(&w, &rows[i].p);
		ipc_reader_init(&r, w.data, w.size);
		if (get_sts_kept(&r, &p) != rows[i].is_good)
			fail_msg("row %zu", i);
	}
}

static void
put_dns(struct ipc_writer *w)
{
	struct dns_ask q = { DNS_MX, SLICE("example.org"),
		SLICE("192.0.2.0/24"), false };

	put_dns_ask(w, &q);
}

static bool
get_dns(struct ipc_reader *r)
{
	struct dns_ask q;

	if (!get_dns_ask(r, &q))
		return false;
	assert_int_equal(q.type, DNS_MX);
	same(q.name, "example.org");
	same(q.network, "192.0.2.0/24");
	return true;
}

static void
put_grey(struct ipc_writer *w)
{
	struct grey_ask q = { SLICE("192.0.2.0/24"), SLICE(""), SLICE("c@d"),
		60, 86400, GREY_TIME_MAX_S, true };

	put_grey_ask(w, &q);
}

static bool
get_grey(struct ipc_reader *r)
{
	struct grey_ask q;

	if (!get_grey_ask(r, &q))
		return false;
	same(q.network, "192.0.2.0/24");
	same(q.sender, "");
	same(q.recipient, "c@d");
	assert_int_equal(q.delay_s, 60);
	assert_int_equal(q.window_s, 86400);
	assert_int_equal(q.lifetime_s, GREY_TIME_MAX_S);
	assert_true(q.notes);
	return true;
}

static void
put_grey_reply(struct ipc_writer *w)
{
	struct grey_answer a = { GREY_EARLY, 17 };

	put_grey_answer(w, &a);
}

static bool
get_grey_reply(struct ipc_reader *r)
{
	struct grey_answer a;

	if (!get_grey_answer(r, &a))
		return false;
	assert_int_equal(a.state, GREY_EARLY);
	assert_int_equal(a.wait_s, 17);
	return true;
}

static void
put_seen(struct ipc_writer *w)
{
	struct seen_ask q = { SLICE("dnsbl 192.0.2.0/24"), 3600, false };

	put_seen_ask(w, &q);
}

static bool
get_seen(struct ipc_reader *r)
{
	struct seen_ask q;

	if (!get_seen_ask(r, &q))
		return false;
	same(q.key, "dnsbl 192.0.2.0/24");
	assert_int_equal(q.lifetime_s, 3600);
	assert_false(q.notes);
	return true;
}

static void
put_seen_reply(struct ipc_writer *w)
{
	struct seen_answer a = { SEEN_BEFORE, (uint64_t)1 << 33 };

	put_seen_answer(w, &a);
}

static bool
get_seen_reply(struct ipc_reader *r)
{
	struct seen_answer a;

	if (!get_seen_answer(r, &a))
		return false;
	assert_int_equal(a.state, SEEN_BEFORE);
	assert_true(a.age_s == (uint64_t)1 << 33);
	return true;
}

static void
put_more(struct ipc_writer *w)
{
	struct judge_more q = { 7, SLICE("facts") };

	put_judge_more(w, &q);
}

static bool
get_more(struct ipc_reader *r)
{
	struct judge_more q;

	if (!get_judge_more(r, &q))
		return false;
	assert_int_equal(q.set, 7);
	same(q.facts, "facts");
	return true;
}

static void
put_judge(struct ipc_writer *w)
{
	struct judge_ask q = { JUDGE_DATA, 7, 4096, SLICE("facts") };

	put_judge_ask(w, &q);
}

static bool
get_judge(struct ipc_reader *r)
{
	struct judge_ask q;

	if (!get_judge_ask(r, &q))
		return false;
	assert_int_equal(q.stage, JUDGE_DATA);
	assert_int_equal(q.set, 7);
	assert_int_equal(q.message_bytes, 4096);
	same(q.facts, "facts");
	return true;
}

static void
put_judge_reply(struct ipc_writer *w)
{
	struct judge_answer a = { SLICE("judgement"), 0 };

	put_judge_answer(w, &a);
}

static bool
get_judge_reply(struct ipc_reader *r)
{
	struct judge_answer a;

	if (!get_judge_answer(r, &a))
		return false;
	assert_int_equal(a.sealed_size, 0);
	same(a.judgement, "judgement");
	return true;
}

static void
put_key(struct ipc_writer *w)
{
	const struct tls_key key = { 7, 63 };

	put_tls_key(w, &key);
}

static bool
get_key(struct ipc_reader *r)
{
	struct tls_key key;

	if (!get_tls_key(r, &key))
		return false;
	assert_int_equal(key.generation, 7);
	assert_int_equal(key.index, 63);
	return true;
}

static void
put_sign(struct ipc_writer *w)
{
	const struct vault_sign q = { { 300, 5 }, TLS_RSA_PSS_SHA384,
		SLICE("sign me") };

	put_vault_sign(w, &q);
}

static bool
get_sign(struct ipc_reader *r)
{
	struct vault_sign q;

	if (!get_vault_sign(r, &q))
		return false;
	assert_int_equal(q.key.generation, 300);
	assert_int_equal(q.key.index, 5);
	assert_int_equal(q.scheme, TLS_RSA_PSS_SHA384);
	same(q.data, "sign me");
	return true;
}

static void
put_signature(struct ipc_writer *w)
{
	put_vault_signature(w, SLICE("signed"));
}

static bool
get_signature(struct ipc_reader *r)
{
	struct slice signature;

	if (!get_vault_signature(r, &signature))
		return false;
	same(signature, "signed");
	return true;
}

static void
put_tag(struct ipc_writer *w)
{
	const struct vault_tag q = { VAULT_TAG_BATV,
		SLICE("alice@example.org"), 20779 };

	put_vault_tag(w, &q);
}

static bool
get_tag(struct ipc_reader *r)
{
	struct vault_tag q;

	if (!get_vault_tag(r, &q))
		return false;
	assert_int_equal(q.kind, VAULT_TAG_BATV);
	same(q.address, "alice@example.org");
	assert_int_equal(q.day, 20779);
	return true;
}

static void
put_tag_checked(struct ipc_writer *w)
{
	const struct vault_tag_checked a = { BATV_VALID, SLICE("alice") };

	put_vault_tag_checked(w, &a);
}

static bool
get_tag_checked(struct ipc_reader *r)
{
	struct vault_tag_checked a;

	if (!get_vault_tag_checked(r, &a))
		return false;
	assert_int_equal(a.result, BATV_VALID);
	same(a.plain, "alice");
	return true;
}

static void
put_srs(struct ipc_writer *w)
{
	const struct vault_srs q = { SLICE("alice@a.example"),
		SLICE("ours.example"), true };

	put_vault_srs(w, &q);
}

static bool
get_srs(struct ipc_reader *r)
{
	struct vault_srs q;

	if (!get_vault_srs(r, &q))
		return false;
	same(q.reverse_path, "alice@a.example");
	same(q.domain, "ours.example");
	assert_true(q.is_authenticated);
	return true;
}

static void
put_srs_made(struct ipc_writer *w)
{
	put_vault_srs_made(w, SLICE("SRS0=a=b=c=d@ours.example"));
}

static bool
get_srs_made(struct ipc_reader *r)
{
	struct slice address;

	if (!get_vault_srs_made(r, &address))
		return false;
	same(address, "SRS0=a=b=c=d@ours.example");
	return true;
}

static void
put_srs_check(struct ipc_writer *w)
{
	const struct vault_srs_check q = { SLICE("s1"),
		SLICE("SRS0=a=b=c=d@ours.example") };

	put_vault_srs_check(w, &q);
}

static bool
get_srs_check(struct ipc_reader *r)
{
	struct vault_srs_check q;

	if (!get_vault_srs_check(r, &q))
		return false;
	same(q.session, "s1");
	same(q.recipient, "SRS0=a=b=c=d@ours.example");
	return true;
}

static void
put_srs_checked(struct ipc_writer *w)
{
	const struct vault_srs_checked a = { SRS_VALID,
		SLICE("alice@a.example"), SLICE("sealed") };

	put_vault_srs_checked(w, &a);
}

static bool
get_srs_checked(struct ipc_reader *r)
{
	struct vault_srs_checked a;

	if (!get_vault_srs_checked(r, &a))
		return false;
	assert_int_equal(a.result, SRS_VALID);
	same(a.original, "alice@a.example");
	same(a.way_back, "sealed");
	return true;
}

static void
put_trace_check(struct ipc_writer *w)
{
	const struct vault_trace q = { SLICE("s-1-20750-abcdefghij"),
		SLICE("alice@example.org") };

	put_vault_trace(w, &q);
}

static bool
get_trace_check(struct ipc_reader *r)
{
	struct vault_trace q;

	if (!get_vault_trace(r, &q))
		return false;
	same(q.id, "s-1-20750-abcdefghij");
	same(q.sender, "alice@example.org");
	return true;
}

static void
put_proof(struct ipc_writer *w)
{
	const struct proof_ask q = { 12, PROOF_DELAYED, SLICE("a@e.org"),
		SLICE("1@e.org"), SLICE("bob@b.net"), SLICE("") };

	put_proof_ask(w, &q);
}

static bool
get_proof(struct ipc_reader *r)
{
	struct proof_ask q;

	if (!get_proof_ask(r, &q))
		return false;
	assert_true(q.transaction == 12 && q.action == PROOF_DELAYED);
	same(q.sender, "a@e.org");
	same(q.message_id, "1@e.org");
	same(q.recipient, "bob@b.net");
	same(q.trace, "");
	return true;
}

static void
put_proven(struct ipc_writer *w)
{
	const struct proof_answer a = { PROOF_GOOD, 1792922400 };

	put_proof_answer(w, &a);
}

static bool
get_proven(struct ipc_reader *r)
{
	struct proof_answer a;

	if (!get_proof_answer(r, &a))
		return false;
	assert_true(a.state == PROOF_GOOD && a.time_s == 1792922400);
	return true;
}

static void
put_dkim(struct ipc_writer *w)
{
	const struct vault_dkim q = { SLICE("example.org"), SLICE("text") };

	put_vault_dkim(w, &q);
}

static bool
get_dkim(struct ipc_reader *r)
{
	struct vault_dkim q;

	if (!get_vault_dkim(r, &q))
		return false;
	same(q.domain, "example.org");
	same(q.input, "text");
	return true;
}

static void
put_signed(struct ipc_writer *w)
{
	const struct vault_dkim_signed a = { 2, {
	    { DKIM_RSA_SHA256, SLICE("r1"), SLICE("one") },
	    { DKIM_ED25519_SHA256, SLICE("e1"), SLICE("two") } } };

	put_vault_dkim_signed(w, &a);
}

static bool
get_signed(struct ipc_reader *r)
{
	struct vault_dkim_signed a;

	if (!get_vault_dkim_signed(r, &a))
		return false;
	assert_int_equal(a.n_signatures, 2);
	assert_int_equal(a.signatures[0].algorithm, DKIM_RSA_SHA256);
	same(a.signatures[0].selector, "r1");
	assert_int_equal(a.signatures[1].algorithm, DKIM_ED25519_SHA256);
	same(a.signatures[1].signature, "two");
	return true;
}

static void
put_entry(struct ipc_writer *w)
{
	const struct ledger_entry e = { SLICE("1@example.org"),
		SLICE("b@example.net"), SLICE("alice@example.org"), 1234,
		SLICE("q1w2e3"), SLICE("alice") };

	put_ledger_entry(w, &e);
}

static bool
get_entry(struct ipc_reader *r)
{
	struct ledger_entry e;

	if (!get_ledger_entry(r, &e))
		return false;
	same(e.message_id, "1@example.org");
	same(e.recipient, "b@example.net");
	same(e.sender, "alice@example.org");
	assert_int_equal(e.time_s, 1234);
	same(e.queue_id, "q1w2e3");
	same(e.user, "alice");
	return true;
}

static void
put_sent(struct ipc_writer *w)
{
	put_sent_ask(w, &(struct sent_ask){ SLICE("b@example.net"),
	    SLICE("alice") });
}

static bool
get_sent(struct ipc_reader *r)
{
	struct sent_ask q;

	if (!get_sent_ask(r, &q))
		return false;
	same(q.word, "b@example.net");
	same(q.user, "alice");
	return true;
}

static void
put_own(struct ipc_writer *w)
{
	const struct queue_own q = { .voucher = { .user = SLICE("alice"),
		.address = SLICE("alice@example.org"),
		.session = SLICE("k3f9q2m7t"), .expires_s = 1234,
		.mac = { 5, 6 } }, .is_sent = true, .word = SLICE("1@x") };

	put_queue_own(w, &q);
}

static bool
get_own(struct ipc_reader *r)
{
	struct queue_own q;

	if (!get_queue_own(r, &q))
		return false;
	same(q.voucher.user, "alice");
	assert_int_equal(q.voucher.mac[1], 6);
	assert_true(q.is_sent);
	same(q.word, "1@x");
	return true;
}

static void
put_mailbox(struct ipc_writer *w)
{
	const struct mailbox_ask q = { SLICE("k3f9q2m7t"), SLICE("www-data") };

	put_mailbox_ask(w, &q);
}

static bool
get_mailbox(struct ipc_reader *r)
{
	struct mailbox_ask q;

	if (!get_mailbox_ask(r, &q))
		return false;
	same(q.session, "k3f9q2m7t");
	same(q.user, "www-data");
	return true;
}

static void
put_may(struct ipc_writer *w)
{
	const struct may_ask q = { SLICE("alice"), SLICE("a@example.org") };

	put_may_ask(w, &q);
}

static bool
get_may(struct ipc_reader *r)
{
	struct may_ask q;

	if (!get_may_ask(r, &q))
		return false;
	same(q.user, "alice");
	same(q.address, "a@example.org");
	return true;
}

static void
put_may_reply(struct ipc_writer *w)
{
	put_may_answer(w, MAY_SEND);
}

static bool
get_may_reply(struct ipc_reader *r)
{
	enum may_answer a;

	if (!get_may_answer(r, &a))
		return false;
	assert_int_equal(a, MAY_SEND);
	return true;
}

static void
put_kept_recipient(struct ipc_writer *w)
{
	put_queue_recipient(w, &(struct queue_recipient){ .transaction = 7,
	    .index = 3, .address = SLICE("b@example.net"),
	    .notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
	    .orcpt = SLICE("rfc822;b@example.net"), .is_here = true });
}

static bool
get_kept_recipient(struct ipc_reader *r)
{
	struct queue_recipient q;

	if (!get_queue_recipient(r, &q))
		return false;
	assert_int_equal(q.transaction, 7);
	assert_int_equal(q.index, 3);
	same(q.address, "b@example.net");
	assert_int_equal(q.notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	same(q.orcpt, "rfc822;b@example.net");
	assert_true(q.is_here);
	return true;
}

static void
put_kept_members(struct ipc_writer *w)
{
	put_queue_members(w, &(struct queue_members){ .transaction = 9,
	    .sealed = SLICE("sealed") });
}

static bool
get_kept_members(struct ipc_reader *r)
{
	struct queue_members q;

	if (!get_queue_members(r, &q))
		return false;
	assert_int_equal(q.transaction, 9);
	same(q.sealed, "sealed");
	assert_int_equal(q.sealed_size, 0);
	return true;
}

static void
put_kept(struct ipc_writer *w)
{
	struct queue_prepare q = { .transaction = 8, .voucher = {
	    .user = SLICE("alice"), .address = SLICE("alice@example.org"),
	    .session = SLICE("k3f9q2m7t"), .expires_s = 99 },
	    .reverse_path = SLICE("alice@example.org"), .ret = DSN_RET_HDRS,
	    .envid = SLICE("QQ"), .is_8bit = true, .requires_tls = true,
	    .is_alone = true,
	    .message_size = 1ull << 33, .n_recipients = 4, .n_lists = 2 };

	put_queue_prepare(w, &q);
}

static bool
get_kept(struct ipc_reader *r)
{
	struct queue_prepare q;

	if (!get_queue_prepare(r, &q))
		return false;
	assert_int_equal(q.transaction, 8);
	same(q.voucher.user, "alice");
	same(q.reverse_path, "alice@example.org");
	assert_int_equal(q.ret, DSN_RET_HDRS);
	same(q.envid, "QQ");
	assert_true(q.is_8bit && !q.is_utf8 && q.requires_tls && q.is_alone);
	assert_true(q.message_size == 1ull << 33);
	assert_int_equal(q.n_recipients, 4);
	assert_int_equal(q.n_lists, 2);
	return true;
}

static void
put_is_kept(struct ipc_writer *w)
{
	put_queue_prepared(w, &(struct queue_prepared){
	    .queue_id = SLICE("1M5RZK0A2B") });
}

static bool
get_is_kept(struct ipc_reader *r)
{
	struct queue_prepared a;

	if (!get_queue_prepared(r, &a))
		return false;
	assert_int_equal(a.verdict.code, 0);
	same(a.queue_id, "1M5RZK0A2B");
	return true;
}

static void
put_command(struct ipc_writer *w)
{
	put_queue_command(w, &(struct queue_command){ .verb = QUEUE_HOLD,
	    .argument = SLICE("1M5RZK0A2B later"), .owner = SLICE("uid0") });
}

static bool
get_command(struct ipc_reader *r)
{
	struct queue_command q;

	if (!get_queue_command(r, &q))
		return false;
	assert_int_equal(q.verb, QUEUE_HOLD);
	same(q.argument, "1M5RZK0A2B later");
	same(q.owner, "uid0");
	return true;
}

static void
put_auth(struct ipc_writer *w)
{
	put_auth_step(w, &(struct auth_step){ .exchange = 7,
	    .mechanism = AUTH_LOGIN, .is_first = true, .has_response = true,
	    .response = SLICE("alice"), .session = SLICE("sess"),
	    .network = SLICE("192.0.2.1") });
}

static bool
get_auth(struct ipc_reader *r)
{
	struct auth_step q;

	if (!get_auth_step(r, &q))
		return false;
	assert_int_equal(q.exchange, 7);
	assert_int_equal(q.mechanism, AUTH_LOGIN);
	assert_true(q.is_first);
	assert_true(q.has_response);
	same(q.response, "alice");
	same(q.session, "sess");
	same(q.network, "192.0.2.1");
	return true;
}

static void
put_who(struct ipc_writer *w)
{
	put_auth_peer(w, &(struct auth_peer){ .exchange = 8,
	    .session = SLICE("sess"), .network = SLICE("") });
}

static bool
get_who(struct ipc_reader *r)
{
	struct auth_peer q;

	if (!get_auth_peer(r, &q))
		return false;
	assert_int_equal(q.exchange, 8);
	same(q.session, "sess");
	same(q.network, "");
	return true;
}

static void
put_granted(struct ipc_writer *w)
{
	struct auth_answer a = { .result = AUTH_OK,
		.challenge = SLICE("v=x"),
		.voucher = { .user = SLICE("alice@example.org"),
		    .address = SLICE("alice@example.org"),
		    .session = SLICE("sess"), .expires_s = 9 } };

	a.voucher.mac[31] = 5;
	put_auth_answer(w, &a);
}

static bool
get_granted(struct ipc_reader *r)
{
	struct auth_answer a;

	if (!get_auth_answer(r, &a))
		return false;
	assert_int_equal(a.result, AUTH_OK);
	same(a.challenge, "v=x");
	same(a.voucher.user, "alice@example.org");
	assert_int_equal(a.voucher.expires_s, 9);
	assert_int_equal(a.voucher.mac[31], 5);
	return true;
}

static void
put_not_granted(struct ipc_writer *w)
{
	put_auth_answer(w, &(struct auth_answer){ .result = AUTH_LIMITED });
}

static bool
get_not_granted(struct ipc_reader *r)
{
	struct auth_answer a;

	return get_auth_answer(r, &a) && a.result == AUTH_LIMITED &&
	    a.challenge.size == 0;
}

static void
put_offers(struct ipc_writer *w)
{
	put_auth_offers(w, 5);
}

static bool
get_offers(struct ipc_reader *r)
{
	unsigned offers;

	return get_auth_offers(r, &offers) && offers == 5;
}

static void
put_kept_lists(struct ipc_writer *w)
{
	put_queue_lists(w, &(struct queue_prepare){ .transaction = 11,
		.voucher = { .session = SLICE("k3f9q2m7t") }, .is_8bit = true,
		.is_alone = true, .message_size = 5000, .n_lists = 2 });
}

static bool
get_kept_lists(struct ipc_reader *r)
{
	struct queue_prepare q;

	if (!get_queue_lists(r, &q))
		return false;
	assert_int_equal(q.transaction, 11);
	same(q.voucher.session, "k3f9q2m7t");
	assert_true(q.is_8bit && q.is_alone);
	assert_false(q.is_utf8 || q.requires_tls);
	assert_int_equal(q.message_size, 5000);
	assert_int_equal(q.n_lists, 2);
	return true;
}

static const struct {
	const char *name;
	put_fn *put;
	get_fn *get;
} questions[] = {
	{ "setup_self", put_self, get_self },
	{ "route_ask", put_route_question, get_route_question },
	{ "route_answer", put_route_reply, get_route_reply },
	{ "probe_ask", put_probe, get_probe },
	{ "probe_answer", put_probed, get_probed },
	{ "prepare_ask", put_prepare, get_prepare },
	{ "outcome", put_result, get_result },
	{ "release_ask", put_release, get_release },
	{ "program_ask", put_program, get_program },
	{ "program_answer", put_program_end, get_program_end },
	{ "resolve_ask", put_resolve, get_resolve },
	{ "record_begin", put_begin, get_begin },
	{ "record_states", put_states, get_states },
	{ "failure", put_fail, get_fail },
	{ "judge_more", put_more, get_more },
	{ "judge_ask", put_judge, get_judge },
	{ "judge_answer", put_judge_reply, get_judge_reply },
	{ "sts_kept", put_policy, get_policy },
	{ "dns_ask", put_dns, get_dns },
	{ "grey_ask", put_grey, get_grey },
	{ "grey_answer", put_grey_reply, get_grey_reply },
	{ "seen_ask", put_seen, get_seen },
	{ "seen_answer", put_seen_reply, get_seen_reply },
	{ "tls key", put_key, get_key },
	{ "sign", put_sign, get_sign },
	{ "signature", put_signature, get_signature },
	{ "queue_recipient", put_kept_recipient, get_kept_recipient },
	{ "queue_members", put_kept_members, get_kept_members },
	{ "queue_prepare", put_kept, get_kept },
	{ "queue_lists", put_kept_lists, get_kept_lists },
	{ "queue_prepared", put_is_kept, get_is_kept },
	{ "queue_command", put_command, get_command },
	{ "vault_tag", put_tag, get_tag },
	{ "vault_trace", put_trace_check, get_trace_check },
	{ "proof_ask", put_proof, get_proof },
	{ "proof_answer", put_proven, get_proven },
	{ "vault_tag_checked", put_tag_checked, get_tag_checked },
	{ "vault_srs", put_srs, get_srs },
	{ "vault_srs_made", put_srs_made, get_srs_made },
	{ "vault_srs_check", put_srs_check, get_srs_check },
	{ "vault_srs_checked", put_srs_checked, get_srs_checked },
	{ "vault_dkim", put_dkim, get_dkim },
	{ "vault_dkim_signed", put_signed, get_signed },
	{ "ledger_entry", put_entry, get_entry },
	{ "sent_ask", put_sent, get_sent },
	{ "queue_own", put_own, get_own },
	{ "mailbox_ask", put_mailbox, get_mailbox },
	{ "may_ask", put_may, get_may },
	{ "may_answer", put_may_reply, get_may_reply },
	{ "auth_step", put_auth, get_auth },
	{ "auth_peer", put_who, get_who },
	{ "auth_answer", put_granted, get_granted },
	{ "auth_answer no", put_not_granted, get_not_granted },
	{ "auth_offers", put_offers, get_offers },
};

static void
test_round_trips(void **state)
{
	static struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		print_message("%s\n", questions[i].name);
		ipc_writer_init(&w);
		questions[i].put(&w);
		assert_false(w.failed);
		ipc_reader_init(&r, w.data, w.size);
		assert_true(questions[i].get(&r));
		for (size_t cut = 0; cut < w.size; cut++) {
			ipc_reader_init(&r, w.data, cut);
			assert_false(questions[i].get(&r));
		}
		ipc_put_u8(&w, 0);
		ipc_reader_init(&r, w.data, w.size);
		assert_false(questions[i].get(&r));
	}
}

static bool
is_step(const struct auth_step *q)
{
	static struct ipc_writer w;
	struct ipc_reader r;
	struct auth_step got;

	ipc_writer_init(&w);
	put_auth_step(&w, q);
	ipc_reader_init(&r, w.data, w.size);
	return get_auth_step(&r, &got);
}

/* What auth would put into a log, hash, or keep. */
static void
test_auth_steps_out_of_bounds(void **state)
{
	static char long_one[AUTH_RESPONSE_MAX + 1];
	const struct auth_step good = { .exchange = 1, .is_first = true,
		.has_response = true, .response = SLICE("x"),
		.session = SLICE("s"), .network = SLICE("n") };
	struct auth_step q = good;

	(void)state;
	assert_true(is_step(&q));
	q.mechanism = AUTH_MECHANISM_COUNT;
	assert_false(is_step(&q));
	q = good;
	q.has_response = false;		/* then there is none */
	assert_false(is_step(&q));
	q.response = SLICE("");
	assert_true(is_step(&q));
	q.is_first = false;		/* and only at first */
	assert_false(is_step(&q));
	q = good;
	q.response = (struct slice){ long_one, AUTH_RESPONSE_MAX };
	assert_true(is_step(&q));
	q.response.size++;
	assert_false(is_step(&q));
	q = good;
	q.session = SLICE("s\n");
	assert_false(is_step(&q));
	q.session = SLICE("");
	assert_false(is_step(&q));
	q.session = SLICE("123456789012345678901234");
	assert_false(is_step(&q));
	q = good;
	q.network = SLICE("");
	assert_false(is_step(&q));
}

/* A peer that lies about what a struct can hold. */
static void
test_values_out_of_bounds(void **state)
{
	struct ipc_writer w;
	struct ipc_reader r;
	static struct outcome o;
	struct verdict v = { .code = 250 };

	(void)state;
	ipc_writer_init(&w);
	put_verdict(&w, &v);		/* an accept is no refusal */
	ipc_reader_init(&r, w.data, w.size);
	assert_false(get_verdict(&r, &v));
	ipc_writer_init(&w);
	ipc_put_u16(&w, OUTCOME_MAX_FAILURES + 1);
	ipc_put_u16(&w, 0);
	ipc_reader_init(&r, w.data, w.size);
	assert_false(get_outcome(&r, &o));
}

static void
test_dns_names(void **state)
{
	static const struct { const char *name; bool is_one; } rows[] = {
		{ "", true }, { "org", true }, { "a_b.\xff\\ .org", true },
		{ ".", false }, { "org.", false }, { "a..org", false },
		{ ".org", false }, { "Example.org", false },
		{ "0123456789012345678901234567890123456789"
		  "01234567890123456789012.org", true },
		{ "0123456789012345678901234567890123456789"
		  "012345678901234567890123.org", false },
	};
	struct ipc_writer w;
	struct ipc_reader r;
	struct dns_ask q = { (enum dns_type)255, SLICE("org"), SLICE(""),
		false };

	(void)state;
	for (size_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
		bool is_type = i > 0, is_one = i > 0 && rows[i - 1].is_one;

		if (is_type) {
			q.type = DNS_TXT;
			q.name = slice_of(rows[i - 1].name);
		}
		ipc_writer_init(&w);
		put_dns_ask(&w, &q);
		ipc_reader_init(&r, w.data, w.size);
		assert_int_equal(get_dns_ask(&r, &q), is_one);
	}
}

static bool
takes_sign(uint16_t index, uint16_t scheme, size_t size)
{
	static const char data[TLS_SIGNED_MAX + 1];
	struct vault_sign q;
	struct ipc_reader r;
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u16(&w, 1);
	ipc_put_u16(&w, index);
	ipc_put_u16(&w, scheme);
	ipc_put_slice(&w, (struct slice){ data, size });
	ipc_reader_init(&r, w.data, w.size);
	return get_vault_sign(&r, &q);
}

static void
test_vault_out_of_bounds(void **state)
{
	static const char data[TLS_SIGNATURE_MAX + 1];
	struct slice signature;
	struct ipc_reader r;
	struct ipc_writer w;

	(void)state;
	assert_true(takes_sign(63, 0x0403, TLS_SIGNED_MAX));
	assert_false(takes_sign(CONFIG_MAX_TLS, 0x0403, 1));
	assert_false(takes_sign(0, 0x0201, 1));
	assert_false(takes_sign(0, 0x0403, 0));
	assert_false(takes_sign(0, 0x0403, TLS_SIGNED_MAX + 1));
	ipc_writer_init(&w);
	put_vault_signature(&w, (struct slice){ data, sizeof data });
	ipc_reader_init(&r, w.data, w.size);
	assert_false(get_vault_signature(&r, &signature));
}

static bool
reaches(enum role from, enum role to, int depth)
{
	if (depth > (int)ROLE_COUNT)
		return true;
	for (size_t i = 0; i < ask_n_links; i++)
		if (ask_links[i].asker == from &&
		    (ask_links[i].answerer == to ||
		    reaches(ask_links[i].answerer, to, depth + 1)))
			return true;
	return false;
}

/* Who serves strangers reaches no password and no queue. */
static void
test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ask_n_links; i++) {
		const struct ask_link *link = &ask_links[i];
		bool is_own = link->answerer == ROLE_AUTH;

		if (link->asker == ROLE_SMTPD)
			assert_int_equal(link->kinds, is_own ? ASK_KINDS_OWN :
			    link->answerer == ROLE_RELAY ?
			    ASK_KIND(LISTEN_MX) : ASK_KINDS_ALL);
		else
			assert_true(link->kinds == 0 &&
			    link->answerer != ROLE_AUTH);
	}
}

static void
test_no_cycle(void **state)
{
	(void)state;
	for (unsigned role = 0; role < ROLE_COUNT; role++)
		assert_false(reaches((enum role)role, (enum role)role, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_auth_steps_out_of_bounds),
		cmocka_unit_test(test_values_out_of_bounds),
		cmocka_unit_test(test_dns_names),
		cmocka_unit_test(test_kept_policies),
		cmocka_unit_test(test_vault_out_of_bounds),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_no_cycle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
