/* SPDX-License-Identifier: ISC */
/*
 * What a milter wants changed, applied at its last word: header and body in
 * the draft, the envelope in the changes. See milter_talk.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "address.h"
#include "milter_talk.h"
#include "reply.h"

/* Whom they add or remove may be a name of here, "spam". */
#define RECIPIENT_ALLOW (ADDRESS_ALLOW_POSTMASTER | ADDRESS_ALLOW_BARE_LOCAL)

void
milter_changes_free(struct milter_changes *changes)
{
	for (size_t i = 0; i < changes->n_recipients; i++)
		free(changes->recipients[i].address);
	free(changes->recipients);
	free(changes->sender);
	memset(changes, 0, sizeof(*changes));
}

void
milter_changes_dispose(struct milter_changes *changes,
    enum config_disposal disposal, const char *milter, struct slice reason)
{
	if (disposal <= changes->disposal)
		return;
	changes->disposal = disposal;
	slice_clip(changes->milter, sizeof(changes->milter),
	    slice_of(milter));
	slice_clip(changes->reason, sizeof(changes->reason), reason);
}

void
milter_changes_spare(struct milter_changes *changes, const char *milter,
    const struct verdict *v)
{
	char why[MILTER_REASON_MAX + 1];

	snprintf(why, sizeof(why), "%u %u.%u.%u %.60s", v->code,
	    v->code / 100u, v->subject, v->detail, v->text);
	changes->is_spared = true;
	milter_changes_dispose(changes, DISPOSAL_JUNK, milter,
	    slice_of(why));
}

/* "<a@b>" or "a@b". False: no address. */
static bool
read_address(struct slice text, unsigned allow, struct address *a)
{
	text = slice_trim(text);
	allow |= ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL;
	if (text.size > 0 && text.data[0] == '<')
		return address_parse_path(a, &text, allow) == ADDRESS_OK &&
		    text.size == 0;
	if (text.size == 0) {
		memset(a, 0, sizeof(*a));
		return (allow & ADDRESS_ALLOW_NULL) != 0;
	}
	return address_parse(a, text, allow) == ADDRESS_OK;
}

static int
change_recipient(struct milter_changes *changes, struct slice text,
    bool is_removed)
{
	struct changed_recipient *grown;
	struct address a;

	if (!read_address(text, RECIPIENT_ALLOW, &a))
		return -EINVAL;
	if (changes->n_recipients == MILTER_CHANGES_MAX)
		return -EFBIG;
	grown = reallocarray(changes->recipients, changes->n_recipients + 1,
	    sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	changes->recipients = grown;
	grown += changes->n_recipients;
	grown->is_removed = is_removed;
	grown->address = strdup(a.text);
	if (grown->address == NULL)
		return -ENOMEM;
	changes->n_recipients++;
	return 0;
}

static int
change_sender(struct milter_changes *changes, struct slice text)
{
	struct address a;
	char *sender;

	if (!read_address(text, ADDRESS_ALLOW_NULL, &a))
		return -EINVAL;
	sender = strdup(a.text);
	if (sender == NULL)
		return -ENOMEM;
	free(changes->sender);
	changes->sender = sender;
	return 0;
}

static int
hold(struct milter_talk *t, struct slice reason)
{
	char clean[MILTER_REASON_MAX + 1];

	reply_clean(clean, sizeof(clean), reason, true);
	milter_changes_dispose(t->changes, DISPOSAL_JUNK, t->name,
	    slice_of(clean));
	return 0;
}

/* The value of a field as it will stand behind the colon. */
static int
spaced(const struct milter_talk *t, struct slice value, struct buf *out)
{
	int error = 0;

	if ((t->protocol & MILTER_LEADING_SPACE) == 0 && value.size > 0)
		error = buf_append(out, " ", 1);
	return error < 0 ? error : buf_append_slice(out, value);
}

/*
 * Of the fields that an index counts our Received is one, though milters do
 * not see it: sendmail and Postfix put above it what goes to 0, and on top of
 * the message as it came what goes to 1.
 */
static size_t
place_of(struct draft *d, uint32_t index)
{
	if (index > d->n_above)
		return index - 1;
	d->n_above++;
	return index;
}

static int
edit_field(struct milter_talk *t, const struct milter_reply *r)
{
	struct buf value = { 0 };
	int error = spaced(t, r->value, &value);

	if (error < 0)
		return error;
	if (r->kind == MILTER_CHANGE_HEADER)
		error = draft_change(t->draft, r->name, r->index,
		    buf_slice(&value));
	else
		error = draft_insert(t->draft,
		    r->kind == MILTER_ADD_HEADER ? DRAFT_AT_END :
		    place_of(t->draft, r->index), r->name, buf_slice(&value));
	buf_free(&value);
	return error;
}

static int
apply_one(struct milter_talk *t, const struct milter_reply *r, bool *has_body)
{
	bool is_first;

	switch (r->kind) {
	case MILTER_ADD_HEADER:
	case MILTER_INSERT_HEADER:
	case MILTER_CHANGE_HEADER:
		return edit_field(t, r);
	case MILTER_REPLACE_BODY:
		is_first = !*has_body;
		*has_body = true;
		return draft_put_body(t->draft, r->value, is_first);
	case MILTER_ADD_RECIPIENT:
		return change_recipient(t->changes, r->name, false);
	case MILTER_DELETE_RECIPIENT:
		return change_recipient(t->changes, r->name, true);
	case MILTER_SENDER:
		return change_sender(t->changes, r->name);
	case MILTER_HOLD:
		return hold(t, r->value);
	default:
		return -EINVAL;
	}
}

bool
talk_check_edit(const struct milter_reply *r)
{
	struct address a;

	switch (r->kind) {
	case MILTER_ADD_HEADER:
	case MILTER_INSERT_HEADER:
	case MILTER_CHANGE_HEADER:
		return draft_is_field_name(r->name);
	case MILTER_REPLACE_BODY:
		return slice_find(r->value, '\0') == r->value.size;
	case MILTER_ADD_RECIPIENT:
	case MILTER_DELETE_RECIPIENT:
		return read_address(r->name, RECIPIENT_ALLOW, &a);
	case MILTER_SENDER:
		return read_address(r->name, ADDRESS_ALLOW_NULL, &a);
	default:
		return true;
	}
}

bool
talk_apply(struct milter_talk *t)
{
	struct slice rest = buf_slice(&t->edits);
	struct milter_packet packet;
	struct milter_reply reply;
	bool has_body = false;
	int error = 0;

	while (error == 0 && milter_take_packet(&packet, rest) > 0) {
		error = milter_read_reply(&reply, &packet);
		if (error == 0)
			error = apply_one(t, &reply, &has_body);
		rest = (struct slice){ rest.data + packet.size,
			rest.size - packet.size };
	}
	buf_free(&t->edits);
	t->is_spoiled = error < 0;
	if (error < 0)
		t->problem = error == -EFBIG ? "more changes than a message "
		    "can have" : "out of memory";
	return error == 0;
}
