/* SPDX-License-Identifier: ISC */
/*
 * mail_date.h - dates of RFC 5322 3.3. Always written in UTC. Pure: no
 * time zone files, no locale.
 */
#ifndef POSTERN_MAIL_DATE_H
#define POSTERN_MAIL_DATE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define MAIL_DATE_SIZE 32	/* "Sat, 21 Nov 2020 23:04:00 +0000" and NUL */

/* when_s: seconds since 1970; below 0 and after 9999 are clamped. */
void mail_date_write(char out[MAIL_DATE_SIZE], int64_t when_s);
/*
 * Parse, obsolete forms included (RFC 5322 4.3): comments, no weekday, no
 * seconds, two-digit years, zone names. The weekday is not compared with
 * the date. False for anything else; a leap second counts as the one before.
 */
bool mail_date_parse(struct slice text, int64_t *when_s);

#endif
