/* SPDX-License-Identifier: ISC */
/*
 * sandbox.c - giving up uid, capabilities and file systems; see sandbox.h.
 * The system-call filter is in sandbox_filter.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "fault.h"
#include "file_io.h"
#include "log.h"
#include "sandbox.h"
#include "sandbox_filter.h"

/* ---- uid, gid, capabilities ---- */

static void
keep_capabilities(const struct sandbox *sandbox, uint32_t mask)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = mask, .permitted = mask } };

	if (syscall(SYS_capset, &header, data) < 0)
		fatal("%s: capset: %s", sandbox->name, strerror(errno));
}

static void
drop_bounding_set(const struct sandbox *sandbox, uint32_t mask)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (cap < 32 && (mask & 1u << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			fatal("%s: cannot drop capability %d: %s",
			    sandbox->name, cap, strerror(errno));
	}
}

static void
change_uid(const struct sandbox *sandbox)
{
	if (setgroups(0, NULL) < 0 ||
	    setresgid(sandbox->gid, sandbox->gid, sandbox->gid) < 0 ||
	    setresuid(sandbox->uid, sandbox->uid, sandbox->uid) < 0)
		fatal("%s: cannot become uid %u gid %u: %s", sandbox->name,
		    (unsigned)sandbox->uid, (unsigned)sandbox->gid,
		    strerror(errno));
}

/* What was given up must not come back. */
static void
check_uid(const struct sandbox *sandbox)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) < 0 ||
	    real != sandbox->uid || effective != sandbox->uid ||
	    saved != sandbox->uid || sandbox->uid == 0)
		fatal("%s: still holds another uid", sandbox->name);
	if (!sandbox->keeps_setuid &&
	    (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0))
		fatal("%s: uid or gid 0 came back", sandbox->name);
}

static void
drop_uid(const struct sandbox *sandbox)
{
	uint32_t mask = 0;

	if (sandbox->keeps_setuid) {
		mask = 1u << CAP_SETUID | 1u << CAP_SETGID;
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
			fatal("%s: keepcaps: %s", sandbox->name,
			    strerror(errno));
	}
	drop_bounding_set(sandbox, mask);
	change_uid(sandbox);
	keep_capabilities(sandbox, mask);
	check_uid(sandbox);
}

/* ---- Landlock ---- */

/*
 * Rights by ABI version of the kernel; newer ones are left out on an older
 * kernel, where seccomp and uid hold the same line.
 */
#define FS_V1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define NET_ALL 3ull			/* bind and connect TCP, ABI 4 */
#define SCOPE_ALL 3ull			/* abstract sockets, signals: ABI 6 */
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

struct ruleset_attr {		/* the kernel's, with its newer fields */
	uint64_t fs, net, scoped;
};

static int
ruleset_create(uint64_t *fs, unsigned allow)
{
	struct ruleset_attr attr = { 0 };
	size_t size = sizeof attr.fs;
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);

	if (abi < 1)
		return -1;
	attr.fs = FS_V1 | (abi >= 2 ? FS_REFER : 0) |
	    (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
	if (abi >= 4 && !(allow & SANDBOX_INET_SOCKETS) &&
	    !(allow & SANDBOX_TCP_SOCKETS)) {
		attr.net = NET_ALL;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (abi >= 6) {
		attr.scoped = SCOPE_ALL;
		size = sizeof attr;
	}
	*fs = attr.fs;
	return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

static void
ruleset_add(const struct sandbox *sandbox, int ruleset, uint64_t fs,
    const struct sandbox_path *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = path->is_writable ? fs : (fs & FS_READ) };

	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 && errno == ENOENT)
		return;		/* nothing there, nothing to allow */
	if (rule.parent_fd < 0)
		fatal("%s: %s: %s", sandbox->name, path->path,
		    strerror(errno));
	if (syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
		/* a file cannot be given the rights of a directory */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
		    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
		if (syscall(SYS_landlock_add_rule, ruleset,
		    LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			fatal("%s: Landlock rule for %s: %s", sandbox->name,
			    path->path, strerror(errno));
	}
	close(rule.parent_fd);
}

static void
landlock(const struct sandbox *sandbox)
{
	uint64_t fs;
	int ruleset;

	if (sandbox->skips_landlock || FAULT_ENV("POSTERN_NO_LANDLOCK"))
		return;
	ruleset = ruleset_create(&fs, sandbox->allow);
	if (ruleset < 0) {
		log_debug("landlock_missing", LOG_E("error", errno), LOG_END);
		return;
	}
	for (size_t i = 0; i < sandbox->n_paths; i++)
		ruleset_add(sandbox, ruleset, fs, &sandbox->paths[i]);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		fatal("%s: Landlock: %s", sandbox->name, strerror(errno));
	close(ruleset);
}

/* ---- both steps ---- */

static void
no_new_privileges(const struct sandbox *sandbox)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("%s: no_new_privs: %s", sandbox->name, strerror(errno));
	/* secrets and mail must not end in a core file or a debugger */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fatal("%s: dumpable: %s", sandbox->name, strerror(errno));
}

void
sandbox_enter(const struct sandbox *sandbox)
{
	file_raise_limit();
	if (sandbox->is_privileged && sandbox->root != NULL &&
	    (chroot(sandbox->root) < 0 || chdir("/") < 0))
		fatal("%s: cannot enter %s: %s", sandbox->name, sandbox->root,
		    strerror(errno));
	if (sandbox->is_privileged)
		drop_uid(sandbox);
	no_new_privileges(sandbox);
	landlock(sandbox);
	if (sandbox->keeps_setuid)
		sandbox_filter_load_closed(sandbox);
	sandbox_filter_load(sandbox);
	sandbox_attempt(sandbox->name);
}

void
sandbox_become(const struct sandbox *sandbox)
{
	if (sandbox->is_privileged) {
		change_uid(sandbox);
		keep_capabilities(sandbox, 0);
		check_uid(sandbox);
	}
	/* no worker outlives its supervisor; a change of uid forgets this */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		fatal("%s: death signal: %s", sandbox->name, strerror(errno));
	no_new_privileges(sandbox);
	landlock(sandbox);
	sandbox_filter_load(sandbox);
	sandbox_attempt(sandbox->name);
}

void
sandbox_enter_folder(const struct sandbox *who, const char *state_dir,
    const char *folder)
{
	const struct sandbox_path here = { ".", true };
	struct sandbox sandbox = *who;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", state_dir, folder);
	if (chdir(path) < 0)
		fatal("%s: %s", path, strerror(errno));
	/* it would look for its configuration later */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	umask(077);
	sandbox.root = ".";
	sandbox.allow = SANDBOX_FILES_WRITE;
	sandbox.paths = &here;
	sandbox.n_paths = 1;
	sandbox_enter(&sandbox);
}

/* ---- programs ---- */

void
sandbox_enter_runner(const struct sandbox *sandbox, bool allows_setid)
{
	const uint32_t mask = 1u << CAP_SETUID | 1u << CAP_SETGID |
	    1u << CAP_KILL;

	/* while it is root, it needs no no_new_privs for that */
	if (sandbox->is_privileged || !allows_setid)
		sandbox_filter_load_programs(sandbox, !allows_setid);
	if (sandbox->is_privileged) {
		/* what a set-uid file may give is what is bounded here */
		if (!allows_setid)
			drop_bounding_set(sandbox, mask);
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
			fatal("%s: keepcaps: %s", sandbox->name,
			    strerror(errno));
		change_uid(sandbox);
		keep_capabilities(sandbox, mask);
	}
	if (!allows_setid &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("%s: no_new_privs: %s", sandbox->name, strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fatal("%s: dumpable: %s", sandbox->name, strerror(errno));
	sandbox_attempt(sandbox->name);
}

void
sandbox_keep_kill(const struct sandbox *sandbox)
{
	if (sandbox->is_privileged)
		keep_capabilities(sandbox, 1u << CAP_KILL);
}

void
sandbox_become_program(const struct sandbox *sandbox)
{
	if (sandbox->is_privileged) {
		change_uid(sandbox);
		keep_capabilities(sandbox, 0);
		check_uid(sandbox);
	}
	/* a change of uid forgets this; set-uid files would, too */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
