/* SPDX-License-Identifier: ISC */
/*
 * boxes.c - mailboxes as deliver's supervisor knows them; see boxes.h.
 *
 * Usage: a worker's reading is U. Copies that were committed after the
 * question went out may or may not be in it, so all of them are added: used
 * may be too large for a moment, never too small.
 *
 * Stale tmp/ files are swept here too: once a day for each mailbox that is
 * in use, when its owner's workers have nothing else to do. Not in the first
 * minute, in which what was cut off by a crash is still being resolved.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ask.h"
#include "boxes.h"
#include "failure.h"
#include "fault.h"
#include "log.h"

#define BUCKETS 4096
#define BOXES_KEPT 16384	/* that nobody refers to */
#define BELIEVED_US (PROBE_BELIEVED_MS * 1000ll)
#define BELIEVED_FULL_US 1000000
#define SWEEP_EVERY_US (86400ll * 1000000)
#define SWEEP_FIRST_MS (FAULT_ENV("POSTERN_SWEEP_NOW") ? 100 : 60000)
#define SWEEP_TICK_MS 20000
#define SWEEPS_AT_ONCE 16

struct box {
	struct boxes *boxes;
	struct box *next;		/* of the same hash */
	struct box *newer, *older;	/* when nobody refers to it */
	uint32_t hash;
	unsigned references;
	uid_t uid;
	gid_t gid;
	uint64_t quota_bytes;
	/* what the last probe said */
	bool is_known;
	int error;
	int64_t known_us;
	uint64_t used, reserved;
	uint64_t wanted;		/* by the probe that is out */
	uint64_t committed;		/* ever */
	uint64_t committed_before;	/* when the probe went out */
	uint64_t missed;		/* had no room since the last probe */
	bool is_probing, is_sweeping, was_swept;
	int64_t swept_us;
	struct box_waiter *first, **last;
	struct job job;			/* the probe */
	struct job sweep;
	size_t home_size, maildir_size;
	char text[];			/* maildir, home */
};

struct boxes {
	struct loop *loop;
	struct pools *pools;
	struct box *buckets[BUCKETS];
	struct box *newest, *oldest;	/* unreferenced */
	unsigned n_kept;
	struct loop_timer tick;
	size_t sweep_at;		/* bucket */
};

/* ---- finding and forgetting ---- */

/* The paths come sealed from directory. */
static uint32_t
hash_of(const struct route_leaf *leaf)
{
	return slice_hash(leaf->maildir) ^ (uint32_t)leaf->uid;
}

struct slice
box_maildir(const struct box *box)
{
	return (struct slice){ box->text, box->maildir_size };
}

struct slice
box_home(const struct box *box)
{
	return (struct slice){ box->text + box->maildir_size,
		box->home_size };
}

uint64_t
box_quota(const struct box *box)
{
	return box->quota_bytes;
}

uint32_t
box_hash(const struct box *box)
{
	return box->hash;
}

static bool
is_same(const struct box *box, const struct route_leaf *leaf, uint32_t hash)
{
	return box->hash == hash && box->uid == leaf->uid &&
	    box->gid == leaf->gid &&
	    slice_equals(box_maildir(box), leaf->maildir) &&
	    slice_equals(box_home(box), leaf->home);
}

static void
unkeep(struct box *box)
{
	struct boxes *boxes = box->boxes;

	*(box->newer ? &box->newer->older : &boxes->newest) = box->older;
	*(box->older ? &box->older->newer : &boxes->oldest) = box->newer;
	box->newer = box->older = NULL;
	boxes->n_kept--;
}

static void
keep(struct box *box)
{
	struct boxes *boxes = box->boxes;

	box->newer = NULL;
	box->older = boxes->newest;
	*(box->older ? &box->older->newer : &boxes->oldest) = box;
	boxes->newest = box;
	boxes->n_kept++;
}

static void
box_free(struct box *box)
{
	struct box **at = &box->boxes->buckets[box->hash % BUCKETS];

	while (*at != box)
		at = &(*at)->next;
	*at = box->next;
	free(box);
}

static struct box *
box_new(struct boxes *boxes, const struct route_leaf *leaf, uint32_t hash)
{
	size_t room = leaf->maildir.size + leaf->home.size;
	struct box *box = calloc(1, sizeof *box + room);

	if (box == NULL)
		return NULL;
	memcpy(box->text, leaf->maildir.data, leaf->maildir.size);
	if (leaf->home.size > 0)
		memcpy(box->text + leaf->maildir.size, leaf->home.data,
		    leaf->home.size);
	box->maildir_size = leaf->maildir.size;
	box->home_size = leaf->home.size;
	box->boxes = boxes;
	box->hash = hash;
	box->uid = leaf->uid;
	box->gid = leaf->gid;
	box->quota_bytes = leaf->quota_bytes;
	box->last = &box->first;
	box->next = boxes->buckets[hash % BUCKETS];
	boxes->buckets[hash % BUCKETS] = box;
	return box;
}

struct box *
box_get(struct boxes *boxes, const struct route_leaf *leaf)
{
	uint32_t hash = hash_of(leaf);
	struct box *box = boxes->buckets[hash % BUCKETS];

	while (box != NULL && !is_same(box, leaf, hash))
		box = box->next;
	if (box == NULL) {
		box = box_new(boxes, leaf, hash);
		if (box == NULL)
			return NULL;
	} else if (box->references == 0) {
		unkeep(box);
	}
	if (box->quota_bytes != leaf->quota_bytes) {
		box->quota_bytes = leaf->quota_bytes;	/* after a reload */
		box->is_known = false;
	}
	box->references++;
	return box;
}

void
box_put(struct box **boxp)
{
	struct box *box = *boxp;
	struct boxes *boxes;

	*boxp = NULL;
	if (box == NULL || --box->references > 0)
		return;
	boxes = box->boxes;
	keep(box);
	while (boxes->n_kept > BOXES_KEPT) {
		box = boxes->oldest;
		unkeep(box);
		box_free(box);
	}
}

/* ---- probes ---- */

static void
encode_leaf(const struct box *box, struct work *work, enum work_kind kind)
{
	*work = (struct work){ .kind = kind, .n_leaves = 1 };
	work->leaves[0] = (struct work_leaf){ .maildir = box_maildir(box),
		.home = box_home(box), .quota_bytes = box->quota_bytes };
}

static void
encode_probe(struct job *job, struct work *work)
{
	const struct box *box = job->arg;

	encode_leaf(box, work, WORK_PROBE);
	work->leaves[0].size_bytes = box->wanted;
}

static bool
fits(const struct box *box, uint64_t size_bytes)
{
	uint64_t taken = box->used + box->reserved;

	return box->quota_bytes == 0 || (taken <= box->quota_bytes &&
	    size_bytes <= box->quota_bytes - taken);
}

static void
learn(struct box *box, const struct work_answer *answer)
{
	box->is_known = answer != NULL && answer->n_leaves == 1;
	box->error = box->is_known ? answer->leaves[0].error :
	    FAILURE_UNKNOWN;
	box->known_us = loop_now_us(box->boxes->loop);
	if (box->is_known && box->error == 0)
		box->used = answer->leaves[0].value +
		    (box->committed - box->committed_before);
	if (box->error != 0)
		log_warning("mailbox_unusable", LOG_U("uid", box->uid),
		    LOG_SL("maildir", box_maildir(box)),
		    LOG_E("error", box->error), LOG_END);
}

static void
probe_done(struct job *job, const struct work_answer *answer)
{
	struct box *box = job->arg;
	struct box_waiter *waiter = box->first, *next;

	box->is_probing = false;
	box->first = NULL;
	box->last = &box->first;
	learn(box, answer);
	for (; waiter != NULL; waiter = next) {
		next = waiter->next;
		waiter->fn(waiter, box->error);
	}
	box_put(&box);
}

static bool
is_believed(const struct box *box, uint64_t size_bytes)
{
	int64_t age_us = loop_now_us(box->boxes->loop) - box->known_us;

	return box->is_known && age_us < (fits(box, size_bytes) ?
	    BELIEVED_US : BELIEVED_FULL_US);
}

static void
job_init(struct box *box, struct job *job, job_encode_fn *encode,
    job_done_fn *done)
{
	*job = (struct job){ .uid = box->uid, .gid = box->gid,
		.affinity = box->hash, .fd = -1, .encode = encode,
		.done = done, .arg = box };
	box->references++;
}

void
box_probe(struct box *box, uint64_t size_bytes, struct box_waiter *waiter)
{
	/* one whose size nobody had told at RCPT: is it counted right? */
	if (size_bytes < box->missed)
		size_bytes = box->missed;
	if (!box->is_probing && is_believed(box, size_bytes)) {
		waiter->fn(waiter, box->error);
		return;
	}
	waiter->next = NULL;
	*box->last = waiter;
	box->last = &waiter->next;
	if (box->is_probing)
		return;
	box->is_probing = true;
	box->missed = 0;
	box->committed_before = box->committed;
	box->wanted = size_bytes > UINT64_MAX - box->reserved ? UINT64_MAX :
	    size_bytes + box->reserved;
	job_init(box, &box->job, encode_probe, probe_done);
	pools_submit(box->boxes->pools, &box->job);
}

uint32_t
box_believed_ms(const struct box *box)
{
	int64_t left_us = box->known_us + BELIEVED_US -
	    loop_now_us(box->boxes->loop);

	return box->is_known && box->error == 0 && box->quota_bytes == 0 &&
	    left_us > 0 ? (uint32_t)(left_us / 1000) : 0;
}

void
box_forget(struct box *box)
{
	box->is_known = false;
}

/* ---- reservations ---- */

int
box_reserve(struct box *box, uint64_t size_bytes, uint64_t *held)
{
	if (box->quota_bytes == 0)
		return 0;
	if (size_bytes > box->quota_bytes)
		return -EFBIG;
	box->reserved -= *held;
	if (!fits(box, size_bytes)) {
		box->reserved += *held;
		box->missed = size_bytes;
		return -EDQUOT;
	}
	box->reserved += size_bytes;
	*held = size_bytes;
	return 0;
}

void
box_release(struct box *box, uint64_t *held)
{
	box->reserved -= *held;
	*held = 0;
}

void
box_committed(struct box *box, uint64_t *held)
{
	box->used += *held;
	box->committed += *held;
	box_release(box, held);
}

/* ---- sweeping ---- */

static void
encode_sweep(struct job *job, struct work *work)
{
	encode_leaf(job->arg, work, WORK_SWEEP);
}

static void
sweep_done(struct job *job, const struct work_answer *answer)
{
	struct box *box = job->arg;

	box->is_sweeping = false;
	if (answer != NULL && answer->n_leaves == 1 &&
	    answer->leaves[0].value > 0)
		log_info("swept", LOG_SL("maildir", box_maildir(box)),
		    LOG_U("files", answer->leaves[0].value), LOG_END);
	box_put(&box);
}

static bool
sweep_wanted(const struct box *box, int64_t now_us)
{
	return !box->is_sweeping && box->is_known && box->error == 0 &&
	    (!box->was_swept || now_us - box->swept_us > SWEEP_EVERY_US) &&
	    pools_is_quiet(box->boxes->pools, box->uid, box->gid);
}

static void
sweep(struct box *box, int64_t now_us)
{
	if (box->references == 0)
		unkeep(box);
	box->is_sweeping = box->was_swept = true;
	box->swept_us = now_us;
	job_init(box, &box->sweep, encode_sweep, sweep_done);
	pools_submit(box->boxes->pools, &box->sweep);
}

static void
on_sweep_tick(struct loop_timer *timer, void *arg)
{
	struct boxes *boxes = arg;
	int64_t now_us = loop_now_us(boxes->loop);
	unsigned n = 0;

	for (size_t i = 0; i < BUCKETS && n < SWEEPS_AT_ONCE; i++) {
		struct box *box = boxes->buckets[boxes->sweep_at++ % BUCKETS];

		while (box != NULL && !sweep_wanted(box, now_us))
			box = box->next;
		if (box != NULL) {
			sweep(box, now_us);
			n++;
		}
	}
	loop_timer_start(boxes->loop, timer, SWEEP_TICK_MS, on_sweep_tick,
	    boxes);
}

/* ---- life ---- */

struct boxes *
boxes_new(struct loop *loop, struct pools *pools)
{
	struct boxes *boxes = calloc(1, sizeof *boxes);

	if (boxes == NULL)
		return NULL;
	boxes->loop = loop;
	boxes->pools = pools;
	loop_timer_start(loop, &boxes->tick, SWEEP_FIRST_MS, on_sweep_tick,
	    boxes);
	return boxes;
}
