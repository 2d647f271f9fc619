/* SPDX-License-Identifier: ISC */
/*
 * test_vault_tags.c - tags and traces to the day, with secrets and without;
 * which of several DKIM keys signs.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../../vault/dkim_keys.h"
#include "../../vault/tags.h"
#include "sealed.h"
#include "table.h"
#include "tls.h"

#define TODAY 20750
#define SENDER SLICE("alice@example.org")
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECRETS "batv 4 20000 " HEX "\ntrace " HEX "\nsrs " HEX "\n"

static struct secrets
secrets_for_tests(void)
{
	struct secrets s;
	unsigned line;

	assert_true(secrets_read(&s, SLICE(SECRETS), &line));
	return s;
}

/* ---- secrets ---- */

static int
read_from(struct secrets *s, const char *text, size_t size, bool is_sealed)
{
	int fd = sealed_create("secrets"), error;

	assert_int_equal(write(fd, text, size), size);
	if (is_sealed)
		assert_int_equal(sealed_finish(fd), 0);
	error = tags_read(s, fd);
	close(fd);
	return error;
}

/* A bad one does not take the place of a good one. */
static void
test_secrets(void **state)
{
	static char large[SECRETS_FILE_MAX + 1];
	struct secrets s = { 0 }, good;

	(void)state;
	assert_int_equal(read_from(&s, SECRETS, strlen(SECRETS), true), 0);
	assert_int_equal(s.n_batv, 1);
	good = s;
	assert_int_equal(read_from(&s, "batv 5 20001 " HEX "\n",
	    strlen("batv 5 20001 " HEX "\n"), true), -EBADMSG);
	memset(large, '\n', sizeof large);
	memcpy(large, SECRETS, strlen(SECRETS));
	assert_int_equal(read_from(&s, large, sizeof large, true), -EBADF);
	assert_int_equal(read_from(&s, SECRETS, strlen(SECRETS), false),
	    -EBADF);
	assert_memory_equal(&s, &good, sizeof s);
}

/* ---- tags ---- */

static bool
is_made(const struct secrets *s, const char *address, uint32_t day)
{
	const struct vault_tag q = { .address = slice_of(address),
		.day = day };
	char to[ASK_ADDRESS_MAX];

	return tags_make(s, &q, TODAY, to);
}

static void
test_tags(void **state)
{
	const struct secrets s = secrets_for_tests(), none = { 0 };
	const char *address = "alice@example.org";

	(void)state;
	assert_true(is_made(&s, address, TODAY - TAGS_DAYS_OFF));
	assert_true(is_made(&s, address, TODAY + TAGS_DAYS_OFF));
	assert_false(is_made(&s, address, TODAY - TAGS_DAYS_OFF - 1));
	assert_false(is_made(&s, address, TODAY + TAGS_DAYS_OFF + 1));
	assert_false(is_made(&s, "alice", TODAY));
	/* a key of zeros is nobody's secret */
	assert_false(is_made(&none, address, TODAY));
}

/* ---- traces ---- */

static const char *
trace_of(const struct secrets *s, uint32_t day, char between)
{
	static char id[80];
	char text[120], mac[TAGS_TRACE_SIZE + 1];
	int n = snprintf(text, sizeof text, "k3f9q2m7t-1-%u\n%s", day,
	    SENDER.data);

	tags_trace(s, (struct slice){ text, (size_t)n }, mac);
	snprintf(id, sizeof id, "k3f9q2m7t-1-%u%c%s", day, between, mac);
	return id;
}

static bool
is_trace(const struct secrets *s, const char *id, struct slice sender)
{
	const struct vault_trace trace = { slice_of(id), sender };

	return tags_is_trace(s, &trace, TODAY);
}

static void
test_traces(void **state)
{
	const struct secrets s = secrets_for_tests(), none = { 0 };
	static const struct {
		uint32_t day;
		bool is_ours;
	} days[] = {
		{ TODAY, true }, { TODAY - TAGS_TRACE_DAYS, true },
		{ TODAY - TAGS_TRACE_DAYS - 1, false }, { TODAY + 1, true },
		{ TODAY + 2, false }, { UINT32_MAX, false }, { 0, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(days); i++)
		assert_int_equal(is_trace(&s, trace_of(&s, days[i].day, '-'),
		    SENDER), days[i].is_ours);
	assert_false(is_trace(&s, trace_of(&s, TODAY, '_'), SENDER));
	assert_false(is_trace(&s, trace_of(&s, TODAY, '-'),
	    SLICE("carol@example.org")));
	/* without secrets there is none, whatever stands there */
	assert_string_equal(trace_of(&none, TODAY, '-'), "k3f9q2m7t-1-20750-");
	assert_false(is_trace(&none, trace_of(&s, TODAY, '-'), SENDER));
}

/* ---- DKIM keys ---- */

static EVP_PKEY *
add_key(struct dkim_keys *keys, uint16_t generation, const char *selector)
{
	char domain[] = "example.org", name[8];
	const struct config_dkim section = { .domain = domain,
		.selector = name };
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_mem());
	int fd = sealed_create("key");
	char *pem;
	long size;

	snprintf(name, sizeof name, "%s", selector);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL), 1);
	size = BIO_get_mem_data(bio, &pem);
	assert_int_equal(write(fd, pem, (size_t)size), size);
	assert_int_equal(sealed_finish(fd), 0);
	assert_int_equal(dkim_keys_add(keys, generation, &section, fd), 0);
	BIO_free(bio);
	close(fd);
	return key;
}

/* "A" to "E": whose signature it is; "-": nobody's. */
static char
signer(const struct dkim_keys *keys, EVP_PKEY *const *pairs, size_t n,
    const char *selector)
{
	uint8_t room[VAULT_DKIM_MAX * TLS_SIGNATURE_MAX], hash[32];
	struct vault_dkim_signed a = { 0 };
	char text[200], found = '-';
	size_t hash_size;
	int size = snprintf(text, sizeof text, "from:a@b\r\ndkim-signature:"
	    "v=1; a=ed25519-sha256; d=example.org; s=%s; h=from; bh=x; b=",
	    selector);
	const struct vault_dkim q = { SLICE("example.org"),
		{ text, (size_t)size } };

	if (dkim_keys_sign(keys, &q, &a, room) != 0)
		return found;
	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, text,
	    (size_t)size, hash, &hash_size), 1);
	for (size_t i = 0; i < n; i++) {
		EVP_MD_CTX *md = EVP_MD_CTX_new();

		if (EVP_DigestVerifyInit_ex(md, NULL, NULL, NULL, NULL,
		    pairs[i], NULL) == 1 && EVP_DigestVerify(md,
		    (const uint8_t *)a.signatures[0].signature.data,
		    a.signatures[0].signature.size, hash, sizeof hash) == 1)
			found = (char)('A' + i);
		EVP_MD_CTX_free(md);
	}
	return found;
}

/* The selectors that there are, "one two". */
static const char *
listed(const struct dkim_keys *keys)
{
	static char text[100];
	const struct vault_dkim q = { .domain = SLICE("example.org"),
		.input = SLICE("") };
	struct vault_dkim_signed a = { 0 };
	size_t n = 0;

	assert_int_equal(dkim_keys_sign(keys, &q, &a, NULL), 0);
	text[0] = '\0';
	for (size_t i = 0; i < a.n_signatures; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s",
		    i > 0 ? " " : "", (int)a.signatures[i].selector.size,
		    a.signatures[i].selector.data);
	return text;
}

/* The newest configuration's, until that is taken back. */
static void
test_dkim_generations(void **state)
{
	struct dkim_keys *keys = dkim_keys_new();
	EVP_PKEY *pairs[4] = { add_key(keys, 2, "one"),
		add_key(keys, 3, "one"), add_key(keys, 3, "two"),
		add_key(keys, 1, "old") };

	(void)state;
	assert_string_equal(listed(keys), "one two");
	assert_int_equal(signer(keys, pairs, 4, "one"), 'B');
	assert_int_equal(signer(keys, pairs, 4, "two"), 'C');
	/* a message that was prepared before the reload */
	assert_int_equal(signer(keys, pairs, 4, "old"), 'D');
	dkim_keys_forget(keys, 3);
	assert_string_equal(listed(keys), "one");
	assert_int_equal(signer(keys, pairs, 4, "one"), 'A');
	assert_int_equal(signer(keys, pairs, 4, "two"), '-');
	assert_int_equal(signer(keys, pairs, 4, "old"), 'D');
	dkim_keys_forget(keys, 2);
	assert_string_equal(listed(keys), "old");
	dkim_keys_free(&keys);
	for (size_t i = 0; i < N_OF(pairs); i++)
		EVP_PKEY_free(pairs[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_traces),
		cmocka_unit_test(test_dkim_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
