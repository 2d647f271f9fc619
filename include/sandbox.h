/* SPDX-License-Identifier: ISC */
/*
 * sandbox.h - how a compartment gives up what it does not need.
 *
 * One call, in this order: empty root (chroot), groups, gid, uid, a check
 * that uid 0 cannot come back, resource limits, no_new_privs, Landlock,
 * seccomp. Each step that fails is fatal, except Landlock on a kernel that
 * does not know it: the rules hold by seccomp and uid alone. Without root
 * the steps that need it are left out, and the filter stays.
 */
#ifndef POSTERN_SANDBOX_H
#define POSTERN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Groups of system calls beyond the common ones (read, write on open fds,
 * epoll, memory, time, sendmsg/recvmsg, memfd, futex, exit, signals). */
enum sandbox_allow {
	SANDBOX_ACCEPT = 1 << 0,	/* accept4; nothing that would harm
					 * a listener that others have, too */
	SANDBOX_FILES_READ = 1 << 1,	/* openat O_RDONLY, stat, getdents */
	SANDBOX_FILES_WRITE = 1 << 2,	/* openat, rename, unlink, fsync */
	/*
	 * NSS: socket(AF_UNIX), connect, timers, select. What its libraries
	 * try beyond that fails and is not death, exec and the like apart:
	 * which libraries there are is the machine's to say.
	 */
	SANDBOX_NAME_SERVICES = 1 << 3,
	SANDBOX_SETUID = 1 << 4,	/* setresuid, setgroups, fork */
	SANDBOX_FORK = 1 << 5,		/* fork, wait4, kill of children */
	SANDBOX_INET_SOCKETS = 1 << 6,	/* socket(AF_INET, AF_INET6), bind */
	SANDBOX_PAIRS = 1 << 7,		/* socketpair(AF_UNIX) */
	SANDBOX_TCP_SOCKETS = 1 << 8,	/* of those only SOCK_STREAM */
	SANDBOX_BOARD_PART = 1 << 9,	/* no mremap: a mapping would grow over
					 * what was unmapped of a board */
};

#define SANDBOX_CLOSED_MAX 32

struct sandbox_path {
	const char *path;
	bool is_writable;
};

/* Whom one that keeps_setuid never becomes, though it has the right to. */
struct sandbox_closed {
	uid_t min_uid;			/* nobody below it */
	uid_t uids[SANDBOX_CLOSED_MAX];
	size_t n_uids;
	gid_t gids[SANDBOX_CLOSED_MAX];	/* and 0 */
	size_t n_gids;
};

struct sandbox {
	const char *name;		/* for messages */
	bool is_privileged;		/* started as root */
	uid_t uid;
	gid_t gid;
	const char *root;		/* chroot here; NULL: no chroot */
	bool keeps_setuid;		/* keep CAP_SETUID/SETGID (deliver) */
	const struct sandbox_closed *closed;	/* with keeps_setuid */
	unsigned allow;			/* enum sandbox_allow */
	const struct sandbox_path *paths;	/* for Landlock */
	size_t n_paths;
	bool skips_landlock;		/* tests: seccomp and uid alone */
};

/* Returns only when everything holds; fatal() otherwise. */
void sandbox_enter(const struct sandbox *sandbox);
/*
 * The same for one whose only place is a folder below state_dir: it becomes
 * the root, and nothing else can be opened. who says name, uid and gid.
 */
void sandbox_enter_folder(const struct sandbox *who, const char *state_dir,
    const char *folder);
/* A worker's second step: become uid/gid for good, tighten the filter. */
void sandbox_become(const struct sandbox *sandbox);

/*
 * For programs of others, which run in three steps (deliver/runner.h). What
 * starts them keeps CAP_SETUID, CAP_SETGID and CAP_KILL, and no filter but
 * one that programs can live with: what only changes the machine, its kernel
 * or other processes is refused with EPERM. allows_setid: they may gain
 * rights by set-uid files, so no_new_privs is not set. What watches one
 * keeps CAP_KILL; the program itself nothing, and other uids.
 */
void sandbox_enter_runner(const struct sandbox *sandbox, bool allows_setid);
void sandbox_keep_kill(const struct sandbox *sandbox);
void sandbox_become_program(const struct sandbox *sandbox);

#endif
