/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include "ip_text.h"
#include "socket_name.h"

uint16_t
socket_name(char *ip, const struct sockaddr_storage *name)
{
	const struct sockaddr_in *v4 = (const void *)name;
	const struct sockaddr_in6 *v6 = (const void *)name;

	*ip = '\0';
	if (name->ss_family == AF_INET) {
		ip_write(ip, AF_INET, &v4->sin_addr);
		return ntohs(v4->sin_port);
	}
	if (name->ss_family != AF_INET6)
		return 0;
	ip_write(ip, AF_INET6, &v6->sin6_addr);
	return ntohs(v6->sin6_port);
}

static uint16_t
name_of(char *ip, int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof(name);

	if (get(fd, (struct sockaddr *)&name, &size) < 0)
		name.ss_family = AF_UNSPEC;
	return socket_name(ip, &name);
}

uint16_t
socket_local_name(char *ip, int fd)
{
	return name_of(ip, fd, getsockname);
}

uint16_t
socket_peer_name(char *ip, int fd)
{
	return name_of(ip, fd, getpeername);
}
