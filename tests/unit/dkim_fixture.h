/* SPDX-License-Identifier: ISC */
/*
 * dkim_fixture.h - keys, signed messages and facts for tests.
 *
 * Keys are those of rsa_fixture.h; messages are signed by the library's own
 * signer, which shares nothing with our reading of signatures.
 */
#ifndef POSTERN_TESTS_DKIM_FIXTURE_H
#define POSTERN_TESTS_DKIM_FIXTURE_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <opendkim/dkim.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "buf.h"
#include "facts.h"
#include "rsa_fixture.h"
#include "table.h"

#define TEST_NOW 1790000000	/* FACT_TIME */

struct test_key {
	char pem[4096];		/* private */
	char p[2048];		/* public, as in p= */
	bool is_ed25519;
};

static inline void
key_make(struct test_key *key, int rsa_bits)
{
	EVP_PKEY *pkey = rsa_bits ? rsa_key((unsigned)rsa_bits) :
	    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char raw[32], *der = NULL;
	size_t raw_size = sizeof(raw);
	int n;

	assert_non_null(pkey);
	memset(key, 0, sizeof(*key));
	key->is_ed25519 = rsa_bits == 0;
	assert_true(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL,
	    NULL));
	n = BIO_read(bio, key->pem, sizeof(key->pem) - 1);
	assert_true(n > 0);
	if (key->is_ed25519) {
		assert_true(EVP_PKEY_get_raw_public_key(pkey, raw, &raw_size));
		EVP_EncodeBlock((unsigned char *)key->p, raw, 32);
	} else {
		n = i2d_PUBKEY(pkey, &der);
		assert_true(n > 0 && n < 1500);
		EVP_EncodeBlock((unsigned char *)key->p, der, n);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	EVP_PKEY_free(pkey);
}

/* LF to CR LF. */
static inline void
put_crlf(struct buf *to, struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == '\n')
			buf_puts(to, "\r");
		buf_append(to, text.data + i, 1);
	}
}

struct signing {
	const struct test_key *key;
	const char *domain, *selector;
	dkim_canon_t header, body;
	long length;		/* l= if not negative */
	uint64_t time_s;	/* 0: just before TEST_NOW */
	uint64_t ttl_s;		/* x= */
};

/* In a process of its own: what fails there ends it. */
#define NEED(expression) do { if (!(expression)) _exit(1); } while (0)

static inline void
sign_here(struct buf *message, const struct signing *s)
{
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	unsigned flags = DKIM_LIBFLAGS_SIGNLEN, bits = 1;
	uint64_t when = s->time_s ? s->time_s : TEST_NOW - 10;
	unsigned char field[4096];
	struct buf crlf = { 0 }, out = { 0 };
	DKIM_STAT status;
	DKIM *dkim;

	NEED(lib != NULL);
	if (s->length >= 0)
		dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
		    sizeof(flags));
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &when,
	    sizeof(when));
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits,
	    sizeof(bits));
	if (s->ttl_s) {
		uint64_t ttl = s->ttl_s;

		dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL,
		    &ttl, sizeof(ttl));
	}
	dkim = dkim_sign(lib, (const unsigned char *)"t", NULL,
	    (unsigned char *)(uintptr_t)s->key->pem,
	    (const unsigned char *)s->selector,
	    (const unsigned char *)s->domain, s->header, s->body,
	    s->key->is_ed25519 ? DKIM_SIGN_ED25519SHA256 :
	    DKIM_SIGN_RSASHA256, s->length, &status);
	NEED(dkim != NULL);
	put_crlf(&crlf, buf_slice(message));
	if (message->size > 0 && message->data[message->size - 1] != '\n')
		buf_puts(&crlf, "\r\n");
	NEED(dkim_chunk(dkim, (unsigned char *)crlf.data, crlf.size) ==
	    DKIM_STAT_OK);
	NEED(dkim_chunk(dkim, NULL, 0) == DKIM_STAT_OK);
	NEED(dkim_eom(dkim, NULL) == DKIM_STAT_OK);
	NEED(dkim_getsighdr(dkim, field, sizeof(field), 16) ==
	    DKIM_STAT_OK);
	buf_puts(&out, "DKIM-Signature: ");
	for (const unsigned char *p = field; *p != '\0'; p++)
		if (*p != '\r')
			buf_append(&out, p, 1);
	buf_puts(&out, "\n");
	buf_append_slice(&out, buf_slice(message));
	buf_free(message);
	*message = out;
	buf_free(&crlf);
}

/*
 * A new DKIM-Signature in front of message (LF line ends, in place). In a
 * child, as the library's signer never frees an Ed25519 key.
 */
static inline void
sign(struct buf *message, const struct signing *s)
{
	struct buf out = { 0 };
	char block[4096];
	int fds[2], status;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		sign_here(message, s);
		for (size_t at = 0; at < message->size; at += (size_t)n)
			NEED((n = write(fds[1], message->data + at,
			    message->size - at)) > 0);
		/* an end at which valgrind does not count leaks */
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	while ((n = read(fds[0], block, sizeof(block))) > 0)
		buf_append(&out, block, (size_t)n);
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	buf_free(message);
	*message = out;
}

/* A DNS answer with these TXT records as a fact; NULL ends them. */
static inline void
tell_txt(struct facts *facts, const char *name, enum dns_status status,
    const char *const *records)
{
	struct dns_answer answer = { .status = status };
	struct buf value = { 0 };

	for (; records != NULL && *records != NULL; records++)
		answer.records[answer.n_records++].data = slice_of(*records);
	assert_int_equal(put_dns_answer(&value, &answer), 0);
	assert_int_equal(facts_add(facts, FACT_DNS_TXT, slice_of(name),
	    buf_slice(&value)), 0);
	buf_free(&value);
}

static inline void
tell_one_txt(struct facts *facts, const char *name, const char *record)
{
	const char *const records[] = { record, NULL };

	tell_txt(facts, name, DNS_OK, records);
}

static inline void
tell_key(struct facts *facts, const char *name, const struct test_key *key)
{
	char record[2200];

	snprintf(record, sizeof(record), "v=DKIM1; k=%s; p=%s",
	    key->is_ed25519 ? "ed25519" : "rsa", key->p);
	tell_one_txt(facts, name, record);
}

#endif
