/* SPDX-License-Identifier: ISC */
/*
 * The receiver, see body.h.
 *
 *	LINE_START --'.'--> DOT --CR--> DOT_CR --LF--> ENDED
 *	    |  ^             | other: the dot was stuffing
 *	    v  | CR LF       v
 *	  IN_LINE --CR--> AFTER_CR --LF--> LINE_START
 *
 * Only CR LF leads back to LINE_START. Text between line ends is found with
 * memchr and copied; single octets are looked at only around line ends. What
 * one call takes in is written with one write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "body.h"
#include "file_io.h"
#include "sealed.h"

/* Shared: filled and emptied within one call. A held CR and dot fit too, and
 * in front of out an empty line. */
static char octets[BODY_INPUT_MAX + 16];
static char *const out = octets + 1;
static size_t n_out;

int
body_open(struct body *b, const struct body_limits *limits,
    const char *session_id)
{
	memset(b, 0, sizeof(*b));
	b->limits = *limits;
	b->last = '\n';
	b->is_in_header = true;
	b->fd = -1;
	b->session_id = session_id;
	b->digest = digest_new();
	if (b->digest != NULL)
		return 0;
	body_close(b);
	return -ENOMEM;
}

void
body_close(struct body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	buf_free(&b->held);
	digest_free(&b->digest);
	buf_free(&b->header.delivered_to);
}

bool
body_has_ended(const struct body *b)
{
	return b->state == BODY_ENDED;
}

/* The message is lost: its memory is freed now, not at the true end. */
static void
body_fault(struct body *b, enum body_fault fault)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	buf_free(&b->held);
	b->faults |= fault;
}

static void
body_put(struct body *b, const char *data, size_t size)
{
	b->line_bytes += size;
	if (b->line_bytes > BODY_LINE_MAX)
		body_fault(b, BODY_LONG_LINE);
	if (b->faults != 0)
		return;
	memcpy(out + n_out, data, size);
	n_out += size;
}

static void
body_put_line_end(struct body *b)
{
	b->line_bytes = 0;
	if (b->faults == 0)
		out[n_out++] = '\n';
}

static void
body_bare_lf(struct body *b)
{
	if (!b->limits.normalizes_lf)
		body_fault(b, BODY_BARE_LF);
	body_put_line_end(b);
}

/* Text without a CR; any LF in it is bare. */
static void
body_text(struct body *b, const char *data, size_t size)
{
	const char *lf;
	size_t n;

	if (memchr(data, '\0', size) != NULL)
		body_fault(b, BODY_NUL);
	while (size > 0) {
		lf = memchr(data, '\n', size);
		n = lf != NULL ? (size_t)(lf - data) : size;
		body_put(b, data, n);
		if (lf == NULL)
			return;
		body_bare_lf(b);
		data += n + 1;
		size -= n + 1;
	}
}

/* The octet after a CR, or after the dot and CR that would end data. */
static size_t
body_after_cr(struct body *b, char octet)
{
	if (octet == '\n') {
		if (b->state == BODY_DOT_CR) {
			b->state = BODY_ENDED;
			return 1;
		}
		body_put_line_end(b);
		b->state = BODY_LINE_START;
		return 1;
	}
	body_fault(b, BODY_BARE_CR);
	if (octet == '\r') {
		b->state = BODY_AFTER_CR;
		return 1;
	}
	b->state = BODY_IN_LINE;
	return 0;
}

/* Text up to the next CR, and that CR. */
static size_t
body_in_line(struct body *b, const char *data, size_t size)
{
	const char *cr = memchr(data, '\r', size);
	size_t n = cr != NULL ? (size_t)(cr - data) : size;

	body_text(b, data, n);
	if (cr == NULL) {
		b->state = BODY_IN_LINE;
		return n;
	}
	b->state = BODY_AFTER_CR;
	return n + 1;
}

/*
 * Whole lines with nothing in them that needs a second look, as nearly all
 * are; the first other one is left to the steps below.
 */
static size_t
body_plain_lines(const char *data, size_t size, bool has_dots)
{
	const char *at = data, *end = data + size, *lf;
	size_t n;

	while (at < end && (*at != '.' || !has_dots) &&
	    (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		n = (size_t)(lf - at);
		if (n == 0 || n > BODY_LINE_MAX || lf[-1] != '\r' ||
		    memchr(at, '\r', n - 1) != NULL)
			break;
		memcpy(out + n_out, at, n - 1);
		n_out += n;
		out[n_out - 1] = '\n';
		at = lf + 1;
	}
	return (size_t)(at - data);
}

static size_t
body_step(struct body *b, const char *data, size_t size, bool has_dots)
{
	switch (b->state) {
	case BODY_LINE_START:
		if (has_dots && *data == '.') {
			b->state = BODY_DOT;
			return 1;
		}
		return body_in_line(b, data, size);
	case BODY_DOT:
		/* RFC 5321 4.5.2: the first dot of several octets goes. */
		b->state = *data == '\r' ? BODY_DOT_CR : BODY_IN_LINE;
		return *data == '\r' ? 1 : 0;
	case BODY_IN_LINE:
		return body_in_line(b, data, size);
	case BODY_AFTER_CR:
	case BODY_DOT_CR:
		return body_after_cr(b, *data);
	case BODY_ENDED:
		break;
	}
	return 0;
}

/* From now on the message is in a memfd. */
static bool
body_create(struct body *b)
{
	b->fd = sealed_create(b->session_id);
	if (b->fd < 0 || file_write(b->fd, buf_slice(&b->held)) != 0)
		return false;
	buf_free(&b->held);
	return true;
}

static bool
body_store(struct body *b, const char *data, size_t size)
{
	if (b->fd < 0 && b->held.size + size <= BODY_HELD_MAX)
		return buf_append(&b->held, data, size) == 0;
	if (b->fd < 0 && !body_create(b))
		return false;
	return file_write(b->fd, (struct slice){ data, size }) == 0;
}

/* The first octets again. */
static bool
body_read(const struct body *b, char *to, size_t size)
{
	if (b->fd >= 0)
		return pread(b->fd, to, size, 0) == (ssize_t)size;
	if (b->held.size < size)
		return false;
	memcpy(to, b->held.data, size);
	return true;
}

/* The header is complete: from memory if all of it just came, else read it. */
static void
body_read_header(struct body *b, const char *data, size_t size, bool is_whole)
{
	char *copy;

	b->is_in_header = false;
	if (b->header_size == size) {
		body_header_read(b, (struct slice){ data, size }, is_whole);
		return;
	}
	copy = malloc(b->header_size);
	if (copy == NULL || !body_read(b, copy, b->header_size))
		body_fault(b, BODY_IO_ERROR);
	else
		body_header_read(b, (struct slice){ copy, b->header_size },
		    is_whole);
	free(copy);
}

/* Octets up to and including the line end before the first empty line. */
static bool
find_header_end(const char *data, size_t size, char last, size_t *end)
{
	const char *p = data;

	if (last == '\n' && size > 0 && *data == '\n') {
		*end = 0;
		return true;
	}
	while (size > 1 && (p = memchr(p, '\n',
	    size - 1 - (size_t)(p - data))) != NULL) {
		if (*++p == '\n') {
			*end = (size_t)(p - data);
			return true;
		}
	}
	return false;
}

/* Look at octets that are stored now: the header, then the digest. */
static void
body_scan(struct body *b, const char *data, size_t size)
{
	size_t room, take = size;
	bool has_end;

	if (b->is_in_header) {
		has_end = find_header_end(data, size, b->last, &take);
		room = b->limits.header_bytes - b->header_size;
		if (take > room) {
			take = room;
			has_end = false;
		}
		b->header_size += take;
		b->last = data[size - 1];
		if (!has_end && take < room)
			return;
		body_read_header(b, data, take, has_end);
		data += take;
		size -= take;
	}
	digest_update(b->digest, data, size);
}

/*
 * White space at the very front would continue the last field that we put
 * on top of the message, and who sends it would write in our name.
 */
static const char *
body_front(const struct body *b)
{
	if (b->size_bytes > 0 || n_out == 0 || (*out != ' ' && *out != '\t'))
		return out;
	*octets = '\n';
	return octets;
}

/* One write for what one call took in. */
static void
body_flush(struct body *b)
{
	const char *front = body_front(b);
	size_t n = n_out + (size_t)(out - front);
	uint64_t size = b->size_bytes + n;

	n_out = 0;
	if (b->faults != 0 || n == 0)
		return;
	if (b->limits.max_bytes != 0 && size > b->limits.max_bytes) {
		body_fault(b, BODY_TOO_LARGE);
	} else if (b->limits.may_grow != NULL &&
	    !b->limits.may_grow(b->limits.arg, size)) {
		body_fault(b, BODY_NO_ROOM);
	} else if (!body_store(b, front, n)) {
		body_fault(b, BODY_IO_ERROR);
	} else {
		b->size_bytes = size;
		body_scan(b, front, n);
	}
}

static size_t
body_take(struct body *b, const char *data, size_t size, bool has_dots)
{
	bool is_plain = memchr(data, '\0', size) == NULL;
	size_t at = 0;

	n_out = 0;
	while (at < size && b->state != BODY_ENDED) {
		if (is_plain && b->state == BODY_LINE_START && b->faults == 0)
			at += body_plain_lines(data + at, size - at, has_dots);
		if (at < size)
			at += body_step(b, data + at, size - at, has_dots);
	}
	b->taken_bytes += at;
	body_flush(b);
	if (b->taken_bytes > b->limits.drain_bytes && b->state != BODY_ENDED)
		body_fault(b, BODY_ENDLESS);
	return at;
}

/* A message may end within its header. */
static void
body_finish(struct body *b)
{
	if (b->faults == 0 && b->is_in_header)
		body_read_header(b, NULL, 0, true);
}

size_t
body_take_data(struct body *b, const char *data, size_t size)
{
	size_t taken = body_take(b, data, size, true);

	if (b->state == BODY_ENDED)
		body_finish(b);
	return taken;
}

void
body_take_chunk(struct body *b, const char *data, size_t size)
{
	body_take(b, data, size, false);
}

void
body_end_chunks(struct body *b)
{
	n_out = 0;
	if (b->state == BODY_AFTER_CR)
		body_fault(b, BODY_BARE_CR);
	else if (b->state == BODY_IN_LINE && b->line_bytes > 0)
		body_put_line_end(b);
	body_flush(b);
	b->state = BODY_ENDED;
	body_finish(b);
}

int
body_finish_digest(struct body *b, uint8_t digest[BODY_DIGEST_SIZE])
{
	if (b->state != BODY_ENDED || b->faults != 0)
		return -EINVAL;
	b->has_digest = digest_final(b->digest, digest);
	return 0;
}

struct slice
body_held(const struct body *b)
{
	return b->fd < 0 ? buf_slice(&b->held) : (struct slice){ NULL, 0 };
}

int
body_hand_out(struct body *b)
{
	int fd, error;

	if (b->state != BODY_ENDED || b->faults != 0)
		return -EINVAL;
	if (b->fd < 0 && !body_create(b))
		return -EIO;
	error = sealed_finish(b->fd);
	if (error < 0)
		return error;
	fd = b->fd;
	b->fd = -1;
	return fd;
}
