/* SPDX-License-Identifier: ISC */
/*
 * children.c - starting compartments, and starting again what dies.
 *
 *	NONE -> RUNNING -> (dies) -> WAITING for back-off -> RUNNING ...
 *	           \-> STOPPING -> (ends) -> NONE
 *
 * The first restart comes at once, so that a crash costs the sessions at
 * hand and no more; one that keeps dying waits longer each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "scoreboard.h"
#include "supervisor.h"

#define BACKOFF_FIRST_MS 10
#define BACKOFF_MAX_MS 10000
#define STEADY_US 10000000	/* after so long a death counts as the first */
/* Beyond what a next hop has for its answer to a message. */
#define STOPPING_S 90
#define COMPILING_S 600
#define CHILD_FD 3
#define WIRE_TIMEOUT_S 5

static void
on_channel_closed(struct channel *ch, bool is_misbehaved, void *arg)
{
	struct child *child = arg;

	(void)ch;
	child->channel = NULL;
	if (!is_misbehaved)
		return;		/* it has ended; its exit says why */
	log_error("compartment_misbehaved", LOG_S("role",
	    role_name(child->role)), LOG_U("index", child->index),
	    LOG_S("hint", "suspected break-in: it is killed and restarted"),
	    LOG_END);
	kill(child->pid, SIGKILL);
}

/*
 * In the new process: descriptor 3, nothing else, then the same program: the
 * one that runs, also when another has its name by now.
 */
static void
execute(const struct child *child, int fd)
{
	char name[32];
	char *argv[] = { (char[]){ "postern" }, (char[]){ "-c" }, name, NULL };
	sigset_t none;

	slice_copy(name, sizeof name, slice_of(role_name(child->role)));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd == CHILD_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, CHILD_FD) < 0)
		_exit(127);
	execve("/proc/self/exe", argv, environ);
	/* the status alone says it to nobody: is there no /proc, no memory? */
	log_error("cannot_execute", LOG_S("role", name), LOG_S("program",
	    "/proc/self/exe"), LOG_E("error", errno), LOG_END);
	_exit(127);
}

static int
spawn(struct child *child)
{
	struct timeval limit = { .tv_sec = WIRE_TIMEOUT_S };
	int ends[2], error = ipc_pair(ends);

	if (error)
		return error;
	log_flush();		/* or the new process has these lines, too */
	child->pid = fork();
	if (child->pid == 0)
		execute(child, ends[1]);
	error = child->pid < 0 ? -errno : 0;
	close(ends[1]);
	if (!error) {
		/* one that does not read its set-up must not hold us up */
		(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof limit);
		error = wire_child(child, ends[0]);
	}
	if (error) {
		close(ends[0]);
		return error;
	}
	child->channel = channel_new(child->supervisor->loop, ends[0],
	    role_name(child->role), supervisor_rules, supervisor_n_rules,
	    on_channel_closed, child);
	return child->channel ? 0 : -ENOMEM;
}

static void
on_restart_timer(struct loop_timer *timer, void *arg)
{
	(void)timer;
	child_start(arg);
}

static void
back_off(struct child *child)
{
	bool was_steady = clock_monotonic_us() - child->started_us > STEADY_US;

	if (was_steady || child->backoff_ms == 0)
		child->backoff_ms = BACKOFF_FIRST_MS;
	else
		child->backoff_ms = child->backoff_ms * 3 > BACKOFF_MAX_MS ?
		    BACKOFF_MAX_MS : child->backoff_ms * 3;
	child->state = CHILD_WAITING;
	child->n_restarts++;
	loop_timer_start(child->supervisor->loop, &child->restart,
	    child->backoff_ms, on_restart_timer, child);
}

void
child_start(struct child *child)
{
	int error;

	if (child->role == ROLE_SMTPD && child->scoreboard < 0) {
		child->scoreboard = scoreboard_create();
		if (child->scoreboard < 0)
			log_warning("scoreboard", LOG_E("error",
			    child->scoreboard), LOG_END);
	}
	child->is_ready = child->is_renewed = child->is_retired = false;
	child->started_us = clock_monotonic_us();
	child->pid = -1;
	error = spawn(child);
	if (!error) {
		child->state = CHILD_RUNNING;
		return;
	}
	log_error("cannot_start", LOG_S("role", role_name(child->role)),
	    LOG_E("error", error), LOG_END);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	back_off(child);
}

struct child *
child_new(struct supervisor *s, enum role role, uint16_t index)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->state != CHILD_NONE)
			continue;
		*child = (struct child){ .supervisor = s, .role = role,
			.index = index, .generation = s->current,
			.scoreboard = -1 };
		return child;
	}
	fatal("more than %d processes", MAX_CHILDREN);
}

/* It is not started again. */
static void
child_forget(struct child *child)
{
	child->state = CHILD_NONE;
	if (child->scoreboard >= 0)
		close(child->scoreboard);
	child->scoreboard = -1;
}

void
child_stop(struct child *child)
{
	if (child->state == CHILD_WAITING) {
		loop_timer_stop(child->supervisor->loop, &child->restart);
		child_forget(child);
	} else if (child->state == CHILD_RUNNING) {
		child->state = CHILD_STOPPING;
		child->stopped_us = clock_monotonic_us();
		kill(child->pid, SIGTERM);
	}
}

/* Since when its end is awaited, or -1. */
static int64_t
awaited_since_us(const struct child *child)
{
	if (child->state == CHILD_STOPPING)
		return child->stopped_us;
	return child->state == CHILD_RUNNING && child->role == ROLE_COMPILER ?
	    child->started_us : -1;
}

static bool
is_overdue(const struct child *child, int64_t now_us)
{
	int64_t since_us = awaited_since_us(child), patience_s = STOPPING_S +
	    (int64_t)child->generation->config->relay.final_timeout_s;

	if (since_us < 0)
		return false;
	if (child->state == CHILD_RUNNING)
		patience_s = COMPILING_S;
	if (FAULT_ENV("POSTERN_NO_PATIENCE"))
		patience_s = 0;
	return now_us - since_us > patience_s * 1000000;
}

static void
kill_overdue(struct child *child)
{
	if (!child->is_overdue)
		log_error("compartment_overdue", LOG_S("role",
		    role_name(child->role)), LOG_U("index", child->index),
		    LOG_D("pid", child->pid),
		    LOG_S("effect", "it is killed"), LOG_END);
	child->is_overdue = true;
	if (!FAULT_ENV("POSTERN_KILLS_NOBODY"))
		kill(child->pid, SIGKILL);
}

/*
 * A process of the old generation that does not end would keep every later
 * reload waiting, and a compiler (for a directory service, or a file system
 * that is away) every table as it is. In a system call that does not return
 * SIGKILL waits, too: for hours, or until somebody mends a disk.
 */
void
children_kill_overdue(struct supervisor *s)
{
	int64_t now_us = clock_monotonic_us();

	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state != CHILD_NONE &&
		    is_overdue(&s->children[i], now_us))
			kill_overdue(&s->children[i]);
}

size_t
children_count(const struct supervisor *s, enum role role,
    const struct generation *generation)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_CHILDREN; i++)
		n += s->children[i].state != CHILD_NONE &&
		    s->children[i].role == role &&
		    (generation == NULL ||
		    s->children[i].generation == generation);
	return n;
}

void
children_tell(struct supervisor *s, enum role role, uint16_t type)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->state != CHILD_RUNNING || child->role != role ||
		    child->channel == NULL)
			continue;
		channel_tell(child->channel, type, NULL, -1);
		/* before anybody else hears of it, and asks them */
		channel_flush(child->channel);
	}
}

static unsigned
n_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 32 ? 32 : (unsigned)n;
}

static void
start_several(struct supervisor *s, enum role role, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		child_start(child_new(s, role, (uint16_t)i));
}

/* ---- which are needed ---- */

static bool
has_listener(const struct config *config, enum config_listen_role role)
{
	for (size_t i = 0; i < config->n_listens; i++)
		if (config->listens[i].role == role)
			return true;
	return false;
}

static bool
serves_own_users(const struct config *config)
{
	return has_listener(config, LISTEN_SUBMISSION) ||
	    has_listener(config, LISTEN_LOCAL);
}

/* Mail from outside may be for a list with members elsewhere. */
static bool
may_have_lists(const struct config *config)
{
	if (!has_listener(config, LISTEN_MX))
		return false;
	for (size_t i = 0; i < config->n_domains; i++)
		if (config->domains[i].aliases != NULL)
			return true;
	return false;
}

/* Mail from outside may go on to another host: by next_hop or fallback, or
 * by an alias. */
static bool
may_forward(const struct config *config)
{
	if (!has_listener(config, LISTEN_MX))
		return false;
	for (size_t i = 0; i < config->n_domains; i++)
		if (config_domain_hop(&config->domains[i]) != NULL)
			return true;
	return may_have_lists(config);
}

/* Mail that was accepted goes out, whatever a new configuration says. */
static void
start_outbound(struct supervisor *s)
{
	const struct config *config = s->current->config;
	bool has_queue = serves_own_users(config) ||
	    may_have_lists(config) || state_dir_has_queued(s);

	if ((has_queue || may_forward(config)) &&
	    children_count(s, ROLE_RELAY, NULL) == 0)
		start_several(s, ROLE_RELAY, 1);
	if (has_queue && children_count(s, ROLE_QUEUE, NULL) == 0)
		start_several(s, ROLE_QUEUE, 1);
}

void
children_start_shared(struct supervisor *s)
{
	start_several(s, ROLE_STORE, 1);
	start_several(s, ROLE_VAULT, 1);
	start_several(s, ROLE_RESOLVER, 1);
	start_several(s, ROLE_CONTROL, 1);
}

void
children_replace(struct supervisor *s, enum role role)
{
	uint16_t index = 0;

	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->role != role || child->state == CHILD_NONE)
			continue;
		if (child->index >= index)
			index = (uint16_t)(child->index + 1);
		if (child->state == CHILD_WAITING)
			child_stop(child);
		child->is_retired = true;
		if (child->channel != NULL)
			channel_tell(child->channel, RUN_DRAIN, NULL, -1);
	}
	child_start(child_new(s, role, index));
}

/* Instances of one role are told apart by their index, also across kinds. */
static void
start_smtpd(struct supervisor *s)
{
	const struct config *config = s->current->config;
	unsigned per_kind = config->smtpd_processes ?
	    config->smtpd_processes : n_cores();
	uint16_t index = 0;

	for (unsigned kind = LISTEN_MX; kind <= LISTEN_LOCAL; kind++) {
		unsigned n = kind == LISTEN_LOCAL ? 1 : per_kind;

		if (!has_listener(config, (enum config_listen_role)kind))
			continue;
		while (n-- > 0) {
			struct child *child = child_new(s, ROLE_SMTPD,
			    index++);

			child->kind = (enum config_listen_role)kind;
			child_start(child);
		}
	}
}

void
children_start_generation(struct supervisor *s)
{
	const struct config *config = s->current->config;
	unsigned n_directory = config->directory_processes;

	start_outbound(s);
	start_several(s, ROLE_DELIVER, 1);
	start_several(s, ROLE_DIRECTORY, n_directory ? n_directory :
	    n_cores());
	start_several(s, ROLE_POLICY, n_cores());
	if (serves_own_users(config))
		start_several(s, ROLE_AUTH, n_cores());
	start_smtpd(s);
}

/* ---- the end of a process ---- */

static void
log_death(const struct child *child, int status)
{
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	int number = WIFSIGNALED(status) ? WTERMSIG(status) :
	    WEXITSTATUS(status);

	/* SIGTERM ends only one that was still starting: others handle it */
	if (child->is_renewed || (child->state == CHILD_STOPPING &&
	    (status == 0 || (WIFSIGNALED(status) && number == SIGTERM))))
		return;
	log_error("compartment_died", LOG_S("role", role_name(child->role)),
	    LOG_U("index", child->index), LOG_D("pid", child->pid),
	    LOG_D(how, number), LOG_END);
}

static void
log_late_end(const struct child *child)
{
	int64_t us = clock_monotonic_us() - awaited_since_us(child);

	log_notice("compartment_ended_late", LOG_S("role",
	    role_name(child->role)), LOG_U("index", child->index),
	    LOG_D("pid", child->pid), LOG_D("after_s", us / 1000000),
	    LOG_END);
}

static void
child_ended(struct child *child, int status)
{
	struct supervisor *s = child->supervisor;
	bool was_smtpd_of_old = child->role == ROLE_SMTPD &&
	    child->generation->is_draining;

	if (child->is_overdue)
		log_late_end(child);
	child->is_overdue = false;
	channel_free(&child->channel);
	if (child->role == ROLE_COMPILER) {
		if (WIFSIGNALED(status))
			log_death(child, status);
		compile_ended(child, status);
		return;
	}
	if (child->scoreboard >= 0)
		scoreboard_reset_gauges(child->scoreboard);
	if (child->state != CHILD_STOPPING && !was_smtpd_of_old &&
	    !child->is_retired && !s->is_stopping) {
		log_death(child, status);
		back_off(child);
		return;
	}
	if (status != 0)
		log_death(child, status);
	child_forget(child);
}

void
children_reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < MAX_CHILDREN; i++)
			if (s->children[i].pid == pid &&
			    s->children[i].state != CHILD_NONE &&
			    s->children[i].state != CHILD_WAITING) {
				child_ended(&s->children[i], status);
				break;
			}
	supervisor_child_gone(s);
}
