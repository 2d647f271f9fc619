/* SPDX-License-Identifier: ISC */
/*
 * pem_key.c - see pem_key.h.
 */
#include <openssl/pem.h>
#include "pem_key.h"

static int
no_passphrase(char *to, int size, int is_writing, void *arg)
{
	(void)to;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

EVP_PKEY *
pem_key_parse(struct slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *key = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return key;
}
