/* SPDX-License-Identifier: ISC */
/*
 * letter.c - see letter.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>
#include "complain.h"
#include "letter.h"

#define BLOCK 65536
#define IN_MEMORY (1u << 20)		/* of a body */
#define DRAIN_MAX (256u << 20)
#define HEADER_LINE_MAX 998		/* RFC 5322 2.1.1 */

enum line_end {
	END_LF,			/* CR LF, and the end of the input, too */
	END_CR,			/* alone */
	END_CUT,		/* none: the line goes on */
};

struct reader {
	struct letter *letter;
	struct letter_limits limits;
	struct buf line;
	uint64_t n_lines;
	unsigned n_crs;			/* they may belong to a line end */
	bool is_in_body;
	enum line_end last;		/* of the line before */
	bool has_ended;			/* by a dot */
	int status;
};

/* ---- where a large body lies ---- */

/* Gone with us, however we end. */
static int
open_nameless(void)
{
	const char *folders[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
	int fd = -1;

	for (size_t i = 0; i < 3 && fd < 0; i++)
		if (folders[i] != NULL && *folders[i] != '\0')
			fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC,
			    0600);
	return fd >= 0 ? fd : memfd_create("sendmail", MFD_CLOEXEC);
}

static int
write_out(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int
spill(struct letter *letter)
{
	int error;

	if (letter->fd < 0)
		letter->fd = open_nameless();
	if (letter->fd < 0)
		return -errno;
	error = write_out(letter->fd, letter->body.data, letter->body.size);
	if (error == 0) {
		letter->file_bytes += letter->body.size;
		letter->body.size = 0;
	}
	return error;
}

static int
add_to_body(struct reader *r, struct slice line)
{
	struct letter *letter = r->letter;
	uint64_t most = r->limits.message_bytes;
	int error = 0;

	if (most != 0 && letter_size(letter) > most)
		return complain(EX_DATAERR, "the message is larger than %"
		    PRIu64 " octets, the most that is taken here", most);
	if (letter->body.size > IN_MEMORY)
		error = spill(letter);
	if (error == 0)
		error = buf_append_slice(&letter->body, line);
	if (error == 0)
		error = buf_puts(&letter->body, "\n");
	if (error < 0)
		return complain(EX_TEMPFAIL, "cannot keep the message in a "
		    "temporary file (TMPDIR): %s; nothing was sent, try again "
		    "later", strerror(-error));
	return 0;
}

/* ---- lines ---- */

static bool
starts_with(struct slice s, const char *text)
{
	size_t n = strlen(text);

	return s.size >= n && memcmp(s.data, text, n) == 0;
}

/* RFC 5322 2.2, with white space before the colon as in mail/header.c. */
static bool
is_field(struct slice line)
{
	size_t n = 0;

	while (n < line.size && line.data[n] > ' ' && line.data[n] < 0x7f &&
	    line.data[n] != ':')
		n++;
	if (n == 0)
		return false;
	while (n < line.size && (line.data[n] == ' ' || line.data[n] == '\t'))
		n++;
	return n < line.size && line.data[n] == ':';
}

static int
take_header_line(struct reader *r, struct slice line)
{
	struct buf *header = &r->letter->header;
	bool is_continued = line.size > 0 && header->size > 0 &&
	    (*line.data == ' ' || *line.data == '\t');

	if (r->n_lines == 1 && (starts_with(line, "From ") ||
	    starts_with(line, ">From ")))
		return 0;
	if (line.size == 0) {
		r->is_in_body = true;
		return 0;
	}
	if (!is_continued && !is_field(line)) {
		r->is_in_body = true;
		return add_to_body(r, line);
	}
	/* a line of white space would be the blank line to some readers */
	while (line.size > 0 && (line.data[line.size - 1] == ' ' ||
	    line.data[line.size - 1] == '\t'))
		line.size--;
	if (line.size == 0)
		return 0;
	if (header->size + line.size >= LETTER_HEADER_MAX)
		return complain(EX_DATAERR, "the header is longer than %u "
		    "octets", LETTER_HEADER_MAX);
	if (buf_append_slice(header, line) != 0 || buf_puts(header, "\n") != 0)
		return complain(EX_TEMPFAIL, "out of memory");
	return 0;
}

/* A dot between bare CRs is part of what somebody's terminal shows. */
static bool
is_last_dot(const struct reader *r, struct slice line, enum line_end end)
{
	return !r->limits.ignores_dots && line.size == 1 &&
	    *line.data == '.' && end == END_LF && r->last == END_LF;
}

/* A complete line, or a piece of one that is too long. */
static void
end_line(struct reader *r, enum line_end end)
{
	struct slice line = buf_slice(&r->line);

	r->n_lines++;
	if (is_last_dot(r, line, end))
		r->has_ended = true;
	else
		r->status = r->is_in_body ? add_to_body(r, line) :
		    take_header_line(r, line);
	r->last = end;
	r->line.size = 0;
}

/* Octets of a character that the cut would split; 0 if none. */
static size_t
split_octets(struct slice line)
{
	for (size_t n = 1; n <= 3 && n < line.size; n++) {
		unsigned char c = (unsigned char)line.data[line.size - n];

		if (c >= 0xc0)
			return (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) > n ?
			    n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

static void
cut_line(struct reader *r)
{
	size_t n = split_octets(buf_slice(&r->line));
	char rest[4];

	memcpy(rest, r->line.data + r->line.size - n, n);
	r->line.size -= n;
	end_line(r, END_CUT);
	if (buf_append(&r->line, rest, n) != 0)
		r->status = complain(EX_TEMPFAIL, "out of memory");
}

static void
take_octet(struct reader *r, char c)
{
	size_t most = r->is_in_body ? LETTER_LINE_MAX : LETTER_HEADER_MAX;

	if (c == '\0')
		return;
	if (c == '\r') {
		r->n_crs++;
		return;
	}
	if (c == '\n') {
		r->n_crs = 0;
		end_line(r, END_LF);
		return;
	}
	if (r->n_crs > 0) {
		r->n_crs = 0;
		if (r->is_in_body)
			end_line(r, END_CR);
		else
			buf_puts(&r->line, " ");
	}
	if (r->status == 0 && !r->has_ended &&
	    buf_append(&r->line, &c, 1) != 0)
		r->status = complain(EX_TEMPFAIL, "out of memory");
	if (r->line.size >= most)
		cut_line(r);
}

/* ---- the whole ---- */

void
letter_drain(int fd)
{
	static char block[BLOCK];
	size_t total = 0;
	ssize_t n;

	if (isatty(fd))
		return;
	while (total < DRAIN_MAX && (n = read(fd, block, sizeof block)) != 0) {
		if (n < 0 && errno != EINTR)
			return;
		total += n > 0 ? (size_t)n : 0;
	}
}

static void
read_all(struct reader *r, int fd)
{
	static char block[BLOCK];
	ssize_t n;

	while (r->status == 0 && !r->has_ended &&
	    (n = read(fd, block, sizeof block)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r->status = complain(EX_IOERR, "cannot read the "
			    "message: %s", strerror(errno));
		for (ssize_t i = 0; i < n && r->status == 0 && !r->has_ended;
		    i++)
			take_octet(r, block[i]);
	}
	/* the last line has no end */
	if (r->status == 0 && !r->has_ended && r->line.size > 0)
		end_line(r, END_LF);
}

int
letter_read(struct letter *letter, int fd, const struct letter_limits *limits)
{
	struct reader r = { .letter = letter, .limits = *limits };

	*letter = (struct letter){ .fd = -1 };
	read_all(&r, fd);
	if (r.status != 0 || r.has_ended)
		letter_drain(fd);
	buf_free(&r.line);
	return r.status;
}

uint64_t
letter_size(const struct letter *letter)
{
	return letter->file_bytes + letter->body.size + letter->header.size;
}

void
letter_free(struct letter *letter)
{
	buf_free(&letter->header);
	buf_free(&letter->body);
	if (letter->fd >= 0)
		close(letter->fd);
	letter->fd = -1;
}

/* ---- for SMTP ---- */

struct writer {
	letter_write_fn *write;
	void *arg;
	bool is_in_line;
	int error;
};

static void
put(struct writer *w, const char *data, size_t size)
{
	if (w->error == 0)
		w->error = w->write(w->arg, (struct slice){ data, size });
}

/* LF lines, perhaps cut anywhere. */
static void
put_lines(struct writer *w, struct slice text)
{
	while (text.size > 0 && w->error == 0) {
		size_t n = slice_find(text, '\n');
		bool has_end = n < text.size;

		if (!w->is_in_line && *text.data == '.')
			put(w, ".", 1);
		put(w, text.data, n);
		if (has_end)
			put(w, "\r\n", 2);
		w->is_in_line = !has_end;
		n += has_end;
		text.data += n;
		text.size -= n;
	}
}

/* A place to fold: white space that no line break stands beside. */
static size_t
fold_at(struct slice line)
{
	size_t n = HEADER_LINE_MAX - 1;

	while (n > 1 && ((line.data[n] != ' ' && line.data[n] != '\t') ||
	    line.data[n - 1] == ' ' || line.data[n - 1] == '\t'))
		n--;
	return n > 1 ? n : line.size;
}

/* One line of the header, folded where it is too long (RFC 5322 2.2.3). */
static void
put_header_line(struct writer *w, struct slice line)
{
	while (line.size > HEADER_LINE_MAX) {
		size_t n = fold_at(line);

		if (n == line.size)
			break;
		put_lines(w, (struct slice){ line.data, n });
		put(w, "\r\n", 2);
		/* what follows begins with white space: no dot to double */
		line.data += n;
		line.size -= n;
	}
	put_lines(w, line);
}

static void
put_file(struct writer *w, const struct letter *letter)
{
	static char block[BLOCK];
	uint64_t at = 0;

	while (at < letter->file_bytes && w->error == 0) {
		ssize_t n = pread(letter->fd, block, sizeof block, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			w->error = n < 0 ? -errno : -EIO;
			return;
		}
		put_lines(w, (struct slice){ block, (size_t)n });
		at += (uint64_t)n;
	}
}

int
letter_send(const struct letter *letter, letter_write_fn *write, void *arg)
{
	struct writer w = { .write = write, .arg = arg };
	struct slice header = buf_slice(&letter->header);

	while (header.size > 0) {
		struct slice line = slice_next_line(&header);

		line.size++;	/* each has its LF */
		put_header_line(&w, line);
	}
	put(&w, "\r\n", 2);
	put_file(&w, letter);
	put_lines(&w, buf_slice(&letter->body));
	put(&w, ".\r\n", 3);
	return w.error;
}
