/* SPDX-License-Identifier: ISC */
/*
 * test_address.c - paths, mailboxes, domains, and the forms of addresses.
 */
#include "address.h"
#include "ask.h"
#include "table.h"

_Static_assert(ADDRESS_TEXT_MAX + 1 == ASK_ADDRESS_MAX,
    "an address fits a question");

#define ALLOW_MAIL (ADDRESS_ALLOW_NULL | ADDRESS_ALLOW_LONG_LOCAL)
#define ALLOW_RCPT ADDRESS_ALLOW_POSTMASTER
#define UTF8 ADDRESS_ALLOW_UTF8

#define TEN "abcdefghij"
#define L64 TEN TEN TEN TEN TEN TEN "abcd"
#define L63 TEN TEN TEN TEN TEN TEN "abc"
#define L255 L64 L64 L64 L63
#define D250 TEN TEN TEN TEN TEN "." TEN TEN TEN TEN TEN "." TEN TEN TEN TEN \
	TEN "." TEN TEN TEN TEN TEN "." TEN TEN TEN TEN "abcdef"
#define D255 D250 ".abcd"

static const struct {
	const char *name;
	const char *input;
	size_t size;		/* 0: strlen of input */
	unsigned allow;
	enum address_result want;
	const char *text, *local, *domain, *rest;
} paths[] = {
	{ "plain", "<alice@example.org>", 0, ALLOW_RCPT, ADDRESS_OK,
	    "alice@example.org", "alice", "example.org", "" },
	{ "parameters stay", "<a@b.c> SIZE=1", 0, ALLOW_MAIL, ADDRESS_OK,
	    "a@b.c", "a", "b.c", " SIZE=1" },
	{ "domain in lower case", "<Alice@EXAMPLE.Org>", 0, 0, ADDRESS_OK,
	    "Alice@EXAMPLE.Org", "Alice", "example.org", "" },
	{ "one label", "<a@localhost>", 0, 0, ADDRESS_OK,
	    "a@localhost", "a", "localhost", "" },
	{ "digits", "<1@2.3>", 0, 0, ADDRESS_OK, "1@2.3", "1", "2.3", "" },
	{ "every atext", "<!#$%&'*+-/=?^_`{|}~@b>", 0, 0, ADDRESS_OK,
	    "!#$%&'*+-/=?^_`{|}~@b", "!#$%&'*+-/=?^_`{|}~", "b", "" },
	{ "null", "<>", 0, ALLOW_MAIL, ADDRESS_OK, "", "", "", "" },
	{ "null where not allowed", "<>", 0, ALLOW_RCPT, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "blank is not null", "< >", 0, ALLOW_MAIL, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "postmaster", "<Postmaster>", 0, ALLOW_RCPT, ADDRESS_OK,
	    "Postmaster", "postmaster", "", "" },
	{ "postmaster in capitals", "<POSTMASTER>", 0, ALLOW_RCPT, ADDRESS_OK,
	    "POSTMASTER", "postmaster", "", "" },
	{ "postmaster as sender", "<postmaster>", 0, ALLOW_MAIL,
	    ADDRESS_BAD_SYNTAX, NULL, NULL, NULL, NULL },
	{ "postmaster of a domain", "<postmaster@b.c>", 0, ALLOW_RCPT,
	    ADDRESS_OK, "postmaster@b.c", "postmaster", "b.c", "" },
	{ "bare local part", "<alice>", 0, ALLOW_RCPT, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "source route", "<@a.b,@c.d:e@f.g>", 0, 0, ADDRESS_OK,
	    "e@f.g", "e", "f.g", "" },
	{ "source route of literals", "<@[IPv6:::1],@[192.0.2.1]:e@f>", 0, 0,
	    ADDRESS_OK, "e@f", "e", "f", "" },
	{ "source route, nothing behind", "<@a.b:>", 0, ALLOW_MAIL,
	    ADDRESS_BAD_SYNTAX, NULL, NULL, NULL, NULL },
	{ "source route to postmaster", "<@a.b:postmaster>", 0, ALLOW_RCPT,
	    ADDRESS_BAD_SYNTAX, NULL, NULL, NULL, NULL },
	{ "source route, longest hop", "<@" D255 ":e@f>", 0, 0, ADDRESS_OK,
	    "e@f", "e", "f", "" },
	{ "source route without colon", "<@a.b,c@d>", 0, 0,
	    ADDRESS_BAD_SYNTAX, NULL, NULL, NULL, NULL },
	{ "source route, bad hop", "<@a$b:c@d>", 0, 0, ADDRESS_BAD_DOMAIN,
	    NULL, NULL, NULL, NULL },
	{ "source route, empty hop", "<@:c@d>", 0, 0, ADDRESS_BAD_DOMAIN,
	    NULL, NULL, NULL, NULL },
	{ "source route, comma last", "<@a.b,>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "source route, no at", "<@a.b,c:d@e>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted", "<\"a b\"@c.d>", 0, 0, ADDRESS_OK,
	    "\"a b\"@c.d", "a b", "c.d", "" },
	{ "quoted for no reason", "<\"alice\"@c.d>", 0, 0, ADDRESS_OK,
	    "\"alice\"@c.d", "alice", "c.d", "" },
	{ "quoted pairs", "<\"\\a\\\"\\\\\\ b\"@c>", 0, 0, ADDRESS_OK,
	    "\"\\a\\\"\\\\\\ b\"@c", "a\"\\ b", "c", "" },
	{ "quoted at, dots, bracket", "<\"a@b..<c>\"@d> x", 0, 0, ADDRESS_OK,
	    "\"a@b..<c>\"@d", "a@b..<c>", "d", " x" },
	{ "quoted, empty", "<\"\"@d>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted, open", "<\"a@d>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted, ends in backslash", "<\"a\\", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted and more", "<\"a\"b@d>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quote within", "<a\"b\"@d>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted control", "<\"a\tb\"@d>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted pair of a control", "<\"a\\\rb\"@d>", 0, 0,
	    ADDRESS_BAD_SYNTAX, NULL, NULL, NULL, NULL },
	{ "NUL", "<a\0b@d>", 8, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "quoted NUL", "<\"a\0b\"@d>", 10, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "NUL in the domain", "<a@d\0e>", 7, 0, ADDRESS_BAD_DOMAIN,
	    NULL, NULL, NULL, NULL },
	{ "LF", "<a\nb@d>", 0, 0, ADDRESS_BAD_SYNTAX, NULL, NULL, NULL, NULL },
	{ "DEL", "<a\177b@d>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "no brackets", "a@b.c", 0, ALLOW_MAIL, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "no closing bracket", "<a@b.c", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "no opening bracket", "a@b.c>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "another opening", "xa@b.c>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "two brackets", "<<a@b.c>>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "nothing", "", 0, ALLOW_MAIL, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "no local part", "<@b.c>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "no domain", "<a@>", 0, 0, ADDRESS_BAD_DOMAIN,
	    NULL, NULL, NULL, NULL },
	{ "two ats", "<a@b@c>", 0, 0, ADDRESS_BAD_DOMAIN,
	    NULL, NULL, NULL, NULL },
	{ "dot first", "<.a@b>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "dot last", "<a.@b>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "two dots", "<a..b@c>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "space", "<a b@c>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },
	{ "space inside the end", "<a@c >", 0, 0, ADDRESS_BAD_DOMAIN,
	    NULL, NULL, NULL, NULL },
	{ "percent hack is an atom", "<a%b@c>", 0, 0, ADDRESS_OK,
	    "a%b@c", "a%b", "c", "" },
	{ "bang path is an atom", "<h!a@c>", 0, 0, ADDRESS_OK,
	    "h!a@c", "h!a", "c", "" },
	{ "specials", "<a(b)@c>", 0, 0, ADDRESS_BAD_SYNTAX,
	    NULL, NULL, NULL, NULL },

	{ "local part of 64", "<" L64 "@b>", 0, ALLOW_RCPT, ADDRESS_OK,
	    L64 "@b", L64, "b", "" },
	{ "local part of 65", "<" L64 "x@b>", 0, ALLOW_RCPT,
	    ADDRESS_LOCAL_TOO_LONG, NULL, NULL, NULL, NULL },
	{ "sender's local part of 65", "<" L64 "x@b>", 0, ALLOW_MAIL,
	    ADDRESS_OK, L64 "x@b", L64 "x", "b", "" },
	{ "sender's local part of 255", "<" L255 "@" D255 ">", 0, ALLOW_MAIL,
	    ADDRESS_OK, L255 "@" D255, L255, D255, "" },
	{ "sender's local part of 256", "<x" L255 "@b>", 0, ALLOW_MAIL,
	    ADDRESS_LOCAL_TOO_LONG, NULL, NULL, NULL, NULL },
	{ "quoted local part of 65", "<\"" L64 "x\"@b>", 0, ALLOW_RCPT,
	    ADDRESS_LOCAL_TOO_LONG, NULL, NULL, NULL, NULL },
	{ "all too long", "<" L255 L255 L255 "@b>", 0, ALLOW_MAIL,
	    ADDRESS_TOO_LONG, NULL, NULL, NULL, NULL },

	{ "UTF-8 local part", "<j\xc3\xb6rg@b.c>", 0, UTF8, ADDRESS_OK,
	    "j\xc3\xb6rg@b.c", "j\xc3\xb6rg", "b.c", "" },
	{ "UTF-8 not allowed", "<j\xc3\xb6rg@b.c>", 0, ALLOW_RCPT,
	    ADDRESS_IS_UTF8, NULL, NULL, NULL, NULL },
	{ "UTF-8 domain not allowed", "<j@b\xc3\xbc.c>", 0, ALLOW_RCPT,
	    ADDRESS_IS_UTF8, NULL, NULL, NULL, NULL },
	{ "Latin-1", "<j\xf6rg@b.c>", 0, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },
	{ "Latin-1 where not allowed", "<j\xf6rg@b.c>", 0, 0,
	    ADDRESS_BAD_UTF8, NULL, NULL, NULL, NULL },
	{ "overlong at sign", "<a\xc1\x80" "b@c>", 0, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },
	{ "surrogate", "<\xed\xa0\x80@c>", 0, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },
	{ "C1 control", "<a\xc2\x85@c>", 0, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },
	{ "C1 control first", "<\xc2\x9f@c>", 0, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },
	{ "cut character", "<a@b\xc3>", 0, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },
	{ "UTF-8 within quotes", "<\"\xe4\xb8\xad \"@b>", 0, UTF8, ADDRESS_OK,
	    "\"\xe4\xb8\xad \"@b", "\xe4\xb8\xad ", "b", "" },
	{ "U-labels", "<a@B\xc3\x9c" "cher.example>", 0, UTF8, ADDRESS_OK,
	    "a@B\xc3\x9c" "cher.example", "a", "xn--bcher-kva.example", "" },
	{ "A-labels are not UTF-8", "<a@XN--bcher-kva.example>", 0, 0,
	    ADDRESS_OK, "a@XN--bcher-kva.example", "a",
	    "xn--bcher-kva.example", "" },
	{ "sharp s stays, non-transitional", "<a@fa\xc3\x9f.de>", 0, UTF8,
	    ADDRESS_OK, "a@fa\xc3\x9f.de", "a", "xn--fa-hia.de", "" },
	{ "ideographic full stop", "<a@b\xe3\x80\x82" "c>", 0, UTF8,
	    ADDRESS_OK, "a@b\xe3\x80\x82" "c", "a", "b.c", "" },
	{ "full-width solidus", "<a@b\xef\xbc\x8f" "c>", 0, UTF8,
	    ADDRESS_BAD_DOMAIN, NULL, NULL, NULL, NULL },
	{ "full-width at", "<a@b\xef\xbc\xa0" "c>", 0, UTF8,
	    ADDRESS_BAD_DOMAIN, NULL, NULL, NULL, NULL },
	{ "IDN with NUL", "<a@\xc3\xbc\0x>", 8, UTF8, ADDRESS_BAD_UTF8,
	    NULL, NULL, NULL, NULL },

	{ "IPv4 literal", "<a@[192.0.2.1]>", 0, 0, ADDRESS_OK,
	    "a@[192.0.2.1]", "a", "[192.0.2.1]", "" },
	{ "IPv6 literal", "<a@[IPV6:2001:DB8:0::1]>", 0, 0, ADDRESS_OK,
	    "a@[IPV6:2001:DB8:0::1]", "a", "[ipv6:2001:db8::1]", "" },
	{ "IPv6 without its tag", "<a@[2001:db8::1]>", 0, 0,
	    ADDRESS_BAD_LITERAL, NULL, NULL, NULL, NULL },
	{ "IPv6 with a zone", "<a@[IPv6:fe80::1%eth0]>", 0, 0,
	    ADDRESS_BAD_LITERAL, NULL, NULL, NULL, NULL },
	{ "literal over 255", "<a@[192.0.2.256]>", 0, 0, ADDRESS_BAD_LITERAL,
	    NULL, NULL, NULL, NULL },
	{ "literal of three numbers", "<a@[192.0.2]>", 0, 0,
	    ADDRESS_BAD_LITERAL, NULL, NULL, NULL, NULL },
	{ "literal, empty", "<a@[]>", 0, 0, ADDRESS_BAD_LITERAL,
	    NULL, NULL, NULL, NULL },
	{ "literal, open", "<a@[192.0.2.1>", 0, 0, ADDRESS_BAD_LITERAL,
	    NULL, NULL, NULL, NULL },
	{ "literal and more", "<a@[192.0.2.1]x>", 0, 0, ADDRESS_BAD_LITERAL,
	    NULL, NULL, NULL, NULL },
	{ "literal with NUL", "<a@[192.0.2.1\0]>", 16, 0, ADDRESS_BAD_LITERAL,
	    NULL, NULL, NULL, NULL },
	{ "unknown literal tag", "<a@[x400:c=de]>", 0, 0, ADDRESS_BAD_LITERAL,
	    NULL, NULL, NULL, NULL },
};

/* A failed parse leaves nothing that could be taken for an address. */
static void
check_failed(const char *name, const struct address *a)
{
	CHECK_STRING(name, a->text, "");
	CHECK_STRING(name, a->local, "");
	CHECK_STRING(name, a->domain, "");
	CHECK(name, !a->is_null && !a->is_postmaster);
}

static void
check_path(size_t i, const struct address *a, struct slice rest)
{
	const char *name = paths[i].name;

	CHECK_STRING(name, a->text, paths[i].text);
	CHECK_STRING(name, a->local, paths[i].local);
	CHECK_STRING(name, a->domain, paths[i].domain);
	CHECK(name, slice_equals(rest, slice_of(paths[i].rest)));
	CHECK(name, a->is_null == (a->text[0] == '\0'));
	CHECK(name, a->is_literal == (a->domain[0] == '['));
	CHECK(name, a->is_postmaster ==
	    (a->domain[0] == '\0' && !a->is_null));
}

/* From memory of exactly the input's size, so that reading on is noticed. */
static void
check_row(size_t i)
{
	size_t size = paths[i].size ? paths[i].size : strlen(paths[i].input);
	char *input = malloc(size ? size : 1);
	struct slice rest = { input, size };
	struct address a;

	assert_non_null(input);
	memcpy(input, paths[i].input, size);
	memset(&a, 0xee, sizeof(a));
	CHECK(paths[i].name, address_parse_path(&a, &rest,
	    paths[i].allow) == paths[i].want);
	if (paths[i].want == ADDRESS_OK) {
		check_path(i, &a, rest);
	} else {
		check_failed(paths[i].name, &a);
		CHECK(paths[i].name, rest.data == input && rest.size == size);
	}
	free(input);
}

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(paths); i++)
		check_row(i);
}

static void
test_needs_smtputf8(void **state)
{
	struct address a;

	(void)state;
	assert_int_equal(address_parse(&a, slice_of("a@b\xc3\xbc.c"), UTF8),
	    ADDRESS_OK);
	assert_true(a.needs_smtputf8);
	assert_int_equal(address_parse(&a, slice_of("a@xn--b-xga.c"), UTF8),
	    ADDRESS_OK);
	assert_false(a.needs_smtputf8);
}

static void
test_bare_local(void **state)
{
	struct address a;

	(void)state;
	assert_int_equal(address_parse(&a, SLICE("alice"),
	    ADDRESS_ALLOW_BARE_LOCAL), ADDRESS_OK);
	assert_string_equal(a.local, "alice");
	assert_string_equal(a.domain, "");
	assert_false(a.is_postmaster);
	assert_int_equal(address_parse(&a, SLICE(""),
	    ADDRESS_ALLOW_BARE_LOCAL), ADDRESS_BAD_SYNTAX);
	assert_int_equal(address_parse(&a, SLICE("alice@"),
	    ADDRESS_ALLOW_BARE_LOCAL), ADDRESS_BAD_DOMAIN);
	assert_int_equal(address_parse(&a, SLICE(" alice"),
	    ADDRESS_ALLOW_BARE_LOCAL), ADDRESS_BAD_SYNTAX);
}

static const struct {
	const char *input;
	enum address_result want;
	const char *domain;
} domains[] = {
	{ "Example.ORG", ADDRESS_OK, "example.org" },
	{ "a-b.c", ADDRESS_OK, "a-b.c" },
	{ L63 ".x", ADDRESS_OK, L63 ".x" },
	{ D255, ADDRESS_OK, D255 },
	{ D255 "x", ADDRESS_DOMAIN_TOO_LONG, "" },
	{ L64 ".x", ADDRESS_BAD_DOMAIN, "" },
	{ "", ADDRESS_BAD_DOMAIN, "" },
	{ ".", ADDRESS_BAD_DOMAIN, "" },
	{ ".a", ADDRESS_BAD_DOMAIN, "" },
	{ "a.", ADDRESS_BAD_DOMAIN, "" },
	{ "a..b", ADDRESS_BAD_DOMAIN, "" },
	{ "-a.b", ADDRESS_BAD_DOMAIN, "" },
	{ "a-.b", ADDRESS_BAD_DOMAIN, "" },
	{ "A_b._c", ADDRESS_OK, "a_b._c" },
	{ "a b", ADDRESS_BAD_DOMAIN, "" },
	{ "a/b", ADDRESS_BAD_DOMAIN, "" },
	{ "[", ADDRESS_BAD_LITERAL, "" },
	{ "[]", ADDRESS_BAD_LITERAL, "" },
	/* one label, 32 octets of U-umlaut and more: too long as A-label */
	{ "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
	  "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    ADDRESS_BAD_DOMAIN, "" },
};

static void
test_domains(void **state)
{
	char got[ADDRESS_DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(domains); i++) {
		memset(got, 'x', sizeof(got));
		CHECK(domains[i].input, address_parse_domain(got,
		    slice_of(domains[i].input), UTF8) == domains[i].want);
		CHECK_STRING(domains[i].input, got, domains[i].domain);
	}
}

static const struct {
	const char *local, *domain, *want;	/* NULL: refused */
} written[] = {
	{ "alice", "b.c", "alice@b.c" },
	{ "a.b+c", "d", "a.b+c@d" },
	{ "postmaster", "", "postmaster" },
	{ "a b", "c", "\"a b\"@c" },
	{ "a b", "", "\"a b\"" },
	{ "\"", "", "\"\\\"\"" },
	{ "a\"\\b", "c", "\"a\\\"\\\\b\"@c" },
	{ ".a", "c", "\".a\"@c" },
	{ "a.", "c", "\"a.\"@c" },
	{ "a..b", "c", "\"a..b\"@c" },
	{ "a@b", "c", "\"a@b\"@c" },
	{ "", "c", "\"\"@c" },
	{ "j\xc3\xb6rg", "c", "j\xc3\xb6rg@c" },
	{ "a\nb", "c", NULL },
	{ "a\177", "c", NULL },
	{ "j\xf6rg", "c", NULL },
	{ "a", "b\r\nc", NULL },
};

static void
test_write(void **state)
{
	char got[64];

	(void)state;
	for (size_t i = 0; i < N_OF(written); i++) {
		const char *want = written[i].want ? written[i].want : "";

		CHECK(written[i].local, address_write(got, sizeof(got),
		    slice_of(written[i].local), slice_of(written[i].domain))
		    == (written[i].want != NULL));
		CHECK_STRING(written[i].local, got, want);
		/* each smaller room is noticed */
		for (size_t room = 1; room <= strlen(want); room++) {
			char *tight = malloc(room);

			assert_non_null(tight);
			assert_false(address_write(tight, room,
			    slice_of(written[i].local),
			    slice_of(written[i].domain)));
			assert_string_equal(tight, "");
			free(tight);
		}
	}
}

static const struct {
	const char *local, *separators;
	bool want;
	const char *user, *tag;
} plus[] = {
	{ "alice+x", "+", true, "alice", "x" },
	{ "alice+x+y", "+", true, "alice", "x+y" },
	{ "alice-x+y", "+-", true, "alice", "x+y" },
	{ "alice+", "+", true, "alice", "" },
	{ "alice", "+", false, "alice", "" },
	{ "+x", "+", false, "+x", "" },
	{ "++x", "+", true, "+", "x" },
	{ "alice+x", "", false, "alice+x", "" },
	{ "", "+", false, "", "" },
};

static bool
is_same(struct slice got, const char *want)
{
	return slice_equals(got, slice_of(want));
}

static void
test_plus(void **state)
{
	struct slice user, tag;

	(void)state;
	for (size_t i = 0; i < N_OF(plus); i++) {
		CHECK(plus[i].local, address_split_plus(
		    slice_of(plus[i].local), plus[i].separators, &user,
		    &tag) == plus[i].want);
		CHECK(plus[i].local, is_same(user, plus[i].user));
		CHECK(plus[i].local, is_same(tag, plus[i].tag));
	}
}

static const struct {
	const char *local, *want;
} tagged[] = {
	{ "alice", "alice" },
	{ "prvs=0123abcdef=alice", "alice" },
	{ "PRVS=0123ABCDEF=alice", "alice" },
	{ "prvs=1234abba0=user", "user" },
	{ "prvs=alice=0123abcdef", "alice" },
	{ "prvs=a=b=0123abcdef", "a=b" },
	{ "prvs=0123abcdef=a=b", "a=b" },
	{ "prvs=0123abcdef=", "prvs=0123abcdef=" },
	{ "prvs==0123abcdef", "prvs==0123abcdef" },
	{ "prvs=0123abcdef", "prvs=0123abcdef" },
	{ "prvs=alice=bob", "prvs=alice=bob" },
	{ "prvs=", "prvs=" },
	{ "prvs=0123abcdeg=alice", "prvs=0123abcdeg=alice" },
	{ "btv1==123456789==alice", "alice" },
	{ "btv1==123456789=alice", "btv1==123456789=alice" },
	{ "btv1==123456789==", "btv1==123456789==" },
	{ "btv1====alice", "btv1====alice" },
	{ "SRS0=HHH=TT=example.org=alice", "example.org=alice" },
	{ "srs0+HHH=TT=example.org=alice", "example.org=alice" },
	{ "SRS0-HHH=TT=example.org=alice", "example.org=alice" },
	{ "SRS0=HHH=TT", "SRS0=HHH=TT" },
	{ "SRS0", "SRS0" },
	{ "SRS0x=HHH=TT=e=a", "SRS0x=HHH=TT=e=a" },
	{ "SRS1=GGG=fwd.example==HHH=TT=example.org=alice",
	    "example.org=alice" },
	{ "SRS1=GGG=fwd.example=+HHH=TT=example.org=alice",
	    "example.org=alice" },
	{ "SRS1=GGG=fwd.example=-HHH=TT=example.org=alice",
	    "example.org=alice" },
	{ "SRS1=GGG=fwd.example=HHH=TT=example.org=alice",
	    "SRS1=GGG=fwd.example=HHH=TT=example.org=alice" },
	{ "list-owner+bob=example.org", "list-owner" },
	{ "list+a+bob=example.org", "list" },
	{ "a+b=c", "a" },
	{ "alice+tag", "alice+tag" },
	{ "alice+=x", "alice+=x" },
	{ "alice+x=", "alice+x=" },
	{ "+bob=example.org", "+bob=example.org" },
	{ "prvs=0123abcdef=list+bob=example.org", "list" },
	{ "prvs=0123abcdef=prvs=0124abcdef=alice", "alice" },
	{ "", "" },
};

static void
test_strip_tags(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(tagged); i++) {
		struct slice got = address_strip_tags(
		    slice_of(tagged[i].local));

		CHECK(tagged[i].local, is_same(got, tagged[i].want));
	}
}

static const struct {
	const char *path, *want;
} keys[] = {
	{ "<>", "" },
	{ "<prvs=0123abcdef=Alice@EXAMPLE.org>", "Alice@example.org" },
	{ "<\"Alice\"@EXAMPLE.org>", "Alice@example.org" },
	{ "<\"a b\"@c>", "a b@c" },
	{ "<a@[192.0.2.1]>", "a@[192.0.2.1]" },
};

static void
test_write_key(void **state)
{
	char got[ADDRESS_TEXT_MAX + 1];
	struct address a;

	(void)state;
	for (size_t i = 0; i < N_OF(keys); i++) {
		struct slice path = slice_of(keys[i].path);

		assert_int_equal(address_parse_path(&a, &path, ALLOW_MAIL),
		    ADDRESS_OK);
		address_write_key(got, &a);
		assert_string_equal(got, keys[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_needs_smtputf8),
		cmocka_unit_test(test_bare_local),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_plus),
		cmocka_unit_test(test_strip_tags),
		cmocka_unit_test(test_write_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
