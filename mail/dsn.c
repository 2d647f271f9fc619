/* SPDX-License-Identifier: ISC */
/*
 * dsn.c - a report as three parts; see dsn.h. The words for people are in
 * dsn_text.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "dsn_text.h"
#include "header.h"
#include "mail_date.h"
#include "octets.h"
#include "reply.h"
#include "utf8.h"

#define BOUNDARY_SIZE 64
#define TEXT_MAX 600		/* octets of somebody's words */

/* ---- values ---- */

bool
dsn_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

struct slice
dsn_clean(char *to, size_t room, struct slice text, bool is_utf8)
{
	return slice_trim((struct slice){ to, reply_clean(to, room, text,
	    is_utf8) });
}

struct slice
dsn_host_name(struct slice host)
{
	size_t end = slice_find(host, '[');

	/* an address alone: "[192.0.2.1]" */
	return end == 0 ? host : (struct slice){ host.data, end };
}

static bool
is_global(const struct dsn *dsn)
{
	if (dsn->is_utf8 || !dsn_is_ascii(dsn->to))
		return true;
	for (size_t i = 0; i < dsn->n_recipients; i++)
		if (!dsn_is_ascii(dsn->recipients[i].address))
			return true;
	return false;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3461 4; what is no xtext stays as it is. Room for all of text. */
static struct slice
decode_xtext(char *to, struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.size; i++) {
		int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
		int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;

		if (text.data[i] != '+' || high < 0 || low < 0) {
			to[n++] = text.data[i];
			continue;
		}
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return (struct slice){ to, n };
}

static void
put_xtext(struct dsn_writer *w, const char *name, const char *type,
    struct slice text)
{
	char decoded[ADDRESS_TEXT_MAX + 1], clean[ADDRESS_TEXT_MAX + 1];

	if (text.size == 0 || text.size > ADDRESS_TEXT_MAX)
		return;
	dsn_put(w, "%s: %s", name, type);
	dsn_put_slice(w, dsn_clean(clean, sizeof clean,
	    decode_xtext(decoded, text), w->is_global));
	dsn_put(w, "\n");
}

/* "rfc822;bob+2Bx@example.net" */
static void
put_orcpt(struct dsn_writer *w, struct slice orcpt)
{
	char type[32];
	size_t n = slice_find(orcpt, ';');

	if (n == orcpt.size || n == 0 || n > sizeof type - 3)
		return;
	for (size_t i = 0; i < n; i++)
		if (!is_atext(orcpt.data[i]))
			return;
	snprintf(type, sizeof type, "%.*s;", (int)n, orcpt.data);
	put_xtext(w, "Original-Recipient", type, (struct slice){
	    orcpt.data + n + 1, orcpt.size - n - 1 });
}

static void
put_date(struct dsn_writer *w, const char *name, int64_t when_s)
{
	char date[MAIL_DATE_SIZE];

	if (when_s == 0)
		return;
	mail_date_write(date, when_s);
	dsn_put(w, "%s: %s\n", name, date);
}

/* ---- for programs: RFC 3464 2, RFC 6533 3 ---- */

static const char *
action_word(enum dsn_action action)
{
	static const char *const words[] = { [DSN_FAILED] = "failed",
		[DSN_DELAYED] = "delayed", [DSN_RELAYED] = "relayed",
		[DSN_DELIVERED] = "delivered" };

	return words[action];
}

/* Delivered is only what all have in their mailboxes. */
enum dsn_action
dsn_headline(const struct dsn *dsn)
{
	for (size_t i = 1; i < dsn->n_recipients; i++)
		if (dsn->recipients[i].action != dsn->recipients[0].action)
			return DSN_RELAYED;
	return dsn->recipients[0].action;
}

void
dsn_status(char to[DSN_STATUS_SIZE], const struct dsn_recipient *r)
{
	unsigned class = r->action == DSN_FAILED ? 5 :
	    r->action == DSN_DELAYED ? 4 : 2;
	/* the last 4yz is in the diagnostic code */
	unsigned subject = r->is_expired ? 4 : r->subject;
	unsigned detail = r->is_expired ? 7 : r->detail;

	if (class == 2)
		subject = detail = 0;
	snprintf(to, DSN_STATUS_SIZE, "%u.%u.%u", class, subject, detail);
}

static void
put_diagnostic(struct dsn_writer *w, const struct dsn_recipient *r)
{
	char clean[TEXT_MAX];
	struct slice host = dsn_host_name(r->host);
	struct slice text = dsn_clean(clean, sizeof clean, r->text,
	    w->is_global);

	if (host.size > 0) {
		char name[256];

		/* a name, or the path of a unix socket (RFC 2033) */
		dsn_put(w, "Remote-MTA: %s; ", *host.data == '/' ?
		    "x-unix" : "dns");
		dsn_put_slice(w, dsn_clean(name, sizeof name, host, false));
		dsn_put(w, "\n");
	}
	if (r->code == 0 || (text.size == 0 && host.size == 0))
		return;
	dsn_put(w, "Diagnostic-Code: %s; ", host.size > 0 ? "smtp" :
	    "x-postern");
	if (host.size > 0)
		dsn_put(w, "%u %u.%u.%u ", r->code, r->code / 100,
		    r->subject, r->detail);
	dsn_put_slice(w, text);
	dsn_put(w, "\n");
}

static void
put_recipient(struct dsn_writer *w, const struct dsn_recipient *r)
{
	char status[DSN_STATUS_SIZE], address[ADDRESS_TEXT_MAX + 1];

	dsn_put(w, "\n");
	put_orcpt(w, r->orcpt);
	dsn_put(w, "Final-Recipient: %s; ", dsn_is_ascii(r->address) ?
	    "rfc822" : "utf-8");
	dsn_put_slice(w, dsn_clean(address, sizeof address, r->address, true));
	dsn_status(status, r);
	dsn_put(w, "\nAction: %s\nStatus: %s\n", action_word(r->action),
	    status);
	put_diagnostic(w, r);
	put_date(w, "Last-Attempt-Date", r->last_s);
	if (r->action == DSN_DELAYED)
		put_date(w, "Will-Retry-Until", r->until_s);
}

static void
put_status_part(struct dsn_writer *w)
{
	const struct dsn *dsn = w->dsn;
	char name[256];

	dsn_put(w, "Content-Description: Delivery report\n"
	    "Content-Type: message/%sdelivery-status\n%s\n",
	    w->is_global ? "global-" : "",
	    w->is_global ? "Content-Transfer-Encoding: 8bit\n" : "");
	put_xtext(w, "Original-Envelope-Id", "", dsn->envid);
	dsn_put(w, "Reporting-MTA: dns; ");
	dsn_put_slice(w, dsn_clean(name, sizeof name, dsn->host, false));
	dsn_put(w, "\n");
	put_date(w, "Arrival-Date", dsn->arrival_s);
	for (size_t i = 0; i < dsn->n_recipients; i++)
		put_recipient(w, &dsn->recipients[i]);
}

/* ---- the message that it is about ---- */

/* Whole fields only; the first line that is none ends it. */
static struct slice
header_only(struct slice text)
{
	struct header_walk walk;
	struct header_field field;
	bool is_whole = text.size <= DSN_HEADER_MAX;
	size_t end = 0;

	if (!is_whole)
		text.size = DSN_HEADER_MAX;
	header_walk_start(&walk, text, is_whole);
	while (header_next(&walk, &field) == HEADER_FIELD)
		end = field.offset + field.size;
	return (struct slice){ text.data, end };
}

/*
 * RFC 6532 3.7: a header that is UTF-8 makes it message/global. Octets that
 * are none are nobody's form; they come back as they went.
 */
static void
put_message_part(struct dsn_writer *w)
{
	struct slice message = w->dsn->message;
	bool is_8bit = !dsn_is_ascii(message);
	bool is_utf8 = !dsn_is_ascii(w->header) && utf8_is_valid(w->header);

	dsn_put(w, "Content-Description: The message\n"
	    "Content-Type: message/%s\n%s\n", w->is_global || is_utf8 ?
	    "global" : "rfc822", w->is_global || is_8bit ?
	    "Content-Transfer-Encoding: 8bit\n" : "");
	dsn_put_slice(w, message);
}

static void
put_header_part(struct dsn_writer *w)
{
	bool is_8bit = !dsn_is_ascii(w->header);

	dsn_put(w, "Content-Description: Header of the message\n"
	    "Content-Type: %s%s\n%s\n",
	    w->is_global ? "message/global-headers" : "text/rfc822-headers",
	    !w->is_global && is_8bit ? "; charset=utf-8" : "",
	    w->is_global || is_8bit ? "Content-Transfer-Encoding: 8bit\n" :
	    "");
	dsn_put_slice(w, w->header);
}

/* ---- the whole ---- */

/* One that is not in what it shall bound. */
static void
choose_boundary(char to[BOUNDARY_SIZE], const struct dsn *dsn,
    struct slice returned)
{
	for (unsigned n = 0; n < 1000; n++) {
		snprintf(to, BOUNDARY_SIZE, "=_%.40s_%u", dsn->id.data, n);
		if (memmem(returned.data, returned.size, to,
		    strlen(to)) == NULL)
			return;
	}
}

static void
put_message_id_of(struct dsn_writer *w)
{
	struct slice id = w->message_id;

	/* it is the sender's own: used only when it looks like one */
	if (id.size < 3 || id.size > 250 || id.data[0] != '<' ||
	    id.data[id.size - 1] != '>' || slice_has_control(id) ||
	    slice_find(id, ' ') < id.size || !dsn_is_ascii(id))
		return;
	dsn_put(w, "In-Reply-To: ");
	dsn_put_slice(w, id);
	dsn_put(w, "\nReferences: ");
	dsn_put_slice(w, id);
	dsn_put(w, "\n");
}

static void
put_top(struct dsn_writer *w, const char *boundary)
{
	static const char *const subjects[] = {
		"Your message could not be delivered",
		"Your message is delayed",
		"Your message has been sent on",
		"Your message has been delivered",
	};
	const struct dsn *dsn = w->dsn;
	char date[MAIL_DATE_SIZE];

	mail_date_write(date, dsn->when_s);
	dsn_put(w, "Date: %s\nFrom: Mail delivery <MAILER-DAEMON@%.*s>\n"
	    "To: <", date, (int)dsn->host.size, dsn->host.data);
	dsn_put_slice(w, dsn->to);
	dsn_put(w, ">\nSubject: %s\nMessage-ID: <%.*s@%.*s>\n",
	    subjects[dsn_headline(dsn)], (int)dsn->id.size, dsn->id.data,
	    (int)dsn->host.size, dsn->host.data);
	put_message_id_of(w);
	dsn_put(w, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
	    "Content-Transfer-Encoding: 8bit\nContent-Type: "
	    "multipart/report; report-type=%sdelivery-status;\n"
	    "\tboundary=\"%s\"\n\n", w->is_global ? "global-" : "", boundary);
}

/* Letters and digits: it stands in a boundary and in a Message-ID. */
static bool
is_id(struct slice id)
{
	for (size_t i = 0; i < id.size; i++)
		if (!is_atext(id.data[i]) && id.data[i] != '.')
			return false;
	return id.size > 0 && id.size <= 40;
}

int
dsn_write(struct buf *out, const struct dsn *dsn)
{
	char boundary[BOUNDARY_SIZE];
	struct dsn_writer w = { .out = out, .dsn = dsn,
		.header = header_only(dsn->message) };

	if (dsn->n_recipients == 0 || !is_id(dsn->id) ||
	    slice_has_control(dsn->to) || slice_has_control(dsn->host))
		return -EINVAL;
	w.is_global = is_global(dsn);
	dsn_text_learn(&w);
	choose_boundary(boundary, dsn, dsn->is_whole ? dsn->message :
	    w.header);
	put_top(&w, boundary);
	dsn_put(&w, "--%s\nContent-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n\n", boundary);
	dsn_text_write(&w);
	dsn_put(&w, "\n--%s\n", boundary);
	put_status_part(&w);
	dsn_put(&w, "\n--%s\n", boundary);
	if (dsn->is_whole)
		put_message_part(&w);
	else
		put_header_part(&w);
	dsn_put(&w, "\n--%s--\n", boundary);
	return w.error;
}
