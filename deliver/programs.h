/* SPDX-License-Identifier: ISC */
/*
 * programs.h - the last participant that deliver has: a program.
 *
 *	PROGRAM_ASK --> waiting in line --> runner --> verdict --> answer
 *	                    \-> asker gone, or too late: never run
 *
 * What is run is what directory sealed into the route (P8); as whom, and
 * within what limits, the configuration says. One run of a transaction at a
 * time, at_once of all. A run that has begun ends by itself: nobody can take
 * it back, and its asker is answered if it is still there.
 *
 * The runner cannot be started again from within the sandbox: when it dies
 * all runs fail and deliver ends, to be started anew by the supervisor.
 */
#ifndef DELIVER_PROGRAMS_H
#define DELIVER_PROGRAMS_H

#include "peer.h"

/* Fork the runner. NULL, logged: programs are answered 451. Before the
 * sandbox; deliver's configuration and uid are known. */
struct programs *programs_open(struct deliver *d);
/* At the end of deliver: waits for the runner, too. NULL is fine. */
void programs_close(struct programs **programs);
/* false: the peer broke the rules. fd is taken over in any case. */
bool programs_begin(struct peer *peer, const struct program_ask *ask, int fd,
    const struct ipc_message *question);
/* Runs that wait or are under way. */
size_t programs_n_runs(const struct programs *programs);

#endif
