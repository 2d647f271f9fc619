/* SPDX-License-Identifier: ISC */
/*
 * test_srs.c - reverse-paths of forwards: ours, those of other forwarders,
 * and what is told from a forged or an old one.
 */
#include <stdio.h>
#include <strings.h>
#include "srs.h"
#include "table.h"

#define TODAY 20779		/* 2026-11-22 */
#define LIFE 21
#define OURS SLICE("ours.example")

static const struct srs_keys keys = { { { 1, 2, 3 }, { 9, 8, 7 } }, 2 };
static const struct srs_keys old_keys = { { { 9, 8, 7 } }, 1 };
static const struct srs_keys other_keys = { { { 5 } }, 1 };

static struct address
address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(&a, slice_of(text),
	    ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL), ADDRESS_OK);
	return a;
}

static bool
make_with(char *to, const char *text, bool is_good,
    const struct srs_keys *with)
{
	struct address a = address(text);
	struct srs_sender sender = { &a, is_good };

	return srs_make(to, &sender, OURS, with, TODAY);
}

static enum srs_result
check_on(const char *text, uint32_t day, char *plain)
{
	struct address a = address(text);
	char room[ADDRESS_TEXT_MAX + 1];

	return srs_check(plain != NULL ? plain : room, &a, &keys, day, LIFE);
}

/* ---- making ---- */

/* The MACs by another program (Python's hmac). */
static const struct {
	const char *sender;
	bool is_good;
	const char *want, *back;
} made[] = {
	{ "Alice.Smith@a.example", true,
	    "SRS0=BMZSUJ=JH=a.example=Alice.Smith@ours.example",
	    "Alice.Smith@a.example" },
	{ "Alice.Smith@A.Example", false,
	    "SRS0=7Z5QCC=JH=a.example=Alice.Smith@ours.example",
	    "Alice.Smith@a.example" },
	/* of another forwarder: he is the one who gets the bounce */
	{ "SRS0=HHHH=TT=a.example=alice@b.example", true,
	    "SRS1=6MA4CFJH=b.example==HHHH=TT=a.example=alice@ours.example",
	    "SRS0=HHHH=TT=a.example=alice@b.example" },
	{ "SRS1=XXXX=b.example==HHHH=TT=a.example=alice@c.example", true,
	    "SRS1=6MA4CFJH=b.example==HHHH=TT=a.example=alice@ours.example",
	    "SRS0=HHHH=TT=a.example=alice@b.example" },
};

static void
test_vectors(void **state)
{
	char to[ADDRESS_TEXT_MAX + 1], plain[ADDRESS_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(made); i++) {
		CHECK(made[i].sender, make_with(to, made[i].sender,
		    made[i].is_good, &keys));
		CHECK_STRING(made[i].sender, to, made[i].want);
		CHECK(made[i].sender, check_on(to, TODAY, plain) ==
		    (made[i].is_good ? SRS_VALID : SRS_UNAUTHENTICATED));
		CHECK_STRING(made[i].sender, plain, made[i].back);
	}
}

/* Whatever a local part is made of comes back as it was. */
static void
test_round_trip(void **state)
{
	static const char *const senders[] = {
		"a@b.example", "\"a b\"@c.example", "a=b=c@d.example",
		"prvs=3787bcfd4e=a@b.example", "a+tag=x@b.example",
		"a@[192.0.2.1]", "SRS0=short@b.example", "srs0@b.example",
		"SRS0+HHHH=TT=a.example=alice@b.example",
		"srs0-HHHH=TT=a.example=al=ice@b.example",
		"SRS1=HHHH=no*domain==TT=a.example=alice@b.example",
		"\xc3\xa4@b.example", "\"\\\"\"@b.example",
	};
	char to[ADDRESS_TEXT_MAX + 1], plain[ADDRESS_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(senders); i++) {
		CHECK(senders[i], make_with(to, senders[i], true, &keys));
		CHECK(senders[i], check_on(to, TODAY, plain) == SRS_VALID);
		CHECK(senders[i], strcasecmp(plain, senders[i]) == 0);
	}
}

static void
test_what_cannot_be(void **state)
{
	char to[ADDRESS_TEXT_MAX + 1], text[300];
	struct address null = { .is_null = true };
	struct srs_sender sender = { &null, true };
	const struct srs_keys none = { .n = 0 };

	(void)state;
	assert_false(srs_make(to, &sender, OURS, &keys, TODAY));
	assert_string_equal(to, "");
	assert_false(make_with(to, "a@b.example", true, &none));
	snprintf(text, sizeof text, "%0200d@b.example", 0);
	assert_true(make_with(to, text, true, &keys));
	assert_int_equal(check_on(to, TODAY, NULL), SRS_VALID);
	snprintf(text, sizeof text, "%0235d@b.example", 0);
	assert_false(make_with(to, text, true, &keys));
	assert_string_equal(to, "");
}

/* ---- checking ---- */

static void
fold(char *text, bool is_upper)
{
	for (char *c = text; *c != '\0' && *c != '@'; c++)
		if (is_upper ? *c >= 'a' && *c <= 'z' :
		    *c >= 'A' && *c <= 'Z')
			*c ^= 0x20;
}

static void
test_case_and_separators(void **state)
{
	char to[ADDRESS_TEXT_MAX + 1], plain[ADDRESS_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(made); i++)
		for (int upper = 0; upper < 2; upper++) {
			strcpy(to, made[i].want);
			fold(to, upper);
			CHECK(to, check_on(to, TODAY, plain) ==
			    (made[i].is_good ? SRS_VALID :
			    SRS_UNAUTHENTICATED));
			CHECK(to, strcasecmp(plain, made[i].back) == 0);
			to[4] = '+';
			CHECK(to, check_on(to, TODAY, NULL) != SRS_WRONG);
			to[4] = '-';
			CHECK(to, check_on(to, TODAY, NULL) != SRS_WRONG);
			to[4] = '.';
			CHECK(to, check_on(to, TODAY, NULL) == SRS_NONE);
		}
}

/* A step has one address, and it is good for LIFE days from its last. */
static void
test_life(void **state)
{
	char first[ADDRESS_TEXT_MAX + 1], next[ADDRESS_TEXT_MAX + 1];
	struct address a = address("alice@a.example");
	struct srs_sender sender = { &a, true };

	(void)state;
	for (uint32_t day = 4090; day < 4090 + 2100; day++) {
		uint32_t last = day / SRS_STEP_DAYS * SRS_STEP_DAYS +
		    SRS_STEP_DAYS - 1;

		assert_true(srs_make(first, &sender, OURS, &keys, day));
		assert_true(srs_make(next, &sender, OURS, &keys, day + 1));
		assert_true((strcmp(first, next) == 0) == (day != last));
		assert_int_equal(check_on(first, day, NULL), SRS_VALID);
		assert_int_equal(check_on(first, last + LIFE, NULL),
		    SRS_VALID);
		assert_int_equal(check_on(first, last + LIFE + 1, NULL),
		    SRS_EXPIRED);
		assert_int_equal(check_on(first, day + 500, NULL),
		    SRS_EXPIRED);
		/* a clock that runs fast, and one that is wrong */
		assert_int_equal(check_on(first, last - SRS_STEP_DAYS, NULL),
		    SRS_VALID);
		assert_int_equal(check_on(first, last - SRS_STEP_DAYS - 1,
		    NULL), SRS_EXPIRED);
	}
}

static void
test_keys(void **state)
{
	char to[ADDRESS_TEXT_MAX + 1];

	(void)state;
	assert_true(make_with(to, "alice@a.example", true, &old_keys));
	assert_int_equal(check_on(to, TODAY, NULL), SRS_VALID);
	assert_true(make_with(to, "alice@a.example", true, &other_keys));
	assert_int_equal(check_on(to, TODAY, NULL), SRS_WRONG);
}

/* No octet of it may be another one, be it the last. */
static void
test_forged(void **state)
{
	char to[ADDRESS_TEXT_MAX + 1], plain[ADDRESS_TEXT_MAX + 1];
	struct address a;

	(void)state;
	for (size_t i = 0; i < N_OF(made); i++) {
		const size_t local = strcspn(made[i].want, "@");

		for (size_t at = 5; at < local; at++) {
			strcpy(to, made[i].want);
			to[at] = to[at] == 'Q' || to[at] == 'q' ? 'z' : 'q';
			if (address_parse(&a, slice_of(to),
			    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
				continue;
			CHECK(to, check_on(to, TODAY, plain) == SRS_WRONG ||
			    check_on(to, TODAY, plain) == SRS_NONE);
			CHECK_STRING(to, plain, "");
		}
	}
}

static const struct {
	const char *local;
	bool is_srs, is_chain;
	const char *domain, *rest;
} parsed[] = {
	/* as libsrs2, postsrsd and Python's SRS write them */
	{ "SRS0=kaD6=JL=a.example=alice", true, false, "a.example",
	    "alice" },
	{ "SRS1=O3UA=fwd.example==kaD6=JL=a.example=alice", true, true,
	    "fwd.example", "=kaD6=JL=a.example=alice" },
	{ "SRS0=Nkza=QS=example.com=test", true, false, "example.com",
	    "test" },
	{ "SRS0+4DaB=2D=example.com=a=b", true, false, "example.com",
	    "a=b" },
	{ "SRS1=JIBX=example.com==Nkza=QS=example.net=test", true, true,
	    "example.com", "=Nkza=QS=example.net=test" },
	{ "srs1-x=example.com=+y", true, true, "example.com", "+y" },
	{ "SRS0=", false, false, NULL, NULL },
	{ "SRS0", false, false, NULL, NULL },
	{ "SRS2=a=b=c=d", false, false, NULL, NULL },
	{ "SRS0=a=b=c", false, false, NULL, NULL },
	{ "SRS0=a=b=c=", false, false, NULL, NULL },
	{ "SRS0=a=b==d", false, false, NULL, NULL },
	{ "SRS0==b=c=d", false, false, NULL, NULL },
	{ "SRS0=a==c=d", false, false, NULL, NULL },
	{ "SRS1=a=b=c", false, false, NULL, NULL },
	{ "SRS1=a=b==", false, false, NULL, NULL },
	{ "SRS1=a==c=d", false, false, NULL, NULL },
	{ "SRS0xa=b=c=d", false, false, NULL, NULL },
	{ "alice", false, false, NULL, NULL },
};

static void
test_parse(void **state)
{
	struct srs_tag tag;

	(void)state;
	for (size_t i = 0; i < N_OF(parsed); i++) {
		CHECK(parsed[i].local, srs_parse(slice_of(parsed[i].local),
		    &tag) == parsed[i].is_srs);
		if (!parsed[i].is_srs)
			continue;
		CHECK(parsed[i].local, tag.is_chain == parsed[i].is_chain);
		CHECK(parsed[i].local, slice_equals(tag.domain,
		    slice_of(parsed[i].domain)));
		CHECK(parsed[i].local, slice_equals(tag.local,
		    slice_of(parsed[i].rest)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_what_cannot_be),
		cmocka_unit_test(test_case_and_separators),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
