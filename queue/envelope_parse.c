/* SPDX-License-Identifier: ISC */
/*
 * envelope_parse.c - an envelope read back; see envelope.h.
 *
 * The lines are taken one after the other, each where the writer puts it.
 * In the end the result is written again and compared: there is one text
 * for each envelope, and nothing else is taken for one.
 */
#include <errno.h>
#include <string.h>
#include "envelope.h"
#include "envelope_words.h"
#include "mail_date.h"

const struct envelope_word envelope_flag_words[] = {
	{ "8bit", ENVELOPE_8BIT },
	{ "utf8", ENVELOPE_UTF8 },
	{ "requiretls", ENVELOPE_REQUIRETLS },
	{ NULL, 0 },
};
const struct envelope_word envelope_notify_words[] = {
	{ "never", NOTIFY_NEVER },
	{ "success", NOTIFY_SUCCESS },
	{ "failure", NOTIFY_FAILURE },
	{ "delay", NOTIFY_DELAY },
	{ NULL, 0 },
};
const char *const envelope_state_words[RECIPIENT_STATE_COUNT] = {
	"waiting", "sent", "failed", "delivered",
};
const char *const envelope_report_words[REPORT_KIND_COUNT] = {
	"none", "failure", "delay", "success",
};

unsigned
envelope_flags(const struct envelope *e)
{
	return (e->is_8bit ? ENVELOPE_8BIT : 0) |
	    (e->is_utf8 ? ENVELOPE_UTF8 : 0) |
	    (e->requires_tls ? ENVELOPE_REQUIRETLS : 0);
}

/* The first error sticks. */
struct reader {
	struct slice rest;
	struct envelope *e;
	bool failed;
};

/* The value of the next line if it has this key (with its space). */
static bool
take(struct reader *r, const char *key, struct slice *value)
{
	struct slice line, rest = r->rest;
	size_t n = strlen(key);

	line = slice_next_line(&rest);
	if (line.size < n || memcmp(line.data, key, n) != 0)
		return false;
	*value = (struct slice){ line.data + n, line.size - n };
	r->rest = rest;
	return true;
}

static struct slice
need(struct reader *r, const char *key)
{
	struct slice value = SLICE("");

	if (!take(r, key, &value))
		r->failed = true;
	return value;
}

/* Kept, as the text that was read is not. */
static struct slice
keep(struct reader *r, struct slice value)
{
	return envelope_keep(r->e, value, value.size, &r->failed);
}

static uint64_t
number(struct reader *r, struct slice text, uint64_t most)
{
	unsigned long long value = 0;

	if (!slice_number(text, most, &value))
		r->failed = true;
	return value;
}

static int64_t
date(struct reader *r, struct slice text)
{
	int64_t when_s = 0;

	if (!mail_date_parse(text, &when_s) || when_s <= 0)
		r->failed = true;
	return when_s;
}

/* Up to the separator, which is taken too; all of it if there is none. */
static struct slice
cut(struct slice *rest, const char *separator)
{
	size_t n = strlen(separator);
	const char *at = memmem(rest->data, rest->size, separator, n);
	struct slice first = *rest;

	if (at == NULL) {
		*rest = SLICE("");
		return first;
	}
	first.size = (size_t)(at - rest->data);
	rest->data += first.size + n;
	rest->size -= first.size + n;
	return first;
}

static unsigned
words(struct reader *r, struct slice rest, const struct envelope_word *known)
{
	unsigned set = 0;

	while (rest.size > 0 && !r->failed) {
		struct slice word = cut(&rest, " ");
		const struct envelope_word *k = known;

		while (k->text != NULL && !slice_equals(word,
		    slice_of(k->text)))
			k++;
		if (k->text == NULL)
			r->failed = true;
		set |= k->bit;
	}
	return set;
}

static unsigned
one_of(struct reader *r, struct slice word, const char *const *known,
    unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (slice_equals(word, slice_of(known[i])))
			return i;
	r->failed = true;
	return 0;
}

static void
read_last(struct reader *r, struct slice rest, struct envelope_answer *a)
{
	struct slice code, status;

	a->when_s = date(r, cut(&rest, "; "));
	code = cut(&rest, " ");
	status = cut(&rest, " ");
	a->code = (uint16_t)number(r, code, 599);
	(void)cut(&status, ".");
	a->subject = (uint8_t)number(r, cut(&status, "."), 255);
	a->detail = (uint8_t)number(r, status, 255);
	a->text = keep(r, rest);
}

static void
read_hold(struct reader *r, struct slice rest)
{
	struct envelope_hold *hold = &r->e->holds[r->e->n_holds];
	struct slice until;

	if (r->e->n_holds == ENVELOPE_HOLDS_MAX) {
		r->failed = true;
		return;
	}
	hold->since_s = date(r, cut(&rest, "; "));
	until = cut(&rest, "; ");
	if (!slice_equals(until, SLICE("never")))
		hold->until_s = date(r, until);
	hold->owner = keep(r, cut(&rest, " "));
	hold->reason = keep(r, rest);
	r->e->n_holds++;
}

static void
read_recipient(struct reader *r, struct slice address)
{
	struct envelope_recipient *to =
	    &r->e->recipients[r->e->n_recipients++];
	struct slice value;

	to->address = keep(r, address);
	if (take(r, " notify ", &value))
		to->notify = words(r, value, envelope_notify_words);
	if (take(r, " orcpt ", &value))
		to->orcpt = keep(r, value);
	to->state = (enum recipient_state)one_of(r, need(r, " state "),
	    envelope_state_words, RECIPIENT_STATE_COUNT);
	if (take(r, " tries ", &value))
		to->tries = (uint16_t)number(r, value, UINT16_MAX);
	if (take(r, " next ", &value))
		to->next_s = date(r, value);
	if (take(r, " last ", &value))
		read_last(r, value, &to->last);
	if (take(r, " host ", &value))
		to->host = keep(r, value);
	if (take(r, " owes ", &value))
		to->owes = (enum report_kind)one_of(r, value,
		    envelope_report_words, REPORT_KIND_COUNT);
}

static void
read_report(struct reader *r, struct slice rest)
{
	r->e->report_next_s = date(r, cut(&rest, "; "));
	r->e->report_tries = (uint16_t)number(r, cut(&rest, " "), UINT16_MAX);
	r->e->report_text = keep(r, rest);
}

static void
read_options(struct reader *r)
{
	struct envelope *e = r->e;
	struct slice value;

	if (take(r, "flags ", &value)) {
		unsigned set = words(r, value, envelope_flag_words);

		e->is_8bit = set & ENVELOPE_8BIT;
		e->is_utf8 = set & ENVELOPE_UTF8;
		e->requires_tls = set & ENVELOPE_REQUIRETLS;
	}
	if (take(r, "ret ", &value))
		e->ret = slice_equals(value, SLICE("full")) ? DSN_RET_FULL :
		    DSN_RET_HDRS;
	if (take(r, "envid ", &value))
		e->envid = keep(r, value);
	if (take(r, "message-id ", &value))
		e->message_id = keep(r, value);
	if (take(r, "tag ", &value)) {
		e->tag_day = (uint32_t)number(r, cut(&value, " "),
		    UINT32_MAX);
		e->tag = keep(r, value);
	}
	if (take(r, "delayed ", &value))
		e->delayed_s = date(r, value);
	if (take(r, "report ", &value))
		read_report(r, value);
	while (!r->failed && take(r, "hold ", &value))
		read_hold(r, value);
}

static void
read_all(struct reader *r)
{
	struct envelope *e = r->e;
	struct slice value;

	if (need(r, "postern envelope 1").size != 0 ||
	    !envelope_id_parse(&e->id, need(r, "id ")))
		r->failed = true;
	e->time_s = date(r, need(r, "time "));
	e->user = keep(r, need(r, "user "));
	e->home = keep(r, need(r, "home "));
	e->session = keep(r, need(r, "session "));
	e->from = keep(r, need(r, "from "));
	e->size_bytes = number(r, need(r, "size "), UINT64_MAX);
	read_options(r);
	while (!r->failed && take(r, "to ", &value))
		read_recipient(r, value);
	(void)need(r, "end ");
	if (e->n_recipients == 0 || r->rest.size != 0)
		r->failed = true;
}

/* How many there may be at most, for their memory. */
static size_t
count_recipients(struct slice text)
{
	size_t n = 0;

	while (text.size > 0) {
		struct slice line = slice_next_line(&text);

		n += line.size > 3 && memcmp(line.data, "to ", 3) == 0;
	}
	return n;
}

static bool
is_same_again(const struct envelope *e, struct slice text)
{
	struct buf again = { .maximum = ENVELOPE_MAX };
	bool is_same = envelope_write(&again, e) == 0 &&
	    slice_equals(buf_slice(&again), text);

	buf_free(&again);
	return is_same;
}

int
envelope_parse(struct envelope **e, struct slice text)
{
	size_t n = text.size > ENVELOPE_MAX ? 0 : count_recipients(text);
	struct reader r = { .rest = text };

	*e = NULL;
	if (n == 0 || n > ENVELOPE_RECIPIENTS_MAX)
		return -EBADMSG;
	r.e = envelope_new(n);
	if (r.e == NULL)
		return -ENOMEM;
	read_all(&r);
	if (!r.failed && is_same_again(r.e, text)) {
		*e = r.e;
		return 0;
	}
	envelope_free(&r.e);
	return -EBADMSG;
}
