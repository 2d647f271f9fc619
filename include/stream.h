/* SPDX-License-Identifier: ISC */
/*
 * stream.h - a connected socket: what is read from it, what waits for it.
 *
 * Embedded in its owner's struct. It owns the descriptor, watches it on the
 * loop, and holds memory only while output waits. Reading can be stopped at
 * will; that costs a system call only when input does come meanwhile. Nothing
 * here logs.
 *
 * After stream_start_tls there is a handshake (tls.h), which ends with
 * STREAM_SECURED or STREAM_INSECURE; from then on the same calls read and
 * write what TLS carries.
 */
#ifndef POSTERN_STREAM_H
#define POSTERN_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "buf.h"
#include "loop.h"

#define STREAM_OUT_MAX (1u << 20)	/* octets that may wait */

enum stream_event {
	STREAM_INPUT,		/* stream_read has something, or the end */
	STREAM_WRITTEN,		/* nothing waits any more */
	STREAM_HELD,		/* input or the end, while it is not wanted:
				 * once, until it is wanted again */
	STREAM_BROKEN,		/* reset by the peer: nothing can be sent */
	STREAM_SECURED,		/* TLS is on: stream_tls_facts */
	STREAM_INSECURE,	/* no TLS: stream_tls_failure, stream_end_tls */
};

struct stream;
struct stream_tls;
struct tls_facts;
struct tls_server;

/* May close the stream and free its owner. */
typedef void stream_fn(struct stream *stream, enum stream_event event,
    void *arg);

struct stream {			/* zeroed before first use; owner's memory */
	struct loop *loop;
	struct loop_io io;
	struct buf out;
	bool wants_input;
	bool is_open;
	bool is_ending;			/* the end follows what is written */
	struct stream_tls *tls;		/* NULL: plain */
	stream_fn *fn;
	void *arg;
};

enum stream_presence {
	STREAM_QUIET,		/* open, nothing to read */
	STREAM_HAS_INPUT,
	STREAM_GONE,		/* closed or reset, and nothing left to read */
};

/* Takes the non-blocking fd over, in any case. 0 or a negative errno. */
int stream_open(struct stream *stream, struct loop *loop, int fd,
    stream_fn *fn, void *arg);
/* Closes at once; what waits is lost. Safe to repeat. */
void stream_close(struct stream *stream);
/* STREAM_INPUT is not called while unwanted. Reading is wanted at first. */
void stream_want_input(struct stream *stream, bool wants_input);
/* Octets read; 0 at the end; -EAGAIN or another negative errno. */
ssize_t stream_read(struct stream *stream, void *data, size_t size);
/*
 * Send now what the socket takes, keep the rest. 0, or a negative errno:
 * the stream is broken or the reader too slow (-ENOBUFS).
 */
int stream_write(struct stream *stream, struct slice data);
/* The same; stream_shut or stream_close follows at once, so that our end of
 * file can go in the same segment. */
int stream_write_last(struct stream *stream, struct slice data);
bool stream_has_output(const struct stream *stream);
/* Nothing more will be written: the peer reads an end of file. */
void stream_shut(struct stream *stream);
/*
 * After stream_shut: has the peer's host acknowledged all that was written?
 * One whose process died before it read our last words has not. False also
 * where that cannot be told.
 */
bool stream_is_acknowledged(const struct stream *stream);
/*
 * Begin a handshake as server; call it when nothing waits to be written.
 * server must outlive the stream. The owner sets the time limit. 0, -EINVAL
 * or -ENOMEM.
 */
int stream_start_tls(struct stream *stream, const struct tls_server *server);
/* NULL while there is no TLS. */
const struct tls_facts *stream_tls_facts(const struct stream *stream);
/* Why the handshake failed: what OpenSSL says (version, cipher). */
const char *stream_tls_failure(const struct stream *stream);
/* After STREAM_INSECURE: plain again, to take in and throw away what comes
 * until the peer has read the alert. */
void stream_end_tls(struct stream *stream);
/* Looks without reading. */
enum stream_presence stream_look(const struct stream *stream);

#endif
