/* SPDX-License-Identifier: ISC */
/*
 * dsn_text.c - a report in plain words: what happened, to which address,
 * what the other side said, what to do.
 */
#include <stdarg.h>
#include <stdio.h>
#include "address.h"
#include "dsn_text.h"
#include "header.h"
#include "mail_date.h"
#include "mime.h"

#define COLUMNS 72
#define WORDS_MAX 600

void
dsn_put(struct dsn_writer *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (w->error == 0)
		w->error = buf_vprintf(w->out, format, ap);
	va_end(ap);
}

void
dsn_put_slice(struct dsn_writer *w, struct slice s)
{
	if (w->error == 0)
		w->error = buf_append_slice(w->out, s);
}

void
dsn_text_learn(struct dsn_writer *w)
{
	struct header_walk walk;
	struct header_field field;

	header_walk_start(&walk, w->header, true);
	while (header_next(&walk, &field) == HEADER_FIELD) {
		if (header_is(&field, "Subject"))
			w->subject = slice_trim(field.value);
		else if (header_is(&field, "Message-ID"))
			w->message_id = slice_trim(field.value);
		else if (header_is(&field, "Date"))
			w->date = slice_trim(field.value);
	}
}

/* Words, each line indented. */
static void
put_wrapped(struct dsn_writer *w, size_t indent, struct slice text)
{
	size_t column = 0;

	while (text.size > 0) {
		size_t n = slice_find(text, ' ');

		if (column == 0 || (column + 1 + n > COLUMNS && n > 0)) {
			dsn_put(w, "%s%*s", column == 0 ? "" : "\n",
			    (int)indent, "");
			column = indent;
		} else {
			dsn_put(w, " ");
			column++;
		}
		dsn_put_slice(w, (struct slice){ text.data, n });
		column += n;
		n += n < text.size;
		text.data += n;
		text.size -= n;
	}
	if (column > 0)
		dsn_put(w, "\n");
}

static void
put_field(struct dsn_writer *w, const char *name, struct slice value)
{
	char clean[WORDS_MAX];

	if (value.size == 0)
		return;
	dsn_put(w, "    %s: ", name);
	dsn_put_slice(w, dsn_clean(clean, sizeof clean, value, true));
	dsn_put(w, "\n");
}

/* ---- advice ---- */

static const struct {
	uint8_t subject, detail;	/* detail 255: any */
	const char *text;
} advice[] = {
	{ 1, 2, "Check the part behind the @ for a typing mistake: mail "
	    "cannot be sent to it." },
	{ 1, 10, "Check the part behind the @ for a typing mistake: it takes "
	    "no mail." },
	{ 1, 255, "Check the address for a typing mistake, or ask the "
	    "recipient for another one." },
	{ 2, 2, "The mailbox is full. Tell the recipient in some other way, "
	    "and send the message again later." },
	{ 2, 3, "The message is too large there. Send a smaller one, or the "
	    "files in some other way." },
	{ 3, 4, "The message is too large there. Send a smaller one, or the "
	    "files in some other way." },
	{ 2, 255, "The mailbox does not take mail at the moment. Tell the "
	    "recipient in some other way." },
	{ 4, 6, "Mail for this address goes in a circle. Check the part "
	    "behind the @, or show this to your postmaster." },
	{ 4, 255, "The other mail server could not be reached. Check the part "
	    "behind the @, and send the message again later." },
	{ 6, 255, "The other side cannot take a message of this form. Send it "
	    "as plain text without attachments, or ask your postmaster." },
	{ 7, 30, "The way there is not known to be protected, as you have "
	    "asked for (REQUIRETLS). Send the message without asking for "
	    "it, or show this to your postmaster." },
	{ 7, 255, "The other side does not want this message. Ask the "
	    "recipient in some other way; show your postmaster what the "
	    "other side said." },
};

static const char *
advice_for(const struct dsn_recipient *r)
{
	if (r->action == DSN_DELAYED)
		return "Nothing. It is tried again until then, and you are "
		    "told if it fails. Do not send it again.";
	if (r->action == DSN_RELAYED)
		return "Nothing. That server does not tell whether the "
		    "message is read or thrown away.";
	if (r->action == DSN_DELIVERED)
		return "Nothing.";
	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		if (r->subject == advice[i].subject &&
		    (advice[i].detail == 255 || r->detail == advice[i].detail))
			return advice[i].text;
	if (r->is_expired)
		return "Send the message again later, or tell the recipient "
		    "in some other way.";
	return "Ask the recipient in some other way, and show your "
	    "postmaster what the other side said.";
}

/* ---- one recipient ---- */

static void
put_what_happened(struct dsn_writer *w, const struct dsn_recipient *r)
{
	char host[300], date[MAIL_DATE_SIZE];
	struct slice name = dsn_clean(host, sizeof host, r->host, false);
	const char *who = name.size > 0 ? host : "its mail server";

	if (r->action == DSN_RELAYED)
		dsn_put(w, "    It was handed over to %s.\n", who);
	else if (r->action == DSN_DELIVERED)
		dsn_put(w, "    It is in the mailbox.\n");
	else if (r->action == DSN_DELAYED) {
		mail_date_write(date, r->until_s);
		dsn_put(w, "    It could not be delivered yet, and is tried "
		    "again until\n    %s.\n", date);
	} else if (r->is_expired)
		dsn_put(w, "    It was tried again and again, and has been "
		    "given up now.\n");
	else if (name.size > 0)
		dsn_put(w, "    %s refused it.\n", who);
	else
		dsn_put(w, "    It could not be sent.\n");
}

static void
put_what_was_said(struct dsn_writer *w, const struct dsn_recipient *r)
{
	char line[WORDS_MAX + 32], text[WORDS_MAX];
	struct slice words = dsn_clean(text, sizeof text, r->text, true);

	if (words.size == 0 || r->code == 0 || r->action == DSN_RELAYED ||
	    r->action == DSN_DELIVERED)
		return;
	dsn_put(w, "    %s\n", r->host.size == 0 ? "The reason:" :
	    r->action == DSN_FAILED && !r->is_expired ?
	    "In its own words:" : "What was answered last:");
	if (r->host.size == 0)
		snprintf(line, sizeof line, "%.*s", (int)words.size,
		    words.data);
	else
		snprintf(line, sizeof line, "%u %u.%u.%u %.*s", r->code,
		    r->code / 100, r->subject, r->detail, (int)words.size,
		    words.data);
	put_wrapped(w, 8, slice_of(line));
}

static void
put_recipient(struct dsn_writer *w, const struct dsn_recipient *r)
{
	char address[ADDRESS_TEXT_MAX + 1];

	dsn_put(w, "\n  ");
	dsn_put_slice(w, dsn_clean(address, sizeof address, r->address, true));
	dsn_put(w, "\n");
	put_what_happened(w, r);
	put_what_was_said(w, r);
	dsn_put(w, "    What to do:\n");
	put_wrapped(w, 8, slice_of(advice_for(r)));
}

void
dsn_text_write(struct dsn_writer *w)
{
	static const char *const ends[] = {
		"could not be delivered to", "has not been delivered yet to",
		"has been sent on to",
		"has been delivered to",
	};
	const struct dsn *dsn = w->dsn;
	char subject[WORDS_MAX];

	dsn_put(w, "Your message\n\n");
	mime_words_decode(w->subject, subject, sizeof subject);
	put_field(w, "Subject", slice_of(subject));
	put_field(w, "Date", w->date);
	put_field(w, "Message-ID", w->message_id);
	if (w->subject.size + w->date.size + w->message_id.size > 0)
		dsn_put(w, "\n");
	dsn_put(w, "%s\n", ends[dsn_headline(dsn)]);
	for (size_t i = 0; i < dsn->n_recipients; i++)
		put_recipient(w, &dsn->recipients[i]);
	dsn_put(w, "\nThis report comes from %.*s, which sent your message.\n",
	    (int)dsn->host.size, dsn->host.data);
	if (dsn->queue_id.size > 0)
		dsn_put(w, "Your postmaster can find it in the log as "
		    "%.*s.\n", (int)dsn->queue_id.size, dsn->queue_id.data);
}
