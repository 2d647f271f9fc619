/* SPDX-License-Identifier: ISC */
/*
 * connection.h - one connection to a host: socket, TLS, dialogue; for this
 * folder only.
 *
 *	connection_new -> (greeting ... READY) -> delivers its job
 *	    -> idle -> connection_deliver ... -> QUIT
 *
 * While it has a job it tells it, once, how that ended: job_delivered or
 * job_connection_over; the connection has let go of the job by then.
 */
#ifndef RELAY_CONNECTION_H
#define RELAY_CONNECTION_H

#include "dialogue.h"
#include "hosts.h"
#include "loop.h"
#include "stream.h"
#include "tls_report.h"

struct job;
struct relay;

/* What a connection to a host has to prove, and why. */
struct security {
	bool wants_tls, requires_tls;
	struct tls_wanted tls;		/* points into its host */
	bool is_dane_off;		/* resolver does not validate */
	enum tls_policy policy;
	/* what is wrong already, and does not forbid to send; or OK */
	enum tls_result result;
};

struct connection_end {			/* of a connection */
	struct verdict why;
	enum relay_stage stage;
	bool was_reused;		/* and had not answered this time */
	bool has_tls_failed;
	bool is_loop;			/* the other side is us */
	struct net_address address;
};

enum connection_timed { TIMED_NOT, TIMED_JOB, TIMED_IDLE, TIMED_QUIT };

struct connection {
	struct connection *next, *previous;
	struct relay *relay;
	struct stream stream;
	struct loop_timer timer;
	enum connection_timed timed;	/* what the timer is for */
	struct dialogue_settings settings;
	struct dialogue dialogue;
	struct job *job;		/* NULL: idle, or on its way out */
	char destination[320];		/* whose host it is: a domain, or the
					 * smart host */
	char host[DNS_NAME_MAX + 1];
	struct net_address address;
	uint16_t port;
	struct security security;	/* tls: good until the handshake */
	char tls[128];			/* what was agreed; "" plain */
	bool is_reused, is_delivering, has_begun_tls;
	bool is_authenticated;		/* its name was proved */
	struct connection_end end;
};

struct connection_target {
	const char *destination, *host;
	const struct net_address *address;
	uint16_t port;
	const struct security *security;
	bool is_lmtp, uses_auth;
};

/* Takes fd over. NULL without memory. */
struct connection *connection_new(struct relay *relay, int fd,
    const struct connection_target *target, struct job *job);
/* Of an idle one. */
void connection_deliver(struct connection *c, struct job *job);
/* At once and without a word; the job is not told. */
void connection_close(struct connection *c);
/* Idle ones: for that destination, or at that address with no policy. The
 * smart host may be a next hop too: with AUTH is another connection. */
struct connection *connection_find_destination(struct relay *relay,
    const char *destination, bool requires_tls, bool uses_auth);
struct connection *connection_find_address(struct relay *relay,
    const struct connection_target *target);
/* How many there are at this address. */
size_t connection_count(const struct relay *relay,
    const struct net_address *address, uint16_t port);

#endif
