/* SPDX-License-Identifier: ISC */
/*
 * names.c - partial names; see names.h.
 */
#include <stdio.h>
#include <string.h>
#include "names.h"
#include "utf8.h"

/*
 * Latin-1 Supplement and Latin Extended-A, U+00C0 to U+017F, as the ASCII
 * letters that people type for them; "" where there are none.
 */
static const char *const ascii_forms[0x180 - 0xc0] = {
	"a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e",
	"i", "i", "i", "i", "d", "n", "o", "o", "o", "o", "o", "",
	"o", "u", "u", "u", "u", "y", "th", "ss",
	"a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e",
	"i", "i", "i", "i", "d", "n", "o", "o", "o", "o", "o", "",
	"o", "u", "u", "u", "u", "y", "th", "y",
	"a", "a", "a", "a", "a", "a", "c", "c", "c", "c", "c", "c",
	"c", "c", "d", "d", "d", "d", "e", "e", "e", "e", "e", "e",
	"e", "e", "e", "e", "g", "g", "g", "g", "g", "g", "g", "g",
	"h", "h", "h", "h", "i", "i", "i", "i", "i", "i", "i", "i",
	"i", "i", "ij", "ij", "j", "j", "k", "k", "k", "l", "l", "l",
	"l", "l", "l", "l", "l", "l", "l", "n", "n", "n", "n", "n",
	"n", "n", "n", "n", "o", "o", "o", "o", "o", "o", "oe", "oe",
	"r", "r", "r", "r", "r", "r", "s", "s", "s", "s", "s", "s",
	"s", "s", "t", "t", "t", "t", "t", "t", "u", "u", "u", "u",
	"u", "u", "u", "u", "u", "u", "u", "u", "w", "w", "y", "y",
	"y", "z", "z", "z", "z", "z", "z", "s",
};

/* The ASCII form of a two-octet character, or NULL to keep it. */
static const char *
ascii_form(struct slice c)
{
	unsigned code = ((unsigned char)c.data[0] & 0x1fu) << 6 |
	    ((unsigned char)c.data[1] & 0x3fu);
	const char *form = code >= 0xc0 && code < 0x180 ?
	    ascii_forms[code - 0xc0] : "";

	return form != NULL && *form != '\0' ? form : NULL;
}

static bool
put(char *to, size_t room, size_t *used, const char *from, size_t size)
{
	if (size >= room - *used)
		return false;
	memcpy(to + *used, from, size);
	*used += size;
	return true;
}

bool
names_fold(char *to, size_t room, struct slice text)
{
	size_t used = 0;
	bool fits = room > 0;

	while (fits && text.size > 0) {
		size_t n = utf8_char_size(text);
		const char *form = n == 2 ? ascii_form(text) : NULL;
		char c = *text.data;

		if (n <= 1) {
			n = 1;
			if (c >= 'A' && c <= 'Z')
				c = (char)(c + ('a' - 'A'));
			fits = put(to, room, &used, &c, 1);
		} else if (form != NULL) {
			fits = put(to, room, &used, form, strlen(form));
		} else {
			fits = put(to, room, &used, text.data, n);
		}
		text.data += n;
		text.size -= n;
	}
	if (room > 0)
		to[fits ? used : 0] = '\0';
	return fits;
}

static void
add_key(struct names_keys *keys, const char *first, const char *between,
    const char *last)
{
	char *key = keys->keys[keys->n];
	int n = snprintf(key, NAMES_KEY_MAX, "%s%s%s", first, between, last);

	if (n <= 0 || n >= NAMES_KEY_MAX || keys->n == NAMES_MAX_KEYS)
		return;
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->keys[i], key) == 0)
			return;
	keys->n++;
}

/* One word that can stand in a local part: letters, digits, - and '. */
static bool
is_word(struct slice word)
{
	for (size_t i = 0; i < word.size; i++) {
		unsigned char c = (unsigned char)word.data[i];

		if (c <= 0x20 || c == 0x7f || c == '@' || c == '/' ||
		    c == '"' || c == '\\' || c == '<' || c == '>')
			return false;
	}
	return word.size > 0;
}

void
names_make_keys(struct names_keys *keys, struct slice real_name)
{
	char first[NAMES_KEY_MAX / 2], last[NAMES_KEY_MAX / 2];
	struct slice name = slice_trim(real_name), word;
	size_t space;

	keys->n = 0;
	word = (struct slice){ name.data, slice_find(name, ' ') };
	if (!is_word(word) || !names_fold(first, sizeof first, word))
		return;
	if (word.size == name.size) {
		add_key(keys, first, "", "");
		return;
	}
	for (space = name.size; name.data[space - 1] != ' '; space--)
		;
	word = (struct slice){ name.data + space, name.size - space };
	if (!is_word(word) || !names_fold(last, sizeof last, word))
		return;
	add_key(keys, first, ".", last);
	add_key(keys, first, "_", last);
	add_key(keys, last, "", "");
	add_key(keys, first, "", "");
}

bool
names_from_gecos(char *to, size_t room, const char *gecos, const char *login)
{
	size_t size = strcspn(gecos, ","), used = 0;
	bool fits = room > 0;

	for (size_t i = 0; fits && i < size; i++) {
		size_t begin = used;

		if (gecos[i] != '&') {
			fits = put(to, room, &used, &gecos[i], 1);
			continue;
		}
		fits = put(to, room, &used, login, strlen(login));
		if (fits && used > begin && to[begin] >= 'a' &&
		    to[begin] <= 'z')
			to[begin] = (char)(to[begin] - ('a' - 'A'));
	}
	if (room > 0)
		to[fits ? used : 0] = '\0';
	return fits && used > 0;
}
