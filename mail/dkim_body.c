/* SPDX-License-Identifier: ISC */
/*
 * dkim_body.c - the hash of a relaxed body (RFC 6376 3.4.4); see dkim_sign.h.
 *
 * White space at the end of a line goes, other white space becomes one
 * space, empty lines at the end go, and an empty body stays empty.
 */
#include <errno.h>
#include <openssl/evp.h>
#include "dkim_sign.h"
#include "octets.h"

#define BLOCK 4096

struct block {
	char data[BLOCK];
	size_t size;
};

int
dkim_body_start(struct dkim_body *b)
{
	*b = (struct dkim_body){ .digest = EVP_MD_CTX_new() };
	if (b->digest != NULL &&
	    EVP_DigestInit_ex(b->digest, EVP_sha256(), NULL) == 1)
		return 0;
	dkim_body_free(b);
	return -ENOMEM;
}

void
dkim_body_free(struct dkim_body *b)
{
	EVP_MD_CTX_free(b->digest);
	b->digest = NULL;
}

static void
block_flush(struct dkim_body *b, struct block *block)
{
	if (EVP_DigestUpdate(b->digest, block->data, block->size) != 1)
		b->failed = true;
	block->size = 0;
}

static void
block_put(struct dkim_body *b, struct block *block, char c)
{
	if (block->size == sizeof(block->data))
		block_flush(b, block);
	block->data[block->size++] = c;
}

static void
put_line_end(struct dkim_body *b, struct block *block)
{
	block_put(b, block, '\r');
	block_put(b, block, '\n');
}

/* What was held back matters now that text follows. */
static void
put_octet(struct dkim_body *b, struct block *block, char c)
{
	for (; b->n_empty > 0; b->n_empty--)
		put_line_end(b, block);
	if (b->has_space)
		block_put(b, block, ' ');
	b->has_space = false;
	b->is_in_line = true;
	block_put(b, block, c);
}

void
dkim_body_add(struct dkim_body *b, struct slice part)
{
	struct block block;

	block.size = 0;
	for (size_t i = 0; i < part.size; i++) {
		char c = part.data[i];

		if (c == '\n' && b->is_in_line)
			put_line_end(b, &block);
		else if (c == '\n')
			b->n_empty++;
		else if (is_space(c))
			b->has_space = true;
		else
			put_octet(b, &block, c);
		if (c == '\n')
			b->is_in_line = b->has_space = false;
	}
	block_flush(b, &block);
}

int
dkim_body_end(struct dkim_body *b, uint8_t hash[DKIM_HASH_SIZE])
{
	if (b->is_in_line)	/* without its last line end */
		dkim_body_add(b, SLICE("\n"));
	if (EVP_DigestFinal_ex(b->digest, hash, NULL) != 1)
		b->failed = true;
	dkim_body_free(b);
	return b->failed ? -EIO : 0;
}
