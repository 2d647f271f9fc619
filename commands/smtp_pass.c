/* SPDX-License-Identifier: ISC */
/*
 * smtp_pass.c - see smtp_pass.h.
 *
 * Both directions have one block that is on its way, and neither waits for
 * the other: a client that pipelines without reading is its own problem.
 *
 * The end of the input is not passed on at once, because the server takes a
 * closed connection for a client that has gone, and aborts. A script that
 * ends without QUIT has one said for it, and gets its last answers; one that
 * ends within a message has that aborted.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>
#include "smtp_client.h"
#include "smtp_pass.h"
#include "transmit.h"

#define BLOCK 65536
#define QUIET_MS 20000		/* then there will be no more answers */
#define MESSAGE_MS 900000	/* after QUIT, the answer to the last dot */

struct way {
	int from, to;
	char block[BLOCK];	/* half of it is read, lest lines grow */
	size_t at, size;	/* what is under way */
	bool has_ended;		/* from, or to, is closed */
};

static void
take(struct way *way)
{
	ssize_t n = read(way->from, way->block, sizeof way->block / 2);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	way->at = 0;
	way->size = n > 0 ? (size_t)n : 0;
	way->has_ended = n <= 0;
}

static void
give(struct way *way)
{
	ssize_t n = write(way->to, way->block + way->at,
	    way->size - way->at);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		way->has_ended = true;
		way->size = way->at;
	} else {
		way->at += (size_t)n;
	}
}

static struct pollfd
wanted(const struct way *way)
{
	if (way->at < way->size)
		return (struct pollfd){ .fd = way->to, .events = POLLOUT };
	return (struct pollfd){ .fd = way->has_ended ? -1 : way->from,
		.events = POLLIN };
}

/* True: a new block has come. */
static bool
move(struct way *way, const struct pollfd *p)
{
	if (p->fd < 0 || p->revents == 0)
		return false;
	if (way->at < way->size) {
		give(way);
		return false;
	}
	take(way);
	return way->size > 0;
}

/* Scripts' printf says LF where SMTP says CR LF. */
enum line_ends { ENDS_UNKNOWN, ENDS_CR_LF, ENDS_LF };

struct talk {
	struct way in, out;
	enum line_ends ends;	/* of the client's first line */
	char last_in;
	char line_in[6];	/* the start of the client's last line */
	size_t n_in;		/* octets of that line */
	bool is_new_in;
	bool is_in_text;	/* between DATA and the dot */
	bool is_over;		/* the client will say no more */
	char kind;		/* first digit of the server's last line */
	bool is_new_out;
	bool is_shut;
};

/*
 * CR LF for each LF of a client whose first line ends in LF. One who begins
 * with CR LF is passed on as he is, octet by octet.
 */
static void
complete_line_ends(struct talk *t)
{
	static char whole[BLOCK];
	size_t n = 0;

	for (size_t i = 0; i < t->in.size; i++) {
		char c = t->in.block[i];
		bool is_bare = c == '\n' && t->last_in != '\r';

		if (c == '\n' && t->ends == ENDS_UNKNOWN)
			t->ends = is_bare ? ENDS_LF : ENDS_CR_LF;
		if (is_bare && t->ends == ENDS_LF)
			whole[n++] = '\r';
		whole[n++] = t->last_in = c;
	}
	memcpy(t->in.block, whole, n);
	t->in.size = n;
}

/* Whether the client's last line is complete, and this. */
static bool
has_said(const struct talk *t, const char *line)
{
	size_t n = strlen(line);

	return t->is_new_in && t->n_in == n + 2 &&
	    strncasecmp(t->line_in, line, n) == 0;
}

static void
note_input(struct talk *t)
{
	for (size_t i = 0; i < t->in.size; i++) {
		char c = t->in.block[i];

		if (t->is_new_in)
			t->n_in = 0;
		t->is_new_in = c == '\n';
		if (t->n_in < sizeof t->line_in)
			t->line_in[t->n_in] = c;
		t->n_in++;
		if (t->is_new_in)
			t->is_in_text = t->is_in_text ? !has_said(t, ".") :
			    has_said(t, "DATA");
	}
}

static void
note_output(struct talk *t)
{
	for (size_t i = 0; i < t->out.size; i++) {
		if (t->is_new_out)
			t->kind = t->out.block[i];
		t->is_new_out = t->out.block[i] == '\n';
	}
}

/* QUIT, for who has ended without. A message is not ended for anybody. */
static void
end_input(struct talk *t)
{
	const char *words = t->is_new_in ? "QUIT\r\n" : "\r\nQUIT\r\n";

	t->is_over = true;
	if (t->is_in_text || has_said(t, "QUIT"))
		return;
	t->in.at = 0;
	t->in.size = strlen(words);
	memcpy(t->in.block, words, t->in.size);
	note_input(t);
}

/* How long the next octet may take; -1: any time. */
static int
patience_ms(const struct talk *t)
{
	if (!t->is_over || t->in.at < t->in.size || t->is_shut)
		return -1;
	if (t->is_in_text)	/* DATA may be refused, which is an answer */
		return t->kind == '3' ? 0 : QUIET_MS;
	return has_said(t, "QUIT") ? MESSAGE_MS : QUIET_MS;
}

/* The server's last words are passed on before this ends. */
static void
pass(struct talk *t)
{
	while (!t->out.has_ended || t->out.at < t->out.size) {
		struct pollfd p[2] = { wanted(&t->in), wanted(&t->out) };
		int n = poll(p, 2, patience_ms(t));

		if (n < 0 && errno != EINTR)
			return;
		if (n == 0) {
			shutdown(t->in.to, SHUT_WR);
			t->is_shut = true;
		}
		if (n > 0 && move(&t->in, &p[0])) {
			complete_line_ends(t);
			note_input(t);
		}
		if (n > 0 && move(&t->out, &p[1]))
			note_output(t);
		if (t->in.has_ended && t->in.at == t->in.size && !t->is_over)
			end_input(t);
	}
}

int
smtp_pass(const struct server_place *place)
{
	static struct talk talk = { .is_new_in = true, .is_new_out = true };
	int fd = smtp_connect(place->submit);

	if (fd < 0) {
		printf("421 4.3.2 the mail server is not running\r\n");
		return transmit_unreachable(place, fd);
	}
	talk.in = (struct way){ .from = STDIN_FILENO, .to = fd };
	talk.out = (struct way){ .from = fd, .to = STDOUT_FILENO };
	pass(&talk);
	close(fd);
	return 0;
}
