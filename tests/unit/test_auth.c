/* SPDX-License-Identifier: ISC */
/*
 * test_auth.c - the table of passwords, exchanges of each mechanism with a
 * client of libgsasl at the other end, guesses, and Dovecot's lines.
 */
#include <arpa/inet.h>
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <gsasl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../auth/dovecot_line.h"
#include "../../auth/exchange.h"
#include "../../auth/scram.h"
#include "../../auth/verify.h"
#include "base64.h"
#include "clock.h"
#include "log.h"
#include "table.h"

#define HOUR_US 3600000000ll

static char folder[] = "/tmp/postern-test-auth-XXXXXX";
static char path[sizeof(folder) + 16];

/* "secret" as each kind; the keys are of salt "saltsaltsaltsalt". */
static char sha512[256], bcrypt[256], yescrypt[256], scram[512];

static const char config_text[] =
    "hostname = \"mx.example.org\"\norigin = \"example.org\"\n"
    "postmaster = \"alice@example.org\"\nstate_dir = \"/x\"\n"
    "listen \"127.0.0.1:25\" { role = mx }\n"
    "domain \"example.org\" { users = \"table:/x/users\" "
    "mailbox = \"/x/%u\" owner = \"vmail\" }\n"
    "submitter \"127.0.0.0/8\" { as = \"scanner@example.org\" }\n";

static struct config *config;

/* ---- stored passwords ---- */

static void
make_hash(char to[256], const char *setting)
{
	static struct crypt_data data;
	const char *hash = crypt_rn("secret", setting, &data, sizeof(data));

	assert_non_null(hash);
	snprintf(to, 256, "%s", hash);
}

static void
make_scram(void)
{
	static const char salt[] = "saltsaltsaltsalt";
	char salted[32], client[32], server[32], stored[32];
	struct buf text = { 0 };

	assert_int_equal(gsasl_scram_secrets_from_password(GSASL_HASH_SHA256,
	    "secret", 4096, salt, 16, salted, client, server, stored),
	    GSASL_OK);
	buf_puts(&text, "{SCRAM-SHA-256}4096,");
	base64_encode(&text, (struct slice){ salt, 16 });
	buf_puts(&text, ",");
	base64_encode(&text, (struct slice){ stored, 32 });
	buf_puts(&text, ",");
	base64_encode(&text, (struct slice){ server, 32 });
	snprintf(scram, sizeof(scram), "%s", text.data);
	buf_free(&text);
}

#define ENTRY(name, word) { SLICE(name "@example.org"), \
	SLICE(name "@example.org"), SLICE(name "@example.org"), \
	slice_of(word), 0 }

static const uint8_t table_secret[PASSWORD_TABLE_SECRET_SIZE] = "secret";

static void
write_table(void)
{
	struct password_entry entries[] = {
		ENTRY("sha", sha512), ENTRY("alice", scram),
		ENTRY("bcrypt", bcrypt), ENTRY("yes", yescrypt),
		ENTRY("locked", "!"), ENTRY("weak", "$1$x$y"),
	};

	assert_int_equal(password_table_write(path, entries, N_OF(entries),
	    table_secret), 0);
}

static int
set_up(void **state)
{
	struct config_problems problems;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/passwords", folder);
	config = config_parse(SLICE(config_text), &problems);
	config_problems_free(&problems);
	make_hash(sha512, "$6$abcdefgh$");
	make_hash(bcrypt, "$2b$04$abcdefghijklmnopqrstuu");
	make_hash(yescrypt, "$y$j75$abcdefghabcdefgh$");
	assert_true(scram_warm_up());
	make_scram();
	write_table();
	return config == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	config_free(&config);
	return 0;
}

/* ---- the table ---- */

static void
test_table(void **state)
{
	struct password_table *table;
	struct password_entry entry;
	struct stat st;

	(void)state;
	assert_int_equal(password_table_open(&table, path), 0);
	assert_int_equal(password_table_size(table), 6);
	assert_memory_equal(password_table_secret(table), table_secret, 32);
	assert_true(password_table_find(table, SLICE("sha@example.org"),
	    &entry));
	assert_true(slice_equals(entry.password, slice_of(sha512)));
	assert_false(password_table_find(table, SLICE("sha@example.or"),
	    &entry));
	assert_false(password_table_find(table, SLICE("sha@example.orgg"),
	    &entry));
	assert_false(password_table_find(table, SLICE(""), &entry));
	password_table_at(table, 0, &entry);
	assert_true(slice_equals(entry.name, SLICE("alice@example.org")));
	password_table_at(table, 6, &entry);
	assert_int_equal(entry.name.size, 0);
	password_table_close(&table);
	assert_null(table);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

/* Wherever an octet changes, or the end is missing, it is no table. */
static void
test_damage(void **state)
{
	struct password_table *table;
	struct buf text = { 0 };
	char block[8192];
	int fd = open(path, O_RDWR);
	ssize_t n = read(fd, block, sizeof(block));

	(void)state;
	assert_true(n > 100 && n < (ssize_t)sizeof(block));
	for (ssize_t i = 0; i < n; i++) {
		block[i] ^= 1;
		assert_int_equal(pwrite(fd, block + i, 1, i), 1);
		assert_int_equal(password_table_open(&table, path), -EIO);
		block[i] ^= 1;
		assert_int_equal(pwrite(fd, block + i, 1, i), 1);
	}
	for (ssize_t i = n - 1; i >= 0; i -= 7) {
		assert_int_equal(ftruncate(fd, i), 0);
		assert_int_equal(password_table_open(&table, path), -EIO);
	}
	close(fd);
	buf_free(&text);
	unlink(path);
	assert_int_equal(password_table_open(&table, path), -ENOENT);
	write_table();
	assert_int_equal(password_table_open(&table, path), 0);
	password_table_close(&table);
}

static void
test_no_two_alike(void **state)
{
	struct password_entry entries[] = { ENTRY("a", "!"), ENTRY("b", "!"),
		ENTRY("a", "!") };
	struct password_table *table;

	(void)state;
	assert_int_equal(password_table_write(path, entries, 3,
	    table_secret), -EEXIST);
	assert_int_equal(password_table_open(&table, path), 0);
	assert_int_equal(password_table_size(table), 6);
	password_table_close(&table);
}

/* ---- a desk without loop and peers ---- */

static struct desk desk;
static const uint8_t key[32] = "key";

static void
desk_open(unsigned per_network, unsigned per_account)
{
	const struct guesses_setup setup = { .fd = -1,
		.per_network = per_network, .per_account = per_account };

	desk = (struct desk){ .config = config, .key = key,
		.guesses = guesses_new(&setup) };
	assert_non_null(desk.guesses);
	assert_int_equal(password_table_open(&desk.table, path), 0);
}

static void
desk_close(void)
{
	guesses_free(&desk.guesses);
	password_table_close(&desk.table);
}

/* The last answer, copied. */
static struct {
	unsigned n;
	enum auth_result result;
	char challenge[4096];
	struct voucher_copy user;
} last;

static void
on_done(const struct auth_answer *a, void *arg)
{
	assert_ptr_equal(arg, &last);
	last.n++;
	last.result = a->result;
	assert_true(slice_copy(last.challenge, sizeof(last.challenge),
	    a->challenge));
	if (a->result != AUTH_OK)
		return;
	assert_int_equal(voucher_check(&a->voucher, key,
	    (uint64_t)clock_wall_s()), 0);
	assert_true(voucher_copy(&last.user, &a->voucher));
}

static struct exchange *
begin(enum auth_mechanism mechanism, const struct slice *initial)
{
	struct auth_step step = { .exchange = 1, .mechanism = mechanism,
		.is_first = true, .has_response = initial != NULL,
		.response = initial ? *initial : SLICE(""),
		.session = SLICE("session"), .network = SLICE("192.0.2.1") };
	struct exchange *e = exchange_new(&desk, &step);
	unsigned before = last.n;

	assert_non_null(e);
	exchange_step(e, &step, on_done, &last);
	assert_int_equal(last.n, before + 1);
	assert_false(exchange_is_busy(e));
	return e;
}

static void
go_on(struct exchange *e, struct slice response)
{
	struct auth_step step = { .exchange = 1, .has_response = true,
		.response = response };
	unsigned before = last.n;

	assert_int_equal(last.result, AUTH_CONTINUE);
	exchange_step(e, &step, on_done, &last);
	assert_int_equal(last.n, before + 1);
}

/* AUTH PLAIN with these. */
static enum auth_result
try_plain(const char *name, const char *password)
{
	struct buf response = { 0 };
	struct exchange *e;
	struct slice initial;

	buf_append(&response, "", 1);
	buf_puts(&response, name);
	buf_append(&response, "", 1);
	buf_puts(&response, password);
	initial = buf_slice(&response);
	e = begin(AUTH_PLAIN, &initial);
	buf_free(&response);
	exchange_free(&e);
	return last.result;
}

static void
test_passwords(void **state)
{
	static const struct {
		const char *name, *password;
		enum auth_result want;
	} rows[] = {
		{ "sha", "secret", AUTH_OK },
		{ "bcrypt", "secret", AUTH_OK },
		{ "yes@example.org", "secret", AUTH_OK },
		{ "ALICE@example.ORG", "secret", AUTH_OK },
		{ "sha", "Secret", AUTH_REFUSED },
		{ "bcrypt", "secret ", AUTH_REFUSED },
		{ "yes", "", AUTH_REFUSED },
		{ "alice", "x", AUTH_REFUSED },
		{ "locked", "!", AUTH_REFUSED },
		{ "locked", "secret", AUTH_REFUSED },
		{ "weak", "secret", AUTH_REFUSED },
		{ "nobody", "secret", AUTH_REFUSED },
		{ "sha@example.net", "secret", AUTH_REFUSED },
	};

	(void)state;
	desk_open(0, 0);
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK(rows[i].name, try_plain(rows[i].name,
		    rows[i].password) == rows[i].want);
	assert_int_equal(try_plain("alice", "secret"), AUTH_OK);
	assert_string_equal(last.user.user, "alice@example.org");
	assert_string_equal(last.user.address, "alice@example.org");
	assert_string_equal(last.user.session, "session");
	desk_close();
}

/* A name that nobody has never matches, though the work is somebody's. */
static void
test_others_password_is_not_mine(void **state)
{
	struct password_entry entries[] = { ENTRY("sha", sha512) };
	char name[32];

	(void)state;
	assert_int_equal(password_table_write(path, entries, 1,
	    table_secret), 0);
	desk_open(0, 0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		assert_int_equal(try_plain(name, "secret"), AUTH_REFUSED);
	}
	desk_close();
	assert_int_equal(password_table_write(path, entries, 0,
	    table_secret), 0);
	desk_open(0, 0);
	assert_int_equal(try_plain("sha", "secret"), AUTH_REFUSED);
	desk_close();
	write_table();
}

/* The work for unknown names is an account's, the same each time. */
static void
test_work_for_unknown_names(void **state)
{
	struct verify_entry entry, again;
	struct account account;
	unsigned seen[PASSWORD_MALFORMED + 1] = { 0 };
	char name[32];

	(void)state;
	desk_open(0, 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		assert_true(account_of_login(&account, config,
		    slice_of(name)));
		verify_find(&entry, desk.table, &account, true);
		verify_find(&again, desk.table, &account, true);
		assert_false(entry.is_real);
		assert_ptr_equal(entry.password.data, again.password.data);
		seen[entry.kind]++;
	}
	assert_int_equal(seen[PASSWORD_CRYPT] + seen[PASSWORD_SCRAM], 200);
	assert_true(seen[PASSWORD_CRYPT] > 80);
	assert_true(seen[PASSWORD_SCRAM] > 10);
	/* without a table there is a hash all the same, and a usable one */
	verify_find(&entry, NULL, &account, true);
	assert_int_equal(verify_password(&entry, SLICE("x")), VERIFY_WRONG);
	assert_int_equal(crypt_checksalt(entry.password.data),
	    CRYPT_SALT_OK);
	desk_close();
}

static void
test_malformed_responses(void **state)
{
	static const struct slice rows[] = { SLICE(""), SLICE("x"),
		SLICE("\0a"), SLICE("\0a\0"), SLICE("b\0alice\0secret"),
		SLICE("\0alice\0secret\0") };

	(void)state;
	desk_open(1, 1);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct exchange *e = begin(AUTH_PLAIN, &rows[i]);

		assert_int_equal(last.result, AUTH_REFUSED);
		exchange_free(&e);
	}
	/* none of them was a guess */
	assert_int_equal(try_plain("alice", "secret"), AUTH_OK);
	desk_close();
}

static void
test_login(void **state)
{
	const struct slice name = SLICE("alice");
	struct exchange *e;

	(void)state;
	desk_open(0, 0);
	e = begin(AUTH_LOGIN, NULL);
	assert_string_equal(last.challenge, "Username:");
	go_on(e, SLICE("alice"));
	assert_string_equal(last.challenge, "Password:");
	go_on(e, SLICE("secret"));
	assert_int_equal(last.result, AUTH_OK);
	exchange_free(&e);
	e = begin(AUTH_LOGIN, &name);
	assert_string_equal(last.challenge, "Password:");
	go_on(e, SLICE("wrong"));
	assert_int_equal(last.result, AUTH_REFUSED);
	exchange_free(&e);
	/* what a password is cut off from is not compared */
	e = begin(AUTH_LOGIN, &name);
	go_on(e, SLICE("secret\0x"));
	assert_int_equal(last.result, AUTH_REFUSED);
	exchange_free(&e);
	e = begin(AUTH_LOGIN, NULL);
	go_on(e, SLICE("ali\0ce"));
	assert_int_equal(last.result, AUTH_REFUSED);
	exchange_free(&e);
	desk_close();
}

static void
test_without_table(void **state)
{
	const struct slice first = SLICE("n,,n=alice,r=abcdefgh");
	struct exchange *e;

	(void)state;
	desk_open(1, 1);
	password_table_close(&desk.table);
	assert_int_equal(try_plain("alice", "secret"), AUTH_UNAVAILABLE);
	assert_int_equal(try_plain("alice", "secret"), AUTH_UNAVAILABLE);
	for (int i = 0; i < 2; i++) {
		e = begin(AUTH_SCRAM_SHA_256, i == 0 ? NULL : &first);
		assert_int_equal(last.result, AUTH_UNAVAILABLE);
		exchange_free(&e);
	}
	desk_close();
}

/* ---- SCRAM, with the library's client ---- */

static Gsasl *library;

/* The whole exchange; what its last answer was. */
static enum auth_result
try_scram(const char *name, const char *password, bool has_initial)
{
	Gsasl_session *client;
	struct exchange *e = NULL;
	struct slice said = SLICE("");
	char *text = NULL;
	size_t size;
	int result;

	if (library == NULL)
		assert_int_equal(gsasl_init(&library), GSASL_OK);
	assert_int_equal(gsasl_client_start(library, "SCRAM-SHA-256",
	    &client), GSASL_OK);
	gsasl_property_set(client, GSASL_AUTHID, name);
	gsasl_property_set(client, GSASL_PASSWORD, password);
	assert_int_equal(gsasl_step(client, NULL, 0, &text, &size),
	    GSASL_NEEDS_MORE);
	said = (struct slice){ text, size };
	e = begin(AUTH_SCRAM_SHA_256, has_initial ? &said : NULL);
	if (!has_initial)
		go_on(e, said);
	gsasl_free(text);
	while (last.result == AUTH_CONTINUE) {
		result = gsasl_step(client, last.challenge,
		    strlen(last.challenge), &text, &size);
		assert_int_equal(result, GSASL_NEEDS_MORE);
		go_on(e, (struct slice){ text, size });
		gsasl_free(text);
	}
	/* the server proves itself, too */
	if (last.result == AUTH_OK) {
		assert_int_equal(gsasl_step(client, last.challenge,
		    strlen(last.challenge), &text, &size), GSASL_OK);
		gsasl_free(text);
	}
	gsasl_finish(client);
	exchange_free(&e);
	return last.result;
}

static void
test_scram(void **state)
{
	(void)state;
	desk_open(0, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(try_scram("alice", "secret", i), AUTH_OK);
		assert_string_equal(last.user.user, "alice@example.org");
		assert_int_equal(try_scram("alice", "Secret", i),
		    AUTH_REFUSED);
		assert_int_equal(try_scram("nobody", "secret", i),
		    AUTH_REFUSED);
		/* it has a password, but no keys */
		assert_int_equal(try_scram("sha", "secret", i),
		    AUTH_REFUSED);
		assert_int_equal(try_scram("locked", "secret", i),
		    AUTH_REFUSED);
	}
	desk_close();
}

/* Nor with the keys of somebody. */
static void
test_others_keys_are_not_mine(void **state)
{
	struct password_entry entries[] = { ENTRY("alice", scram) };
	char name[32];

	(void)state;
	assert_int_equal(password_table_write(path, entries, 1,
	    table_secret), 0);
	desk_open(0, 0);
	assert_int_equal(try_scram("alice", "secret", true), AUTH_OK);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		assert_int_equal(try_scram(name, "secret", true),
		    AUTH_REFUSED);
	}
	desk_close();
	write_table();
}

/* Its domain is not ours any more, though its password is still there. */
static void
test_user_of_no_domain(void **state)
{
	struct password_entry entries[] = { ENTRY("alice", scram), {
		.name = SLICE("old@example.net"), .user =
		SLICE("old@example.net"), .address = SLICE("old@example.net"),
		.password = slice_of(sha512) } };

	(void)state;
	assert_int_equal(password_table_write(path, entries, 2,
	    table_secret), 0);
	desk_open(0, 0);
	assert_int_equal(try_plain("alice", "secret"), AUTH_OK);
	assert_int_equal(try_plain("old@example.net", "secret"),
	    AUTH_REFUSED);
	desk_close();
	write_table();
}

/* For another, with the channel of another, or cut off where our library
 * would stop reading. */
static void
test_malformed_scram(void **state)
{
	static const struct slice rows[] = {
		SLICE("n,a=bob,n=alice,r=abcdefgh"),
		SLICE("p=tls-unique,,n=alice,r=abcdefgh"),
		SLICE("P=tls-unique,,n=alice,r=abcdefgh"),
		SLICE("n,,n=alice,r=abcdefgh\0"),
		SLICE("n,,n=al\001ice,r=abcdefgh"),
		SLICE("n,,n=al\xff,r=abcdefgh"),
	};
	struct exchange *e;

	(void)state;
	desk_open(0, 1);
	for (size_t i = 0; i < N_OF(rows); i++) {
		e = begin(AUTH_SCRAM_SHA_256, &rows[i]);
		CHECK(rows[i].data, last.result == AUTH_REFUSED);
		exchange_free(&e);
	}
	e = begin(AUTH_SCRAM_SHA_256, NULL);
	go_on(e, SLICE(""));
	assert_int_equal(last.result, AUTH_REFUSED);
	exchange_free(&e);
	/* none of them was a guess; nor is what was right */
	for (int i = 0; i < 3; i++)
		assert_int_equal(try_scram("alice", "secret", true), AUTH_OK);
	desk_close();
}

static void
test_scram_limits(void **state)
{
	(void)state;
	desk_open(0, 2);
	assert_int_equal(try_scram("alice", "x", true), AUTH_REFUSED);
	assert_int_equal(try_scram("alice", "x", true), AUTH_REFUSED);
	assert_int_equal(try_scram("alice", "secret", true), AUTH_LIMITED);
	assert_int_equal(try_plain("alice", "secret"), AUTH_LIMITED);
	/* also who never comes back with his proof */
	for (int i = 0; i < 2; i++) {
		const struct slice first = SLICE("n,,n=yes,r=abcdefgh");
		struct exchange *e = begin(AUTH_SCRAM_SHA_256, &first);

		assert_int_equal(last.result, AUTH_CONTINUE);
		exchange_free(&e);
	}
	assert_int_equal(try_plain("yes", "secret"), AUTH_LIMITED);
	desk_close();
}

static void
test_scram_offers(void **state)
{
	struct password_entry all[] = { ENTRY("alice", scram),
		ENTRY("locked", "!"), ENTRY("weak", "$1$x$y") };
	struct password_entry none[] = { ENTRY("locked", "!") };

	(void)state;
	desk_open(0, 0);
	assert_false(verify_all_have_scram(desk.table));
	desk_close();
	assert_int_equal(password_table_write(path, all, N_OF(all),
	    table_secret), 0);
	desk_open(0, 0);
	assert_true(verify_all_have_scram(desk.table));
	desk_close();
	assert_int_equal(password_table_write(path, none, 1, table_secret),
	    0);
	desk_open(0, 0);
	assert_false(verify_all_have_scram(desk.table));
	desk_close();
	write_table();
	assert_false(verify_all_have_scram(NULL));
}

/* ---- guesses ---- */

static int64_t now_us;

static void
pass(int64_t us)
{
	now_us += us;
	clock_set_for_tests(now_us, 1800000000000000ll + now_us);
}

static void
test_guesses(void **state)
{
	const struct guesses_setup setup = { .fd = -1, .per_network = 4,
		.per_account = 3 };
	struct guesses *g = guesses_new(&setup);
	const struct guesses_who a = { SLICE("192.0.2.1"), SLICE("a") };
	const struct guesses_who b = { SLICE("192.0.2.1"), SLICE("b") };
	const struct guesses_who c = { SLICE("192.0.2.2"), SLICE("a") };

	(void)state;
	now_us = 100 * HOUR_US;
	pass(0);
	for (int i = 0; i < 3; i++)
		assert_true(guesses_charge(g, &a));
	assert_false(guesses_charge(g, &a));	/* the account */
	assert_false(guesses_charge(g, &c));	/* from elsewhere too */
	assert_true(guesses_charge(g, &b));	/* the network's fourth */
	assert_false(guesses_allow(g, &b));
	/* one comes back each hour / limit */
	pass(HOUR_US / 4 + 1000);
	assert_true(guesses_charge(g, &b));
	assert_false(guesses_charge(g, &b));
	assert_false(guesses_allow(g, &c));
	pass(HOUR_US / 12 + 1000);
	assert_true(guesses_charge(g, &c));
	assert_false(guesses_charge(g, &c));
	/* what was right does not count */
	pass(2 * HOUR_US);
	for (int i = 0; i < 20; i++) {
		assert_true(guesses_charge(g, &a));
		guesses_refund(g, &a);
	}
	guesses_free(&g);
	clock_set_for_tests(0, 0);
}

static void
test_known_networks(void **state)
{
	const struct guesses_setup setup = { .fd = -1, .per_network = 0,
		.per_account = 2 };
	struct guesses *g = guesses_new(&setup);
	const struct guesses_who home = { SLICE("192.0.2.1"), SLICE("a") };
	const struct guesses_who away = { SLICE("192.0.2.2"), SLICE("a") };

	(void)state;
	now_us = 100 * HOUR_US;
	pass(0);
	assert_true(guesses_charge(g, &home));
	guesses_refund(g, &home);
	guesses_note_success(g, &home);
	assert_true(guesses_charge(g, &away));
	assert_true(guesses_charge(g, &away));
	assert_false(guesses_charge(g, &away));
	for (int i = 0; i < 9; i++)
		assert_true(guesses_charge(g, &home));
	pass(31 * 24 * HOUR_US);
	assert_true(guesses_charge(g, &home));
	assert_true(guesses_charge(g, &home));
	assert_false(guesses_charge(g, &home));
	guesses_free(&g);
	clock_set_for_tests(0, 0);
}

/* Processes share it; names that nobody has do not wash it out. */
static void
test_shared_guesses(void **state)
{
	struct guesses_setup setup = { .per_account = 2,
		.fd = memfd_create("guesses", MFD_ALLOW_SEALING) };
	struct guesses *g = guesses_new(&setup), *other = guesses_new(&setup);
	const struct guesses_who a = { SLICE("192.0.2.1"), SLICE("a") };
	struct guesses_who x = { SLICE("192.0.2.1"), SLICE("") };
	char name[16];

	(void)state;
	assert_non_null(g);
	assert_non_null(other);
	assert_true(ftruncate(setup.fd, 0) < 0);	/* sealed */
	assert_true(guesses_charge(g, &a));
	assert_true(guesses_charge(other, &a));
	assert_false(guesses_charge(g, &a));
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		x.account = slice_of(name);
		assert_true(guesses_charge(other, &x));
	}
	assert_false(guesses_allow(g, &a));
	guesses_free(&g);
	guesses_free(&other);
	close(setup.fd);
}

/* ---- Dovecot's lines ---- */

static const struct {
	const char *text;
	enum dovecot_line_kind kind;
	uint32_t number;
	const char *user;
	bool is_flagged;		/* plain, temporary */
} lines[] = {
	{ "VERSION\t1\t2", DOVECOT_LINE_VERSION, 1, "", false },
	{ "VERSION\tx\t2", DOVECOT_LINE_BAD, 0, "", false },
	{ "MECH\tPLAIN\tplaintext", DOVECOT_LINE_MECH, 0, "", true },
	{ "MECH\tLOGIN\tplaintext", DOVECOT_LINE_MECH, 0, "", false },
	{ "MECH\tSCRAM-SHA-256\tmutual-auth", DOVECOT_LINE_MECH, 0, "", true },
	{ "MECH\tSCRAM-SHA-256-PLUS", DOVECOT_LINE_MECH, 0, "", false },
	{ "SPID\t123", DOVECOT_LINE_OTHER, 0, "", false },
	{ "COOKIE\tabc", DOVECOT_LINE_OTHER, 0, "", false },
	{ "", DOVECOT_LINE_OTHER, 0, "", false },
	{ "DONE", DOVECOT_LINE_DONE, 0, "", false },
	{ "OK\t7\tuser=alice", DOVECOT_LINE_OK, 7, "alice", false },
	{ "OK\t4294967295\tx=y\tuser=a@b\tuser=c@d", DOVECOT_LINE_OK,
	    4294967295u, "c@d", false },
	{ "OK\t4294967296\tuser=alice", DOVECOT_LINE_BAD, 0, "", false },
	{ "OK\t7", DOVECOT_LINE_BAD, 0, "", false },
	{ "OK\t7\tuser=", DOVECOT_LINE_BAD, 0, "", false },
	{ "OK\t7\tuser=a\001tb", DOVECOT_LINE_BAD, 0, "", false },
	{ "OK\t-7\tuser=alice", DOVECOT_LINE_BAD, 0, "", false },
	{ "FAIL\t7\tuser=alice", DOVECOT_LINE_FAIL, 7, "", false },
	{ "FAIL\t7\tuser=a\001t\ttemp", DOVECOT_LINE_FAIL, 7, "", true },
	{ "FAIL", DOVECOT_LINE_BAD, 0, "", false },
	{ "CONT\t7\tabc", DOVECOT_LINE_CONT, 7, "", false },
};

static void
test_dovecot_lines(void **state)
{
	struct dovecot_line line;

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		dovecot_line_parse(&line, slice_of(lines[i].text));
		CHECK(lines[i].text, line.kind == lines[i].kind);
		if (line.kind == DOVECOT_LINE_BAD)
			continue;
		CHECK(lines[i].text, line.number == lines[i].number);
		CHECK_STRING(lines[i].text, line.user, lines[i].user);
		CHECK(lines[i].text, (line.is_plain || line.is_scram ||
		    line.is_temporary) == lines[i].is_flagged);
	}
	dovecot_line_parse(&line, SLICE("CONT\t7\tYWJj"));
	assert_true(slice_equals(line.data, SLICE("YWJj")));
	dovecot_line_parse(&line, SLICE("OK\t7\tuser=a\tresp=dj0=\tx"));
	assert_true(slice_equals(line.data, SLICE("dj0=")));
	dovecot_line_parse(&line, SLICE("OK\t7\tuser=a"));
	assert_int_equal(line.data.size, 0);
}

static void
test_dovecot_scram(void **state)
{
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(dovecot_put_scram(&text, 7, SLICE("n,,n=a,r=b"),
	    SLICE("192.0.2.1")), 0);
	assert_int_equal(dovecot_put_continue(&text, 7, SLICE("c=biws")), 0);
	assert_int_equal(dovecot_put_continue(&text, 7, SLICE("")), 0);
	assert_string_equal(text.data, "AUTH\t7\tSCRAM-SHA-256\tservice=smtp"
	    "\tnologin\tsecured\trip=192.0.2.1\tfinal-resp-ok\t"
	    "resp=biwsbj1hLHI9Yg==\nCONT\t7\tYz1iaXdz\nCONT\t7\t\n");
	buf_free(&text);
}

/* The name in a client's first message, which somebody else judges. */
static void
test_scram_first(void **state)
{
	static const struct {
		const char *text, *name, *nonce;	/* NULL: malformed */
	} rows[] = {
		{ "n,,n=alice,r=abc", "alice", "abc" },
		{ "y,,n=alice,r=abc,x=more", "alice", "abc" },
		{ "n,a=alice,n=alice,r=abc", "alice", "abc" },
		{ "n,,n=a=2Cb=3Dc@d,r=x=y", "a,b=c@d", "x=y" },
		{ "n,a=bob,n=alice,r=abc", NULL, NULL },
		{ "p=tls-unique,,n=alice,r=abc", NULL, NULL },
		{ "n,,n=al=ice,r=abc", NULL, NULL },
		{ "n,,n=alice=2,r=abc", NULL, NULL },
		{ "n,,n=,r=abc", NULL, NULL }, { "n,,n=alice,r=", NULL, NULL },
		{ "n,,n=alice", NULL, NULL }, { "n,,r=abc,n=alice", NULL, NULL },
		{ "n,,m=x,n=alice,r=abc", NULL, NULL }, { "", NULL, NULL },
		{ "n,,n=al\tice,r=abc", NULL, NULL }, { "n,,,", NULL, NULL },
	};
	static char large[SASL_SCRAM_FIRST_MAX + 2];
	char name[SASL_NAME_MAX + 1];
	struct slice nonce;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		bool is_good = sasl_parse_scram_first(slice_of(rows[i].text),
		    name, &nonce);

		CHECK(rows[i].text, is_good == (rows[i].name != NULL));
		if (is_good) {
			CHECK_STRING(rows[i].text, name, rows[i].name);
			CHECK(rows[i].text, slice_equals(nonce,
			    slice_of(rows[i].nonce)));
		}
	}
	/* names and messages that are too long */
	memset(large, 'x', sizeof large - 1);
	memcpy(large, "n,,n=", 5);
	memcpy(large + 5 + SASL_NAME_MAX, ",r=", 3);
	large[SASL_SCRAM_FIRST_MAX] = '\0';
	assert_true(sasl_parse_scram_first(slice_of(large), name, &nonce));
	large[SASL_SCRAM_FIRST_MAX] = 'x';
	assert_false(sasl_parse_scram_first(slice_of(large), name, &nonce));
	large[SASL_SCRAM_FIRST_MAX] = '\0';
	memcpy(large + 5 + SASL_NAME_MAX, "x,r=", 4);
	assert_false(sasl_parse_scram_first(slice_of(large), name, &nonce));
}

static void
test_dovecot_auth(void **state)
{
	const struct sasl_credentials c = { SLICE("alice"),
		SLICE("s\te\ncret") };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(dovecot_put_auth(&text, 7, &c, SLICE("192.0.2.1")),
	    0);
	assert_string_equal(text.data, "AUTH\t7\tPLAIN\tservice=smtp\t"
	    "nologin\tsecured\trip=192.0.2.1\tresp=AGFsaWNlAHMJZQpjcmV0\n");
	buf_free(&text);
	assert_int_equal(dovecot_put_auth(&text, 7, &c,
	    SLICE("2001:db8::/64")), 0);
	assert_null(strstr(text.data, "rip="));
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_no_two_alike),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_others_password_is_not_mine),
		cmocka_unit_test(test_work_for_unknown_names),
		cmocka_unit_test(test_malformed_responses),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_without_table),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_others_keys_are_not_mine),
		cmocka_unit_test(test_user_of_no_domain),
		cmocka_unit_test(test_malformed_scram),
		cmocka_unit_test(test_scram_limits),
		cmocka_unit_test(test_scram_offers),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_known_networks),
		cmocka_unit_test(test_shared_guesses),
		cmocka_unit_test(test_dovecot_lines),
		cmocka_unit_test(test_dovecot_auth),
		cmocka_unit_test(test_dovecot_scram),
		cmocka_unit_test(test_scram_first),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
