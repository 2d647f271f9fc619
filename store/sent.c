/* SPDX-License-Identifier: ISC */
/*
 * sent.c - see sent.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sealed.h"
#include "sent.h"

#define STEP_RECORDS 1000
#define FOUND_MAX 10000
#define PART LEDGER_KEY_PART

struct found {
	struct ledger_found entry;
	bool is_recipient;		/* the word is his address */
};

struct sent {
	struct ledger *ledger;
	char word[SENT_WORD_MAX + 1];
	char user[VOUCHER_USER_MAX];
	uint8_t key[LEDGER_KEY_SIZE];	/* were it an id, and an address */
	bool is_address;		/* it may be one */
	struct kv_position at;
	struct found *found;
	size_t n, n_more;
	bool has_failed;
};

/* "<a@b>" is a@b: as the ledger has it. */
static struct slice
without_brackets(struct slice id)
{
	if (id.size >= 2 && id.data[0] == '<' && id.data[id.size - 1] == '>')
		id = (struct slice){ id.data + 1, id.size - 2 };
	return id;
}

static bool
make_key(struct sent *sent)
{
	struct slice word = slice_of(sent->word);
	struct ledger_name name = { word, SLICE(""), SLICE("") };

	sent->is_address = word.size < ASK_ADDRESS_MAX;
	if (sent->is_address)
		name.recipient = word;
	return ledger_key(sent->ledger, &name, sent->key) == 0;
}

struct sent *
sent_begin(struct ledger *ledger, const struct sent_ask *q)
{
	struct sent *sent = calloc(1, sizeof *sent);

	if (sent == NULL)
		return NULL;
	sent->ledger = ledger;
	if (!slice_copy(sent->word, sizeof sent->word,
	    without_brackets(q->word)) || !slice_copy(sent->user,
	    sizeof sent->user, q->user) || !make_key(sent))
		sent_free(&sent);
	return sent;
}

/* ---- the search ---- */

static bool
is_meant(const struct sent *sent, const uint8_t *key,
    const struct ledger_found *entry, bool *is_recipient)
{
	struct slice word = slice_of(sent->word);

	*is_recipient = false;
	if (sent->user[0] != '\0' && strcmp(sent->user, entry->user) != 0)
		return false;
	*is_recipient = sent->is_address && word.size > 0 &&
	    memcmp(key + PART, sent->key + PART, PART) == 0;
	return *is_recipient || word.size == 0 ||
	    memcmp(key, sent->key, PART) == 0 ||
	    slice_equals_nocase(slice_of(entry->queue_id), word) ||
	    slice_equals_nocase(slice_of(entry->sender), word);
}

static bool
grow(struct sent *sent)
{
	struct found *grown;

	if ((sent->n & (sent->n - 1)) != 0)
		return true;
	grown = reallocarray(sent->found, sent->n == 0 ? 1 : 2 * sent->n,
	    sizeof *grown);
	if (grown != NULL)
		sent->found = grown;
	return grown != NULL;
}

static bool
look_at(const uint8_t key[LEDGER_KEY_SIZE], const struct ledger_found *entry,
    void *arg)
{
	struct sent *sent = arg;
	bool is_recipient;

	if (!is_meant(sent, key, entry, &is_recipient))
		return true;
	if (sent->n == FOUND_MAX) {
		sent->n_more++;
		return true;
	}
	sent->has_failed |= !grow(sent);
	if (!sent->has_failed)
		sent->found[sent->n++] = (struct found){ *entry,
			is_recipient };
	return !sent->has_failed;
}

int
sent_step(struct sent *sent)
{
	int more = ledger_scan(sent->ledger, &sent->at, STEP_RECORDS,
	    look_at, sent);

	return sent->has_failed ? -ENOMEM : more;
}

/* ---- the answer ---- */

static int
by_time(const void *a, const void *b)
{
	const struct found *one = a, *other = b;

	if (one->entry.time_s != other->entry.time_s)
		return one->entry.time_s < other->entry.time_s ? -1 : 1;
	return strcmp(one->entry.queue_id, other->entry.queue_id);
}

static int
put_reports(struct buf *out, uint8_t reports)
{
	const char *more = "";
	int error = 0;

	if (reports == 0)
		return buf_puts(out, "nothing came back");
	if (reports & LEDGER_IS_FAILED) {
		error = buf_puts(out, "a failure was reported");
		more = ", ";
	}
	if (!error && (reports & LEDGER_IS_DELIVERED)) {
		error = buf_printf(out, "%sdelivery was reported", more);
		more = ", ";
	}
	if (!error && reports >= LEDGER_DELAY)
		error = buf_printf(out, "%sa delay was reported, times %u",
		    more, (unsigned)(reports / LEDGER_DELAY));
	return error;
}

static int
put_found(struct buf *out, const struct sent *sent, const struct found *f)
{
	time_t time_s = (time_t)f->entry.time_s;
	char when[32];
	struct tm tm;
	int error;

	gmtime_r(&time_s, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	error = buf_printf(out, "%s %s from %s to %s: ", when,
	    f->entry.queue_id, f->entry.sender[0] != '\0' ?
	    f->entry.sender : "<>", f->is_recipient ? sent->word :
	    "a recipient");
	if (!error)
		error = put_reports(out, f->entry.reports);
	return error ? error : buf_puts(out, "\n");
}

static int
put_all(struct buf *out, const struct sent *sent)
{
	int error = 0;

	if (sent->n == 0)
		return buf_printf(out, "Nothing of that kind was sent to "
		    "other hosts in the last %d days.\n",
		    LEDGER_LIFE_S / 86400);
	for (size_t i = 0; i < sent->n && !error; i++)
		error = put_found(out, sent, &sent->found[i]);
	if (!error && sent->n_more > 0)
		error = buf_printf(out, "There are %zu more.\n",
		    sent->n_more);
	return error;
}

int
sent_result(struct sent *sent)
{
	struct buf out = { .maximum = 16u << 20 };
	int error, fd = -ENOMEM;

	if (sent->n > 0)
		qsort(sent->found, sent->n, sizeof *sent->found, by_time);
	error = put_all(&out, sent);
	fd = error ? error : sealed_of_text("sent", buf_slice(&out));
	buf_free(&out);
	return fd;
}

void
sent_free(struct sent **sent)
{
	if (*sent != NULL)
		free((*sent)->found);
	free(*sent);
	*sent = NULL;
}
