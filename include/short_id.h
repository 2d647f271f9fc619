/* SPDX-License-Identifier: ISC */
/*
 * short_id.h - the id that every log line and every refusal carries.
 *
 * Nine characters of base32 (Crockford's digits, lower case) say where in
 * the trail a session stands: segment (16 bits), offset in units of 16
 * octets (20 bits), and 9 check bits. A refusal appends its number in the
 * session: "k3f9q2m7t" + "1". People read ids aloud and type them again,
 * so any one wrong character and any two swapped ones are noticed, and
 * case, o for 0, i and l for 1 do not matter. Pure.
 */
#ifndef POSTERN_SHORT_ID_H
#define POSTERN_SHORT_ID_H

#include <stdint.h>
#include "buf.h"

#define SHORT_ID_SIZE 10		/* nine characters and NUL */
#define SHORT_ID_NUMBERED_SIZE 13	/* with a number, and NUL */
#define SHORT_ID_UNIT 16
#define SHORT_ID_OFFSET_MAX (((1u << 20) - 1) * SHORT_ID_UNIT)
#define SHORT_ID_NUMBER_MAX 32767

struct short_id {
	uint16_t segment;
	uint32_t offset;	/* octets, a multiple of SHORT_ID_UNIT */
	uint16_t number;	/* of the refusal; 0: none */
};

/* 0, or -ERANGE for an offset that is odd or over SHORT_ID_OFFSET_MAX. */
int short_id_encode(char out[SHORT_ID_SIZE], uint16_t segment,
    uint32_t offset);
/* Append number (1 to SHORT_ID_NUMBER_MAX) to an id. 0 or -ERANGE. */
int short_id_with_number(char out[SHORT_ID_NUMBERED_SIZE],
    const char id[SHORT_ID_SIZE], unsigned number);
/* 0, or -EINVAL: length, character, check or a number with leading zeros. */
int short_id_decode(struct short_id *id, struct slice text);

#endif
