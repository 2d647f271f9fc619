/* SPDX-License-Identifier: ISC */
/*
 * worker.h - the process that delivers as one uid.
 *
 * Plain blocking code: it takes all questions that wait on its socket as one
 * batch, does the first step of each, makes everything durable together, and
 * answers them all. It ends when its socket does.
 */
#ifndef DELIVER_WORKER_H
#define DELIVER_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Called in a new child that holds nothing but fd and the log: becomes
 * uid/gid for good, closes the sandbox, works, and never returns.
 */
void worker_main(int fd, bool is_privileged, uid_t uid, gid_t gid)
    __attribute__((noreturn));

/* The work alone, without becoming anybody (for tests too). Returns when
 * the socket is at its end; 0 or a negative errno. */
int worker_serve(int fd);

#endif
