/* SPDX-License-Identifier: ISC */
/*
 * keyed_hash.c - see keyed_hash.h; Aumasson and Bernstein, 2012.
 */
#include "keyed_hash.h"

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void
mix(uint64_t v[4], unsigned rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t
keyed_hash(const uint64_t key[2], struct slice data)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u,
		key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
		key[1] ^ 0x7465646279746573u };
	uint64_t word = 0;

	for (size_t i = 0; i < data.size; i++) {
		word |= (uint64_t)(unsigned char)data.data[i] << (i % 8 * 8);
		if (i % 8 < 7)
			continue;
		v[3] ^= word;
		mix(v, 2);
		v[0] ^= word;
		word = 0;
	}
	word |= (uint64_t)data.size << 56;
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
