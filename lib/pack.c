/* SPDX-License-Identifier: ISC */
/*
 * pack.c - typed values appended to a buf; see pack.h.
 */
#include <errno.h>
#include "big_endian.h"
#include "pack.h"

void
pack_bytes(struct pack *p, const void *data, size_t size)
{
	if (p->error == 0)
		p->error = buf_append(p->out, data, size);
}

static void
pack_number(struct pack *p, uint64_t v, size_t octets)
{
	uint8_t out[8];

	big_endian_put(out, v, octets);
	pack_bytes(p, out, octets);
}

void
pack_u8(struct pack *p, uint8_t v)
{
	pack_number(p, v, 1);
}

void
pack_u16(struct pack *p, uint16_t v)
{
	pack_number(p, v, 2);
}

void
pack_u32(struct pack *p, uint32_t v)
{
	pack_number(p, v, 4);
}

void
pack_u64(struct pack *p, uint64_t v)
{
	pack_number(p, v, 8);
}

void
pack_slice(struct pack *p, struct slice s)
{
	if (s.size > UINT16_MAX && p->error == 0)
		p->error = -EMSGSIZE;
	pack_u16(p, (uint16_t)s.size);
	pack_bytes(p, s.data, s.size);
}
