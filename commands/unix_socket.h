/* SPDX-License-Identifier: ISC */
/*
 * unix_socket.h - a connection to the server on this host.
 */
#ifndef COMMANDS_UNIX_SOCKET_H
#define COMMANDS_UNIX_SOCKET_H

/*
 * The descriptor, or a negative errno. Connecting, and later each read and
 * write, takes patience_s at most; 0: as long as it takes.
 */
int unix_socket_connect(const char *path, unsigned patience_s);

#endif
