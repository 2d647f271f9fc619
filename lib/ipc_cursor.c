/* SPDX-License-Identifier: ISC */
/*
 * ipc_cursor.c - what is in a message; see ipc_cursor.h.
 */
#include <string.h>
#include "big_endian.h"
#include "ipc_cursor.h"

void
ipc_writer_init(struct ipc_writer *w)
{
	w->size = 0;
	w->failed = false;
}

void
ipc_put_bytes(struct ipc_writer *w, const void *data, size_t size)
{
	if (w->failed || size > sizeof w->data - w->size) {
		w->failed = true;
		return;
	}
	if (size > 0)
		memcpy(w->data + w->size, data, size);
	w->size += size;
}

static void
put_number(struct ipc_writer *w, uint64_t v, size_t octets)
{
	uint8_t out[8];

	big_endian_put(out, v, octets);
	ipc_put_bytes(w, out, octets);
}

void
ipc_put_u8(struct ipc_writer *w, uint8_t v)
{
	ipc_put_bytes(w, &v, 1);
}

void
ipc_put_u16(struct ipc_writer *w, uint16_t v)
{
	put_number(w, v, 2);
}

void
ipc_put_u32(struct ipc_writer *w, uint32_t v)
{
	put_number(w, v, 4);
}

void
ipc_put_u64(struct ipc_writer *w, uint64_t v)
{
	put_number(w, v, 8);
}

void
ipc_put_slice(struct ipc_writer *w, struct slice s)
{
	if (s.size > UINT16_MAX) {
		w->failed = true;
		return;
	}
	ipc_put_u16(w, (uint16_t)s.size);
	ipc_put_bytes(w, s.data, s.size);
}

void
ipc_put_string(struct ipc_writer *w, const char *s)
{
	ipc_put_slice(w, slice_of(s));
}

void
ipc_reader_init(struct ipc_reader *r, const void *data, size_t size)
{
	*r = (struct ipc_reader){ .data = data, .size = size };
}

/* The next octets, or NULL when they are not there. */
static const uint8_t *
take(struct ipc_reader *r, size_t size)
{
	const uint8_t *at = r->data + r->at;

	if (r->failed || size > r->size - r->at) {
		r->failed = true;
		return NULL;
	}
	r->at += size;
	return at;
}

static uint64_t
get_number(struct ipc_reader *r, size_t octets)
{
	const uint8_t *at = take(r, octets);

	return at != NULL ? big_endian_get(at, octets) : 0;
}

uint8_t
ipc_get_u8(struct ipc_reader *r)
{
	return (uint8_t)get_number(r, 1);
}

bool
ipc_get_bool(struct ipc_reader *r)
{
	uint8_t value = ipc_get_u8(r);

	if (value > 1)
		r->failed = true;
	return value == 1;
}

uint16_t
ipc_get_u16(struct ipc_reader *r)
{
	return (uint16_t)get_number(r, 2);
}

uint32_t
ipc_get_u32(struct ipc_reader *r)
{
	return (uint32_t)get_number(r, 4);
}

uint64_t
ipc_get_u64(struct ipc_reader *r)
{
	return get_number(r, 8);
}

struct slice
ipc_get_slice(struct ipc_reader *r)
{
	size_t size = ipc_get_u16(r);
	const uint8_t *at = take(r, size);

	if (at == NULL)
		return (struct slice){ "", 0 };
	return (struct slice){ (const char *)at, size };
}

bool
ipc_get_string(struct ipc_reader *r, char *to, size_t room)
{
	struct slice s = ipc_get_slice(r);

	if (slice_find(s, '\0') != s.size || !slice_copy(to, room, s)) {
		*to = '\0';
		r->failed = true;
	}
	return !r->failed;
}

bool
ipc_get_bytes(struct ipc_reader *r, void *to, size_t size)
{
	const uint8_t *at = take(r, size);

	if (at == NULL)
		memset(to, 0, size);
	else
		memcpy(to, at, size);
	return at != NULL;
}

bool
ipc_reader_is_done(const struct ipc_reader *r)
{
	return !r->failed && r->at == r->size;
}
