/* SPDX-License-Identifier: ISC */
/*
 * monitor.c - one program, from its start to the end of all that it
 * started; see runner.h.
 *
 *	start -> feed and listen -> it has ended, is over time, or floods
 *	      -> everything that is left is killed -> answer
 *
 * That a program does not read its message, or not all of it, is its own
 * affair: what it exits with counts. What stays behind as a daemon and keeps
 * the descriptors does not hold the answer up, and does not stay.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "fault.h"
#include "runner.h"
#include "sandbox.h"

#define READ_SIZE 16384
#define KILL_ROUNDS 500		/* of KILL_WAIT_US: then it cannot be killed */
#define KILL_WAIT_US 10000

struct monitor {
	const struct runner_settings *settings;
	const struct run *run;
	pid_t pid;
	int in, out, signals;	/* our ends; in is -1 when all is written */
	int message;
	size_t top_at;
	off_t message_at;
	int64_t until_us;
	uint64_t n_output;
	char output[RUN_OUTPUT_MAX];
	struct run_answer answer;	/* end 0: it runs */
	bool is_orphan;			/* the runner has gone */
};

/* ---- what is left of it ---- */

static pid_t
parent_of(const char *pid)
{
	char path[64], text[512], *at;
	long parent = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	/* "PID (any name at all) STATE PPID ..." */
	if (fgets(text, sizeof text, f) != NULL &&
	    (at = strrchr(text, ')')) != NULL && strlen(at) > 4)
		parent = strtol(at + 4, NULL, 10);
	fclose(f);
	return (pid_t)parent;
}

bool
monitor_kill_children(monitor_spares_fn *spares, const void *arg)
{
	struct dirent *entry;
	bool has_any = false;
	pid_t self = getpid(), pid;
	DIR *proc = opendir("/proc");

	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || parent_of(entry->d_name) != self ||
		    spares(pid, arg))
			continue;
		has_any = true;
		kill(pid, SIGKILL);
	}
	if (proc != NULL)
		closedir(proc);
	return has_any;
}

static bool
spares_nobody(pid_t pid, const void *arg)
{
	(void)pid;
	(void)arg;
	return false;
}

static bool
has_children(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return pid == 0;
}

/* What is killed leaves its own children to us; so it is done again. */
static void
kill_all(struct monitor *m)
{
	m->answer.has_left = has_children();
	if (m->pid > 0)
		kill(-m->pid, SIGKILL);
	for (int i = 0; i < KILL_ROUNDS && has_children(); i++) {
		monitor_kill_children(spares_nobody, NULL);
		usleep(i == 0 ? 0 : KILL_WAIT_US);
	}
}

/* ---- feed it ---- */

static void
end_input(struct monitor *m)
{
	close(m->in);
	m->in = -1;
}

static ssize_t
write_some(struct monitor *m)
{
	const struct slice top = m->run->top;
	ssize_t n;

	if (m->top_at < top.size) {
		n = write(m->in, top.data + m->top_at, top.size - m->top_at);
		m->top_at += n > 0 ? (size_t)n : 0;
		return n;
	}
	return sendfile(m->in, m->message, &m->message_at,
	    m->run->message_size - (uint64_t)m->message_at);
}

static void
feed(struct monitor *m)
{
	ssize_t n = write_some(m);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (m->top_at == m->run->top.size &&
	    (uint64_t)m->message_at == m->run->message_size))
		end_input(m);
}

/* ---- hear it ---- */

/* false when nothing more is there now. */
static bool
listen_once(struct monitor *m)
{
	char text[READ_SIZE];
	ssize_t n = read(m->out, text, sizeof text);
	size_t room = sizeof m->output, kept = (size_t)m->n_output;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		if (n == 0) {	/* closed; its end is still to come */
			close(m->out);
			m->out = -1;
		}
		return false;
	}
	if (kept < room)
		memcpy(m->output + kept, text, (size_t)n < room - kept ?
		    (size_t)n : room - kept);
	m->n_output += (uint64_t)n;
	return true;
}

static void
hear(struct monitor *m)
{
	while (m->out >= 0 && m->n_output <= m->settings->output_bytes &&
	    listen_once(m))
		;
	if (m->n_output > m->settings->output_bytes && m->answer.end == 0)
		m->answer.end = RUN_FLOODED;
}

/* ---- its end ---- */

static void
take_status(struct monitor *m, int status)
{
	if (m->answer.end != 0)
		return;
	hear(m);
	if (m->answer.end != 0)
		return;
	m->answer.end = WIFSIGNALED(status) ? RUN_KILLED : RUN_EXITED;
	m->answer.status = (uint32_t)(WIFSIGNALED(status) ?
	    WTERMSIG(status) : WEXITSTATUS(status));
}

static void
take_signals(struct monitor *m)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(m->signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo == SIGTERM)
			m->is_orphan = true;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == m->pid)
			take_status(m, status);
}

static void
watch(struct monitor *m)
{
	while (m->answer.end == 0 && !m->is_orphan) {
		struct pollfd fds[] = { { m->signals, POLLIN, 0 },
			{ m->out, POLLIN, 0 }, { m->in, POLLOUT, 0 } };
		int64_t left_us = m->until_us - clock_monotonic_us();

		if (left_us <= 0) {
			m->answer.end = RUN_TIMED_OUT;
			return;
		}
		if (poll(fds, 3, (int)(left_us / 1000) + 1) < 0)
			continue;
		if (fds[1].revents != 0)
			hear(m);
		if (fds[2].revents != 0)
			feed(m);
		if (fds[0].revents != 0)
			take_signals(m);
	}
}

/* ---- its start ---- */

static int
watch_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Our ends do not block, and the program's do. */
static int
make_pipe(int ends[2], int ours)
{
	if (pipe2(ends, O_CLOEXEC) < 0 ||
	    fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static void
not_started(struct monitor *m, int error)
{
	m->answer.end = RUN_NOT_STARTED;
	m->answer.status = (uint32_t)-error;
}

static void
start(struct monitor *m)
{
	int in[2], out[2], failed[2], error;

	error = make_pipe(in, 1);
	if (!error)
		error = make_pipe(out, 0);
	if (!error && pipe2(failed, O_CLOEXEC) < 0)
		error = -errno;
	if (!error && (m->pid = fork()) < 0)
		error = -errno;
	if (error) {
		m->pid = 0;
		not_started(m, error);
		return;
	}
	if (m->pid == 0)
		program_execute(m->settings, m->run,
		    &(struct program_ends){ in[0], out[1], failed[1] });
	close(in[0]);
	close(out[1]);
	close(failed[1]);
	m->in = in[1];
	m->out = out[0];
	/* the end of file is exec */
	if (read(failed[0], &error, sizeof error) == sizeof error)
		not_started(m, -error);
	close(failed[0]);
}

/* What the runner may and this need not: to become another uid. */
static void
settle(struct monitor *m, pid_t parent)
{
	const struct sandbox sandbox = { .name = "monitor",
		.is_privileged = m->settings->is_privileged,
		.uid = m->settings->own_uid, .gid = m->settings->own_gid };

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		not_started(m, -errno);
	if (getppid() != parent)	/* it was gone before that held */
		_exit(1);
	m->signals = watch_signals();
	if (m->signals < 0)
		not_started(m, -errno);
	if (m->answer.end == 0)
		start(m);
	sandbox_keep_kill(&sandbox);
}

static void
answer(const struct monitor *m, int socket, uint32_t id)
{
	static struct ipc_writer w;

	ipc_writer_init(&w);
	put_run_answer(&w, &m->answer);
	_exit(ipc_send(socket, RUN_ANSWER, id, 0, &w, -1) == 0 ? 0 : 1);
}

void
monitor_main(const struct runner_settings *settings, int socket,
    uint32_t id, const struct run *run, int message)
{
	static struct monitor monitor;
	struct monitor *m = &monitor;
	pid_t parent = settings->runner_pid;

	m->settings = settings;
	m->run = run;
	m->message = message;
	m->in = m->out = -1;
	m->until_us = clock_monotonic_us() + settings->timeout_s * 1000000ll;
	FAULT_ROLE("monitor");
	FAULT_STEP("monitor.start");
	settle(m, parent);
	watch(m);
	FAULT_STEP("monitor.ended");
	kill_all(m);
	FAULT_STEP("monitor.answer");
	if (m->is_orphan)
		_exit(1);
	m->answer.output = (struct slice){ m->output,
	    m->n_output < sizeof m->output ? (size_t)m->n_output :
	    sizeof m->output };
	answer(m, socket, id);
	_exit(1);
}
