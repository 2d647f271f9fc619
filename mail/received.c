/* SPDX-License-Identifier: ISC */
/*
 * received.c - trace fields; see received.h.
 */
#include <stdio.h>
#include "address.h"
#include "mail_date.h"
#include "octets.h"
#include "received.h"
#include "utf8.h"

#define COLUMNS 78		/* RFC 5322 2.1.1: lines stay below */
#define TAB_COLUMNS 8
#define NAME_MAX_OCTETS 255

/* Words of a field, folded. The first error sticks. */
struct folder {
	struct buf *out;
	size_t column;
	int error;
};

static void
put(struct folder *f, struct slice s)
{
	if (f->error == 0)
		f->error = buf_append_slice(f->out, s);
	f->column += s.size;
}

static void
new_line(struct folder *f)
{
	put(f, SLICE("\n\t"));
	f->column = TAB_COLUMNS;
}

/* A word of three parts that stay together; on this line if it fits. */
static void
put_word(struct folder *f, const char *before, struct slice word,
    const char *after)
{
	size_t size = strlen(before) + word.size + strlen(after);

	if (f->column > TAB_COLUMNS && f->column + 1 + size >= COLUMNS)
		new_line(f);
	else if (f->column > TAB_COLUMNS)
		put(f, SLICE(" "));
	put(f, slice_of(before));
	put(f, word);
	put(f, slice_of(after));
}

/*
 * A name that the client or DNS gave, into room for NAME_MAX_OCTETS + 1:
 * only what an atom or an address literal is made of.
 */
static struct slice
clean_name(char *to, struct slice name)
{
	size_t n = name.size < NAME_MAX_OCTETS ? name.size : NAME_MAX_OCTETS;

	if (n == 0)
		return SLICE("unknown");
	for (size_t i = 0; i < n; i++) {
		char c = name.data[i];

		to[i] = is_atext(c) || (c != '\0' && strchr(".:[]", c)) ?
		    c : '?';
	}
	return (struct slice){ to, n };
}

static void
put_name(struct folder *f, const char *before, struct slice name,
    const char *after)
{
	char clean[NAME_MAX_OCTETS + 1];

	put_word(f, before, clean_name(clean, name), after);
}

/*
 * An address, into room for ADDRESS_TEXT_MAX: its spaces stay, controls and
 * octets of no character go.
 */
static struct slice
clean_address(char *to, struct slice address)
{
	size_t i = 0;

	if (address.size > ADDRESS_TEXT_MAX)
		address.size = ADDRESS_TEXT_MAX;
	while (i < address.size) {
		struct slice rest = slice_after(address, i);
		size_t n = utf8_char_size(rest);

		if (n == 1 ? !is_control(*rest.data) :
		    n > 1 && !utf8_is_c1_control(rest)) {
			memcpy(to + i, rest.data, n);
		} else {
			n = n ? n : 1;
			memset(to + i, '?', n);
		}
		i += n;
	}
	return (struct slice){ to, i };
}

static void
put_address(struct folder *f, const char *before, struct slice address,
    const char *after)
{
	char clean[ADDRESS_TEXT_MAX];

	put_word(f, before, clean_address(clean, address), after);
}

const char *
received_protocol(unsigned with)
{
	static const char *const names[] = {
		"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA",
		"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA",
	};

	if (!(with & (RECEIVED_ESMTP | RECEIVED_TLS | RECEIVED_AUTH |
	    RECEIVED_UTF8)))
		return "SMTP";
	return names[(with & RECEIVED_TLS ? 1 : 0) +
	    (with & RECEIVED_AUTH ? 2 : 0) + (with & RECEIVED_UTF8 ? 4 : 0)];
}

static void
put_from(struct folder *f, const struct received *r)
{
	bool is_v6 = slice_find(r->ip, ':') < r->ip.size;

	put(f, SLICE("Received: from"));
	put_name(f, "", r->helo, "");
	put_name(f, "(", r->rdns, "");
	put_name(f, is_v6 ? "[IPv6:" : "[", r->ip, "])");
}

/* RFC 8314 7.4 has a clause of its own; a comment is what is read. */
static void
put_tls(struct folder *f, struct slice tls)
{
	size_t space = slice_find(tls, ' ');

	put_name(f, "(", (struct slice){ tls.data, space }, "");
	put_name(f, "", slice_after(tls, space < tls.size ? space + 1 :
	    tls.size), ")");
}

static void
put_user(struct folder *f, const struct received *r)
{
	char uid[16];

	snprintf(uid, sizeof uid, "%u", r->uid);
	put_word(f, "(Postern,", SLICE(""), "");
	put_word(f, "from uid ", slice_of(uid), "");
	put_name(f, "", r->user, ")");
}

static void
put_by(struct folder *f, const struct received *r)
{
	if (r->user.size == 0)
		new_line(f);
	put_name(f, "by ", r->host, "");
	if (r->user.size > 0)
		put_user(f, r);
	else
		put_word(f, "(Postern)", SLICE(""), "");
	put_word(f, "with ", slice_of(received_protocol(r->with)), "");
	if (r->tls.size > 0)
		put_tls(f, r->tls);
	put_name(f, "id ", r->id, r->recipient.size > 0 ? "" : ";");
}

static void
put_date(struct folder *f, const struct received *r)
{
	char date[MAIL_DATE_SIZE];

	new_line(f);
	if (r->recipient.size > 0)
		put_address(f, "for <", r->recipient, ">;");
	mail_date_write(date, r->when_s);
	put_word(f, "", slice_of(date), "");
}

/* Ends the field; on an error nothing of it stays in out. */
static int
finish(struct folder *f, size_t start)
{
	put(f, SLICE("\n"));
	if (f->error && f->out->data != NULL) {
		f->out->size = start;
		f->out->data[start] = '\0';
	}
	return f->error;
}

int
received_write(struct buf *out, const struct received *r)
{
	struct folder f = { .out = out };
	size_t start = out->size;

	if (r->user.size > 0)
		put(&f, SLICE("Received:"));
	else
		put_from(&f, r);
	put_by(&f, r);
	put_date(&f, r);
	return finish(&f, start);
}

/* One line: an address is not folded. */
static int
write_address_field(struct buf *out, const char *before,
    struct slice address, const char *after)
{
	struct folder f = { .out = out };
	size_t start = out->size;
	char clean[ADDRESS_TEXT_MAX];

	put(&f, slice_of(before));
	put(&f, clean_address(clean, address));
	put(&f, slice_of(after));
	return finish(&f, start);
}

int
received_write_return_path(struct buf *out, struct slice address)
{
	return write_address_field(out, "Return-Path: <", address, ">");
}

int
received_write_delivered_to(struct buf *out, struct slice address)
{
	return write_address_field(out, "Delivered-To: ", address, "");
}
