/* SPDX-License-Identifier: ISC */
/*
 * sendmail_options.h - the command line of sendmail, as programs write it.
 *
 * Thirty years of callers pass options that mean nothing here: those of
 * the original are accepted, and every -o, whatever it says. Strings point
 * into argv.
 */
#ifndef POSTERN_COMMANDS_SENDMAIL_OPTIONS_H
#define POSTERN_COMMANDS_SENDMAIL_OPTIONS_H

#include <stdbool.h>

enum sendmail_mode {
	MODE_SEND,	/* -bm, -t */
	MODE_SMTP,	/* -bs */
	MODE_VERIFY,	/* -bv */
	MODE_LIST,	/* -bp, mailq */
	MODE_FLUSH,	/* -q */
	MODE_ALIASES,	/* -bi, newaliases */
	MODE_DAEMON,	/* -bd, -bD: it is somebody else's work */
};

struct sendmail_options {
	enum sendmail_mode mode;
	bool reads_recipients;		/* -t */
	bool ignores_dots;		/* -i, -oi */
	bool is_verbose;		/* -v */
	bool is_quiet;			/* -oeq */
	bool shows_version;		/* -d0.1 and the like */
	const char *sender;		/* -f, -r; NULL: not given */
	const char *full_name;		/* -F */
	const char *notify;		/* -N */
	const char *ret;		/* -R */
	const char *envid;		/* -V */
	const char *config;		/* -C */
	char **recipients;		/* n_recipients of them */
	int n_recipients;
};

/* False after saying what is wrong. */
bool sendmail_options_read(struct sendmail_options *o, int argc,
    char **argv);

#endif
