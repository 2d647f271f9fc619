/* SPDX-License-Identifier: ISC */
/*
 * test_dkim.c - DKIM signatures of messages, made here and judged.
 */
#include "../../policy/dkim.h"
#include "dkim_fixture.h"

#define NOW TEST_NOW

static struct dkim_library *library;
static struct test_key rsa, ed25519, weak, rsa4096;

static int
set_up(void **state)
{
	bool is_slow = getenv("UNDER_VALGRIND") != NULL;

	(void)state;
	key_make(&rsa, is_slow ? 1024 : 2048);
	key_make(&ed25519, 0);
	key_make(&weak, 768);
	key_make(&rsa4096, is_slow ? 1024 : 4096);
	return dkim_library_new(&library);
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_library_free(&library);
	return 0;
}

static void
tell_basics(struct facts *facts)
{
	char now[24];

	snprintf(now, sizeof(now), "%d", NOW);
	facts_add(facts, FACT_TIME, SLICE(""), slice_of(now));
	tell_key(facts, "rsa._domainkey.example.org", &rsa);
	tell_key(facts, "ed._domainkey.example.org", &ed25519);
	tell_key(facts, "weak._domainkey.example.org", &weak);
	tell_key(facts, "big._domainkey.example.org", &rsa4096);
}

static const char plain[] =
    "From: Alice <alice@example.org>\n"
    "To: bob@example.net\n"
    "Subject: a  test\n\t of  folds \n"
    "Date: Mon, 21 Sep 2026 12:00:00 +0000\n"
    "Message-ID: <1@example.org>\n"
    "\n";

static struct dkim_report
judge_text(struct slice message)
{
	struct dkim_report report;
	struct facts facts = { 0 };

	tell_basics(&facts);
	if (!dkim_judge(library, message, &facts, &report))
		fail_msg("facts are wanted");
	facts_free(&facts);
	return report;
}

static const struct {
	const char *name;
	const char *body;
} bodies[] = {
	{ "usual", "Hello,\n\nthis is text.\n" },
	{ "empty", "" },
	{ "one empty line", "\n" },
	{ "only empty lines", "\n\n\n\n" },
	{ "empty lines at the end", "text\n\n\n" },
	{ "no newline at the end", "text\nmore" },
	{ "spaces at line ends", "text  \nmore\t\n \t\n" },
	{ "spaces only", "  " },
	{ "spaces and newline", "  \n" },
	{ "8-bit", "Gr\xc3\xbc\xc3\x9f Gott \xff\xfe\n" },
	{ "dots", ".\n..\n.text\n" },
};

/* Every key, canonicalization and body: verifies, and not when changed. */
static void
check_body(size_t row, const struct signing *s)
{
	struct buf message = { 0 };
	struct dkim_report report;

	buf_puts(&message, plain);
	buf_puts(&message, bodies[row].body);
	sign(&message, s);
	report = judge_text(buf_slice(&message));
	CHECK_STRING(bodies[row].name, report.results[0].reason, "");
	CHECK(bodies[row].name, report.n_results == 1 &&
	    report.results[0].status == DKIM_PASS);
	CHECK_STRING(bodies[row].name, report.results[0].domain,
	    "example.org");
	CHECK_STRING(bodies[row].name, report.results[0].selector,
	    s->selector);
	CHECK(bodies[row].name, s->key->is_ed25519 ||
	    report.results[0].key_bits >= DKIM_KEY_BITS_MIN);
	if (message.data[message.size - 1] != '\n')
		buf_puts(&message, "\n");
	buf_puts(&message, "more\n");
	report = judge_text(buf_slice(&message));
	CHECK_STRING(bodies[row].name, report.results[0].reason,
	    "the body was changed");
	CHECK(bodies[row].name, report.results[0].status == DKIM_FAIL);
	buf_free(&message);
}

static void
test_bodies(void **state)
{
	static const struct {
		const struct test_key *key;
		const char *selector;
	} keys[] = { { &rsa, "rsa" }, { &ed25519, "ed" },
	    { &rsa4096, "big" } };

	(void)state;
	for (size_t k = 0; k < N_OF(keys); k++)
		/* the bodies' rows need one key of each kind */
		for (size_t i = 0; i < (k < 2 ? N_OF(bodies) : 1); i++)
			for (int canon = 0; canon < 4; canon++) {
				const struct signing s = { keys[k].key,
				    "example.org", keys[k].selector,
				    canon & 1, canon >> 1, -1, 0, 0 };

				/* the library's signer errs there; other
				 * signers are in tests/e2e/test_dkim.py */
				if (!s.key->is_ed25519 ||
				    s.header == DKIM_CANON_RELAXED)
					check_body(i, &s);
			}
}

static const struct signing usual = { &rsa, "example.org", "rsa",
	DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, -1, 0, 0 };

static void
make(struct buf *message, const struct signing *s, const char *body)
{
	buf_puts(message, plain);
	buf_puts(message, body);
	sign(message, s);
}

/* Replace the first occurrence of from. */
static void
edit(struct buf *message, const char *from, const char *to)
{
	struct buf out = { 0 };
	char *at = strstr(message->data, from);

	if (at == NULL)
		fail_msg("no \"%s\" in the message", from);
	buf_append(&out, message->data, (size_t)(at - message->data));
	buf_puts(&out, to);
	buf_puts(&out, at + strlen(from));
	buf_free(message);
	*message = out;
}

static const struct {
	const char *name, *from, *to;
	enum dkim_status want;
	const char *reason;
} edits[] = {
	{ "header", "Subject: a", "Subject: b", DKIM_FAIL,
	    "the header was changed" },
	{ "relaxed header", "Subject: a  test", "SUBJECT:a \ttest",
	    DKIM_PASS, "" },
	{ "relaxed body", "of text", "of \t text  ", DKIM_PASS, "" },
	{ "body", "of text", "of Text", DKIM_FAIL, "the body was changed" },
	{ "another From", "\nFrom:", "\nFrom: evil@example.com\nFrom:",
	    DKIM_PASS, "" },	/* as signed the last one: DMARC's business */
	{ "unsigned field", "\nFrom:", "\nX-A: b\nFrom:", DKIM_PASS, "" },
	{ "version", "v=1", "v=2", DKIM_NEUTRAL, "v= is not 1" },
	{ "no version", "v=1;", "", DKIM_NEUTRAL, "v= is not 1" },
	{ "sha1", "a=rsa-sha256", "a=rsa-sha1", DKIM_PERMERROR,
	    "rsa-sha1 is no longer accepted" },
	{ "algorithm", "a=rsa-sha256", "a=dsa-sha256", DKIM_NEUTRAL,
	    "a= is unknown" },
	{ "other algorithm than the key", "a=rsa-sha256",
	    "a=ed25519-sha256", DKIM_PERMERROR,
	    "the key is of another algorithm" },
	{ "fold in the algorithm", "a=rsa-sha256", "a=rsa\n\tsha256",
	    DKIM_NEUTRAL, "a= is unknown" },
	{ "no algorithm", "a=rsa-sha256;", "", DKIM_NEUTRAL,
	    "a= is unknown" },
	{ "canonicalization", "c=relaxed", "c=nowsp", DKIM_NEUTRAL,
	    "c= is unknown" },
	{ "three canonicalizations", "c=relaxed", "c=simple/relaxed",
	    DKIM_NEUTRAL, "c= is unknown" },
	{ "no domain", "d=example.org", "d=", DKIM_NEUTRAL,
	    "d= is no domain" },
	{ "space in the domain", "d=example.org", "d=exam ple.org",
	    DKIM_NEUTRAL, "d= is no domain" },
	{ "empty label", "d=example.org", "d=example..org", DKIM_NEUTRAL,
	    "d= is no domain" },
	{ "no selector", "s=rsa", "s=", DKIM_NEUTRAL, "s= is no selector" },
	{ "no such key", "d=example.org", "d=example.com", DKIM_PERMERROR,
	    "there is no key" },
	{ "DNS fails", "d=example.org", "d=example.net", DKIM_TEMPERROR,
	    "the key could not be looked up" },
	{ "identity below", "d=example.org", "d=example.org; i=a@b.example.org",
	    DKIM_FAIL, "the header was changed" },
	{ "identity elsewhere", "d=example.org",
	    "d=example.org; i=a@example.com", DKIM_NEUTRAL,
	    "i= is not of d=" },
	{ "identity that only looks so", "d=example.org",
	    "d=example.org; i=a@badexample.org", DKIM_NEUTRAL,
	    "i= is not of d=" },
	{ "identity without @", "d=example.org",
	    "d=example.org; i=example.org", DKIM_NEUTRAL, "i= is not of d=" },
	{ "From not signed", "h=From:", "h=", DKIM_PERMERROR,
	    "the From field is not signed" },
	{ "empty name", "h=From:", "h=From::", DKIM_NEUTRAL,
	    "h= has an empty name" },
	{ "signs itself", "h=From:", "h=From:DKIM-Signature:", DKIM_NEUTRAL,
	    "h= names the signature itself" },
	{ "twice a tag", "v=1", "v=1; v=1", DKIM_NEUTRAL,
	    "the field is malformed" },
	{ "no tag", "v=1", "v=1; foo", DKIM_NEUTRAL,
	    "the field is malformed" },
	{ "8-bit tag", "v=1", "v=1; f=\xc3\xbc", DKIM_NEUTRAL,
	    "the field is malformed" },
	{ "no bh", "bh=", "bx=", DKIM_NEUTRAL, "bh= is missing" },
	{ "no b", "\tb=", "\tbb=", DKIM_NEUTRAL, "b= is missing" },
	{ "query", "v=1", "v=1; q=http/get", DKIM_NEUTRAL, "q= is unknown" },
	{ "length", "v=1", "v=1; l=-1", DKIM_NEUTRAL, "l= is no length" },
	{ "huge length", "v=1", "v=1; l=99999999999999999999999999",
	    DKIM_NEUTRAL, "l= is no length" },
	{ "time", "v=1", "v=1; x=soon", DKIM_NEUTRAL, "x= is no time" },
	{ "order of times", "v=1", "v=1; x=1", DKIM_NEUTRAL,
	    "x= is not after t=" },
};

static void
test_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(edits); i++) {
		struct buf message = { 0 };
		struct facts facts = { 0 };
		struct dkim_report report;

		tell_basics(&facts);
		tell_txt(&facts, "rsa._domainkey.example.com", DNS_NO_NAME,
		    NULL);
		tell_txt(&facts, "rsa._domainkey.example.net", DNS_FAILED,
		    NULL);
		make(&message, &usual, "a line of text\n");
		edit(&message, edits[i].from, edits[i].to);
		CHECK(edits[i].name, dkim_judge(library, buf_slice(&message),
		    &facts, &report));
		CHECK(edits[i].name, report.n_results == 1);
		CHECK_STRING(edits[i].name, report.results[0].reason,
		    edits[i].reason);
		CHECK(edits[i].name,
		    report.results[0].status == edits[i].want);
		facts_free(&facts);
		buf_free(&message);
	}
}

/* The key record: %s is p=. */
static const struct {
	const char *name, *record;
	enum dkim_status want;
	const char *reason;
} keys[] = {
	{ "shortest", "p=%s", DKIM_PASS, "" },
	{ "all tags", "v=DKIM1; h=sha1:sha256; k=rsa; n=note; p=%s; s=email; "
	    "t=y:s", DKIM_PASS, "" },
	{ "spaces", "v = DKIM1 ; p = %s ; ", DKIM_PASS, "" },
	{ "any service", "s=*; p=%s", DKIM_PASS, "" },
	{ "other service", "s=web; p=%s", DKIM_PERMERROR,
	    "the key is not for mail" },
	{ "other hash", "h=sha1; p=%s", DKIM_PERMERROR,
	    "the key is not for sha256" },
	{ "other version", "v=DKIM2; p=%s", DKIM_PERMERROR,
	    "the key is of another version" },
	{ "other type", "k=dsa; p=%s", DKIM_PERMERROR,
	    "the key is of another algorithm" },
	{ "revoked", "v=DKIM1; p=; n=%s", DKIM_PERMERROR,
	    "the key is revoked" },
	{ "no key", "v=DKIM1; n=%s", DKIM_PERMERROR, "there is no key" },
	{ "no base64", "p=....; n=%s", DKIM_PERMERROR,
	    "the key cannot be read" },
	{ "no key in base64", "p=YWJj; n=%s", DKIM_PERMERROR,
	    "the key cannot be read" },
	{ "malformed", "p=%s; ;", DKIM_PERMERROR, "the key is malformed" },
	{ "more behind the key", "p=%sAAAA", DKIM_PERMERROR,
	    "the key cannot be read" },
	{ "of no algorithm that is known", "p=MCowBQYDK2VwAyEA" /* Ed25519 */
	    "GDv3xM3n9Jb3rRZDdsBFcKLkhrF7WoNzGTkHoHfVLcQ=; n=%s",
	    DKIM_PERMERROR, "the key cannot be read" },
};

static void
test_keys(void **state)
{
	char record[3000];

	(void)state;
	for (size_t i = 0; i < N_OF(keys); i++) {
		struct buf message = { 0 };
		struct facts facts = { 0 };
		struct dkim_report report;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(record, sizeof(record), keys[i].record, rsa.p);
#pragma GCC diagnostic pop
		tell_one_txt(&facts, "rsa._domainkey.example.org", record);
		make(&message, &usual, "text\n");
		facts_add(&facts, FACT_TIME, SLICE(""), SLICE("9000000000"));
		CHECK(keys[i].name, dkim_judge(library, buf_slice(&message),
		    &facts, &report));
		CHECK_STRING(keys[i].name, report.results[0].reason,
		    keys[i].reason);
		CHECK(keys[i].name, report.results[0].status == keys[i].want);
		CHECK(keys[i].name, report.results[0].is_testing ==
		    (strstr(keys[i].record, "t=y") != NULL));
		facts_free(&facts);
		buf_free(&message);
	}
}

static struct dkim_report
judge_with(const struct buf *message, const char *record)
{
	struct facts facts = { 0 };
	struct dkim_report report;

	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("9000000000"));
	tell_one_txt(&facts, "rsa._domainkey.example.org", record);
	assert_true(dkim_judge(library, buf_slice(message), &facts, &report));
	facts_free(&facts);
	return report;
}

/* p= as RFC 6376 says it, without what X.509 puts around the numbers. */
static void
test_bare_key(void **state)
{
	unsigned char der[1600];
	char record[2200] = "p=";
	struct buf message = { 0 };
	struct dkim_report report;
	/* both lengths of its SubjectPublicKeyInfo take as many octets */
	size_t head = strlen(rsa.p) > 300 ? 24 : 22;
	int n = EVP_DecodeBlock(der, (const unsigned char *)rsa.p,
	    (int)strlen(rsa.p));

	(void)state;
	assert_true(n > (int)head);
	n -= rsa.p[strlen(rsa.p) - 1] == '=';
	n -= rsa.p[strlen(rsa.p) - 2] == '=';
	EVP_EncodeBlock((unsigned char *)record + 2, der + head,
	    n - (int)head);
	make(&message, &usual, "text\n");
	report = judge_with(&message, record);
	assert_string_equal(report.results[0].reason, "");
	assert_int_equal(report.results[0].status, DKIM_PASS);
	record[40] = record[40] == 'A' ? 'B' : 'A';
	report = judge_with(&message, record);
	assert_int_equal(report.results[0].status, DKIM_FAIL);
	buf_free(&message);
}

/* t=s: the identity must be of the domain itself (RFC 6376 3.6.1). */
static void
test_subdomain(void **state)
{
	char record[2200];
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	make(&message, &usual, "text\n");
	edit(&message, "d=example.org", "d=example.org; i=@b.example.org");
	snprintf(record, sizeof(record), "p=%s; t=y:s", rsa.p);
	report = judge_with(&message, record);
	assert_int_equal(report.results[0].status, DKIM_PERMERROR);
	assert_string_equal(report.results[0].reason,
	    "the key is not for subdomains");
	edit(&message, "i=@b.example.org", "i=@example.org");
	report = judge_with(&message, record);
	assert_string_equal(report.results[0].reason,
	    "the header was changed");
	buf_free(&message);
}

static void
test_several_keys(void **state)
{
	struct buf message = { 0 };
	struct facts facts = { 0 };
	struct dkim_report report;
	char record[2200];
	const char *const records[] = { "v=spf1 -all", record, NULL };
	const char *const twice[] = { record, "v=DKIM1; p=abcd", NULL };

	(void)state;
	snprintf(record, sizeof(record), "p=%s", rsa.p);
	make(&message, &usual, "text\n");
	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("9000000000"));
	tell_txt(&facts, "rsa._domainkey.example.org", DNS_OK, records);
	assert_true(dkim_judge(library, buf_slice(&message), &facts,
	    &report));
	assert_int_equal(report.results[0].status, DKIM_PASS);
	facts_free(&facts);
	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("9000000000"));
	tell_txt(&facts, "rsa._domainkey.example.org", DNS_OK, twice);
	assert_true(dkim_judge(library, buf_slice(&message), &facts,
	    &report));
	assert_int_equal(report.results[0].status, DKIM_PERMERROR);
	assert_string_equal(report.results[0].reason,
	    "there are several keys");
	facts_free(&facts);
	buf_free(&message);
}

/* RFC 8301 3.2: 1024 bits are enough. */
static void
test_short_key(void **state)
{
	struct test_key key;
	const struct signing s = { &key, "example.org", "short",
	    DKIM_CANON_SIMPLE, DKIM_CANON_SIMPLE, -1, 0, 0 };
	struct facts facts = { 0 };
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	key_make(&key, 1024);
	make(&message, &s, "text\n");
	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("1790000000"));
	tell_key(&facts, "short._domainkey.example.org", &key);
	assert_true(dkim_judge(library, buf_slice(&message), &facts,
	    &report));
	assert_int_equal(report.results[0].status, DKIM_PASS);
	facts_free(&facts);
	buf_free(&message);
}

static void
test_weak_key(void **state)
{
	const struct signing s = { &weak, "example.org", "weak",
	    DKIM_CANON_SIMPLE, DKIM_CANON_SIMPLE, -1, 0, 0 };
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	make(&message, &s, "text\n");
	report = judge_text(buf_slice(&message));
	assert_int_equal(report.results[0].status, DKIM_FAIL);
	assert_string_equal(report.results[0].reason,
	    "the key is too short");
	assert_int_equal(report.results[0].key_bits, 768);
	buf_free(&message);
}

/* l= that covers the body passes; a text behind it is never a pass. */
static void
test_length(void **state)
{
	static const struct {
		const char *name, *body;
		int canon;
		long length;
		const char *added;
		enum dkim_status want;
	} rows[] = {
		{ "all, simple", "text\n", DKIM_CANON_SIMPLE, 6, "",
		    DKIM_PASS },
		{ "empty lines added", "text\n", DKIM_CANON_SIMPLE, 6,
		    "\n\n", DKIM_PASS },
		{ "text added", "text\n", DKIM_CANON_SIMPLE, 6, "x\n",
		    DKIM_POLICY },
		{ "text behind empty lines", "text\n", DKIM_CANON_SIMPLE, 6,
		    "\n\nx\n", DKIM_POLICY },
		{ "nothing signed", "text\n", DKIM_CANON_SIMPLE, 0, "",
		    DKIM_POLICY },
		{ "all, relaxed", "a  b \n", DKIM_CANON_RELAXED, 5, "",
		    DKIM_PASS },
		{ "text added, relaxed", "a  b \n", DKIM_CANON_RELAXED, 5,
		    "x", DKIM_POLICY },
		{ "spaces added, relaxed", "a  b \n", DKIM_CANON_RELAXED, 5,
		    " \n\t", DKIM_PASS },
		{ "empty, simple", "", DKIM_CANON_SIMPLE, 2, "\n\n",
		    DKIM_PASS },
		{ "empty, not even its CR LF", "", DKIM_CANON_SIMPLE, 0, "",
		    DKIM_POLICY },
		{ "empty, relaxed", "", DKIM_CANON_RELAXED, 0, "",
		    DKIM_PASS },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct signing s = { &rsa, "example.org", "rsa",
		    DKIM_CANON_RELAXED, rows[i].canon, rows[i].length, 0, 0 };
		struct buf message = { 0 };
		struct dkim_report report;

		make(&message, &s, rows[i].body);
		CHECK(rows[i].name, strstr(message.data, "l=") != NULL);
		buf_puts(&message, rows[i].added);
		report = judge_text(buf_slice(&message));
		CHECK_STRING(rows[i].name, report.results[0].reason,
		    rows[i].want == DKIM_PASS ? "" :
		    "l= leaves a part of the body unsigned");
		CHECK(rows[i].name, report.results[0].status == rows[i].want);
		buf_free(&message);
	}
}

static void
test_length_over_body(void **state)
{
	struct signing s = usual;
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	s.length = 12;
	make(&message, &s, "text\nmore\n");
	message.size -= 5;
	report = judge_text(buf_slice(&message));
	assert_int_equal(report.results[0].status, DKIM_FAIL);
	assert_string_equal(report.results[0].reason,
	    "the body is shorter than l=");
	buf_free(&message);
}

/* The library takes the l= of one signature over to the next ones: in front
 * of a good one it would hide what was added to the body. */
static void
test_length_of_another(void **state)
{
	struct buf message = { 0 }, forged = { 0 };
	struct dkim_report report;

	(void)state;
	make(&message, &usual, "text\n");
	buf_puts(&forged, "DKIM-Signature: v=1; a=rsa-sha256; "
	    "c=relaxed/relaxed; d=example.org; s=rsa; h=From; l=6; "
	    "bh=AAAA; b=BBBB\n");
	buf_append_slice(&forged, buf_slice(&message));
	buf_puts(&forged, "an advertisement\n");
	report = judge_text(buf_slice(&forged));
	assert_int_equal(report.n_results, 2);
	assert_int_equal(report.results[0].status, DKIM_FAIL);
	assert_int_equal(report.results[1].status, DKIM_FAIL);
	assert_string_equal(report.results[1].reason,
	    "the body was changed");
	buf_free(&message);
	buf_free(&forged);
}

/* One that covers too little is never a pass, and its hash is not made: the
 * next one needs it all the same. */
static void
test_length_before_a_good_one(void **state)
{
	static const char *const canons[] = { "relaxed", "simple" };
	struct buf message = { 0 };

	(void)state;
	make(&message, &usual, "text\n");
	for (size_t i = 0; i < N_OF(canons); i++) {
		struct buf both = { 0 };
		struct dkim_report report;

		buf_printf(&both, "DKIM-Signature: v=1; a=rsa-sha256; "
		    "c=relaxed/%s; d=example.org; s=rsa; h=From; l=2; "
		    "bh=AAAA; b=BBBB\n", canons[i]);
		buf_append_slice(&both, buf_slice(&message));
		report = judge_text(buf_slice(&both));
		assert_int_equal(report.n_results, 2);
		assert_int_equal(report.results[0].status, DKIM_FAIL);
		assert_int_equal(report.results[1].status, DKIM_PASS);
		buf_free(&both);
	}
	buf_free(&message);
}

/* Times are compared with FACT_TIME alone, whatever the clock says. */
static void
test_times(void **state)
{
	static const struct {
		const char *name;
		uint64_t time_s, ttl_s;
		enum dkim_status want;
		const char *reason;
	} rows[] = {
		{ "now", NOW, 0, DKIM_PASS, "" },
		{ "drift", NOW + 200, 0, DKIM_PASS, "" },
		{ "future", NOW + 1000, 0, DKIM_FAIL, "signed in the future" },
		{ "the clock says future", NOW + 100000000, 0, DKIM_FAIL,
		    "signed in the future" },
		{ "long ago", 1000000, 0, DKIM_PASS, "" },
		{ "in time", NOW - 100, 1000, DKIM_PASS, "" },
		{ "just expired", NOW - 1000, 900, DKIM_PASS, "" },
		{ "expired", NOW - 2000, 1000, DKIM_FAIL, "expired" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct signing s = { &ed25519, "example.org", "ed",
		    DKIM_CANON_RELAXED, DKIM_CANON_SIMPLE, -1,
		    rows[i].time_s, rows[i].ttl_s };
		struct buf message = { 0 };
		struct dkim_report report;

		make(&message, &s, "text\n");
		report = judge_text(buf_slice(&message));
		CHECK_STRING(rows[i].name, report.results[0].reason,
		    rows[i].reason);
		CHECK(rows[i].name, report.results[0].status == rows[i].want);
		buf_free(&message);
	}
}

/* The same facts, a year later or earlier: the clock has no say. */
static void
test_replay(void **state)
{
	static const int64_t offsets_s[] = { -400000000, -86400, 0, 86400,
	    400000000 };

	(void)state;
	for (size_t i = 0; i < N_OF(offsets_s); i++) {
		uint64_t then = (uint64_t)((int64_t)time(NULL) +
		    offsets_s[i]);
		const struct signing s = { &ed25519, "example.org", "ed",
		    DKIM_CANON_RELAXED, DKIM_CANON_SIMPLE, -1, then, 3600 };
		struct buf message = { 0 };
		struct facts facts = { 0 };
		struct dkim_report report;
		char now[24];

		make(&message, &s, "text\n");
		snprintf(now, sizeof(now), "%llu",
		    (unsigned long long)then + 60);
		facts_add(&facts, FACT_TIME, SLICE(""), slice_of(now));
		tell_key(&facts, "ed._domainkey.example.org", &ed25519);
		assert_true(dkim_judge(library, buf_slice(&message), &facts,
		    &report));
		assert_string_equal(report.results[0].reason, "");
		assert_int_equal(report.results[0].status, DKIM_PASS);
		facts_free(&facts);
		buf_free(&message);
	}
}

/* What is wanted is asked for in one go, and nothing is said before. */
static void
test_wanted(void **state)
{
	struct signing s = usual;
	struct buf message = { 0 };
	struct facts facts = { 0 };
	struct dkim_report report;

	(void)state;
	make(&message, &s, "text\n");
	s.domain = "Lists.Example.ORG";
	s.selector = "Two";
	sign(&message, &s);
	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("9000000000"));
	assert_false(dkim_judge(library, buf_slice(&message), &facts,
	    &report));
	assert_int_equal(facts.n_wanted, 2);
	assert_true(slice_equals(facts.wanted[0].key,
	    SLICE("two._domainkey.lists.example.org")));
	assert_true(slice_equals(facts.wanted[1].key,
	    SLICE("rsa._domainkey.example.org")));
	tell_key(&facts, "two._domainkey.lists.example.org", &rsa);
	tell_txt(&facts, "rsa._domainkey.example.org", DNS_FAILED, NULL);
	assert_true(dkim_judge(library, buf_slice(&message), &facts,
	    &report));
	assert_int_equal(report.n_results, 2);
	assert_int_equal(report.results[0].status, DKIM_PASS);
	assert_string_equal(report.results[0].domain, "lists.example.org");
	assert_int_equal(report.results[1].status, DKIM_TEMPERROR);
	facts_free(&facts);
	buf_free(&message);
}

/* A signature over other signatures: all of those above it stay out. */
static void
test_signed_signature(void **state)
{
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	make(&message, &usual, "text\n");
	sign(&message, &usual);
	sign(&message, &usual);
	report = judge_text(buf_slice(&message));
	assert_int_equal(report.n_results, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(report.results[i].status, DKIM_PASS);
	buf_free(&message);
}

/* The body is read once for each canonicalization: good and bad ones, in
 * any order, are told apart all the same. */
static void
test_shared_body(void **state)
{
	struct signing s = usual;
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	make(&message, &usual, "text\n");		/* 4: relaxed */
	s.body = DKIM_CANON_SIMPLE;
	sign(&message, &s);				/* 3 */
	sign(&message, &usual);				/* 2 */
	buf_puts(&message, "more\n");
	s.key = &ed25519;
	s.selector = "ed";
	sign(&message, &s);				/* 1: of the new body */
	s.body = DKIM_CANON_RELAXED;
	s.length = 12;
	sign(&message, &s);				/* 0 */
	report = judge_text(buf_slice(&message));
	assert_int_equal(report.n_results, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(report.results[i].status, i < 2 ?
		    DKIM_PASS : DKIM_FAIL);
		assert_string_equal(report.results[i].reason, i < 2 ? "" :
		    "the body was changed");
	}
	buf_free(&message);
}

static void
test_many_signatures(void **state)
{
	struct buf message = { 0 }, many = { 0 };
	struct dkim_report report;
	size_t size;

	(void)state;
	make(&message, &usual, "text\n");
	size = (size_t)(strstr(message.data, "\nFrom:") + 1 - message.data);
	for (int i = 0; i < 900; i++)
		buf_append(&many, message.data, size);
	buf_append_slice(&many, buf_slice(&message));
	report = judge_text(buf_slice(&many));
	assert_int_equal(report.n_results, many.size < DKIM_HEADER_MAX ?
	    DKIM_SIGNATURES_MAX : 1);
	assert_int_equal(report.n_results + report.n_ignored, 901);
	buf_free(&many);
	for (int i = 0; i < 100; i++)
		buf_append(&many, message.data, size);
	buf_append_slice(&many, buf_slice(&message));
	report = judge_text(buf_slice(&many));
	assert_int_equal(report.n_results, DKIM_SIGNATURES_MAX);
	assert_int_equal(report.n_ignored, 96);
	for (int i = 0; i < DKIM_SIGNATURES_MAX; i++)
		assert_int_equal(report.results[i].status, DKIM_PASS);
	buf_free(&many);
	for (int i = 0; i < 5000; i++)
		buf_puts(&many, "DKIM-Signature: v=1\n");
	buf_append_slice(&many, buf_slice(&message));
	report = judge_text(buf_slice(&many));
	assert_int_equal(report.n_results, 1);
	assert_int_equal(report.n_ignored, 5000);
	assert_int_equal(report.results[0].status, DKIM_PERMERROR);
	assert_string_equal(report.results[0].reason,
	    "the header is too large");
	buf_free(&many);
	buf_free(&message);
}

static void
test_headers(void **state)
{
	struct buf message = { 0 };
	struct dkim_report report;

	(void)state;
	/* 8-bit and huge fields that are signed */
	buf_puts(&message, "From: \"J\xc3\xb6rg\" <a@example.org>\nSubject:");
	for (int i = 0; i < 3000; i++)
		buf_puts(&message, " gr\xc3\xb6\xc3\x9f" "er\n\t");
	buf_puts(&message, "end\nTo : b@example.net\n\ntext\n");
	sign(&message, &usual);
	report = judge_text(buf_slice(&message));
	assert_string_equal(report.results[0].reason, "");
	assert_int_equal(report.results[0].status, DKIM_PASS);
	buf_free(&message);

	buf_puts(&message, plain);
	buf_puts(&message, "text\n");
	report = judge_text(buf_slice(&message));
	assert_int_equal(report.n_results, 0);
	assert_int_equal(report.n_ignored, 0);
	report = judge_text(SLICE(""));
	assert_int_equal(report.n_results, 0);
	buf_free(&message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bare_key),
		cmocka_unit_test(test_subdomain),
		cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_short_key),
		cmocka_unit_test(test_weak_key),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_length_over_body),
		cmocka_unit_test(test_length_of_another),
		cmocka_unit_test(test_length_before_a_good_one),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_signed_signature),
		cmocka_unit_test(test_shared_body),
		cmocka_unit_test(test_many_signatures),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
