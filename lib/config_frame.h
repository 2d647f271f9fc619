/* SPDX-License-Identifier: ISC */
/*
 * config_frame.h - sections while they are read, and the checks that
 * need a whole section or the whole file.
 */
#ifndef POSTERN_CONFIG_FRAME_H
#define POSTERN_CONFIG_FRAME_H

#include "config_keys.h"
#include "config_lex.h"

struct config_frame {		/* a section that is being read */
	const struct config_section *section;
	unsigned line;			/* on which it begins; 0: the file */
	size_t index;			/* in config->listens, ->domains */
	unsigned seen[CONFIG_MAX_SECTION_KEYS];	/* line, by key; 0: not set */
};

/*
 * A section begins: make what its settings go to, with defaults. title may
 * be NULL. False without memory.
 */
bool config_frame_open(struct config *config, struct config_frame *frame,
    const struct token *title, struct config_problems *problems);
/* Where the frame's keys are stored, or NULL. */
void *config_frame_target(struct config *config,
    const struct config_frame *frame);
/* Line on which a key of the frame was set, to be read and written. */
unsigned *config_frame_seen(struct config_frame *frame,
    const struct config_key *key);
/* The same by name; that of the frame when it was not set. */
unsigned config_frame_line(const struct config_frame *frame,
    const char *name);
bool config_frame_has(const struct config_frame *frame, const char *name);

/* Called when a section ends; false without memory. */
bool config_check_section(struct config *config,
    const struct config_frame *frame, struct config_problems *problems);
/* Called at the end of the text; false without memory. */
bool config_check_file(struct config *config,
    const struct config_frame *top, struct config_problems *problems);

bool config_check_listen(struct config *config,
    const struct config_frame *frame, struct config_problems *problems);
bool config_check_tls(struct config *config,
    const struct config_frame *frame, struct config_problems *problems);
/* What the listeners want, and whether it can be had. */
void config_check_listen_tls(struct config *config,
    struct config_problems *problems);
/* Sections of our own users' mail, and what all of them say together. */
bool config_check_outbound(struct config *config,
    const struct config_frame *frame, struct config_problems *problems);
bool config_check_outbound_file(struct config *config,
    const struct config_frame *top, struct config_problems *problems);
bool config_check_domain(struct config *config,
    const struct config_frame *frame, struct config_problems *problems);

/*
 * The section has this name, next hop ... for all to find; of two the first
 * stays. name is kept by reference. False without memory.
 */
bool config_index_add(struct config *config, enum config_index index,
    const char *name, size_t section);
/* The first domain that has it, or NULL. */
const struct config_domain *config_index_find(const struct config *config,
    enum config_index index, struct slice name);

/* LOCAL becomes LOCAL@domain. False without memory. */
bool config_complete_address(char **address, const char *domain);

/* Fill config, whose defaults are set. False without memory. */
bool config_read(struct config *config, const struct token_list *tokens,
    struct config_problems *problems);

#endif
