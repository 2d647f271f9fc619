/* SPDX-License-Identifier: ISC */
/*
 * features.h - what a server says that it can do (RFC 5321 4.1.1.1), for
 * this folder only.
 */
#ifndef RELAY_FEATURES_H
#define RELAY_FEATURES_H

#include <stdint.h>
#include "buf.h"

enum feature {
	FEATURE_PIPELINING = 1 << 0,		/* RFC 2920 */
	FEATURE_CHUNKING = 1 << 1,		/* RFC 3030 */
	FEATURE_SIZE = 1 << 2,			/* RFC 1870 */
	FEATURE_8BITMIME = 1 << 3,		/* RFC 6152 */
	FEATURE_SMTPUTF8 = 1 << 4,		/* RFC 6531 */
	FEATURE_DSN = 1 << 5,			/* RFC 3461 */
	FEATURE_STARTTLS = 1 << 6,		/* RFC 3207 */
	FEATURE_REQUIRETLS = 1 << 7,		/* RFC 8689 */
	FEATURE_AUTH_PLAIN = 1 << 8,		/* RFC 4954 */
	FEATURE_AUTH_LOGIN = 1 << 9,
};

struct features {
	unsigned has;			/* enum feature */
	uint64_t size_max;		/* 0: not said */
};

/* One line of the reply to EHLO, but for the first. Unknown ones pass. */
void features_add(struct features *f, struct slice line);

#endif
