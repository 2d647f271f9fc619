/* SPDX-License-Identifier: ISC */
/*
 * mailq.c - see mailq.h.
 *
 * The queue, and what has left, is shown through the `local` listener, where
 * everybody is known and sees what is his: XQUEUE is answered with a
 * descriptor of the text.
 * What changes something goes through posternctl's socket.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "complain.h"
#include "control_client.h"
#include "mailq.h"
#include "smtp_client.h"
#include "transmit.h"
#include "visibly.h"

/* ---- the list ---- */

/* Any user has chosen the addresses. A character that is cut in two at the
 * end of a block waits for the next. */
static int
copy_out(int fd)
{
	char block[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, block, sizeof block, at)) > 0) {
		size_t end = (size_t)n;

		if (end == sizeof block)
			do
				end--;
			while ((block[end] & 0xc0) == 0x80 &&
			    end > sizeof block - 4);
		print_visibly(stdout, (struct slice){ block, end });
		if (ferror(stdout))
			return complain(EX_IOERR, "%s", strerror(errno));
		at += (off_t)end;
	}
	return n == 0 ? 0 : complain(EX_TEMPFAIL, "%s", strerror(errno));
}

static int
ask_list(struct smtp_client *c, const char *command)
{
	struct smtp_reply reply;
	int error = smtp_command(c, &reply, "%s", command);

	if (error < 0)
		return complain(EX_TEMPFAIL, "the connection to the mail "
		    "server was lost: %s", strerror(-error));
	if (reply.code != 250)
		return complain(transmit_status(&reply), "%s", reply.text);
	if (c->passed < 0)
		return complain(EX_PROTOCOL, "the mail server sent no list");
	return copy_out(c->passed);
}

static int
connect_and_ask(const struct server_place *place, const char *command,
    bool is_verbose)
{
	struct smtp_client c = { .is_verbose = is_verbose };
	struct smtp_reply reply;
	int status, error = smtp_open(&c, place->submit, &reply);

	if (error == 0)
		status = ask_list(&c, command);
	else if (reply.code >= 400)
		status = complain(transmit_status(&reply), "%s", reply.text);
	else if (error == -ENOENT || error == -ECONNREFUSED)
		status = complain(EX_TEMPFAIL, "the mail server is not "
		    "running (%s: %s)", place->submit, strerror(-error));
	else
		status = complain(EX_TEMPFAIL, "%s: %s", place->submit,
		    strerror(-error));
	smtp_close(&c);
	return status;
}

int
mailq_list(const struct server_place *place, bool is_verbose)
{
	return connect_and_ask(place, "XQUEUE", is_verbose);
}

int
mailq_sent(const struct server_place *place, const char *word)
{
	char command[480];		/* a command line is 512 */

	if (snprintf(command, sizeof command, "XQUEUE SENT %s", word) >=
	    (int)sizeof command)
		return complain(EX_USAGE, "%.100s... is too long", word);
	return connect_and_ask(place, command, false);
}

/* ---- requests to control ---- */

static int
refused(const struct server_place *place, int error)
{
	if (error == -EACCES || error == -EPERM)
		return complain(EX_NOPERM, "%s: only root and members of the "
		    "admin group may ask", place->control);
	return complain(EX_TEMPFAIL, "the mail server is not running (%s: %s)",
	    place->control, strerror(-error));
}

static int
request(const struct server_place *place, const char *words)
{
	struct buf line = { 0 }, reply = { 0 };
	struct slice text;
	int fd = control_connect(place->control);
	int status, error;

	if (fd < 0)
		return refused(place, fd);
	error = buf_puts(&line, words);
	if (error == 0)
		error = control_converse(fd, &line, -1, &reply);
	text = buf_slice(&reply);
	status = error == 0 ? control_status(&text) : -1;
	if (status > 0)
		status = complain(status == EX_TEMPFAIL ? status :
		    EX_UNAVAILABLE, "%.*s", (int)slice_find(text, '\n'),
		    text.data);
	else if (status < 0)
		status = complain(EX_TEMPFAIL, "the mail server did not "
		    "answer");
	buf_free(&line);
	buf_free(&reply);
	close(fd);
	return status;
}

int
mailq_flush(const struct server_place *place)
{
	return geteuid() == 0 ? request(place, "flush\n") : 0;
}

int
mailq_compile(const struct server_place *place)
{
	return request(place, "tables compile\n");
}
