/* SPDX-License-Identifier: ISC */
/*
 * socket_name.h - the addresses of a connection's two ends, as text.
 *
 * ip has room for INET6_ADDRSTRLEN octets and is "" where there is none (a
 * unix socket). An IPv4 address that came over an IPv6 socket is an IPv4
 * address. The port is returned, 0 without one.
 */
#ifndef POSTERN_SMTPD_SOCKET_NAME_H
#define POSTERN_SMTPD_SOCKET_NAME_H

#include <stdint.h>
#include <sys/socket.h>

uint16_t socket_name(char *ip, const struct sockaddr_storage *name);
uint16_t socket_local_name(char *ip, int fd);
uint16_t socket_peer_name(char *ip, int fd);

#endif
