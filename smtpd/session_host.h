/* SPDX-License-Identifier: ISC */
/*
 * session_host.h - what surrounds a session: its way out and its settings.
 *
 * connection.c is the host of real sockets; tests bring their own. conn is
 * the connection that the session was made with. A host never calls the
 * session from within one of these.
 */
#ifndef POSTERN_SMTPD_SESSION_HOST_H
#define POSTERN_SMTPD_SESSION_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"
#include "question.h"

struct believed;
struct limits;
struct session;
struct trail;

/* What the other end of the connection has done lately. */
enum presence { PRESENCE_IDLE, PRESENCE_HAS_SENT, PRESENCE_GONE };

/* The way out. conn is the connection's, peers are everybody's. */
struct session_host {
	void (*send)(void *conn, struct slice data);
	/* The same, and with it a descriptor (unix sockets only). */
	void (*hand_over)(void *conn, struct slice data, int fd);
	enum presence (*presence)(void *conn);
	/* The address of ours that it has connected to, INET6_ADDRSTRLEN
	 * octets; "" on a unix socket. */
	void (*local_ip)(void *conn, char *ip);
	/* False: a handshake would fail now, since nobody could sign it. */
	bool (*can_start_tls)(void *conn);
	/*
	 * Begin a TLS handshake; session_secured or session_insecure end it.
	 * Everything was sent. 0 or a negative errno.
	 */
	int (*start_tls)(void *conn);
	/* Octets come before after_ms are over, or session_timeout. */
	void (*timer)(void *conn, uint32_t after_ms);	/* 0: none */
	/* The session ends. unconfirmed: see session_confirm; 0: nothing. */
	void (*closed)(void *conn, uint64_t unconfirmed);
	/* An id, or 0 when it cannot be asked. */
	uint32_t (*ask)(struct session *s, const struct question *q);
	void (*forget)(struct session *s, uint32_t id);
	void (*tell)(struct session *s, const struct question *q);
};

/* What a self-test has tried (self_test.h). */
enum self_test_stage {
	SELF_TEST_RECIPIENT = 1 << 0,
	SELF_TEST_SMUGGLING = 1 << 1,
	SELF_TEST_SCANNER = 1 << 2,
	SELF_TEST_LOGIN = 1 << 3,
};

/* The same for all sessions of a process. */
struct session_settings {
	const struct config *config;
	enum config_listen_role kind;	/* of all listeners here */
	unsigned auth_offers;		/* 1 << enum auth_mechanism */
	const struct session_host *host;
	/* of this host, for those on it: complete.h; NULL at the end */
	const char *host_names[4];
	struct limits *limits;
	struct believed *believed;	/* or NULL */
	struct trail *trail;
	unsigned max_recipients;
	uint64_t memory_bytes;		/* of all messages under way */
	uint32_t n_remembered_failures;	/* store keeps so many */
	bool has_scanner;		/* EICAR must not pass */
	unsigned failing;		/* enum self_test_stage: 451 */
	bool has_old_signatures;	/* signatures.h */
	bool is_stopping;		/* every command now gets 421 */
	bool is_cutting;		/* within a transaction, too */
};

#endif
