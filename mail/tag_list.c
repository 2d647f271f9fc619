/* SPDX-License-Identifier: ISC */
/*
 * tag_list.c - lists of tags and values; see tag_list.h.
 */
#include "octets.h"
#include "tag_list.h"

static bool
is_fws(char c)
{
	return is_space(c) || c == '\r' || c == '\n';
}

static struct slice
trim(struct slice s)
{
	while (s.size > 0 && is_fws(*s.data))
		s = slice_after(s, 1);
	while (s.size > 0 && is_fws(s.data[s.size - 1]))
		s.size--;
	return s;
}

/* RFC 6376 3.2: ALPHA *(ALPHA / DIGIT / "_"). */
static bool
is_tag_name(struct slice s)
{
	if (s.size == 0 || !is_alpha(*s.data))
		return false;
	for (size_t i = 1; i < s.size; i++)
		if (!is_alnum(s.data[i]) && s.data[i] != '_')
			return false;
	return true;
}

/* VALCHAR and white space; a ";" has ended it before. */
static bool
is_tag_value(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!is_fws(s.data[i]) &&
		    (is_control(s.data[i]) || !is_ascii(s.data[i])))
			return false;
	return true;
}

enum tag_step
tag_next(struct slice *rest, struct tag *tag)
{
	struct slice whole;
	size_t end, equals;

	*tag = (struct tag){ { "", 0 }, { "", 0 } };
	*rest = trim(*rest);
	if (rest->size == 0)
		return TAG_END;
	end = slice_find(*rest, ';');
	whole = slice_first(*rest, end);
	*rest = slice_after(*rest, end < rest->size ? end + 1 : end);
	equals = slice_find(whole, '=');
	if (equals == whole.size)
		return TAG_BAD;
	tag->name = trim(slice_first(whole, equals));
	tag->value = trim(slice_after(whole, equals + 1));
	return is_tag_name(tag->name) && is_tag_value(tag->value) ?
	    TAG_NEXT : TAG_BAD;
}

bool
tag_list_is_valid(struct slice list)
{
	struct slice names[TAG_LIST_MAX];
	struct tag tag;
	enum tag_step step;
	size_t n = 0;

	while ((step = tag_next(&list, &tag)) == TAG_NEXT) {
		if (n == TAG_LIST_MAX)
			return false;
		for (size_t i = 0; i < n; i++)
			if (slice_equals(names[i], tag.name))
				return false;
		names[n++] = tag.name;
	}
	return step == TAG_END && n > 0;
}

bool
tag_find(struct slice list, const char *name, struct slice *value)
{
	struct tag tag;
	enum tag_step step;

	while ((step = tag_next(&list, &tag)) != TAG_END)
		if (step == TAG_NEXT &&
		    slice_equals(tag.name, slice_of(name))) {
			*value = tag.value;
			return true;
		}
	*value = (struct slice){ "", 0 };
	return false;
}

bool
tag_item(struct slice *rest, char separator, struct slice *item)
{
	size_t end;

	if (rest->data == NULL)
		return false;
	end = slice_find(*rest, separator);
	*item = trim(slice_first(*rest, end));
	if (end < rest->size)
		*rest = slice_after(*rest, end + 1);
	else
		*rest = (struct slice){ NULL, 0 };
	return true;
}

bool
tag_has_item(struct slice list, char separator, const char *item)
{
	struct slice found;

	while (tag_item(&list, separator, &found))
		if (slice_equals_nocase(found, slice_of(item)))
			return true;
	return false;
}
