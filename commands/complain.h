/* SPDX-License-Identifier: ISC */
/*
 * complain.h - how sendmail, mailq and newaliases say what is wrong.
 */
#ifndef POSTERN_COMMANDS_COMPLAIN_H
#define POSTERN_COMMANDS_COMPLAIN_H

#include <stdbool.h>

/* name stands before each complaint; before the first one. */
void complain_as(const char *name);
/* -oeq: the exit status says it all. */
void complain_quietly(void);
/* One line on standard error, control octets replaced; returns status. */
int complain(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
