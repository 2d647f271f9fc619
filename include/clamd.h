/* SPDX-License-Identifier: ISC */
/*
 * clamd.h - what clamd says about a message, read strictly.
 *
 * An answer is one text that ends with a NUL ("z" commands, clamd(8)):
 *
 *	fd[10]: OK      stream: Eicar-Test FOUND      fd[10]: ... ERROR
 *
 * Only these words of exactly this form clear or condemn a message;
 * whatever else comes is no answer. To VERSION it says
 *
 *	ClamAV 1.4.3/27500/Mon Jan  6 09:30:15 2025
 *
 * the date of its daily database, or nothing behind the first number where
 * it has none, as with signatures of one's own alone. Pure, no I/O.
 */
#ifndef POSTERN_CLAMD_H
#define POSTERN_CLAMD_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define CLAMD_ANSWER_MAX 2048	/* octets with the NUL */
#define CLAMD_NAME_MAX 200

enum clamd_result {
	CLAMD_MORE,		/* the answer is not complete */
	CLAMD_CLEAN,
	CLAMD_FOUND,		/* name is what was found */
	CLAMD_ERROR,		/* name is what clamd says about it */
	CLAMD_RUBBISH,		/* no answer, or octets after one */
	CLAMD_VERSION,		/* an answer to VERSION */
};

/*
 * Read all that clamd has sent so far. name has room for CLAMD_NAME_MAX + 1
 * octets, cleaned: printable ASCII without line ends.
 */
enum clamd_result clamd_read(struct slice input, char *name);
/*
 * The same of VERSION: CLAMD_VERSION, CLAMD_MORE or CLAMD_RUBBISH. *made_s is
 * when its signatures were made, in seconds since 1970, or 0: it does not
 * say. The date has no time zone and is taken for UTC: it is up to 14 hours
 * off.
 */
enum clamd_result clamd_read_version(struct slice input, int64_t *made_s);
#define CLAMD_ZONE_S (14 * 3600)

#endif
