/* SPDX-License-Identifier: ISC */
/*
 * See draft.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "draft.h"
#include "file_io.h"
#include "header.h"
#include "sealed.h"

#define FIELD_NAME_MAX 200

/* ---- fields ---- */

static struct draft_field *
fields_make_room(struct draft *d, size_t at)
{
	struct draft_field *grown;
	size_t n = d->n_fields;

	if (n == DRAFT_FIELDS_MAX)
		return NULL;
	if ((n & (n - 1)) == 0) {
		grown = reallocarray(d->fields, n == 0 ? 1 : n * 2,
		    sizeof(*grown));
		if (grown == NULL)
			return NULL;
		d->fields = grown;
	}
	if (at > n)
		at = n;
	memmove(&d->fields[at + 1], &d->fields[at],
	    (n - at) * sizeof(*d->fields));
	d->n_fields++;
	memset(&d->fields[at], 0, sizeof(d->fields[at]));
	return &d->fields[at];
}

static void
field_remove(struct draft *d, size_t at)
{
	free(d->fields[at].owned);
	d->n_fields--;
	memmove(&d->fields[at], &d->fields[at + 1],
	    (d->n_fields - at) * sizeof(*d->fields));
}

/* RFC 5322 2.2: printable ASCII but the colon; no space. */
bool
draft_is_field_name(struct slice name)
{
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f ||
		    name.data[i] == ':')
			return false;
	return name.size > 0 && name.size <= FIELD_NAME_MAX;
}

/*
 * A value as it may stand in a header: CR LF and LF are folds, a line that
 * does not begin with white space gets a TAB, so that nothing in it can be
 * another field or end the header; other CRs and empty lines go.
 */
static int
put_value(struct buf *out, struct slice value)
{
	int error = 0;

	while (value.size > 0 && error == 0) {
		struct slice line = { value.data, slice_find(value, '\n') };
		size_t taken = line.size + (line.size < value.size);
		bool is_first = out->size > 0 &&
		    out->data[out->size - 1] == ':';

		value.data += taken;
		value.size -= taken;
		while (line.size > 0 && line.data[line.size - 1] == '\r')
			line.size--;
		if (slice_trim(line).size == 0 && !is_first)
			continue;
		if (!is_first)
			error = buf_puts(out, line.data[0] == ' ' ||
			    line.data[0] == '\t' ? "\n" : "\n\t");
		for (size_t i = 0; i < line.size && error == 0; i++)
			if (line.data[i] != '\r' && line.data[i] != '\0')
				error = buf_append(out, line.data + i, 1);
	}
	return error;
}

/* The field gets octets of its own. */
static int
field_write(struct draft_field *f, struct slice name, struct slice value)
{
	struct buf text = { .maximum = DRAFT_HEADER_MAX };
	size_t name_size = name.size;
	int error = buf_append_slice(&text, name);

	if (error == 0)
		error = buf_append(&text, ":", 1);
	if (error == 0)
		error = put_value(&text, value);
	if (error == 0)
		error = buf_append(&text, "\n", 1);
	if (error < 0) {
		buf_free(&text);
		return error == -ENOBUFS ? -EFBIG : error;
	}
	free(f->owned);
	f->owned = text.data;
	f->whole = buf_slice(&text);
	f->name = (struct slice){ text.data, name_size };
	f->value = (struct slice){ text.data + name_size + 1,
		text.size - name_size - 2 };
	return 0;
}

int
draft_insert(struct draft *d, size_t at, struct slice name,
    struct slice value)
{
	struct draft_field made = { 0 }, *f;
	int error;

	if (!draft_is_field_name(name))
		return -EINVAL;
	error = field_write(&made, name, value);
	if (error < 0)
		return error;
	f = fields_make_room(d, at);
	if (f == NULL) {
		free(made.owned);
		return d->n_fields == DRAFT_FIELDS_MAX ? -EFBIG : -ENOMEM;
	}
	*f = made;
	d->is_changed = true;
	return 0;
}

int
draft_change(struct draft *d, struct slice name, uint32_t nth,
    struct slice value)
{
	struct draft_field *f;
	char kept[FIELD_NAME_MAX + 1];

	if (!draft_is_field_name(name))
		return -EINVAL;
	if (nth == 0)
		nth = 1;
	for (size_t i = 0; i < d->n_fields; i++) {
		f = &d->fields[i];
		if (!slice_equals_nocase(f->name, name) || --nth > 0)
			continue;
		d->is_changed = true;
		if (slice_trim(value).size == 0) {
			field_remove(d, i);
			return 0;
		}
		slice_copy(kept, sizeof(kept), f->name.size <= FIELD_NAME_MAX ?
		    f->name : name);
		return field_write(f, slice_of(kept), value);
	}
	return slice_trim(value).size == 0 ? 0 :
	    draft_insert(d, DRAFT_AT_END, name, value);
}

/* ---- body ---- */

int
draft_put_body(struct draft *d, struct slice piece, bool is_first)
{
	int error = 0;

	if (is_first) {
		d->body.size = 0;
		d->has_cr = false;
	}
	d->has_body = d->is_changed = true;
	d->body.maximum = d->max_bytes != 0 ? d->max_bytes : 0;
	if (slice_find(piece, '\0') < piece.size)
		return -EINVAL;
	while (piece.size > 0 && error == 0) {
		size_t n;

		/* a CR is a line end, alone too, but for the LF after it */
		if (d->has_cr && *piece.data == '\n') {
			piece = (struct slice){ piece.data + 1,
				piece.size - 1 };
			d->has_cr = false;
			continue;
		}
		n = slice_find(piece, '\r');
		d->has_cr = n < piece.size;
		error = buf_append(&d->body, piece.data, n);
		if (error == 0 && d->has_cr)
			error = buf_append(&d->body, "\n", 1);
		n += d->has_cr;
		piece = (struct slice){ piece.data + n, piece.size - n };
	}
	return error == -ENOBUFS ? -EFBIG : error;
}

ssize_t
draft_read_body(const struct draft *d, uint64_t at, char *to, size_t size)
{
	ssize_t n;

	if (!d->has_body) {
		n = pread(d->fd, to, size, (off_t)(d->body_at + at));
		return n < 0 ? -errno : n;
	}
	if (at >= d->body.size)
		return 0;
	if (size > d->body.size - at)
		size = d->body.size - (size_t)at;
	memcpy(to, d->body.data + at, size);
	return (ssize_t)size;
}

/* ---- open and seal ---- */

/* The header in memory, as far as it may go. */
static int
read_header(struct draft *d, struct slice *text, bool *is_whole)
{
	size_t size = d->size_bytes < DRAFT_HEADER_MAX ?
	    (size_t)d->size_bytes : DRAFT_HEADER_MAX;

	d->header = malloc(size + 1);
	if (d->header == NULL)
		return -ENOMEM;
	if (pread(d->fd, d->header, size, 0) != (ssize_t)size)
		return -EIO;
	*text = (struct slice){ d->header, size };
	*is_whole = size == d->size_bytes;
	return 0;
}

static int
read_fields(struct draft *d)
{
	struct header_walk walk;
	struct header_field field;
	enum header_step step;
	struct slice text;
	bool is_whole;
	int error = read_header(d, &text, &is_whole);

	if (error < 0)
		return error;
	header_walk_start(&walk, text, is_whole);
	while ((step = header_next(&walk, &field)) == HEADER_FIELD) {
		struct draft_field *f = fields_make_room(d, DRAFT_AT_END);

		if (f == NULL)
			return d->n_fields == DRAFT_FIELDS_MAX ? -EFBIG :
			    -ENOMEM;
		f->name = field.name;
		f->value = field.value;
		f->whole = (struct slice){ d->header + field.offset,
			field.size };
	}
	d->body_at = walk.offset;
	return step == HEADER_MORE ? -EFBIG : 0;
}

int
draft_open(struct draft *d, int fd, uint64_t size_bytes, uint64_t max_bytes)
{
	int error;

	memset(d, 0, sizeof(*d));
	d->fd = fd;
	d->size_bytes = size_bytes;
	d->max_bytes = max_bytes;
	error = read_fields(d);
	if (error < 0)
		draft_close(d);
	return error;
}

void
draft_close(struct draft *d)
{
	for (size_t i = 0; i < d->n_fields; i++)
		free(d->fields[i].owned);
	free(d->fields);
	free(d->header);
	buf_free(&d->body);
	memset(d, 0, sizeof(*d));
	d->fd = -1;
}

static int
write_header(const struct draft *d, int fd, uint64_t *size_bytes)
{
	struct buf text = { 0 };
	int error = 0;

	for (size_t i = 0; i < d->n_fields && error == 0; i++) {
		struct slice whole = d->fields[i].whole;

		error = buf_append_slice(&text, whole);
		/* a message that ended within its header */
		if (error == 0 && whole.size > 0 &&
		    whole.data[whole.size - 1] != '\n')
			error = buf_append(&text, "\n", 1);
	}
	if (error == 0)
		error = buf_append(&text, "\n", 1);
	if (error == 0)
		error = file_write(fd, buf_slice(&text));
	*size_bytes = text.size;
	buf_free(&text);
	return error;
}

static int
write_body(const struct draft *d, int fd, uint64_t *size_bytes)
{
	static char block[65536];
	uint64_t at = 0;
	char last = '\n';
	ssize_t n;
	int error;

	while ((n = draft_read_body(d, at, block, sizeof(block))) > 0) {
		error = file_write(fd, (struct slice){ block, (size_t)n });
		if (error < 0)
			return error;
		last = block[n - 1];
		at += (uint64_t)n;
	}
	*size_bytes += at;
	if (n < 0 || last == '\n')
		return (int)n;
	*size_bytes += 1;
	return file_write(fd, SLICE("\n"));
}

int
draft_seal(struct draft *d, const char *session_id, uint64_t *size_bytes)
{
	int fd = sealed_create(session_id), error;

	if (fd < 0)
		return fd;
	error = write_header(d, fd, size_bytes);
	if (error == 0)
		error = write_body(d, fd, size_bytes);
	if (error == 0 && d->max_bytes != 0 && *size_bytes > d->max_bytes)
		error = -EFBIG;
	if (error == 0)
		error = sealed_finish(fd);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}
