/* SPDX-License-Identifier: ISC */
/*
 * supervisor.h - the supervisor's state, for this folder only.
 *
 * The supervisor keeps root, reads the configuration, binds ports, makes
 * the channels and starts the compartments; it never parses an octet that
 * came from the network. What compartments may tell it stands in ask.h.
 *
 *	generation 1: smtpd directory deliver policy auth \
 *	                                 > store vault resolver relay queue
 *	generation 2: smtpd directory deliver policy auth /  control
 *
 * A reload starts generation n+1 beside n; n's smtpd drain, and when the
 * last of them has ended, the others of n end too. The shared ones are told
 * the new configuration. Relay, queue and auth run only where there is mail
 * of our own users.
 */
#ifndef POSTERN_SUPERVISOR_H
#define POSTERN_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "ask.h"
#include "check.h"
#include "children.h"
#include "generation.h"
#include "loop.h"
#include "wire.h"

#define MAX_SOCKETS COMPARTMENT_MAX_LISTENERS

struct bound_socket {
	int fd;
	char address[108];		/* or the path of a unix socket */
	uint16_t port;			/* 0: a unix socket */
	bool is_activated;		/* systemd's: its path stays */
	uint16_t config_index;		/* in the newest configuration */
	bool is_used;
};

/* Waits for the end of a run of the compiler. */
#define COMPILE_WAITERS_MAX 16
struct compile_waiter {
	uint16_t generation;		/* of a reload; 0: newaliases */
	pid_t pid;			/* control's; 0: nobody asked */
	uint32_t id;			/* of its question */
	unsigned runs_left;		/* 1: the one under way is its own */
};

struct supervisor {
	const char *config_path;
	struct loop *loop;
	bool is_privileged;
	struct generation *current, *previous;
	struct child children[MAX_CHILDREN];
	struct bound_socket sockets[MAX_SOCKETS];
	size_t n_sockets;
	int control_socket;
	int log_fd, lock_fd;
	uint8_t secrets[SECRET_COUNT][SECRET_SIZE];
	int secret_fd;			/* sealed: vault's */
	unsigned n_ticks;
	int renames_fd;			/* deliver's, for all its lives */
	int failures_fd, clearances_fd;	/* auth's; store's and deliver's */
	/* looked up once, at the start: a directory service that is silent
	 * for a moment must not keep a compartment from its restart */
	struct owner owners[ROLE_COUNT];
	struct buf name_servers;	/* those of /etc/resolv.conf */
	bool is_stopping, is_up, wants_compile, wants_accept, wants_reload;
	struct compile_waiter waiters[COMPILE_WAITERS_MAX];
	size_t n_waiters;
	int64_t started_us;
	struct loop_timer stop_limit, drain_limit, compile_limit,
	    compile_again, tick;
};

/* ---- state_dir.c ---- */
/* Folders with their owners, and the lock; fatal() with what to do. */
void state_dir_open(struct supervisor *s);
/* uid and gid of a compartment; fatal() when the user is missing. */
void state_dir_owner(const struct supervisor *s, enum role role, uid_t *uid,
    gid_t *gid);
/* Whether the spool holds mail that is still to be sent. */
bool state_dir_has_queued(const struct supervisor *s);

/* ---- secret_file.c ---- */
/*
 * What secrets.h reads, as a sealed memfd: made at the first start, with a
 * new key where one is due. -EBADMSG, -EPERM (others may read the file) or
 * another negative errno.
 */
int secret_file_open(const char *state_dir);

/* ---- listen.c ---- */
/*
 * Bind what the newest configuration names and is not bound yet; close what
 * it no longer names. 0, or -1 after logging which address and why.
 */
int listen_open(struct supervisor *s);
/* At the stop: close them, remove the unix sockets that we have made. */
void listen_remove(struct supervisor *s);
/* The control socket below state_dir; fatal() on failure. */
void listen_control(struct supervisor *s);

/* ---- endpoints.c: milters and clamd, opened for smtpd ---- */
bool on_endpoint(struct channel *ch, struct ipc_message *m, void *arg);

/* ---- supervisor.c ---- */
int supervisor_run(const char *config_path);
void supervisor_child_ready(struct child *child);
/* The draining generation's last smtpd has gone. */
void supervisor_child_gone(struct supervisor *s);
/* Text for posternctl status. */
void supervisor_status(const struct supervisor *s, struct buf *out);
extern const struct channel_rule supervisor_rules[];
extern const size_t supervisor_n_rules;

#endif
