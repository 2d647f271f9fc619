/* SPDX-License-Identifier: ISC */
/*
 * supervisor.h - the supervisor's state, for this folder only.
 *
 * The supervisor keeps root, reads the configuration, binds ports, makes
 * the channels and starts the compartments; it never parses an octet that
 * came from the network. What a compartment may tell it is three messages
 * without content (ask.h).
 *
 *	generation 1: smtpd directory deliver \
 *	                                       > store, vault, control (for all)
 *	generation 2: smtpd directory deliver /   after a reload
 *
 * A reload starts generation n+1 beside n; n's smtpd drain, and when the
 * last of them has ended, n's directory and deliver end too.
 */
#ifndef POSTERN_SUPERVISOR_H
#define POSTERN_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "ask.h"
#include "certificates.h"
#include "config.h"
#include "loop.h"

/* Two generations of 32 smtpd, 32 directory, a deliver; and the shared. */
#define MAX_CHILDREN (2 * (32 + 32 + 1) + 7)
#define MAX_SOCKETS COMPARTMENT_MAX_LISTENERS

struct generation {
	uint16_t number;
	struct config *config;
	int config_fd;			/* sealed memfd of the text */
	uint64_t config_size;
	struct certificate certificates[CONFIG_MAX_TLS];
	bool is_draining;
};

enum child_state { CHILD_NONE, CHILD_WAITING, CHILD_RUNNING, CHILD_STOPPING };

struct child {
	struct supervisor *supervisor;
	enum child_state state;		/* WAITING: for its back-off */
	enum role role;
	uint16_t index;
	struct generation *generation;
	pid_t pid;
	struct channel *channel;
	bool is_ready;
	int scoreboard;			/* of an smtpd, or -1 */
	unsigned n_restarts;
	unsigned backoff_ms;
	int64_t started_us;
	struct loop_timer restart;
};

struct bound_socket {
	int fd;
	char address[64];
	uint16_t port;
	uint16_t config_index;		/* in the newest configuration */
	bool is_used;
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
	int log_fd;
	int lock_fd;
	uint8_t route_secret[SECRET_SIZE];
	/* looked up once, at the start: a directory service that is silent
	 * for a moment must not keep a compartment from its restart */
	struct owner owners[ROLE_COUNT];
	bool is_stopping, is_up;
	bool wants_compile, wants_accept, wants_reload;
	int64_t started_us;
	struct loop_timer stop_limit, drain_limit, tick;
};

/* ---- main.c ---- */
/* Read and parse path. NULL after printing every problem to stderr. */
struct generation *generation_load(const char *path, uint16_t number,
    bool is_quiet);
void generation_free(struct generation **generation);

/* Every problem on stderr, as FILE:LINE: TEXT. */
void problems_print(const char *path, struct config_problems *problems,
    bool is_quiet);

/* ---- check.c: what lies outside the configuration file ---- */
/*
 * Walk users, aliases and includes in a child with the compiler's uid.
 * Adds problems; 0 or a negative errno when the child could not run.
 */
int check_outside(const struct config *config, bool is_privileged,
    struct config_problems *problems);

typedef void check_fn(void *arg, struct config_problems *problems);
/*
 * Run fn in a child and take over the problems that it adds. 0 or a
 * negative errno when it did not come to its end.
 */
int check_in_child(check_fn *fn, void *arg, struct config_problems *problems);
/* In such a child: be this user for good, or end. */
void check_become(uid_t uid, gid_t gid);

/* ---- state_dir.c ---- */
/* Folders with their owners, and the lock; fatal() with what to do. */
void state_dir_open(struct supervisor *s);
/* uid and gid of a compartment; fatal() when the user is missing. */
void state_dir_owner(const struct supervisor *s, enum role role, uid_t *uid,
    gid_t *gid);

/* ---- listen.c ---- */
/*
 * Bind what the newest configuration names and is not bound yet; close what
 * it no longer names. 0, or -1 after logging which address and why.
 */
int listen_open(struct supervisor *s);
/* The control socket below state_dir; fatal() on failure. */
void listen_control(struct supervisor *s);

/* ---- children.c ---- */
void children_start_shared(struct supervisor *s);
void children_start_generation(struct supervisor *s);
void child_start(struct child *child);
void child_stop(struct child *child);
void children_reap(struct supervisor *s);
struct child *child_new(struct supervisor *s, enum role role, uint16_t index);
size_t children_count(const struct supervisor *s, enum role role,
    const struct generation *generation);
void children_tell(struct supervisor *s, enum role role, uint16_t type);
void compile_start(struct supervisor *s);

/* ---- wire.c ---- */
/*
 * Send everything that the child needs over fd, ending with SETUP_DONE, and
 * give each running peer its end. 0 or a negative errno.
 */
int wire_child(struct child *child, int fd);
/* The keys of this generation, to the vault that runs. */
void wire_keys(struct supervisor *s, const struct generation *generation);
/* accuser closed the channel of this peer, as it broke the rules. */
void wire_accused(struct child *accuser, enum role role, uint16_t index);

/* ---- supervisor.c ---- */
int supervisor_run(const char *config_path);
void supervisor_child_ready(struct child *child);
/* The last smtpd of the draining generation has gone. */
void supervisor_child_gone(struct supervisor *s);
/* Text for posternctl status. */
void supervisor_status(const struct supervisor *s, struct buf *out);
extern const struct channel_rule supervisor_rules[];
extern const size_t supervisor_n_rules;

/* ---- notify.c: systemd's notification and socket activation ---- */
void notify_send(const char *state);		/* "READY=1" */
/* Number of descriptors passed from 3 on; 0 without activation. */
int notify_listen_fds(void);

#endif
