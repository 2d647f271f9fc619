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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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
	log_info("delivered", LOG_S("to", "a \"b\"\n"), LOG_U("n", 1),
	    LOG_END);
	assert_string_equal(written(), "<6>postern/smtpd: {\"event\":"
	    "\"delivered\",\"to\":\"a \\\"b\\\"\\u000a\",\"n\":1}\n");
}

static void
test_long_values_are_cut(void **state)
{
	char *huge = malloc(100001);
	size_t length;

	(void)state;
	memset(huge, '\x01', 100000);
	huge[100000] = '\0';
	log_open("smtpd", ends[1], LOG_TARGET_STDERR, LOG_FORMAT_JSON);
	log_info("big", LOG_S("a", huge), LOG_S("b", huge), LOG_END);
	length = strlen(written());
	assert_in_range(length, 1000, 4096);
	assert_int_equal(got[length - 1], '\n');
	assert_ptr_equal(strchr(got, '\n'), got + length - 1);
	free(huge);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logfmt),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_long_values_are_cut),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_reader_that_stopped),
	};

	if (pipe(ends) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
