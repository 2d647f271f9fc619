/* SPDX-License-Identifier: ISC */
/*
 * See connection.h. A session may end within any call into it; the
 * connection outlives it until connection_after, which every such call is
 * followed by, so that nothing is freed under a caller.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "caller.h"
#include "connection.h"
#include "filters.h"
#include "limits.h"
#include "peers.h"
#include "signer.h"
#include "self_test.h"
#include "session_state.h"
#include "socket_name.h"
#include "starttls.h"
#include "stream.h"
#include "tls.h"

struct connection {
	struct server *server;
	struct stream stream;
	struct loop_timer timer;
	struct session *session;	/* NULL: lingering */
	struct filters *filters;	/* milters and clamd; NULL: none yet */
	struct connection *next, *prev;
	uint64_t unconfirmed;		/* see session.h */
	uint32_t lingered_bytes;
	bool has_quit;
	bool is_waiting;		/* the greeting does, for talkers */
	bool is_mute;			/* TLS from the first octet, not yet */
};

static char input[256 << 10];

static void on_timer(struct loop_timer *timer, void *arg);

/* ---- the end ---- */

/* is_clean: the client took our last words and closed in order. */
static void
connection_free(struct connection *c, bool is_clean)
{
	struct server *server = c->server;
	struct question q = { .kind = is_clean ? QUESTION_CONFIRM :
	    QUESTION_END, .fd = -1, .as.transaction = c->unconfirmed };

	if (c->unconfirmed != 0)
		peers_tell(server->peers, &q);
	filters_free(&c->filters);
	loop_timer_stop(server->loop, &c->timer);
	stream_close(&c->stream);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		server->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	free(c);
	server->n_connections--;
	if (server->n_connections == 0 && server->is_ending)
		server->ended(server);
}

/* Nothing more will come, and nothing depends on how the client closes. */
static bool
connection_is_over(const struct connection *c)
{
	return c->has_quit && c->unconfirmed == 0 &&
	    !stream_has_output(&c->stream) &&
	    stream_look(&c->stream) != STREAM_HAS_INPUT;
}

static void
connection_linger(struct connection *c)
{
	if (!c->stream.is_open || connection_is_over(c)) {
		connection_free(c, false);
		return;
	}
	if (!stream_has_output(&c->stream))
		stream_shut(&c->stream);
	stream_want_input(&c->stream, true);
	loop_timer_start(c->server->loop, &c->timer, CONNECTION_LINGER_MS,
	    on_timer, c);
}

static void
connection_after(struct connection *c)
{
	if (c->session == NULL)
		connection_linger(c);
	else if (c->stream.is_open)
		stream_want_input(&c->stream, session_wants_input(c->session)
		    && !stream_has_output(&c->stream));
}

/* The socket is useless now; a transaction may still have to end. */
static void
connection_broken(struct connection *c)
{
	stream_close(&c->stream);
	loop_timer_stop(c->server->loop, &c->timer);
	if (c->session == NULL) {
		connection_free(c, false);
		return;
	}
	session_hang_up(c->session);
	connection_after(c);
}

/* ---- what comes in ---- */

static void
connection_lingered(struct connection *c, ssize_t n)
{
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		connection_free(c, n == 0 &&
		    stream_is_acknowledged(&c->stream));
		return;
	}
	c->lingered_bytes += (uint32_t)n;
	if (c->lingered_bytes > CONNECTION_LINGER_BYTES)
		connection_free(c, false);
}

/* The end of its wait: it has talked, or it has not. */
static void
connection_end_wait(struct connection *c, bool has_talked)
{
	c->is_waiting = false;
	if (!has_talked)
		limits_note_patience(c->session->client);
	session_greet(c->session, has_talked);
}

static void
connection_readable(struct connection *c)
{
	ssize_t n = stream_read(&c->stream, input, sizeof(input));

	if (c->is_waiting && n > 0) {
		connection_end_wait(c, true);
		connection_after(c);
	} else if (c->session == NULL) {
		connection_lingered(c, n);
	} else if (n > 0) {
		session_input(c->session,
		    (struct slice){ input, (size_t)n });
		connection_after(c);
	} else if (n != -EAGAIN) {
		connection_broken(c);
	}
}

/* ---- TLS ---- */

static void
connection_secured(struct connection *c)
{
	c->is_mute = false;
	if (c->session == NULL) {
		connection_free(c, false);
		return;
	}
	session_secured(c->session, stream_tls_facts(&c->stream));
	connection_after(c);
}

/* OpenSSL has sent its alert; the client may take a moment to read it. */
static void
connection_insecure(struct connection *c)
{
	char why[256];

	slice_clip(why, sizeof(why), slice_of(stream_tls_failure(&c->stream)));
	stream_end_tls(&c->stream);
	if (c->session != NULL)
		session_insecure(c->session, why);
	connection_after(c);
}

static void
on_stream(struct stream *stream, enum stream_event event, void *arg)
{
	struct connection *c = arg;

	switch (event) {
	case STREAM_INPUT:
		connection_readable(c);
		break;
	case STREAM_WRITTEN:
		if (c->session == NULL)
			stream_shut(&c->stream);
		else
			connection_after(c);
		break;
	case STREAM_HELD:
		if (c->session != NULL && !c->is_mute &&
		    stream_look(stream) == STREAM_GONE)
			session_client_left(c->session);
		break;
	case STREAM_BROKEN:
		connection_broken(c);
		break;
	case STREAM_SECURED:
		connection_secured(c);
		break;
	case STREAM_INSECURE:
		connection_insecure(c);
		break;
	}
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct connection *c = arg;

	(void)timer;
	if (c->session == NULL) {
		connection_free(c, false);
		return;
	}
	if (c->is_waiting)
		connection_end_wait(c, false);
	else
		session_timeout(c->session);
	connection_after(c);
}

void
connection_answered(struct session *s, uint32_t id, struct answer *a)
{
	struct connection *c = s->conn;

	session_answer(s, id, a);
	connection_after(c);
}

/* ---- the session's way out ---- */

static void
host_send(void *conn, struct slice data)
{
	struct connection *c = conn;

	/* A failure shows as STREAM_BROKEN, or as the reader's timeout. */
	if (c->is_mute)
		return;
	if (c->session != NULL && session_has_quit(c->session))
		(void)stream_write_last(&c->stream, data);
	else
		(void)stream_write(&c->stream, data);
}

static void
host_hand_over(void *conn, struct slice data, int fd)
{
	struct connection *c = conn;

	/* without it the client has a reply too few, and hangs up */
	if (stream_pass(&c->stream, data, fd) < 0)
		stream_shut(&c->stream);
}

static enum presence
host_presence(void *conn)
{
	struct connection *c = conn;

	switch (stream_look(&c->stream)) {
	case STREAM_QUIET:
		return PRESENCE_IDLE;
	case STREAM_HAS_INPUT:
		return PRESENCE_HAS_SENT;
	case STREAM_GONE:
		break;
	}
	return PRESENCE_GONE;
}

static void
host_local_ip(void *conn, char *ip)
{
	struct connection *c = conn;

	(void)socket_local_name(ip, c->stream.io.fd);
}

static bool
host_can_start_tls(void *conn)
{
	struct connection *c = conn;

	return signer_is_ready(c->server->signer);
}

static int
host_start_tls(void *conn)
{
	struct connection *c = conn;

	return stream_start_tls(&c->stream, c->server->tls);
}

static void
host_timer(void *conn, uint32_t after_ms)
{
	struct connection *c = conn;

	if (after_ms == 0 || !c->stream.is_open)
		loop_timer_stop(c->server->loop, &c->timer);
	else
		loop_timer_start(c->server->loop, &c->timer, after_ms,
		    on_timer, c);
}

static void
host_closed(void *conn, uint64_t unconfirmed)
{
	struct connection *c = conn;

	c->has_quit = session_has_quit(c->session);
	c->session = NULL;
	filters_free(&c->filters);
	c->unconfirmed = unconfirmed;
}

static void
on_filtered(uint32_t id, struct answer *a, void *arg)
{
	struct connection *c = arg;

	connection_answered(c->session, id, a);
}

/* Made when it is first needed: the session has its id then. */
static struct filters *
connection_filters(struct connection *c, const struct session *s)
{
	if (c->filters == NULL)
		c->filters = filters_new(c->server->compartment, s->id,
		    on_filtered, c);
	return c->filters;
}

/* Whoever is at the other end is told by the socket itself. */
static uint32_t
host_ask_peer(struct connection *c, struct session *s,
    const struct question *q)
{
	struct question with_socket = *q;

	if (!c->stream.is_open)
		return 0;
	with_socket.fd = c->stream.io.fd;
	return peers_ask(c->server->peers, s, &with_socket);
}

static uint32_t
host_ask(struct session *s, const struct question *q)
{
	struct connection *c = s->conn;

	if (question_is_for_filters(q->kind))
		return filters_ask(connection_filters(c, s), q,
		    c->stream.is_open ? c->stream.io.fd : -1);
	if (q->kind == QUESTION_AUTH_PEER)
		return host_ask_peer(c, s, q);
	return peers_ask(c->server->peers, s, q);
}

static void
host_forget(struct session *s, uint32_t id)
{
	struct connection *c = s->conn;

	if (!filters_forget(c->filters, id))
		peers_forget(c->server->peers, id);
}

static void
host_tell(struct session *s, const struct question *q)
{
	struct connection *c = s->conn;

	if (q->kind == QUESTION_MILTERS_END)
		filters_end_transaction(c->filters);
	else
		peers_tell(c->server->peers, q);
}

const struct session_host connection_host = {
	.send = host_send,
	.hand_over = host_hand_over,
	.presence = host_presence,
	.local_ip = host_local_ip,
	.can_start_tls = host_can_start_tls,
	.start_tls = host_start_tls,
	.timer = host_timer,
	.closed = host_closed,
	.ask = host_ask,
	.forget = host_forget,
	.tell = host_tell,
};

/* ---- the beginning ---- */

/* Spammers' programs do not wait for a greeting; mail servers do. */
static bool
connection_waits(struct connection *c)
{
	unsigned delay_s = c->server->settings.config->limits.pregreet_delay_s;

	if (delay_s == 0 || c->session->is_self_test ||
	    c->session->is_relay_peer ||
	    limits_is_patient(c->session->client))
		return false;
	c->is_waiting = true;
	session_begin(c->session);
	loop_timer_start(c->server->loop, &c->timer, delay_s * 1000, on_timer,
	    c);
	return true;
}

/* The unix listener's: no stranger, so it is not made to wait. */
static bool
connection_is_local(const struct connection *c)
{
	return c->server->settings.kind == LISTEN_LOCAL &&
	    !c->session->is_self_test;
}

static void
connection_greet(struct connection *c, enum reply_name turned_away)
{
	bool has_talked;

	c->is_mute = c->session->tls_mode == TLS_IMPLICIT;
	if (turned_away != REPLY_COUNT) {
		session_turn_away(c->session, turned_away);
		return;
	}
	if (c->is_mute) {
		session_secure(c->session);
		return;
	}
	if (connection_is_local(c)) {
		session_begin(c->session);
		caller_greet(c->session);
		return;
	}
	has_talked = stream_look(&c->stream) == STREAM_HAS_INPUT;
	if (!has_talked && connection_waits(c))
		return;
	session_greet(c->session, has_talked);
}

static struct connection *
connection_new(struct server *server, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->server = server;
	if (stream_open(&c->stream, server->loop, fd, on_stream, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static void
connection_begin(struct connection *c, enum reply_name turned_away)
{
	struct server *server = c->server;

	c->next = server->first;
	if (c->next != NULL)
		c->next->prev = c;
	server->first = c;
	server->n_connections++;
	connection_greet(c, turned_away);
	connection_after(c);
}

void
server_adopt_self_test(struct server *server, int fd, bool is_login)
{
	struct connection *c = connection_new(server, fd);

	if (c == NULL)
		return;
	c->session = session_new(&server->settings, c, SELF_TEST_IP, NULL,
	    false);
	if (c->session == NULL) {
		stream_close(&c->stream);
		free(c);
		return;
	}
	c->session->is_self_test = true;
	c->session->is_relay_peer = false;
	c->session->is_login_test = is_login;
	connection_begin(c, REPLY_COUNT);
}

/* NULL: there is no memory, and fd is closed. */
static struct connection *
connection_admit(struct server *server, int fd, const char *ip,
    const char *counted_as, enum reply_name *turned_away)
{
	struct connection *c = connection_new(server, fd);
	struct client *client = NULL;

	if (c == NULL)
		return NULL;
	*turned_away = limits_admit(server->settings.limits, counted_as,
	    &client);
	c->session = session_new(&server->settings, c, ip, client,
	    *turned_away == REPLY_COUNT);
	if (c->session != NULL)
		return c;
	if (*turned_away == REPLY_COUNT)
		limits_leave(server->settings.limits, &client);
	stream_close(&c->stream);
	free(c);
	return NULL;
}

void
server_adopt(struct server *server, int fd, const char *ip,
    enum config_tls_mode tls_mode)
{
	enum reply_name turned_away;
	struct connection *c = connection_admit(server, fd, ip, ip,
	    &turned_away);

	if (c == NULL)
		return;
	c->session->tls_mode = server->tls != NULL ? tls_mode : TLS_OFF;
	connection_begin(c, turned_away);
}

void
server_adopt_local(struct server *server, int fd)
{
	struct ucred peer = { .uid = UINT32_MAX };
	socklen_t size = sizeof(peer);
	enum reply_name turned_away;
	struct connection *c;
	char user[32];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		close(fd);
		return;
	}
	snprintf(user, sizeof(user), "uid:%u", (unsigned)peer.uid);
	c = connection_admit(server, fd, CALLER_IP, user, &turned_away);
	if (c == NULL)
		return;
	c->session->caller_uid = (unsigned)peer.uid;
	connection_begin(c, turned_away);
}

/* ---- all of them ---- */

void
server_drain(struct server *server)
{
	server->is_ending = true;
	server_mute(server);
	if (server->n_connections == 0)
		server->ended(server);
}

static void
server_end_sessions(struct server *server)
{
	struct connection *c, *next;

	for (c = server->first; c != NULL; c = next) {
		next = c->next;
		if (c->session == NULL)
			continue;
		c->is_waiting = false;
		session_stop(c->session);
		connection_after(c);
	}
	if (server->n_connections == 0)
		server->ended(server);
}

/* One who keeps a transaction open must not keep this process alive. */
static void
on_cut(struct loop_timer *timer, void *arg)
{
	struct server *server = arg;

	(void)timer;
	server->settings.is_cutting = true;
	server_end_sessions(server);
}

static void
on_paused(struct loop_timer *timer, void *arg)
{
	struct server *server = arg;

	server_end_sessions(server);
	loop_timer_start(server->loop, timer, SERVER_PAUSE_MS, on_paused,
	    server);
}

void
server_stop(struct server *server)
{
	if (server->settings.is_stopping)
		return;
	server->settings.is_stopping = true;
	server->is_ending = true;
	server_mute(server);
	loop_timer_start(server->loop, &server->cut, SERVER_CUT_MS, on_cut,
	    server);
	loop_timer_start(server->loop, &server->paused, SERVER_PAUSE_MS,
	    on_paused, server);
	server_end_sessions(server);
}
