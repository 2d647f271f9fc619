/* SPDX-License-Identifier: ISC */
/*
 * verdict.h - what a check decides, and the reply that says so.
 *
 * A verdict crosses compartments, so it has a fixed size and its text is
 * cleaned by whoever puts it on the wire to a client: CR, LF and other
 * control octets never reach one (RFC 5321 4.2). The enhanced code is
 * RFC 3463's class.subject.detail; its class is the code's first digit.
 */
#ifndef POSTERN_VERDICT_H
#define POSTERN_VERDICT_H

#include <stdint.h>

#define VERDICT_TEXT_MAX 480	/* octets, without the terminator */

struct verdict {
	uint16_t code;			/* 250, 451, 550 ...; 0 is none */
	uint8_t subject;		/* the 1 of 5.1.6 */
	uint8_t detail;			/* the 6 of 5.1.6 */
	char text[VERDICT_TEXT_MAX + 1];
};

/* "550 5.1.1 no such mailbox here" from parts; returns v. */
struct verdict *verdict_set(struct verdict *v, int code, int subject,
    int detail, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The code that says "not now" of what this one says: 452 of what is too
 * large or full, 451 of all else. */
uint16_t verdict_code_for_now(uint16_t code);

#endif
