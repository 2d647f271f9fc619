/* SPDX-License-Identifier: ISC */
/*
 * pem_key.h - a private key as it stands in a PEM file.
 */
#ifndef POSTERN_PEM_KEY_H
#define POSTERN_PEM_KEY_H

#include <openssl/evp.h>
#include "buf.h"

/* The caller's, or NULL: there is none, or it has a passphrase, which nobody
 * is asked for. OpenSSL's error queue then says more. */
EVP_PKEY *pem_key_parse(struct slice pem);

#endif
