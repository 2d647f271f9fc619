/* SPDX-License-Identifier: ISC */
/*
 * envelope_words.h - the words that an envelope is written in, for its
 * writer and its parser.
 */
#ifndef QUEUE_ENVELOPE_WORDS_H
#define QUEUE_ENVELOPE_WORDS_H

#include "envelope.h"

#define ENVELOPE_SUM_SIZE 129		/* hexadecimal, with terminator */

enum envelope_flag { ENVELOPE_8BIT = 1, ENVELOPE_UTF8 = 2,
	ENVELOPE_REQUIRETLS = 4 };

struct envelope_word {			/* the last has no text */
	const char *text;
	unsigned bit;
};

extern const struct envelope_word envelope_flag_words[];
extern const struct envelope_word envelope_notify_words[];
extern const char *const envelope_state_words[RECIPIENT_STATE_COUNT];
extern const char *const envelope_report_words[REPORT_KIND_COUNT];

unsigned envelope_flags(const struct envelope *e);
int envelope_checksum(char out[ENVELOPE_SUM_SIZE], struct slice text);

#endif
