/* SPDX-License-Identifier: ISC */
/*
 * stream_tls.h - TLS behind the calls of stream.h, for stream.c.
 */
#ifndef POSTERN_LIB_STREAM_TLS_H
#define POSTERN_LIB_STREAM_TLS_H

#include <openssl/ssl.h>
#include <stdint.h>
#include "stream.h"
#include "tls_client.h"

struct tls_signer;

/* Begin a handshake with this ssl, which is freed in any case. signer: of a
 * server. 0 or a negative errno. */
int stream_tls_begin(struct stream *stream, SSL *ssl,
    const struct tls_signer *signer);
/* tls_client.c's: what an X509_V_ERR_ amounts to. */
enum tls_fault tls_fault_of(long verify_result);

/* An event of the socket while the handshake goes on. */
void stream_tls_ready(struct stream *stream, uint32_t events);
bool stream_tls_is_handshaking(const struct stream *stream);
/* As recv and send do it: octets, 0 at the end, or a negative errno. */
ssize_t stream_tls_read(struct stream *stream, void *data, size_t size);
ssize_t stream_tls_send(struct stream *stream, const char *data, size_t size);
enum stream_presence stream_tls_look(const struct stream *stream);
/* Input is wanted: some may have been decrypted already. */
void stream_tls_wake(struct stream *stream);
/* Tell the peer that nothing more comes (RFC 8446 6.1). */
void stream_tls_shut(struct stream *stream);
/* Before the socket is closed, or after a handshake that failed. */
void stream_tls_free(struct stream *stream);

/* stream.c's: watch the socket for these. */
void stream_set_events(struct stream *stream, uint32_t events);

#endif
