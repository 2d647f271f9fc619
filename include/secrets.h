/* SPDX-License-Identifier: ISC */
/*
 * secrets.h - what vault knows that nobody else may: the file
 * state_dir/secrets.
 *
 * The supervisor makes it at the first start, and new keys of the tags and
 * of SRS once the newest is SECRETS_ROTATE_DAYS old; vault gets it as a
 * sealed memory file. Hosts that send for the same domains may share it:
 * whoever has it can check what any of them has written.
 *
 *	batv GENERATION DAY HEX		the newest first, two at most
 *	trace HEX			our Received fields
 *	srs HEX				forwards; the same
 *
 * DAY is the one on which it was made, since 1970. "#" begins a comment.
 * Pure, but for secrets_make and secrets_rotate, which want random numbers.
 */
#ifndef POSTERN_SECRETS_H
#define POSTERN_SECRETS_H

#include <stdbool.h>
#include <stdint.h>
#include "batv.h"
#include "srs.h"

#define SECRETS_BATV 2
#define SECRETS_ROTATE_DAYS 180
#define SECRETS_KEY_SIZE 32
#define SECRETS_FILE_MAX 4096	/* octets */

struct secrets {
	struct batv_key batv[SECRETS_BATV];	/* [0] makes tags */
	uint32_t batv_day[SECRETS_BATV];
	size_t n_batv;
	uint8_t trace[SECRETS_KEY_SIZE];
	struct srs_keys srs;			/* one at least */
};

/* 0, or -EIO without random numbers. */
int secrets_make(struct secrets *s, uint32_t day);
/* 1: there is a new key, and the oldest is gone; 0: none is due; -EIO. */
int secrets_rotate(struct secrets *s, uint32_t day);
/* 0 or what buf_append returns; to should be wiped afterwards. */
int secrets_write(struct buf *to, const struct secrets *s);
/* False, and *line says where: something is missing, twice or malformed. */
bool secrets_read(struct secrets *s, struct slice text, unsigned *line);

#endif
