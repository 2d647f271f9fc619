/* SPDX-License-Identifier: ISC */
/*
 * test_rdata.c - DNS messages into answers, as they should be and as
 * whoever owns a zone might make them.
 *
 * Each row is the part of a message behind its header; the question is
 * always a.b at octet 12, so c0 0c is its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "../../resolver/rdata.h"

#define QUESTION "\1a\1b\0\0\1\0\1"
#define OWNER "\xc0\x0c"
#define IN_(type) "\0" type "\0\1\0\0\0\x3c"
#define A IN_("\1")
#define CNAME IN_("\5")
#define PTR IN_("\x0c")
#define MX IN_("\x0f")
#define TXT IN_("\x10")
#define AAAA IN_("\x1c")
#define TLSA IN_("\x34")
#define OCTETS(s) s, sizeof(s) - 1

struct row {
	const char *name;
	enum dns_type type;
	unsigned n_answers;
	const char *text;
	size_t size;
	enum dns_status status;
	size_t n_records;
	const char *first;
	size_t first_size;
};

static const struct row rows[] = {
	{ "A", DNS_A, 1, OCTETS(OWNER A "\0\4\1\2\3\4"), DNS_OK, 1,
	    OCTETS("\1\2\3\4") },
	{ "two, the name written out", DNS_A, 2, OCTETS("\1A\1B\0" A
	    "\0\4\1\2\3\4" OWNER A "\0\4\5\6\7\x08"), DNS_OK, 2,
	    OCTETS("\1\2\3\4") },
	{ "nothing", DNS_A, 0, OCTETS(""), DNS_NO_DATA, 0, OCTETS("") },
	{ "A too short", DNS_A, 1, OCTETS(OWNER A "\0\3\1\2\3"), DNS_FAILED,
	    0, OCTETS("") },
	{ "one good, one bad", DNS_A, 2, OCTETS(OWNER A "\0\4\1\2\3\4"
	    OWNER A "\0\5\1\2\3\4\5"), DNS_FAILED, 0, OCTETS("") },
	{ "AAAA", DNS_AAAA, 1, OCTETS(OWNER AAAA "\0\x10" "0123456789abcdef"),
	    DNS_OK, 1, OCTETS("0123456789abcdef") },
	{ "AAAA with four octets", DNS_AAAA, 1, OCTETS(OWNER AAAA
	    "\0\4\1\2\3\4"), DNS_FAILED, 0, OCTETS("") },
	{ "another type", DNS_MX, 1, OCTETS(OWNER A "\0\4\1\2\3\4"),
	    DNS_NO_DATA, 0, OCTETS("") },
	{ "another class", DNS_A, 1, OCTETS(OWNER "\0\1\0\3\0\0\0\x3c"
	    "\0\4\1\2\3\4"), DNS_NO_DATA, 0, OCTETS("") },
	{ "another owner", DNS_A, 1, OCTETS("\1x\1b\0" A "\0\4\1\2\3\4"),
	    DNS_NO_DATA, 0, OCTETS("") },
	{ "MX", DNS_MX, 1, OCTETS(OWNER MX "\0\7\1\2\2Mx" OWNER), DNS_OK, 1,
	    OCTETS("\1\2mx.a.b") },
	{ "null MX", DNS_MX, 1, OCTETS(OWNER MX "\0\3\0\0\0"), DNS_OK, 1,
	    OCTETS("\0\0") },
	{ "MX with something behind it", DNS_MX, 1, OCTETS(OWNER MX
	    "\0\4\0\0\0x"), DNS_FAILED, 0, OCTETS("") },
	{ "MX that reaches out of its data", DNS_MX, 1, OCTETS(OWNER MX
	    "\0\4\0\0\5x" "aaaaaaaaaa"), DNS_FAILED, 0, OCTETS("") },
	{ "MX with a dot in a label", DNS_MX, 2, OCTETS(OWNER MX
	    "\0\7\0\1\3m.x\0" OWNER MX "\0\5\0\1\1m\0"), DNS_OK, 1,
	    OCTETS("\0\1m") },
	{ "MX of which none is a name", DNS_MX, 1, OCTETS(OWNER MX
	    "\0\5\0\1\1\0\0"), DNS_NO_DATA, 0, OCTETS("") },
	{ "PTR", DNS_PTR, 1, OCTETS(OWNER PTR "\0\4\1q" OWNER), DNS_OK, 1,
	    OCTETS("q.a.b") },
	{ "PTR to itself", DNS_PTR, 1, OCTETS(OWNER PTR "\0\2\xc0\x21"),
	    DNS_FAILED, 0, OCTETS("") },
	{ "PTR that points forward", DNS_PTR, 1, OCTETS(OWNER PTR
	    "\0\2\xc0\x30"), DNS_FAILED, 0, OCTETS("") },
	{ "PTR with an unknown kind of label", DNS_PTR, 1, OCTETS(OWNER PTR
	    "\0\3\x41" "a\0"), DNS_FAILED, 0, OCTETS("") },
	{ "TXT joined", DNS_TXT, 1, OCTETS(OWNER TXT "\0\x08\3v=s\0\2pf"),
	    DNS_OK, 1, OCTETS("v=spf") },
	{ "TXT without a string", DNS_TXT, 1, OCTETS(OWNER TXT "\0\0"),
	    DNS_FAILED, 0, OCTETS("") },
	{ "empty TXT", DNS_TXT, 1, OCTETS(OWNER TXT "\0\1\0"), DNS_OK, 1,
	    OCTETS("") },
	{ "TXT torn", DNS_TXT, 1, OCTETS(OWNER TXT "\0\3\3ab"), DNS_FAILED, 0,
	    OCTETS("") },
	{ "TLSA", DNS_TLSA, 1, OCTETS(OWNER TLSA "\0\5\3\1\1ab"), DNS_OK, 1,
	    OCTETS("\3\1\1ab") },
	{ "TLSA without data", DNS_TLSA, 1, OCTETS(OWNER TLSA "\0\3\3\1\1"),
	    DNS_FAILED, 0, OCTETS("") },
	{ "CNAME, and its target first", DNS_A, 3, OCTETS("\1c\0" A
	    "\0\4\1\2\3\4" OWNER CNAME "\0\3\1d\0" "\1d\0" CNAME
	    "\0\3\1C\0"), DNS_OK, 1, OCTETS("\1\2\3\4") },
	{ "CNAME, and another's record", DNS_A, 2, OCTETS(OWNER CNAME
	    "\0\3\1c\0" OWNER A "\0\4\1\2\3\4"), DNS_NO_DATA, 0,
	    OCTETS("") },
	{ "CNAME to itself", DNS_A, 1, OCTETS(OWNER CNAME "\0\2" OWNER),
	    DNS_NO_DATA, 0, OCTETS("") },
	{ "the CNAME itself", DNS_CNAME, 2, OCTETS(OWNER CNAME "\0\3\1c\0"
	    "\1c\0" CNAME "\0\3\1D\0"), DNS_OK, 1, OCTETS("c") },
	{ "no CNAME", DNS_CNAME, 1, OCTETS(OWNER A "\0\4\1\2\3\4"),
	    DNS_NO_DATA, 0, OCTETS("") },
	{ "fewer records than said", DNS_A, 2, OCTETS(OWNER A
	    "\0\4\1\2\3\4"), DNS_FAILED, 0, OCTETS("") },
	{ "data longer than the message", DNS_A, 1, OCTETS(OWNER A
	    "\xff\xff\1\2\3\4"), DNS_FAILED, 0, OCTETS("") },
};

/* A message in memory of just its size, so that a sanitizer sees its end. */
static struct slice
message(unsigned rcode, unsigned n_answers, const char *text, size_t size)
{
	static const char question[] = QUESTION;
	size_t whole = 12 + sizeof question - 1 + size;
	char *octets = calloc(1, whole);

	octets[2] = (char)0x81;
	octets[3] = (char)rcode;
	octets[5] = 1;
	octets[6] = (char)(n_answers >> 8);
	octets[7] = (char)n_answers;
	memcpy(octets + 12, question, sizeof question - 1);
	memcpy(octets + 12 + sizeof question - 1, text, size);
	return (struct slice){ octets, whole };
}

static void
release(struct slice packet)
{
	free((void *)(uintptr_t)packet.data);
}

static void
test_rows(void **state)
{
	static struct rdata data;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct slice packet = message(0, row->n_answers, row->text,
		    row->size);

		print_message("%s\n", row->name);
		rdata_read(&data, row->type, packet);
		assert_int_equal(data.answer.status, row->status);
		assert_int_equal(data.answer.n_records, row->n_records);
		if (row->status == DNS_FAILED)
			assert_int_equal(data.answer.ttl_s, 0);
		if (row->n_records > 0) {
			assert_int_equal(data.answer.records[0].data.size,
			    row->first_size);
			assert_memory_equal(data.answer.records[0].data.data,
			    row->first, row->first_size);
			assert_int_equal(data.answer.ttl_s, 60);
		}
		release(packet);
	}
}

/* Where the chain of CNAMEs led, records or not. */
static void
test_canonical(void **state)
{
	static struct rdata data;
	static const struct {
		enum dns_type type;
		unsigned n;
		const char *text;
		size_t size;
		const char *want;
	} chains[] = {
		{ DNS_A, 1, OCTETS(OWNER A "\0\4\1\2\3\4"), "" },
		{ DNS_A, 3, OCTETS(OWNER CNAME "\0\3\1D\0" "\1d\0" CNAME
		    "\0\3\1C\0" "\1c\0" A "\0\4\1\2\3\4"), "c" },
		{ DNS_AAAA, 1, OCTETS(OWNER CNAME "\0\3\1C\0"), "c" },
		{ DNS_CNAME, 1, OCTETS(OWNER CNAME "\0\3\1C\0"), "" },
		{ DNS_A, 1, OCTETS(OWNER CNAME "\0\1\0"), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
		struct slice packet = message(0, chains[i].n, chains[i].text,
		    chains[i].size);

		rdata_read(&data, chains[i].type, packet);
		if (!slice_equals(data.answer.canonical,
		    slice_of(chains[i].want)))
			fail_msg("chain %zu", i);
		release(packet);
	}
}

/* However it is cut short, it is no answer; as a whole it is one. */
static void
test_cut_short(void **state)
{
	static struct rdata data;
	struct slice packet = message(0, 1, OCTETS(OWNER MX
	    "\0\7\1\2\2Mx" OWNER));

	(void)state;
	for (size_t size = 0; size < packet.size; size++) {
		char *part = malloc(size + !size);

		memcpy(part, packet.data, size);
		rdata_read(&data, DNS_MX, (struct slice){ part, size });
		assert_int_equal(data.answer.status, DNS_FAILED);
		assert_false(rdata_has_type((struct slice){ part, size }, 15));
		free(part);
	}
	rdata_read(&data, DNS_MX, packet);
	assert_int_equal(data.answer.status, DNS_OK);
	assert_true(rdata_has_type(packet, 15));
	assert_false(rdata_has_type(packet, 46));
	release(packet);
}

static void
test_codes(void **state)
{
	static struct rdata data;
	static const struct { unsigned rcode; enum dns_status want; } codes[] =
	    { { 0, DNS_OK }, { 1, DNS_FAILED }, { 2, DNS_FAILED },
	    { 3, DNS_NO_NAME }, { 5, DNS_FAILED }, { 15, DNS_FAILED } };

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct slice packet = message(codes[i].rcode, 1,
		    OCTETS(OWNER A "\0\4\1\2\3\4"));

		rdata_read(&data, DNS_A, packet);
		assert_int_equal(data.answer.status, codes[i].want);
		assert_int_equal(data.answer.n_records,
		    codes[i].want == DNS_OK);
		release(packet);
	}
}

/* A query is no answer, and one question is asked. */
static void
test_headers(void **state)
{
	static struct rdata data;
	char octets[64];
	struct slice packet = message(0, 1, OCTETS(OWNER A "\0\4\1\2\3\4"));
	struct slice copy = { octets, packet.size };

	(void)state;
	memcpy(octets, packet.data, packet.size);
	octets[2] = 1;
	rdata_read(&data, DNS_A, copy);
	assert_int_equal(data.answer.status, DNS_FAILED);
	octets[2] = packet.data[2];
	octets[5] = 2;
	rdata_read(&data, DNS_A, copy);
	assert_int_equal(data.answer.status, DNS_FAILED);
	octets[5] = 1;
	rdata_read(&data, DNS_A, copy);
	assert_int_equal(data.answer.status, DNS_OK);
	release(packet);
}

static void
test_too_many(void **state)
{
	static struct rdata data;
	static const char one[] = OWNER A "\0\4\1\2\3\4";
	size_t size = sizeof one - 1;
	char *text = malloc(200 * size);
	struct slice packet;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		memcpy(text + i * size, one, size);
	packet = message(0, 200, text, 200 * size);
	rdata_read(&data, DNS_A, packet);
	assert_int_equal(data.answer.status, DNS_OK);
	assert_int_equal(data.answer.n_records, DNS_RECORDS_MAX);
	assert_true(data.answer.is_cut);
	release(packet);
	free(text);
}

/* TXT records that do not fit: the small one behind them does. */
static void
test_too_large(void **state)
{
	static struct rdata data;
	static char text[80000];
	static const char small[] = OWNER TXT "\0\2\1x";
	size_t at = 0, data_size = 40 * 256;
	struct slice packet;

	(void)state;
	memcpy(text, OWNER TXT, 10);
	text[10] = (char)(data_size >> 8);
	text[11] = (char)data_size;
	for (at = 12; at < 12 + data_size; at += 256) {
		text[at] = (char)255;
		memset(text + at + 1, 'x', 255);
	}
	packet = message(0, 1, text, at);
	rdata_read(&data, DNS_TXT, packet);
	assert_int_equal(data.answer.status, DNS_FAILED);
	assert_int_equal(data.answer.n_records, 0);
	release(packet);
	memcpy(text + at, small, sizeof small - 1);
	packet = message(0, 2, text, at + sizeof small - 1);
	rdata_read(&data, DNS_TXT, packet);
	assert_int_equal(data.answer.status, DNS_OK);
	assert_int_equal(data.answer.n_records, 1);
	assert_true(data.answer.is_cut);
	release(packet);
}

/*
 * Labels of 60 octets, each of which goes on at the one before: the third
 * is a name of 187 octets, the eighth would be one of 492.
 */
static void
test_long_names(void **state)
{
	static const struct { size_t which; enum dns_status want; } names[] =
	    { { 2, DNS_OK }, { 3, DNS_OK }, { 4, DNS_FAILED },
	    { 7, DNS_FAILED } };
	static struct rdata data;
	char text[600] = OWNER IN_("\x63");
	size_t at = 12, where[8];
	struct slice packet;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		size_t previous = i > 0 ? where[i - 1] : 12;

		where[i] = 12 + sizeof QUESTION - 1 + at;
		text[at++] = 60;
		memset(text + at, 'x', 60);
		at += 60;
		text[at++] = (char)(0xc0 | previous >> 8);
		text[at++] = (char)previous;
	}
	text[10] = (char)((at - 12) >> 8);
	text[11] = (char)(at - 12);
	memcpy(text + at, OWNER PTR "\0\2", 12);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t to = where[names[i].which];

		text[at + 12] = (char)(0xc0 | to >> 8);
		text[at + 13] = (char)to;
		packet = message(0, 2, text, at + 14);
		rdata_read(&data, DNS_PTR, packet);
		assert_int_equal(data.answer.status, names[i].want);
		if (names[i].want == DNS_OK)
			assert_int_equal(data.answer.records[0].data.size,
			    61 * (names[i].which + 1) + 3);
		release(packet);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
