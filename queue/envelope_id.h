/* SPDX-License-Identifier: ISC */
/*
 * envelope_id.h - queue ids as people read them. Pure.
 */
#ifndef QUEUE_ENVELOPE_ID_H
#define QUEUE_ENVELOPE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define ENVELOPE_ID_SIZE 16		/* with terminator */

/* Ten characters of base32, which sort by time; at most 60 bits. */
void envelope_id_write(char out[ENVELOPE_ID_SIZE], uint64_t id);
bool envelope_id_parse(uint64_t *id, struct slice text);

#endif
