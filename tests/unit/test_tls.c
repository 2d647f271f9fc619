/* SPDX-License-Identifier: ISC */
/*
 * test_tls.c - handshakes between a stream, whose private keys are in a
 * vault of ours, and a client of OpenSSL's at the other end of a socket.
 * The vault is its real keys.c; when it answers is up to the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../lib/tls_provider.h"
#include "../../vault/keys.h"
#include "rsa_fixture.h"
#include "sealed.h"
#include "stream.h"
#include "table.h"

#define NAME "mx.example.org"

enum mood { ANSWERS, WAITS, REFUSES, LIES, IS_GONE };

struct world {
	struct loop *loop;
	struct loop_timer timer;
	struct stream stream;
	struct tls_server *server;
	struct tls_signer signer;
	struct keys *keys;
	struct tls_signing *asked;	/* it waits for an answer */
	enum mood mood;
	unsigned n_asked, n_forgotten, n_secured, n_insecure, n_broken;
	struct buf input;		/* what the stream has read */
	size_t room;			/* ... at a time; 0: as it comes */
	char failure[256];
	SSL_CTX *client_ctx;
	SSL *client;
	int peer;
};

/* ---- certificates ---- */

static EVP_PKEY *
make_key(const char *kind)
{
	EVP_PKEY *key = NULL;

	if (strcmp(kind, "RSA") == 0)
		key = rsa_key(2048);
	else if (strcmp(kind, "ED25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
	assert_non_null(key);
	return key;
}

static void
make_certificate(EVP_PKEY *key, const char *name, struct buf *pem)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	X509_NAME *subject = X509_get_subject_name(x);
	const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	char *data;
	long size;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, subject);
	assert_true(X509_sign(x, key, md) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	size = BIO_get_mem_data(bio, &data);
	assert_int_equal(buf_append(pem, data, (size_t)size), 0);
	BIO_free(bio);
	X509_free(x);
}

static int
sealed(const void *data, size_t size)
{
	int fd = sealed_create("key");

	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(sealed_finish(fd), 0);
	return fd;
}

static int
key_file(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long size;
	int fd;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL), 1);
	size = BIO_get_mem_data(bio, &data);
	fd = sealed(data, (size_t)size);
	BIO_free(bio);
	return fd;
}

/* Under valgrind an RSA key may take a minute: all share one. */
static EVP_PKEY *
key_of(const char *kind)
{
	static EVP_PKEY *rsa;

	if (strcmp(kind, "RSA") != 0)
		return make_key(kind);
	if (rsa == NULL)
		rsa = make_key(kind);
	EVP_PKEY_up_ref(rsa);
	return rsa;
}

/* A certificate of that kind of key, shown for name. */
static void
add(struct world *w, uint16_t index, const char *kind, const char *name)
{
	const struct tls_key id = { 1, index };
	EVP_PKEY *key = key_of(kind);
	struct buf pem = { 0 };
	int fd = key_file(key);

	make_certificate(key, name, &pem);
	assert_int_equal(keys_add(w->keys, &id, fd), 0);
	assert_int_equal(tls_server_add(w->server, name, buf_slice(&pem), &id),
	    0);
	close(fd);
	buf_free(&pem);
	EVP_PKEY_free(key);
}

/* ---- the vault ---- */

static void
answer(struct world *w)
{
	struct tls_signing *s = w->asked;
	uint8_t room[TLS_SIGNATURE_MAX];
	struct slice signature;
	int error;

	assert_non_null(s);
	w->asked = NULL;
	error = keys_sign(w->keys, &s->key, s->scheme, (struct slice){
	    (const char *)s->data, s->data_size }, &signature, room);
	assert_int_equal(error, 0);
	if (w->mood == LIES)
		room[signature.size / 2] ^= 1;
	if (w->mood == REFUSES)
		signature.size = 0;
	tls_signing_answer(s, signature);
}

static bool
on_ask(void *arg, struct tls_signing *signing)
{
	struct world *w = arg;

	assert_null(w->asked);
	w->n_asked++;
	if (w->mood == IS_GONE)
		return false;
	w->asked = signing;
	return true;
}

static void
on_forget(void *arg, struct tls_signing *signing)
{
	struct world *w = arg;

	assert_ptr_equal(w->asked, signing);
	w->asked = NULL;
	w->n_forgotten++;
}

/* ---- both ends ---- */

static void
on_event(struct stream *stream, enum stream_event event, void *arg)
{
	struct world *w = arg;
	char block[65536];
	ssize_t n;

	w->n_secured += event == STREAM_SECURED;
	w->n_broken += event == STREAM_BROKEN;
	if (event == STREAM_INSECURE) {
		w->n_insecure++;
		slice_copy(w->failure, sizeof w->failure,
		    slice_of(stream_tls_failure(stream)));
		stream_end_tls(stream);
		stream_shut(stream);
	}
	if (event == STREAM_BROKEN)
		stream_close(stream);
	if (event != STREAM_INPUT)
		return;
	n = stream_read(stream, block, w->room ? w->room : sizeof block);
	if (n > 0)
		assert_int_equal(buf_append(&w->input, block, (size_t)n), 0);
	else if (n != -EAGAIN)
		stream_want_input(stream, false);
}

static void
on_end_of_turn(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	(void)timer;
	loop_stop(w->loop);
}

/* On a slow machine the stream's own timer may be due only now: it goes
 * first. */
static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	loop_timer_start(w->loop, timer, 0, on_end_of_turn, w);
}

static void
turn(struct world *w)
{
	loop_timer_start(w->loop, &w->timer, 2, on_timer, w);
	assert_int_equal(loop_run(w->loop), 0);
	if (w->asked != NULL && w->mood != WAITS)
		answer(w);
}

static void
begin(struct world *w)
{
	memset(w, 0, sizeof *w);
	assert_int_equal(tls_init(), 0);
	w->loop = loop_new();
	w->keys = keys_new();
	w->signer = (struct tls_signer){ on_ask, on_forget, w };
	w->server = tls_server_new(&w->signer);
	w->client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_options(w->client_ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	w->peer = -1;
}

static void
connect_client(struct world *w)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	w->peer = fds[1];
	assert_int_equal(stream_open(&w->stream, w->loop, fds[0], on_event, w),
	    0);
	assert_int_equal(stream_start_tls(&w->stream, w->server), 0);
	w->client = SSL_new(w->client_ctx);
	SSL_set_fd(w->client, w->peer);
	SSL_set_connect_state(w->client);
}

static void
disconnect(struct world *w)
{
	stream_close(&w->stream);
	SSL_free(w->client);
	w->client = NULL;
	close(w->peer);
	buf_free(&w->input);
}

static void
end(struct world *w)
{
	disconnect(w);
	SSL_CTX_free(w->client_ctx);
	tls_server_free(&w->server);
	keys_free(&w->keys);
	loop_free(&w->loop);
}

/* Turns of both until the client is through, or has failed: what it says. */
static int
shake(struct world *w)
{
	int result, error;

	for (int i = 0; i < 20; i++) {
		ERR_clear_error();
		result = SSL_do_handshake(w->client);
		error = SSL_get_error(w->client, result);
		if (result != 1 && error != SSL_ERROR_WANT_READ)
			return error;
		turn(w);
		if (result == 1 && w->n_secured == 1)
			return 0;
	}
	return SSL_ERROR_WANT_READ;
}

static void
client_says(struct world *w, const char *text)
{
	assert_int_equal(SSL_write(w->client, text, (int)strlen(text)),
	    (int)strlen(text));
}

static void
client_reads(struct world *w, const char *text)
{
	char got[1000] = "";

	assert_int_equal(SSL_read(w->client, got, sizeof got - 1),
	    (int)strlen(text));
	assert_string_equal(got, text);
}

/* ---- every kind of signature ---- */

static const struct {
	const char *kind, *schemes;
	int version;
} kinds[] = {
	{ "P-256", NULL, TLS1_3_VERSION },
	{ "P-256", NULL, TLS1_2_VERSION },
	{ "P-256", "ECDSA+SHA384:ECDSA+SHA512", TLS1_2_VERSION },
	{ "P-384", NULL, TLS1_3_VERSION },
	{ "P-384", "ECDSA+SHA256", TLS1_2_VERSION },
	{ "P-521", NULL, TLS1_3_VERSION },
	{ "RSA", "RSA-PSS+SHA256", TLS1_3_VERSION },
	{ "RSA", "RSA-PSS+SHA384", TLS1_3_VERSION },
	{ "RSA", "RSA-PSS+SHA512", TLS1_2_VERSION },
	{ "RSA", "RSA+SHA256", TLS1_2_VERSION },
	{ "RSA", "RSA+SHA384", TLS1_2_VERSION },
	{ "RSA", "RSA+SHA512", TLS1_2_VERSION },
	{ "ED25519", NULL, TLS1_3_VERSION },
	{ "ED25519", NULL, TLS1_2_VERSION },
};

static void
test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(kinds); i++) {
		struct world w;
		char name[100];
		const struct tls_facts *facts;

		snprintf(name, sizeof name, "%s %s %x", kinds[i].kind,
		    kinds[i].schemes ? kinds[i].schemes : "",
		    (unsigned)kinds[i].version);
		begin(&w);
		add(&w, 0, kinds[i].kind, NAME);
		SSL_CTX_set_min_proto_version(w.client_ctx, kinds[i].version);
		SSL_CTX_set_max_proto_version(w.client_ctx, kinds[i].version);
		if (kinds[i].schemes != NULL)
			SSL_CTX_set1_sigalgs_list(w.client_ctx,
			    (char *)(uintptr_t)kinds[i].schemes);
		connect_client(&w);
		CHECK(name, shake(&w) == 0);
		CHECK(name, w.n_asked == 1);
		facts = stream_tls_facts(&w.stream);
		CHECK_STRING(name, facts->version,
		    SSL_get_version(w.client));
		CHECK_STRING(name, facts->cipher,
		    SSL_get_cipher_name(w.client));
		CHECK_STRING(name, facts->name, "");
		client_says(&w, "EHLO x\r\n");
		turn(&w);
		assert_int_equal(w.input.size, 8);
		assert_int_equal(stream_write(&w.stream, SLICE("250 y\r\n")),
		    0);
		client_reads(&w, "250 y\r\n");
		end(&w);
	}
}

static void
test_key_stays_where_it_is(void **state)
{
	const struct tls_key id = { 7, 3 };
	EVP_PKEY *key = make_key("P-256"), *rsa = make_key("RSA"), *remote;
	EVP_PKEY *other = make_key("P-256");
	BIGNUM *number = NULL;

	(void)state;
	assert_int_equal(tls_init(), 0);
	remote = tls_key_new(key, &id);
	assert_non_null(remote);
	assert_int_equal(EVP_PKEY_eq(key, remote), 1);
	assert_int_not_equal(EVP_PKEY_eq(other, remote), 1);
	assert_int_not_equal(EVP_PKEY_eq(rsa, remote), 1);
	assert_int_equal(EVP_PKEY_get_bits(remote), 256);
	assert_true(i2d_PrivateKey(remote, NULL) <= 0);
	assert_int_equal(EVP_PKEY_get_bn_param(remote, "priv", &number), 0);
	assert_null(number);
	EVP_PKEY_free(remote);
	EVP_PKEY_free(key);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(other);
}

/* Outside of a handshake there is nobody who could wait. */
static void
test_no_signature_without_handshake(void **state)
{
	const struct tls_key id = { 1, 0 };
	EVP_PKEY *key = make_key("P-256"), *remote;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t room[200];
	size_t size = sizeof room;

	(void)state;
	remote = tls_key_new(key, &id);
	assert_int_equal(EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL,
	    remote, NULL), 1);
	assert_int_not_equal(EVP_DigestSign(md, room, &size,
	    (const uint8_t *)"x", 1), 1);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(remote);
	EVP_PKEY_free(key);
}

/* ---- pauses ---- */

static void
test_pause(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	add(&w, 0, "P-256", NAME);
	w.mood = WAITS;
	connect_client(&w);
	assert_int_equal(shake(&w), SSL_ERROR_WANT_READ);
	assert_non_null(w.asked);
	assert_int_equal(stream_look(&w.stream), STREAM_QUIET);
	assert_null(stream_tls_facts(&w.stream));
	w.mood = ANSWERS;
	turn(&w);
	assert_int_equal(shake(&w), 0);
	assert_int_equal(w.n_asked, 1);
	end(&w);
}

static const struct {
	enum mood mood;
	const char *failure;
} moods[] = {
	{ REFUSES, "no signature (TLSv1.3, TLS_AES_256_GCM_SHA384)" },
	{ IS_GONE, "no signature (TLSv1.3, TLS_AES_256_GCM_SHA384)" },
};

static void
test_no_signature(void **state)
{
	struct world w;

	(void)state;
	for (size_t i = 0; i < N_OF(moods); i++) {
		begin(&w);
		add(&w, 0, "P-256", NAME);
		w.mood = moods[i].mood;
		connect_client(&w);
		assert_int_equal(shake(&w), SSL_ERROR_SSL);
		assert_int_equal(w.n_insecure, 1);
		CHECK_STRING("mood", w.failure, moods[i].failure);
		/* plain again: what still comes can be thrown away */
		assert_int_equal(write(w.peer, "abc", 3), 3);
		turn(&w);
		assert_int_equal(w.input.size, 3);
		end(&w);
	}
}

static void
test_wrong_signature(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	add(&w, 0, "P-256", NAME);
	w.mood = LIES;
	connect_client(&w);
	assert_int_equal(shake(&w), SSL_ERROR_SSL);
	turn(&w);
	assert_int_equal(w.n_insecure, 1);
	assert_non_null(strstr(w.failure, "alert"));
	end(&w);
}

/* The job that waits is ended; nothing of it is left (see valgrind). */
static void
test_closed_in_a_pause(void **state)
{
	struct world w;

	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(&w);
		add(&w, 0, "RSA", NAME);
		w.mood = WAITS;
		connect_client(&w);
		assert_int_equal(shake(&w), SSL_ERROR_WANT_READ);
		assert_non_null(w.asked);
		if (i == 1) {
			close(w.peer);	/* its end shows as STREAM_BROKEN */
			w.peer = -1;
			turn(&w);
			assert_int_equal(w.n_broken, 1);
		}
		stream_close(&w.stream);
		assert_int_equal(w.n_forgotten, 1);
		assert_null(w.asked);
		end(&w);
	}
}

static void
test_rubbish(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	add(&w, 0, "P-256", NAME);
	connect_client(&w);
	assert_int_equal(write(w.peer, "MAIL FROM:<>\r\n", 14), 14);
	turn(&w);
	assert_int_equal(w.n_insecure, 1);
	assert_int_equal(w.n_asked, 0);
	assert_non_null(strstr(w.failure, "wrong version number"));
	assert_int_equal(w.input.size, 0);
	end(&w);
}

static void
test_two_handshakes_at_once(void **state)
{
	struct world a, b;
	struct tls_signing *first;

	(void)state;
	begin(&a);
	add(&a, 0, "P-256", NAME);
	a.mood = WAITS;
	connect_client(&a);
	assert_int_equal(shake(&a), SSL_ERROR_WANT_READ);
	first = a.asked;
	begin(&b);
	add(&b, 0, "RSA", NAME);
	connect_client(&b);
	assert_int_equal(shake(&b), 0);
	assert_ptr_equal(a.asked, first);
	a.mood = ANSWERS;
	assert_int_equal(shake(&a), 0);
	end(&b);
	client_says(&a, "x");
	turn(&a);
	assert_int_equal(a.input.size, 1);
	end(&a);
}

/* ---- octets ---- */

static void
shaken(struct world *w)
{
	begin(w);
	add(w, 0, "P-256", NAME);
	connect_client(w);
	assert_int_equal(shake(w), 0);
}

/* One record, read in little pieces that the socket knows nothing of. */
static void
test_pieces_of_a_record(void **state)
{
	char block[16000];
	struct world w;

	(void)state;
	shaken(&w);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (char)(i * 7);
	w.room = 100;
	assert_int_equal(SSL_write(w.client, block, sizeof block),
	    (int)sizeof block);
	for (int i = 0; i < 200 && w.input.size < sizeof block; i++)
		turn(&w);
	assert_int_equal(w.input.size, sizeof block);
	assert_memory_equal(w.input.data, block, sizeof block);
	/* not wanted for a while, when a part was read already */
	w.input.size = 0;
	assert_int_equal(SSL_write(w.client, "0123456789", 10), 10);
	w.room = 4;
	while (w.input.size == 0)
		turn(&w);
	stream_want_input(&w.stream, false);
	turn(&w);
	assert_true(w.input.size <= 10);
	w.room = 0;
	stream_want_input(&w.stream, true);
	turn(&w);
	assert_memory_equal(w.input.data, "0123456789", 10);
	end(&w);
}

static void
test_look(void **state)
{
	struct world w;

	(void)state;
	shaken(&w);
	assert_int_equal(stream_look(&w.stream), STREAM_QUIET);
	client_says(&w, "QUIT\r\n");
	assert_int_equal(stream_look(&w.stream), STREAM_HAS_INPUT);
	/* looked at, it has left the socket: it must come all the same */
	stream_want_input(&w.stream, true);
	for (int i = 0; i < 200 && w.input.size < 6; i++)
		turn(&w);
	assert_int_equal(w.input.size, 6);
	assert_int_equal(stream_look(&w.stream), STREAM_QUIET);
	/* a goodbye is a record too, and no input */
	assert_int_equal(SSL_shutdown(w.client), 0);
	assert_int_equal(stream_look(&w.stream), STREAM_GONE);
	end(&w);
}

static void
test_broken_record(void **state)
{
	static const char record[] = "\x17\x03\x03\x00\x14" "abcdefghij0123456789";
	struct world w;
	char octet;

	(void)state;
	shaken(&w);
	stream_want_input(&w.stream, false);
	assert_int_equal(write(w.peer, record, sizeof record - 1),
	    (ssize_t)sizeof record - 1);
	assert_int_equal(stream_look(&w.stream), STREAM_GONE);
	assert_true(stream_read(&w.stream, &octet, 1) < 0);
	assert_true(stream_write(&w.stream, SLICE("x")) < 0);
	end(&w);
}

static void
test_slow_reader(void **state)
{
	static char block[600000], got[600000];
	struct world w;
	size_t at = 0;
	int n;

	(void)state;
	shaken(&w);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (char)(i * 13);
	assert_int_equal(stream_write(&w.stream,
	    (struct slice){ block, sizeof block }), 0);
	assert_true(stream_has_output(&w.stream));
	for (int i = 0; i < 500 && at < sizeof got; i++) {
		while ((n = SSL_read(w.client, got + at,
		    (int)(sizeof got - at))) > 0)
			at += (size_t)n;
		turn(&w);
	}
	assert_int_equal(at, sizeof got);
	assert_memory_equal(block, got, sizeof got);
	assert_false(stream_has_output(&w.stream));
	end(&w);
}

static void
test_shut(void **state)
{
	struct world w;
	char octet;

	(void)state;
	shaken(&w);
	assert_int_equal(stream_write(&w.stream, SLICE("221\r\n")), 0);
	stream_shut(&w.stream);
	client_reads(&w, "221\r\n");
	/* a goodbye, and not only the end of the connection */
	SSL_clear_options(w.client, SSL_OP_IGNORE_UNEXPECTED_EOF);
	assert_int_equal(SSL_read(w.client, &octet, 1), 0);
	assert_int_equal(SSL_get_error(w.client, 0), SSL_ERROR_ZERO_RETURN);
	end(&w);
}

/* ---- names ---- */

static const struct {
	const char *asked, *shown;
} names[] = {
	{ NULL, NAME }, { NAME, NAME }, { "MX.Example.ORG", NAME },
	{ "other.example.net", "other.example.net" },
	{ "a.wild.example", "*.wild.example" },
	{ "exact.wild.example", "exact.wild.example" },
	{ "a.b.wild.example", NAME }, { "wild.example", NAME },
	{ ".wild.example", NAME }, { "stranger.example", NAME },
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		const char *asked = names[i].asked ? names[i].asked : "none";
		char shown[100] = "", want[100];
		struct world w;
		X509 *x509;

		begin(&w);
		add(&w, 0, "P-256", NAME);
		add(&w, 1, "P-256", "*.wild.example");
		add(&w, 2, "P-256", "other.example.net");
		add(&w, 3, "P-256", "exact.wild.example");
		connect_client(&w);
		if (names[i].asked != NULL)
			SSL_set_tlsext_host_name(w.client,
			    (char *)(uintptr_t)names[i].asked);
		CHECK(asked, shake(&w) == 0);
		x509 = SSL_get1_peer_certificate(w.client);
		X509_NAME_get_text_by_NID(X509_get_subject_name(x509),
		    NID_commonName, shown, sizeof shown);
		CHECK_STRING(asked, shown, names[i].shown);
		X509_free(x509);
		/* the log's form, of a name that is known and of others */
		snprintf(want, sizeof want, "%s", names[i].asked ?
		    names[i].asked : "");
		for (char *c = want; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? *c + 32 : *c;
		CHECK_STRING(asked, stream_tls_facts(&w.stream)->name, want);
		end(&w);
	}
}

static void
test_one_name_two_keys(void **state)
{
	static const struct { const char *ciphers; int type; } rows[] = {
		{ "ECDHE-ECDSA-AES128-GCM-SHA256", EVP_PKEY_EC },
		{ "ECDHE-RSA-AES128-GCM-SHA256", EVP_PKEY_RSA },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world w;

		begin(&w);
		add(&w, 0, "P-256", NAME);
		add(&w, 1, "RSA", NAME);
		SSL_CTX_set_max_proto_version(w.client_ctx, TLS1_2_VERSION);
		SSL_CTX_set_cipher_list(w.client_ctx, rows[i].ciphers);
		connect_client(&w);
		assert_int_equal(shake(&w), 0);
		assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(
		    SSL_get0_peer_certificate(w.client))), rows[i].type);
		end(&w);
	}
}

static void
test_bad_certificates(void **state)
{
	const struct tls_key id = { 1, 0 };
	struct world w;
	char why[200];

	(void)state;
	begin(&w);
	assert_int_equal(tls_server_add(w.server, NAME, SLICE("rubbish"), &id),
	    -EINVAL);
	tls_error(why, sizeof why);
	assert_string_equal(why, "no start line");
	assert_int_equal(tls_server_add(w.server, NAME, SLICE(""), &id),
	    -EINVAL);
	w.stream.is_open = false;
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_key_stays_where_it_is),
		cmocka_unit_test(test_no_signature_without_handshake),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_no_signature),
		cmocka_unit_test(test_wrong_signature),
		cmocka_unit_test(test_closed_in_a_pause),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_two_handshakes_at_once),
		cmocka_unit_test(test_pieces_of_a_record),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_broken_record),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_shut),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_one_name_two_keys),
		cmocka_unit_test(test_bad_certificates),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
