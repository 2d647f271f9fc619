/* SPDX-License-Identifier: ISC */
/*
 * See base64.h.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_encode(struct buf *to, struct slice from)
{
	const unsigned char *in = (const unsigned char *)from.data;
	size_t i, n;
	int error = 0;

	for (i = 0; i < from.size && !error; i += 3) {
		char group[4];
		uint32_t bits = (uint32_t)in[i] << 16;

		n = from.size - i;
		bits |= n > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		bits |= n > 2 ? in[i + 2] : 0;
		group[0] = alphabet[bits >> 18];
		group[1] = alphabet[bits >> 12 & 63];
		group[2] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
		group[3] = n > 2 ? alphabet[bits & 63] : '=';
		error = buf_append(to, group, sizeof(group));
	}
	return error;
}

/* The six bits of a digit, or -1. */
static int
digit_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

/* Octets that a group stands for; 0: it is none. */
static size_t
decode_group(const char *group, bool is_last, unsigned char out[3])
{
	uint32_t bits = 0;
	size_t n_digits = 4;
	size_t i;
	int digit;

	if (is_last && group[3] == '=')
		n_digits = group[2] == '=' ? 2 : 3;
	for (i = 0; i < 4; i++) {
		digit = i < n_digits ? digit_of(group[i]) : 0;
		if (digit < 0)
			return 0;
		bits = bits << 6 | (uint32_t)digit;
	}
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	/* one text for each sequence of octets, and no other */
	if ((n_digits == 2 && out[1] != 0) || (n_digits == 3 && out[2] != 0))
		return 0;
	return n_digits - 1;
}

int
base64_decode(struct buf *to, struct slice from)
{
	unsigned char out[3];
	size_t i, n;
	int error = 0;

	if (from.size % 4 != 0)
		return -EBADMSG;
	for (i = 0; i < from.size && !error; i += 4) {
		n = decode_group(from.data + i, i + 4 == from.size, out);
		error = n == 0 ? -EBADMSG : buf_append(to, out, n);
	}
	explicit_bzero(out, sizeof(out));
	return error;
}
