/* SPDX-License-Identifier: ISC */
/*
 * test_driver.c - smtpd's runs of checks: what is asked ahead, what waits for
 * it, several questions at once, their bounds, and what a judgement does to
 * a message. The test is policy, resolver and store; everybody else is
 * fake_host.h's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fake_host.h"
#include "../../smtpd/checks.h"
#include "judge.h"

#define OUT_MAX 64

static struct out {
	uint32_t id;			/* 0: free */
	enum question_kind kind;
	enum judge_stage stage;		/* of a JUDGE */
	struct answer answer;		/* of those of fake_host.h */
} out[OUT_MAX];
static struct host host;
static uint32_t last_id;
static unsigned n_judged, n_forgotten;
static bool is_policy_gone;

static bool
is_of_checks(enum question_kind kind)
{
	return kind == QUESTION_JUDGE || kind == QUESTION_DNS ||
	    kind == QUESTION_GREY || kind == QUESTION_SEEN ||
	    kind == QUESTION_PROOF;
}

static uint32_t
driver_ask(struct session *s, const struct question *q)
{
	struct out *o = out;

	if (q->kind == QUESTION_JUDGE && is_policy_gone)
		return 0;
	while (o->id != 0)
		if (++o == out + OUT_MAX)
			abort();
	*o = (struct out){ .id = ++last_id, .kind = q->kind };
	if (q->kind == QUESTION_JUDGE) {
		o->stage = q->as.judge->stage;
		n_judged++;
	} else if (!is_of_checks(q->kind)) {
		host.asked[q->kind]++;
		host_think(s->conn, q);
		o->answer = host.answer;
	}
	return o->id;
}

static void
driver_forget(struct session *s, uint32_t id)
{
	(void)s;
	for (size_t i = 0; i < OUT_MAX; i++)
		if (out[i].id == id) {
			out[i].id = 0;
			n_forgotten++;
			return;
		}
	abort();
}

static const struct session_host driver_host = {
	.send = host_send, .presence = host_presence,
	.local_ip = host_local_ip, .timer = host_timer,
	.closed = host_closed, .ask = driver_ask, .forget = driver_forget,
	.tell = host_tell,
};

/* ---- answers ---- */

static struct out *
find_out(enum question_kind kind)
{
	for (size_t i = 0; i < OUT_MAX; i++)
		if (out[i].id != 0 && out[i].kind == kind)
			return &out[i];
	return NULL;
}

static unsigned
count_out(enum question_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < OUT_MAX; i++)
		n += out[i].id != 0 && out[i].kind == kind;
	return n;
}

static void
give(struct out *o, struct answer *a)
{
	uint32_t id = o->id;

	o->id = 0;
	session_answer(host.s, id, a);
}

/* Everybody but policy, resolver and store's notes answers. */
static void
pump(void)
{
	bool is_busy = true;

	while (is_busy && host.s != NULL) {
		is_busy = false;
		for (size_t i = 0; i < OUT_MAX && host.s != NULL; i++)
			if (out[i].id != 0 && !is_of_checks(out[i].kind)) {
				struct answer a = out[i].answer;

				give(&out[i], &a);
				is_busy = true;
			}
	}
}

static void
answer_judge(enum judge_stage stage, struct judgement *j)
{
	struct out *o = find_out(QUESTION_JUDGE);
	struct answer a = { .is_known = j != NULL, .fd = -1 };
	struct buf wire = { 0 };

	assert_non_null(o);
	assert_int_equal(o->stage, stage);
	if (j != NULL) {
		assert_int_equal(put_judgement(&wire, j), 0);
		a.as.judge.judgement = buf_slice(&wire);
		judgement_free(j);
	}
	give(o, &a);
	buf_free(&wire);
	pump();
}

static void
answer_accept(enum judge_stage stage)
{
	struct judgement j = { .is_complete = true };

	answer_judge(stage, &j);
}

static void
answer_wants(enum judge_stage stage, const char *name, unsigned n)
{
	struct judgement j = { .is_complete = false };
	struct slice none;
	char key[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof key, "%s%u.example", name, i);
		facts_get(&j.facts, FACT_DNS_A, slice_of(key), &none);
	}
	answer_judge(stage, &j);
}

static void
answer_dns(bool is_known)
{
	struct dns_answer dns = { .status = DNS_NO_NAME };
	struct answer a = { .is_known = is_known, .fd = -1 };
	struct out *o = find_out(QUESTION_DNS);
	struct buf wire = { 0 };

	assert_non_null(o);
	assert_int_equal(put_dns_answer(&wire, &dns), 0);
	a.as.octets = buf_slice(&wire);
	give(o, &a);
	buf_free(&wire);
}

/* ---- the client ---- */

static void
say(const char *text)
{
	host.sent.size = 0;
	session_input(host.s, slice_of(text));
	pump();
}

static void
hears(const char *start)
{
	if (host.sent.size < strlen(start) ||
	    memcmp(host.sent.data, start, strlen(start)) != 0)
		fail_msg("\"%.*s\", not \"%s\"", (int)host.sent.size,
		    host.sent.data ? host.sent.data : "", start);
}

static void
begin(enum config_check check)
{
	memset(out, 0, sizeof out);
	n_judged = n_forgotten = 0;
	is_policy_gone = false;
	host_open(&host, "");
	host.settings.host = &driver_host;
	host.config->checks.actions[check] = ACTION_REFUSE;
	host_connect(&host, false);
}

static void
end(void)
{
	if (host.s != NULL)
		session_hang_up(host.s);
	pump();
	for (size_t i = 0; i < OUT_MAX; i++)
		assert_int_equal(out[i].id, 0);
	host_close(&host);
}

/* ---- tests ---- */

static void
mail_waits_for_what_was_asked_ahead(void **state)
{
	(void)state;
	begin(CHECK_FCRDNS);
	say("EHLO x.example\r\n");
	hears("250-");
	assert_int_equal(count_out(QUESTION_JUDGE), 1);
	say("MAIL FROM:<a@b.example>\r\n");
	hears("");
	assert_int_equal(host.sent.size, 0);
	assert_false(session_wants_input(host.s));
	answer_wants(JUDGE_HELO, "ptr", 3);
	/* three at once, answered in any order, one not at all */
	assert_int_equal(count_out(QUESTION_DNS), 3);
	answer_dns(true);
	answer_dns(false);
	assert_int_equal(count_out(QUESTION_JUDGE), 0);
	answer_dns(true);
	/* MAIL's round asks for what would have been left of HELO's */
	assert_int_equal(host.sent.size, 0);
	answer_accept(JUDGE_MAIL);
	hears("250 2.1.0");
	/* the next transaction is judged again; HELO is not asked again */
	say("RSET\r\nMAIL FROM:<c@d.example>\r\n");
	answer_accept(JUDGE_MAIL);
	assert_int_equal(n_judged, 3);
	end();
}

static void
before_mail_all_is_asked_ahead(void **state)
{
	(void)state;
	begin(CHECK_FCRDNS);
	say("EHLO x.example\r\n");
	answer_wants(JUDGE_HELO, "ptr", 1);
	answer_dns(true);
	answer_wants(JUDGE_HELO, "a", 2);
	answer_dns(true);
	answer_dns(true);
	answer_accept(JUDGE_HELO);
	say("MAIL FROM:<a@b.example>\r\n");
	answer_accept(JUDGE_MAIL);
	assert_int_equal(n_judged, 4);
	end();
}

static void
a_quick_client_is_not_kept(void **state)
{
	(void)state;
	begin(CHECK_FCRDNS);
	say("EHLO x.example\r\n");
	answer_wants(JUDGE_HELO, "ptr", 2);
	/* what is asked ahead ends with the session */
	say("QUIT\r\n");
	hears("221");
	assert_null(host.s);
	assert_int_equal(n_forgotten, 2);
	end();
}

static void
a_client_who_leaves_takes_its_questions_along(void **state)
{
	(void)state;
	begin(CHECK_SENDER_DOMAIN);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n");
	answer_wants(JUDGE_MAIL, "mx", 5);
	session_hang_up(host.s);
	assert_null(host.s);
	assert_int_equal(n_forgotten, 5);
	end();
}

static void
silence_of_policy_is_temporary(void **state)
{
	(void)state;
	begin(CHECK_SENDER_DOMAIN);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n");
	host.sent.size = 0;
	answer_judge(JUDGE_MAIL, NULL);
	hears("451 4.3.0");
	is_policy_gone = true;
	say("MAIL FROM:<a@b.example>\r\n");
	hears("451 4.3.0");
	is_policy_gone = false;
	say("MAIL FROM:<a@b.example>\r\n");
	answer_accept(JUDGE_MAIL);
	hears("250");
	end();
}

static void
policy_cannot_ask_for_ever(void **state)
{
	char name[16];
	unsigned n = 0;

	(void)state;
	begin(CHECK_SENDER_DOMAIN);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n");
	host.sent.size = 0;
	while (find_out(QUESTION_JUDGE) != NULL && n < 200) {
		snprintf(name, sizeof name, "n%u-", n++);
		answer_wants(JUDGE_MAIL, name, 1);
		while (find_out(QUESTION_DNS) != NULL)
			answer_dns(true);
	}
	assert_in_range(n, 60, 70);
	hears("451 4.3.0");
	end();
}

/* A judgement that cannot be one, and one that asks for what is known. */
static void
nonsense_is_silence(void **state)
{
	struct answer a = { .is_known = true, .fd = -1,
		.as.judge = { SLICE("nonsense"), 0 } };

	(void)state;
	begin(CHECK_SENDER_DOMAIN);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n");
	host.sent.size = 0;
	give(find_out(QUESTION_JUDGE), &a);
	hears("451 4.3.0");
	say("MAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < 2; i++) {
		answer_wants(JUDGE_MAIL, "same", 1);
		answer_dns(true);
	}
	hears("451 4.3.0");
	end();
}

/* Before MAIL there is nothing that it could be claimed for. */
static void
a_proof_is_no_fact_of_a_greeting(void **state)
{
	struct judgement j = { .is_complete = false };
	struct slice none;

	(void)state;
	begin(CHECK_FCRDNS);
	say("EHLO x.example\r\n");
	facts_get(&j.facts, FACT_PROOF,
	    SLICE("failed\na@b.example\n<1@x>\nr@x.example\n"), &none);
	answer_judge(JUDGE_HELO, &j);
	assert_int_equal(count_out(QUESTION_PROOF), 0);
	answer_accept(JUDGE_HELO);
	say("MAIL FROM:<a@b.example>\r\n");
	answer_accept(JUDGE_MAIL);
	hears("250 2.1.0");
	end();
}

static void
the_strictest_refuses(void **state)
{
	struct judgement j = { .is_complete = true, .n_findings = 2,
		.findings = { { .check = "helo", .kind = FINDING_MARK },
		{ .check = "spf", .kind = FINDING_REFUSE } } };

	(void)state;
	begin(CHECK_SENDER_DOMAIN);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@"
	    "example.org>\r\n");
	verdict_set(&j.findings[1].verdict, 550, 7, 23, "not permitted");
	host.sent.size = 0;
	answer_judge(JUDGE_MAIL, &j);
	hears("550 5.7.23 not permitted");
	/* and the pipelined RCPT finds no transaction */
	assert_non_null(memmem(host.sent.data, host.sent.size, "503", 3));
	end();
}

static void
a_judgement_changes_the_message(void **state)
{
	struct judgement j = { .is_complete = true, .is_junk = true,
		.n_cuts = 2, .cuts = { { 0, 8 }, { 16, 5 } } };

	(void)state;
	begin(CHECK_DATE);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<alice@example.org>\r\nDATA\r\n");
	/* 8 octets, 8 octets, 5 octets, and the body */
	say("Forged1\r\nKeep: 1\r\nF: 2\r\n\r\nbody\r\n.\r\n");
	buf_puts(&j.fields, "Received-SPF: none\n");
	answer_judge(JUDGE_DATA, &j);
	hears("250");
	assert_true(slice_equals(buf_slice(&host.message),
	    SLICE("Keep: 1\n\nbody\n")));
	assert_true(host.trace.size > 19 && memcmp(host.trace.data +
	    host.trace.size - 19, "Received-SPF: none\n", 19) == 0);
	assert_true(slice_starts_nocase(buf_slice(&host.trace),
	    SLICE("Received: ")));
	end();
}

#define PROOF "failed\nalice@example.org\n1@ours\nbob@theirs\n"

/* Up to the verdict on a bounce whose proof was claimed. */
static void
bounce(void)
{
	struct judgement j = { .is_complete = false };
	struct answer a = { .is_known = true, .fd = -1,
		.as.proof.state = PROOF_GOOD };
	struct slice none;

	begin(CHECK_BOUNCE);
	host.config->checks.actions[CHECK_BOUNCE] = ACTION_OFF;
	say("EHLO x.example\r\nMAIL FROM:<>\r\n"
	    "RCPT TO:<alice@example.org>\r\nDATA\r\n");
	say("Date: x\r\nMessage-ID: <2@x>\r\n\r\nno\r\n.\r\n");
	facts_get(&j.facts, FACT_PROOF, SLICE(PROOF), &none);
	answer_judge(JUDGE_DATA, &j);
	assert_non_null(find_out(QUESTION_PROOF));
	give(find_out(QUESTION_PROOF), &a);
	assert_int_equal(host.asked[QUESTION_PROOF_DROP], 0);
	host.sent.size = 0;
}

static void
a_proof_is_taken_when_its_bounce_is_delivered(void **state)
{
	struct judgement j = { .is_complete = true };

	(void)state;
	bounce();
	assert_int_equal(facts_add(&j.facts, FACT_RESULT, SLICE("bounce"),
	    (struct slice){ PROOF "\0" PROOF, 2 * sizeof PROOF - 1 }), 0);
	answer_judge(JUDGE_DATA, &j);
	hears("250");
	assert_int_equal(host.asked[QUESTION_PROOF_TAKE], 2);
	assert_int_equal(host.asked[QUESTION_PROOF_DROP], 1);
	end();
}

/* Store is silent: the record that it was delivered answers the retry. */
static void
a_proof_that_may_not_be_spent_is_no_250(void **state)
{
	struct judgement j = { .is_complete = true };

	(void)state;
	bounce();
	host.fakes[QUESTION_PROOF_TAKE] = (struct host_fake){ .is_set = true,
		.is_unknown = true };
	assert_int_equal(facts_add(&j.facts, FACT_RESULT, SLICE("bounce"),
	    SLICE(PROOF)), 0);
	answer_judge(JUDGE_DATA, &j);
	hears("451 4.3.0");
	assert_int_equal(host.asked[QUESTION_PROOF_TAKE], 1);
	assert_int_equal(host.asked[QUESTION_DONE], 1);
	assert_int_equal(host.asked[QUESTION_END], 1);
	end();
}

/* An earlier attempt was delivered, or it was not. */
static void
a_refused_bounce_may_be_a_retry(void **state)
{
	(void)state;
	for (int is_done = 0; is_done < 2; is_done++) {
		struct judgement j = { .is_complete = true, .n_findings = 1,
			.findings = { { .check = "bounce",
			.kind = FINDING_REFUSE } } };

		verdict_set(&j.findings[0].verdict, 550, 7, 1,
		    "reported before");
		bounce();
		host.fakes[QUESTION_RECORDS] = (struct host_fake){
			.is_set = is_done, .state = RECORD_IS_DONE };
		answer_judge(JUDGE_DATA, &j);
		hears(is_done ? "250" : "550 5.7.1");
		assert_int_equal(host.asked[QUESTION_RECORDS], 1);
		assert_int_equal(host.asked[QUESTION_WITHDRAW], !is_done);
		assert_int_equal(host.asked[QUESTION_DELIVER], 0);
		end();
	}
}

static void
a_proof_is_not_taken_when_it_is_not(void **state)
{
	(void)state;
	bounce();
	answer_judge(JUDGE_DATA, NULL);
	hears("451");
	assert_int_equal(host.asked[QUESTION_PROOF_TAKE], 0);
	assert_int_equal(host.asked[QUESTION_PROOF_DROP], 1);
	end();
	/* the client leaves */
	bounce();
	session_hang_up(host.s);
	assert_non_null(host.s);	/* until it knows what became of it */
	answer_accept(JUDGE_DATA);
	assert_null(host.s);
	assert_int_equal(host.asked[QUESTION_PROOF_TAKE], 0);
	assert_int_equal(host.asked[QUESTION_PROOF_DROP], 1);
	end();
}

static void
cuts_beyond_the_message_are_no_accept(void **state)
{
	struct judgement j = { .is_complete = true, .n_cuts = 1,
		.cuts = { { 5, 1000 } } };

	(void)state;
	begin(CHECK_DATE);
	say("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<alice@example.org>\r\nDATA\r\n");
	say("A: b\r\n\r\nbody\r\n.\r\n");
	answer_judge(JUDGE_DATA, &j);
	hears("451 4.3.0");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_waits_for_what_was_asked_ahead),
		cmocka_unit_test(before_mail_all_is_asked_ahead),
		cmocka_unit_test(a_quick_client_is_not_kept),
		cmocka_unit_test(
		    a_client_who_leaves_takes_its_questions_along),
		cmocka_unit_test(silence_of_policy_is_temporary),
		cmocka_unit_test(policy_cannot_ask_for_ever),
		cmocka_unit_test(nonsense_is_silence),
		cmocka_unit_test(a_proof_is_no_fact_of_a_greeting),
		cmocka_unit_test(the_strictest_refuses),
		cmocka_unit_test(a_judgement_changes_the_message),
		cmocka_unit_test(
		    a_proof_is_taken_when_its_bounce_is_delivered),
		cmocka_unit_test(a_proof_that_may_not_be_spent_is_no_250),
		cmocka_unit_test(a_refused_bounce_may_be_a_retry),
		cmocka_unit_test(a_proof_is_not_taken_when_it_is_not),
		cmocka_unit_test(cuts_beyond_the_message_are_no_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
