/* SPDX-License-Identifier: ISC */
/*
 * runner.c - a fork for each program; see runner.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fault.h"
#include "file_io.h"
#include "log.h"
#include "message.h"
#include "runner.h"
#include "sandbox.h"

#define SOCKET_FD 3
#define STRAYS_MS 100
#define FREE_ROUNDS 50		/* of STRAYS_MS */
#define N_WATCHED (RUNNER_AT_ONCE_MAX + 32)

struct watched {
	pid_t pid;		/* of the monitor; 0: free */
	uint32_t id;		/* of the question */
};

struct runner {
	struct runner_settings settings;
	int signals;
	bool has_strays;	/* whose monitor was killed */
	struct watched watched[N_WATCHED];
	uint8_t buffer[IPC_BUFFER_SIZE];
};

/* ---- monitors that end ---- */

static void
answer_failure(uint32_t id, enum run_end end, int error)
{
	const struct run_answer answer = { .end = end,
		.status = (uint32_t)-error };
	static struct ipc_writer w;

	ipc_writer_init(&w);
	put_run_answer(&w, &answer);
	(void)ipc_send(SOCKET_FD, RUN_ANSWER, id, 0, &w, -1);
}

/* One that did its work has answered by itself. */
static void
bury(struct runner *r, pid_t pid, int status)
{
	for (size_t i = 0; i < N_WATCHED; i++) {
		struct watched *w = &r->watched[i];

		if (w->pid != pid)
			continue;
		w->pid = 0;
		if (status != 0) {
			log_warning("monitor_died", LOG_D("pid", pid),
			    LOG_D("status", WIFSIGNALED(status) ?
			    -WTERMSIG(status) : WEXITSTATUS(status)),
			    LOG_END);
			answer_failure(w->id, RUN_LOST, 0);
		}
		return;
	}
}

/* Programs whose monitor was killed are our children now. */
static bool
is_monitor(pid_t pid, const void *arg)
{
	const struct runner *r = arg;

	for (size_t i = 0; i < N_WATCHED; i++)
		if (r->watched[i].pid == pid)
			return true;
	return false;
}

static void
reap(struct runner *r)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(r->signals, &info, sizeof info) == sizeof info)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* nobody is told before it is really over */
		if (status != 0)
			r->has_strays = monitor_kill_children(is_monitor, r);
		bury(r, pid, status);
	}
	if (r->has_strays)
		r->has_strays = monitor_kill_children(is_monitor, r);
}

/* ---- questions ---- */

static struct watched *
find_free(struct runner *r)
{
	for (size_t i = 0; i < N_WATCHED; i++)
		if (r->watched[i].pid == 0)
			return &r->watched[i];
	return NULL;
}

/* A monitor that has answered may still be on its way out. */
static struct watched *
wait_free(struct runner *r)
{
	struct pollfd ended = { r->signals, POLLIN, 0 };
	struct watched *w = find_free(r);

	for (int i = 0; w == NULL && i < FREE_ROUNDS; i++) {
		(void)poll(&ended, 1, STRAYS_MS);
		reap(r);
		w = find_free(r);
	}
	return w;
}

static void
start(struct runner *r, const struct ipc_message *m, const struct run *run)
{
	struct watched *w = wait_free(r);
	pid_t pid;

	if (w == NULL) {
		answer_failure(m->id, RUN_NOT_STARTED, -EAGAIN);
		return;
	}
	log_flush();		/* or the child would say it again */
	pid = fork();
	if (pid == 0)
		monitor_main(&r->settings, SOCKET_FD, m->id, run, m->fd);
	if (pid < 0) {
		answer_failure(m->id, RUN_NOT_STARTED, -errno);
		return;
	}
	w->pid = pid;
	w->id = m->id;
}

/* false at the end, and where deliver says what makes no sense. */
static bool
take_question(struct runner *r)
{
	struct message message;
	struct ipc_message m;
	struct run run;

	if (ipc_receive(SOCKET_FD, &m, r->buffer) != 0 ||
	    m.type != RUN_ASK || m.fd < 0 || !get_run(&m.body, &run) ||
	    message_accept(&message, m.fd, (size_t)run.message_size) != 0)
		return false;
	FAULT_STEP("runner.run");
	start(r, &m, &run);
	message_close(&message);
	return true;
}

static void
serve(struct runner *r)
{
	bool is_over = false;

	while (!is_over) {
		struct pollfd fds[] = { { SOCKET_FD, POLLIN, 0 },
			{ r->signals, POLLIN, 0 } };

		if (poll(fds, 2, r->has_strays ? STRAYS_MS : -1) < 0)
			continue;
		if (fds[1].revents != 0 || r->has_strays)
			reap(r);
		if (fds[0].revents != 0)
			is_over = !take_question(r);
	}
}

/* ---- start ---- */

static int
watch_children(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		return -1;
	return signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void runner_main(const struct runner_settings *settings, int fd)
    __attribute__((noreturn));

static void
runner_main(const struct runner_settings *settings, int fd)
{
	static struct runner runner;
	const struct sandbox sandbox = { .name = "runner",
		.is_privileged = settings->is_privileged,
		.uid = settings->own_uid, .gid = settings->own_gid };

	/* all else is deliver's: its peers' channels, its event loop */
	if (fd != SOCKET_FD && dup2(fd, SOCKET_FD) < 0)
		_exit(1);
	file_close_from(SOCKET_FD + 1);
	FAULT_ROLE("runner");
	log_open("runner", STDERR_FILENO, LOG_TARGET_STDERR,
	    LOG_FORMAT_LOGFMT);
	runner.settings = *settings;
	runner.settings.runner_pid = getpid();
	runner.signals = watch_children();
	if (runner.signals < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		fatal("runner: cannot watch programs");
	sandbox_enter_runner(&sandbox, settings->allows_setid);
	serve(&runner);
	_exit(0);
}

pid_t
runner_start(const struct runner_settings *settings, int *fd)
{
	int fds[2], error = ipc_pair(fds);
	pid_t pid;

	if (error)
		return error;
	log_flush();
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		runner_main(settings, fds[1]);
	}
	error = pid < 0 ? -errno : 0;
	close(fds[1]);
	if (error)
		close(fds[0]);
	else
		*fd = fds[0];
	return error ? error : pid;
}
