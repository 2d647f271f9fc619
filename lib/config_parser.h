/* SPDX-License-Identifier: ISC */
/*
 * config_parser.h - what the two files of the parser proper share:
 * config_parse.c (settings, sections) and config_list.c (values, and how to
 * go on after a mistake).
 */
#ifndef POSTERN_CONFIG_PARSER_H
#define POSTERN_CONFIG_PARSER_H

#include "config_frame.h"
#include "config_value.h"

#define CONFIG_MAX_DEPTH 8

struct parser {
	const struct token *at;
	struct config *config;
	struct config_problems *problems;
	struct config_frame frames[CONFIG_MAX_DEPTH];	/* [0]: the top level */
	size_t depth;				/* of the innermost */
	long n_unclosed;	/* "{" less "}" of the file, not yet reported */
	unsigned section_lines[CONFIG_MAX_SECTIONS];	/* first of its kind */
	bool lacks_memory;
};

/* At most one complaint about the form of a line. */
bool parser_is_line_new(const struct parser *p, unsigned line);
/* At "{": to behind the "}" that belongs to it. */
void parser_skip_block(struct parser *p);
/* To the line behind this one, or the "}" of the section around. */
void parser_skip_rest(struct parser *p, unsigned line);
/* At what stands behind "="; name is the key's token. */
struct config_value parser_value(struct parser *p, const struct token *name);

#endif
