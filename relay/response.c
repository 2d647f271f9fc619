/* SPDX-License-Identifier: ISC */
/*
 * response.c - see response.h.
 */
#include <string.h>
#include "reply.h"
#include "response.h"

void
response_start(struct response *r)
{
	memset(r, 0, sizeof *r);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "1.22" behind "5.": at most three digits each. Octets read, or 0. */
static size_t
number_read(struct slice s, uint8_t *to)
{
	unsigned value = 0;
	size_t n = 0;

	while (n < s.size && n < 3 && is_digit(s.data[n]))
		value = value * 10 + (unsigned)(s.data[n++] - '0');
	*to = value > UINT8_MAX ? 0 : (uint8_t)value;
	return value > UINT8_MAX ? 0 : n;
}

/* Take "5.1.1 " off the front, if it is there and fits the code. */
static bool
enhanced_read(struct slice *text, uint16_t code, uint8_t *subject,
    uint8_t *detail)
{
	struct slice s = *text;
	size_t n;

	if (s.size < 5 || s.data[0] != (char)('0' + code / 100) ||
	    s.data[1] != '.')
		return false;
	s = (struct slice){ s.data + 2, s.size - 2 };
	n = number_read(s, subject);
	if (n == 0 || n >= s.size || s.data[n] != '.')
		return false;
	s = (struct slice){ s.data + n + 1, s.size - n - 1 };
	n = number_read(s, detail);
	if (n == 0 || (n < s.size && s.data[n] != ' '))
		return false;
	*text = slice_trim((struct slice){ s.data + n, s.size - n });
	return true;
}

static void
words_add(struct response *r, struct slice text)
{
	size_t room = sizeof r->words - r->n_words;
	uint8_t subject, detail;

	if (enhanced_read(&text, r->code, &subject, &detail) &&
	    r->n_lines == 0) {
		r->subject = subject;
		r->detail = detail;
	}
	text = slice_trim(text);
	if (text.size == 0 || room < 3)
		return;
	if (r->n_words > 0) {
		r->words[r->n_words++] = ' ';
		room--;
	}
	r->n_words += reply_clean(r->words + r->n_words, room, text, false);
}

/* A line is there, without its line end. */
static enum response_step
line_read(struct response *r)
{
	struct slice s = { r->kept, r->n_kept };
	uint16_t code;
	bool is_last;

	if (s.size > 0 && s.data[s.size - 1] == '\r')
		s.size--;
	r->n_kept = 0;
	if (s.size < 3 || s.data[0] < '2' || s.data[0] > '5' ||
	    !is_digit(s.data[1]) || !is_digit(s.data[2]) ||
	    (s.size > 3 && s.data[3] != ' ' && s.data[3] != '-'))
		return RESPONSE_BROKEN;
	code = (uint16_t)((s.data[0] - '0') * 100 + (s.data[1] - '0') * 10 +
	    s.data[2] - '0');
	if (r->n_lines > 0 && code != r->code)
		return RESPONSE_BROKEN;
	is_last = s.size == 3 || s.data[3] == ' ';
	r->code = code;
	r->line = s.size > 4 ? (struct slice){ s.data + 4, s.size - 4 } :
	    (struct slice){ "", 0 };
	words_add(r, r->line);
	r->n_lines++;
	return is_last ? RESPONSE_WHOLE : RESPONSE_LINE;
}

/* Keep what fits of the line; the rest of it is read and dropped. */
static void
keep(struct response *r, const char *data, size_t size)
{
	size_t room = sizeof r->kept - r->n_kept;

	if (size > room)
		size = room;
	memcpy(r->kept + r->n_kept, data, size);
	r->n_kept += size;
}

enum response_step
response_read(struct response *r, struct slice *input)
{
	enum response_step step;
	size_t n, taken;

	if (r->is_broken)
		return RESPONSE_BROKEN;
	if (input->size == 0)
		return RESPONSE_MORE;
	if (r->is_whole)
		response_start(r);
	n = slice_find(*input, '\n');
	taken = n < input->size ? n + 1 : n;
	keep(r, input->data, n);
	r->n_octets += taken;
	*input = (struct slice){ input->data + taken, input->size - taken };
	step = taken > n ? line_read(r) : RESPONSE_MORE;
	if (r->n_octets > RESPONSE_OCTETS_MAX)
		step = RESPONSE_BROKEN;
	r->is_whole = step == RESPONSE_WHOLE;
	r->is_broken = step == RESPONSE_BROKEN;
	return step;
}

void
response_verdict(const struct response *r, struct verdict *v)
{
	verdict_set(v, r->code, r->subject, r->detail, "%s",
	    r->n_words > 0 ? r->words : "(no words)");
}
