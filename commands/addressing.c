/* SPDX-License-Identifier: ISC */
/*
 * addressing.c - see addressing.h.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "address_list.h"
#include "complain.h"
#include "addressing.h"
#include "header.h"
#include "nss_services.h"

#define SHOWN 100	/* octets of what is wrong */

/* "alice" becomes "alice@example.org". NULL without memory. */
static char *
complete(const char *text, const struct address *a,
    const struct server_place *place)
{
	struct buf out = { 0 };

	if (a->domain[0] != '\0' || place->origin[0] == '\0')
		return strdup(text);
	if (buf_printf(&out, "%s@%s", text, place->origin) != 0)
		buf_free(&out);
	return out.data;
}

/* ---- recipients ---- */

static bool
is_there(const struct addressing *e, const char *address)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		if (strcmp(e->recipients[i].address, address) == 0)
			return true;
	return false;
}

static int
add_one(struct addressing *e, const struct address *a,
    const struct server_place *place)
{
	char *address = complete(a->text, a, place);

	if (address != NULL && is_there(e, address)) {
		free(address);
		return 0;
	}
	if (e->n_recipients == ADDRESSING_RECIPIENTS_MAX) {
		free(address);
		return complain(EX_UNAVAILABLE, "more than %d recipients",
		    ADDRESSING_RECIPIENTS_MAX);
	}
	if (address != NULL && e->n_recipients == e->room) {
		size_t room = e->room * 2 + 16;
		struct recipient *more = reallocarray(e->recipients, room,
		    sizeof *more);

		if (more != NULL) {
			e->recipients = more;
			e->room = room;
		}
	}
	if (address == NULL || e->n_recipients == e->room) {
		free(address);
		return complain(EX_TEMPFAIL, "out of memory");
	}
	e->needs_smtputf8 |= a->needs_smtputf8;
	e->recipients[e->n_recipients++] = (struct recipient){
		.address = address };
	return 0;
}

/* where: "To", or "the command line". */
static int
add_list(struct addressing *e, struct slice value, const char *where,
    const struct server_place *place)
{
	enum address_list_step step;
	struct address_list list;
	struct address a;
	int status = 0;

	address_list_start(&list, value);
	while (status == 0 && (step = address_list_next(&list, &a)) !=
	    ADDRESS_LIST_END) {
		if (step == ADDRESS_LIST_MAILBOX)
			status = add_one(e, &a, place);
		else
			status = complain(EX_DATAERR, "%s: \"%.*s\" is no "
			    "address", where, (int)(list.mailbox.size < SHOWN ?
			    list.mailbox.size : SHOWN), list.mailbox.data);
	}
	return status;
}

int
addressing_add(struct addressing *e, const char *text,
    const struct server_place *place)
{
	size_t before = e->n_recipients;
	int status = add_list(e, slice_of(text), "the command line", place);

	if (status == 0 && e->n_recipients == before && !*text)
		return complain(EX_USAGE, "an empty recipient");
	return status == EX_DATAERR ? EX_USAGE : status;
}

static bool
is_bcc(const struct header_field *field)
{
	return header_is(field, "Bcc") || header_is(field, "Resent-Bcc");
}

static bool
has_resent(struct slice header)
{
	struct header_walk walk;
	struct header_field field;

	header_walk_start(&walk, header, true);
	while (header_next(&walk, &field) == HEADER_FIELD)
		if (header_is(&field, "Resent-To") ||
		    header_is(&field, "Resent-Cc") ||
		    header_is(&field, "Resent-Bcc"))
			return true;
	return false;
}

static int
take_field(struct addressing *e, const struct header_field *field,
    bool is_resent, const struct server_place *place)
{
	static const char *const names[] = { "To", "Cc", "Bcc" };
	struct header_field bare = *field;

	if (slice_starts_nocase(field->name, SLICE("Resent-")) != is_resent)
		return 0;
	if (is_resent) {
		bare.name.data += sizeof "Resent-" - 1;
		bare.name.size -= sizeof "Resent-" - 1;
	}
	for (size_t i = 0; i < 3; i++)
		if (header_is(&bare, names[i]))
			return add_list(e, field->value, names[i], place);
	return 0;
}

int
addressing_take_header(struct addressing *e, struct letter *letter,
    const struct server_place *place)
{
	struct slice header = buf_slice(&letter->header);
	bool is_resent = has_resent(header);
	struct buf kept = { 0 };
	struct header_walk walk;
	struct header_field field;
	int status = 0;

	header_walk_start(&walk, header, true);
	while (status == 0 && header_next(&walk, &field) == HEADER_FIELD) {
		status = take_field(e, &field, is_resent, place);
		if (status == 0 && !is_bcc(&field) && buf_append(&kept,
		    header.data + field.offset, field.size) != 0)
			status = complain(EX_TEMPFAIL, "out of memory");
	}
	buf_free(&letter->header);
	letter->header = kept;
	return status;
}

/* ---- the sender ---- */

/* "a@x.example", "<>", "", "joe", "Joe <joe@x.example>". */
static int
parse_sender(struct addressing *e, const char *text,
    const struct server_place *place)
{
	struct address_list list;
	struct address a, another;

	if (*text == '\0' || strcmp(text, "<>") == 0) {
		e->sender = strdup("");
	} else {
		address_list_start(&list, slice_of(text));
		if (address_list_next(&list, &a) != ADDRESS_LIST_MAILBOX ||
		    address_list_next(&list, &another) != ADDRESS_LIST_END)
			return complain(EX_USAGE, "-f %s: this is no address",
			    text);
		e->needs_smtputf8 |= a.needs_smtputf8;
		e->sender = complete(a.text, &a, place);
	}
	return e->sender != NULL ? 0 : complain(EX_TEMPFAIL, "out of memory");
}

int
addressing_set_sender(struct addressing *e, const struct sendmail_options *o,
    const struct server_place *place)
{
	static char room[65536];
	struct nss_services services;
	struct passwd pw, *found;
	int error;

	if (o->sender != NULL)
		return parse_sender(e, o->sender, place);
	nss_services_load(&services);
	error = nss_find_uid(&services, getuid(), &pw, room, sizeof room,
	    &found);
	if (error)
		return complain(EX_TEMPFAIL, "uid %u cannot be looked up: %s%s"
		    "%s", (unsigned)getuid(), services.silent,
		    *services.silent != '\0' ? ": " : "", strerror(error));
	if (found == NULL)
		return complain(EX_NOPERM, "uid %u has no name here, and no "
		    "account to send from", (unsigned)getuid());
	return parse_sender(e, found->pw_name, place);
}

void
addressing_free(struct addressing *e)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		free(e->recipients[i].address);
	free(e->recipients);
	free(e->sender);
	*e = (struct addressing){ .sender = NULL };
}
