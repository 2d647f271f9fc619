/* SPDX-License-Identifier: ISC */
/*
 * smtp_pass.h - sendmail -bs: SMTP on standard input and output.
 */
#ifndef POSTERN_COMMANDS_SMTP_PASS_H
#define POSTERN_COMMANDS_SMTP_PASS_H

#include "server_place.h"

/*
 * Pass octets between the caller and the server until it has closed. 0, or
 * EX_TEMPFAIL; a server that is not there is a 421 on standard output too.
 */
int smtp_pass(const struct server_place *place);

#endif
