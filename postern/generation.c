/* SPDX-License-Identifier: ISC */
/*
 * generation.c - reading a configuration; see generation.h.
 */
#include <stdlib.h>
#include <unistd.h>
#include "file_io.h"
#include "generation.h"
#include "sealed.h"

struct config *
generation_read(const char *path, struct buf *text,
    struct config_problems *problems)
{
	int error;

	text->maximum = CONFIG_MAX_BYTES;
	error = file_read(path, text);
	if (error) {
		*problems = (struct config_problems){ 0 };
		config_problem_add(problems, 0, false, "%s",
		    config_unread(error));
		return NULL;
	}
	return config_parse(text->data ? buf_slice(text) : SLICE(""),
	    problems);
}

void
generation_free(struct generation **generation)
{
	if (*generation == NULL)
		return;
	config_free(&(*generation)->config);
	if ((*generation)->config_fd >= 0)
		close((*generation)->config_fd);
	certificates_close((*generation)->certificates);
	dkim_keys_close((*generation)->dkim_fds);
	free(*generation);
	*generation = NULL;
}

struct generation *
generation_load(const char *path, uint16_t number,
    struct config_problems *problems)
{
	struct generation *new = calloc(1, sizeof *new);
	struct buf text = { 0 };

	*problems = (struct config_problems){ 0 };
	if (new == NULL)
		return NULL;
	new->number = number;
	new->config_fd = -1;
	certificates_init(new->certificates);
	dkim_keys_init(new->dkim_fds);
	new->config = generation_read(path, &text, problems);
	if (new->config != NULL) {
		new->config_fd = sealed_of_text("configuration",
		    buf_slice(&text));
		new->config_size = text.size;
	}
	buf_free(&text);
	if (new->config == NULL || new->config_fd < 0)
		generation_free(&new);
	return new;
}
