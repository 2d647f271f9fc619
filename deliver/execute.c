/* SPDX-License-Identifier: ISC */
/*
 * execute.c - from a fork of a monitor to the program; see runner.h.
 *
 * The command is run as Postfix does it: what holds nothing but words is
 * executed, anything else is given to /bin/sh -c. Nothing of the message is
 * ever put into the command; what programs want to know of the envelope is
 * in their environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file_io.h"
#include "runner.h"
#include "sandbox.h"

#define FILES_MAX 1024
#define ARGUMENTS_MAX 256
#define ENVIRONMENT_MAX 16
#define FILE_BYTES_MAX (64ull << 30)	/* a file that it writes to */
#define ADDRESS_SPACE_TIMES 16	/* of memory_bytes: much of it is never used */
#define FAILED_FD 3
#define FIRST_CLOSED_FD 4
#define WORDS "1234567890!@%-_=+:,./\\abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ \t"

struct program {
	char command[RUN_COMMAND_MAX + 1];
	char *argv[ARGUMENTS_MAX + 1];
	char texts[ENVIRONMENT_MAX][RUN_ADDRESS_MAX + 32];
	char *environment[ENVIRONMENT_MAX + 1];
	size_t n_environment;
};

/* ---- what it is started with ---- */

static void
split_words(struct program *p)
{
	char *rest = p->command, *word;
	size_t n = 0;

	while (n < ARGUMENTS_MAX && (word = strtok_r(NULL, " \t",
	    &rest)) != NULL)
		p->argv[n++] = word;
	p->argv[n] = NULL;
}

static void
make_arguments(struct program *p, const struct run *run)
{
	static char shell[] = "/bin/sh", option[] = "-c";

	(void)slice_copy(p->command, sizeof p->command, run->command);
	if (p->command[strspn(p->command, WORDS)] == '\0') {
		split_words(p);
		return;
	}
	p->argv[0] = shell;
	p->argv[1] = option;
	p->argv[2] = p->command;
	p->argv[3] = NULL;
}

static void
put_variable(struct program *p, const char *name, struct slice value)
{
	char *text = p->texts[p->n_environment];

	snprintf(text, sizeof p->texts[0], "%s=%.*s", name,
	    (int)value.size, value.size ? value.data : "");
	p->environment[p->n_environment++] = text;
	p->environment[p->n_environment] = NULL;
}

static void
make_environment(struct program *p, const struct runner_settings *s,
    const struct run *run)
{
	put_variable(p, "PATH", SLICE("/usr/local/bin:/usr/bin:/bin"));
	put_variable(p, "SHELL", SLICE("/bin/sh"));
	put_variable(p, "HOME", slice_of(s->home));
	put_variable(p, "USER", slice_of(s->user));
	put_variable(p, "LOGNAME", slice_of(s->user));
	put_variable(p, "SENDER", run->sender);
	put_variable(p, "RECIPIENT", run->recipient);
	put_variable(p, "LOCAL", run->local);
	put_variable(p, "DOMAIN", run->domain);
	if (run->extension.size > 0)
		put_variable(p, "EXTENSION", run->extension);
}

/* ---- what it may not ---- */

static int
set_limit(int what, uint64_t most)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)what, &limit) < 0)
		return -errno;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &limit) < 0 ? -errno : 0;
}

/* Each holds for one process; how many there are is a limit too. */
static int
set_limits(const struct runner_settings *s)
{
	const struct { int what; uint64_t most; } limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_CPU, s->timeout_s + 1 },
		{ RLIMIT_DATA, s->memory_bytes },
		{ RLIMIT_AS, s->memory_bytes * ADDRESS_SPACE_TIMES },
		{ RLIMIT_FSIZE, FILE_BYTES_MAX },
		{ RLIMIT_NOFILE, FILES_MAX },
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof limits / sizeof *limits; i++)
		error = set_limit(limits[i].what, limits[i].most);
	/* of all processes of a uid: without root it is not theirs alone */
	if (!error && s->is_privileged)
		error = set_limit(RLIMIT_NPROC, 64 + 32ull * s->at_once);
	return error;
}

/* Ignored signals stay so through exec; a program expects none to be. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0, 1, 2 and the way to say why it cannot run; nothing else. */
static int
take_descriptors(const struct program_ends *ends)
{
	int high[3];

	/* none of them may be in the way of another */
	high[0] = fcntl(ends->in, F_DUPFD_CLOEXEC, 10);
	high[1] = fcntl(ends->out, F_DUPFD_CLOEXEC, 10);
	high[2] = fcntl(ends->failed, F_DUPFD_CLOEXEC, 10);
	if (high[0] < 0 || high[1] < 0 || high[2] < 0 ||
	    dup2(high[0], 0) < 0 || dup2(high[1], 1) < 0 ||
	    dup2(high[1], 2) < 0 ||
	    dup3(high[2], FAILED_FD, O_CLOEXEC) < 0)
		return -errno;
	file_close_from(FIRST_CLOSED_FD);
	return 0;
}

static void fail(int fd, int error) __attribute__((noreturn));

static void
fail(int fd, int error)
{
	error = -error;
	(void)!write(fd, &error, sizeof error);
	_exit(127);
}

void
program_execute(const struct runner_settings *settings,
    const struct run *run, const struct program_ends *ends)
{
	static struct program program;
	const struct sandbox sandbox = { .name = "program",
		.is_privileged = settings->is_privileged,
		.uid = settings->uid, .gid = settings->gid };
	int error;

	make_arguments(&program, run);
	make_environment(&program, settings, run);
	error = take_descriptors(ends);
	if (error)
		fail(ends->failed, error);
	if (setsid() < 0 || chdir("/") < 0)
		fail(FAILED_FD, -errno);
	umask(077);
	error = set_limits(settings);
	if (error)
		fail(FAILED_FD, error);
	sandbox_become_program(&sandbox);
	reset_signals();
	execve(program.argv[0], program.argv, program.environment);
	fail(FAILED_FD, -errno);
}
