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

#define DNS_MS 30000

/* Mail for the smart host waits without it; all else, as what comes from
 * outside, goes on. */
static void
read_password(struct relay_settings *s, const char *path)
{
	int error = file_read_secret(path, &s->smart_host_password);

	if (error)
		log_error("alarm", LOG_S("problem", "smart_host_password_file "
		    "has no password: mail for the smart host waits until it "
		    "has one and a reload reads it"), LOG_S("file", path),
		    LOG_S("why", error == -ENODATA ? "its first line is empty" :
		    strerror(-error)), LOG_END);
}

/* What needs the authorities waits without them; all other mail goes. */
static void
read_tls(struct relay *r, const char *path)
{
	struct buf ca = { .maximum = TLS_CLIENT_CA_MAX };
	int error = file_read(path, &ca);
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
