/* SPDX-License-Identifier: ISC */
/*
 * test_sandbox.c - what a sandboxed process can no longer do, with Landlock
 * and by seccomp and uid alone. Each attempt runs in a process of its own,
 * since some of them end it.
 *
 * The filter of a sanitizer or valgrind run lets more through; there only
 * the build itself is exercised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox.h"

#define NOBODY 65534
#define KILLED 1000

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

typedef int attempt_fn(void);

static int
try_open(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int
try_create(void)
{
	return open("/tmp/postern-test-sandbox", O_WRONLY | O_CREAT, 0600);
}

static int
try_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
try_root(void)
{
	return setresuid(0, 0, 0);
}

static int
try_other_uid(void)
{
	return setresuid(1, 1, 1);
}

static int
try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int
try_kill_parent(void)
{
	return kill(getppid(), 0);
}

static int
try_chroot(void)
{
	return chroot("/");
}

static int
try_timer(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

/* 0: it worked; an errno; or KILLED. */
static int
outcome(unsigned allow, bool skips_landlock, attempt_fn *attempt)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct sandbox_path readable[] = { { "/etc", false } };
		struct sandbox s = { .name = "test",
			.is_privileged = geteuid() == 0, .uid = NOBODY,
			.gid = NOBODY, .allow = allow, .paths = readable,
			.n_paths = allow & SANDBOX_FILES_READ ? 1 : 0,
			.skips_landlock = skips_landlock };

		sandbox_enter(&s);
		_exit(attempt() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return KILLED;
	}
	return WEXITSTATUS(status);
}

static bool
cannot_judge(void)
{
	return HAS_SANITIZER || getenv("UNDER_VALGRIND") != NULL;
}

static void
test_nothing_allowed(void **state)
{
	static const struct {
		attempt_fn *attempt;
		int want;
	} rows[] = {
		{ try_open, EPERM }, { try_create, EPERM },
		{ try_inet, EPERM }, { try_unix, EPERM },
		{ try_root, EPERM }, { try_other_uid, EPERM },
		{ try_exec, KILLED }, { try_fork, KILLED },
		{ try_kill_parent, EPERM }, { try_chroot, EPERM },
	};

	(void)state;
	if (cannot_judge())
		skip();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int skips = 0; skips < 2; skips++)
			assert_int_equal(outcome(0, skips, rows[i].attempt),
			    rows[i].want);
}

/* directory: may read configured files and talk to NSS, no more */
static void
test_reader(void **state)
{
	const unsigned allow = SANDBOX_FILES_READ | SANDBOX_NAME_SERVICES;

	(void)state;
	if (cannot_judge())
		skip();
	for (int skips = 0; skips < 2; skips++) {
		assert_int_equal(outcome(allow, skips, try_open), 0);
		assert_int_equal(outcome(allow, skips, try_unix), 0);
		assert_int_equal(outcome(allow, skips, try_create), EPERM);
		assert_int_equal(outcome(allow, skips, try_inet), EPERM);
		assert_int_equal(outcome(allow, skips, try_root), EPERM);
		/* libraries of NSS may try what they like; it fails */
		assert_int_equal(outcome(allow, skips, try_timer), 0);
		assert_int_equal(outcome(allow, skips, try_fork), ENOSYS);
		assert_int_equal(outcome(allow, skips, try_chroot), EPERM);
		assert_int_equal(outcome(allow, skips, try_exec), KILLED);
	}
}

static int
try_bind(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? fd : bind(fd, (const struct sockaddr *)&any,
	    sizeof any);
}

static int
try_inet6(void)
{
	return socket(AF_INET6, SOCK_STREAM, 0);
}

static int
try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

/* resolver: reaches name servers, and nothing on this host */
static void
test_network(void **state)
{
	const unsigned allow = SANDBOX_INET_SOCKETS;

	(void)state;
	if (cannot_judge())
		skip();
	for (int skips = 0; skips < 2; skips++) {
		assert_int_equal(outcome(allow, skips, try_bind), 0);
		assert_int_equal(outcome(allow, skips, try_inet6), 0);
		assert_int_equal(outcome(allow, skips, try_unix), EPERM);
		assert_int_equal(outcome(allow, skips, try_netlink), EPERM);
		assert_int_equal(outcome(allow, skips, try_open), EPERM);
		assert_int_equal(outcome(allow, skips, try_fork), KILLED);
		assert_int_equal(outcome(allow | SANDBOX_NAME_SERVICES, skips,
		    try_unix), 0);
	}
}

static int
try_open_tmp(void)
{
	return open("/tmp", O_RDONLY | O_CLOEXEC);
}

static void
test_landlock_paths(void **state)
{
	(void)state;
	if (cannot_judge())
		skip();
	/* outside the allowed folder: Landlock, where the kernel has it */
	if (outcome(SANDBOX_FILES_READ, false, try_open_tmp) == 0)
		skip();
	assert_int_equal(outcome(SANDBOX_FILES_READ, false, try_open_tmp),
	    EACCES);
	assert_int_equal(outcome(SANDBOX_FILES_READ, true, try_open_tmp), 0);
}

/* ---- what is shared with others ---- */

static int listener = -1, pair[2] = { -1, -1 };
static void *board;

static int
try_end_listener(void)
{
	return shutdown(listener, SHUT_RD);
}

static int
try_end_writing(void)
{
	return shutdown(pair[0], SHUT_WR);
}

static int
try_option(void)
{
	const int on = 1;

	return setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

static int
try_option_of_tcp(void)
{
	const int seconds = 1000;

	return setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
	    sizeof seconds);
}

static int
try_buffer(void)
{
	const int size = 65536;

	return setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static int
try_blocking(void)
{
	return fcntl(listener, F_SETFL, O_RDWR);
}

static int
try_not_blocking(void)
{
	return fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK);
}

/* smtpd, control: a listener outlives them, and others accept from it */
static void
test_listener(void **state)
{
	static const struct {
		attempt_fn *attempt;
		int want;
	} rows[] = {
		{ try_end_listener, EPERM }, { try_end_writing, 0 },
		{ try_option, EPERM }, { try_option_of_tcp, EPERM },
		{ try_buffer, 0 }, { try_blocking, EPERM },
		{ try_not_blocking, 0 },
	};

	(void)state;
	if (cannot_judge())
		skip();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(listener >= 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(outcome(SANDBOX_ACCEPT, true,
		    rows[i].attempt), rows[i].want);
	close(listener);
	close(pair[0]);
	close(pair[1]);
}

/* Under systemd the log is a socket of all; deliver ends that of its runner. */
static void
test_log_goes_on(void **state)
{
	static const struct {
		unsigned allow;
		int want;
	} rows[] = {
		{ 0, EPERM }, { SANDBOX_FILES_WRITE, EPERM },
		{ SANDBOX_TCP_SOCKETS, EPERM },
		{ SANDBOX_INET_SOCKETS, EPERM },
		{ SANDBOX_FILES_READ | SANDBOX_NAME_SERVICES, EPERM },
		{ SANDBOX_SETUID, 0 },
	};

	(void)state;
	if (cannot_judge())
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(outcome(rows[i].allow, true,
		    try_end_writing), rows[i].want);
	close(pair[0]);
	close(pair[1]);
}

/* What kill is refused for: another process of one's own uid. */
static int
try_signal_by_descriptor(void)
{
	return fcntl(STDIN_FILENO, F_SETOWN, getppid());
}

static int
try_choose_signal(void)
{
	return fcntl(STDIN_FILENO, F_SETSIG, SIGKILL);
}

/* Of a board of which it has kept the first part only. */
static int
try_grow_mapping(void)
{
	char *at = mremap(board, 4096, 8192, MREMAP_MAYMOVE);

	if (at == MAP_FAILED)
		return -1;
	at[4096] = 1;
	return 0;
}

static int
try_realloc(void)
{
	char *text = malloc(1 << 20);

	memset(text, 'a', 1 << 20);
	text = realloc(text, 4 << 20);
	return text != NULL && text[(1 << 20) - 1] == 'a' ? 0 : -1;
}

static void
test_part_of_board(void **state)
{
	const unsigned allow = SANDBOX_FILES_WRITE | SANDBOX_BOARD_PART;

	(void)state;
	if (cannot_judge())
		skip();
	board = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_ANONYMOUS, -1, 0);
	assert_true(board != MAP_FAILED);
	assert_int_equal(munmap((char *)board + 4096, 4096), 0);
	assert_int_equal(outcome(allow, true, try_grow_mapping), ENOMEM);
	assert_int_equal(outcome(allow, true, try_realloc), 0);
	assert_int_equal(munmap(board, 4096), 0);
}

static void
test_signals(void **state)
{
	(void)state;
	if (cannot_judge())
		skip();
	assert_int_equal(outcome(SANDBOX_FILES_WRITE, true,
	    try_signal_by_descriptor), KILLED);
	assert_int_equal(outcome(0, true, try_choose_signal), KILLED);
	assert_int_equal(outcome(SANDBOX_NAME_SERVICES, true,
	    try_choose_signal), ENOSYS);
}

/* deliver's worker: sandbox_enter, then for good to the mailbox's owner */
static int
become_outcome(attempt_fn *attempt)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct sandbox s = { .name = "test", .is_privileged = true,
			.uid = NOBODY, .gid = NOBODY, .keeps_setuid = true,
			.allow = SANDBOX_SETUID | SANDBOX_FILES_WRITE,
			.skips_landlock = true };

		sandbox_enter(&s);
		s.keeps_setuid = false;
		s.uid = s.gid = 12345;
		s.allow = SANDBOX_FILES_WRITE;
		sandbox_become(&s);
		if (getuid() != 12345 || getgid() != 12345)
			_exit(99);
		_exit(attempt() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return KILLED;
	}
	return WEXITSTATUS(status);
}

static void
test_become(void **state)
{
	(void)state;
	if (cannot_judge() || geteuid() != 0)
		skip();
	assert_int_equal(become_outcome(try_open), 0);
	assert_int_equal(become_outcome(try_root), EPERM);
	assert_int_equal(become_outcome(try_other_uid), EPERM);
	assert_int_equal(become_outcome(try_inet), EPERM);
	assert_int_equal(become_outcome(try_fork), KILLED);
	assert_int_equal(become_outcome(try_exec), KILLED);
}

/* deliver itself: any owner of a mailbox, and nobody who is more */
static int
try_min_uid(void)
{
	return setresuid(1000, 1000, 1000);
}

static int
try_below_min_uid(void)
{
	return setresuid(999, 999, 999);
}

static int
try_saved_root(void)
{
	return setresuid((uid_t)-1, (uid_t)-1, 0);
}

/* The kernel takes the lower half: root. */
static int
try_long_root(void)
{
	return (int)syscall(SYS_setresuid, 1ul << 32, 1ul << 32, 1ul << 32);
}

static int
try_closed_uid(void)
{
	return setresuid(2000, 2000, 2000);
}

static int
try_gid(void)
{
	return setresgid(8, 8, 8);
}

static int
try_root_gid(void)
{
	return setresgid((gid_t)-1, 0, (gid_t)-1);
}

static int
try_closed_gid(void)
{
	return setresgid(2001, 2001, 2001);
}

static int
try_no_groups(void)
{
	return setgroups(0, NULL);
}

static int
try_groups(void)
{
	return setgroups(1, (const gid_t[]){ 2001 });
}

static int
try_user_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return (int)pid;
}

static int
keeps_setuid_outcome(attempt_fn *attempt)
{
	static const struct sandbox_closed closed = { .min_uid = 1000,
		.uids = { 2000 }, .n_uids = 1, .gids = { 2001 }, .n_gids = 1 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct sandbox s = { .name = "test",
			.is_privileged = true, .uid = NOBODY, .gid = NOBODY,
			.keeps_setuid = true, .closed = &closed,
			.allow = SANDBOX_SETUID, .skips_landlock = true };

		sandbox_enter(&s);
		_exit(attempt() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_closed(void **state)
{
	static const struct {
		attempt_fn *attempt;
		int want;
	} rows[] = {
		{ try_min_uid, 0 }, { try_below_min_uid, EPERM },
		{ try_root, EPERM }, { try_saved_root, EPERM },
		{ try_long_root, EPERM }, { try_closed_uid, EPERM },
		{ try_gid, 0 }, { try_root_gid, EPERM },
		{ try_closed_gid, EPERM }, { try_no_groups, 0 },
		{ try_groups, EPERM }, { try_user_namespace, EPERM },
		{ try_fork, 0 },
	};

	(void)state;
	if (cannot_judge() || geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(keeps_setuid_outcome(rows[i].attempt),
		    rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_allowed),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_landlock_paths),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_log_goes_on),
		cmocka_unit_test(test_part_of_board),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_become),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
