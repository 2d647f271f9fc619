/* SPDX-License-Identifier: ISC */
/*
 * secrets.c - see secrets.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "secrets.h"

/* ---- make ---- */

static int
make_key(uint8_t *key)
{
	return getrandom(key, SECRETS_KEY_SIZE, 0) == SECRETS_KEY_SIZE ? 0 :
	    -EIO;
}

int
secrets_make(struct secrets *s, uint32_t day)
{
	memset(s, 0, sizeof(*s));
	s->n_batv = 1;
	s->batv_day[0] = day;
	s->srs.n = 1;
	return make_key(s->batv[0].secret) || make_key(s->trace) ||
	    make_key(s->srs.secrets[0]) ? -EIO : 0;
}

int
secrets_rotate(struct secrets *s, uint32_t day)
{
	struct batv_key key = { .generation =
	    (s->batv[0].generation + 1) % 10 };
	uint8_t srs[SRS_KEY_SIZE];

	if (day < s->batv_day[0] ||
	    day - s->batv_day[0] < SECRETS_ROTATE_DAYS)
		return 0;
	if (make_key(key.secret) != 0 || make_key(srs) != 0)
		return -EIO;
	s->batv[1] = s->batv[0];
	s->batv_day[1] = s->batv_day[0];
	s->batv[0] = key;
	s->batv_day[0] = day;
	s->n_batv = SECRETS_BATV;
	memcpy(s->srs.secrets[1], s->srs.secrets[0], SRS_KEY_SIZE);
	memcpy(s->srs.secrets[0], srs, SRS_KEY_SIZE);
	s->srs.n = 2;
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(srs, sizeof(srs));
	return 1;
}

/* ---- write ---- */

static int
put_hex(struct buf *to, const uint8_t *key)
{
	int error = 0;

	for (size_t i = 0; i < SECRETS_KEY_SIZE && error == 0; i++)
		error = buf_printf(to, "%02x", key[i]);
	return error == 0 ? buf_puts(to, "\n") : error;
}

int
secrets_write(struct buf *to, const struct secrets *s)
{
	int error = buf_puts(to, "# Secrets of this server: whoever reads "
	    "them can forge its tags.\n");

	for (size_t i = 0; i < s->n_batv && error == 0; i++) {
		error = buf_printf(to, "batv %u %u ", s->batv[i].generation,
		    s->batv_day[i]);
		if (error == 0)
			error = put_hex(to, s->batv[i].secret);
	}
	if (error == 0)
		error = buf_puts(to, "trace ");
	if (error == 0)
		error = put_hex(to, s->trace);
	for (size_t i = 0; i < s->srs.n && error == 0; i++) {
		error = buf_puts(to, "srs ");
		if (error == 0)
			error = put_hex(to, s->srs.secrets[i]);
	}
	return error;
}

/* ---- read ---- */

static struct slice
take_word(struct slice *line)
{
	struct slice word = { line->data, slice_find(*line, ' ') };

	line->data += word.size;
	line->size -= word.size;
	*line = slice_trim(*line);
	return word;
}

static int
hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hex(struct slice word, uint8_t *key)
{
	if (word.size != 2 * SECRETS_KEY_SIZE)
		return false;
	for (size_t i = 0; i < SECRETS_KEY_SIZE; i++) {
		int high = hex_value(word.data[2 * i]);
		int low = hex_value(word.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
read_batv(struct secrets *s, struct slice rest)
{
	unsigned long long generation, day;

	if (s->n_batv == SECRETS_BATV ||
	    !slice_number(take_word(&rest), 9, &generation) ||
	    !slice_number(take_word(&rest), UINT32_MAX, &day) ||
	    !read_hex(rest, s->batv[s->n_batv].secret) ||
	    (s->n_batv > 0 && s->batv[0].generation == generation))
		return false;
	s->batv[s->n_batv].generation = (unsigned)generation;
	s->batv_day[s->n_batv++] = (uint32_t)day;
	return true;
}

static bool
read_srs(struct secrets *s, struct slice rest)
{
	return s->srs.n < SRS_KEYS_MAX &&
	    read_hex(rest, s->srs.secrets[s->srs.n++]);
}

static bool
read_line(struct secrets *s, struct slice line, bool *has_trace)
{
	struct slice word = take_word(&line);

	if (slice_equals(word, SLICE("batv")))
		return read_batv(s, line);
	if (slice_equals(word, SLICE("srs")))
		return read_srs(s, line);
	if (!slice_equals(word, SLICE("trace")) || *has_trace)
		return false;
	*has_trace = true;
	return read_hex(line, s->trace);
}

bool
secrets_read(struct secrets *s, struct slice text, unsigned *line_number)
{
	bool has_trace = false;

	memset(s, 0, sizeof(*s));
	*line_number = 0;
	while (text.size > 0) {
		struct slice line = slice_trim(slice_next_line(&text));

		++*line_number;
		if (line.size == 0 || *line.data == '#')
			continue;
		if (!read_line(s, line, &has_trace))
			return false;
	}
	*line_number = 0;
	return s->n_batv > 0 && s->srs.n > 0 && has_trace;
}
