/* SPDX-License-Identifier: ISC */
/*
 * test_check_auth.c - DKIM, DMARC and Authentication-Results as the checks
 * of DATA: what they cost a message, and what is written on it.
 */
#include "../../policy/dkim_report.h"
#include "../../policy/judging.h"
#include "dkim_fixture.h"

#define HOST "mx.example.org"

static struct test_key key;
static struct config config;

static int
set_up(void **state)
{
	(void)state;
	key_make(&key, 2048);
	check_dkim_warm_up();
	check_dmarc_warm_up();
	return 0;
}

static void
configure(enum config_action dkim, enum config_action dmarc)
{
	memset(&config, 0, sizeof(config));
	for (int i = 0; i < CHECK_COUNT; i++)
		config.checks.actions[i] = ACTION_OFF;
	config.checks.actions[CHECK_DKIM] = dkim;
	config.checks.actions[CHECK_DMARC] = dmarc;
}

static const struct signing usual = { &key, "example.com", "s",
	DKIM_CANON_RELAXED, DKIM_CANON_SIMPLE, -1, 0, 0 };

static const char text[] = "From: Alice <alice@example.com>\n"
    "To: bob@example.org\nSubject: x\n\nHello\n";

/* Facts of a message from example.com, whose record is given. */
static void
tell_sender(struct facts *facts, const char *sender, const char *record,
    const char *spf)
{
	char now[24];
	const char *const records[] = { record, NULL };

	snprintf(now, sizeof(now), "%d", TEST_NOW);
	facts_add(facts, FACT_TIME, SLICE(""), slice_of(now));
	facts_add(facts, FACT_HOST, SLICE(""), SLICE(HOST));
	facts_add(facts, FACT_CLIENT_IP, SLICE(""), SLICE("192.0.2.1"));
	facts_add(facts, FACT_SENDER, SLICE(""), slice_of(sender));
	if (spf != NULL)
		facts_add(facts, FACT_RESULT, SLICE("spf"), slice_of(spf));
	tell_key(facts, "s._domainkey.example.com", &key);
	if (record != NULL && *record == '?')
		tell_txt(facts, "_dmarc.example.com", DNS_FAILED, NULL);
	else if (record != NULL)
		tell_txt(facts, "_dmarc.example.com", DNS_OK, records);
	else
		tell_txt(facts, "_dmarc.example.com", DNS_NO_NAME, NULL);
}

static void
tell(struct facts *facts, const char *record, const char *spf)
{
	tell_sender(facts, "alice@example.com", record, spf);
}

static const struct finding *
finding_of(const struct judgement *j, const char *check)
{
	for (size_t i = 0; i < j->n_findings; i++)
		if (strcmp(j->findings[i].check, check) == 0)
			return &j->findings[i];
	return NULL;
}

static void
unfold(struct buf *field)
{
	char *at;

	while ((at = strstr(field->data, "\n\t")) != NULL) {
		*at = ' ';
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	}
}

/* What policy says to a message from example.com. */
static const struct {
	const char *name;
	enum config_action dmarc;
	const char *record, *spf;
	bool is_signed;
	enum finding_kind kind;
	int code;
	bool is_junk;
	const char *field;		/* in Authentication-Results */
} rows[] = {
	{ "signed", ACTION_REFUSE, "v=DMARC1; p=reject", NULL, true,
	    FINDING_ACCEPT, 0, false, "dmarc=pass (p=reject)" },
	{ "SPF", ACTION_REFUSE, "v=DMARC1; p=reject",
	    "pass example.com mailfrom", false, FINDING_ACCEPT, 0, false,
	    "spf=pass smtp.mailfrom=alice@example.com" },
	{ "SPF of HELO", ACTION_REFUSE, "v=DMARC1; p=reject",
	    "pass mail.example.com helo", false, FINDING_ACCEPT, 0, false,
	    "spf=pass smtp.helo=mail.example.com" },
	{ "SPF of another", ACTION_REFUSE, "v=DMARC1; p=reject",
	    "pass example.net mailfrom", false, FINDING_REFUSE, 550, false,
	    "dmarc=fail (p=reject) header.from=example.com" },
	{ "SPF fails", ACTION_REFUSE, "v=DMARC1; p=reject",
	    "fail example.com mailfrom", false, FINDING_REFUSE, 550, false,
	    "dmarc=fail" },
	{ "SPF silent", ACTION_REFUSE, "v=DMARC1; p=reject",
	    "temperror example.com mailfrom", false, FINDING_TEMPORARY, 451,
	    false, "dmarc=temperror" },
	{ "SPF silent, signed", ACTION_REFUSE, "v=DMARC1; p=reject",
	    "temperror example.com mailfrom", true, FINDING_ACCEPT, 0,
	    false, "spf=temperror" },
	{ "nothing", ACTION_REFUSE, "v=DMARC1; p=reject", NULL, false,
	    FINDING_REFUSE, 550, false, "dkim=none" },
	{ "quarantine", ACTION_REFUSE, "v=DMARC1; p=quarantine", NULL,
	    false, FINDING_MARK, 0, true, "dmarc=fail (p=quarantine)" },
	{ "none", ACTION_REFUSE, "v=DMARC1; p=none", NULL, false,
	    FINDING_MARK, 0, false, "dmarc=fail (p=none)" },
	{ "no record", ACTION_REFUSE, NULL, NULL, false, FINDING_ACCEPT, 0,
	    false, "dmarc=none header.from=example.com" },
	{ "silence", ACTION_REFUSE, "?", NULL, false, FINDING_TEMPORARY,
	    451, false, "dmarc=temperror header.from=example.com" },
	{ "silence, signed", ACTION_REFUSE, "?", NULL, true, FINDING_MARK, 0,
	    false, "dmarc=temperror" },
	{ "reject, but we mark", ACTION_MARK, "v=DMARC1; p=reject", NULL,
	    false, FINDING_MARK, 0, false, "dmarc=fail (p=reject)" },
	{ "quarantine, but we mark", ACTION_MARK, "v=DMARC1; p=quarantine",
	    NULL, false, FINDING_MARK, 0, false, "dmarc=fail" },
	{ "silence, but we mark", ACTION_MARK, "?", NULL, false,
	    FINDING_MARK, 0, false, "dmarc=temperror" },
};

static void
test_rows(void **state)
{
	static struct judgement j;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf message = { 0 };
		struct facts facts = { 0 };
		const struct finding *f;

		configure(ACTION_MARK, rows[i].dmarc);
		buf_puts(&message, text);
		if (rows[i].is_signed)
			sign(&message, &usual);
		tell(&facts, rows[i].record, rows[i].spf);
		judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
		CHECK(rows[i].name, j.is_complete);
		f = finding_of(&j, "dmarc");
		CHECK(rows[i].name, f != NULL && f->kind == rows[i].kind);
		CHECK(rows[i].name, f->verdict.code == rows[i].code);
		CHECK(rows[i].name, rows[i].code == 0 ||
		    (f->verdict.detail == 26 &&
		    strstr(f->verdict.text, "example.com") != NULL));
		CHECK(rows[i].name, j.is_junk == rows[i].is_junk);
		CHECK(rows[i].name, (*j.junk_reason != '\0') ==
		    rows[i].is_junk);
		unfold(&j.fields);
		if (strstr(j.fields.data, rows[i].field) == NULL)
			fail_msg("row \"%s\": no \"%s\" in \"%s\"",
			    rows[i].name, rows[i].field, j.fields.data);
		judgement_free(&j);
		facts_free(&facts);
		buf_free(&message);
	}
}

/* Whom the reverse-path may be believed to be (sender_auth.h): who signs for
 * example.com vouches for nobody else. */
static const struct {
	const char *sender, *earlier, *want;
} senders[] = {
	{ "alice@example.com", NULL, "dkim example.com" },
	{ "alice@Mail.Example.COM", NULL, "dkim example.com" },
	{ "victim@example.net", NULL, "" },
	{ "victim@notexample.com", NULL, "" },
	{ "alice@com", NULL, "" },
	{ "", NULL, "" },
	{ "alice@example.com", "spf example.com", "" },	/* known */
};

static void
test_senders(void **state)
{
	static struct judgement j;

	(void)state;
	configure(ACTION_MARK, ACTION_OFF);
	for (size_t i = 0; i < 2 * N_OF(senders); i++) {
		const bool is_signed = i < N_OF(senders);
		struct buf message = { 0 };
		struct facts facts = { 0 };
		struct slice value = SLICE("");
		const char *name = senders[i % N_OF(senders)].sender;
		const char *earlier = senders[i % N_OF(senders)].earlier;

		buf_puts(&message, text);
		if (is_signed)
			sign(&message, &usual);
		tell_sender(&facts, name, NULL, NULL);
		if (earlier != NULL)
			facts_add(&facts, FACT_RESULT, SLICE("sender"),
			    slice_of(earlier));
		judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
		CHECK(name, j.is_complete);
		(void)facts_find(&j.facts, FACT_RESULT, SLICE("sender"),
		    &value);
		CHECK(name, slice_equals(value, slice_of(is_signed ?
		    senders[i % N_OF(senders)].want : "")));
		judgement_free(&j);
		facts_free(&facts);
		buf_free(&message);
	}
}

/* Keys and records are asked for in one go; then there is a judgement. */
static void
test_wanted(void **state)
{
	static struct judgement j;
	struct buf message = { 0 };
	struct facts facts = { 0 };

	(void)state;
	configure(ACTION_MARK, ACTION_REFUSE);
	buf_puts(&message, text);
	sign(&message, &usual);
	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("9000000000"));
	judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
	assert_false(j.is_complete);
	assert_int_equal(j.facts.n_wanted, 2);
	assert_int_equal(j.fields.size, 0);
	judgement_free(&j);
	facts_free(&facts);
	buf_free(&message);
}

/* No single author: refused, but for a bounce that names nobody. */
static void
test_authors(void **state)
{
	static const struct {
		const char *name, *message, *sender;
		enum finding_kind kind;
	} authors[] = {
		{ "none", "To: x\n\n", "a@example.net", FINDING_REFUSE },
		{ "none, bounce", "To: x\n\n", "", FINDING_MARK },
		{ "two fields", "From: a@example.com\nFrom: b@example.net\n\n",
		    "a@example.net", FINDING_REFUSE },
		{ "two fields, bounce",
		    "From: a@example.com\nFrom: b@example.net\n\n", "",
		    FINDING_REFUSE },
		{ "two domains", "From: a@example.com, b@example.net\n\n",
		    "a@example.net", FINDING_REFUSE },
		{ "no domain", "From: MAILER-DAEMON\n\n", "a@example.net",
		    FINDING_REFUSE },
		{ "no domain, bounce", "From: MAILER-DAEMON\n\n", "",
		    FINDING_MARK },
		{ "malformed", "From: <a@example.com> <b@example.net>\n\n",
		    "", FINDING_REFUSE },
	};
	static struct judgement j;

	(void)state;
	configure(ACTION_OFF, ACTION_REFUSE);
	for (size_t i = 0; i < N_OF(authors); i++) {
		struct facts facts = { 0 };
		const struct finding *f;

		facts_add(&facts, FACT_SENDER, SLICE(""),
		    slice_of(authors[i].sender));
		judge(&config, JUDGE_DATA, &facts,
		    slice_of(authors[i].message), &j);
		f = finding_of(&j, "dmarc");
		CHECK(authors[i].name, f != NULL &&
		    f->kind == authors[i].kind);
		CHECK(authors[i].name, strstr(j.fields.data,
		    "dmarc=permerror") != NULL);
		CHECK(authors[i].name, finding_of(&j, "dkim") == NULL);
		judgement_free(&j);
		facts_free(&facts);
	}
}

/* DKIM by itself: a message that has signatures, and none of them good. */
static void
test_dkim(void **state)
{
	static struct judgement j;
	struct buf message = { 0 };

	(void)state;
	configure(ACTION_REFUSE, ACTION_OFF);
	buf_puts(&message, text);
	for (int step = 0; step < 3; step++) {
		struct facts facts = { 0 };
		const struct finding *f;

		if (step == 1)
			sign(&message, &usual);
		if (step == 2)
			buf_puts(&message, "more\n");
		tell(&facts, NULL, NULL);
		judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
		f = finding_of(&j, "dkim");
		assert_non_null(f);
		assert_int_equal(f->kind, step < 2 ? FINDING_ACCEPT :
		    FINDING_REFUSE);
		assert_int_equal(f->verdict.code, step < 2 ? 0 : 550);
		assert_null(finding_of(&j, "dmarc"));
		judgement_free(&j);
		facts_free(&facts);
	}
	buf_free(&message);
}

/* What the DNS keeps for itself may have been a good signature; a key that is
 * being tested (t=y) vouches for nobody. */
static void
test_keys(void **state)
{
	static struct judgement j;
	struct buf message = { 0 };
	char record[2200];

	(void)state;
	configure(ACTION_REFUSE, ACTION_OFF);
	buf_puts(&message, text);
	sign(&message, &usual);
	snprintf(record, sizeof record, "v=DKIM1; t=y; p=%s", key.p);
	for (int is_silent = 0; is_silent < 2; is_silent++) {
		struct facts facts = { 0 };
		struct slice value;

		facts_add(&facts, FACT_TIME, SLICE(""), SLICE("1790000000"));
		facts_add(&facts, FACT_SENDER, SLICE(""),
		    SLICE("alice@example.com"));
		if (is_silent)
			tell_txt(&facts, "s._domainkey.example.com",
			    DNS_FAILED, NULL);
		else
			tell_one_txt(&facts, "s._domainkey.example.com",
			    record);
		judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
		assert_int_equal(finding_of(&j, "dkim")->kind, is_silent ?
		    FINDING_TEMPORARY : FINDING_ACCEPT);
		assert_int_equal(finding_of(&j, "dkim")->verdict.code,
		    is_silent ? 451 : 0);
		assert_false(facts_find(&j.facts, FACT_RESULT,
		    SLICE("sender"), &value));
		judgement_free(&j);
		facts_free(&facts);
	}
	buf_free(&message);
}

/* Whatever a signature holds, it must not get DMARC's verdict lost. */
static void
test_odd_signatures(void **state)
{
	static const char *const odd[] = { "", "v=1", "v=1; a=rsa\n\tsha256; "
	    "d=example.com; s=s; h=From; bh=x; b=y", "v=1; d=a\tb; s=c; b=\n"
	    "\td; bh=e; h=From; a=rsa-sha256", "v=1; a=rsa-sha256; d=com; "
	    "s=s; h=From; bh=x; b=\ty\n z", "\xff", "v=1; a=\n\n; b=\t" };
	static struct judgement j;

	(void)state;
	configure(ACTION_MARK, ACTION_REFUSE);
	for (size_t i = 0; i < N_OF(odd); i++) {
		struct buf message = { 0 };
		struct facts facts = { 0 };
		const struct finding *f;

		buf_printf(&message, "DKIM-Signature: %s\n%s", odd[i], text);
		tell(&facts, "v=DMARC1; p=reject", NULL);
		tell_txt(&facts, "s._domainkey.com", DNS_NO_NAME, NULL);
		judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
		CHECK(odd[i], j.is_complete);
		f = finding_of(&j, "dmarc");
		CHECK(odd[i], f != NULL && f->kind == FINDING_REFUSE);
		CHECK(odd[i], f->verdict.code == 550);
		judgement_free(&j);
		facts_free(&facts);
		buf_free(&message);
	}
}

/* The message as it will lie in the mailbox. */
static void
deliver(struct buf *to, struct slice message, const struct judgement *j)
{
	size_t at = 0;

	buf_append_slice(to, buf_slice(&j->fields));
	for (size_t i = 0; i < j->n_cuts; i++) {
		buf_append(to, message.data + at, j->cuts[i].at - at);
		at = j->cuts[i].at + j->cuts[i].size;
	}
	buf_append(to, message.data + at, message.size - at);
}

static unsigned
count(const char *in, const char *what)
{
	unsigned n = 0;

	for (; (in = strstr(in, what)) != NULL; in++)
		n++;
	return n;
}

/* What verified when it came verifies in the mailbox, and again at the next
 * host, though forged fields were cut and ours were added. */
static void
test_delivered(void **state)
{
	static struct judgement j, again;
	struct buf message = { 0 }, delivered = { 0 };
	struct facts facts = { 0 };

	(void)state;
	configure(ACTION_MARK, ACTION_REFUSE);
	buf_puts(&message, text);
	sign(&message, &usual);
	for (int i = 0; i < 40; i++) {
		struct buf more = { 0 };

		buf_puts(&more, "Authentication-Results: MX.example.org 1;\n"
		    "\tdkim=pass header.d=forged.example\n");
		if (i % 3 == 0)
			buf_puts(&more, "X-Hop: 1\n");
		buf_append_slice(&more, buf_slice(&message));
		buf_free(&message);
		message = more;
	}
	tell(&facts, "v=DMARC1; p=reject", NULL);
	judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
	assert_true(j.is_complete && j.n_cuts == 14);
	assert_int_equal(finding_of(&j, "dmarc")->kind, FINDING_ACCEPT);
	assert_int_equal(finding_of(&j, "authres")->kind, FINDING_MARK);
	deliver(&delivered, buf_slice(&message), &j);
	assert_int_equal(count(delivered.data, "forged"), 0);
	assert_int_equal(count(delivered.data, "Authentication-Results:"),
	    1);
	assert_int_equal(count(delivered.data, "X-Hop"), 14);

	judge(&config, JUDGE_DATA, &facts, buf_slice(&delivered), &again);
	assert_int_equal(finding_of(&again, "dmarc")->kind, FINDING_ACCEPT);
	assert_non_null(strstr(again.fields.data, "dkim=pass"));
	assert_int_equal(again.n_cuts, 1);	/* the first judgement's */
	judgement_free(&j);
	judgement_free(&again);
	facts_free(&facts);
	buf_free(&message);
	buf_free(&delivered);
}

/* More than can be cut: refused where DMARC refuses, and never delivered. */
static void
test_too_many_forged(void **state)
{
	static struct judgement j;
	struct buf message = { 0 }, delivered = { 0 };
	struct facts facts = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_printf(&message, "X-%d: x\nAuthentication-Results: %s; "
		    "forged\n", i, HOST);
	buf_puts(&message, text);
	tell(&facts, NULL, NULL);
	for (int is_off = 0; is_off < 2; is_off++) {
		configure(ACTION_MARK, is_off ? ACTION_OFF : ACTION_REFUSE);
		judge(&config, JUDGE_DATA, &facts, buf_slice(&message), &j);
		assert_true((judgement_strictest(&j) == NULL) == is_off);
		deliver(&delivered, buf_slice(&message), &j);
		assert_int_equal(count(delivered.data, "forged"), 0);
		assert_non_null(strstr(delivered.data, "\nFrom: Alice"));
		buf_free(&delivered);
		judgement_free(&j);
	}
	facts_free(&facts);
	buf_free(&message);
}

static void
test_report(void **state)
{
	struct dkim_report report = { .n_results = 2, .n_ignored = 7 }, got;
	struct buf wire = { 0 };

	(void)state;
	report.results[0] = (struct dkim_result){ DKIM_PASS, "example.com",
	    "s", "AbCd1234", "rsa-sha256", 2048, true, "" };
	report.results[1] = (struct dkim_result){ DKIM_NEUTRAL, "", "", "",
	    "", 0, false, "the field is malformed" };
	assert_int_equal(put_dkim_report(&wire, &report), 0);
	assert_true(get_dkim_report(buf_slice(&wire), &got));
	assert_memory_equal(&got, &report, sizeof(got));
	for (size_t n = 0; n < wire.size; n++)
		if (n == 0 || wire.data[n - 1] != '\n')
			assert_false(get_dkim_report((struct slice){
			    wire.data, n }, &got));
	assert_false(get_dkim_report(SLICE("0\ngood\ta\tb\tc\td\t1\t-\t\n"),
	    &got));
	for (int i = 0; i < 4; i++)
		buf_puts(&wire, "pass\ta\tb\tc\td\t1\t-\t\n");
	assert_false(get_dkim_report(buf_slice(&wire), &got));
	buf_free(&wire);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_authors),
		cmocka_unit_test(test_dkim),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_odd_signatures),
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_too_many_forged),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
