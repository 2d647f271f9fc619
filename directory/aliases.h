/* SPDX-License-Identifier: ISC */
/*
 * aliases.h - the aliases file in sendmail's format, as text.
 *
 *	# a comment
 *	team:   alice, bob@example.net, "|/usr/bin/prog -x",
 *	        :include:/etc/postern/members
 *	fred:   error:550 5.1.6 moved to example.net, and happy there
 *	trap:   discard:
 *	alice:  \alice, bob
 *
 * Comments and empty lines stand anywhere; a line that begins with a space
 * or tab continues the list before it. `error:` takes the rest of its line,
 * commas included, unless it is quoted. A program or file is kept as what
 * it is: whoever follows the alias decides. Pure; does no I/O.
 */
#ifndef DIRECTORY_ALIASES_H
#define DIRECTORY_ALIASES_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"

enum alias_target_kind {
	ALIAS_ADDRESS = 1,	/* text: local part; domain: A-labels or "" */
	ALIAS_MAILBOX,		/* \name: the mailbox, whatever the aliases */
	ALIAS_INCLUDE,		/* text: absolute path */
	ALIAS_PROGRAM,		/* text: the command, without the bar */
	ALIAS_FILE,		/* text: the path */
	ALIAS_ERROR,		/* code, subject, detail, text */
	ALIAS_DISCARD,
};

struct alias_target {
	enum alias_target_kind kind;
	unsigned line;
	uint16_t code;
	uint8_t subject, detail;
	char *text;
	char *domain;
};

struct alias {
	char *name;		/* as written, unquoted */
	unsigned line;
	struct alias_target *targets;
	size_t n_targets;
};

struct aliases {
	struct alias *items;
	size_t n;
};

/*
 * Parse a whole file. path names it in problems. 0; -EBADMSG when at least
 * one error was added to problems: out then holds what could be read, all
 * targets of a name that stands there twice in its first place, so that one
 * run can look for errors of other kinds too; -EILSEQ when it is no text, or
 * has so many errors that its end was not read; -ENOMEM. Release out with
 * aliases_free in every case.
 */
int aliases_parse(struct aliases *out, struct slice text, const char *path,
    bool folds_case, struct config_problems *problems);
/*
 * Parse an :include: file: targets without names, one or more on a line.
 * out holds one alias, whose name is the path. Same results.
 */
int aliases_parse_include(struct aliases *out, struct slice text,
    const char *path, struct config_problems *problems);
void aliases_free(struct aliases *aliases);

#endif
