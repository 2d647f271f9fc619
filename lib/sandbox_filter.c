/* SPDX-License-Identifier: ISC */
/*
 * sandbox_filter.c - which system calls a compartment keeps.
 *
 * The lists are by purpose; enum sandbox_allow chooses among them. clone3
 * answers ENOSYS so that the C library falls back to clone, whose flags can
 * be seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include "log.h"
#include "sandbox_filter.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#define S(name) SCMP_SYS(name)
#define INET_OR_TCP (SANDBOX_INET_SOCKETS | SANDBOX_TCP_SOCKETS)
#define SOME_SOCKETS (SANDBOX_NAME_SERVICES | INET_OR_TCP)
#define WRITING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define REFUSE SCMP_ACT_ERRNO(EPERM)

static const int common[] = {
	S(read), S(write), S(readv), S(writev), S(pread64), S(pwrite64),
	S(pwritev), S(lseek), S(close), S(fstat), S(newfstatat),
	S(epoll_create1), S(epoll_ctl), S(epoll_wait), S(epoll_pwait),
	S(poll), S(ppoll),
	S(signalfd4), S(rt_sigaction), S(rt_sigprocmask), S(rt_sigreturn),
	S(sigaltstack), S(restart_syscall), S(setitimer),
	S(sendmsg), S(recvmsg), S(sendmmsg), S(recvmmsg), S(sendto),
	S(recvfrom), S(getsockopt),
	S(getsockname), S(getpeername),
	S(memfd_create), S(sendfile), S(dup), S(fadvise64),
	S(brk), S(mmap), S(munmap), S(mprotect), S(madvise),
	S(futex), S(sched_yield), S(getrandom), S(rseq), S(set_robust_list),
	S(clock_gettime), S(clock_nanosleep), S(nanosleep), S(gettimeofday),
	S(time), S(times), S(getrusage), S(uname), S(sched_getaffinity),
	S(sysinfo),		/* qsort asks how much memory there is */
	S(getpid), S(gettid), S(getppid), S(getuid), S(geteuid), S(getgid),
	S(getegid), S(getresuid), S(getresgid), S(umask),
	S(exit), S(exit_group),
};

/* Not that which has signals sent to other processes of this uid. */
static const int fcntl_commands[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_GETLK, F_SETLK,
	F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE,
	F_ADD_SEALS, F_GET_SEALS,
};

static const int files_read[] = {
	S(openat), S(open), S(openat2), S(stat), S(lstat), S(statx),
	S(access), S(faccessat),
	S(faccessat2), S(getdents64), S(readlink), S(readlinkat), S(statfs),
	S(fstatfs), S(getcwd), S(chdir), S(fchdir), S(flock),
};

static const int files_write[] = {
	S(rename), S(renameat), S(renameat2), S(link), S(linkat), S(unlink),
	S(unlinkat), S(mkdir), S(mkdirat), S(rmdir), S(fsync), S(fdatasync),
	S(sync_file_range), S(syncfs), S(ftruncate), S(fallocate),
	S(copy_file_range), S(fchmod), S(fchmodat), S(utimensat), S(msync),
};

static const int fork_calls[] = {
	S(clone), S(fork), S(vfork), S(wait4), S(waitid), S(kill), S(pipe2),
	S(socketpair), S(dup2), S(dup3), S(prctl), S(seccomp), S(capset),
	S(landlock_create_ruleset), S(landlock_add_rule),
	S(landlock_restrict_self), S(setrlimit), S(getrlimit), S(prlimit64),
	S(close_range),
};

/* libnss-systemd has an event loop, those of LDAP wait with select. */
static const int name_services[] = {
	S(timerfd_create), S(timerfd_settime), S(timerfd_gettime),
	S(eventfd2), S(select), S(pselect6), S(epoll_pwait2),
};

#ifndef HAS_SANITIZER
/* What is death even where other calls just fail. */
static const int deadly[] = {
	S(execve), S(execveat), S(ptrace), S(process_vm_readv),
	S(process_vm_writev), S(mount), S(unshare), S(setns), S(bpf),
};
#endif

static const int setuid_calls[] = {
	S(setresuid), S(setresgid), S(setgroups),
};

/* Refused with EPERM rather than death: libraries try these and go on. */
static const int refused_softly[] = {
	S(open), S(openat), S(openat2), S(creat), S(stat), S(lstat), S(statx),
	S(access), S(faccessat), S(faccessat2), S(readlink), S(readlinkat),
	S(statfs), S(getdents64), S(socket), S(connect), S(bind), S(listen),
	S(socketpair), S(unlink), S(unlinkat), S(rename), S(renameat),
	S(renameat2), S(mkdir), S(mkdirat), S(chmod), S(fchmod), S(fchmodat),
	S(ftruncate), S(truncate), S(setresuid), S(setresgid), S(setuid),
	S(setgid), S(setgroups), S(kill), S(prctl), S(prlimit64),
	S(getrlimit), S(setrlimit), S(chroot), S(link), S(linkat),
	S(symlink), S(symlinkat), S(ioctl), S(accept), S(accept4),
	S(fsync), S(fdatasync), S(getcwd), S(sched_setaffinity),
};

#ifdef HAS_SANITIZER
static const int sanitizer[] = {
	S(openat), S(open), S(readlink), S(readlinkat), S(stat), S(getcwd),
	S(prctl),
	S(prlimit64), S(getrlimit), S(setrlimit), S(personality), S(ioctl),
	S(mincore), S(clone), S(wait4), S(ptrace), S(arch_prctl), S(pipe2),
	S(socketpair), S(getdents64), S(set_tid_address),
};
#endif

struct filter {
	scmp_filter_ctx ctx;
	const struct sandbox *sandbox;
};

static void
add_when(struct filter *f, uint32_t action, int call, unsigned n,
    const struct scmp_arg_cmp *when)
{
	int error = seccomp_rule_add_array(f->ctx, action, call, n, when);

	/* a call that this architecture does not have, or a second rule */
	if (error && error != -EDOM && error != -EEXIST && error != -EACCES)
		fatal("%s: seccomp rule for %d: %s", f->sandbox->name, call,
		    strerror(-error));
}

static void
add(struct filter *f, uint32_t action, int call)
{
	add_when(f, action, call, 0, NULL);
}

#define ARG(n, is, value) \
	((struct scmp_arg_cmp){ (n), SCMP_CMP_##is, (scmp_datum_t)(value), 0 })
#define BITS(n, mask, value) \
	((struct scmp_arg_cmp){ (n), SCMP_CMP_MASKED_EQ, (mask), (value) })

/* Where all of these are true of its arguments: at most one for each. */
#define ADD_IF(f, action, call, ...) \
	add_when((f), (action), (call), \
	    sizeof((struct scmp_arg_cmp[]){ __VA_ARGS__ }) / \
	    sizeof(struct scmp_arg_cmp), \
	    (struct scmp_arg_cmp[]){ __VA_ARGS__ })

static void
add_all(struct filter *f, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(f, action, calls[i]);
}

#define ADD_ALL(f, action, list) \
	add_all((f), (action), (list), sizeof(list) / sizeof *(list))

/* Of this domain streams; datagrams are refused, anything else is death. */
static void
allow_streams(struct filter *f, int domain)
{
	const scmp_datum_t types = 0xf;		/* without the flags */

	ADD_IF(f, SCMP_ACT_ALLOW, S(socket), ARG(0, EQ, domain),
	    BITS(1, types, SOCK_STREAM));
	ADD_IF(f, REFUSE, S(socket), ARG(0, EQ, domain),
	    BITS(1, types, SOCK_DGRAM));
}

static void
allow_inet(struct filter *f)
{
	if (f->sandbox->allow & SANDBOX_INET_SOCKETS) {
		ADD_IF(f, SCMP_ACT_ALLOW, S(socket), ARG(0, EQ, AF_INET));
		ADD_IF(f, SCMP_ACT_ALLOW, S(socket), ARG(0, EQ, AF_INET6));
	} else {
		allow_streams(f, AF_INET);
		allow_streams(f, AF_INET6);
	}
}

/*
 * The kinds that are allowed. One comparison with a rule is all there is: of
 * unix sockets alone "not that" can be said, else those that libraries try
 * are named, and any other is death.
 */
static void
allow_sockets(struct filter *f)
{
	unsigned allow = f->sandbox->allow;
	bool has_unix = allow & SANDBOX_NAME_SERVICES;

	if (!(allow & SOME_SOCKETS))
		return;
	add(f, SCMP_ACT_ALLOW, S(connect));
	if (has_unix)
		ADD_IF(f, SCMP_ACT_ALLOW, S(socket), ARG(0, EQ, AF_UNIX));
	if (!(allow & INET_OR_TCP)) {
		ADD_IF(f, REFUSE, S(socket), ARG(0, NE, AF_UNIX));
		return;
	}
	add(f, SCMP_ACT_ALLOW, S(bind));
	allow_inet(f);
	if (!has_unix)
		ADD_IF(f, REFUSE, S(socket), ARG(0, EQ, AF_UNIX));
	ADD_IF(f, REFUSE, S(socket), ARG(0, EQ, AF_NETLINK));
	ADD_IF(f, REFUSE, S(socket), ARG(0, EQ, AF_PACKET));
}

/* abort() and raise() of the process itself, nobody else */
static void
allow_own_signals(struct filter *f)
{
	ADD_IF(f, SCMP_ACT_ALLOW, S(tgkill), ARG(0, EQ, getpid()));
}

/* The argument that says for what a file is opened. */
static unsigned
flags_of(int call)
{
	return call == S(openat) ? 2 : 1;
}

static void
allow_read_only_open(struct filter *f)
{
	for (size_t i = 0; i < sizeof files_read / sizeof *files_read; i++) {
		int call = files_read[i];

		if (call == S(openat2))		/* its flags are in memory */
			continue;
		if (call == S(openat) || call == S(open))
			ADD_IF(f, SCMP_ACT_ALLOW, call, BITS(flags_of(call),
			    WRITING, 0));
		else
			add(f, SCMP_ACT_ALLOW, call);
	}
}

static void
refuse_to_write(struct filter *f, int call)
{
	for (unsigned bit = O_WRONLY; bit <= O_TRUNC; bit <<= 1)
		if (WRITING & bit)
			ADD_IF(f, REFUSE, call, BITS(flags_of(call), bit, bit));
}

/*
 * A listener is the supervisor's, who keeps it, and other processes of this
 * kind accept from it: none of them may end it (shutdown), take its
 * connections away (a filter, a device) or make accept wait for all. The end
 * of a connection is SHUT_WR, which a listener does not know; ipc_pair sets
 * SO_SNDBUF, channels are made non-blocking.
 */
static void
spare_listeners(struct filter *f)
{
	const int flags = O_RDWR | O_NONBLOCK;

	ADD_IF(f, SCMP_ACT_ALLOW, S(shutdown), ARG(1, EQ, SHUT_WR));
	ADD_IF(f, REFUSE, S(shutdown), ARG(1, NE, SHUT_WR));
	ADD_IF(f, SCMP_ACT_ALLOW, S(setsockopt), ARG(1, EQ, SOL_SOCKET),
	    ARG(2, EQ, SO_SNDBUF));
	ADD_IF(f, REFUSE, S(setsockopt), ARG(1, NE, SOL_SOCKET));
	ADD_IF(f, REFUSE, S(setsockopt), ARG(2, NE, SO_SNDBUF));
	ADD_IF(f, SCMP_ACT_ALLOW, S(fcntl), ARG(1, EQ, F_SETFL),
	    ARG(2, EQ, flags));
	ADD_IF(f, REFUSE, S(fcntl), ARG(1, EQ, F_SETFL), ARG(2, NE, flags));
}

/* What else these calls do is what fill() says of all others: death. */
static void
allow_on_descriptors(struct filter *f)
{
	for (size_t i = 0; i < sizeof fcntl_commands / sizeof *fcntl_commands;
	     i++)
		ADD_IF(f, SCMP_ACT_ALLOW, S(fcntl), ARG(1, EQ,
		    fcntl_commands[i]));
	if (f->sandbox->allow & SANDBOX_ACCEPT) {
		spare_listeners(f);
		return;
	}
	ADD_IF(f, SCMP_ACT_ALLOW, S(fcntl), ARG(1, EQ, F_SETFL));
	/* the log may be one socket, and that of all */
	add(f, f->sandbox->allow & SANDBOX_SETUID ? SCMP_ACT_ALLOW : REFUSE,
	    S(shutdown));
	add(f, SCMP_ACT_ALLOW, S(setsockopt));
}

static void
fill(struct filter *f)
{
	unsigned allow = f->sandbox->allow;

	ADD_ALL(f, SCMP_ACT_ALLOW, common);
	allow_own_signals(f);
	allow_on_descriptors(f);
	/* realloc copies where it fails */
	add(f, allow & SANDBOX_BOARD_PART ? SCMP_ACT_ERRNO(ENOMEM) :
	    SCMP_ACT_ALLOW, S(mremap));
	if (allow & SANDBOX_ACCEPT)
		add(f, SCMP_ACT_ALLOW, S(accept4));
	if (allow & SANDBOX_FILES_WRITE) {
		ADD_ALL(f, SCMP_ACT_ALLOW, files_read);
		ADD_ALL(f, SCMP_ACT_ALLOW, files_write);
	} else if (allow & SANDBOX_FILES_READ) {
		allow_read_only_open(f);
	}
	allow_sockets(f);
	if (allow & SANDBOX_NAME_SERVICES) {
		ADD_ALL(f, SCMP_ACT_ALLOW, name_services);
#ifndef HAS_SANITIZER
		ADD_ALL(f, SCMP_ACT_KILL_PROCESS, deadly);
#endif
	}
	if (allow & SANDBOX_PAIRS)	/* it makes no other kind */
		add(f, SCMP_ACT_ALLOW, S(socketpair));
	if (allow & SANDBOX_FORK)
		ADD_ALL(f, SCMP_ACT_ALLOW, fork_calls);
	if (allow & SANDBOX_SETUID) {
		ADD_ALL(f, SCMP_ACT_ALLOW, fork_calls);
		ADD_ALL(f, SCMP_ACT_ALLOW, setuid_calls);
		add(f, SCMP_ACT_ALLOW, S(tgkill));	/* of what it forks */
	}
#ifdef HAS_SANITIZER
	ADD_ALL(f, SCMP_ACT_ALLOW, sanitizer);
#endif
	if (!(allow & SANDBOX_NAME_SERVICES))	/* where all the rest is */
		add(f, SCMP_ACT_ERRNO(ENOSYS), S(clone3));
}

/*
 * A call that has an ALLOW rule with an argument falls to the default when
 * the argument differs: death. A second, weaker filter would be needed to
 * say EPERM, so those calls get their opposite rule here.
 */
static void
refuse_softly(struct filter *f)
{
	unsigned allow = f->sandbox->allow;

	for (size_t i = 0; i < sizeof refused_softly / sizeof *refused_softly;
	     i++) {
		int call = refused_softly[i];

		if (call == S(socket) && (allow & SOME_SOCKETS))
			continue;	/* allow_sockets said it */
		if ((call == S(openat) || call == S(open)) &&
		    (allow & SANDBOX_FILES_READ))
			refuse_to_write(f, call);
		else			/* unless it is allowed above */
			add(f, REFUSE, call);
	}
}

/* A filter whose last word is rest; its own end is loading. */
static struct filter
filter_begin(const struct sandbox *sandbox, uint32_t rest)
{
	struct filter f = { seccomp_init(rest), sandbox };

	if (f.ctx == NULL)
		fatal("%s: seccomp: no memory", sandbox->name);
	(void)seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return f;
}

static void
filter_load(struct filter *f)
{
	int error = seccomp_load(f->ctx);

	if (error)
		fatal("%s: seccomp: %s", f->sandbox->name, strerror(-error));
	seccomp_release(f->ctx);
}

void
sandbox_filter_load(const struct sandbox *sandbox)
{
	uint32_t rest = sandbox->allow & SANDBOX_NAME_SERVICES ?
	    SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_KILL_PROCESS;
	struct filter f = filter_begin(sandbox, rest);

	fill(&f);
	refuse_softly(&f);
	filter_load(&f);
}

/* ---- whom deliver never becomes ---- */

/* The kernel looks at 32 bits of an argument, the filter at 64. */
static void
refuse_ids(struct filter *f, int call, uint32_t minimum,
    const uint32_t *closed, size_t n)
{
	for (unsigned arg = 0; arg < 3; arg++) {
		ADD_IF(f, REFUSE, call, ARG(arg, GT, UINT32_MAX));
		ADD_IF(f, REFUSE, call, ARG(arg, LT, minimum));
		for (size_t i = 0; i < n; i++)
			ADD_IF(f, REFUSE, call, ARG(arg, EQ, closed[i]));
	}
}

void
sandbox_filter_load_closed(const struct sandbox *sandbox)
{
	static const struct sandbox_closed root = { .min_uid = 1 };
	const struct sandbox_closed *closed = sandbox->closed != NULL ?
	    sandbox->closed : &root;
	struct filter f = filter_begin(sandbox, SCMP_ACT_ALLOW);

	refuse_ids(&f, S(setresuid), closed->min_uid, closed->uids,
	    closed->n_uids);
	refuse_ids(&f, S(setresgid), 1, closed->gids, closed->n_gids);
	/* a list of them would be in memory */
	ADD_IF(&f, REFUSE, S(setgroups), ARG(0, NE, 0));
	/* in a namespace of its own any of these would have another number */
	ADD_IF(&f, REFUSE, S(clone), BITS(0, CLONE_NEWUSER, CLONE_NEWUSER));
	filter_load(&f);
}

/* What no program that handles mail has a use for. */
static const int refused_to_programs[] = {
	S(acct), S(add_key), S(adjtimex), S(bpf), S(chroot), S(clock_adjtime),
	S(clock_settime), S(delete_module), S(finit_module), S(fsconfig),
	S(fsmount), S(fsopen), S(fspick), S(init_module), S(io_uring_enter),
	S(io_uring_register), S(io_uring_setup), S(ioperm), S(iopl),
	S(kcmp), S(kexec_file_load), S(kexec_load), S(keyctl), S(mount),
	S(mount_setattr), S(move_mount),
	S(name_to_handle_at), S(open_by_handle_at), S(open_tree),
	S(perf_event_open), S(pidfd_getfd), S(pivot_root),
	S(process_vm_readv), S(process_vm_writev), S(ptrace), S(quotactl),
	S(reboot), S(request_key), S(setdomainname), S(sethostname), S(setns),
	S(settimeofday), S(swapoff), S(swapon), S(syslog), S(umount2),
	S(unshare), S(userfaultfd), S(vhangup),
};

void
sandbox_filter_load_programs(const struct sandbox *sandbox,
    bool sets_no_new_privs)
{
	struct filter f = filter_begin(sandbox, SCMP_ACT_ALLOW);

	(void)seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_NNP,
	    sets_no_new_privs);
	ADD_ALL(&f, REFUSE, refused_to_programs);
	filter_load(&f);
}

#ifdef POSTERN_FAULTS

static int
attempt(const char *action)
{
	if (strcmp(action, "open") == 0)
		return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (strcmp(action, "write") == 0)
		return open("/tmp/postern-attempt", O_WRONLY | O_CREAT, 0600);
	if (strcmp(action, "inet") == 0)
		return socket(AF_INET, SOCK_STREAM, 0);
	if (strcmp(action, "udp") == 0)
		return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (strcmp(action, "tcp") == 0)
		return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC |
		    SOCK_NONBLOCK, 0);
	if (strcmp(action, "listen") == 0)
		return listen(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		    1);
	if (strcmp(action, "unix") == 0)
		return socket(AF_UNIX, SOCK_STREAM, 0);
	if (strcmp(action, "setuid") == 0)
		return setresuid(0, 0, 0);
	if (strcmp(action, "setuid_other") == 0)
		return setresuid(1, 1, 1);
	if (strcmp(action, "exec") == 0)
		return execl("/bin/true", "true", (char *)NULL);
	if (strcmp(action, "fork") == 0)
		return fork();
	if (strcmp(action, "kill") == 0)
		return kill(getppid(), 0);
	if (strcmp(action, "chroot") == 0)
		return chroot("/");
	errno = EINVAL;
	return -1;
}

void
sandbox_attempt(const char *name)
{
	const char *wanted = getenv("POSTERN_SANDBOX_ATTEMPT");
	size_t length = strlen(name);
	int result;

	if (wanted == NULL || strncmp(wanted, name, length) != 0 ||
	    wanted[length] != ':')
		return;
	result = attempt(wanted + length + 1);
	log_warning("sandbox_attempt", LOG_S("what", wanted),
	    LOG_S("outcome", result < 0 ? "denied" : "SUCCEEDED"),
	    LOG_E("error", result < 0 ? errno : 0), LOG_END);
}

#else

void
sandbox_attempt(const char *name)
{
	(void)name;
}

#endif
