/* SPDX-License-Identifier: ISC */
/*
 * children.h - the processes of the compartments: one struct child each,
 * started, watched, and started again when it dies. See children.c for the
 * states. For the supervisor's own folder.
 */
#ifndef POSTERN_CHILDREN_H
#define POSTERN_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "ask.h"
#include "loop.h"

/* Two generations of 32 smtpd for mx and 32 for submission, directory,
 * policy, auth, an smtpd for programs, a deliver; the shared. */
#define MAX_CHILDREN (2 * (5 * 32 + 2) + 12)

struct generation;
struct supervisor;

enum child_state { CHILD_NONE, CHILD_WAITING, CHILD_RUNNING, CHILD_STOPPING };

struct child {
	struct supervisor *supervisor;
	enum child_state state;		/* WAITING: for its back-off */
	enum role role;
	uint16_t index;
	enum config_listen_role kind;	/* of an smtpd */
	struct generation *generation;
	pid_t pid;
	struct channel *channel;
	bool is_ready;
	bool is_renewed;		/* its end is wanted: start another */
	bool is_retired;		/* there is another: it ends its work */
	bool is_overdue;		/* killed for it, and that is said */
	int scoreboard;			/* of an smtpd, or -1 */
	unsigned n_restarts;
	unsigned backoff_ms;
	int64_t started_us, stopped_us;	/* stopped: told to */
	struct loop_timer restart;
	int64_t endpoints_since_us;	/* of the window counted */
	unsigned n_endpoints;		/* asked for in it */
};

void children_start_shared(struct supervisor *s);
void children_start_generation(struct supervisor *s);
void child_start(struct child *child);
void child_stop(struct child *child);
/* Kill those that were told to stop, and did not; and a compiler that hangs. */
void children_kill_overdue(struct supervisor *s);
void children_reap(struct supervisor *s);
struct child *child_new(struct supervisor *s, enum role role, uint16_t index);
size_t children_count(const struct supervisor *s, enum role role,
    const struct generation *generation);
/* Start another of a shared role; the one that runs finishes its work. */
void children_replace(struct supervisor *s, enum role role);
void children_tell(struct supervisor *s, enum role role, uint16_t type);

/* ---- compile.c ---- */
void compile_start(struct supervisor *s);
/*
 * The same for the generation that was just made current. When the run has
 * ended this logs that it is reloaded, and answers a question of control (0:
 * nobody's).
 */
void compile_for_reload(struct supervisor *s, pid_t pid, uint32_t id);
void compile_ended(struct child *child, int status);
bool on_compile_wanted(struct channel *ch, struct ipc_message *m, void *arg);
bool on_compile_asked(struct channel *ch, struct ipc_message *m, void *arg);

#endif
