/* SPDX-License-Identifier: ISC */
/*
 * host_check.c - what the configuration names and this host has not.
 *
 * Most of it is a warning: the server starts, and does less than its
 * configuration says. Without the password of a smart host nothing leaves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "check.h"
#include "file_io.h"
#include "role_user.h"
#include "tls_client.h"

struct host {
	const struct config *config;
	bool is_privileged;
};

/* Without root posternctl is for one user alone. */
static void
check_admins(const struct host *h, struct config_problems *problems)
{
	const struct config *config = h->config;

	if (h->is_privileged && config->admin_group_line != 0 &&
	    getgrnam(config->admin_group) == NULL)
		config_problem_add(problems, config->admin_group_line, true,
		    "admin_group \"%s\": there is no such group; only root "
		    "can use posternctl", config->admin_group);
}

static void
check_anchor(const struct config *config, struct config_problems *problems)
{
	const struct config_resolver *resolver = &config->resolver;

	if (resolver->has_dnssec && resolver->trust_anchor != NULL &&
	    access(resolver->trust_anchor, R_OK) < 0)
		config_problem_add(problems, resolver->trust_anchor_line,
		    true, "trust_anchor \"%s\": %s; answers are not "
		    "validated", resolver->trust_anchor, strerror(errno));
}

/* Read as relay reads it. */
static void
check_password(const struct config_relay *relay,
    struct config_problems *problems)
{
	const char *path = relay->smart_host_password_file;
	char *password = NULL;
	int error = path == NULL ? 0 : file_read_secret(path, &password);

	if (error)
		config_problem_add(problems, relay->smart_host_password_line,
		    false, "smart_host_password_file \"%s\": %s", path,
		    error == -ENODATA ? "no password in its first line" :
		    strerror(-error));
	if (password != NULL)
		explicit_bzero(password, strlen(password));
	free(password);
}

/* relay binds to it for each connection. */
static void
check_source(const char *address, const char *name, unsigned line,
    struct config_problems *problems)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v4 = address != NULL &&
	    inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&v4 :
	    (const struct sockaddr *)&v6;
	int fd;

	if (address == NULL || (!is_v4 &&
	    inet_pton(AF_INET6, address, &v6.sin6_addr) != 1))
		return;
	fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if ((fd < 0 && errno == EAFNOSUPPORT) || (fd >= 0 && bind(fd, to,
	    is_v4 ? sizeof v4 : sizeof v6) < 0 && errno == EADDRNOTAVAIL))
		config_problem_add(problems, line, true, "%s \"%s\" is no "
		    "address of this host now: nothing leaves by IPv%d",
		    name, address, is_v4 ? 4 : 6);
	if (fd >= 0)
		close(fd);
}

/* Read as relay reads it, and parsed as nobody who could do more. */
static void
check_authorities(const struct host *h, struct config_problems *problems)
{
	const struct config_relay *relay = &h->config->relay;
	char name[ROLE_USER_SIZE];
	struct buf text = { .maximum = TLS_CLIENT_CA_MAX };
	int error = file_read(relay->ca_file, &text);
	const char *why = error ? strerror(-error) : NULL;

	if (h->is_privileged) {
		if (role_user(h->config, ROLE_RELAY, name) == NULL)
			return;		/* that is an error elsewhere */
		check_become_role(h->config, ROLE_RELAY);
	}
	if (!error)
		why = tls_client_ca_problem(buf_slice(&text));
	if (why != NULL)
		config_problem_add(problems, relay->ca_file_line, true,
		    "ca_file \"%s\": %s; no certificate can be verified by "
		    "its name", relay->ca_file, why);
	buf_free(&text);
}

static void
check_all(void *arg, struct config_problems *problems)
{
	const struct host *h = arg;
	const struct config_relay *relay = &h->config->relay;

	check_admins(h, problems);
	check_anchor(h->config, problems);
	check_password(relay, problems);
	check_source(relay->source_ipv4, "source_ipv4",
	    relay->source_ipv4_line, problems);
	check_source(relay->source_ipv6, "source_ipv6",
	    relay->source_ipv6_line, problems);
	/* the last: this process is another user from there on */
	if (relay->ca_file_line != 0)
		check_authorities(h, problems);
}

int
host_check(const struct config *config, bool is_privileged,
    struct config_problems *problems)
{
	struct host h = { config, is_privileged };

	return check_in_child(check_all, &h, problems);
}
