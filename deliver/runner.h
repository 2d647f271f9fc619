/* SPDX-License-Identifier: ISC */
/*
 * runner.h - the process that starts programs.
 *
 * deliver forks it before it closes its own sandbox, since no process behind
 * that can execute anything. It holds CAP_SETUID, CAP_SETGID and CAP_KILL,
 * speaks to deliver's supervisor alone, reads no message, and becomes one
 * uid only: that of program_user, which it was told before it began.
 *
 *	runner --fork--> monitor --fork--> the program, as program_user
 *	                 (deliver's uid)
 *
 * A monitor feeds one program, takes its output, and is the reaper of all
 * that the program starts: when the program ends, or its time does, whatever
 * is left of it is killed, also what has made itself a daemon. It answers on
 * the runner's socket. The runner answers for a monitor that dies and kills
 * what it leaves; when the runner dies its monitors kill theirs and end;
 * when deliver dies the runner ends.
 */
#ifndef DELIVER_RUNNER_H
#define DELIVER_RUNNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "run.h"

#define RUNNER_USER_MAX 128
#define RUNNER_HOME_MAX 256
#define RUNNER_AT_ONCE_MAX 1000

struct runner_settings {
	bool is_privileged;
	pid_t runner_pid;	/* set by it */
	uid_t own_uid;		/* deliver's; when privileged */
	gid_t own_gid;
	uid_t uid;		/* program_user's */
	gid_t gid;
	char user[RUNNER_USER_MAX], home[RUNNER_HOME_MAX];
	bool allows_setid;
	unsigned timeout_s, at_once;
	uint64_t memory_bytes, output_bytes;
};

/*
 * Fork it; *fd is our end of its socket. Its process, or a negative errno.
 * Must come before the sandbox. It ends when every copy of *fd is closed.
 */
pid_t runner_start(const struct runner_settings *settings, int *fd);

/* ---- monitor.c ---- */

/* In a new process: run it, answer question id on socket, and exit. */
void monitor_main(const struct runner_settings *settings, int socket,
    uint32_t id, const struct run *run, int message)
    __attribute__((noreturn));
typedef bool monitor_spares_fn(pid_t pid, const void *arg);
/* SIGKILL for every child that is not spared; false when there is none. */
bool monitor_kill_children(monitor_spares_fn *spares, const void *arg);

/* ---- execute.c ---- */

struct program_ends {
	int in, out;		/* of the program: what becomes 0, and 1, 2 */
	int failed;		/* close-on-exec: an errno, if it cannot run */
};

/* In a new process: become program_user, and the program. */
void program_execute(const struct runner_settings *settings,
    const struct run *run, const struct program_ends *ends)
    __attribute__((noreturn));

#endif
