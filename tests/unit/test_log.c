/* SPDX-License-Identifier: ISC */
/*
 * test_log.c - the shape of a log line, and that nothing a client sends can
 * make a second one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "log.h"

static int ends[2];
static char got[65536];

static const char *
written(void)
{
	ssize_t n;

	log_flush();
	n = read(ends[0], got, sizeof got - 1);
	got[n < 0 ? 0 : n] = '\0';
	return got;
}

static void
test_logfmt(void **state)
{
	(void)state;
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	log_info("delivered", LOG_S("session", "k3f9q2m7t"),
	    LOG_U("size", 4096), LOG_D("delta", -2), LOG_E("error", -ENOSPC),
	    LOG_S("empty", ""), LOG_END);
	assert_string_equal(written(), "<6>postern/smtpd: event=delivered "
	    "session=k3f9q2m7t size=4096 delta=-2 error=ENOSPC empty=\"\"\n");
}

static void
test_hostile_text(void **state)
{
	(void)state;
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	log_warning("refused", LOG_SL("helo",
	    ((struct slice){ "a\r\n<0>x=\"\\\0\xff z", 14 })), LOG_END);
	assert_string_equal(written(), "<4>postern/smtpd: event=refused "
	    "helo=\"a\\x0d\\x0a<0>x=\\\"\\\\\\x00\\xff z\"\n");
}

static void
test_json(void **state)
{
	(void)state;
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_JSON);
	clock_set_for_tests(1, 1795309323456789);
	log_info("delivered", LOG_S("to", "a \"b\"\n"), LOG_U("n", 1),
	    LOG_END);
	clock_set_for_tests(0, 0);
	assert_string_equal(written(), "<6>{\"time\":"
	    "\"2026-11-22T01:02:03.456Z\",\"level\":\"info\","
	    "\"compartment\":\"smtpd\",\"event\":\"delivered\","
	    "\"to\":\"a \\\"b\\\"\\u000a\",\"n\":1}\n");
}

/* What a text from outside looks like as a JSON string. */
static const struct {
	const char *name, *text, *want;
} json_strings[] = {
	{ "UTF-8", "gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x93\xae",
	    "gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x93\xae" },
	{ "an octet alone", "a\xff" "b", "a\\u00ffb" },
	{ "cut off", "a\xe2\x82", "a\\u00e2\\u0082" },
	{ "overlong", "\xc0\xaf", "\\u00c0\\u00af" },
	{ "a surrogate", "\xed\xa0\x80", "\\u00ed\\u00a0\\u0080" },
	{ "controls", "\x01\r\n\t\x7f", "\\u0001\\u000d\\u000a\\u0009\\u007f" },
	{ "controls of C1", "\xc2\x85\xc2\x9b", "\\u0085\\u009b" },
	{ "line separators", "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xb0",
	    "\\u2028\\u2029\xe2\x80\xb0" },
	{ "directions", "a\xe2\x80\xae" "b\xe2\x81\xa6" "c\xd8\x9c\xe2\x80\x8f",
	    "a\\u202eb\\u2066c\\u061c\\u200f" },
	{ "byte order mark", "\xef\xbb\xbf\xef\xbb\xbe",
	    "\\ufeff\xef\xbb\xbe" },
	{ "out of the string", "\",\"event\":\"x\\", "\\\",\\\"event\\\""
	    ":\\\"x\\\\" },
};

static void
test_json_strings(void **state)
{
	(void)state;
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_JSON);
	for (size_t i = 0; i < sizeof json_strings / sizeof *json_strings;
	     i++) {
		char want[256];
		const char *at;

		log_warning("x", LOG_S("helo", json_strings[i].text),
		    LOG_END);
		snprintf(want, sizeof want, "\"event\":\"x\",\"helo\":"
		    "\"%s\"}\n", json_strings[i].want);
		at = strstr(written(), "\"event\"");
		if (at == NULL || strcmp(at, want) != 0)
			fail_msg("row \"%s\": got %s", json_strings[i].name,
			    got);
	}
}

/*
 * One line within the limit; in JSON one object: strings are closed, and
 * after each value stands a comma or the end.
 */
static void
check_one_line(const char *line)
{
	size_t length = strlen(line), quotes = 0;
	bool is_json = line[3] == '{', is_inside = false;

	assert_in_range(length, 10, 4096);
	assert_ptr_equal(strchr(line, '\n'), line + length - 1);
	for (size_t i = 3; i < length - 1; i++)
		if (is_inside && line[i] == '\\') {
			i++;
		} else if (line[i] == '"') {
			is_inside = !is_inside;
			quotes++;
		}
	assert_false(is_inside);
	if (!is_json)
		return;
	assert_memory_equal(line + length - 2, "}\n", 2);
	assert_true(strchr("\"0123456789", line[length - 3]) != NULL);
	/* no key without its value: "a":"x","n":1 has no odd quote */
	assert_int_equal(quotes % 2, 0);
	assert_null(strstr(line, "\":}"));
	assert_null(strstr(line, ",}"));
	assert_non_null(strstr(line, "\"event\":\""));
}

static void
test_long_values_are_cut(void **state)
{
	static char huge[100001], small[4100];

	(void)state;
	memset(huge, '\x01', sizeof huge - 1);
	for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON;
	     format++) {
		log_open("smtpd", ends[1], LOG_TARGET_STDERR,
		    (enum log_format)format);
		log_info("big", LOG_S("a", huge), LOG_S("b", huge), LOG_END);
		check_one_line(written());
		assert_true(strlen(got) > 4000);
		assert_null(strstr(got, "b\":"));
		/* whatever the line ends in the middle of */
		memset(small, 'x', sizeof small);
		for (size_t n = 3900; n < sizeof small; n++) {
			small[n] = '\0';
			log_warning("cut", LOG_S("a", small), LOG_U("number",
			    1234567890), LOG_S("text", "a b\xc3\xbc\xff\"c"),
			    LOG_E("error", -ENOSPC), LOG_END);
			small[n] = 'x';
			check_one_line(written());
		}
	}
}

/* A bare value is cut too, and nothing begins behind it. */
static void
test_long_bare_value(void **state)
{
	static char text[8000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	log_info("big", LOG_S("a", text), LOG_U("n", 1), LOG_END);
	assert_true(strlen(written()) > 4000);
	assert_string_equal(got + strlen(got) - 5, "xxxx\n");
}

static void
test_level(void **state)
{
	(void)state;
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	log_debug("quiet", LOG_END);
	log_notice("said", LOG_END);
	assert_string_equal(written(), "<5>postern/smtpd: event=said\n");
}

/* Nobody reads any more: the caller goes on, and what comes is lost. */
static void
test_reader_that_stopped(void **state)
{
	static char text[3000];
	int full[2];
	unsigned i;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_int_equal(pipe(full), 0);
	log_open("smtpd", full[1], LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	alarm(10);
	for (i = 0; i < 200; i++)
		log_warning("big", LOG_S("text", text), LOG_END);
	alarm(0);
	/* it reads again: the next line arrives whole */
	while (read(full[0], got, sizeof got) == (ssize_t)sizeof got)
		;
	log_warning("heard", LOG_END);
	i = (unsigned)read(full[0], got, sizeof got - 1);
	got[i] = '\0';
	assert_non_null(strstr(got, "event=heard\n"));
	close(full[0]);
	close(full[1]);
}

/* Each write ends with a line: another compartment's may come next. */
static void
test_lines_leave_whole(void **state)
{
	int pair[2], n_writes = 0;
	char text[201] = { 0 };
	ssize_t n;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
	    0, pair), 0);
	log_open("smtpd", pair[1], LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	for (int i = 0; i < 50; i++)
		log_info("many", LOG_S("text", text), LOG_END);
	log_flush();
	while ((n = read(pair[0], got, sizeof got)) > 0) {
		assert_int_equal(got[0], '<');
		assert_int_equal(got[n - 1], '\n');
		n_writes++;
	}
	assert_true(n_writes > 1);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logfmt),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_long_values_are_cut),
		cmocka_unit_test(test_long_bare_value),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_reader_that_stopped),
		cmocka_unit_test(test_lines_leave_whole),
	};

	if (pipe(ends) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
