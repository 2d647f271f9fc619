/* SPDX-License-Identifier: ISC */
/*
 * tls_server.h - what tls_server.c and stream_tls.c share.
 */
#ifndef POSTERN_LIB_TLS_SERVER_H
#define POSTERN_LIB_TLS_SERVER_H

#include <openssl/ssl.h>
#include "tls.h"

struct tls_name {
	char *name;
	SSL_CTX *ctx;
};

struct tls_server {
	const struct tls_signer *signer;
	struct tls_name *names;		/* the first is the default */
	size_t n_names;
};

#endif
