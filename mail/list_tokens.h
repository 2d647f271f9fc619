/* SPDX-License-Identifier: ISC */
/*
 * list_tokens.h - the tokens of a list of mailboxes (RFC 5322 3.2, 3.4).
 *
 * White space, folds and comments stand between tokens and are dropped; a
 * token knows whether any stood before it. Dots are part of words. Slices
 * point into the text. Pure; for the readers of lists in mail/.
 */
#ifndef POSTERN_MAIL_LIST_TOKENS_H
#define POSTERN_MAIL_LIST_TOKENS_H

#include <stdbool.h>
#include "buf.h"

enum token_kind {
	TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_SPECIAL,
	TOKEN_BAD,		/* a comment, quote or literal without end */
};

struct token {
	enum token_kind kind;
	struct slice text;	/* with its quotes or brackets */
	bool follows_space;	/* white space or a comment stands before */
};

struct token_reader {
	struct slice rest;
	struct token token;		/* the one under way */
};

/* To the next token; at the end, and at a bad one, it stays. */
void token_advance(struct token_reader *r);
bool token_is(const struct token_reader *r, char special);
/* A word or a quoted string. */
bool token_is_text(const struct token_reader *r);
/* "," between two mailboxes, ":" behind a group's name, ";" behind it. */
bool token_is_separator(const struct token_reader *r);
/* Is there a "<" before this mailbox ends? */
bool token_has_angle(const struct token_reader *r);

#endif
