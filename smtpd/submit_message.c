/* SPDX-License-Identifier: ISC */
/*
 * The header of our own user's message, see submit.h:
 *
 *	completed and sealed anew -> each author: may he write as that? -> on
 *
 * It comes before milters, so that they see what will leave. A field that
 * nobody has to change stays octet for octet.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "address_list.h"
#include "authres.h"
#include "clock.h"
#include "commands.h"
#include "complete.h"
#include "draft.h"
#include "finish.h"
#include "limits.h"
#include "log.h"
#include "mail_date.h"
#include "submit.h"

#define AUTHORS_MAX 20

static enum step author_next(struct session *s);

/* ---- completion ---- */

static size_t
count_fields(const struct draft *d, struct slice name)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_fields; i++)
		n += slice_equals_nocase(d->fields[i].name, name);
	return n;
}

/* The nth field of its name, from 1, as draft_change counts. */
static uint32_t
number_of(const struct draft *d, size_t at)
{
	uint32_t n = 0;

	for (size_t i = 0; i <= at; i++)
		n += slice_equals_nocase(d->fields[i].name,
		    d->fields[at].name);
	return n;
}

/* Results in our name are ours to write (RFC 8601 5). */
static bool
is_forged(const struct session *s, const struct draft_field *f)
{
	return slice_equals_nocase(f->name, SLICE("Authentication-Results")) &&
	    authres_names(f->value, s->settings->config->hostname);
}

static int
complete_field(struct session *s, struct draft *d, size_t at)
{
	struct draft_field *f = &d->fields[at];
	const struct complete_names names = submit_names(s);
	struct buf value = { .maximum = DRAFT_HEADER_MAX };
	struct slice name = f->name;
	char kept[40];
	int error = 0;

	if (complete_is_unwanted(name) || is_forged(s, f))
		return draft_change(d, name, number_of(d, at), SLICE(""));
	if (complete_is_list(name) &&
	    slice_copy(kept, sizeof(kept), name)) {
		error = complete_list(&value, f->value, &names);
		if (error > 0)
			error = draft_change(d, slice_of(kept),
			    number_of(d, at), buf_slice(&value));
	}
	buf_free(&value);
	return error;
}

static int
add_field(struct draft *d, struct slice name, struct buf *value)
{
	int error = draft_insert(d, DRAFT_AT_END, name, buf_slice(value));

	buf_free(value);
	return error;
}

/* What RFC 5322 3.6 wants to be there. */
static int
add_missing(struct session *s, struct draft *d)
{
	const int64_t now_us = clock_wall_us();
	struct buf value = { 0 };
	char date[MAIL_DATE_SIZE];
	int error = 0;

	if (count_fields(d, SLICE("From")) == 0) {
		error = buf_printf(&value, " <%s>", s->user->address);
		if (error == 0)
			error = add_field(d, SLICE("From"), &value);
	}
	if (error == 0 && count_fields(d, SLICE("Date")) == 0) {
		mail_date_write(date, now_us / 1000000);
		error = buf_printf(&value, " %s", date);
		if (error == 0)
			error = add_field(d, SLICE("Date"), &value);
	}
	if (error == 0 && count_fields(d, SLICE("Message-ID")) == 0) {
		error = complete_message_id(&value, now_us, s->id,
		    s->tx->number, s->settings->config->hostname);
		if (error == 0)
			error = add_field(d, SLICE("Message-ID"), &value);
	}
	buf_free(&value);
	return error;
}

static int
complete_fields(struct session *s, struct draft *d)
{
	bool has_readers;
	int error = 0;

	for (size_t i = 0; i < d->n_fields && error == 0;) {
		size_t n = d->n_fields;

		error = complete_field(s, d, i);
		i += d->n_fields == n;		/* or it has gone */
	}
	has_readers = count_fields(d, SLICE("To")) > 0 ||
	    count_fields(d, SLICE("Cc")) > 0;
	if (error == 0)
		error = add_missing(s, d);
	/* somebody had only blind copies; some programs want to see a To */
	if (error == 0 && !has_readers)
		error = draft_insert(d, DRAFT_AT_END, SLICE("To"),
		    SLICE(" undisclosed-recipients:;"));
	return error;
}

/* ---- authors ---- */

/* Their addresses, one a line, to be asked about. */
static enum reply_name
take_authors(struct session *s, const struct draft *d)
{
	struct address_list list;
	enum address_list_step step = ADDRESS_LIST_END;
	struct address a;
	unsigned n = 0;

	if (count_fields(d, SLICE("From")) != 1)
		return REPLY_BAD_FROM;
	for (size_t i = 0; i < d->n_fields; i++) {
		if (!slice_equals_nocase(d->fields[i].name, SLICE("From")))
			continue;
		address_list_start(&list, d->fields[i].value);
		while ((step = address_list_next(&list, &a)) ==
		    ADDRESS_LIST_MAILBOX && ++n <= AUTHORS_MAX) {
			char plain[ADDRESS_TEXT_MAX + 1];

			if (!address_write(plain, sizeof(plain),
			    slice_of(a.local), slice_of(a.domain)))
				return REPLY_BAD_FROM;
			if (buf_printf(&s->tx->authors, "%s\n", plain) < 0)
				return REPLY_DATA_IO_ERROR;
		}
	}
	return step == ADDRESS_LIST_END && n > 0 ? REPLY_COUNT :
	    REPLY_BAD_FROM;
}

/* ---- sealed anew ---- */

static int
replace_message(struct session *s, struct draft *d)
{
	struct transaction *tx = s->tx;
	uint64_t size_bytes = 0;
	int fd = draft_seal(d, s->id, &size_bytes);

	if (fd < 0)
		return fd;
	if (size_bytes > tx->reserved_bytes &&
	    !limits_reserve(s->settings->limits, s->client,
	    &tx->reserved_bytes, size_bytes)) {
		close(fd);
		return -ENOSPC;
	}
	close(tx->message_fd);
	tx->message_fd = fd;
	tx->message_bytes = size_bytes;
	return 0;
}

static enum reply_name
complete_message(struct session *s)
{
	enum reply_name reply;
	struct draft d;
	int error = draft_open(&d, s->tx->message_fd, s->tx->message_bytes, 0);

	if (error == -EFBIG)
		return REPLY_TOO_LARGE;
	if (error < 0)
		return REPLY_DATA_IO_ERROR;
	error = complete_fields(s, &d);
	reply = error < 0 ? REPLY_DATA_IO_ERROR : take_authors(s, &d);
	if (reply == REPLY_COUNT && d.is_changed)
		error = replace_message(s, &d);
	draft_close(&d);
	if (reply == REPLY_COUNT && error < 0)
		reply = error == -ENOSPC ? REPLY_BUDGET_USED :
		    REPLY_DATA_IO_ERROR;
	return reply;
}

/* ---- may he? ---- */

static enum step
author_answered(struct session *s, struct answer *a)
{
	note_asked("data", s->tx->author, a->took_us);
	note_told("user %s", s->user->user);
	if (a->is_known && a->as.may == MAY_SEND)
		return author_next(s);
	return finish_refuse(s, a->is_known && a->as.may == MAY_NOT ?
	    REPLY_NOT_YOUR_FROM : REPLY_DIRECTORY_SILENT);
}

/* tx->at_author goes over the lines of tx->authors. */
static enum step
author_next(struct session *s)
{
	struct transaction *tx = s->tx;
	struct slice rest = buf_slice(&tx->authors);

	if (tx->at_author >= rest.size)
		return tx->after_may(s);
	rest.data += tx->at_author;
	rest.size -= tx->at_author;
	tx->author = slice_next_line(&rest);
	tx->at_author += tx->author.size + 1;
	return submit_ask_may(s, tx->author, author_next, author_answered);
}

enum step
submit_message(struct session *s, session_then_fn *then)
{
	enum reply_name reply = complete_message(s);

	if (reply != REPLY_COUNT)
		return finish_refuse(s, reply);
	s->tx->after_may = then;
	s->tx->at_author = 0;
	return author_next(s);
}
