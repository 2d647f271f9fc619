/* SPDX-License-Identifier: ISC */
/*
 * server_place.c - see server_place.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "server_place.h"

#define MESSAGE_BYTES (50u << 20)	/* as the server's own default */

static struct config *
read_config(const char *path)
{
	struct config_problems problems = { 0 };
	struct buf text = { .maximum = CONFIG_MAX_BYTES };
	struct config *config = NULL;
	char block[8192];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return NULL;
	while ((n = read(fd, block, sizeof block)) > 0 &&
	    buf_append(&text, block, (size_t)n) == 0)
		continue;
	if (n == 0)
		config = config_parse(buf_slice(&text), &problems);
	config_problems_free(&problems);
	buf_free(&text);
	close(fd);
	return config;
}

static void
note_listener(struct server_place *place, const struct config *config)
{
	for (size_t i = 0; i < config->n_listens; i++) {
		const struct config_listen *listen = &config->listens[i];

		if (listen->is_unix && listen->role == LISTEN_LOCAL) {
			slice_copy(place->submit, sizeof place->submit,
			    slice_of(listen->path));
			return;
		}
	}
}

void
server_place_find(struct server_place *place, const char *path)
{
	const char *other = getenv("POSTERN_CONFIG");
	struct config *config = NULL;

	*place = (struct server_place){ .submit = SERVER_SUBMIT,
		.control = SERVER_STATE_DIR "/control.sock",
		.message_bytes = MESSAGE_BYTES, .is_guess = true };
	/* what -C names may be another mail server's, and is passed over */
	if (path != NULL)
		config = read_config(path);
	if (config == NULL)
		config = read_config(other != NULL ? other : SERVER_CONFIG);
	if (config == NULL)
		return;
	place->is_guess = false;
	note_listener(place, config);
	snprintf(place->control, sizeof place->control, "%s/control.sock",
	    config->state_dir);
	if (config->origin != NULL)
		slice_copy(place->origin, sizeof place->origin,
		    slice_of(config->origin));
	place->message_bytes = config->limits.message_bytes;
	config_free(&config);
}
