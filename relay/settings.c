/* SPDX-License-Identifier: ISC */
/*
 * settings.c - what relay needs from the configuration and from files: read
 * before the sandbox, and not again while the process lives.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file_io.h"
#include "log.h"
#include "relay.h"
#include "sts.h"

#define CA_MAX (4u << 20)
#define PASSWORD_MAX 4096
#define DNS_MS 30000

/* All of it. -E2BIG over most. */
static int
read_file(const char *path, size_t most, struct buf *to)
{
	int error;

	to->maximum = most;
	error = file_read(path, to);
	return error == -ENOBUFS ? -E2BIG : error;
}

/* Mail for the smart host waits without it; all else, as what comes from
 * outside, goes on. */
static void
read_password(struct relay_settings *s, const char *path)
{
	struct buf text = { 0 };
	struct slice rest, line;
	int error = read_file(path, PASSWORD_MAX, &text);

	rest = buf_slice(&text);
	line = slice_next_line(&rest);
	if (line.size > 0 && line.data[line.size - 1] == '\r')
		line.size--;
	if (line.size > 0)
		s->smart_host_password = slice_strdup(line);
	if (s->smart_host_password == NULL)
		log_error("alarm", LOG_S("problem", "smart_host_password_file "
		    "has no password: mail for the smart host waits until it "
		    "has one and a reload reads it"), LOG_S("file", path),
		    LOG_S("why", error < 0 ? strerror(-error) :
		    "its first line is empty"), LOG_END);
	if (text.data != NULL)
		explicit_bzero(text.data, text.size);
	buf_free(&text);
}

/* What needs the authorities waits without them; all other mail goes. */
static void
read_tls(struct relay *r, const char *path)
{
	struct buf ca = { 0 };
	int error = read_file(path, CA_MAX, &ca);
	const char *why = error < 0 ? strerror(-error) :
	    tls_client_ca_problem(buf_slice(&ca));

	if (why != NULL) {
		log_warning("relay_ca", LOG_S("file", path), LOG_S("why",
		    why), LOG_S("effect", "no certificate can be verified "
		    "by its name"), LOG_END);
		ca.size = 0;
	}
	r->tls = tls_client_new(buf_slice(&ca));
	if (r->tls == NULL)
		fatal("relay: OpenSSL does not start");
	r->sts = sts_new(r, buf_slice(&ca));
	if (r->sts == NULL)
		fatal("relay: libcurl does not start");
	buf_free(&ca);
}

void
relay_settings_read(struct relay *r)
{
	const struct config *config = r->c.config;
	const struct config_relay *from = &config->relay;
	struct relay_settings *s = &r->settings;

	r->own = own_addresses_new(config);
	if (r->own == NULL)
		fatal("no memory");
	s->hostname = config->hostname;
	s->tls = from->tls;
	s->connect_ms = from->connect_timeout_s * 1000;
	s->command_ms = from->command_timeout_s * 1000;
	s->data_ms = from->data_timeout_s * 1000;
	s->end_ms = from->final_timeout_s * 1000;
	if (from->source_ipv4 != NULL)
		(void)net_address_parse(&s->source_v4, from->source_ipv4);
	if (from->source_ipv6 != NULL)
		(void)net_address_parse(&s->source_v6, from->source_ipv6);
	s->hosts = (struct hosts_settings){ .hostname = config->hostname,
		.own = r->own, .port = (uint16_t)from->port,
		.wants_tlsa = from->tls == RELAY_TLS_DANE ||
		    from->tls == RELAY_TLS_REQUIRED,
		.has_ipv4 = true, .has_ipv6 = true, .timeout_ms = DNS_MS };
	if (from->smart_host_user != NULL &&
	    from->smart_host_password_file != NULL) {
		s->smart_host_user = from->smart_host_user;
		read_password(s, from->smart_host_password_file);
	}
	read_tls(r, from->ca_file);
}
