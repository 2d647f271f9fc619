/* SPDX-License-Identifier: ISC */
/*
 * resolve.c - RESOLVE: what became of a copy whose transaction was cut off.
 *
 * The smtpd or deliver that knew is dead. A worker of ours may still be at
 * it, though: so the question waits until everything that was given to
 * workers before it has come back. A copy of a transaction that is alive
 * here has not been cut off: unknown, ask again.
 *
 * store may name any mailbox, so only a file that looks like a copy of ours
 * is touched, only in tmp/, and only as a uid that may have mailboxes.
 */
#include <stdlib.h>
#include <string.h>
#include "dispatch.h"
#include "fault.h"
#include "log.h"
#include "maildir.h"
#include "phases.h"
#include "renames.h"

struct resolve {
	struct job job;
	struct resolve *next;	/* waiting */
	struct deliver *deliver;
	struct channel *asker;	/* NULL when it is gone */
	uint32_t question;
	uint64_t after;		/* jobs before this number must be done */
	bool is_out;
	size_t maildir_size, file_size;
	char text[];		/* maildir, file */
};

static void
answer(struct channel *asker, uint32_t question, enum resolution resolution)
{
	struct ipc_writer w;

	if (asker == NULL)
		return;
	ipc_writer_init(&w);
	ipc_put_u8(&w, (uint8_t)resolution);
	channel_answer(asker, question, RESOLVE_ANSWER, &w, -1);
}

static struct slice
file_of(const struct resolve *r)
{
	return (struct slice){ r->text + r->maildir_size, r->file_size };
}

/*
 * DELIVER's names end in D and digits before the _ (ask.h). Its INTENT is
 * older than the file: one that is nowhere may never have been.
 */
static bool
is_short_way(struct slice file)
{
	size_t at = slice_find(file, '_');

	while (at > 0 && file.data[at - 1] >= '0' && file.data[at - 1] <= '9')
		at--;
	return at > 0 && file.data[at - 1] == 'D';
}

static void
encode(struct job *job, struct work *work)
{
	const struct resolve *r = job->arg;

	*work = (struct work){ .kind = WORK_RESOLVE, .n_leaves = 1 };
	work->leaves[0] = (struct work_leaf){
		.maildir = { r->text, r->maildir_size },
		.file = file_of(r),
		.size_bytes = is_short_way(file_of(r)) &&
		    !renames_has(file_of(r)) };
}

static void
unlink_resolve(struct resolve *r)
{
	struct resolve **at = &r->deliver->resolves;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

static void
done(struct job *job, const struct work_answer *a)
{
	struct resolve *r = job->arg;
	enum resolution resolution = RESOLVED_UNKNOWN;

	if (a != NULL && a->n_leaves == 1 && a->leaves[0].error == 0)
		resolution = a->leaves[0].value == MAILDIR_TMP ?
		    RESOLVED_NOT_DELIVERED : RESOLVED_DELIVERED;
	log_notice("resolved", LOG_SL("file", file_of(r)),
	    LOG_S("as", resolution == RESOLVED_UNKNOWN ? "unknown" :
	    resolution == RESOLVED_DELIVERED ? "delivered" :
	    "not_delivered"),
	    LOG_E("error", a && a->n_leaves == 1 ? a->leaves[0].error : 0),
	    LOG_END);
	unlink_resolve(r);
	answer(r->asker, r->question, resolution);
	free(r);
}

/* NAME_R_L.HOST,S=SIZE */
static bool
is_copy_name(struct slice file)
{
	size_t at = slice_find(file, ',');
	unsigned long long size;
	struct slice end = { file.data + at, file.size - at };

	return maildir_is_name(file) && slice_find(file, '_') < at &&
	    end.size > 3 && slice_starts_nocase(end, SLICE(",S=")) &&
	    slice_number((struct slice){ end.data + 3, end.size - 3 },
	    UINT64_MAX, &size);
}

/* Of a transaction that a living peer is in the middle of. */
static bool
is_alive(const struct deliver *d, struct slice file)
{
	for (struct peer *p = d->peers; p != NULL; p = p->next)
		for (size_t i = 0; i < DELIVERY_BUCKETS; i++)
			for (struct delivery *tx = p->buckets[i];
			     tx != NULL; tx = tx->next) {
				struct slice name = slice_of(tx->name);

				if (name.size > 0 && file.size > name.size &&
				    file.data[name.size] == '_' &&
				    memcmp(file.data, name.data,
				    name.size) == 0)
					return true;
			}
	return false;
}

static struct resolve *
resolve_new(struct deliver *d, const struct resolve_ask *ask)
{
	struct resolve *r = calloc(1, sizeof *r + ask->maildir.size +
	    ask->file.size);

	if (r == NULL)
		return NULL;
	memcpy(r->text, ask->maildir.data, ask->maildir.size);
	memcpy(r->text + ask->maildir.size, ask->file.data, ask->file.size);
	r->maildir_size = ask->maildir.size;
	r->file_size = ask->file.size;
	r->deliver = d;
	r->after = pools_next_number(d->pools);
	r->job = (struct job){ .uid = ask->uid, .gid = ask->gid, .fd = -1,
		.encode = encode, .done = done, .arg = r };
	r->next = d->resolves;
	d->resolves = r;
	return r;
}

bool
deliver_resolve_begin(struct peer *peer, const struct resolve_ask *ask,
    uint32_t question)
{
	struct deliver *d = peer->deliver;
	struct resolve *r;

	FAULT_STEP("deliver.before-resolve");
	if (ask->maildir.size == 0 || ask->maildir.data[0] != '/' ||
	    !is_copy_name(ask->file))
		return false;
	if (!deliver_probe_allows(d, ask->uid, ask->gid) ||
	    is_alive(d, ask->file) || (r = resolve_new(d, ask)) == NULL) {
		answer(peer->channel, question, RESOLVED_UNKNOWN);
		return true;
	}
	r->asker = peer->channel;
	r->question = question;
	deliver_resolve_progress(d);
	return true;
}

void
deliver_resolve_progress(struct deliver *d)
{
	uint64_t oldest = pools_oldest_number(d->pools);
	struct resolve *r = d->resolves;

	/* a job may end, and its resolve be freed, while it is submitted:
	 * begin again at the front */
	while (r != NULL) {
		if (r->is_out || r->after > oldest) {
			r = r->next;
			continue;
		}
		r->is_out = true;
		pools_submit(d->pools, &r->job);
		r = d->resolves;
	}
}

void
deliver_resolve_forget(struct deliver *d, const struct channel *asker)
{
	for (struct resolve *r = d->resolves; r != NULL; r = r->next)
		if (r->asker == asker)
			r->asker = NULL;
}
