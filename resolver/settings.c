/* SPDX-License-Identifier: ISC */
/*
 * settings.c - see settings.h.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "file_io.h"
#include "log.h"
#include "settings.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define ROOT_KEY "/usr/share/dns/root.key"
#define FILE_MAX (64u << 10)
#define SOCKETS_MAX 12800
#define SOCKETS_SPARE 512	/* TCP, channels, the log */

static int
read_file(const char *path, struct buf *text)
{
	text->maximum = FILE_MAX;
	return file_read(path, text);
}

static size_t
find_blank(struct slice s)
{
	size_t i = 0;

	while (i < s.size && s.data[i] != ' ' && s.data[i] != '\t' &&
	    s.data[i] != '\r')
		i++;
	return i;
}

/* ---- servers ---- */

static void
add_server(struct settings *s, struct slice text)
{
	if (s->n_servers == SETTINGS_SERVERS_MAX)
		return;
	s->servers[s->n_servers] = slice_strdup(text);
	if (s->servers[s->n_servers] != NULL)
		s->n_servers++;
}

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0". */
static bool
is_address(struct slice text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr unused;
	struct slice bare = { text.data, slice_find(text, '%') };

	return slice_copy(address, sizeof address, bare) &&
	    (inet_pton(AF_INET, address, &unused) == 1 ||
	    inet_pton(AF_INET6, address, &unused) == 1);
}

unsigned
settings_add_resolv_conf(struct settings *s, struct slice text)
{
	const struct slice keyword = SLICE("nameserver");
	unsigned n_bad = 0;

	while (text.size > 0) {
		struct slice line = slice_trim(slice_next_line(&text));
		struct slice value = line;

		if (find_blank(line) != keyword.size ||
		    !slice_starts_nocase(line, keyword))
			continue;
		value.data += keyword.size;
		value.size -= keyword.size;
		value = slice_trim(value);
		value.size = find_blank(value);
		if (is_address(value))
			add_server(s, value);
		else
			n_bad++;
	}
	return n_bad;
}

/* Nobody else says which of his lines are not understood. */
static void
take_resolv_conf(struct settings *s, struct slice text)
{
	unsigned n_bad = settings_add_resolv_conf(s, text);

	if (n_bad > 0)
		log_warning("resolv_conf", LOG_S("path", RESOLV_CONF),
		    LOG_U("ignored", n_bad), LOG_S("why", "what follows "
		    "nameserver is no address"), LOG_END);
	if (s->n_servers == 0)
		log_notice("resolv_conf", LOG_S("path", RESOLV_CONF),
		    LOG_S("why", "it names no name server"), LOG_S("effect",
		    "those of the root and of each zone are asked"), LOG_END);
}

static void
find_servers(struct settings *s, const struct config *config)
{
	struct buf text = { 0 };
	int error;

	for (size_t i = 0; i < config->resolver.servers.n; i++)
		add_server(s, slice_of(config->resolver.servers.items[i]));
	if (s->n_servers > 0)
		return;
	error = read_file(RESOLV_CONF, &text);
	if (error)
		log_warning("resolv_conf", LOG_S("path", RESOLV_CONF),
		    LOG_E("error", error), LOG_END);
	else
		take_resolv_conf(s, buf_slice(&text));
	buf_free(&text);
}

/* ---- trust anchors ---- */

void
settings_add_anchors(struct settings *s, struct slice text)
{
	while (text.size > 0 && s->n_anchors < SETTINGS_ANCHORS_MAX) {
		struct slice line = slice_next_line(&text);

		line.size = slice_find(line, ';');
		line.size = slice_find(line, '\r');
		line = slice_trim(line);
		if (line.size == 0)
			continue;
		s->anchors[s->n_anchors] = slice_strdup(line);
		if (s->anchors[s->n_anchors] != NULL)
			s->n_anchors++;
	}
}

static void
find_anchors(struct settings *s, const struct config *config)
{
	const char *path = config->resolver.trust_anchor;
	struct buf text = { 0 };
	int error;

	if (!config->resolver.has_dnssec) {
		s->why_insecure = "it is switched off in the configuration";
		return;
	}
	if (path == NULL)
		path = ROOT_KEY;
	error = read_file(path, &text);
	if (!error)
		settings_add_anchors(s, buf_slice(&text));
	buf_free(&text);
	if (s->n_anchors > 0)
		return;
	s->why_insecure = "there is no trust anchor";
	log_warning("no_trust_anchor", LOG_S("path", path),
	    LOG_E("error", error), LOG_S("effect", "answers are not "
	    "validated; install dns-root-data or set trust_anchor"), LOG_END);
}

/* ---- all ---- */

void
settings_read(struct settings *s, const struct config *config)
{
	struct rlimit limit = { 1024, 1024 };

	*s = (struct settings){ .timeout_ms =
	    config->resolver.timeout_s * 1000, .n_sockets = SOCKETS_MAX };
	find_servers(s, config);
	find_anchors(s, config);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	/* the sandbox raises the soft limit to the hard one */
	if (limit.rlim_max < SOCKETS_MAX + SOCKETS_SPARE)
		s->n_sockets = limit.rlim_max > 2 * SOCKETS_SPARE ?
		    (unsigned)limit.rlim_max - SOCKETS_SPARE :
		    (unsigned)limit.rlim_max / 2;
}

void
settings_free(struct settings *s)
{
	for (unsigned i = 0; i < s->n_servers; i++)
		free(s->servers[i]);
	for (unsigned i = 0; i < s->n_anchors; i++)
		free(s->anchors[i]);
	*s = (struct settings){ 0 };
}
