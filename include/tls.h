/* SPDX-License-Identifier: ISC */
/*
 * tls.h - TLS for streams (stream.h), with private keys somewhere else.
 *
 * A process that serves TLS holds certificates and the public halves of
 * their keys. What a handshake must sign goes out through a struct
 * tls_signer, to vault; meanwhile the handshake is paused and all other
 * streams go on. The pause is an ASYNC job of OpenSSL, and the forwarding a
 * small provider in this process (lib/tls_provider.c).
 *
 *	tls_init -> tls_server_new -> tls_server_add ... -> (sandbox)
 *	    -> stream_start_tls ... ---- ask ----> the signer
 *	                         <- tls_signing_answer
 *
 * Versions are TLS 1.2 and 1.3, without tickets, renegotiation, compression
 * and client certificates. Nothing here logs.
 */
#ifndef POSTERN_TLS_H
#define POSTERN_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define TLS_SIGNED_MAX 512	/* octets that one handshake signs */
#define TLS_SIGNATURE_MAX 1024	/* RSA with 8192 bits */
#define TLS_NAME_MAX 255
#define TLS_PEM_MAX (256u << 10)	/* a certificate file, or a key's */

/* A private key in vault. generation counts reloads, index: config->tls. */
struct tls_key {
	uint16_t generation, index;
};

/* RFC 8446 4.2.3. In TLS 1.2 those of ECDSA do not fix the curve. */
enum tls_scheme {
	TLS_RSA_PKCS1_SHA256 = 0x0401,
	TLS_RSA_PKCS1_SHA384 = 0x0501,
	TLS_RSA_PKCS1_SHA512 = 0x0601,
	TLS_ECDSA_SHA256 = 0x0403,
	TLS_ECDSA_SHA384 = 0x0503,
	TLS_ECDSA_SHA512 = 0x0603,
	TLS_RSA_PSS_SHA256 = 0x0804,
	TLS_RSA_PSS_SHA384 = 0x0805,
	TLS_RSA_PSS_SHA512 = 0x0806,
	TLS_ED25519 = 0x0807,
};

struct tls_scheme_info {
	enum tls_scheme scheme;
	const char *key_type;		/* "RSA", "EC", "ED25519" */
	const char *digest;		/* "SHA256"; NULL: none */
	bool is_pss;
};

/* NULL: none of the above. */
const struct tls_scheme_info *tls_scheme_find(unsigned scheme);
/* By what OpenSSL says; digest may be NULL or in any case of letters. */
const struct tls_scheme_info *tls_scheme_of(const char *key_type,
    const char *digest, bool is_pss);
/*
 * Is this what a TLS server signs: in TLS 1.3 its CertificateVerify
 * (RFC 8446 4.4.3), in TLS 1.2 the randoms and its share of a key exchange
 * over a named curve (RFC 8422 5.4), and nothing behind it?
 */
bool tls_is_signed_by_server(struct slice data);

/* ---- signatures ---- */

/* One that a handshake waits for. */
struct tls_signing {
	struct tls_key key;
	enum tls_scheme scheme;
	size_t data_size;
	uint8_t data[TLS_SIGNED_MAX];
	uint32_t id;			/* the signer's own */
	/* lib/stream_tls.c's */
	int state;
	size_t signature_size;
	uint8_t signature[TLS_SIGNATURE_MAX];
	void *handshake;
};

struct tls_signer {
	/* False: it cannot be asked. Must not answer from within. */
	bool (*ask)(void *arg, struct tls_signing *signing);
	/* The one that was asked is not wanted any more. */
	void (*forget)(void *arg, struct tls_signing *signing);
	void *arg;
};

/* Goes on with the handshake; signature "" : there is none. May close the
 * stream and free its owner, and signing with it. */
void tls_signing_answer(struct tls_signing *signing, struct slice signature);

/* ---- servers ---- */

struct tls_server;

/* Loads OpenSSL, once, and what it reads from disk; before the sandbox. 0 or
 * -EIO. */
int tls_init(void);
/* signer stays the caller's and must outlive it. NULL without memory. */
struct tls_server *tls_server_new(const struct tls_signer *signer);
void tls_server_free(struct tls_server **server);
/*
 * Show this certificate (PEM, with its chain) to clients that ask for name,
 * which may be "*.example.org"; the first one is everybody's default. 0, or
 * -EINVAL: OpenSSL does not take it; tls_error says why.
 */
int tls_server_add(struct tls_server *server, const char *name,
    struct slice pem, const struct tls_key *key);
/* OpenSSL's last complaint, and none of it is left. */
void tls_error(char *text, size_t size);

/* What a handshake has agreed on. */
struct tls_facts {
	const char *version;		/* "TLSv1.3" */
	const char *cipher;		/* "TLS_AES_256_GCM_SHA384" */
	unsigned cipher_bits;		/* of its secret */
	char name[TLS_NAME_MAX + 1];	/* SNI: lower case, letters, digits,
					 * dots, hyphens; or "" */
};

#endif
