/* SPDX-License-Identifier: ISC */
/*
 * program_check.c - see program_check.h.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include "program_check.h"
#include "program_user.h"

/* deliver/execute.c: what else stands in a command is for the shell. */
#define WORDS "1234567890!@%-_=+:,./\\abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ \t"

/* ---- what is run ---- */

static bool
may_execute(const struct stat *st, const struct program_user *who)
{
	if (st->st_uid == who->uid)
		return st->st_mode & S_IXUSR;
	return st->st_mode & (st->st_gid == who->gid ? S_IXGRP : S_IXOTH);
}

static bool
check_file(struct buf *wrong, const char *path, const struct program_user *who,
    bool allows_setid)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		(void)buf_printf(wrong, "%s: %s", path, strerror(errno));
		return errno == EACCES;	/* he may see more than we do */
	}
	if (!S_ISREG(st.st_mode)) {
		(void)buf_printf(wrong, "%s is no file", path);
		return false;
	}
	if (!may_execute(&st, who)) {
		(void)buf_printf(wrong, "%s cannot be executed by "
		    "program_user", path);
		return false;
	}
	if ((st.st_mode & (S_ISUID | S_ISGID)) == 0 || allows_setid)
		return false;
	(void)buf_printf(wrong, "%s is set-%s: it runs with the rights of "
	    "program_user alone (allow_setid)", path,
	    st.st_mode & S_ISUID ? "uid" : "gid");
	return true;
}

static bool
is_for_shell(struct slice command)
{
	for (size_t i = 0; i < command.size; i++)
		if (command.data[i] == '\0' ||
		    strchr(WORDS, command.data[i]) == NULL)
			return true;
	return false;
}

bool
program_check(struct buf *wrong, const struct config *config,
    bool is_privileged, struct slice command)
{
	struct program_user who;
	const char *user_is = program_user_find(&who, config,
	    is_privileged);
	struct slice word = { command.data, slice_find(command, ' ') };
	bool needs_shell = is_for_shell(command);
	char path[PATH_MAX];

	if (user_is != NULL) {
		(void)buf_printf(wrong, "program_user \"%s\" %s", who.name,
		    user_is);
		return false;
	}
	if (needs_shell && (word.data[0] != '/' || is_for_shell(word)))
		return false;
	if (word.data[0] != '/') {
		(void)buf_printf(wrong, "a program needs an absolute path");
		return false;
	}
	return slice_copy(path, sizeof path, word) ? check_file(wrong, path,
	    &who, config->program.allows_setid) : false;
}
