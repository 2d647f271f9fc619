/* SPDX-License-Identifier: ISC */
/*
 * compartment.h - what every compartment's main does first, and its peers.
 *
 * The supervisor re-executes `postern -c ROLE` with one descriptor (3): a
 * SEQPACKET end on which it hands over everything else before SETUP_DONE:
 * the configuration (its text, as a sealed memfd that is parsed again), the
 * log, listeners, secrets, and one channel end per peer. Later it sends
 * SETUP_PEER again when a peer was restarted, and on a reload RUN_DRAIN, or
 * SETUP_CONFIG to one that outlives it.
 *
 *	compartment_start -> (open what must be opened) -> sandbox_enter
 *	    -> compartment_ready -> loop_run
 *
 * When the supervisor is gone (end of file on 3) the compartment stops.
 */
#ifndef POSTERN_COMPARTMENT_H
#define POSTERN_COMPARTMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "config.h"
#include "ipc.h"
#include "loop.h"
#include "tls.h"

/* In the order in which they start; they stop in the reverse one. */
enum role { ROLE_SUPERVISOR, ROLE_STORE, ROLE_VAULT, ROLE_RESOLVER,
	ROLE_RELAY, ROLE_DELIVER, ROLE_DIRECTORY, ROLE_POLICY, ROLE_AUTH,
	ROLE_QUEUE, ROLE_SMTPD, ROLE_CONTROL, ROLE_COMPILER, ROLE_COUNT };

const char *role_name(enum role role);		/* "smtpd" */
bool role_of_name(const char *name, enum role *role);

/*
 * Secrets made by the supervisor at its start; 32 octets each. ROUTE seals
 * routes (directory, deliver), VOUCH is for vouchers (auth, queue), LIST for
 * members of lists who are elsewhere (directory, queue), HOP for next hops
 * of mail from outside (directory, relay), RETURN for bounces to senders of
 * forwards (vault, relay).
 */
enum secret { SECRET_ROUTE, SECRET_VOUCH, SECRET_LIST, SECRET_HOP,
	SECRET_RETURN, SECRET_COUNT };
#define SECRET_SIZE 32

/* Descriptors beyond peers and listeners. */
enum setup_fd { SETUP_FD_SCOREBOARD, SETUP_FD_SCOREBOARD_OF_OTHERS,
	SETUP_FD_CONTROL_SOCKET, SETUP_FD_RENAMES, SETUP_FD_FAILURES,
	SETUP_FD_CLEARANCES, SETUP_FD_COUNT };

#define COMPARTMENT_MAX_LISTENERS 64
#define COMPARTMENT_MAX_SCOREBOARDS 160

struct compartment_listener {
	int fd;
	uint16_t config_index;	/* into config->listens */
};

struct compartment {
	enum role role;
	uint16_t index;			/* of several of one role */
	uint16_t generation;		/* counts reloads */
	enum config_listen_role kind;	/* of an smtpd: what it serves */
	bool is_privileged;		/* the server was started as root */
	uid_t uid;			/* to become; when privileged */
	gid_t gid;
	struct loop *loop;
	struct channel *supervisor;	/* descriptor 3 */
	struct config *config;
	int certificates[CONFIG_MAX_TLS];	/* by config->tls, or -1 */
	struct compartment_listener listeners[COMPARTMENT_MAX_LISTENERS];
	size_t n_listeners;
	uint8_t secrets[SECRET_COUNT][SECRET_SIZE];
	bool has_secret[SECRET_COUNT];
	/* of the smtpd that on_peer is called for: vault does not do for one
	 * that serves strangers what it does for the others */
	enum config_listen_role peer_kind;
	int fds[SETUP_FD_COUNT];	/* -1 when not given */
	int scoreboards[COMPARTMENT_MAX_SCOREBOARDS];	/* read-only, others' */
	size_t n_scoreboards;
	/*
	 * Called for each peer end, at start (from compartment_ready) and
	 * whenever the supervisor sends a new one. Owns fd.
	 */
	void (*on_peer)(struct compartment *c, enum role role, uint16_t index,
	    int fd);
	/* RUN_DRAIN: take nothing new, end when the last work is done. */
	void (*on_drain)(struct compartment *c);
	/*
	 * A reload, for one that outlives it: config is the new one, old the
	 * previous one, which is freed when this returns.
	 */
	void (*on_config)(struct compartment *c, const struct config *old);
	/* TABLES_CHANGED: compiled tables were replaced (directory only). */
	void (*on_tables)(struct compartment *c);
	/* A private key (vault only), from compartment_ready on. Owns fd. */
	void (*on_key)(struct compartment *c, const struct tls_key *key,
	    int fd);
	/* The same of a section dkim, of the configuration that came last. */
	void (*on_dkim_key)(struct compartment *c, const struct tls_key *key,
	    int fd);
	/* What secrets.h reads (vault only). Owns fd. */
	void (*on_secrets)(struct compartment *c, int fd);
	/* KEYS_FORGET: no session of that generation is left. */
	void (*on_keys_forget)(struct compartment *c, uint16_t generation);
	/* SIGTERM: finish what runs and call loop_stop. NULL stops at once. */
	void (*on_stop)(struct compartment *c);
	void *arg;			/* the compartment's own state */
	struct compartment_setup *setup;	/* lib/compartment.c's */
};

/*
 * Read everything up to SETUP_DONE, parse the configuration, open the log,
 * make the loop. fatal() on any failure: the environment is wrong.
 */
void compartment_start(struct compartment *c, enum role role);
/* Hand over the peers received so far and tell the supervisor READY. */
void compartment_ready(struct compartment *c);
/* A peer broke the rules and its channel is closed: the supervisor kills and
 * restarts one that asked here, and connects one that answered anew. */
void compartment_accuse(enum role role, uint16_t index);
/* Ask the supervisor to run the table compiler. */
void compartment_want_compile(struct compartment *c);

/* The main function of each, `postern -c NAME`; in its own folder. */
int smtpd_main(void);
int directory_main(void);
int deliver_main(void);
int store_main(void);
int vault_main(void);
int resolver_main(void);
int policy_main(void);
int relay_main(void);
int auth_main(void);
int queue_main(void);
int control_main(void);
int compiler_main(void);	/* directory/compiler.c */

#endif
