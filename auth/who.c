/* SPDX-License-Identifier: ISC */
/*
 * See who.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ip_text.h"
#include "log.h"
#include "nss_services.h"
#include "who.h"

#define NSS_BUFFER 65536
#define UID_OF_NOBODY ((uid_t)-2)	/* warms up every service */

static struct nss_services services;
static char room[NSS_BUFFER];

union socket_address {
	struct sockaddr generic;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	struct sockaddr_storage any;
};

void
who_warm_up(void)
{
	struct passwd passwd, *found;

	nss_services_load(&services);
	(void)nss_find_uid(&services, UID_OF_NOBODY, &passwd, room,
	    sizeof(room), &found);
}

/* ---- accepted sockets ---- */

static bool
is_at(const struct config_listen *listen, const union socket_address *own)
{
	uint16_t port = own->generic.sa_family == AF_INET6 ?
	    own->v6.sin6_port : own->v4.sin_port;

	if (own->generic.sa_family == AF_UNIX)
		return listen->role == LISTEN_LOCAL && strncmp(listen->path,
		    own->local.sun_path, sizeof(own->local.sun_path)) == 0;
	return listen->role == LISTEN_SUBMISSION &&
	    listen->port == ntohs(port);
}

/*
 * The kernel names somebody for other sockets, too, which a broken smtpd
 * holds as well: for a listener and for a channel root, as the supervisor
 * has made them, for the connection to clamd whoever runs that.
 */
static bool
was_accepted_here(const struct config *config, int fd)
{
	union socket_address own = { .any = { 0 } };
	socklen_t size = sizeof(own), flag_size = sizeof(int);
	int is_listener = 1;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listener,
	    &flag_size) < 0 || is_listener ||
	    getsockname(fd, &own.generic, &size) < 0)
		return false;
	for (size_t i = 0; i < config->n_listens; i++)
		if (is_at(&config->listens[i], &own))
			return true;
	return false;
}

/* ---- unix sockets ---- */

static enum auth_result
find_login(struct account *account, const struct config *config, uid_t uid)
{
	struct passwd passwd, *found;
	int error = nss_find_uid(&services, uid, &passwd, room, sizeof(room),
	    &found);

	/* any errno is a service that might have known the uid */
	if (error != 0) {
		log_error("alarm", LOG_S("problem", "the system's users "
		    "cannot be looked up"), LOG_S("service",
		    services.silent), LOG_E("error", -error),
		    LOG_END);
		return AUTH_UNAVAILABLE;
	}
	if (found == NULL || !account_of_system(account, config,
	    slice_of(found->pw_name)))
		return AUTH_NOT_A_USER;
	return AUTH_OK;
}

static enum auth_result
who_is_local(struct account *account, const struct config *config, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    size != sizeof(peer) || peer.pid == 0)
		return AUTH_NOT_A_USER;
	return find_login(account, config, peer.uid);
}

/* ---- TCP ---- */

/* False: not of these families. */
static bool
write_address(char *to, const union socket_address *peer)
{
	if (peer->generic.sa_family == AF_INET)
		ip_write(to, AF_INET, &peer->v4.sin_addr);
	else if (peer->generic.sa_family == AF_INET6)
		ip_write(to, AF_INET6, &peer->v6.sin6_addr);
	else
		return false;
	return true;
}

bool
who_has_address(struct account *account, const struct config *config,
    const char *address)
{
	if (!account_of_login(account, config, slice_of(address)))
		return false;
	/* mail of this device is that address's, and so are its DSNs */
	return slice_copy(account->address, sizeof(account->address),
	    slice_of(address));
}

static enum auth_result
who_is_submitter(struct account *account, const struct config *config,
    int fd)
{
	char address[INET6_ADDRSTRLEN];
	union socket_address peer;
	socklen_t size = sizeof(peer);
	size_t i;

	if (getpeername(fd, &peer.generic, &size) < 0 ||
	    !write_address(address, &peer))
		return AUTH_NOT_A_USER;
	for (i = 0; i < config->n_submitters; i++) {
		char *network = config->submitters[i].network;
		const struct config_strings one = { &network, 1 };

		if (config_networks_contain(&one, address))
			return who_has_address(account, config,
			    config->submitters[i].as) ? AUTH_OK :
			    AUTH_NOT_A_USER;
	}
	return AUTH_NOT_A_USER;
}

enum auth_result
who_is(struct account *account, const struct config *config, int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    !was_accepted_here(config, fd))
		return AUTH_NOT_A_USER;
	return domain == AF_UNIX ? who_is_local(account, config, fd) :
	    who_is_submitter(account, config, fd);
}
