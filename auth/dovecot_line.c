/* SPDX-License-Identifier: ISC */
/*
 * See dovecot_line.h.
 */
#include <string.h>
#include <arpa/inet.h>
#include "base64.h"
#include "dovecot_line.h"

static struct slice
take_word(struct slice *rest)
{
	struct slice word = { rest->data, slice_find(*rest, '\t') };
	size_t taken = word.size + (word.size < rest->size);

	rest->data += taken;
	rest->size -= taken;
	return word;
}

static bool
take_number(struct slice *rest, uint32_t *number)
{
	unsigned long long value;

	if (!slice_number(take_word(rest), UINT32_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

/* A name that would need escapes is nobody's here. */
static bool
take_user(struct dovecot_line *to, struct slice value)
{
	return sasl_is_name(value) &&
	    slice_copy(to->user, sizeof(to->user), value);
}

/* Its database is down: up to 2.2 "temp" says so, since 2.3 a code. */
static bool
says_temporary(struct slice word)
{
	return slice_equals(word, SLICE("temp")) ||
	    slice_equals(word, SLICE("code=temp_fail"));
}

static bool
take_fields(struct dovecot_line *to, struct slice rest)
{
	const struct slice user = SLICE("user="), data = SLICE("resp=");
	struct slice word;

	while (rest.size > 0) {
		word = take_word(&rest);
		if (says_temporary(word))
			to->is_temporary = true;
		else if (slice_starts_nocase(word, data))
			to->data = (struct slice){ word.data + data.size,
				word.size - data.size };
		else if (slice_starts_nocase(word, user) &&
		    to->kind == DOVECOT_LINE_OK &&
		    !take_user(to, (struct slice){ word.data + user.size,
		    word.size - user.size }))
			return false;
	}
	return to->kind != DOVECOT_LINE_OK || to->user[0] != '\0';
}

static void
take_mechanism(struct dovecot_line *to, struct slice name)
{
	to->is_plain = slice_equals_nocase(name, SLICE("PLAIN"));
	to->is_scram = slice_equals_nocase(name, SLICE("SCRAM-SHA-256"));
}

static const struct {
	struct slice word;
	enum dovecot_line_kind kind;
	bool has_number;
} lines[] = {
	{ SLICE("VERSION"), DOVECOT_LINE_VERSION, true },
	{ SLICE("MECH"), DOVECOT_LINE_MECH, false },
	{ SLICE("DONE"), DOVECOT_LINE_DONE, false },
	{ SLICE("OK"), DOVECOT_LINE_OK, true },
	{ SLICE("FAIL"), DOVECOT_LINE_FAIL, true },
	{ SLICE("CONT"), DOVECOT_LINE_CONT, true },
};

static bool
parse(struct dovecot_line *to, struct slice rest)
{
	struct slice word = take_word(&rest);
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!slice_equals(word, lines[i].word))
			continue;
		to->kind = lines[i].kind;
		if (lines[i].has_number && !take_number(&rest, &to->number))
			return false;
		if (to->kind == DOVECOT_LINE_MECH)
			take_mechanism(to, take_word(&rest));
		if (to->kind == DOVECOT_LINE_CONT)
			to->data = take_word(&rest);
		if (to->kind == DOVECOT_LINE_OK ||
		    to->kind == DOVECOT_LINE_FAIL)
			return take_fields(to, rest);
		return true;
	}
	return true;
}

void
dovecot_line_parse(struct dovecot_line *to, struct slice line)
{
	*to = (struct dovecot_line){ .kind = DOVECOT_LINE_OTHER };
	if (line.size > DOVECOT_LINE_MAX || !parse(to, line))
		to->kind = DOVECOT_LINE_BAD;
}

/* ---- what we say ---- */

int
dovecot_put_greeting(struct buf *to, uint32_t pid)
{
	return buf_printf(to, "VERSION\t1\t1\nCPID\t%u\n", (unsigned)pid);
}

static bool
is_address(struct slice client)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	return slice_copy(text, sizeof(text), client) &&
	    (inet_pton(AF_INET, text, &address) == 1 ||
	    inet_pton(AF_INET6, text, &address) == 1);
}

/* NUL name NUL password (RFC 4616). */
static int
put_plain(struct buf *to, const struct sasl_credentials *c)
{
	struct buf plain = { .maximum = 2048 };
	int error = buf_append(&plain, "", 1);

	if (!error)
		error = buf_append_slice(&plain, c->name);
	if (!error)
		error = buf_append(&plain, "", 1);
	if (!error)
		error = buf_append_slice(&plain, c->password);
	if (!error)
		error = base64_encode(to, buf_slice(&plain));
	if (plain.data != NULL)
		explicit_bzero(plain.data, plain.capacity);
	buf_free(&plain);
	return error;
}

/* Up to the response, which Dovecot takes all behind it for. */
static int
put_head(struct buf *to, uint32_t id, const char *mechanism,
    struct slice client)
{
	int error = buf_printf(to, "AUTH\t%u\t%s\tservice=smtp\tnologin\t"
	    "secured", (unsigned)id, mechanism);

	if (!error && is_address(client))
		error = buf_printf(to, "\trip=%.*s", (int)client.size,
		    client.data);
	return error;
}

int
dovecot_put_auth(struct buf *to, uint32_t id,
    const struct sasl_credentials *c, struct slice client)
{
	int error = put_head(to, id, "PLAIN", client);

	if (!error)
		error = buf_puts(to, "\tresp=");
	if (!error)
		error = put_plain(to, c);
	return error ? error : buf_puts(to, "\n");
}

int
dovecot_put_scram(struct buf *to, uint32_t id, struct slice first,
    struct slice client)
{
	int error = put_head(to, id, "SCRAM-SHA-256", client);

	if (!error)
		error = buf_puts(to, "\tfinal-resp-ok\tresp=");
	if (!error)
		error = base64_encode(to, first);
	return error ? error : buf_puts(to, "\n");
}

int
dovecot_put_continue(struct buf *to, uint32_t id, struct slice response)
{
	int error = buf_printf(to, "CONT\t%u\t", (unsigned)id);

	if (!error)
		error = base64_encode(to, response);
	return error ? error : buf_puts(to, "\n");
}

int
dovecot_put_cancel(struct buf *to, uint32_t id)
{
	return buf_printf(to, "CANCEL\t%u\n", (unsigned)id);
}
