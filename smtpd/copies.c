/* SPDX-License-Identifier: ISC */
/*
 * The delivery records of a transaction (DESIGN 6): asked about before
 * PREPARE, made an INTENT before COMMIT, DONE after it.
 *
 * Entries are numbered over the leaves of all mailbox recipients, in order;
 * behind his leaves comes what a recipient's last participant has, if he has
 * one, and then what queue sends for him. A list with many leaves is asked
 * about in several messages.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "clearances.h"
#include "commands.h"
#include "fault.h"
#include "finish.h"
#include "last.h"
#include "submit.h"

#define RECORDS_DEADLINE_MS 10000
/* Octets of entries in one message; the rest of it fits beside them. */
#define RECORDS_ROOM (IPC_PAYLOAD_MAX - 2048)
#define SKIPPED_MAX 1000		/* prepare_ask holds so many */
#define FILE_NAME_ROOM 384		/* or destination and address */
#define LIST_MAX 4000			/* entries told in one message */

static enum step copies_ask(struct session *s);
static enum step copies_tell(struct session *s);
static bool is_clearable(const struct transaction *tx);
static enum step copies_answered(struct session *s, struct answer *a);

static uint16_t
n_entries_of(const struct recipient *r)
{
	return (uint16_t)(r->route.n_leaves + last_is_wanted(r) +
	    recipient_is_queued(r));
}

enum entry_kind { ENTRY_LEAF, ENTRY_LAST, ENTRY_QUEUE };

static enum entry_kind
entry_kind_of(const struct recipient *r, uint16_t entry)
{
	if (entry < r->route.n_leaves)
		return ENTRY_LEAF;
	return entry == r->route.n_leaves && last_is_wanted(r) ? ENTRY_LAST :
	    ENTRY_QUEUE;
}

/* ---- one job or two phases ---- */

static const struct route_leaf *
first_leaf(const struct transaction *tx)
{
	const struct recipient *r = tx->recipients;

	return tx->n_recipients > 0 && recipient_is_mailbox(r) &&
	    r->route.n_leaves > 0 ? r->route.leaves : NULL;
}

bool
copies_are_one_job(const struct transaction *tx, size_t size)
{
	const struct route_leaf *first = first_leaf(tx), *leaf;
	const struct recipient *r = tx->recipients;
	size_t i;

	size += strlen(tx->reverse_path) + tx->trace.size;
	for (; first != NULL && r < tx->recipients + tx->n_recipients; r++) {
		if (!recipient_is_mailbox(r))
			return false;
		for (i = 0; i < r->route.n_leaves; i++) {
			leaf = &r->route.leaves[i];
			size += deliver_leaf_size(leaf);
			if (leaf->uid != first->uid || leaf->gid != first->gid)
				return false;
		}
	}
	return first != NULL && size <= DELIVER_ROOM;
}

/* ---- RECORDS ---- */

static size_t
entry_size(const struct record_entry *e)
{
	return e->recipient.size + e->maildir.size + e->file.size + 16;
}

static bool
entry_make_last(const struct recipient *r, struct record_entry *e,
    struct buf *name)
{
	size_t at = name->size;

	if (last_put_name(name, r) < 0)
		return false;
	*e = (struct record_entry){ .recipient = slice_of(r->address),
		.maildir = { name->data + at, name->size - at },
		.file = SLICE("-") };
	return true;
}

/* Whose copies they are is queue's to know; all of them are one thing. */
static bool
entry_make_queue(const struct recipient *r, struct record_entry *e)
{
	*e = (struct record_entry){ .recipient = slice_of(r->address),
		.maildir = SLICE(RECORD_QUEUE), .file = SLICE("-") };
	return true;
}

static bool
entry_make(const struct session *s, struct record_entry *e, struct buf *name)
{
	const struct transaction *tx = s->tx;
	const struct recipient *r = &tx->recipients[tx->at_recipient];
	const struct route_leaf *leaf = &r->route.leaves[tx->at_leaf];
	size_t at = name->size;

	if (entry_kind_of(r, tx->at_leaf) != ENTRY_LEAF)
		return entry_kind_of(r, tx->at_leaf) == ENTRY_LAST ?
		    entry_make_last(r, e, name) : entry_make_queue(r, e);
	if (trace_file_name(tx, s->settings->config->hostname, r,
	    tx->at_leaf, name) < 0)
		return false;
	e->recipient = slice_of(r->address);
	e->uid = leaf->uid;
	e->gid = leaf->gid;
	e->maildir = leaf->maildir;
	e->file = (struct slice){ name->data + at, name->size - at };
	return true;
}

/* Move to the next leaf that has a record; false after the last. */
static bool
copies_at_leaf(struct transaction *tx)
{
	const struct recipient *r;

	while (tx->at_recipient < tx->n_recipients) {
		r = &tx->recipients[tx->at_recipient];
		if (r->failure == NULL && tx->at_leaf < n_entries_of(r))
			return true;
		tx->at_recipient++;
		tx->at_leaf = 0;
	}
	return false;
}

/* As many entries as one message takes. The names stay in one static buf. */
static bool
copies_fill(struct session *s, struct record_begin *begin)
{
	static char names[RECORD_BEGIN_MAX * FILE_NAME_ROOM];
	struct buf name = { .data = names, .capacity = sizeof(names),
		.maximum = sizeof(names) - 1 };
	struct record_entry *e;
	size_t size = 0;

	begin->n_entries = 0;
	while (copies_at_leaf(s->tx) && begin->n_entries < RECORD_BEGIN_MAX) {
		e = &begin->entries[begin->n_entries];
		if (!entry_make(s, e, &name))
			return false;
		size += entry_size(e);
		if (size > RECORDS_ROOM && begin->n_entries > 0)
			break;
		begin->n_entries++;
		s->tx->at_leaf++;
	}
	return true;
}

/* The next of them; false: there is no room. */
static bool
copies_begin(struct session *s, struct record_begin *begin)
{
	struct transaction *tx = s->tx;

	begin->transaction = tx->number;
	begin->is_intent = tx->is_whole;
	begin->clearance = tx->clearance;
	begin->reverse_path = slice_of(tx->key);
	memcpy(begin->digest, tx->digest, sizeof(begin->digest));
	begin->first = (uint16_t)tx->n_entries;
	if (!copies_fill(s, begin) ||
	    tx->n_entries + begin->n_entries > UINT16_MAX)
		return false;
	tx->n_entries += begin->n_entries;
	tx->n_asked = begin->n_entries;
	return true;
}

enum step
copies_look_up(struct session *s)
{
	s->tx->at_recipient = s->tx->at_leaf = 0;
	/* store was not there yet when the message began */
	if (!s->tx->body.has_digest)
		return finish_refuse(s, REPLY_RECORDS_SILENT);
	return is_clearable(s->tx) ? copies_tell(s) : copies_ask(s);
}

/* An earlier attempt has delivered all of it; a next hop's, a program's or
 * queue's part counts as a mailbox does. */
static bool
is_all_done(const struct transaction *tx)
{
	size_t n_done = tx->n_done;

	for (uint16_t i = 0; i < tx->n_recipients; i++)
		n_done += (size_t)tx->recipients[i].is_last_done +
		    tx->recipients[i].is_queue_done;
	return tx->n_entries > 0 && n_done >= tx->n_entries;
}

/* Everybody has been asked about: go on, or wait for an earlier attempt. */
static enum step
copies_complete(struct session *s)
{
	if (s->tx->is_open || s->tx->n_done > SKIPPED_MAX)
		return finish_refuse(s, REPLY_RECORDS_OPEN);
	if (s->tx->unless_done != NULL && !is_all_done(s->tx)) {
		note_resume(&s->tx->unless_noted);
		return finish_refuse_with(s, s->tx->unless_done,
		    s->tx->refusal_check);
	}
	if (s->tx->is_whole && s->tx->n_done < s->tx->n_entries)
		return finish_deliver(s);
	return finish_prepare(s);
}

static enum step
copies_ask(struct session *s)
{
	static struct record_begin begin;	/* large, and lent only */
	struct transaction *tx = s->tx;
	struct question q = { .kind = QUESTION_RECORDS, .fd = -1,
		.deadline_ms = RECORDS_DEADLINE_MS, .as.records = &begin };

	if (!copies_at_leaf(tx))
		return copies_complete(s);
	if (!copies_begin(s, &begin))
		return finish_refuse(s, REPLY_RECORDS_SILENT);
	return session_ask(s, &q, copies_answered);
}

/* The leaf of entry number i; entries and leaves are in the same order. */
static void
entry_find(const struct transaction *tx, unsigned entry, uint16_t *recipient,
    uint16_t *leaf)
{
	const struct recipient *r;
	uint16_t i;

	for (i = 0; i < tx->n_recipients; i++) {
		r = &tx->recipients[i];
		if (r->is_discarded)
			continue;
		if (entry < n_entries_of(r))
			break;
		entry -= n_entries_of(r);
	}
	*recipient = i;
	*leaf = (uint16_t)entry;
}

static bool
leaf_note_done(struct transaction *tx, struct recipient *r, uint16_t leaf)
{
	struct done_leaf *grown;

	if ((tx->n_done & (tx->n_done - 1)) == 0) {
		grown = reallocarray(tx->done, tx->n_done == 0 ? 1 :
		    tx->n_done * 2, sizeof(*grown));
		if (grown == NULL)
			return false;
		tx->done = grown;
	}
	tx->done[tx->n_done].recipient = r->index;
	tx->done[tx->n_done].leaf = leaf;
	tx->n_done++;
	r->n_done++;
	return true;
}

static bool
copies_note_done(struct transaction *tx, unsigned entry)
{
	uint16_t recipient, leaf;
	struct recipient *r;

	entry_find(tx, entry, &recipient, &leaf);
	r = &tx->recipients[recipient];
	switch (entry_kind_of(r, leaf)) {
	case ENTRY_LAST:
		r->is_last_done = true;
		return true;
	case ENTRY_QUEUE:	/* queue hears nothing of it */
		r->is_queue_done = true;
		tx->n_lists--;
		return true;
	case ENTRY_LEAF:
		break;
	}
	return leaf_note_done(tx, r, leaf);
}

static enum step
copies_answered(struct session *s, struct answer *a)
{
	const struct record_states *states = &a->as.states;
	struct transaction *tx = s->tx;
	unsigned first = tx->n_entries - tx->n_asked;
	uint16_t i;

	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	FAULT_STEP("smtpd.after-records");
	if (!a->is_known || states->first != first ||
	    states->n_entries != tx->n_asked)
		return finish_refuse(s, REPLY_RECORDS_SILENT);
	for (i = 0; i < states->n_entries; i++) {
		if (states->states[i] == RECORD_IS_OPEN)
			tx->is_open = true;
		else if (states->states[i] == RECORD_IS_DONE &&
		    !copies_note_done(tx, first + i))
			return finish_refuse(s, REPLY_RECORDS_SILENT);
	}
	return copies_ask(s);
}

/* ---- without waiting: see clearances.h ---- */

/*
 * Of one copy: what store has to say about it is yes or no. Of several it
 * could be that some are to be left out, which deliver must know before.
 */
static bool
is_clearable(const struct transaction *tx)
{
	return tx->is_whole && tx->unless_done == NULL &&
	    tx->n_recipients == 1 && n_entries_of(tx->recipients) == 1;
}

static enum step
copies_tell(struct session *s)
{
	static struct record_begin begin;	/* large, and lent only */
	struct question q = { .kind = QUESTION_BEGIN, .fd = -1,
		.as.records = &begin };

	if (getrandom(&s->tx->clearance, sizeof(s->tx->clearance), 0) < 0)
		s->tx->clearance = CLEARANCE_NONE;
	if (s->tx->clearance == CLEARANCE_NONE)
		return copies_ask(s);
	if (!copies_begin(s, &begin))
		return finish_refuse(s, REPLY_RECORDS_SILENT);
	session_tell(s, &q);
	return finish_deliver(s);
}

static enum step
look_answered(struct session *s, struct answer *a)
{
	FAULT_STEP("smtpd.after-look");
	if (!a->is_known) {
		finish_release(s, RELEASE_ALL);
		return finish_refuse(s, REPLY_RECORDS_SILENT);
	}
	switch (a->as.states.states[0]) {
	case RECORD_IS_NEW:
		return finish_commit(s);
	case RECORD_IS_DONE:
		finish_release(s, RELEASE_ALL);
		return copies_note_done(s->tx, 0) ? finish_delivered(s) :
		    finish_refuse(s, REPLY_RECORDS_SILENT);
	default:
		return finish_refuse(s, REPLY_RECORDS_OPEN);
	}
}

enum step
copies_look(struct session *s)
{
	struct question q = { .kind = QUESTION_LOOK, .fd = -1,
		.deadline_ms = RECORDS_DEADLINE_MS,
		.as.transaction = s->tx->number };

	s->tx->clearance = CLEARANCE_NONE;
	return session_ask(s, &q, look_answered);
}

/*
 * A check refuses it since it has come before: if that attempt was delivered
 * and its 250 lost, this is its retry, and the answer is 250.
 */
enum step
finish_refuse_unless_done(struct session *s, const struct verdict *v,
    const char *check)
{
	struct transaction *tx = s->tx;

	if (!tx->has_records || tx->unless_done != NULL)
		return finish_refuse_with(s, v, check);
	tx->unless_done = malloc(sizeof(*tx->unless_done));
	if (tx->unless_done == NULL)
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	*tx->unless_done = *v;
	tx->refusal_check = check;
	tx->unless_noted = note_hold();
	trace_name_copies(tx);
	return copies_look_up(s);
}

/* ---- INTENT ---- */

static enum step
intent_answered(struct session *s, struct answer *a)
{
	FAULT_STEP("smtpd.after-intent");
	if (a->is_known)
		return finish_commit(s);
	/* Store may have noted it: the files must outlive that doubt. */
	finish_release(s, RELEASE_KEEP_FILES);
	return finish_refuse(s, REPLY_RECORDS_SILENT);
}

enum step
copies_intend(struct session *s)
{
	struct question q = { .kind = QUESTION_INTENT, .fd = -1,
		.deadline_ms = RECORDS_DEADLINE_MS,
		.as.transaction = s->tx->number };

	if (s->tx->n_entries == 0)
		return finish_commit(s);
	return session_ask(s, &q, intent_answered);
}

/* ---- WITHDRAW, DONE, SETTLE ---- */

enum entry_choice { ENTRIES_FAILED, ENTRIES_GOOD,	/* PRDR */
	ENTRIES_TAKEN, ENTRIES_OTHERS };

/* By whom nobody can take it back from. */
static bool
is_taken(const struct recipient *r, uint16_t entry)
{
	enum entry_kind kind = entry_kind_of(r, entry);

	return (kind == ENTRY_LAST && r->is_last_done) ||
	    (kind == ENTRY_QUEUE && r->is_queue_done);
}

static bool
is_chosen(const struct recipient *r, uint16_t entry, enum entry_choice choice)
{
	switch (choice) {
	case ENTRIES_FAILED:
		return r->failure != NULL && !is_taken(r, entry);
	case ENTRIES_GOOD:	/* queue and, with PRDR, its last participant
				 * have yet to say yes */
		return r->failure == NULL && (is_taken(r, entry) ||
		    entry_kind_of(r, entry) == ENTRY_LEAF);
	case ENTRIES_TAKEN:
		return is_taken(r, entry);
	case ENTRIES_OTHERS:
		break;
	}
	return !is_taken(r, entry);
}

/* Of those that store was told of. The caller frees *list. How many; -1
 * without memory. */
static int
entries_list(const struct transaction *tx, enum entry_choice choice,
    uint16_t **list)
{
	const struct recipient *r = tx->recipients;
	uint16_t i, entry = 0;
	int n = 0;

	*list = reallocarray(NULL, tx->n_entries + 1, sizeof(**list));
	if (*list == NULL)
		return -1;
	for (; r < tx->recipients + tx->n_recipients; r++) {
		if (r->is_discarded)
			continue;
		for (i = 0; i < n_entries_of(r) && entry < tx->n_entries;
		    i++, entry++)
			if (is_chosen(r, i, choice))
				(*list)[n++] = entry;
	}
	return n;
}

/* What a last participant or queue has is not withdrawn, but kept for the
 * retry. */
static bool
has_taken(const struct transaction *tx)
{
	uint16_t i;

	for (i = 0; i < tx->n_recipients; i++)
		if (tx->recipients[i].is_last_done ||
		    tx->recipients[i].is_queue_done)
			return true;
	return false;
}

static void
end_tell(struct session *s)
{
	struct question q = { .kind = QUESTION_END, .fd = -1,
		.as.transaction = s->tx->number };

	session_tell(s, &q);
}

static enum step
undo_answered(struct session *s, struct answer *a)
{
	FAULT_STEP("smtpd.after-withdraw");
	note_resume(&s->tx->noted);
	finish_release(s, a->is_known ? RELEASE_ALL : RELEASE_KEEP_FILES);
	if (has_taken(s->tx))
		end_tell(s);
	return s->tx->then(s);
}

/* All but what a last participant or queue has. */
static enum step
undo_others(struct session *s)
{
	uint16_t *entries = NULL;
	struct question q = { .kind = QUESTION_WITHDRAW, .fd = -1,
		.deadline_ms = RECORDS_DEADLINE_MS,
		.as.list = { .transaction = s->tx->number } };
	int n = entries_list(s->tx, ENTRIES_OTHERS, &entries);
	struct answer known;
	enum step step;

	s->tx->n_entries = 0;
	s->tx->noted = note_hold();
	if (n > 0) {
		q.as.list.n = (uint16_t)n;
		q.as.list.entries = entries;
		step = session_ask(s, &q, undo_answered);
	} else {
		answer_init(&known, n == 0);
		step = undo_answered(s, &known);
	}
	free(entries);
	return step;
}

enum step
copies_undo(struct session *s, finish_fn *then)
{
	struct question q = { .kind = QUESTION_WITHDRAW, .fd = -1,
		.deadline_ms = RECORDS_DEADLINE_MS,
		.as.list = { .transaction = s->tx->number } };

	FAULT_STEP("smtpd.before-withdraw");
	s->tx->then = then;
	if (s->tx->n_entries > 0 && has_taken(s->tx))
		return undo_others(s);
	if (s->tx->n_entries > 0) {
		s->tx->n_entries = 0;
		s->tx->noted = note_hold();
		return session_ask(s, &q, undo_answered);
	}
	finish_release(s, RELEASE_ALL);
	return then(s);
}

static enum step
drop_answered(struct session *s, struct answer *a)
{
	note_resume(&s->tx->noted);
	if (a->is_known)
		return s->tx->then(s);
	finish_release(s, RELEASE_KEEP_FILES);
	return s->tx->is_committed ? s->tx->then(s) :
	    finish_refuse(s, REPLY_RECORDS_SILENT);
}

/* Then store has forgotten the transaction, and is asked no more about it. */
static enum step
drop_all_answered(struct session *s, struct answer *a)
{
	if (a->is_known)
		s->tx->n_entries = 0;
	return drop_answered(s, a);
}

enum step
copies_drop_failed(struct session *s, finish_fn *then)
{
	uint16_t *entries = NULL;
	struct question q = { .kind = QUESTION_WITHDRAW, .fd = -1,
		.deadline_ms = RECORDS_DEADLINE_MS,
		.as.list = { .transaction = s->tx->number } };
	struct answer unknown;
	enum step step;
	int n;

	s->tx->then = then;
	if (s->tx->n_entries == 0)
		return then(s);
	n = entries_list(s->tx, ENTRIES_FAILED, &entries);
	if (n > 0) {
		q.as.list.n = (uint16_t)n;
		q.as.list.entries = entries;
		s->tx->noted = note_hold();
		step = session_ask(s, &q, s->tx->n_entries == (unsigned)n &&
		    s->tx->n_done == 0 ? drop_all_answered : drop_answered);
	} else if (n == 0) {
		step = then(s);
	} else {
		s->tx->noted = note_hold();
		answer_init(&unknown, false);
		step = drop_answered(s, &unknown);
	}
	free(entries);
	return step;
}

/* In as many messages as it takes. */
static void
done_tell(struct session *s, enum question_kind kind, const uint16_t *entries,
    int n)
{
	struct question q = { .kind = kind, .fd = -1,
		.as.list = { .transaction = s->tx->number } };

	for (; n > 0; n -= q.as.list.n, entries += q.as.list.n) {
		q.as.list.n = (uint16_t)(n < LIST_MAX ? n : LIST_MAX);
		q.as.list.entries = entries;
		session_tell(s, &q);
	}
}

void
copies_done(struct session *s)
{
	struct question all = { .kind = QUESTION_DONE, .fd = -1,
		.as.list = { .transaction = s->tx->number } };
	uint16_t *entries = NULL;
	int n;

	if (s->tx->n_entries == 0)
		return;
	if (s->tx->is_each || submit_goes_elsewhere(s->tx)) {
		n = entries_list(s->tx, ENTRIES_GOOD, &entries);
		done_tell(s, QUESTION_DONE, entries, n);
		free(entries);
	} else {
		session_tell(s, &all);
	}
}

void
copies_taken(struct session *s)
{
	uint16_t *entries = NULL;
	int n;

	if (s->tx->n_entries == 0 || !has_taken(s->tx))
		return;
	n = entries_list(s->tx, ENTRIES_TAKEN, &entries);
	done_tell(s, QUESTION_DONE_NOW, entries, n);
	free(entries);
}

void
copies_queued(struct session *s)
{
	struct recipient *r = s->tx->recipients;

	if (!submit_goes_elsewhere(s->tx))
		return;
	for (; r < s->tx->recipients + s->tx->n_recipients; r++)
		r->is_queue_done = recipient_is_queued(r);
	copies_taken(s);
}

void
copies_settle(struct session *s)
{
	struct question q = { .kind = QUESTION_SETTLE, .fd = -1,
		.as.transaction = s->tx->number };

	if (s->tx->n_entries > 0)
		session_tell(s, &q);
}
