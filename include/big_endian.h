/* SPDX-License-Identifier: ISC */
/*
 * big_endian.h - numbers as octets, the highest first: how our messages,
 * routes, records and keys hold them, and milters theirs.
 */
#ifndef POSTERN_BIG_ENDIAN_H
#define POSTERN_BIG_ENDIAN_H

#include <stddef.h>
#include <stdint.h>

/* The lowest size octets (at most 8) of v. */
static inline void
big_endian_put(uint8_t *to, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
}

/* size is at most 8. */
static inline uint64_t
big_endian_get(const uint8_t *from, size_t size)
{
	uint64_t v = 0;

	for (size_t i = 0; i < size; i++)
		v = v << 8 | from[i];
	return v;
}

#endif
