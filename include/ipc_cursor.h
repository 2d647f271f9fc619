/* SPDX-License-Identifier: ISC */
/*
 * ipc_cursor.h - what is in a message, value by value.
 *
 * Big-endian numbers, strings with a 16-bit length. A writer's or reader's
 * first error sticks, so that it is asked once, at the end: sending what a
 * failed writer holds fails, and ipc_reader_is_done() is true only when
 * everything was read and nothing is left over. What is longer than a
 * message is written with pack.h, in the same form. Pure, no I/O.
 */
#ifndef POSTERN_IPC_CURSOR_H
#define POSTERN_IPC_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define IPC_PAYLOAD_MAX 16384

struct ipc_writer {		/* zero it, or ipc_writer_init */
	size_t size;
	bool failed;		/* something did not fit; sending it fails */
	uint8_t data[IPC_PAYLOAD_MAX];
};

void ipc_writer_init(struct ipc_writer *w);
void ipc_put_u8(struct ipc_writer *w, uint8_t v);
void ipc_put_u16(struct ipc_writer *w, uint16_t v);
void ipc_put_u32(struct ipc_writer *w, uint32_t v);
void ipc_put_u64(struct ipc_writer *w, uint64_t v);
void ipc_put_slice(struct ipc_writer *w, struct slice s);	/* <= 65535 */
void ipc_put_string(struct ipc_writer *w, const char *s);
void ipc_put_bytes(struct ipc_writer *w, const void *data, size_t size);

struct ipc_reader {
	const uint8_t *data;
	size_t size, at;
	bool failed;
};

void ipc_reader_init(struct ipc_reader *r, const void *data, size_t size);
uint8_t ipc_get_u8(struct ipc_reader *r);
/* 0 or 1; the reader fails at anything else. */
bool ipc_get_bool(struct ipc_reader *r);
uint16_t ipc_get_u16(struct ipc_reader *r);
uint32_t ipc_get_u32(struct ipc_reader *r);
uint64_t ipc_get_u64(struct ipc_reader *r);
/* Points into the message: copy what outlives the handler. */
struct slice ipc_get_slice(struct ipc_reader *r);
/* Terminated, without NUL octets, or the reader fails and to is "". */
bool ipc_get_string(struct ipc_reader *r, char *to, size_t room);
bool ipc_get_bytes(struct ipc_reader *r, void *to, size_t size);
bool ipc_reader_is_done(const struct ipc_reader *r);

#endif
