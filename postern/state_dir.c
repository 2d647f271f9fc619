/* SPDX-License-Identifier: ISC */
/*
 * state_dir.c - folders, owners and the lock.
 *
 *	state_dir/            root, 0755
 *	  postern.lock        held by the supervisor and every child
 *	  secrets             root's, 0600: secret_file.c
 *	  control.sock        posternctl's
 *	  empty/              the empty root of those who need no file
 *	  store/              store's, 0700
 *	  tables/             the compiler writes, directory reads, 02750
 *	  passwords/          the compiler writes, auth reads, 02750
 *	  spool/              queue's, 0700
 *
 * The lock is inherited on purpose: a supervisor that was killed leaves
 * compartments that finish their transactions, and the next one waits until
 * the last of them has ended, so that no two ever share state_dir.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "log.h"
#include "role_user.h"
#include "supervisor.h"

#define LOCK_WAIT_S 90

void
state_dir_owner(const struct supervisor *s, enum role role, uid_t *uid,
    gid_t *gid)
{
	char name[ROLE_USER_SIZE];
	const struct passwd *pw;

	*uid = getuid();
	*gid = getgid();
	if (!s->is_privileged)
		return;
	pw = role_user(s->current->config, role, name);
	if (pw == NULL)
		fatal("there is no user \"%s\": run systemd-sysusers with "
		    "etc/sysusers.d/postern.conf", name);
	if (pw->pw_uid == 0)
		fatal("user \"%s\" has uid 0: it must be a user of its own",
		    name);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
}

/* A folder below state_dir of this owner and mode; made if missing. */
static void
folder(const struct supervisor *s, const char *name, enum role owner,
    enum role group, mode_t mode)
{
	char path[4096];
	uid_t uid, other_uid;
	gid_t gid, other_gid;

	snprintf(path, sizeof path, "%s/%s", s->current->config->state_dir,
	    name);
	if (mkdir(path, mode & 0777) < 0 && errno != EEXIST)
		fatal("%s: %s", path, strerror(errno));
	if (!s->is_privileged)
		return;
	uid = other_uid = 0;
	gid = other_gid = 0;
	if (owner != ROLE_SUPERVISOR)
		state_dir_owner(s, owner, &uid, &other_gid);
	if (group != ROLE_SUPERVISOR)
		state_dir_owner(s, group, &other_uid, &gid);
	if (lchown(path, uid, gid) < 0) {
		if (errno == EINVAL)
			fatal("%s cannot be given to uid %u, gid %u: this "
			    "user namespace does not have them", path,
			    (unsigned)uid, (unsigned)gid);
		fatal("%s: %s", path, strerror(errno));
	}
	if (chmod(path, mode) < 0)
		fatal("%s: %s", path, strerror(errno));
}

/*
 * What an owner has made in his folder is still his: the uids of another
 * machine or image may be others, and a copy may be root's. Nothing is given
 * to anybody here, since the folder is not root's.
 */
static void
check_still_his(const struct supervisor *s, const char *name, enum role owner,
    const char *file)
{
	const char *dir = s->current->config->state_dir;
	const uid_t uid = s->owners[owner].uid;
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s/%s", dir, name, file);
	if (s->is_privileged && lstat(path, &st) == 0 && st.st_uid != uid)
		fatal("%s belongs to uid %u and not to %s%s, %u: while "
		    "postern does not run, chown -R %u:%u %s/%s", path,
		    (unsigned)st.st_uid, s->current->config->user_prefix,
		    role_name(owner), (unsigned)uid, (unsigned)uid,
		    (unsigned)s->owners[owner].gid, dir, name);
}

static void
take_lock(struct supervisor *s)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/postern.lock",
	    s->current->config->state_dir);
	/* not close-on-exec: see above */
	s->lock_fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		fatal("%s: %s", path, strerror(errno));
	for (int waited = 0; flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0;
	     waited++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			fatal("%s: %s", path, strerror(errno));
		if (waited == LOCK_WAIT_S * 10)
			fatal("another postern runs with state_dir %s",
			    s->current->config->state_dir);
		if (waited == 5)
			log_notice("waiting_for_lock", LOG_S("path", path),
			    LOG_END);
		log_flush();
		usleep(100000);
	}
}

/*
 * store and the tables live in mappings that processes share (Berkeley DB,
 * store/slots.h). Some file systems of FUSE have none (direct_io).
 */
static void
check_mappings(const struct supervisor *s)
{
	void *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, s->lock_fd, 0);

	if (page == MAP_FAILED)
		fatal("state_dir %s: files cannot be mapped there (%s): it "
		    "has to be on a file system that can, as ext4 and xfs",
		    s->current->config->state_dir, strerror(errno));
	munmap(page, 1);
}

void
state_dir_open(struct supervisor *s)
{
	const char *path = s->current->config->state_dir;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fatal("state_dir %s: %s", path, strerror(errno));
	take_lock(s);
	check_mappings(s);
	for (unsigned role = ROLE_STORE; role < ROLE_COUNT; role++)
		state_dir_owner(s, (enum role)role, &s->owners[role].uid,
		    &s->owners[role].gid);
	folder(s, "empty", ROLE_SUPERVISOR, ROLE_SUPERVISOR, 0755);
	folder(s, "store", ROLE_STORE, ROLE_STORE, 0700);
	folder(s, "tables", ROLE_COMPILER, ROLE_DIRECTORY, 02750);
	folder(s, "passwords", ROLE_COMPILER, ROLE_AUTH, 02750);
	folder(s, "spool", ROLE_QUEUE, ROLE_QUEUE, 0700);
	check_still_his(s, "store", ROLE_STORE, "secret");
	check_still_his(s, "spool", ROLE_QUEUE, "active");
}

/* Files that are of no message any more (queue/spares.h). */
static bool
is_spare(const FTSENT *entry)
{
	return entry->fts_info == FTS_F && entry->fts_level == 2 &&
	    strcmp(entry->fts_parent->fts_name, "spare") == 0;
}

/*
 * queue makes one folder per state of a message; one that holds nothing has
 * empty folders, or none.
 */
bool
state_dir_has_queued(const struct supervisor *s)
{
	char path[4096];
	char *roots[] = { path, NULL };
	FTSENT *entry;
	FTS *tree;
	bool has_any = false;

	snprintf(path, sizeof path, "%s/spool", s->current->config->state_dir);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (tree != NULL && !has_any && (entry = fts_read(tree)) != NULL)
		has_any = entry->fts_info == FTS_F && !is_spare(entry);
	if (tree != NULL)
		fts_close(tree);
	return has_any;
}
