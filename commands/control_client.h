/* SPDX-License-Identifier: ISC */
/*
 * control_client.h - one request to the server's control socket.
 */
#ifndef POSTERN_COMMANDS_CONTROL_CLIENT_H
#define POSTERN_COMMANDS_CONTROL_CLIENT_H

#include "buf.h"

/* The socket of a state_dir, connected; or a negative errno. */
int control_connect(const char *path);
/*
 * Send the line (with its LF), and with it a descriptor unless passed is
 * -1; read all of the answer. 0 or a negative errno.
 */
int control_converse(int fd, const struct buf *line, int passed,
    struct buf *reply);
/* Take "postern STATUS" off the front of a reply; -1: it is none. */
int control_status(struct slice *reply);

#endif
