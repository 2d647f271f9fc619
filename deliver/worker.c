/* SPDX-License-Identifier: ISC */
/*
 * worker.c - delivering as one uid; see worker.h.
 *
 *	take_batch --> begin_job each --> flush_all --> end_job each --> answer
 *	                 move_job each --/
 *	                 (DELIVER: both steps in one job)
 *
 * New files of some transactions and renames of others share the flush; one
 * comes before the renames, too, where flush.h says that a file needs it. A
 * kill before the answers leaves what maildir.h says of each step; the
 * supervisor then takes it all for unknown and has it undone.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "clearances.h"
#include "clock.h"
#include "fault.h"
#include "flush.h"
#include "ipc.h"
#include "junk.h"
#include "mailcache.h"
#include "maildirsize.h"
#include "renames.h"
#include "sandbox.h"
#include "work.h"
#include "worker.h"

#define BATCH_JOBS 64
#define BATCH_LEAVES 128	/* no more jobs are taken over this */
#define START_SIZE (256u << 10)
#define PATIENCE_US 5000	/* of one batch, once it is written */
#define PAUSE_US 50

struct leaf {			/* of a job, while its batch runs */
	struct mailbox *box;	/* pinned, or NULL */
	int fd;			/* open copy, or -1 */
	int flush_slot;		/* in worker->flushes, or -1 */
	bool is_flushed_once;	/* after its rename */
};

struct job {
	struct ipc_message m;
	struct work work;
	struct work_answer answer;
	struct leaf leaves[WORK_MAX_LEAVES];
	struct slice start;		/* the message's first octets */
	uint8_t buffer[IPC_BUFFER_SIZE];
};

struct worker {
	int fd;
	struct mailcache *cache;
	size_t n_jobs, n_leaves, n_flushes;
	bool needs_early_flush;		/* before the renames of DELIVER */
	int64_t patience_us;		/* that is left for clearances */
	struct flush_item flushes[2 * (BATCH_LEAVES + WORK_MAX_LEAVES)];
	char start[START_SIZE];		/* first octets of one message */
	struct job jobs[BATCH_JOBS];
};

/* ---- the steps; each answers for leaf i, whose box is open ---- */

struct file_name {
	char z[MAILDIR_NAME_SIZE];
};

static struct file_name
name_of(const struct work_leaf *leaf)
{
	struct file_name name;

	/* get_work has checked that it fits */
	(void)slice_copy(name.z, sizeof name.z, leaf->file);
	return name;
}

static int
add_flush(struct worker *w, const struct mailbox *box, int fd, bool is_name)
{
	w->flushes[w->n_flushes] = (struct flush_item){ .fd = fd,
		.is_name = is_name, .is_local = box->dir.is_local,
		.device = box->dir.device };
	return (int)w->n_flushes++;
}

static int
probe_leaf(struct worker *w, struct job *job, size_t i)
{
	const struct work_leaf *leaf = &job->work.leaves[i];
	const struct maildir *dir = &job->leaves[i].box->dir;
	const struct maildirsize_quota quota = { leaf->quota_bytes,
		leaf->size_bytes };
	int error = maildir_check(dir, 0);

	(void)w;
	if (error || leaf->quota_bytes == 0)
		return error;
	return maildirsize_read(dir, &quota, &job->answer.leaves[i].value);
}

/* See flush.h. What is written in one batch is written out at once. */
static void
plan_flush(struct worker *w, const struct job *job, struct leaf *leaf)
{
	bool is_local = leaf->box->dir.is_local;
	bool is_moved = job->work.kind == WORK_DELIVER;

	leaf->is_flushed_once = is_moved && is_local;
	if (w->n_leaves > 1 && (leaf->is_flushed_once || !is_local ||
	    w->n_leaves < FLUSH_TOGETHER_MIN))
		flush_begin(leaf->fd);
	if (leaf->is_flushed_once)
		return;
	leaf->flush_slot = add_flush(w, leaf->box, leaf->fd, false);
	w->needs_early_flush |= is_moved;
}

static int
prepare_leaf(struct worker *w, struct job *job, size_t i)
{
	const struct work_leaf *leaf = &job->work.leaves[i];
	const struct mailbox *box = job->leaves[i].box;
	struct file_name name = name_of(leaf);
	struct maildir_text text = {
		.tops = { job->work.return_path, leaf->delivered_to,
		    job->work.trace },
		.start = job->start,
		.message_fd = job->m.fd,
		.message_size = job->work.message_size };
	int fd;

	if (job->work.is_junk && (fd = junk_open(&job->leaves[i].box->dir)) < 0)
		return fd;
	/* the file's name says how large it is; readers and quota trust it */
	if (text.tops[0].size + text.tops[1].size + text.tops[2].size +
	    text.message_size != leaf->size_bytes)
		return -EBADMSG;
	fd = maildir_write(&box->dir, name.z, &text);
	if (fd < 0)
		return fd;
	job->leaves[i].fd = fd;
	plan_flush(w, job, &job->leaves[i]);
	return 0;
}

/* It is in new/ now: the mailbox is larger, and its name to flush. */
static void
note_moved(struct worker *w, struct job *job, size_t i, int new_fd)
{
	const struct work_leaf *leaf = &job->work.leaves[i];
	struct leaf *l = &job->leaves[i];
	struct mailbox *box = l->box;
	int *slot = job->work.is_junk ? &box->junk_slot : &box->flush_slot;

	if (leaf->quota_bytes > 0)
		maildirsize_add(&box->dir, (int64_t)leaf->size_bytes);
	if (l->is_flushed_once) {
		l->flush_slot = add_flush(w, box, l->fd, true);
		return;
	}
	if (*slot < 0)
		*slot = add_flush(w, box, new_fd, true);
	l->flush_slot = *slot;
}

/*
 * The note comes before the rename: a kill in between leaves the file in
 * tmp/, which says more.
 */
static int
rename_leaf(struct worker *w, struct job *job, size_t i,
    const struct maildir *dir)
{
	const struct work_leaf *leaf = &job->work.leaves[i];
	int error;

	renames_note(leaf->file);
	FAULT_STEP("worker.rename");
	error = maildir_rename(dir, name_of(leaf).z);
	if (error)
		renames_forget(leaf->file);
	else
		note_moved(w, job, i, dir->new_fd);
	return error;
}

/* Its name may be one of DELIVER's, whose clearance was late. */
static int
commit_leaf(struct worker *w, struct job *job, size_t i)
{
	struct mailbox *box = job->leaves[i].box;
	int error = job->work.is_junk ? junk_open(&box->dir) : 0;
	struct maildir dir = job->work.is_junk ? junk_of(&box->dir) :
	    box->dir;

	return error ? error : rename_leaf(w, job, i, &dir);
}

/* The second half of DELIVER, once the file is written out. */
static int
move_leaf(struct worker *w, struct job *job, size_t i)
{
	int error = rename_leaf(w, job, i, &job->leaves[i].box->dir);

	if (!error)
		job->answer.leaves[i].value = MAILDIR_NEW;
	return error;
}

static int
abort_leaf(struct worker *w, struct job *job, size_t i)
{
	struct file_name name = name_of(&job->work.leaves[i]);

	(void)w;
	return maildir_abort(&job->leaves[i].box->dir, name.z);
}

static int
take_back_leaf(struct worker *w, struct job *job, size_t i)
{
	const struct work_leaf *leaf = &job->work.leaves[i];
	struct maildir *box = &job->leaves[i].box->dir;
	int error = job->work.is_junk ? junk_open(box) : 0;
	struct maildir dir = job->work.is_junk ? junk_of(box) : *box;
	int place = error ? error : maildir_take_back(&dir, name_of(leaf).z);

	(void)w;
	if (place == MAILDIR_NEW && leaf->quota_bytes > 0)
		maildirsize_add(box, -(int64_t)leaf->size_bytes);
	if (place >= 0)
		job->answer.leaves[i].value = (uint64_t)place;
	return place < 0 ? place : 0;
}

static int
resolve_leaf(struct worker *w, struct job *job, size_t i)
{
	struct file_name name = name_of(&job->work.leaves[i]);
	int place = maildir_resolve(&job->leaves[i].box->dir, name.z,
	    job->work.leaves[i].size_bytes != 0);

	(void)w;
	if (place >= 0)
		job->answer.leaves[i].value = (uint64_t)place;
	return place < 0 ? place : 0;
}

static int
sweep_leaf(struct worker *w, struct job *job, size_t i)
{
	int n = maildir_sweep(&job->leaves[i].box->dir, clock_wall_s());

	(void)w;
	if (n >= 0)
		job->answer.leaves[i].value = (uint64_t)n;
	return n < 0 ? n : 0;
}

static const struct kind {
	int (*begin)(struct worker *w, struct job *job, size_t i);
	bool is_made;		/* a missing mailbox is made */
	bool is_fresh;		/* one that is open already is not enough */
	bool is_writing;	/* and where it was is not, either */
	const char *point, *point_after;	/* for faults */
} kinds[] = {
	[WORK_PROBE] = { probe_leaf, true, true, false, "worker.probe",
	    "worker.after-probe" },
	[WORK_PREPARE] = { prepare_leaf, true, false, true, "worker.prepare",
	    "worker.after-prepare" },
	[WORK_COMMIT] = { commit_leaf, false, false, false, "worker.commit",
	    "worker.after-commit" },
	[WORK_DELIVER] = { prepare_leaf, true, false, true, "worker.deliver",
	    "worker.after-deliver" },
	[WORK_ABORT] = { abort_leaf, false, false, false, "worker.abort",
	    "worker.after-abort" },
	[WORK_TAKE_BACK] = { take_back_leaf, false, false, false,
	    "worker.take_back", "worker.after-take_back" },
	[WORK_RESOLVE] = { resolve_leaf, false, true, false, "worker.resolve",
	    "worker.after-resolve" },
	[WORK_SWEEP] = { sweep_leaf, false, false, false, "worker.sweep",
	    "worker.after-sweep" },
};

/* ---- one job ---- */

static bool
is_stale(int error)
{
	return error == -ENOENT || error == -ESTALE;
}

/*
 * A 250 names the mailbox that is there, not one that was moved away while
 * we had it open (a restore, a change of server): its files would follow.
 */
static bool
is_replaced(const struct kind *kind, const struct work *work,
    const struct mailbox *box)
{
	bool is_for_junk = work->is_junk &&
	    (kind->is_writing || work->kind == WORK_COMMIT);

	return (kind->is_writing && !maildir_is_at(&box->dir, box->path)) ||
	    (is_for_junk && !junk_is_at(&box->dir, box->path));
}

/* A mailbox that turns out to be stale is opened anew, once. */
static int
begin_leaf(struct worker *w, struct job *job, size_t i)
{
	const struct kind *kind = &kinds[job->work.kind];
	const struct work_leaf *wl = &job->work.leaves[i];
	struct mailcache_key key = { wl->maildir, wl->home, kind->is_made };
	struct leaf *leaf = &job->leaves[i];
	int64_t now_us = clock_monotonic_us();
	int error;

	*leaf = (struct leaf){ .fd = -1, .flush_slot = -1 };
	leaf->box = mailcache_get(w->cache, &key,
	    kind->is_fresh ? 0 : MAILCACHE_AGE_US, &error);
	if (leaf->box == NULL)
		return error;
	if (leaf->box->opened_us >= now_us)
		return kind->begin(w, job, i);
	error = is_replaced(kind, &job->work, leaf->box) ? -ESTALE :
	    kind->begin(w, job, i);
	if (!is_stale(error))
		return error;
	mailcache_drop(w->cache, leaf->box);
	mailcache_unpin(w->cache, leaf->box);
	leaf->box = mailcache_get(w->cache, &key, MAILCACHE_AGE_US, &error);
	return leaf->box == NULL ? error : kind->begin(w, job, i);
}

/* The message's first octets, once for all copies of it. */
static int
read_start(struct worker *w, struct job *job)
{
	size_t want = job->work.message_size, have = 0;

	job->start = job->work.message;
	if (job->start.size > 0)
		return job->m.fd < 0 ? 0 : -EBADMSG;
	if (job->m.fd < 0)
		return -EBADMSG;
	if (want > START_SIZE)
		want = START_SIZE;
	job->start = (struct slice){ w->start, want };
	while (have < want) {
		ssize_t n = pread(job->m.fd, w->start + have, want - have,
		    (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		have += (size_t)n;
	}
	return 0;
}

static bool
has_message(const struct job *job)
{
	return job->work.kind == WORK_PREPARE ||
	    job->work.kind == WORK_DELIVER;
}

static void
begin_job(struct worker *w, struct job *job)
{
	int error = 0;

	FAULT_STEP(kinds[job->work.kind].point);
	if (has_message(job))
		error = read_start(w, job);
	job->answer.n_leaves = job->work.n_leaves;
	for (size_t i = 0; i < job->work.n_leaves; i++) {
		job->answer.leaves[i].value = 0;
		job->leaves[i] = (struct leaf){ .fd = -1, .flush_slot = -1 };
		job->answer.leaves[i].error = error ? error :
		    begin_leaf(w, job, i);
	}
}

/* What the flush said, and the open file closed. */
static void
settle_leaf(struct worker *w, struct job *job, size_t i)
{
	struct leaf *leaf = &job->leaves[i];
	struct work_result *result = &job->answer.leaves[i];

	if (leaf->flush_slot >= 0 && result->error == 0)
		result->error = w->flushes[leaf->flush_slot].error;
	leaf->flush_slot = -1;
	if (leaf->fd >= 0)
		result->error = maildir_finish(&leaf->box->dir,
		    name_of(&job->work.leaves[i]).z, leaf->fd, result->error);
	leaf->fd = -1;
}

/* What stands in the way of moving leaf i: 0, or why it is in tmp/. */
static int
check_written(struct worker *w, struct job *job, size_t i)
{
	struct work_result *result = &job->answer.leaves[i];

	if (!job->leaves[i].is_flushed_once)
		settle_leaf(w, job, i);
	else if (result->error == 0)
		result->error = flush_data(job->leaves[i].fd);
	if (result->error == 0) {
		result->value = MAILDIR_TMP;
		if (renames_is_cancelled(job->work.leaves[i].file))
			result->error = -ECANCELED;
	}
	return result->error;
}

/* Store had the time of our writing; a little more is given to a slow one. */
static bool
is_cleared(struct worker *w, const struct job *job)
{
	const struct timespec pause = { .tv_nsec = PAUSE_US * 1000 };
	int64_t began_us;

	if (job->work.clearance == CLEARANCE_NONE)
		return true;
	while (!clearances_has(job->work.clearance)) {
		if (w->patience_us <= 0)
			return false;
		began_us = clock_monotonic_us();
		nanosleep(&pause, NULL);
		w->patience_us -= clock_monotonic_us() - began_us;
	}
	return true;
}

/* It stays in tmp/ until COMMIT, which takes for granted that it is flushed
 * (is_flushed_once was to follow its rename). */
static void
leave_leaf(struct worker *w, struct leaf *leaf)
{
	if (!leaf->is_flushed_once)
		return;
	leaf->is_flushed_once = false;
	leaf->flush_slot = add_flush(w, leaf->box, leaf->fd, false);
}

/* All leaves, or as few as can be; those that failed are taken away. */
static void
move_job(struct worker *w, struct job *job)
{
	bool is_moving = true;

	for (size_t i = 0; i < job->work.n_leaves; i++)
		if (check_written(w, job, i) != 0)
			is_moving = false;
	if (is_moving && !is_cleared(w, job)) {
		for (size_t i = 0; i < job->work.n_leaves; i++)
			leave_leaf(w, &job->leaves[i]);
		return;
	}
	for (size_t i = 0; i < job->work.n_leaves; i++) {
		struct work_result *result = &job->answer.leaves[i];

		if (is_moving)
			result->error = move_leaf(w, job, i);
		if (result->error == 0)
			continue;
		is_moving = false;
		if (result->value == MAILDIR_TMP && abort_leaf(w, job, i) == 0)
			result->value = MAILDIR_NOWHERE;
	}
}

static void
end_leaf(struct worker *w, struct job *job, size_t i)
{
	struct leaf *leaf = &job->leaves[i];

	settle_leaf(w, job, i);
	if (leaf->box != NULL) {
		leaf->box->flush_slot = leaf->box->junk_slot = -1;
		mailcache_unpin(w->cache, leaf->box);
	}
}

static void
end_job(struct worker *w, struct job *job)
{
	for (size_t i = 0; i < job->work.n_leaves; i++)
		end_leaf(w, job, i);
}

/* After the answer: the memory of a large message takes time to free. */
static void
close_message(struct job *job)
{
	if (job->m.fd >= 0)
		close(job->m.fd);
	job->m.fd = -1;
}

/* ---- the socket ---- */

/* 0, -EAGAIN when nothing (more) waits, or what is final. */
static int
take_job(struct worker *w)
{
	struct job *job = &w->jobs[w->n_jobs];
	int error = w->n_jobs == 0 ?
	    ipc_receive(w->fd, &job->m, job->buffer) :
	    ipc_receive_waiting(w->fd, &job->m, job->buffer);

	if (error)
		return error;
	if (job->m.type != WORK_ASK || !get_work(&job->m.body, &job->work))
		return -EBADMSG;
	w->n_jobs++;
	w->n_leaves += job->work.n_leaves;
	return 0;
}

static int
take_batch(struct worker *w)
{
	int error = 0;

	w->n_jobs = w->n_leaves = w->n_flushes = 0;
	w->patience_us = PATIENCE_US;
	w->needs_early_flush = false;
	while (!error && w->n_jobs < BATCH_JOBS && w->n_leaves < BATCH_LEAVES)
		error = take_job(w);
	return error == -EAGAIN ? 0 : error;
}

static int
answer_job(struct worker *w, const struct job *job)
{
	struct ipc_writer out;

	ipc_writer_init(&out);
	put_work_answer(&out, &job->answer);
	return ipc_send(w->fd, WORK_ANSWER, job->m.id, 0, &out, -1);
}

/* DELIVER's second half. A new/ that others were flushed in is flushed anew. */
static void
move_all(struct worker *w)
{
	for (size_t i = 0; i < w->n_jobs; i++)
		for (size_t j = 0; j < w->jobs[i].work.n_leaves; j++)
			if (w->jobs[i].leaves[j].box != NULL)
				w->jobs[i].leaves[j].box->flush_slot = -1;
	for (size_t i = 0; i < w->n_jobs; i++)
		if (w->jobs[i].work.kind == WORK_DELIVER)
			move_job(w, &w->jobs[i]);
}

static int
do_batch(struct worker *w)
{
	size_t n_early;
	int error = 0;

	for (size_t i = 0; i < w->n_jobs; i++)
		begin_job(w, &w->jobs[i]);
	FAULT_STEP("worker.flush");
	n_early = w->needs_early_flush ? w->n_flushes : 0;
	flush_all(w->flushes, n_early);
	move_all(w);
	flush_all(w->flushes + n_early, w->n_flushes - n_early);
	for (size_t i = 0; i < w->n_jobs; i++)
		end_job(w, &w->jobs[i]);
	FAULT_STEP("worker.answer");
	for (size_t i = 0; !error && i < w->n_jobs; i++) {
		FAULT_STEP(kinds[w->jobs[i].work.kind].point_after);
		error = answer_job(w, &w->jobs[i]);
	}
	for (size_t i = 0; i < w->n_jobs; i++)
		close_message(&w->jobs[i]);
	return error;
}

int
worker_serve(int fd)
{
	struct worker *w = calloc(1, sizeof *w);
	int error = w == NULL ? -ENOMEM : 0;

	if (!error)
		w->cache = mailcache_new();
	if (!error && w->cache == NULL)
		error = -ENOMEM;
	if (!error) {
		w->fd = fd;
		while ((error = take_batch(w)) == 0 &&
		    (w->n_jobs == 0 || (error = do_batch(w)) == 0))
			mailcache_expire(w->cache);
		mailcache_free(&w->cache);
	}
	free(w);
	return error == -EPIPE ? 0 : error;
}

void
worker_main(int fd, bool is_privileged, uid_t uid, gid_t gid)
{
	const struct timeval wake = { .tv_sec = MAILCACHE_AGE_US / 1000000 };
	const struct sandbox_path everywhere = { "/", true };
	const struct sandbox sandbox = { .name = "worker",
		.is_privileged = is_privileged, .uid = uid, .gid = gid,
		.allow = SANDBOX_FILES_WRITE | SANDBOX_BOARD_PART,
		.paths = &everywhere, .n_paths = 1 };

	FAULT_ROLE("worker");
	/* without it mailboxes stay open until there is work again */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof wake);
	sandbox_become(&sandbox);
	FAULT_STEP("worker.start");
	_exit(worker_serve(fd) == 0 ? 0 : 1);
}
