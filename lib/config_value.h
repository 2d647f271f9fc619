/* SPDX-License-Identifier: ISC */
/*
 * config_value.h - values, checked by the type of their key and kept.
 */
#ifndef POSTERN_CONFIG_VALUE_H
#define POSTERN_CONFIG_VALUE_H

#include "config_keys.h"
#include "config_lex.h"

struct config_type_info {
	const char *what;	/* "a number", for messages and the manual */
	const char *manual;	/* the value as the manual writes it */
	enum token_kind token;
	bool is_list;
	/*
	 * Strings: append the form to keep to out and return NULL, or
	 * return what is wrong; a suggestion then stands in out, or "".
	 */
	const char *(*normalise)(struct slice in, struct buf *out);
};

extern const struct config_type_info config_types[];

struct config_value {
	const struct token *first;	/* of a list: with the commas */
	size_t n;
	bool is_list;
	bool is_bad;
	unsigned line;
};

/*
 * Check value by the type of key and keep it in target (the structure that
 * key's offset means; NULL: check only). False without memory.
 */
bool config_store(void *target, const struct config_key *key,
    const struct config_value *value, struct config_problems *problems);
/* The title of a section; NULL when wrong (reported) or without memory. */
char *config_title(const struct config_section *section,
    const struct token *title, struct config_problems *problems);
/* Give every key of the section its default. False without memory. */
bool config_set_defaults(void *target, const char *section);
/* "0 or 1K to 2G", for messages and the manual. */
void config_print_range(struct buf *out, const struct config_key *key);
/* Release the strings that the keys of the section stored. */
void config_release(void *target, const char *section);

/* A count, size or duration. NULL, or what is wrong with it. */
const char *config_number(enum config_type type, struct slice in,
    uint64_t *value);
/* Append "; did you mean 50M?", or nothing. */
void config_number_suggest(enum config_type type, struct slice in,
    struct buf *out);

#endif
