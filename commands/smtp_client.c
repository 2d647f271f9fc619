/* SPDX-License-Identifier: ISC */
/*
 * smtp_client.c - see smtp_client.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "smtp_client.h"
#include "unix_socket.h"

#define OUT_AT_ONCE 65536
#define LINE_MOST 2048
#define LINES_MOST 200
/* The last participant of a transaction has ten minutes after its dot. */
#define PATIENCE_S 900
/* All has been said by then. */
#define QUIT_PATIENCE_S 5

int
smtp_connect(const char *path)
{
	return unix_socket_connect(path, PATIENCE_S);
}

/* ---- octets ---- */

static int
flush_out(struct smtp_client *c)
{
	size_t at = 0;

	while (at < c->out.size) {
		ssize_t n = send(c->fd, c->out.data + at, c->out.size - at,
		    MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += (size_t)n;
	}
	c->out.size = 0;
	return 0;
}

int
smtp_write(struct smtp_client *c, struct slice data)
{
	int error = buf_append_slice(&c->out, data);

	if (error == 0 && c->out.size >= OUT_AT_ONCE)
		error = flush_out(c);
	return error;
}

/* Keep the last descriptor that came; we ask for one at a time. */
static void
take_passed(struct smtp_client *c, struct msghdr *msg)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);

	if (cm == NULL || cm->cmsg_level != SOL_SOCKET ||
	    cm->cmsg_type != SCM_RIGHTS ||
	    cm->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	if (c->passed >= 0)
		close(c->passed);
	memcpy(&c->passed, CMSG_DATA(cm), sizeof c->passed);
}

static int
read_more(struct smtp_client *c)
{
	char block[4096];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec part = { block, sizeof block };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space };
	ssize_t n;

	do
		n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		take_passed(c, &msg);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (n == 0)
		return -ECONNRESET;
	return buf_append(&c->in, block, (size_t)n);
}

/* A line without its end; it stands until the next is read. */
static int
read_line(struct smtp_client *c, struct slice *line)
{
	for (;;) {
		struct slice in = buf_slice(&c->in);
		size_t n = slice_find(in, '\n');
		int error;

		if (n < in.size) {
			*line = (struct slice){ in.data, n };
			if (n > 0 && in.data[n - 1] == '\r')
				line->size--;
			return 0;
		}
		if (in.size > LINE_MOST)
			return -EPROTO;
		error = read_more(c);
		if (error < 0)
			return error;
	}
}

/* ---- replies ---- */

/* "5.1.1 " at the front of a reply's text. */
static void
note_enhanced(struct smtp_reply *reply, const char *text)
{
	unsigned class, subject, detail;

	if (sscanf(text, "%1u.%3u.%3u", &class, &subject, &detail) == 3) {
		reply->subject = subject;
		reply->detail = detail;
	}
}

/* False: this is no line of a reply. */
static bool
take_reply_line(struct smtp_reply *reply, struct slice line, bool *is_last)
{
	unsigned long long code;
	size_t have = strlen(reply->text);

	if (line.size < 3 || !slice_number((struct slice){ line.data, 3 },
	    599, &code) || code < 200 ||
	    (line.size > 3 && line.data[3] != ' ' && line.data[3] != '-'))
		return false;
	*is_last = line.size == 3 || line.data[3] == ' ';
	reply->code = (unsigned)code;
	if (have == 0)
		snprintf(reply->text, sizeof reply->text, "%.*s",
		    (int)line.size, line.data);
	else if (line.size > 4)
		snprintf(reply->text + have, sizeof reply->text - have,
		    " %.*s", (int)line.size - 4, line.data + 4);
	if (line.size > 4)
		note_enhanced(reply, line.data + 4);
	return true;
}

/* What EHLO offers, a line at a time. */
static void
note_extension(struct smtp_client *c, struct slice line)
{
	char word[LINE_MOST];
	unsigned long long number;

	if (line.size < 5 || !slice_copy(word, sizeof word,
	    (struct slice){ line.data + 4, line.size - 4 }))
		return;
	if (strcasecmp(word, "8BITMIME") == 0)
		c->has_8bitmime = true;
	else if (strcasecmp(word, "SMTPUTF8") == 0)
		c->has_smtputf8 = true;
	else if (strcasecmp(word, "DSN") == 0)
		c->has_dsn = true;
	else if (strncasecmp(word, "SIZE ", 5) == 0 &&
	    slice_number(slice_of(word + 5), UINT64_MAX, &number))
		c->size_most = number;
	else if (strncasecmp(word, "LIMITS ", 7) == 0 &&
	    strstr(word, "RCPTMAX=") != NULL)
		c->recipients_most = (unsigned)strtoul(
		    strstr(word, "RCPTMAX=") + 8, NULL, 10);
}

int
smtp_read_reply(struct smtp_client *c, struct smtp_reply *reply)
{
	bool is_last = false;
	struct slice line;
	int error = flush_out(c);

	*reply = (struct smtp_reply){ .code = 0 };
	for (unsigned n = 0; error == 0 && !is_last; n++) {
		error = n < LINES_MOST ? read_line(c, &line) : -EPROTO;
		if (error == 0 && !take_reply_line(reply, line, &is_last))
			error = -EPROTO;
		if (error < 0)
			break;
		if (c->is_verbose)
			printf("%.*s\n", (int)line.size, line.data);
		if (c->is_in_hello)
			note_extension(c, line);
		buf_consume(&c->in, slice_find(buf_slice(&c->in), '\n') + 1);
	}
	return error == 0 && reply->code == 421 ? -ECONNRESET : error;
}

int
smtp_command(struct smtp_client *c, struct smtp_reply *reply,
    const char *format, ...)
{
	size_t before = c->out.size;
	va_list ap;
	int error;

	*reply = (struct smtp_reply){ .code = 0 };
	va_start(ap, format);
	error = buf_vprintf(&c->out, format, ap);
	va_end(ap);
	if (error == 0 && c->is_verbose)
		printf(">>> %s\n", c->out.data + before);
	if (error == 0)
		error = buf_puts(&c->out, "\r\n");
	return error == 0 ? smtp_read_reply(c, reply) : error;
}

/* ---- the session ---- */

int
smtp_open(struct smtp_client *c, const char *path, struct smtp_reply *reply)
{
	bool is_verbose = c->is_verbose;
	int error = 0;

	*c = (struct smtp_client){ .is_verbose = is_verbose,
		.passed = -1 };
	*reply = (struct smtp_reply){ .code = 0 };
	c->fd = smtp_connect(path);
	if (c->fd < 0)
		return c->fd;
	error = smtp_read_reply(c, reply);
	if (error == 0 && reply->code == 220) {
		c->is_in_hello = true;
		error = smtp_command(c, reply, "EHLO localhost");
		c->is_in_hello = false;
	}
	return error == 0 && reply->code >= 400 ? -EPROTO : error;
}

void
smtp_close(struct smtp_client *c)
{
	const struct timeval patience = { .tv_sec = QUIT_PATIENCE_S };
	struct smtp_reply reply;

	if (c->fd >= 0) {
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof patience);
		(void)smtp_command(c, &reply, "QUIT");
	}
	smtp_abandon(c);
}

void
smtp_abandon(struct smtp_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->passed >= 0)
		close(c->passed);
	c->passed = -1;
	buf_free(&c->in);
	buf_free(&c->out);
}
