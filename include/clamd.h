/* SPDX-License-Identifier: ISC */
/*
 * clamd.h - what clamd says about a message, read strictly.
 *
 * An answer is one text that ends with a NUL ("z" commands, clamd(8)):
 *
 *	fd[10]: OK      stream: Eicar-Test FOUND      fd[10]: ... ERROR
 *
 * Only these words of exactly this form clear or condemn a message;
 * whatever else comes is no answer. Pure, no I/O.
 */
#ifndef POSTERN_CLAMD_H
#define POSTERN_CLAMD_H

#include <stddef.h>
#include "buf.h"

#define CLAMD_ANSWER_MAX 2048	/* octets with the NUL */
#define CLAMD_NAME_MAX 200

enum clamd_result {
	CLAMD_MORE,		/* the answer is not complete */
	CLAMD_CLEAN,
	CLAMD_FOUND,		/* name is what was found */
	CLAMD_ERROR,		/* name is what clamd says about it */
	CLAMD_RUBBISH,		/* no answer, or octets after one */
};

/*
 * Read all that clamd has sent so far. name has room for CLAMD_NAME_MAX + 1
 * octets, cleaned: printable ASCII without line ends.
 */
enum clamd_result clamd_read(struct slice input, char *name);

#endif
