/* SPDX-License-Identifier: ISC */
/*
 * milter.c - packets of the milter protocol; see milter.h.
 */
#include <errno.h>
#include <string.h>
#include "big_endian.h"
#include "milter.h"
#include "octets.h"
#include "reply.h"

#define HEAD_SIZE 5		/* length and letter */

/* ---- commands ---- */

static void
write_number(char to[4], uint32_t v)
{
	big_endian_put((uint8_t *)to, v, 4);
}

static uint32_t
read_number(const char *from)
{
	return (uint32_t)big_endian_get((const uint8_t *)from, 4);
}

/* A packet that is being written. The first error sticks. */
struct packet_writer {
	struct buf *out;
	size_t start;
	int error;
};

static void
put(struct packet_writer *w, const void *data, size_t size)
{
	if (w->error == 0)
		w->error = buf_append(w->out, data, size);
}

static struct packet_writer
packet_begin(struct buf *out, char command)
{
	struct packet_writer w = { .out = out, .start = out->size };
	char head[HEAD_SIZE] = { 0, 0, 0, 0, command };

	put(&w, head, sizeof(head));
	return w;
}

static void
put_text(struct packet_writer *w, struct slice s)
{
	if (slice_find(s, '\0') < s.size)
		w->error = -EINVAL;
	put(w, s.data, s.size);
	put(w, "", 1);
}

/* Fill in the length; on an error nothing of the packet stays. */
static int
packet_end(struct packet_writer *w)
{
	size_t size = w->out->size - w->start;

	if (w->error == 0) {
		write_number(w->out->data + w->start, (uint32_t)(size - 4));
	} else if (w->out->data != NULL) {
		w->out->size = w->start;
		w->out->data[w->start] = '\0';
	}
	return w->error;
}

int
milter_put_options(struct buf *out, uint32_t actions, uint32_t protocol)
{
	struct packet_writer w = packet_begin(out, 'O');
	char numbers[12];

	write_number(numbers, MILTER_VERSION);
	write_number(numbers + 4, actions);
	write_number(numbers + 8, protocol);
	put(&w, numbers, sizeof(numbers));
	return packet_end(&w);
}

int
milter_put_macros(struct buf *out, char command, const struct slice *texts,
    size_t n)
{
	struct packet_writer w = packet_begin(out, 'D');

	put(&w, &command, 1);
	for (size_t i = 0; i < n; i++)
		put_text(&w, texts[i]);
	return packet_end(&w);
}

int
milter_put_connect(struct buf *out, struct slice name, char family,
    uint16_t port, struct slice address)
{
	struct packet_writer w = packet_begin(out, 'C');
	const char number[2] = { (char)(port >> 8), (char)port };

	put_text(&w, name);
	put(&w, &family, 1);
	if (family != 'U') {
		put(&w, number, sizeof(number));
		put_text(&w, address);
	}
	return packet_end(&w);
}

int
milter_put_texts(struct buf *out, char command, const struct slice *texts,
    size_t n)
{
	struct packet_writer w = packet_begin(out, command);

	for (size_t i = 0; i < n; i++)
		put_text(&w, texts[i]);
	return packet_end(&w);
}

int
milter_put_body(struct buf *out, const char *data, size_t size)
{
	struct packet_writer w = packet_begin(out, 'B');

	if (size > MILTER_CHUNK_MAX)
		w.error = -EINVAL;
	put(&w, data, size);
	return packet_end(&w);
}

int
milter_put_command(struct buf *out, char command)
{
	struct packet_writer w = packet_begin(out, command);

	return packet_end(&w);
}

/* ---- replies ---- */

int
milter_take_packet(struct milter_packet *packet, struct slice input)
{
	uint32_t size;

	if (input.size < 4)
		return 0;
	size = read_number(input.data);
	if (size == 0 || size > MILTER_PACKET_MAX)
		return -EBADMSG;
	if (input.size - 4 < size)
		return 0;
	packet->letter = input.data[4];
	packet->data = (struct slice){ input.data + HEAD_SIZE, size - 1 };
	packet->size = 4 + (size_t)size;
	return 1;
}

/* A text and its NUL off the front. */
static bool
take_text(struct slice *data, struct slice *text)
{
	size_t n = slice_find(*data, '\0');

	if (n == data->size)
		return false;
	*text = slice_first(*data, n);
	*data = slice_after(*data, n + 1);
	return true;
}

static bool
take_number(struct slice *data, uint32_t *number)
{
	if (data->size < 4)
		return false;
	*number = read_number(data->data);
	*data = slice_after(*data, 4);
	return true;
}

static bool
read_nothing(struct milter_reply *reply, struct slice data)
{
	(void)reply;
	return data.size == 0;
}

static bool
read_field(struct milter_reply *reply, struct slice data)
{
	return take_text(&data, &reply->name) &&
	    take_text(&data, &reply->value) && data.size == 0;
}

static bool
read_numbered_field(struct milter_reply *reply, struct slice data)
{
	return take_number(&data, &reply->index) && read_field(reply, data);
}

static bool
read_chunk(struct milter_reply *reply, struct slice data)
{
	reply->value = data;
	return true;
}

static bool
read_address(struct milter_reply *reply, struct slice data)
{
	return take_text(&data, &reply->name) && data.size == 0;
}

/* Arguments may be left out, with their NUL. */
static bool
read_address_arguments(struct milter_reply *reply, struct slice data)
{
	reply->has_arguments = true;
	return take_text(&data, &reply->name) &&
	    (data.size == 0 || take_text(&data, &reply->value)) &&
	    data.size == 0;
}

static bool
read_reason(struct milter_reply *reply, struct slice data)
{
	return take_text(&data, &reply->value) && data.size == 0;
}

static bool
read_options(struct milter_reply *reply, struct slice data)
{
	enum milter_macros stage;
	struct slice names, rest;
	int more;

	if (!take_number(&data, &reply->version) ||
	    !take_number(&data, &reply->actions) ||
	    !take_number(&data, &reply->protocol))
		return false;
	reply->symbols = rest = data;
	do {
		more = milter_next_symbols(&rest, &stage, &names);
	} while (more > 0);
	return more == 0;
}

/* ---- "550-5.7.1 one\r\n550 5.7.1 two" ---- */

/* "5.7.1 " off the front of a line, if it is one of this class. */
static bool
take_enhanced(struct slice *line, char class, struct verdict *v)
{
	unsigned long long subject, detail;
	struct slice word = slice_first(*line, slice_find(*line, ' '));
	struct slice rest;
	size_t dot;

	if (word.size < 5 || word.data[0] != class || word.data[1] != '.')
		return false;
	rest = slice_after(word, 2);
	dot = slice_find(rest, '.');
	if (dot == rest.size ||
	    !slice_number(slice_first(rest, dot), 255, &subject) ||
	    !slice_number(slice_after(rest, dot + 1), 255, &detail))
		return false;
	v->subject = (uint8_t)subject;
	v->detail = (uint8_t)detail;
	*line = slice_trim(slice_after(*line, word.size));
	return true;
}

/* libmilter's callers double each % (smfi_setreply). */
static void
put_cleaned(struct buf *text, struct slice line)
{
	char clean[VERDICT_TEXT_MAX + 1];
	size_t n = reply_clean(clean, sizeof(clean), line, true);

	for (size_t i = 0; i < n; i++) {
		if (clean[i] == '%' && i + 1 < n && clean[i + 1] == '%')
			i++;
		(void)buf_append(text, clean + i, 1);
	}
}

/* One line, after its code: "-5.7.1 text" or " text". */
static bool
read_code_line(struct milter_reply *reply, struct slice line, bool is_first,
    struct buf *text)
{
	struct verdict *v = &reply->verdict, other = { 0 };
	char class = line.size > 0 ? line.data[0] : 0;
	unsigned long long code;

	if (line.size < 3 || (class != '4' && class != '5') ||
	    !slice_number(slice_first(line, 3), 599, &code) ||
	    (!is_first && code != v->code))
		return false;
	v->code = (uint16_t)code;
	line = slice_after(line, 3);
	if (line.size > 0 && line.data[0] != ' ' && line.data[0] != '-')
		return false;
	line = slice_trim(slice_after(line, line.size > 0));
	take_enhanced(&line, class, is_first ? v : &other);
	if (!is_first)
		(void)buf_puts(text, "\n");
	put_cleaned(text, line);
	return true;
}

/* Lines end with CR LF, or with LF alone where a milter is sloppy. */
static bool
read_code(struct milter_reply *reply, struct slice data)
{
	struct buf text = { .maximum = REPLY_TEXT_MAX };
	struct slice whole, line;
	bool is_first = true, is_good;

	if (!take_text(&data, &whole) || data.size != 0)
		return false;
	do {
		line = slice_first(whole, slice_find(whole, '\n'));
		whole = slice_after(whole, line.size +
		    (line.size < whole.size));
		is_good = read_code_line(reply, line, is_first, &text);
		is_first = false;
	} while (is_good && whole.size > 0);
	if (is_good) {
		struct slice kept = buf_slice(&text);

		if (kept.size > VERDICT_TEXT_MAX)
			kept.size = VERDICT_TEXT_MAX;
		slice_copy(reply->verdict.text, sizeof(reply->verdict.text),
		    kept);
	}
	buf_free(&text);
	return is_good;
}

/* ---- all of them ---- */

struct reply_row {
	char letter;
	enum milter_reply_kind kind;
	bool (*read)(struct milter_reply *reply, struct slice data);
	uint32_t action;
};

static const struct reply_row rows[] = {
	{ 'c', MILTER_CONTINUE, read_nothing, 0 },
	{ 'a', MILTER_ACCEPT, read_nothing, 0 },
	{ 'r', MILTER_REJECT, read_nothing, 0 },
	{ 't', MILTER_TEMPFAIL, read_nothing, 0 },
	{ 'd', MILTER_DISCARD, read_nothing, 0 },
	{ 'y', MILTER_REPLY_CODE, read_code, 0 },
	{ 's', MILTER_SKIP, read_nothing, 0 },
	{ '4', MILTER_SHUTDOWN, read_nothing, 0 },
	{ 'f', MILTER_CONNECTION_FAILED, read_nothing, 0 },
	{ 'p', MILTER_PROGRESS, read_nothing, 0 },
	{ 'h', MILTER_ADD_HEADER, read_field, MILTER_ADD_HEADERS },
	{ 'i', MILTER_INSERT_HEADER, read_numbered_field,
	    MILTER_ADD_HEADERS },
	{ 'm', MILTER_CHANGE_HEADER, read_numbered_field,
	    MILTER_CHANGE_HEADERS },
	{ 'b', MILTER_REPLACE_BODY, read_chunk, MILTER_CHANGE_BODY },
	{ '+', MILTER_ADD_RECIPIENT, read_address, MILTER_ADD_RECIPIENTS },
	{ '2', MILTER_ADD_RECIPIENT, read_address_arguments,
	    MILTER_ADD_RECIPIENTS_ARGS },
	{ '-', MILTER_DELETE_RECIPIENT, read_address,
	    MILTER_DELETE_RECIPIENTS },
	{ 'e', MILTER_SENDER, read_address_arguments, MILTER_CHANGE_SENDER },
	{ 'q', MILTER_HOLD, read_reason, MILTER_QUARANTINE },
	{ 'O', MILTER_OPTIONS, read_options, 0 },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int
milter_read_reply(struct milter_reply *reply,
    const struct milter_packet *packet)
{
	memset(reply, 0, sizeof(*reply));
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].letter == packet->letter) {
			reply->kind = rows[i].kind;
			return rows[i].read(reply, packet->data) ? 0 :
			    -EBADMSG;
		}
	return -EBADMSG;
}

uint32_t
milter_reply_action(const struct milter_reply *reply)
{
	if (reply->kind == MILTER_ADD_RECIPIENT)
		return reply->has_arguments ? MILTER_ADD_RECIPIENTS_ARGS :
		    MILTER_ADD_RECIPIENTS;
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].kind == reply->kind)
			return rows[i].action;
	return 0;
}

int
milter_next_symbols(struct slice *symbols, enum milter_macros *stage,
    struct slice *names)
{
	uint32_t number;

	if (symbols->size == 0)
		return 0;
	if (!take_number(symbols, &number) || number >= MILTER_MACRO_STAGES ||
	    !take_text(symbols, names) || names->size > MILTER_SYMBOLS_MAX)
		return -EBADMSG;
	*stage = (enum milter_macros)number;
	return 1;
}
