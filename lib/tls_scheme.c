/* SPDX-License-Identifier: ISC */
/*
 * tls_scheme.c - kinds of signatures, and what they are made over.
 */
#include <string.h>
#include <strings.h>
#include "tls.h"

static const struct tls_scheme_info schemes[] = {
	{ TLS_RSA_PKCS1_SHA256, "RSA", "SHA256", false },
	{ TLS_RSA_PKCS1_SHA384, "RSA", "SHA384", false },
	{ TLS_RSA_PKCS1_SHA512, "RSA", "SHA512", false },
	{ TLS_ECDSA_SHA256, "EC", "SHA256", false },
	{ TLS_ECDSA_SHA384, "EC", "SHA384", false },
	{ TLS_ECDSA_SHA512, "EC", "SHA512", false },
	{ TLS_RSA_PSS_SHA256, "RSA", "SHA256", true },
	{ TLS_RSA_PSS_SHA384, "RSA", "SHA384", true },
	{ TLS_RSA_PSS_SHA512, "RSA", "SHA512", true },
	{ TLS_ED25519, "ED25519", NULL, false },
};
#define N_SCHEMES (sizeof schemes / sizeof *schemes)

const struct tls_scheme_info *
tls_scheme_find(unsigned scheme)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (schemes[i].scheme == scheme)
			return &schemes[i];
	return NULL;
}

/* "SHA2-256" is the name that OpenSSL 3 prefers for "SHA256". */
static bool
is_digest(const char *known, const char *name)
{
	if (known == NULL || name == NULL)
		return known == name;
	return strcasecmp(known, name) == 0 ||
	    (strncasecmp(name, "SHA2-", 5) == 0 &&
	    strcmp(known + 3, name + 5) == 0);
}

const struct tls_scheme_info *
tls_scheme_of(const char *key_type, const char *digest, bool is_pss)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (strcmp(schemes[i].key_type, key_type) == 0 &&
		    schemes[i].is_pss == is_pss &&
		    is_digest(schemes[i].digest, digest))
			return &schemes[i];
	return NULL;
}

/* ---- what is signed ---- */

#define N_SPACES 64
#define N_RANDOMS 64
#define NAMED_CURVE 3

static const char verify_context[] = "TLS 1.3, server CertificateVerify";

/* RFC 8446 4.4.3: spaces, the context, its NUL, the transcript's hash. */
static bool
is_certificate_verify(struct slice data)
{
	size_t before = N_SPACES + sizeof verify_context;

	if (data.size != before + 32 && data.size != before + 48)
		return false;
	for (size_t i = 0; i < N_SPACES; i++)
		if (data.data[i] != ' ')
			return false;
	return memcmp(data.data + N_SPACES, verify_context,
	    sizeof verify_context) == 0;
}

/* RFC 8422 5.4: randoms, curve type, curve, a point with its length. */
static bool
is_key_exchange(struct slice data)
{
	static const struct { uint16_t curve; uint8_t point; } curves[] = {
		{ 29, 32 },	/* x25519 */
		{ 23, 65 },	/* secp256r1, uncompressed */
		{ 24, 97 },	/* secp384r1 */
	};
	const uint8_t *at = (const uint8_t *)data.data + N_RANDOMS;

	if (data.size < N_RANDOMS + 4 || at[0] != NAMED_CURVE)
		return false;
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if ((at[1] << 8 | at[2]) == curves[i].curve)
			return at[3] == curves[i].point &&
			    data.size == N_RANDOMS + 4u + at[3];
	return false;
}

bool
tls_is_signed_by_server(struct slice data)
{
	return is_certificate_verify(data) || is_key_exchange(data);
}
