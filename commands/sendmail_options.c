/* SPDX-License-Identifier: ISC */
/*
 * sendmail_options.c - see sendmail_options.h.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "complain.h"
#include "sendmail_options.h"

/* "+": what follows the first recipient is a recipient. */
#define OPTIONS "+A:B:C:D:d::EF:f:GgIih:JL:M:mN:nO:o:p:Q::q::R:r:sTtUV:vX:" \
	"xb:ce:"

#define ENVID_MAX 100

static const struct {
	const char *letters;
	enum sendmail_mode mode;
} modes[] = {
	{ "m", MODE_SEND }, { "a", MODE_SEND }, { "s", MODE_SMTP },
	{ "v", MODE_VERIFY }, { "p", MODE_LIST }, { "P", MODE_LIST },
	{ "i", MODE_ALIASES }, { "d", MODE_DAEMON }, { "D", MODE_DAEMON },
};

/* argv[0] may name the mode, as the links do. */
static enum sendmail_mode
mode_of_name(const char *name)
{
	const char *base = strrchr(name, '/');

	base = base != NULL ? base + 1 : name;
	if (strcmp(base, "mailq") == 0)
		return MODE_LIST;
	if (strcmp(base, "newaliases") == 0)
		return MODE_ALIASES;
	return MODE_SEND;
}

static bool
set_mode(struct sendmail_options *o, const char *letter)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (strcmp(letter, modes[i].letters) == 0) {
			o->mode = modes[i].mode;
			return true;
		}
	complain(0, "-b%s is not a mode of this sendmail", letter);
	return false;
}

/*
 * What to do with errors: print, mail, write, or only exit. With `e` the
 * original exits with 0, because it mails them; as we do not, the caller
 * has to know.
 */
static void
set_error_mode(struct sendmail_options *o, char mode)
{
	o->is_quiet = mode == 'q';
}

/* -oX: one letter and its value. What we do not know is no error. */
static void
set_option(struct sendmail_options *o, const char *option)
{
	switch (*option) {
	case 'i':
		o->ignores_dots = true;
		break;
	case 'e':
		set_error_mode(o, option[1]);
		break;
	case 'v':
		o->is_verbose = true;
		break;
	}
}

/* -O Name=value; the two that matter have letters as well. */
static void
set_long_option(struct sendmail_options *o, const char *option)
{
	static const char dots[] = "IgnoreDots", errors[] = "ErrorMode=";

	if (strncasecmp(option, dots, sizeof dots - 1) == 0)
		o->ignores_dots = strncasecmp(option + sizeof dots - 1, "=f",
		    2) != 0;
	else if (strncasecmp(option, errors, sizeof errors - 1) == 0)
		set_error_mode(o, option[sizeof errors - 1]);
}

static bool
check_notify(const char *text)
{
	static const char *const words[] = { "success", "failure", "delay" };

	if (strcasecmp(text, "never") == 0)
		return true;
	while (*text != '\0') {
		size_t n = strcspn(text, ","), i = 0;

		while (i < 3 && (n != strlen(words[i]) ||
		    strncasecmp(text, words[i], n) != 0))
			i++;
		if (i == 3 || (text[n] == ',' && text[n + 1] == '\0'))
			return false;
		text += n + (text[n] == ',');
	}
	return true;
}

/* As xtext it has 100 octets at most (RFC 3461 4.4). */
static bool
check_envid(const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n <= ENVID_MAX; text++)
		n += *text > ' ' && *text < 0x7f && *text != '+' &&
		    *text != '=' ? 1 : 3;
	return n > 0 && n <= ENVID_MAX;
}

static bool
check(const struct sendmail_options *o)
{
	if (o->notify != NULL && (*o->notify == '\0' ||
	    !check_notify(o->notify))) {
		complain(0, "-N %s: never, or a list of success, failure, "
		    "delay", o->notify);
		return false;
	}
	if (o->ret != NULL && strcasecmp(o->ret, "full") != 0 &&
	    strcasecmp(o->ret, "hdrs") != 0) {
		complain(0, "-R %s: full or hdrs", o->ret);
		return false;
	}
	if (o->envid != NULL && !check_envid(o->envid)) {
		complain(0, "-V: an envelope id has 1 to %d octets",
		    ENVID_MAX);
		return false;
	}
	return true;
}

/* False: it is none that sendmail knows. */
static bool
take(struct sendmail_options *o, int option, char *value)
{
	switch (option) {
	case '?':
		return false;
	case 'b':
		return set_mode(o, value);
	case 'C':
		o->config = value;
		break;
	case 'd':
		o->shows_version = value != NULL &&
		    strncmp(value, "0.", 2) == 0;
		break;
	case 'e':
		set_error_mode(o, *value);
		break;
	case 'F':
		o->full_name = value;
		break;
	case 'f':
	case 'r':
		o->sender = value;
		break;
	case 'I':
		o->mode = MODE_ALIASES;
		break;
	case 'i':
		o->ignores_dots = true;
		break;
	case 'N':
		o->notify = value;
		break;
	case 'O':
		set_long_option(o, value);
		break;
	case 'o':
		set_option(o, value);
		break;
	case 'q':
		if (o->mode == MODE_SEND)
			o->mode = MODE_FLUSH;
		break;
	case 'R':
		o->ret = value;
		break;
	case 't':
		o->reads_recipients = true;
		break;
	case 'V':
		o->envid = value;
		break;
	case 'v':
		o->is_verbose = true;
		break;
	}
	return true;
}

bool
sendmail_options_read(struct sendmail_options *o, int argc, char **argv)
{
	bool is_delimited;
	int option;

	*o = (struct sendmail_options){ .mode = mode_of_name(argv[0]) };
	opterr = 0;
	while ((option = getopt(argc, argv, OPTIONS)) != -1)
		if (!take(o, option, optarg)) {
			if (option == '?')
				complain(0, "-%c is no option of sendmail, or "
				    "its value is missing; see sendmail(8)",
				    optopt);
			return false;
		}
	is_delimited = strcmp(argv[optind - 1], "--") == 0;
	o->recipients = argv + optind;
	o->n_recipients = argc - optind;
	for (int i = 0; i < o->n_recipients && !is_delimited; i++)
		if (o->recipients[i][0] == '-') {
			complain(0, "%s: options stand before the first "
			    "recipient; write -- before a recipient that "
			    "begins with a hyphen", o->recipients[i]);
			return false;
		}
	return check(o);
}
