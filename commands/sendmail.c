/* SPDX-License-Identifier: ISC */
/*
 * sendmail.c - the command that programs of this host send mail with, also
 * called mailq and newaliases; see sendmail(8).
 *
 * It runs as whoever calls it, with no privileges of its own: it speaks SMTP
 * to the server's `local` listener, which knows the caller from the kernel.
 * Nothing is kept here. What the server did not take has not been sent, and
 * the exit status (sysexits.h) and a line on standard error say so.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "complain.h"
#include "file_io.h"
#include "mailq.h"
#include "smtp_pass.h"
#include "transmit.h"

/* ---- a message ---- */

static int
read_recipients(struct addressing *e, const struct sendmail_options *o,
    const struct server_place *place)
{
	int status = addressing_set_sender(e, o, place);

	for (int i = 0; i < o->n_recipients && status == 0; i++)
		status = addressing_add(e, o->recipients[i], place);
	if (status == 0 && e->n_recipients == 0 && !o->reads_recipients)
		status = complain(EX_USAGE, "no recipients (-t reads them "
		    "from the header)");
	return status;
}

static int
prepare(struct transmission *t, struct letter *letter)
{
	const struct letter_limits limits = {
		.ignores_dots = t->options->ignores_dots,
		.message_bytes = t->place->is_guess ? transmit_size_most(t) :
		    t->place->message_bytes,
	};
	int status = letter_read(letter, STDIN_FILENO, &limits);

	if (status == 0 && t->options->reads_recipients)
		status = addressing_take_header(t->envelope, letter, t->place);
	if (status == 0 && t->envelope->n_recipients == 0)
		status = complain(EX_USAGE, "no recipients, neither in the "
		    "header nor on the command line");
	if (status == 0)
		status = addressing_complete(t->envelope, letter, t->options,
		    t->place);
	return status;
}

static int
send_message(const struct sendmail_options *o,
    const struct server_place *place)
{
	struct addressing e = { .sender = NULL };
	struct letter letter = { .fd = -1 };
	struct transmission t = { .envelope = &e, .letter = &letter,
		.options = o, .place = place };
	int status = read_recipients(&e, o, place);

	if (status != 0)
		letter_drain(STDIN_FILENO);
	else
		status = prepare(&t, &letter);
	if (status == 0)
		status = transmit(&t);
	letter_free(&letter);
	addressing_free(&e);
	return status;
}

static int
verify(const struct sendmail_options *o, const struct server_place *place)
{
	struct addressing e = { .sender = NULL };
	struct transmission t = { .envelope = &e, .options = o,
		.place = place };
	int status = read_recipients(&e, o, place);

	if (status == 0)
		status = transmit_verify(&t);
	addressing_free(&e);
	return status;
}

/* ---- the rest ---- */

static int
run(const struct sendmail_options *o, const struct server_place *place)
{
	switch (o->mode) {
	case MODE_SEND:
		return send_message(o, place);
	case MODE_SMTP:
		return smtp_pass(place);
	case MODE_VERIFY:
		return verify(o, place);
	case MODE_LIST:
		return mailq_list(place, o->is_verbose);
	case MODE_FLUSH:
		return mailq_flush(place);
	case MODE_ALIASES:
		return mailq_compile(place);
	case MODE_DAEMON:
		break;
	}
	return complain(EX_USAGE, "the server is postern; start it with "
	    "`systemctl start postern`");
}

/* What was sent stays sent, whoever reads what we print about it. */
static bool
prints_its_result(const struct sendmail_options *o)
{
	return o->mode != MODE_SEND && o->mode != MODE_SMTP;
}

int
main(int argc, char **argv)
{
	struct sendmail_options o;
	struct server_place place;
	const char *name;
	int status;

	if (argc < 1)
		return EX_USAGE;
	if (file_hold_standard() != 0)
		return EX_IOERR;
	name = strrchr(argv[0], '/');
	complain_as(name != NULL ? name + 1 : argv[0]);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* EFBIG says it */
	if (!sendmail_options_read(&o, argc, argv)) {
		letter_drain(STDIN_FILENO);
		return EX_USAGE;
	}
	if (o.is_quiet)
		complain_quietly();
	if (o.shows_version)
		puts("Version Postern");
	server_place_find(&place, o.config);
	if (o.shows_version && o.mode == MODE_SEND && o.n_recipients == 0)
		status = 0;
	else
		status = run(&o, &place);
	if (fflush(stdout) != 0 && status == 0 && prints_its_result(&o))
		status = complain(EX_IOERR, "cannot write: %s",
		    strerror(errno));
	return status;
}
