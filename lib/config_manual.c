/* SPDX-License-Identifier: ISC */
/*
 * config_manual.c - postern.conf(5), made from the table of keys.
 *
 * The page is checked in as doc/postern.conf.5; `make doc/postern.conf.5`
 * makes it anew and a unit test compares the two.
 */
#include <string.h>
#include "config_lex.h"
#include "config_value.h"

#define COLUMNS 74

static const char head[] =
".\\\" SPDX-License-Identifier: ISC\n"
".\\\" Made from lib/config_keys.c by `make doc/postern.conf.5`.\n"
".Dd November 21, 2026\n"
".Dt POSTERN.CONF 5\n"
".Os\n"
".Sh NAME\n"
".Nm postern.conf\n"
".Nd configuration of the mail server postern\n"
".Sh DESCRIPTION\n"
"The file has settings and sections:\n"
".Bd -literal -offset indent\n"
"hostname = \"mx.example.org\"      # a comment\n"
"limits { sessions = 1000  message_size = 50M }\n"
"domain \"example.org\" {\n"
"\tusers   = \"passwd\"\n"
"\tsame_as = { \"example.net\", \"example.com\" }\n"
"}\n"
".Ed\n"
".Pp\n"
"Settings need nothing between them, and several can stand on one line;\n"
"a value begins on the line of its key.\n"
"A comment goes from\n"
".Sq #\n"
"to the end of the line.\n"
"A key may be set once in its section.\n"
"Nothing is taken from the environment.\n"
"The file has at most " NUMBER_TEXT(CONFIG_MAX_MIB) " MiB.\n"
".Bl -tag -width Ds\n"
".It Strings\n"
"stand in double quotes, in UTF-8, on one line.\n"
"A backslash stands before a quote or a backslash;\n"
".Ql \\en\n"
"and\n"
".Ql \\et\n"
"are a line feed and a tab.\n"
".It Numbers\n"
"are decimal, whatever digit they begin with.\n"
".It Sizes\n"
"are octets; K, M, G and T behind the number make them units of 1024,\n"
"1024\\(ha2, 1024\\(ha3 and 1024\\(ha4.\n"
".It Durations\n"
"have one of the units s, m, h and d.\n"
".It Words\n"
"are one of those that are listed for the key, and\n"
"need no quotes.\n"
".It Lists\n"
"are strings with commas between them, in braces.\n"
".It Domain names\n"
"may be given in UTF-8 and are kept as A-labels, in lower case.\n"
".El\n"
".Pp\n"
"All mistakes in a file are reported in one run, each with its line, by\n"
".Ql postern -n .\n"
".Pp\n"
"The file is read when\n"
".Xr postern 8\n"
"starts, and again when it gets a\n"
".Dv SIGHUP ;\n"
"if there is a mistake then, the configuration stays as it was.\n"
".Sh KEYS\n";

static const char tail[] =
".Sh FILES\n"
".Bl -tag -width Ds\n"
".It Pa /etc/postern/postern.conf\n"
"The configuration.\n"
"This file and those of tables may begin with a byte order mark (UTF-8).\n"
".It Pa /etc/aliases\n"
"The usual alias file.\n"
"Each alias is a name, a colon and a list of members: users, addresses,\n"
".Ql \\ename\n"
"for the mailbox of that name whatever the aliases say of it (with a domain,\n"
"its mailbox there),\n"
".Ql :include: Ns Ar path ,\n"
".Ql error: Ns Ar code x.y.z text\n"
"for a refusal with that reply, or\n"
".Ql discard\\&: ;\n"
"or a program,\n"
".Ql |/path/program argument\n"
"(in double quotes where it holds commas or what is for a shell): see\n"
".Xr postern 8 .\n"
"With a mistake in it the aliases stay as they were.\n"
"One in a file of\n"
".Ql :include\\&:\n"
"is answered with 451 at the aliases that include it, and nowhere else.\n"
".It Pa /etc/postern/users\n"
"A users table: on each line a local part, and after it, if wanted,\n"
".Ql name=\"Alice Smith\" ,\n"
".Ql quota=1G\n"
"and\n"
".Ql password=\"$y$...\" :\n"
"see\n"
".Xr postern 8 .\n"
".El\n"
".Sh EXAMPLES\n"
"A server for one domain, with the users of the system:\n"
".Bd -literal -offset indent\n"
"hostname   = \"mx.example.org\"\n"
"postmaster = \"alice@example.org\"\n"
"state_dir  = \"/var/lib/postern\"\n"
"\n"
"listen \"*:25\" { role = mx }\n"
"\n"
"domain \"example.org\" {\n"
"\tusers   = \"passwd\"\n"
"\taliases = \"/etc/aliases\"\n"
"\tmailbox = \"~/Maildir\"\n"
"}\n"
".Ed\n"
".Pp\n"
"One more, whose mailboxes all belong to the user vmail:\n"
".Bd -literal -offset indent\n"
"domain \"example.com\" {\n"
"\tusers   = \"table:/etc/postern/users.example.com\"\n"
"\tmailbox = \"/var/vmail/%d/%u/Maildir\"\n"
"\towner   = \"vmail\"\n"
"\tquota   = 2G\n"
"}\n"
".Ed\n"
".Sh SEE ALSO\n"
".Xr postern 8 ,\n"
".Xr posternctl 8\n"
".Rs\n"
".%A J. Klensin\n"
".%T Simple Mail Transfer Protocol\n"
".%R RFC 5321\n"
".Re\n";

/*
 * Words, filled to COLUMNS; mdoc wants each sentence on a new line. No word
 * of the table begins with what roff takes for a request.
 */
static void
write_text(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > 0 && column + 1 + n > COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%s%.*s", column ? " " : "", (int)n, text);
		column += n + (column > 0);
		if (text[n - 1] == '.' && text[n] == ' ') {
			fputc('\n', out);
			column = 0;
		}
		text += n + (text[n] == ' ');
	}
	fputc('\n', out);
}

/* role = mx | submission | local */
static void
write_words(FILE *out, const char *words)
{
	while (*words != '\0') {
		size_t n = strcspn(words, "|");

		fprintf(out, " Cm %.*s", (int)n, words);
		words += n;
		if (*words == '|') {
			fputs(" No \\(ba", out);
			words++;
		}
	}
}

static void
write_key_line(FILE *out, const struct config_key *key)
{
	const struct config_type_info *type = &config_types[key->type];

	fprintf(out, ".It Ic %s No =", key->name);
	if (key->words != NULL)
		write_words(out, key->words);
	else if (key->type == CONFIG_BOOL)
		write_words(out, "true|false");
	else if (type->is_list)
		fprintf(out, " { Qo Ar %s Qc , No ... }", type->manual);
	else if (type->token == TOKEN_STRING)
		fprintf(out, " Qq Ar %s", type->manual);
	else
		fprintf(out, " Ar %s", type->manual);
	fputc('\n', out);
}

static void
write_default(FILE *out, const struct config_key *key)
{
	bool is_string = config_types[key->type].token == TOKEN_STRING;

	if (key->flags & KEY_REQUIRED)
		fputs("Required.\n", out);
	if (key->fallback != NULL)
		fprintf(out, "The default is\n.Ql %s%s%s .\n",
		    is_string ? "\\(dq" : "", key->fallback,
		    is_string ? "\\(dq" : "");
}

static void
write_key(FILE *out, const struct config_key *key)
{
	struct buf range = { 0 };

	write_key_line(out, key);
	write_text(out, key->help);
	write_default(out, key);
	if (key->max > 0) {
		config_print_range(&range, key);
		fprintf(out, "The range is %.*s.\n",
		    CONFIG_QUOTE(buf_slice(&range)));
	}
	buf_free(&range);
}

static void
write_section(FILE *out, const struct config_section *section)
{
	if (section->name[0] == '\0') {
		fputs(".Ss The top level\n", out);
	} else {
		fprintf(out, ".Ss %s", section->name);
		if (section->has_title)
			fprintf(out, " Qo Ar %s Qc No",
			    config_types[section->title_type].manual);
		fputs(" { ... }\n", out);
	}
	write_text(out, section->help);
	if (section->parent != NULL && section->parent[0] != '\0')
		fprintf(out, "Stands in the section\n.Ic %s .\n",
		    section->parent);
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < config_n_keys; i++)
		if (strcmp(config_keys[i].section, section->name) == 0)
			write_key(out, &config_keys[i]);
	fputs(".El\n", out);
}

void
config_write_manual(FILE *out)
{
	fputs(head, out);
	for (size_t i = 0; i < config_n_sections; i++)
		write_section(out, &config_sections[i]);
	fputs(tail, out);
}
