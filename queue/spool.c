/* SPDX-License-Identifier: ISC */
/*
 * spool.c - changes of the spool; see spool.h. What start does with it is in
 * spool_load.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "fault.h"
#include "file_io.h"
#include "flush.h"
#include "spool_files.h"

#define CHUNK_MAX (1u << 30)
#define FLUSH_EARLY_MIN 65536	/* smaller ones go with the others */

const char *const spool_folder_names[SPOOL_N_FOLDERS] = {
	"prepared", "active", "failed", "bodies", "damaged", "spare",
};

/* ---- opening ---- */

static int
open_folder(const char *name)
{
	int fd;

	if (mkdir(name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int
learn_device(struct spool *spool)
{
	struct stat st;
	struct statfs fs;
	int fd = spool->folders[SPOOL_BODIES];

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	spool->device = st.st_dev;
	spool->is_local = flush_is_local_type((long)fs.f_type);
	return 0;
}

int
spool_open(struct spool **to)
{
	struct spool *spool = calloc(1, sizeof *spool);
	int error = 0;

	if (spool == NULL)
		return -ENOMEM;
	for (int i = 0; i < SPOOL_N_FOLDERS; i++)
		spool->folders[i] = -1;
	spool->changes = spool->rooms[0];
	for (int i = 0; i < SPOOL_N_FOLDERS && error == 0; i++) {
		spool->folders[i] = open_folder(spool_folder_names[i]);
		if (spool->folders[i] < 0)
			error = spool->folders[i];
	}
	if (error == 0)
		error = learn_device(spool);
	spares_init(&spool->spares, spool->folders[SPOOL_SPARE]);
	if (error)
		spool_close(&spool);
	*to = spool;
	return error;
}

void
spool_close(struct spool **spool)
{
	if (*spool == NULL)
		return;
	spares_clear(&(*spool)->spares);
	for (int i = 0; i < SPOOL_N_FOLDERS; i++)
		if ((*spool)->folders[i] >= 0)
			close((*spool)->folders[i]);
	buf_free(&(*spool)->text);
	free(*spool);
	*spool = NULL;
}

/* ---- files ---- */

/* A new file, or a spare one: then its octets are still there. */
static int
create(struct spool *spool, enum spool_folder folder, const char *name,
    int flags)
{
	int error = FAULT("queue.create");
	int fd = -1;

	if (error)
		return -error;
	if (folder == SPOOL_BODIES)
		fd = spares_take(&spool->spares, SPARE_BODY,
		    spool->folders[folder], name);
	else if (folder == SPOOL_PREPARED)
		fd = spares_take(&spool->spares, SPARE_ENVELOPE,
		    spool->folders[folder], name);
	if (fd >= 0)
		return fd;
	fd = openat(spool->folders[folder], name, O_WRONLY | O_CREAT |
	    O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	return fd < 0 ? -errno : fd;
}

/* Off with what a spare file had behind our octets. */
static int
cut_at(int fd, uint64_t size_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || ((uint64_t)st.st_size > size_bytes &&
	    ftruncate(fd, (off_t)size_bytes) < 0))
		return -errno;
	return 0;
}

static int
copy_message(int to, int from, uint64_t left)
{
	off_t at = 0;
	int error = FAULT("queue.write_body");

	while (!error && left > 0) {
		ssize_t n = sendfile(to, from, &at,
		    left < CHUNK_MAX ? (size_t)left : CHUNK_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left -= (uint64_t)n;
	}
	return -error;
}

/* An open file with the envelope in it, or a negative errno. */
static int
write_envelope(struct spool *spool, const struct envelope *e,
    enum spool_folder folder, const char *name)
{
	int error, fd;

	spool->text.size = 0;
	spool->text.maximum = ENVELOPE_MAX;
	error = envelope_write(&spool->text, e);
	if (error)
		return error;
	fd = create(spool, folder, name, O_TRUNC);
	if (fd < 0)
		return fd;
	error = -FAULT("queue.write");
	if (!error)
		error = file_write(fd, buf_slice(&spool->text));
	if (!error)
		error = cut_at(fd, spool->text.size);
	if (!error)
		return fd;
	close(fd);
	(void)unlinkat(spool->folders[folder], name, 0);
	return error;
}

static int
write_body(struct spool *spool, const char *name, int message_fd,
    uint64_t size_bytes)
{
	int error, fd = create(spool, SPOOL_BODIES, name, O_EXCL);

	if (fd < 0)
		return fd;
	error = copy_message(fd, message_fd, size_bytes);
	if (!error)
		error = cut_at(fd, size_bytes);
	if (!error)
		return fd;
	close(fd);
	(void)unlinkat(spool->folders[SPOOL_BODIES], name, 0);
	return error;
}

static int
move(struct spool *spool, enum spool_folder from, const char *old,
    enum spool_folder to, const char *name)
{
	int error = FAULT("queue.rename");

	if (!error && renameat(spool->folders[from], old, spool->folders[to],
	    name) < 0)
		error = errno;
	if (!error)
		spool->is_dirty[to] = true;
	return -error;
}

/* Where it may be, the file is kept for another message. */
static int
remove_file(struct spool *spool, enum spool_folder folder, const char *name,
    bool is_kept)
{
	enum spare_kind kind = folder == SPOOL_BODIES ? SPARE_BODY :
	    SPARE_ENVELOPE;
	int error = FAULT("queue.unlink");

	if (!error && is_kept && spares_keep(&spool->spares, kind,
	    spool->folders[folder], name))
		return 0;
	if (!error && unlinkat(spool->folders[folder], name, 0) < 0 &&
	    errno != ENOENT)
		error = errno;
	return -error;
}

static int
drop(struct spool *spool, enum spool_folder folder, const char *name)
{
	return remove_file(spool, folder, name, false);
}

static void
name_new(char name[SPOOL_NAME_SIZE], uint64_t id)
{
	char text[ENVELOPE_ID_SIZE];

	envelope_id_write(text, id);
	snprintf(name, SPOOL_NAME_SIZE, "%s.new", text);
}

/* ---- changes ---- */

static struct spool_change *
change_new(struct spool *spool, enum spool_step step, uint64_t id,
    enum spool_folder folder)
{
	struct spool_change *change;

	if (spool->n_changes == SPOOL_BATCH)
		spool_flush(spool);
	change = &spool->changes[spool->n_changes++];
	*change = (struct spool_change){ .step = step, .id = id,
		.folder = folder, .envelope_fd = -1, .body_fd = -1 };
	return change;
}

static int
put_down(struct spool *spool, enum spool_step step, const struct envelope *e,
    int message_fd, spool_done_fn *done, void *arg)
{
	char name[ENVELOPE_ID_SIZE];
	struct spool_change *change;
	int body_fd, fd;

	envelope_id_write(name, e->id);
	body_fd = write_body(spool, name, message_fd, e->size_bytes);
	if (body_fd < 0)
		return body_fd;
	fd = write_envelope(spool, e, SPOOL_PREPARED, name);
	if (fd < 0) {
		close(body_fd);
		(void)drop(spool, SPOOL_BODIES, name);
		return fd;
	}
	if (e->size_bytes >= FLUSH_EARLY_MIN)
		flush_begin(body_fd);
	change = change_new(spool, step, e->id, SPOOL_PREPARED);
	change->body_fd = body_fd;
	change->envelope_fd = fd;
	change->done = done;
	change->arg = arg;
	return 0;
}

int
spool_prepare(struct spool *spool, const struct envelope *e,
    int message_fd, spool_done_fn *done, void *arg)
{
	return put_down(spool, SPOOL_STEP_PREPARE, e, message_fd, done, arg);
}

int
spool_take(struct spool *spool, const struct envelope *e, int message_fd,
    spool_done_fn *done, void *arg)
{
	return put_down(spool, SPOOL_STEP_TAKE, e, message_fd, done, arg);
}

int
spool_commit(struct spool *spool, uint64_t id, spool_done_fn *done, void *arg)
{
	char name[ENVELOPE_ID_SIZE];
	struct spool_change *change;
	int error;

	/* a full batch is flushed before, or this rename would be in it */
	change = change_new(spool, SPOOL_STEP_COMMIT, id, SPOOL_ACTIVE);
	envelope_id_write(name, id);
	error = move(spool, SPOOL_PREPARED, name, SPOOL_ACTIVE, name);
	if (error) {
		spool->n_changes--;
		return error;
	}
	spool->is_dirty[SPOOL_BODIES] = true;
	change->done = done;
	change->arg = arg;
	return 0;
}

int
spool_replace(struct spool *spool, const struct envelope *e,
    enum spool_folder folder, spool_done_fn *done, void *arg)
{
	char name[SPOOL_NAME_SIZE];
	struct spool_change *change;
	int fd;

	name_new(name, e->id);
	fd = write_envelope(spool, e, folder, name);
	if (fd < 0)
		return fd;
	change = change_new(spool, SPOOL_STEP_REPLACE, e->id, folder);
	change->envelope_fd = fd;
	change->done = done;
	change->arg = arg;
	return 0;
}

/* ---- together ---- */

/* Files first. Two for each change at most. */
static void
flush_files(struct spool *spool)
{
	static struct flush_item items[2 * SPOOL_BATCH];
	size_t n = 0;

	for (size_t i = 0; i < spool->n_changes; i++) {
		struct spool_change *c = &spool->changes[i];
		const int fds[2] = { c->body_fd, c->envelope_fd };

		for (int k = 0; k < 2; k++)
			if (fds[k] >= 0)
				items[n++] = (struct flush_item){ .fd = fds[k],
					.is_local = spool->is_local,
					.device = spool->device };
	}
	flush_all(items, n);
	n = 0;
	for (size_t i = 0; i < spool->n_changes; i++) {
		struct spool_change *c = &spool->changes[i];

		if (c->body_fd >= 0)
			c->error = items[n++].error;
		if (c->envelope_fd >= 0 && items[n++].error && !c->error)
			c->error = items[n - 1].error;
		if (c->body_fd >= 0)
			close(c->body_fd);
		if (c->envelope_fd >= 0)
			close(c->envelope_fd);
	}
}

static void
rename_replaced(struct spool *spool, struct spool_change *c)
{
	char name[ENVELOPE_ID_SIZE], fresh[SPOOL_NAME_SIZE];

	envelope_id_write(name, c->id);
	name_new(fresh, c->id);
	FAULT_STEP("queue.before-replace");
	if (!c->error)
		c->error = move(spool, c->folder, fresh, c->folder, name);
	if (c->error)
		(void)unlinkat(spool->folders[c->folder], fresh, 0);
}

static void
rename_taken(struct spool *spool, struct spool_change *c)
{
	char name[ENVELOPE_ID_SIZE];

	envelope_id_write(name, c->id);
	FAULT_STEP("queue.before-take");
	if (!c->error)
		c->error = move(spool, SPOOL_PREPARED, name, SPOOL_ACTIVE,
		    name);
	spool->is_dirty[SPOOL_BODIES] = true;
}

/* What has become durable and goes where it counts. */
static void
rename_all(struct spool *spool)
{
	for (size_t i = 0; i < spool->n_changes; i++) {
		struct spool_change *c = &spool->changes[i];

		if (c->step == SPOOL_STEP_REPLACE)
			rename_replaced(spool, c);
		else if (c->step == SPOOL_STEP_TAKE)
			rename_taken(spool, c);
	}
}

/* 0, or the first error for all: nobody can tell whose it was. */
static int
flush_folders(struct spool *spool)
{
	int error = 0;

	for (int i = 0; i < SPOOL_N_FOLDERS; i++) {
		struct flush_item item = { .fd = spool->folders[i],
			.is_name = true };

		if (!spool->is_dirty[i])
			continue;
		spool->is_dirty[i] = false;
		flush_all(&item, 1);
		if (item.error && !error)
			error = item.error;
	}
	return error;
}

/* As if it had never been asked. */
static void
undo(struct spool *spool, const struct spool_change *c)
{
	char name[ENVELOPE_ID_SIZE];

	envelope_id_write(name, c->id);
	if (c->step == SPOOL_STEP_PREPARE || c->step == SPOOL_STEP_TAKE) {
		if (c->step == SPOOL_STEP_TAKE)
			(void)drop(spool, SPOOL_ACTIVE, name);
		(void)drop(spool, SPOOL_PREPARED, name);
		(void)drop(spool, SPOOL_BODIES, name);
	} else if (c->step == SPOOL_STEP_COMMIT) {
		if (move(spool, SPOOL_ACTIVE, name, SPOOL_PREPARED, name) != 0)
			(void)drop(spool, SPOOL_ACTIVE, name);
	}
}

void
spool_flush(struct spool *spool)
{
	struct spool_change *changes = spool->changes;
	size_t n = spool->n_changes;
	int error;

	flush_files(spool);
	FAULT_STEP("queue.after-files");
	rename_all(spool);
	error = flush_folders(spool);
	spares_settle(&spool->spares, error == 0);
	FAULT_STEP("queue.after-flush");
	spool->has_removed = false;
	/* done may ask for more: that is the next batch */
	spool->changes = changes == spool->rooms[0] ? spool->rooms[1] :
	    spool->rooms[0];
	spool->n_changes = 0;
	for (size_t i = 0; i < n; i++) {
		struct spool_change *c = &changes[i];

		if (!c->error && c->step != SPOOL_STEP_PREPARE)
			c->error = error;
		if (c->error)
			undo(spool, c);
		c->done(c->arg, c->error);
	}
}

bool
spool_is_waiting(const struct spool *spool)
{
	return spool->n_changes > 0;
}

bool
spool_has_removed(const struct spool *spool)
{
	return spool->has_removed;
}

/* ---- at once ---- */

int
spool_fail(struct spool *spool, uint64_t id)
{
	char name[ENVELOPE_ID_SIZE];
	int error;

	envelope_id_write(name, id);
	error = move(spool, SPOOL_ACTIVE, name, SPOOL_FAILED, name);
	if (!error)
		spool->has_removed = spool->is_dirty[SPOOL_ACTIVE] = true;
	return error;
}

/* The envelope first: a body alone is removed at start. */
int
spool_remove(struct spool *spool, uint64_t id, enum spool_folder folder)
{
	/* a flush makes it durable that the message has gone, see spares.h */
	bool is_kept = folder != SPOOL_PREPARED;
	char name[ENVELOPE_ID_SIZE];
	int error;

	envelope_id_write(name, id);
	error = remove_file(spool, folder, name, is_kept);
	if (error)
		return error;
	if (folder != SPOOL_PREPARED)
		spool->has_removed = spool->is_dirty[folder] = true;
	FAULT_STEP("queue.half-removed");
	return remove_file(spool, SPOOL_BODIES, name, is_kept);
}

bool
spool_trim(struct spool *spool)
{
	return spares_trim(&spool->spares);
}

void
spool_drop_spares(struct spool *spool)
{
	spares_clear(&spool->spares);
}

int
spool_open_body(const struct spool *spool, uint64_t id)
{
	char name[ENVELOPE_ID_SIZE];
	int error = FAULT("queue.open_body");
	int fd;

	if (error)
		return -error;
	envelope_id_write(name, id);
	fd = openat(spool->folders[SPOOL_BODIES], name, O_RDONLY | O_CLOEXEC |
	    O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
