/* SPDX-License-Identifier: ISC */
/*
 * connection.h - sessions on real sockets.
 *
 *	accept -> limits -> session <-> stream -> CLOSE -> linger -> closed
 *
 * A connection that ends is shut for writing and read for a moment more:
 * closing with unread input would reset it, and the client would lose the
 * refusal that it was just sent. All connections share one input buffer, so
 * an idle one costs its struct and its session's.
 */
#ifndef POSTERN_SMTPD_CONNECTION_H
#define POSTERN_SMTPD_CONNECTION_H

#include "compartment.h"
#include "loop.h"
#include "session.h"

#define CONNECTION_LINGER_MS 2000
#define CONNECTION_LINGER_BYTES (8u << 20)
#define SERVER_CUT_MS 60000	/* open transactions at a stop */
#define SERVER_PAUSE_MS 5000	/* ... whose clients say nothing */
#define SERVER_MAX_LISTENERS COMPARTMENT_MAX_LISTENERS

struct connection;
struct peers;
struct server;
struct signer;

struct listener {
	struct server *server;
	enum config_tls_mode tls_mode;
	struct loop_io io;
	bool is_watched;
};

/* All connections of the process. */
struct server {
	struct loop *loop;
	struct compartment *compartment;	/* its way to endpoints */
	struct session_settings settings;
	struct peers *peers;
	struct tls_server *tls;		/* NULL: no certificate */
	struct signer *signer;
	struct connection *first;
	size_t n_connections;
	struct listener listeners[SERVER_MAX_LISTENERS];
	size_t n_listeners;
	struct loop_timer pause;	/* no descriptors left: accept later */
	struct loop_timer cut, paused;	/* after server_stop */
	bool is_ending;			/* take nothing new */
	void (*ended)(struct server *server);	/* the last one has gone */
};

/* The session_host whose conn is a struct connection. */
extern const struct session_host connection_host;

/* Where peers.h delivers answers. */
void connection_answered(struct session *s, uint32_t id, struct answer *a);
/* Takes the listening fd over. 0 or a negative errno. */
int server_listen(struct server *server, int fd,
    enum config_tls_mode tls_mode);
/* Accept nothing more (listen.c). */
void server_mute(struct server *server);
/* A connected, non-blocking fd; ip is its peer. Takes fd over. */
void server_adopt(struct server *server, int fd, const char *ip,
    enum config_tls_mode tls_mode);
/* The same of a program of this host, by the unix listener. */
void server_adopt_local(struct server *server, int fd);
/* The same with our own end: see self_test.h. */
void server_adopt_self_test(struct server *server, int fd, bool is_login);
/* Take nothing new; ended is called when the last connection has gone. */
void server_drain(struct server *server);
/*
 * The same, and sessions end with 421 as soon as they are idle, in a
 * transaction after SERVER_PAUSE_MS (or twice that) without a word, or after
 * SERVER_CUT_MS wherever they are, unless a delivery is being finished.
 */
void server_stop(struct server *server);

#endif
