/* SPDX-License-Identifier: ISC */
/*
 * dkim_sign.c - see dkim_sign.h; the body's hash stands in dkim_body.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include "dkim_sign.h"
#include "header.h"
#include "octets.h"
#include "tag_list.h"

#define FOLD_AT 72
#define SIGNATURE_MAX 1024	/* octets: RSA with 8192 bits */
#define FIELDS_MAX 400		/* of the message that are looked at */

/* RFC 6376 5.4.1, and what changes how a message is shown. */
static const struct signed_field {
	const char *name;
	bool is_sealed;		/* nobody may add another */
} signed_fields[] = {
	{ "from", true }, { "reply-to", false }, { "subject", true },
	{ "date", true }, { "to", true }, { "cc", true },
	{ "message-id", true }, { "sender", false },
	{ "in-reply-to", false }, { "references", false },
	{ "mime-version", true }, { "content-type", true },
	{ "content-transfer-encoding", true },
	{ "resent-date", false }, { "resent-from", false },
	{ "resent-to", false }, { "resent-cc", false },
	{ "list-id", false }, { "list-help", false },
	{ "list-unsubscribe", false }, { "list-unsubscribe-post", false },
	{ "list-subscribe", false }, { "list-post", false },
	{ "list-owner", false }, { "list-archive", false },
	{ "auto-submitted", false },
};
#define N_SIGNED (sizeof(signed_fields) / sizeof(signed_fields[0]))

/* ---- canonical fields ---- */

/* RFC 6376 3.4.2, without the last CR LF. */
static int
put_relaxed(struct buf *to, const struct header_field *f)
{
	bool has_space = false, has_text = false;
	int error = 0;

	for (size_t i = 0; i < f->name.size && error == 0; i++) {
		char c = to_lower(f->name.data[i]);

		error = buf_append(to, &c, 1);
	}
	if (error == 0)
		error = buf_append(to, ":", 1);
	for (size_t i = 0; i < f->value.size && error == 0; i++) {
		char c = f->value.data[i];

		if (is_space(c) || c == '\n' || c == '\r') {
			has_space = true;
			continue;
		}
		if (has_space && has_text)
			error = buf_append(to, " ", 1);
		if (error == 0)
			error = buf_append(to, &c, 1);
		has_space = false;
		has_text = true;
	}
	return error;
}

struct fields {
	size_t n;
	struct header_field items[FIELDS_MAX];
};

/* Those behind the last that there is room for are not signed. */
static void
find_fields(struct fields *fields, struct slice header)
{
	struct header_walk walk;

	fields->n = 0;
	header_walk_start(&walk, header, true);
	while (fields->n < FIELDS_MAX &&
	    header_next(&walk, &fields->items[fields->n]) == HEADER_FIELD)
		fields->n++;
}

/* The last one of a name is signed first (RFC 6376 5.4.2). */
static int
put_signed_fields(struct buf *input, struct buf *names,
    const struct fields *fields, const struct signed_field *wanted)
{
	unsigned n = 0;
	int error = 0;

	for (size_t i = fields->n; i-- > 0 && error == 0;) {
		if (!header_is(&fields->items[i], wanted->name))
			continue;
		error = put_relaxed(input, &fields->items[i]);
		if (error == 0)
			error = buf_append(input, "\r\n", 2);
		n++;
	}
	for (n += wanted->is_sealed; n > 0 && error == 0; n--)
		error = buf_printf(names, "%s%s", names->size > 0 ? ":" : "",
		    wanted->name);
	return error;
}

/* ---- our field ---- */

/* Fold at colons. */
static int
put_names(struct buf *field, struct slice names)
{
	size_t column = 3, n;
	int error = 0;

	while (names.size > 0 && error == 0) {
		n = slice_find(names, ':');
		n += n < names.size;
		if (column + n > FOLD_AT) {
			error = buf_puts(field, "\n\t ");
			column = 9;
		}
		if (error == 0)
			error = buf_append(field, names.data, n);
		column += n;
		names = slice_after(names, n);
	}
	return error;
}

static int
put_field(const struct dkim_signing *s, struct slice names, struct buf *field)
{
	unsigned char hash[4 * ((DKIM_HASH_SIZE + 2) / 3) + 1];
	int error = buf_printf(field, "DKIM-Signature: v=1; a=%s; "
	    "c=relaxed/relaxed; d=%.*s;\n\ts=%.*s; t=%" PRId64 ";\n\th=",
	    s->algorithm, (int)s->domain.size, s->domain.data,
	    (int)s->selector.size, s->selector.data, s->when_s);

	EVP_EncodeBlock(hash, s->body_hash, DKIM_HASH_SIZE);
	if (error == 0)
		error = put_names(field, names);
	if (error == 0)
		error = buf_printf(field, ";\n\tbh=%s;\n\tb=", hash);
	return error;
}

int
dkim_sign_write(const struct dkim_signing *s, struct slice header,
    struct buf *input, struct buf *field)
{
	static struct fields fields;	/* large */
	struct header_field ours = { .name = SLICE("dkim-signature") };
	struct buf names = { 0 };
	int error = 0;

	find_fields(&fields, header);
	for (size_t i = 0; i < N_SIGNED && error == 0; i++)
		error = put_signed_fields(input, &names, &fields,
		    &signed_fields[i]);
	if (error == 0)
		error = put_field(s, buf_slice(&names), field);
	if (error == 0) {
		ours.value = slice_after(buf_slice(field),
		    sizeof("DKIM-Signature:") - 1);
		error = put_relaxed(input, &ours);
	}
	buf_free(&names);
	return error == -ENOBUFS ? -EFBIG : error;
}

int
dkim_sign_finish(struct buf *field, struct slice signature)
{
	static unsigned char text[4 * ((SIGNATURE_MAX + 2) / 3) + 1];
	size_t size, at = 0, n;
	int error = 0;

	if (signature.size == 0 || signature.size > SIGNATURE_MAX)
		return -EINVAL;
	size = (size_t)EVP_EncodeBlock(text,
	    (const unsigned char *)signature.data, (int)signature.size);
	for (; at < size && error == 0; at += n) {
		n = size - at < FOLD_AT - 4 ? size - at : FOLD_AT - 4;
		if (at > 0)
			error = buf_puts(field, "\n\t ");
		if (error == 0)
			error = buf_append(field, text + at, n);
	}
	return error < 0 ? error : buf_append(field, "\n", 1);
}

/* ---- what vault is asked to sign ---- */

/* Behind the last CR LF; a field of one line. */
static struct slice
last_line(struct slice input)
{
	size_t at = input.size;

	while (at > 0 && input.data[at - 1] != '\n')
		at--;
	return slice_after(input, at);
}

bool
dkim_input_read(struct slice input, struct dkim_input *found)
{
	const struct slice name = SLICE("dkim-signature:");
	struct slice line = last_line(input), value;

	if (line.size <= name.size || !slice_equals(slice_first(line,
	    name.size), name) || slice_has_control(line))
		return false;
	line = slice_after(line, name.size);
	if (!tag_list_is_valid(line) || tag_find(line, "l", &value) ||
	    !tag_find(line, "v", &value) || !slice_equals(value, SLICE("1")) ||
	    !tag_find(line, "b", &value) || value.size > 0 ||
	    !tag_find(line, "h", &value) || !tag_has_item(value, ':', "from"))
		return false;
	return tag_find(line, "d", &found->domain) &&
	    tag_find(line, "s", &found->selector) &&
	    tag_find(line, "a", &found->algorithm) &&
	    found->domain.size > 0 && found->selector.size > 0;
}
