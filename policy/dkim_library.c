/* SPDX-License-Identifier: ISC */
/*
 * dkim_library.c - one signature through libopendkim; see dkim_library.h.
 *
 * The library brings header and body into canonical form and makes their
 * hashes; keys and signatures over the hashes are for dkim_key.c.
 *
 * What the library (2.11.0) needs to be kept from:
 *
 * - One signature's l= stays set for those after it, so each has a context
 *   of its own, and its field is the first that the library sees. Other
 *   signatures are left out unless h= names them.
 * - The field under verification is chosen for h= like any other, and when
 *   all fields are chosen one pointer is written behind an array. So h= may
 *   not name "DKIM-Signature" more often than there are others.
 * - x= and t= are compared with the clock: the drift that it is told makes
 *   the clock agree with what dkim_signature_is_timely found.
 * - A missing CR LF at the end of the body is an error to it, and to
 *   RFC 6376 3.4 is not.
 * - h= is copied into a fixed buffer and cut: it is shorter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <opendkim/dkim.h>
#include "dkim_key.h"
#include "dkim_library.h"

#define OTHER_SIGNATURES_MAX 10	/* when h= names them */
#define BODY_CHUNK 16384

struct dkim_library {
	DKIM_LIB *lib;
};

/*
 * The library never gets a key: it only makes the hashes. That it found none
 * is its word for a signature that it has nothing else against.
 */
static DKIM_CBSTAT
give_no_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *to, size_t room)
{
	(void)dkim;
	(void)sig;
	(void)to;
	(void)room;
	return DKIM_CBSTAT_NOTFOUND;
}

int
dkim_library_new(struct dkim_library **library)
{
	struct dkim_library *l = calloc(1, sizeof(*l));
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;

	*library = l;
	if (l == NULL)
		return -ENOMEM;
	/* reads openssl.cnf, which the sandbox would forbid */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	l->lib = dkim_init(NULL, NULL);
	if (l->lib == NULL ||
	    dkim_options(l->lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
	    sizeof(flags)) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(l->lib, give_no_key) != DKIM_STAT_OK) {
		dkim_library_free(library);
		return -ENOMEM;
	}
	return 0;
}

void
dkim_library_free(struct dkim_library **library)
{
	if (*library != NULL && (*library)->lib != NULL)
		dkim_close((*library)->lib);
	free(*library);
	*library = NULL;
}

/*
 * The library says expired for now >= x + drift, and future for
 * now < t - drift, both modulo 2^64: any drift up to t is good.
 */
static bool
set_drift(DKIM_LIB *lib, const struct dkim_signature *s)
{
	uint64_t now = (uint64_t)time(NULL) + 60, drift = 0;

	if (s->has_expiry && now >= s->expiry_s)
		drift = now - s->expiry_s + 1;
	if (s->has_time && s->time_s + 120 > now + drift)
		drift = s->time_s + 120 - now;
	if (s->has_time && drift > s->time_s)
		return false;
	return dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT,
	    &drift, sizeof(drift)) == DKIM_STAT_OK;
}

static DKIM_STAT
feed_field(DKIM *dkim, const struct dkim_case *c, unsigned i)
{
	const struct dkim_field *field = &c->fields->items[i];

	return dkim_header(dkim,
	    (unsigned char *)c->fields->text.data + field->at, field->size);
}

/* The signature first, then everything that it may have signed. */
static bool
feed_header(DKIM *dkim, const struct dkim_case *c)
{
	if (feed_field(dkim, c, c->own) != DKIM_STAT_OK)
		return false;
	for (unsigned i = 0; i < c->fields->n; i++) {
		if (i == c->own || (c->fields->items[i].is_signature &&
		    c->signature.n_own_names == 0))
			continue;
		/* SYNTAX: a bad name, or another signature that is bad */
		if (feed_field(dkim, c, i) == DKIM_STAT_NORESOURCE)
			return false;
	}
	return dkim_eoh(dkim) == DKIM_STAT_OK;
}

/* Adds CR to each LF, and CR LF at the end where it is missing. */
static bool
feed_body(DKIM *dkim, struct slice body)
{
	unsigned char chunk[BODY_CHUNK];
	size_t n = 0;

	for (size_t i = 0; i < body.size; i++) {
		if (n + 2 > sizeof(chunk)) {
			if (dkim_body(dkim, chunk, n) != DKIM_STAT_OK)
				return false;
			n = 0;
		}
		if (body.data[i] == '\n')
			chunk[n++] = '\r';
		chunk[n++] = (unsigned char)body.data[i];
	}
	if (n > 0 && dkim_body(dkim, chunk, n) != DKIM_STAT_OK)
		return false;
	if (body.size == 0 || body.data[body.size - 1] == '\n')
		return true;
	memcpy(chunk, "\r\n", 2);
	return dkim_body(dkim, chunk, 2) == DKIM_STAT_OK;
}

/* Octets of a line in canonical form, without its end (RFC 6376 3.4). */
static size_t
line_size(struct slice line, bool is_relaxed)
{
	size_t size = 0, spaces = 0;

	if (!is_relaxed)
		return line.size;
	for (size_t i = 0; i < line.size; i++) {
		if (line.data[i] == ' ' || line.data[i] == '\t') {
			spaces = 1;
			continue;
		}
		size += spaces + 1;
		spaces = 0;
	}
	return size;
}

/* Octets of the whole body in canonical form: what l= must cover. */
static uint64_t
body_size(struct slice body, bool is_relaxed)
{
	uint64_t size = 0, empty = 0;

	while (body.size > 0) {
		size_t end = slice_find(body, '\n');
		size_t n = line_size((struct slice){ body.data, end },
		    is_relaxed);

		if (n == 0)
			empty++;
		else {
			size += 2 * empty + n + 2;
			empty = 0;
		}
		end += end < body.size;
		body = (struct slice){ body.data + end, body.size - end };
	}
	return size == 0 && !is_relaxed ? 2 : size;
}

/* bh= without its folds, decoded; false if it is no SHA-256. */
static bool
decode_hash(struct slice text, unsigned char octets[33])
{
	unsigned char plain[44];
	size_t n = 0;

	for (size_t i = 0; i < text.size; i++) {
		if ((unsigned char)text.data[i] <= ' ')
			continue;
		if (n == sizeof(plain))
			return false;
		plain[n++] = (unsigned char)text.data[i];
	}
	return n == sizeof(plain) &&
	    EVP_DecodeBlock(octets, plain, sizeof(plain)) == 33;
}

/* What l= must cover, counted once for each canonicalization. */
static uint64_t
whole_body(const struct dkim_case *c, struct dkim_digest *digest)
{
	if (!digest->is_sized)
		digest->size = body_size(c->body,
		    c->signature.is_relaxed_body);
	digest->is_sized = true;
	return digest->size;
}

/*
 * Have the library make the hash of the header. The body goes along when its
 * own is not known yet; it is of the whole body, as any other l= is never a
 * pass. So there are but two of it, and a body of 50 MB is read twice at most.
 */
static bool
make_hashes(DKIM *dkim, const struct dkim_case *c, DKIM_SIGINFO *sig,
    unsigned char header[32])
{
	struct dkim_digest *digest =
	    &c->fields->digests[c->signature.is_relaxed_body];
	bool is_needed = !digest->is_known && (!c->signature.has_length ||
	    c->signature.length == whole_body(c, digest)), is_testing;
	void *of_header, *of_body;
	size_t header_size, body_size;

	if (is_needed && !feed_body(dkim, c->body))
		return false;
	(void)dkim_eom(dkim, &is_testing);
	if (dkim_sig_gethashes(sig, &of_header, &header_size, &of_body,
	    &body_size) != DKIM_STAT_OK || header_size != 32 ||
	    body_size != sizeof(digest->octets))
		return false;
	memcpy(header, of_header, 32);
	if (is_needed)
		memcpy(digest->octets, of_body, body_size);
	digest->is_known |= is_needed;
	return true;
}

static void
judge_body(const struct dkim_case *c, struct dkim_result *result)
{
	struct dkim_digest *digest =
	    &c->fields->digests[c->signature.is_relaxed_body];
	uint64_t size = c->signature.has_length ? whole_body(c, digest) : 0;
	unsigned char octets[33];

	if (c->signature.has_length && c->signature.length < size)
		dkim_result_set(result, DKIM_POLICY,
		    "l= leaves a part of the body unsigned");
	else if (c->signature.has_length && c->signature.length > size)
		dkim_result_set(result, DKIM_FAIL,
		    "the body is shorter than l=");
	else if (decode_hash(c->signature.body_hash, octets) &&
	    memcmp(octets, digest->octets, sizeof(digest->octets)) == 0)
		dkim_result_set(result, DKIM_PASS, "");
	else
		dkim_result_set(result, DKIM_FAIL, "the body was changed");
}

/* The header's signature first: it says whose word bh= and l= are. */
static void
judge_hashes(DKIM *dkim, const struct dkim_case *c, EVP_PKEY *key,
    struct dkim_result *result)
{
	unsigned char header[32];
	DKIM_SIGINFO **sigs = NULL;
	int n = 0;

	if (!feed_header(dkim, c) ||
	    dkim_getsiglist(dkim, &sigs, &n) != DKIM_STAT_OK || n < 1)
		/* such as a From field that the library cannot read */
		dkim_result_set(result, DKIM_NEUTRAL,
		    "the header cannot be read");
	else if (dkim_sig_geterror(sigs[0]) != DKIM_SIGERROR_UNKNOWN)
		dkim_result_set(result, DKIM_NEUTRAL,
		    dkim_sig_geterrorstr(dkim_sig_geterror(sigs[0])));
	else if (!make_hashes(dkim, c, sigs[0], header))
		dkim_result_set(result, DKIM_TEMPERROR, "out of memory");
	else if (!dkim_key_verifies(key, header, c->signature.signature))
		dkim_result_set(result, DKIM_FAIL, "the header was changed");
	else
		judge_body(c, result);
}

static bool
is_fit(const struct dkim_case *c, struct dkim_result *result)
{
	unsigned n_others = c->fields->n_signatures - 1;

	if (c->signature.n_own_names > n_others)
		return dkim_result_set(result, DKIM_NEUTRAL,
		    "h= names the signature itself");
	if (c->signature.n_own_names > 0 && n_others > OTHER_SIGNATURES_MAX)
		return dkim_result_set(result, DKIM_NEUTRAL,
		    "h= names too many signatures");
	return true;
}

/* RFC 8301 3.2 for RSA */
static bool
is_long_enough(EVP_PKEY *key, const struct dkim_case *c,
    struct dkim_result *result)
{
	if (c->signature.is_ed25519)
		return true;
	result->key_bits = dkim_key_bits(key);
	return result->key_bits >= DKIM_KEY_BITS_MIN ||
	    dkim_result_set(result, DKIM_FAIL, "the key is too short");
}

void
dkim_library_verify(struct dkim_library *library, const struct dkim_case *c,
    struct dkim_result *result)
{
	EVP_PKEY *key = NULL;
	DKIM *dkim = NULL;
	DKIM_STAT status;

	if (!is_fit(c, result))
		return;
	key = dkim_key_decode(c->key, c->signature.is_ed25519);
	if (key == NULL)
		dkim_result_set(result, DKIM_PERMERROR,
		    "the key cannot be read");
	else if (is_long_enough(key, c, result)) {
		dkim = dkim_verify(library->lib,
		    (const unsigned char *)"postern", NULL, &status);
		if (dkim == NULL || !set_drift(library->lib, &c->signature))
			dkim_result_set(result, DKIM_TEMPERROR,
			    "out of memory");
		else
			judge_hashes(dkim, c, key, result);
	}
	if (dkim != NULL)
		dkim_free(dkim);
	EVP_PKEY_free(key);
	ERR_clear_error();
}
