/* SPDX-License-Identifier: ISC */
/*
 * envelope.c - an envelope in memory, and as it is written; see envelope.h.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "envelope.h"
#include "envelope_words.h"
#include "mail_date.h"

#define VALUE_MAX 2048		/* octets of one value */

struct envelope_chunk {
	struct envelope_chunk *next;
	char text[];
};

/* ---- memory ---- */

struct envelope *
envelope_new(size_t n_recipients)
{
	struct envelope *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->recipients = calloc(n_recipients + 1, sizeof *e->recipients);
	if (e->recipients == NULL)
		envelope_free(&e);
	return e;
}

void
envelope_free(struct envelope **ep)
{
	struct envelope *e = *ep;

	*ep = NULL;
	if (e == NULL)
		return;
	while (e->chunks != NULL) {
		struct envelope_chunk *chunk = e->chunks;

		e->chunks = chunk->next;
		free(chunk);
	}
	free(e->recipients);
	free(e);
}

static bool
is_cut_in_character(struct slice text, size_t at)
{
	return at < text.size && ((unsigned char)text.data[at] & 0xc0) == 0x80;
}

struct slice
envelope_keep(struct envelope *e, struct slice text, size_t most, bool *failed)
{
	struct envelope_chunk *chunk;
	size_t n = text.size < most ? text.size : most;

	if (n > VALUE_MAX)
		n = VALUE_MAX;
	while (n < text.size && n > 0 && is_cut_in_character(text, n))
		n--;
	chunk = malloc(sizeof *chunk + n + 1);
	if (chunk == NULL) {
		*failed = true;
		return SLICE("");
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text.data[i];

		chunk->text[i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	chunk->text[n] = '\0';
	chunk->next = e->chunks;
	e->chunks = chunk;
	return (struct slice){ chunk->text, n };
}

/* ---- ids ---- */

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void
envelope_id_write(char out[ENVELOPE_ID_SIZE], uint64_t id)
{
	size_t n = 10;

	while (n < 12 && id >> (5 * n) != 0)
		n++;
	out[n] = '\0';
	while (n-- > 0) {
		out[n] = digits[id & 31];
		id >>= 5;
	}
}

bool
envelope_id_parse(uint64_t *id, struct slice text)
{
	char again[ENVELOPE_ID_SIZE];
	uint64_t value = 0;

	if (text.size < 10 || text.size > 12)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		const char *at = text.data[i] == '\0' ? NULL :
		    strchr(digits, text.data[i]);

		if (at == NULL)
			return false;
		value = value << 5 | (uint64_t)(at - digits);
	}
	*id = value;
	envelope_id_write(again, value);
	return slice_equals(slice_of(again), text);
}

/* ---- the checksum ---- */

int
envelope_checksum(char out[ENVELOPE_SUM_SIZE], struct slice text)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned size;

	if (EVP_Digest(text.data, text.size, sum, &size, EVP_sha256(),
	    NULL) != 1)
		return -EIO;
	for (unsigned i = 0; i < size; i++) {
		out[2 * i] = hex[sum[i] >> 4];
		out[2 * i + 1] = hex[sum[i] & 15];
	}
	out[2 * size] = '\0';
	return 0;
}

/* ---- writing ---- */

struct writer {
	struct buf *out;
	int error;
};

static void
put(struct writer *w, const char *text)
{
	if (w->error == 0)
		w->error = buf_puts(w->out, text);
}

/* A value must come back as it is: one line, no controls, not too long. */
static void
put_value(struct writer *w, struct slice value)
{
	if (slice_has_control(value) || value.size > VALUE_MAX)
		w->error = -EINVAL;
	if (w->error == 0)
		w->error = buf_append_slice(w->out, value);
}

static void
put_line(struct writer *w, const char *key, struct slice value)
{
	put(w, key);
	put(w, " ");
	put_value(w, value);
	put(w, "\n");
}

/* Only what is there. */
static void
put_optional(struct writer *w, const char *key, struct slice value)
{
	if (value.size > 0)
		put_line(w, key, value);
}

static void
put_number(struct writer *w, const char *key, uint64_t value)
{
	if (w->error == 0)
		w->error = buf_printf(w->out, "%s %llu\n", key,
		    (unsigned long long)value);
}

static void
put_date(struct writer *w, const char *key, int64_t when_s)
{
	char date[MAIL_DATE_SIZE];

	mail_date_write(date, when_s);
	put_line(w, key, slice_of(date));
}

static void
put_words(struct writer *w, const char *key, const struct envelope_word *words,
    unsigned set)
{
	if (set == 0)
		return;
	put(w, key);
	for (; words->text != NULL; words++)
		if (set & words->bit) {
			put(w, " ");
			put(w, words->text);
		}
	put(w, "\n");
}

static void
put_hold(struct writer *w, const struct envelope_hold *hold)
{
	char since[MAIL_DATE_SIZE], until[MAIL_DATE_SIZE] = "never";

	mail_date_write(since, hold->since_s);
	if (hold->until_s != 0)
		mail_date_write(until, hold->until_s);
	if (hold->owner.size == 0 ||
	    slice_find(hold->owner, ' ') < hold->owner.size)
		w->error = -EINVAL;
	if (w->error == 0)
		w->error = buf_printf(w->out, "hold %s; %s; ", since, until);
	put_value(w, hold->owner);
	put(w, " ");
	put_value(w, hold->reason);
	put(w, "\n");
}

static void
put_last(struct writer *w, const struct envelope_answer *a)
{
	char date[MAIL_DATE_SIZE];

	if (a->when_s == 0)
		return;
	mail_date_write(date, a->when_s);
	if (a->code < 200 || a->code > 599)
		w->error = -EINVAL;
	if (w->error == 0)
		w->error = buf_printf(w->out, " last %s; %u %u.%u.%u ", date,
		    a->code, a->code / 100, a->subject, a->detail);
	put_value(w, a->text);
	put(w, "\n");
}

static void
put_recipient(struct writer *w, const struct envelope_recipient *r)
{
	put_line(w, "to", r->address);
	put_words(w, " notify", envelope_notify_words, r->notify);
	put_optional(w, " orcpt", r->orcpt);
	put_line(w, " state", slice_of(envelope_state_words[r->state]));
	if (r->tries > 0)
		put_number(w, " tries", r->tries);
	if (r->next_s != 0)
		put_date(w, " next", r->next_s);
	put_last(w, &r->last);
	put_optional(w, " host", r->host);
	if (r->owes != REPORT_NONE)
		put_line(w, " owes", slice_of(envelope_report_words[r->owes]));
}

static void
put_report(struct writer *w, const struct envelope *e)
{
	char date[MAIL_DATE_SIZE];

	if (e->report_next_s == 0)
		return;
	mail_date_write(date, e->report_next_s);
	if (w->error == 0)
		w->error = buf_printf(w->out, "report %s; %u ", date,
		    e->report_tries);
	put_value(w, e->report_text);
	put(w, "\n");
}

static void
put_top(struct writer *w, const struct envelope *e)
{
	char id[ENVELOPE_ID_SIZE];

	envelope_id_write(id, e->id);
	put(w, "postern envelope 1\n");
	put_line(w, "id", slice_of(id));
	put_date(w, "time", e->time_s);
	put_line(w, "user", e->user);
	put_line(w, "home", e->home);
	put_line(w, "session", e->session);
	put_line(w, "from", e->from);
	put_number(w, "size", e->size_bytes);
	put_words(w, "flags", envelope_flag_words, envelope_flags(e));
	if (e->ret != DSN_RET_NONE)
		put_line(w, "ret", e->ret == DSN_RET_FULL ? SLICE("full") :
		    SLICE("hdrs"));
	put_optional(w, "envid", e->envid);
	put_optional(w, "message-id", e->message_id);
	if (e->tag_day != 0 && w->error == 0)
		w->error = buf_printf(w->out, "tag %u ", e->tag_day);
	if (e->tag_day != 0) {
		put_value(w, e->tag);
		put(w, "\n");
	}
	if (e->delayed_s != 0)
		put_date(w, "delayed", e->delayed_s);
	put_report(w, e);
	for (size_t i = 0; i < e->n_holds; i++)
		put_hold(w, &e->holds[i]);
}

int
envelope_write(struct buf *out, const struct envelope *e)
{
	char sum[ENVELOPE_SUM_SIZE];
	size_t begin = out->size;
	struct writer w = { .out = out };

	put_top(&w, e);
	for (size_t i = 0; i < e->n_recipients; i++)
		put_recipient(&w, &e->recipients[i]);
	if (w.error == 0)
		w.error = envelope_checksum(sum, (struct slice){
		    out->data + begin, out->size - begin });
	if (w.error == 0)
		w.error = buf_printf(out, "end %s\n", sum);
	if (w.error)
		out->size = begin;
	return w.error;
}
