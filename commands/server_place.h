/* SPDX-License-Identifier: ISC */
/*
 * server_place.h - where the server listens for programs of this host.
 *
 * From the configuration, which is usually readable by everybody; else what
 * a server is installed with. -C FILE, or POSTERN_CONFIG in the environment,
 * names another configuration: nothing here has privileges to lend.
 */
#ifndef POSTERN_COMMANDS_SERVER_PLACE_H
#define POSTERN_COMMANDS_SERVER_PLACE_H

#include <stdint.h>
#include "buf.h"
#include "config.h"

#define SERVER_CONFIG "/etc/postern/postern.conf"
#define SERVER_SUBMIT "/run/postern/submit"
#define SERVER_STATE_DIR "/var/lib/postern"

struct server_place {
	char submit[108];		/* the `local` listener */
	char control[108];		/* posternctl's socket */
	char origin[256];		/* "": the server completes names */
	uint64_t message_bytes;		/* limits.message_size; 0: any */
	bool is_guess;			/* the configuration is not readable */
};

/* path: -C, or NULL. Always something. */
void server_place_find(struct server_place *place, const char *path);

#endif
