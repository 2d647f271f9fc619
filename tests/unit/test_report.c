/* SPDX-License-Identifier: ISC */
/*
 * test_report.c - bounces of some fifty mail systems, and what is none.
 *
 * The corpus and its source: tests/data/bounces. Each message of it is read
 * as it came, and once more with a message of ours in place of the one that
 * it returns.
 */
#include "table.h"
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include "report.h"

/* ---- by hand ---- */

#define HEAD(from) "From: " from "\nTo: alice@ours.test\nSubject: hello\n"
#define DSN(action) "From: x@y.test\nContent-Type: multipart/report; " \
    "report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n--b\n" \
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; h\n\n" \
    "Final-Recipient: rfc822; bob@theirs.test\nAction: " action "\n--b\n"
#define OURS "Received: from a by mx.ours.test (Postern)\n" \
    "\tid k3f9q2m7t-1-20750-abcdefghij\n\tfor <bob@theirs.test>; now\n" \
    "From: alice@ours.test\nTo: carol@else.test\nMessage-ID: <1@ours.test>\n"

static const struct {
	const char *name, *text;
	bool is_null;
	/* "KIND FORMAT WHERE ACTION MESSAGE-ID N_TOLD: RECIPIENTS / TRACES" */
	const char *want;
} rows[] = {
	{ "RFC 3464 with a message", DSN("failed") "Content-Type: "
	    "message/rfc822\n\n" OURS "\nTo: body@x.test\n\n--b--\n", true,
	    "bounce rfc3464 part 3 1@ours.test 1: bob@theirs.test "
	    "carol@else.test / k3f9q2m7t-1-20750-abcdefghij" },
	{ "the same from a reverse-path", DSN("delayed") "Content-Type: "
	    "text/rfc822-headers\n\n" OURS "--b--\n", false,
	    "bounce rfc3464 part 2 1@ours.test 1: bob@theirs.test "
	    "carol@else.test / k3f9q2m7t-1-20750-abcdefghij" },
	{ "in base64", DSN("relayed") "Content-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "TWVzc2FnZS1JRDogPDFAb3Vycy50ZXN0PgpTdWJqZWN0OiB4CgpUbzogYUBi\n"
	    "--b--\n", true,
	    "bounce rfc3464 part 1 1@ours.test 1: bob@theirs.test /" },
	{ "delivery-status alone", DSN("failed") "--b--\n", true,
	    "bounce rfc3464 nowhere 3  1: bob@theirs.test /" },
	{ "no MIME at all", HEAD("MAILER-DAEMON") "\nHi. This is the "
	    "qmail-send program at x.\n\n<bob@theirs.test>:\nNo.\n\n"
	    "--- Below this line is a copy of the message.\n\n" OURS
	    "\nbody\n\nMessage-ID: <2@x>\nTo: a@b\nFrom: c@d\n", false,
	    "bounce qmail text behind a line 0 1@ours.test 0: "
	    "bob@theirs.test carol@else.test / "
	    "k3f9q2m7t-1-20750-abcdefghij" },
	{ "quoted", HEAD("<>") "\nI could not.\n\n> Message-ID:\n> \t<1@o>\n"
	    "> To: bob@theirs.test\n> From: a@b\n", true,
	    "bounce  text 0 1@o 0: bob@theirs.test /" },
	{ "a boundary that is another's", HEAD("postmaster@x.test")
	    "Content-Type: multipart/report; report-type=delivery-status; "
	    "boundary=nn\n\n--b\nContent-Type: message/rfc822\n\n" OURS, true,
	    "bounce rfc3464 text 0 1@ours.test 0: bob@theirs.test "
	    "carol@else.test / k3f9q2m7t-1-20750-abcdefghij" },
	{ "X-Failed-Recipients", HEAD("Mailer-Daemon@x.test")
	    "X-Failed-Recipients: a@x.test,\n b@x.test\n\nThis message was "
	    "created automatically by mail delivery software.\n", true,
	    "bounce exim nowhere 0  2: a@x.test b@x.test /" },
	{ "a trace without a Message-ID", DSN("failed") "Content-Type: "
	    "text/rfc822-headers\n\nReceived: by x id "
	    "k3f9q2m7t-1-20750-abcdefghij\nSubject: x\n--b--\n", true,
	    "bounce rfc3464 part 3  1: bob@theirs.test / "
	    "k3f9q2m7t-1-20750-abcdefghij" },
	{ "folds that somebody lost", DSN("failed") "Content-Type: "
	    "message/rfc822\n\nReceived: from a\nby b id c; now\n"
	    "Message-ID: <1@ours.test>\n\nx\n--b--\n", true,
	    "bounce rfc3464 part 3 1@ours.test 1: bob@theirs.test /" },
	{ "a bounce of a bounce: the outer one's", DSN("failed")
	    "Content-Type: message/rfc822\n\nMessage-ID: <2@x>\nContent-Type:"
	    " multipart/report; boundary=c\n\n--c\nContent-Type: "
	    "message/rfc822\n\n" OURS "\n--c--\n--b--\n", true,
	    "bounce rfc3464 part 3 2@x 1: bob@theirs.test /" },
	{ "nor does what it returns", DSN("failed") "Content-Type: "
	    "message/rfc822\n\nFrom: a@b.test\nTo: c@d.test\nContent-Type: "
	    "multipart/mixed; boundary=c\n\n--c\nContent-Type: "
	    "message/rfc822\n\n" OURS "\n--c\nContent-Type: message/"
	    "delivery-status\n\nReporting-MTA: dns; h\n\nFinal-Recipient: "
	    "rfc822; eve@x.test\nAction: failed\n--c--\n--b--\n", true,
	    "bounce rfc3464 part 3  1: bob@theirs.test c@d.test /" },
	{ "of two that it returns, the first", DSN("failed")
	    "Content-Type: message/rfc822\n\nMessage-ID: <2@x>\n\n--b\n"
	    "Content-Type: message/rfc822\n\n" OURS "\n--b--\n", true,
	    "bounce rfc3464 part 3 2@x 1: bob@theirs.test /" },
	{ "of two ids, the first", DSN("failed") "Content-Type: "
	    "message/rfc822\n\nMessage-ID: <2@x>\nMessage-ID: <1@ours.test>\n"
	    "\n--b--\n", true,
	    "bounce rfc3464 part 3 2@x 1: bob@theirs.test /" },
	{ "no words stand in for a part", DSN("failed") "Content-Type: "
	    "message/rfc822\n\nReceived: by x id k3f9q2m7t-1-20750-abcdefghij"
	    "\nSubject: x\n\n--b\n\nMessage-ID: <2@x>\n--b--\n", true,
	    "bounce rfc3464 part 3  1: bob@theirs.test 2@x / "
	    "k3f9q2m7t-1-20750-abcdefghij" },
	{ "a part stands in for words", HEAD("MAILER-DAEMON@x.test")
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
	    "Message-ID: <2@x>\n--b\nContent-Type: message/rfc822\n\n" OURS
	    "\n--b--\n", true, "bounce  part 0 1@ours.test 0: "
	    "bob@theirs.test carol@else.test 2@x / "
	    "k3f9q2m7t-1-20750-abcdefghij" },
	{ "a trace that is too long", DSN("failed") "Content-Type: "
	    "text/rfc822-headers\n\nReceived: by x id "
	    "k3f9q2m7t-1-20750-abcdefghijk\nSubject: x\n--b--\n", true,
	    "bounce rfc3464 part 3  1: bob@theirs.test /" },
	{ "one of them failed", DSN("failed\n\nFinal-Recipient: rfc822; "
	    "eve@theirs.test\nAction: delivered") "--b--\n", true,
	    "bounce rfc3464 nowhere 3  2: bob@theirs.test eve@theirs.test /" },
	{ "and the other was said to be", DSN("failed\nAction: delivered")
	    "--b--\n", true,
	    "bounce rfc3464 nowhere 3  1: bob@theirs.test /" },
	{ "a message with a field of a report", DSN("failed")
	    "Content-Type: message/rfc822\n\nDiagnostic-Code: x\n" OURS
	    "\n--b--\n", true, "bounce rfc3464 part 3 1@ours.test 1: "
	    "bob@theirs.test carol@else.test / "
	    "k3f9q2m7t-1-20750-abcdefghij" },
	{ "Received is no header", DSN("failed") "\nReceived: by x\n"
	    "--b--\n", true,
	    "bounce rfc3464 nowhere 3  1: bob@theirs.test /" },
	{ "HTML alone", HEAD("MAILER-DAEMON@x.test") "Content-Type: "
	    "text/html\n\nHi. This is the qmail-send program at x.\n", false,
	    "bounce qmail nowhere 0  0: /" },
	{ "a bounce with an invitation", DSN("failed") "Content-Type: "
	    "text/calendar\n\nBEGIN:VCALENDAR\n--b--\n", true,
	    "bounce rfc3464 nowhere 3  1: bob@theirs.test /" },
	{ "a report deep in an answer", HEAD("bob@x.test") "Content-Type: "
	    "multipart/mixed; boundary=o\n\n--o\nContent-Type: "
	    "multipart/mixed; boundary=i\n\n--i\nContent-Type: "
	    "message/delivery-status\n\nReporting-MTA: dns; h\n--i--\n"
	    "--o--\n", true, "none  nowhere 0  0: /" },
	{ "a person forwards a bounce", HEAD("bob@x.test") "Content-Type: "
	    "multipart/mixed; boundary=o\n\n--o\n\nWhat is this?\n--o\n"
	    "Content-Type: message/rfc822\n\n" DSN("failed") "--b--\n--o--\n",
	    false, "none  nowhere 0  0: /" },
	{ "a person quotes one", HEAD("bob@x.test") "\n> Hi. This is the "
	    "qmail-send program at x.\n> --- Below this line is a copy of "
	    "the message.\n>\n> Message-ID: <1@x>\n", false,
	    "none  nowhere 0  0: /" },
	{ "postmaster writes", HEAD("postmaster@x.test") "\nHello\n", false,
	    "none  nowhere 0  0: /" },
	{ "postmaster writes of a bounce", "From: postmaster@x.test\n"
	    "Subject: Delivery problem with your server\n\nIt refuses our "
	    "mail.\n", false, "none  nowhere 0  0: /" },
	{ "postmaster quotes one", HEAD("postmaster@x.test")
	    "\nWhat is this?\n\n> This is the mail system at host y.\n", false,
	    "none postfix nowhere 0  0: /" },
	{ "postmaster returns one", "From: postmaster@x.test\nSubject: "
	    "Undeliverable: Hello\n\nYour message did not reach some or all "
	    "of the intended recipients.\n", false,
	    "bounce exchange nowhere 0  0: /" },
	{ "mailer-daemon in another language", HEAD("MAILER-DAEMON@x.test")
	    "\nVot Napaka.\n", true, "bounce  nowhere 0  0: /" },
	{ "the same with a reverse-path says too little",
	    HEAD("MAILER-DAEMON@x.test") "\nVot Napaka.\n", false,
	    "none  nowhere 0  0: /" },
	{ "unless it returns something", HEAD("MAILER-DAEMON@x.test")
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	    "Content-Type: message/rfc822\n\n" OURS "\n--b--\n", false,
	    "bounce  part 0 1@ours.test 0: bob@theirs.test carol@else.test / "
	    "k3f9q2m7t-1-20750-abcdefghij" },
	{ "postmaster is away", HEAD("postmaster@x.test")
	    "\nI am away.\n", true, "none  nowhere 0  0: /" },
	{ "a vacation", HEAD("bob@x.test") "Auto-Submitted: auto-replied\n"
	    "\nI am away.\n", true, "none  nowhere 0  0: /" },
	{ "a receipt", HEAD("bob@x.test") "Content-Type: multipart/report; "
	    "report-type=disposition-notification; boundary=b\n\n--b\n\n"
	    "Read.\n--b\nContent-Type: message/disposition-notification\n\n"
	    "Final-Recipient: rfc822;bob@x.test\nOriginal-Message-ID: <1@x>\n"
	    "Disposition: manual-action/MDN-sent-manually; displayed\n"
	    "--b--\n", true, "receipt  nowhere 0  1: bob@x.test /" },
	{ "one without report-type", HEAD("bob@x.test") "Content-Type: "
	    "multipart/mixed; boundary=b\n\n--b\nContent-Type: "
	    "message/disposition-notification\n\nDisposition: x\n--b--\n",
	    true, "receipt  nowhere 0  0: /" },
	{ "TLS-RPT", HEAD("r@x.test") "Content-Type: multipart/report; "
	    "report-type=tlsrpt; boundary=b\n\n--b\n\nReport\n--b--\n", true,
	    "statistics  nowhere 0  0: /" },
	{ "DMARC", "From: noreply-dmarc@x.test\nSubject: Report Domain: "
	    "ours.test Submitter: x.test Report-ID: <1>\nContent-Type: "
	    "application/zip\n\nUEs\n", true, "statistics  nowhere 0  0: /" },
	{ "a calendar's answer", HEAD("bob@x.test") "Content-Type: "
	    "multipart/alternative; boundary=b\n\n--b\n\nYes.\n--b\n"
	    "Content-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\n"
	    "--b--\n", true, "calendar  nowhere 0  0: /" },
	{ "a complaint", HEAD("fbl@x.test") "Content-Type: multipart/report; "
	    "report-type=feedback-report; boundary=b\n\n--b\nContent-Type: "
	    "message/feedback-report\n\nFeedback-Type: abuse\n--b\n"
	    "Content-Type: message/rfc822\n\n" OURS "\n--b--\n", true,
	    "feedback  part 0 1@ours.test 0: bob@theirs.test carol@else.test"
	    " / k3f9q2m7t-1-20750-abcdefghij" },
	{ "nothing", "", true, "none  nowhere 0  0: /" },
};

static const char *
told(const struct report *r)
{
	static char out[8192];
	int n = snprintf(out, sizeof out, "%s %s %s %d %s %u:",
	    report_kind_name(r->kind), r->format, report_where_name(r->where),
	    (int)r->action, r->message_id, r->n_told);

	for (unsigned i = 0; i < r->n_recipients; i++)
		n += snprintf(out + n, sizeof out - (size_t)n, " %s",
		    r->recipients[i]);
	n += snprintf(out + n, sizeof out - (size_t)n, " /");
	for (unsigned i = 0; i < r->n_traces; i++)
		n += snprintf(out + n, sizeof out - (size_t)n, " %s",
		    r->traces[i]);
	return out;
}

static void
test_rows(void **state)
{
	static struct report r;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		report_read(&r, slice_of(rows[i].text), rows[i].is_null);
		CHECK_STRING(rows[i].name, told(&r), rows[i].want);
	}
}

/* ---- the corpus ---- */

#define CORPUS "gzip -dc tests/data/bounces/corpus.gz"
#define MESSAGE_MAX (256 * 1024)

struct score {
	unsigned n_messages, n_bounces, n_seen;		/* seen as bounces */
	unsigned n_others, n_mistaken;
	unsigned n_ids, n_ids_found;
	unsigned n_status, n_status_found;		/* RFC 3464 */
	unsigned n_ours, n_ours_by_pair, n_ours_by_trace, n_ours_proven;
	unsigned n_strangers;				/* taken for ours */
};

struct sample {
	char name[64], kind[16], id[512];
	int is_null, has_status;
	size_t size, ours_size;
};

static bool
is_ours(const struct report *r, struct score *s)
{
	bool is_pair = false, is_trace = r->n_traces > 0 &&
	    strcmp(r->traces[0], "k3f9q2m7t-1-20750-abcdefghij") == 0;

	if (strcmp(r->message_id, "20261025100000.k3f9q2m7t@mx.ours.test") ==
	    0)
		for (unsigned i = 0; i < r->n_recipients; i++)
			is_pair |= strcmp(r->recipients[i],
			    "rcpt@theirs.test") == 0;
	if (s != NULL) {
		s->n_ours_by_pair += is_pair;
		s->n_ours_by_trace += is_trace;
	}
	return r->kind == REPORT_BOUNCE && (is_pair || is_trace);
}

/* The truth has the id with its <>, or without for one that has none. */
static bool
is_id(const char *found, const char *id)
{
	size_t size = strlen(id);

	if (*id == '<')
		return strlen(found) == size - 2 &&
		    strncmp(found, id + 1, size - 2) == 0;
	return strcmp(found, id) == 0;
}

static void
score_original(struct score *s, const struct sample *m, struct slice text)
{
	static struct report r;
	bool is_bounce = strcmp(m->kind, "dsn") == 0 ||
	    strcmp(m->kind, "text") == 0;
	bool is_found;

	report_read(&r, text, m->is_null);
	s->n_strangers += is_ours(&r, NULL) || r.n_traces > 0;
	if (!is_bounce) {
		s->n_others++;
		s->n_mistaken += r.kind == REPORT_BOUNCE;
		return;
	}
	s->n_bounces++;
	s->n_seen += r.kind == REPORT_BOUNCE;
	if (r.kind != REPORT_BOUNCE)
		print_message("not seen as a bounce: %s\n", m->name);
	if (strcmp(m->id, "-") == 0)
		return;
	is_found = is_id(r.message_id, m->id);
	s->n_ids++;
	s->n_ids_found += is_found;
	s->n_status += m->has_status != 0;
	s->n_status_found += m->has_status && is_found;
	if (!is_found)
		print_message("%s: found <%s> for %s\n", m->name,
		    r.message_id, m->id);
}

static void
score_ours(struct score *s, const struct sample *m, struct slice text)
{
	static struct report r;
	bool is_proven;

	if (strcmp(m->kind, "dsn") != 0 && strcmp(m->kind, "text") != 0)
		return;
	report_read(&r, text, m->is_null);
	is_proven = is_ours(&r, s);
	s->n_ours++;
	s->n_ours_proven += is_proven;
	if (!is_proven)
		print_message("not proven: %s\n", m->name);
}

static bool
read_octets(FILE *f, char *to, size_t size)
{
	assert_true(size < MESSAGE_MAX);
	return fread(to, 1, size, f) == size;
}

static struct score
score_corpus(void)
{
	static char text[MESSAGE_MAX];
	struct score s = { 0 };
	struct sample m;
	FILE *f = popen(CORPUS, "r");

	assert_non_null(f);
	while (fscanf(f, "%63s %15s %d %d %zu %zu %511[^\n]", m.name, m.kind,
	    &m.is_null, &m.has_status, &m.size, &m.ours_size, m.id) == 7) {
		assert_int_equal(fgetc(f), '\n');
		s.n_messages++;
		assert_true(read_octets(f, text, m.size));
		score_original(&s, &m, (struct slice){ text, m.size });
		assert_true(read_octets(f, text, m.ours_size));
		if (m.ours_size > 0)
			score_ours(&s, &m, (struct slice){ text,
				m.ours_size });
	}
	assert_int_equal(pclose(f), 0);
	return s;
}

static void
test_corpus(void **state)
{
	struct score s = score_corpus();

	(void)state;
	print_message("%u messages, %u bounces: %u seen as such; %u others: "
	    "%u taken for a bounce\n", s.n_messages, s.n_bounces, s.n_seen,
	    s.n_others, s.n_mistaken);
	print_message("%u with the original's Message-ID: %u found (of RFC "
	    "3464: %u of %u)\n", s.n_ids, s.n_ids_found, s.n_status_found,
	    s.n_status);
	print_message("%u with ours in place of the returned one: %u proven "
	    "(by pair %u, by trace %u); of strangers: %u\n", s.n_ours,
	    s.n_ours_proven, s.n_ours_by_pair, s.n_ours_by_trace,
	    s.n_strangers);
	assert_int_equal(s.n_messages, 278);
	assert_true(s.n_bounces == 265 && s.n_ids == 232 && s.n_ours == 246);
	assert_true(s.n_ids_found * 100 >= s.n_ids * 98);
	assert_int_equal(s.n_status_found, s.n_status);
	assert_true(s.n_ours_proven * 100 >= s.n_ours * 97);
	assert_int_equal(s.n_strangers, 0);
	assert_true(s.n_seen * 100 >= s.n_bounces * 98);
	/* One is a bounce by all that it says and is filed as a notice. */
	assert_true(s.n_mistaken <= 1);
}

/* ---- work ---- */

/* What is laid end to end to make a large message. */
static const char *const lumps[] = {
	"a", "\n", "@", "a@", "\"@", "To: a@b\n", "To:", "Received: id id ",
	"id a-1-1-abcdefghij ", " \n", "original messag", "> > ", "Message-",
	"Message-ID: <", "\n--b\n", "--b\nContent-Type: message/rfc822\n\n",
	"=\n", "=?utf-8?q?=", "-----", "Final-Recipient: \"@",
};

static double
seconds_for(const char *lump, size_t size)
{
	static const char head[] = "From: MAILER-DAEMON\nContent-Type: "
	    "multipart/report; report-type=delivery-status; boundary=b\n\n"
	    "--b\n\n";
	static struct report r;
	char *text = malloc(size);
	size_t at = sizeof head - 1, n = strlen(lump);
	clock_t begin;

	assert_non_null(text);
	memcpy(text, head, at);
	for (; at + n <= size; at += n)
		memcpy(text + at, lump, n);
	begin = clock();
	report_read(&r, (struct slice){ text, at }, true);
	free(text);
	return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* Two MiB take minutes if anything is squared. */
static void
test_work(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(lumps); i++)
		CHECK(lumps[i], seconds_for(lumps[i], 2u << 20) < 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
