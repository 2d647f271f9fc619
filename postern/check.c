/* SPDX-License-Identifier: ISC */
/*
 * check.c - what lies outside the configuration file.
 *
 * Users, aliases and includes are parsed in a child that has become the
 * compiler's uid, so that a file which that uid cannot read is found out
 * here, and so that root parses nothing that users may write. The child
 * sends a line per problem: E or W, the configuration's line, the text; at the
 * end M, and how many errors, warnings and notes it has not kept.
 */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "directory_check.h"
#include "role_user.h"
#include "supervisor.h"

#define REPORT_MAX (4u << 20)

/* The compartments' users. True if the compiler has one. */
static bool
check_users(const struct config *config, uid_t *uid, gid_t *gid,
    struct config_problems *problems)
{
	struct buf missing = { 0 };
	bool has_compiler = false;

	for (unsigned i = ROLE_STORE; i < ROLE_COUNT; i++) {
		char name[ROLE_USER_SIZE];
		const struct passwd *pw = role_user(config, (enum role)i,
		    name);

		if (pw == NULL) {
			(void)buf_printf(&missing, "%s\"%s\"",
			    missing.size > 0 ? ", " : "", name);
		} else if (pw->pw_uid == 0) {
			config_problem_add(problems, 0, false, "user \"%s\" "
			    "has uid 0: it must be a user of its own", name);
		} else if (i == ROLE_COMPILER) {
			*uid = pw->pw_uid;
			*gid = pw->pw_gid;
			has_compiler = true;
		}
	}
	if (missing.size > 0)
		config_problem_add(problems, 0, false, "there is no user "
		    "%.*s: run systemd-sysusers with etc/sysusers.d/"
		    "postern.conf", (int)missing.size, missing.data);
	buf_free(&missing);
	return has_compiler;
}

void
check_become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		_exit(1);
}

void
check_become_role(const struct config *config, enum role role)
{
	char name[ROLE_USER_SIZE];
	const struct passwd *pw = role_user(config, role, name);

	if (pw == NULL)
		_exit(1);
	check_become(pw->pw_uid, pw->pw_gid);
}

/* What the start would stumble over: only its last folder may be missing. */
static void
check_state_dir(const struct config *config, struct config_problems *problems)
{
	const char *path = config->state_dir;
	char *copy = strdup(path);
	struct stat st;
	int error = stat(path, &st) < 0 ? errno : 0;

	if (error == ENOENT && copy != NULL)
		error = stat(dirname(copy), &st) < 0 ? errno : 0;
	free(copy);
	if (error == 0 && !S_ISDIR(st.st_mode))
		error = ENOTDIR;
	/* others may be this user's alone */
	if (error == ENOENT || error == ENOTDIR || error == ELOOP)
		config_problem_add(problems, config->state_dir_line, false,
		    "state_dir %s: %s", path, strerror(error));
}

/* The part of a pattern that all users have: before the first with a %. */
static char *
common_folder(const char *pattern)
{
	size_t size = strcspn(pattern, "%");

	while (size > 1 && pattern[size - 1] != '/')
		size--;
	return strndup(pattern, size > 1 ? size - 1 : size);
}

/*
 * Whoever owns the mailboxes makes folders in those that are his alone
 * (deliver/path.c): where their common one is missing, nobody has mail.
 */
static void
check_mailboxes(const struct config_domain *domain, bool is_privileged,
    struct config_problems *problems)
{
	const struct passwd *pw = domain->owner != NULL ?
	    getpwnam(domain->owner) : NULL;
	uid_t uid = !is_privileged ? geteuid() : pw ? pw->pw_uid : 0;
	char *path, *missing = NULL;
	struct stat st;

	if (!config_domain_has_users(domain) || domain->mailbox == NULL ||
	    *domain->mailbox != '/' ||
	    (path = common_folder(domain->mailbox)) == NULL)
		return;
	if (stat(path, &st) < 0 && errno == ENOENT)
		missing = strdup(path);
	for (char *end = path; missing != NULL && end != NULL &&
	    stat(path, &st) < 0 && errno == ENOENT;) {
		end = strrchr(path, '/');
		if (end != NULL)
			end[end == path] = '\0';
	}
	if (missing != NULL && (uid == 0 || st.st_uid != uid))
		config_problem_add(problems, domain->line, true, "mailbox "
		    "\"%s\": there is no %s, and all mail is answered 451: "
		    "make it, and let it belong to the owner of the mailboxes",
		    domain->mailbox, missing);
	free(missing);
	free(path);
}

struct outside {
	const struct config *config;
	bool is_privileged;
};

static void
check_tables(void *arg, struct config_problems *problems)
{
	const struct outside *o = arg;
	bool has_compiler = false;
	uid_t uid = 0;
	gid_t gid = 0;

	check_state_dir(o->config, problems);
	for (size_t i = 0; i < o->config->n_domains; i++)
		check_mailboxes(&o->config->domains[i], o->is_privileged,
		    problems);
	directory_check_forwards(o->config, o->is_privileged, problems);
	if (o->is_privileged) {
		has_compiler = check_users(o->config, &uid, &gid, problems);
		if (has_compiler)
			check_become(uid, gid);
	}
	/* root reads none of it: without that user the rest has to wait */
	if (has_compiler || !o->is_privileged)
		directory_check(o->config, o->is_privileged, problems);
}

static void
run_and_report(check_fn *fn, void *arg, FILE *out)
{
	struct config_problems problems = { 0 };
	struct config_hidden hidden;

	if (out == NULL)
		_exit(1);
	fn(arg, &problems);
	for (size_t i = 0; i < problems.n; i++) {
		for (char *c = problems.items[i].text; *c; c++)
			if (*c == '\n')
				*c = ' ';
		fprintf(out, "%c %u %s\n",
		    problems.items[i].is_warning ? 'W' : 'E',
		    problems.items[i].line, problems.items[i].text);
	}
	hidden = config_problems_hidden(&problems);
	fprintf(out, "M %zu %zu %zu\n", hidden.n_errors, hidden.n_warnings,
	    hidden.n_notes);
	_exit(fflush(out) == 0 ? 0 : 1);
}

static void
take_line(char *line, struct config_problems *problems)
{
	struct config_hidden hidden;
	unsigned long number;
	char *end;

	line[strcspn(line, "\n")] = '\0';
	if (strlen(line) < 4)
		return;
	if (*line == 'M' && sscanf(line, "M %zu %zu %zu", &hidden.n_errors,
	    &hidden.n_warnings, &hidden.n_notes) == 3) {
		config_problems_add_hidden(problems, &hidden);
		return;
	}
	number = strtoul(line + 2, &end, 10);
	if (*end == ' ')
		config_problem_add(problems, (unsigned)number, *line == 'W',
		    "%s", end + 1);
}

static void
read_report(FILE *in, struct config_problems *problems)
{
	char *line = NULL;
	size_t room = 0, total = 0;
	ssize_t n;

	while ((n = getline(&line, &room, in)) > 0 &&
	    (total += (size_t)n) < REPORT_MAX)
		take_line(line, problems);
	free(line);
}

int
check_in_child(check_fn *fn, void *arg, struct config_problems *problems)
{
	int ends[2], status;
	FILE *in;
	pid_t pid;

	if (pipe(ends) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (pid == 0) {
		close(ends[0]);
		run_and_report(fn, arg, fdopen(ends[1], "w"));
	}
	close(ends[1]);
	in = fdopen(ends[0], "r");
	if (in == NULL)
		return -errno;
	read_report(in, problems);
	fclose(in);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : -EIO;
}

int
check_outside(const struct config *config, bool is_privileged,
    struct config_problems *problems)
{
	struct outside o = { config, is_privileged };

	return check_in_child(check_tables, &o, problems);
}
