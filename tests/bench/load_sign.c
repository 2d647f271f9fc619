/* SPDX-License-Identifier: ISC */
/*
 * load_sign.c - DKIM signatures of the load generator (load.h, RFC 6376).
 *
 * Signing costs more than all else that a client does, so it is done before
 * the clock runs. The header fields are written as relaxed canonicalization
 * wants them, except for the case of their names.
 */
#include "load.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX 2048

static EVP_PKEY *
read_key(const char *path)
{
	FILE *file = fopen(path, "r");
	EVP_PKEY *key = file != NULL ?
	    PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

	if (key == NULL)
		load_die(path);
	fclose(file);
	return key;
}

/* bh=: no line ends with a space, none is empty; runs of spaces shrink. */
static void
hash_relaxed_body(const struct load *load, char base64[64])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	const char *body = load->body;
	unsigned len;

	EVP_DigestInit_ex(context, EVP_sha256(), NULL);
	for (size_t i = 0; i < load->body_len - 3; i++)
		if (i == 0 || body[i] != ' ' || body[i - 1] != ' ')
			EVP_DigestUpdate(context, body + i, 1);
	EVP_DigestFinal_ex(context, digest, &len);
	EVP_EncodeBlock((unsigned char *)base64, digest, (int)len);
	EVP_MD_CTX_free(context);
}

/* The field's name goes to lower case, "Name: value" to "name:value". */
static void
add_relaxed(EVP_MD_CTX *context, const char *field, size_t len)
{
	size_t name = (size_t)((const char *)memchr(field, ':', len) - field);

	for (size_t i = 0; i < name; i++) {
		char c = (char)tolower((unsigned char)field[i]);

		EVP_DigestSignUpdate(context, &c, 1);
	}
	EVP_DigestSignUpdate(context, ":", 1);
	EVP_DigestSignUpdate(context, field + name + 2, len - name - 2);
}

/* Whole header lines, but the last CRLF of the signature's own field. */
static void
sign(EVP_PKEY *key, const char *header, const char *own, char *base64)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t len = sizeof(signature);
	const char *end;

	if (context == NULL || EVP_DigestSignInit(context, NULL, EVP_sha256(),
	    NULL, key) != 1)
		load_die("signature");
	for (; (end = strstr(header, "\r\n")) != NULL; header = end + 2)
		add_relaxed(context, header, (size_t)(end + 2 - header));
	add_relaxed(context, own, strlen(own));
	if (EVP_DigestSignFinal(context, signature, &len) != 1)
		load_die("signature");
	EVP_EncodeBlock((unsigned char *)base64, signature, (int)len);
	EVP_MD_CTX_free(context);
}

static char *
signed_header(const struct load *load, long message, EVP_PKEY *key,
    const char *body_hash)
{
	static const char fields[] =
	    "from:to:subject:date:message-id:mime-version:content-type";
	const char *domain = strchr(load->opt.sender, '@');
	char own[512], base64[1400];
	char header[HEADER_MAX], *whole = malloc(2 * HEADER_MAX);

	if (domain == NULL || whole == NULL)
		load_die("sender");
	message_write_header(load, message, header, sizeof(header));
	snprintf(own, sizeof(own), "DKIM-Signature: v=1; a=rsa-sha256; "
	    "c=relaxed/relaxed; d=%s; s=bench; h=%s; bh=%s; b=",
	    domain + 1, fields, body_hash);
	sign(key, header, own, base64);
	/* The line is folded where relaxed folding puts one space back. */
	snprintf(whole, 2 * HEADER_MAX, "DKIM-Signature: v=1; a=rsa-sha256; "
	    "c=relaxed/relaxed; d=%s; s=bench;\r\n h=%s;\r\n bh=%s;\r\n"
	    " b=%s\r\n%s", domain + 1, fields, body_hash, base64, header);
	return whole;
}

void
sign_messages(struct load *load)
{
	EVP_PKEY *key = read_key(load->opt.dkim_key);
	char body_hash[64];

	load->headers = calloc((size_t)load->opt.messages + 1,
	    sizeof(load->headers[0]));
	if (load->headers == NULL)
		load_die("headers");
	hash_relaxed_body(load, body_hash);
	for (long i = 0; i < load->opt.messages; i++)
		load->headers[i] = signed_header(load, i, key, body_hash);
	EVP_PKEY_free(key);
}
