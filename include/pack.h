/* SPDX-License-Identifier: ISC */
/*
 * pack.h - typed values appended to a buf, in the form that ipc_reader reads.
 *
 * For encoded things that may outgrow one message (routes, records of
 * compiled tables): big-endian numbers, strings with a 16-bit length. The
 * first error sticks and later calls do nothing, so that a caller checks
 * once at the end. Pure, no I/O.
 */
#ifndef POSTERN_PACK_H
#define POSTERN_PACK_H

#include <stdint.h>
#include "buf.h"

struct pack {
	struct buf *out;	/* the caller's */
	int error;		/* 0, -ENOMEM, -ENOBUFS, -EMSGSIZE */
};

void pack_u8(struct pack *p, uint8_t v);
void pack_u16(struct pack *p, uint16_t v);
void pack_u32(struct pack *p, uint32_t v);
void pack_u64(struct pack *p, uint64_t v);
/* More than 65535 octets are -EMSGSIZE. */
void pack_slice(struct pack *p, struct slice s);
void pack_bytes(struct pack *p, const void *data, size_t size);

#endif
