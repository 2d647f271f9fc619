/* SPDX-License-Identifier: ISC */
/*
 * letter.h - a message on its way from standard input to the server.
 *
 * It is read to its end before the server is told of it: a program that
 * writes a line an hour, as cron's jobs do, must not keep a transaction
 * waiting, and its size is known. The header is kept in memory, the body
 * too as long as it is small; a large one lies in a file without a name.
 *
 * Lines end in LF, CR LF or, in the body, in a CR alone; a CR within the
 * header is a space, so that nobody's data becomes a field. NUL octets,
 * which no mail may have, are left out, as is an mbox's "From " in front.
 */
#ifndef POSTERN_COMMANDS_LETTER_H
#define POSTERN_COMMANDS_LETTER_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define LETTER_HEADER_MAX (1u << 20)
#define LETTER_LINE_MAX 32768		/* of the body: longer ones are cut */

struct letter {
	struct buf header;	/* LF lines, without the blank one */
	struct buf body;	/* LF lines; or the tail of a large one */
	int fd;			/* its file; -1: none */
	uint64_t file_bytes;	/* of the body, in the file */
};

struct letter_limits {
	bool ignores_dots;	/* else a line of "." ends the message */
	uint64_t message_bytes;	/* at most; 0: any */
};

/*
 * Read it all. 0, or a status of sysexits.h after complaining; what is left
 * of the input is read then, too, so that nobody writes to a closed pipe.
 */
int letter_read(struct letter *letter, int fd,
    const struct letter_limits *limits);
/* About the octets that a transaction will have, for SIZE=. */
uint64_t letter_size(const struct letter *letter);
/* Read from a descriptor whatever still comes. */
void letter_drain(int fd);
void letter_free(struct letter *letter);

/* Pieces of the message for SMTP: CR LF, dots doubled, the final dot. */
typedef int letter_write_fn(void *arg, struct slice piece);
/* 0, what write returned, or a negative errno. May be called again. */
int letter_send(const struct letter *letter, letter_write_fn *write,
    void *arg);

#endif
