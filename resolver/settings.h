/* SPDX-License-Identifier: ISC */
/*
 * settings.h - what libunbound is told, for this folder only.
 *
 * Read before the sandbox, from the configuration, /etc/resolv.conf and the
 * file of trust anchors; not read again while the process lives.
 */
#ifndef RESOLVER_SETTINGS_H
#define RESOLVER_SETTINGS_H

#include <stdbool.h>
#include "buf.h"
#include "config.h"

#define SETTINGS_SERVERS_MAX 16
#define SETTINGS_ANCHORS_MAX 64

struct settings {
	/* "192.0.2.1@53"; none: the whole way from the root */
	char *servers[SETTINGS_SERVERS_MAX];
	unsigned n_servers;
	/* one record each; none: no validation, and why: */
	char *anchors[SETTINGS_ANCHORS_MAX];
	unsigned n_anchors;
	const char *why_insecure;	/* NULL: there are anchors */
	unsigned n_sockets;		/* that may be open at a time */
	unsigned timeout_ms;
};

/* Reads the files; logs what is missing. */
void settings_read(struct settings *s, const struct config *config);
void settings_free(struct settings *s);

/*
 * The parts, for tests: add what a file's text says. Of resolv.conf, in how
 * many lines a name server has no address.
 */
unsigned settings_add_resolv_conf(struct settings *s, struct slice text);
void settings_add_anchors(struct settings *s, struct slice text);

#endif
