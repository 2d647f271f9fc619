/* SPDX-License-Identifier: ISC */
/*
 * test_sasl.c - base64, PLAIN's response, SCRAM's keys, names of accounts.
 */
#include <crypt.h>
#include <errno.h>
#include "account.h"
#include "base64.h"
#include "sasl.h"
#include "table.h"

/* ---- base64 (RFC 4648 10, and what is none) ---- */

#define OCTETS(text) { text, sizeof(text) - 1 }

static const struct {
	struct slice octets;
	const char *text;
} pairs[] = {
	{ OCTETS(""), "" },
	{ OCTETS("f"), "Zg==" },
	{ OCTETS("fo"), "Zm8=" },
	{ OCTETS("foo"), "Zm9v" },
	{ OCTETS("foob"), "Zm9vYg==" },
	{ OCTETS("fooba"), "Zm9vYmE=" },
	{ OCTETS("foobar"), "Zm9vYmFy" },
	{ OCTETS("\0\0\0"), "AAAA" },
	{ OCTETS("\0alice\0secret"), "AGFsaWNlAHNlY3JldA==" },
	{ OCTETS("\xff\xfe\xfd\xfb\xf0"), "//79+/A=" },
};

static const char *const not_base64[] = { "=", "Z", "Zg", "Zg=", "Zg===",
	"Zh==", "Zm9=", "=Zg=", "Z===", "====", "Zg==Zg==", "Zm9v\n",
	"Zm9v Zm9v", "Zm9-", "Zm9_", "Zm9\x80", "Zg=a" };

static void
test_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(pairs); i++) {
		struct buf text = { 0 }, octets = { 0 };

		assert_int_equal(base64_encode(&text, pairs[i].octets), 0);
		CHECK_STRING(pairs[i].text, text.size ? text.data : "",
		    pairs[i].text);
		assert_int_equal(base64_decode(&octets,
		    slice_of(pairs[i].text)), 0);
		CHECK(pairs[i].text, slice_equals(buf_slice(&octets),
		    pairs[i].octets));
		buf_free(&text);
		buf_free(&octets);
	}
	for (size_t i = 0; i < N_OF(not_base64); i++) {
		struct buf octets = { 0 };

		CHECK(not_base64[i], base64_decode(&octets,
		    slice_of(not_base64[i])) == -EBADMSG);
		buf_free(&octets);
	}
}

static void
test_base64_within_bounds(void **state)
{
	struct buf octets = { .maximum = 4 };

	(void)state;
	assert_int_equal(base64_decode(&octets, SLICE("Zm9vYmFy")),
	    -ENOBUFS);
	buf_free(&octets);
	assert_int_equal(base64_decode(&octets, slice_of("Zm9v\0aaaa")), 0);
	buf_free(&octets);
	assert_int_equal(base64_decode(&octets, SLICE("Zm9\0")), -EBADMSG);
	buf_free(&octets);
}

/* ---- mechanisms ---- */

static void
test_names(void **state)
{
	enum auth_mechanism mechanism;

	(void)state;
	for (unsigned i = 0; i < AUTH_MECHANISM_COUNT; i++) {
		assert_true(sasl_find(slice_of(sasl_name(i)), &mechanism));
		assert_int_equal(mechanism, i);
	}
	assert_true(sasl_find(SLICE("scram-sha-256"), &mechanism));
	assert_false(sasl_find(SLICE("SCRAM-SHA-256-PLUS"), &mechanism));
	assert_false(sasl_find(SLICE(""), &mechanism));
}

/* ---- PLAIN ---- */

static const struct {
	struct slice response;
	const char *name, *password;	/* NULL: refused */
} plains[] = {
	{ OCTETS("\0alice\0secret"), "alice", "secret" },
	{ OCTETS("alice\0alice\0secret"), "alice", "secret" },
	{ OCTETS("\0a\0 b "), "a", " b " },
	{ OCTETS("\0\xc3\xa9\0\xff\xfe"), "\xc3\xa9", "\xff\xfe" },
	{ OCTETS("bob\0alice\0secret"), NULL, NULL },
	{ OCTETS("Alice\0alice\0secret"), NULL, NULL },
	{ OCTETS("alice\0secret"), NULL, NULL },
	{ OCTETS("\0alice\0secret\0"), NULL, NULL },
	{ OCTETS("\0alice\0"), NULL, NULL },
	{ OCTETS("\0\0secret"), NULL, NULL },
	{ OCTETS("\0\0"), NULL, NULL },
	{ OCTETS(""), NULL, NULL },
	{ OCTETS("\0ali\nce\0secret"), NULL, NULL },
	{ OCTETS("\0\xff\0secret"), NULL, NULL },
};

static void
test_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(plains); i++) {
		struct sasl_credentials c;
		bool is_good = sasl_parse_plain(plains[i].response, &c);

		if (is_good != (plains[i].name != NULL))
			fail_msg("row %zu", i);
		if (!is_good)
			continue;
		assert_true(slice_equals(c.name, slice_of(plains[i].name)));
		assert_true(slice_equals(c.password,
		    slice_of(plains[i].password)));
	}
}

static void
test_long_ones(void **state)
{
	static char response[SASL_NAME_MAX + SASL_PASSWORD_MAX + 4];
	struct sasl_credentials c;
	size_t size = 2 + SASL_NAME_MAX + SASL_PASSWORD_MAX;

	(void)state;
	memset(response, 'x', sizeof(response));
	response[0] = response[1 + SASL_NAME_MAX] = '\0';
	assert_true(sasl_parse_plain((struct slice){ response, size }, &c));
	assert_false(sasl_parse_plain((struct slice){ response, size + 1 },
	    &c));
	response[1 + SASL_NAME_MAX] = 'x';
	response[2 + SASL_NAME_MAX] = '\0';
	assert_false(sasl_parse_plain((struct slice){ response, size }, &c));
}

/* ---- stored passwords ---- */

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SCRAM "{SCRAM-SHA-256}"

static const struct {
	const char *text;
	enum password_kind kind;
} words[] = {
	{ "$6$salt$hash", PASSWORD_CRYPT },
	{ "$y$j9T$salt$hash", PASSWORD_CRYPT },
	{ "$2b$12$xxxxxxxx", PASSWORD_CRYPT },
	{ "$2y$05$xxxxxxxx", PASSWORD_CRYPT },
	{ "$7$CU..../....x$y", PASSWORD_CRYPT },
	{ "$1$salt$hash", PASSWORD_WEAK },
	{ "$5$salt$hash", PASSWORD_WEAK },
	{ "$md5$salt$hash", PASSWORD_WEAK },
	{ "!", PASSWORD_LOCKED },
	{ "*", PASSWORD_LOCKED },
	{ "!$6$salt$hash", PASSWORD_LOCKED },
	{ SCRAM "4096,c2FsdA==," KEY "," KEY, PASSWORD_SCRAM },
	{ "{scram-sha-256}4096,c2FsdA==," KEY "," KEY, PASSWORD_SCRAM },
	{ SCRAM "4095,c2FsdA==," KEY "," KEY, PASSWORD_MALFORMED },
	{ SCRAM "1000001,c2FsdA==," KEY "," KEY, PASSWORD_MALFORMED },
	{ SCRAM "4096,," KEY "," KEY, PASSWORD_MALFORMED },
	{ SCRAM "4096,c2FsdA==," KEY, PASSWORD_MALFORMED },
	{ SCRAM "4096,c2FsdA==," KEY "," KEY "," KEY, PASSWORD_MALFORMED },
	{ SCRAM "4096,c2FsdA==,c2FsdA==," KEY, PASSWORD_MALFORMED },
	{ SCRAM "x,c2FsdA==," KEY "," KEY, PASSWORD_MALFORMED },
	{ "{SCRAM-SHA-1}4096,c2FsdA==," KEY "," KEY, PASSWORD_MALFORMED },
	{ "{PLAIN}secret", PASSWORD_MALFORMED },
	{ "secret", PASSWORD_MALFORMED },
	{ "", PASSWORD_MALFORMED },
	{ "$", PASSWORD_MALFORMED },
	{ "$6$", PASSWORD_MALFORMED },
	{ "$$x$y", PASSWORD_MALFORMED },
	{ "$6$sa lt$hash", PASSWORD_MALFORMED },
	{ "$6$sa:lt$hash", PASSWORD_MALFORMED },
	{ "xxWZb7qVjQmYU", PASSWORD_MALFORMED },	/* DES */
};

static void
test_password_kinds(void **state)
{
	static char text[PASSWORD_TEXT_MAX + 2] = "$6$";

	(void)state;
	for (size_t i = 0; i < N_OF(words); i++)
		CHECK(words[i].text, password_kind_of(slice_of(
		    words[i].text)) == words[i].kind);
	memset(text + 3, 'x', sizeof(text) - 3);
	text[5] = '$';
	assert_int_equal(password_kind_of((struct slice){ text,
	    PASSWORD_TEXT_MAX }), PASSWORD_CRYPT);
	assert_int_equal(password_kind_of((struct slice){ text,
	    PASSWORD_TEXT_MAX + 1 }), PASSWORD_MALFORMED);
}

/* As libcrypt writes them, and each without one of its characters. */
static void
test_whole_passwords(void **state)
{
	static const char *const prefixes[] = { "$y$", "$gy$", "$7$", "$2b$",
		"$2y$", "$2a$", "$6$" };
	static const char *const settings[] = { "$y$j9T$$", "$6$$",
		"$6$rounds=1000$salt$" };
	struct crypt_data data = { .initialized = 0 };
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	(void)state;
	for (size_t i = 0; i < N_OF(prefixes) + N_OF(settings); i++) {
		bool is_made = i < N_OF(prefixes);
		const char *with = is_made ? setting :
		    settings[i - N_OF(prefixes)];
		char *hash;

		if (is_made)
			assert_non_null(crypt_gensalt_rn(prefixes[i],
			    strcmp(prefixes[i], "$6$") == 0 ? 1000 :
			    prefixes[i][1] == '2' ? 4 :
			    prefixes[i][1] == '7' ? 6 : 1,
			    NULL, 0, setting, sizeof setting));
		hash = crypt_r("x", with, &data);
		CHECK(with, hash[0] == '$');
		CHECK(hash, password_is_whole(slice_of(hash)));
		for (size_t n = strlen(hash) - 1; n > 0; n--)
			CHECK(hash, !password_is_whole((struct slice){ hash,
			    n }));
		strcat(hash, "x");
		CHECK(hash, !password_is_whole(slice_of(hash)));
		hash[strlen(hash) - 1] = '\0';
		hash[strlen(hash) - 3] = '!';
		CHECK(hash, !password_is_whole(slice_of(hash)));
	}
	assert_false(password_is_whole(SLICE("$2b$99$aaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
	assert_false(password_is_whole(SLICE("$x$foo$bar")));
	assert_false(password_is_whole(SLICE("!")));
}

static void
test_scram_fields(void **state)
{
	struct sasl_scram keys;

	(void)state;
	assert_true(sasl_parse_scram(SLICE(SCRAM "5000,c2FsdA==," KEY ","
	    KEY), &keys));
	assert_int_equal(keys.iterations, 5000);
	assert_int_equal(keys.salt_size, 4);
	assert_memory_equal(keys.salt, "salt", 4);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(keys.stored_key[i], i);
}

/* ---- names ---- */

static const char config_text[] =
    "hostname = \"mx.example.org\"\norigin = \"example.org\"\n"
    "postmaster = \"alice@example.org\"\nstate_dir = \"/x\"\n"
    "listen \"127.0.0.1:25\" { role = mx }\n"
    "domain \"example.org\" { users = \"table:/x/users\" "
    "mailbox = \"/x/%u\" owner = \"vmail\" "
    "same_as = { \"example.net\" } }\n"
    "domain \"cases.example\" { users = \"table:/x/cases\" "
    "mailbox = \"/x/%u\" owner = \"vmail\" case = exact }\n"
    "domain \"system.example\" { users = \"passwd\" "
    "mailbox = \"~/Maildir\" }\n";

static const struct {
	const char *name;
	const char *key, *user, *address;	/* user NULL: nobody's */
} logins[] = {
	{ "alice", "alice@example.org", "alice@example.org",
	    "alice@example.org" },
	{ "Alice", "alice@example.org", "Alice@example.org",
	    "Alice@example.org" },
	{ "ALICE@EXAMPLE.ORG", "alice@example.org", "ALICE@example.org",
	    "ALICE@example.org" },
	{ "alice@example.net", "alice@example.org", "alice@example.org",
	    "alice@example.org" },
	{ "Bob@cases.example", "Bob@cases.example", "Bob@cases.example",
	    "Bob@cases.example" },
	{ "PostMaster@cases.example", "postmaster@cases.example",
	    "PostMaster@cases.example", "PostMaster@cases.example" },
	{ "Carl@system.example", "carl", "Carl", "Carl@example.org" },
	{ "\"a,b\"@example.org", "a,b@example.org", "a,b@example.org",
	    "\"a,b\"@example.org" },
	{ "alice@elsewhere.example", "alice@elsewhere.example", NULL, NULL },
	{ "alice@", "alice@", NULL, NULL },
	{ "@example.org", "@example.org", NULL, NULL },
	{ "a@b@example.org", "a@b@example.org", NULL, NULL },
	{ "", "", NULL, NULL },
	{ "a\nb", "", NULL, NULL },
};

static void
test_accounts(void **state)
{
	struct config_problems problems;
	struct config *config = config_parse(SLICE(config_text), &problems);
	struct account a;

	(void)state;
	for (size_t i = 0; i < problems.n; i++)
		if (!problems.items[i].is_warning)
			print_message("%s\n", problems.items[i].text);
	assert_non_null(config);
	for (size_t i = 0; i < N_OF(logins); i++) {
		bool is_one = account_of_login(&a, config,
		    slice_of(logins[i].name));

		CHECK(logins[i].name, is_one == (logins[i].user != NULL));
		CHECK_STRING(logins[i].name, a.key, logins[i].key);
		CHECK_STRING(logins[i].name, a.user,
		    is_one ? logins[i].user : "");
		CHECK_STRING(logins[i].name, a.address,
		    is_one ? logins[i].address : "");
	}
	assert_true(account_of_system(&a, config, SLICE("www-data")));
	assert_string_equal(a.user, "www-data");
	assert_string_equal(a.address, "www-data@example.org");
	assert_false(account_of_system(&a, config, SLICE("a@b")));
	config_problems_free(&problems);
	config_free(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_within_bounds),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_long_ones),
		cmocka_unit_test(test_password_kinds),
		cmocka_unit_test(test_whole_passwords),
		cmocka_unit_test(test_scram_fields),
		cmocka_unit_test(test_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
