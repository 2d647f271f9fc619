/* SPDX-License-Identifier: ISC */
/*
 * tls_client.h - TLS for streams that we have opened (stream.h).
 *
 * What the other side must prove is said before the handshake, and checked
 * within it: a stream that is secured has proved it, unless it may fail.
 * Without a check any certificate will do, which keeps out who only listens
 * (RFC 7435).
 *
 *	tls_init -> tls_client_new -> (sandbox) -> stream_start_tls_client
 *	    -> STREAM_SECURED or STREAM_INSECURE
 *
 * Only relay uses it. Nothing here logs.
 */
#ifndef POSTERN_TLS_CLIENT_H
#define POSTERN_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "stream.h"

#define TLS_TLSA_MAX 16			/* records that are looked at */
#define TLS_TLSA_WHOLE_MAX 2048		/* matching type 0: no digest */
#define TLS_CLIENT_NAMES_MAX 16

/* A TLSA record (RFC 6698); data is the owner's and must outlive its use. */
struct tls_tlsa {
	uint8_t usage, selector, matching_type;
	struct slice data;
};

enum tls_check {
	TLS_CHECK_NOTHING,
	TLS_CHECK_NAMES,	/* a chain to our CAs, with one of the names */
	TLS_CHECK_DANE,		/* one of the TLSA records (RFC 7672) */
};

struct tls_wanted {
	const char *sni;			/* or NULL */
	enum tls_check check;
	const char *names[TLS_CLIENT_NAMES_MAX];
	size_t n_names;				/* "*.example.org" too */
	/* of TLS_CHECK_NAMES: goes on without; stream_tls_fault says so */
	bool may_fail;
	const struct tls_tlsa *tlsa;
	size_t n_tlsa;
};

/* Why a handshake failed, in the words of RFC 8460 4.3. */
enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_HANDSHAKE,	/* validation-failure: anything else */
	TLS_FAULT_NAME,		/* certificate-host-mismatch */
	TLS_FAULT_EXPIRED,	/* certificate-expired */
	TLS_FAULT_UNTRUSTED,	/* certificate-not-trusted */
	TLS_FAULT_TLSA,		/* no TLSA record fits */
	TLS_FAULT_COUNT
};

struct tls_client;

/* Octets of a file of authorities. */
#define TLS_CLIENT_CA_MAX (4u << 20)
/* Why a file of authorities is of no use; NULL: it is good. */
const char *tls_client_ca_problem(struct slice ca);
/* ca: certificates in PEM; may be empty: no name can be proved then. NULL
 * without memory, or when OpenSSL does not take them. It is for the life of
 * the process. */
struct tls_client *tls_client_new(struct slice ca);
/* Records that can be used: RFC 7672 3.1 knows usages 2 and 3 only. */
bool tls_tlsa_is_usable(const struct tls_tlsa *tlsa);
/*
 * Begin a handshake as client, when nothing waits to be written. wanted is
 * used in the call only. 0, -EINVAL (nothing of what was asked for can be
 * checked) or -ENOMEM.
 */
int stream_start_tls_client(struct stream *stream,
    const struct tls_client *client, const struct tls_wanted *wanted);
/* After STREAM_INSECURE; after STREAM_SECURED what may_fail has let pass. */
enum tls_fault stream_tls_fault(const struct stream *stream);

#endif
