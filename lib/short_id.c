/* SPDX-License-Identifier: ISC */
/*
 * short_id.c - ids for people; see short_id.h.
 *
 * The check is a CRC of 9 bits over the 36 bits before it. Its polynomial
 * x^9 + x^4 + 1 is primitive: every wrong character (a burst of 5 bits) and
 * every exchange of two characters is found, by algebra and not by luck.
 */
#include <errno.h>
#include <string.h>
#include "short_id.h"

#define CHARACTERS 9
#define VALUE_BITS 36
#define CHECK_BITS 9
#define CHECK_MASK ((1u << CHECK_BITS) - 1)
#define CHECK_POLYNOMIAL 0x011u		/* x^4 + 1; the x^9 is implied */
#define CHECK_XOR 0x0a5u		/* "000000000" is no id */
#define NUMBER_CHARACTERS 3

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static unsigned
check_bits(uint64_t value)
{
	unsigned crc = 0;

	for (int bit = VALUE_BITS - 1; bit >= 0; bit--) {
		unsigned top = crc >> (CHECK_BITS - 1);

		crc = (crc << 1) & CHECK_MASK;
		if (top ^ (unsigned)(value >> bit & 1))
			crc ^= CHECK_POLYNOMIAL;
	}
	return crc ^ CHECK_XOR;
}

/* Value of a digit as people type it, or -1. */
static int
digit_value(char c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c + ('a' - 'A'));
	if (c == 'o')
		return 0;
	if (c == 'i' || c == 'l')
		return 1;
	at = c == '\0' ? NULL : strchr(digits, c);
	return at ? (int)(at - digits) : -1;
}

int
short_id_encode(char out[SHORT_ID_SIZE], uint16_t segment, uint32_t offset)
{
	uint64_t value;

	if (offset % SHORT_ID_UNIT || offset > SHORT_ID_OFFSET_MAX)
		return -ERANGE;
	value = (uint64_t)segment << 20 | offset / SHORT_ID_UNIT;
	value = value << CHECK_BITS | check_bits(value);
	for (int i = CHARACTERS - 1; i >= 0; i--) {
		out[i] = digits[value & 31];
		value >>= 5;
	}
	out[CHARACTERS] = '\0';
	return 0;
}

int
short_id_with_number(char out[SHORT_ID_NUMBERED_SIZE],
    const char id[SHORT_ID_SIZE], unsigned number)
{
	char *at = out + CHARACTERS;

	if (number == 0 || number > SHORT_ID_NUMBER_MAX)
		return -ERANGE;
	memcpy(out, id, CHARACTERS);
	for (int shift = 10; shift >= 0; shift -= 5)
		if (number >> shift)
			*at++ = digits[number >> shift & 31];
	*at = '\0';
	return 0;
}

/* Digits to a value; false for a character that is none. */
static bool
read_digits(struct slice s, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < s.size; i++) {
		int digit = digit_value(s.data[i]);

		if (digit < 0)
			return false;
		*value = *value << 5 | (unsigned)digit;
	}
	return true;
}

int
short_id_decode(struct short_id *id, struct slice text)
{
	struct slice number;
	uint64_t value, n;

	if (text.size < CHARACTERS ||
	    text.size > CHARACTERS + NUMBER_CHARACTERS)
		return -EINVAL;
	number = (struct slice){ text.data + CHARACTERS,
		text.size - CHARACTERS };
	if (!read_digits((struct slice){ text.data, CHARACTERS }, &value) ||
	    !read_digits(number, &n))
		return -EINVAL;
	if ((value & CHECK_MASK) != check_bits(value >> CHECK_BITS))
		return -EINVAL;
	if (number.size > 0 && digit_value(*number.data) == 0)
		return -EINVAL;
	value >>= CHECK_BITS;
	id->segment = (uint16_t)(value >> 20);
	id->offset = (uint32_t)(value & 0xfffff) * SHORT_ID_UNIT;
	id->number = (uint16_t)n;
	return 0;
}
