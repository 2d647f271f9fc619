/* SPDX-License-Identifier: ISC */
/*
 * address_form.c - addresses written, split and reduced; see address.h.
 */
#include "address.h"
#include "octets.h"
#include "utf8.h"

/* Can it be written without quotes? */
static bool
is_dot_string(struct slice local)
{
	char last = '.';

	for (size_t i = 0; i < local.size; i++) {
		char c = local.data[i];

		if (c == '.' ? last == '.' : is_ascii(c) && !is_atext(c))
			return false;
		last = c;
	}
	return last != '.';
}

struct writer {
	char *at;
	size_t room;		/* left, the terminator included */
};

static bool
put(struct writer *w, struct slice s)
{
	if (!slice_copy(w->at, w->room, s))
		return false;
	w->at += s.size;
	w->room -= s.size;
	return true;
}

static bool
put_quoted(struct writer *w, struct slice local)
{
	if (!put(w, SLICE("\"")))
		return false;
	for (size_t i = 0; i < local.size; i++) {
		char c = local.data[i];

		if ((c == '"' || c == '\\') && !put(w, SLICE("\\")))
			return false;
		if (!put(w, (struct slice){ &c, 1 }))
			return false;
	}
	return put(w, SLICE("\""));
}

static bool
write_parts(struct writer *w, struct slice local, struct slice domain)
{
	if (slice_has_control(local) || !utf8_is_valid(local) ||
	    slice_has_control(domain) || !utf8_is_valid(domain))
		return false;
	if (!(is_dot_string(local) ? put(w, local) : put_quoted(w, local)))
		return false;
	return domain.size == 0 || (put(w, SLICE("@")) && put(w, domain));
}

bool
address_write(char *to, size_t room, struct slice local, struct slice domain)
{
	struct writer w = { to, room };

	if (write_parts(&w, local, domain))
		return true;
	if (room > 0)
		*to = '\0';
	return false;
}

bool
address_split_plus(struct slice local, const char *separators,
    struct slice *user, struct slice *tag)
{
	for (size_t i = 1; i < local.size; i++) {
		if (strchr(separators, local.data[i]) == NULL ||
		    local.data[i] == '\0')
			continue;
		*user = slice_first(local, i);
		*tag = slice_after(local, i + 1);
		return true;
	}
	*user = local;
	*tag = (struct slice){ local.data + local.size, 0 };
	return false;
}

/*
 * A BATV tag: three digits of day, perhaps a key generation in front, then
 * hexadecimal digits. The draft has ten in all, some sites write nine.
 */
static bool
is_batv_tag(struct slice s)
{
	if (s.size < 9 || s.size > 10)
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (!(i < 3 ? is_digit(s.data[i]) : is_hex(s.data[i])))
			return false;
	return true;
}

/* s after its n-th "="; empty if there are fewer. */
static struct slice
after_equals(struct slice s, unsigned n)
{
	for (; n > 0 && s.size > 0; n--) {
		size_t at = slice_find(s, '=');

		s = slice_after(s, at < s.size ? at + 1 : at);
	}
	return s;
}

static struct slice
strip_prvs(struct slice local)
{
	struct slice s = slice_after(local, 5);
	size_t first = slice_find(s, '=');
	size_t last = s.size;

	if (is_batv_tag(slice_first(s, first)))
		return after_equals(s, 1);
	while (last > 0 && s.data[last - 1] != '=')
		last--;
	if (last > 1 && is_batv_tag(slice_after(s, last)))
		return slice_first(s, last - 1);
	return local;
}

/* btv1==TAG==user */
static struct slice
strip_btv1(struct slice local)
{
	struct slice s = slice_after(local, 6);
	size_t at = slice_find(s, '=');

	if (at == 0 || at + 1 >= s.size || s.data[at + 1] != '=')
		return local;
	return slice_after(s, at + 2);
}

/* SRS0=HHH=TT=host=user; the first separator may be "+" or "-" too. */
static struct slice
strip_srs0(struct slice local)
{
	return after_equals(slice_after(local, 5), 2);
}

/* SRS1=HHH=forwarder==HHH=TT=host=user */
static struct slice
strip_srs1(struct slice local)
{
	struct slice s = after_equals(slice_after(local, 5), 2);

	if (s.size > 0 && (*s.data == '=' || *s.data == '+' || *s.data == '-'))
		return after_equals(slice_after(s, 1), 2);
	return local;
}

/* user+tag=host */
static struct slice
strip_verp(struct slice local)
{
	size_t plus = slice_find(local, '+');
	size_t equals;

	if (plus == 0 || plus == local.size)
		return local;
	equals = slice_find(slice_after(local, plus + 1), '=');
	if (equals == 0 || plus + 1 + equals + 1 >= local.size)
		return local;
	return slice_first(local, plus);
}

static const struct {
	struct slice prefix;
	const char *then;	/* one of these follows; "": nothing need */
	struct slice (*strip)(struct slice local);
} tags[] = {
	{ { "prvs=", 5 }, "", strip_prvs },
	{ { "btv1==", 6 }, "", strip_btv1 },
	{ { "SRS0", 4 }, "=+-", strip_srs0 },
	{ { "SRS1", 4 }, "=+-", strip_srs1 },
	{ { "", 0 }, "", strip_verp },
};
#define N_TAGS (sizeof(tags) / sizeof(tags[0]))

static bool
has_tag(struct slice local, size_t i)
{
	size_t n = tags[i].prefix.size;

	if (!slice_starts_nocase(local, tags[i].prefix))
		return false;
	return *tags[i].then == '\0' ||
	    (local.size > n && local.data[n] != '\0' &&
	    strchr(tags[i].then, local.data[n]) != NULL);
}

static struct slice
strip_one(struct slice local)
{
	for (size_t i = 0; i < N_TAGS; i++) {
		struct slice left;

		if (!has_tag(local, i))
			continue;
		left = tags[i].strip(local);
		if (left.size > 0 && left.size < local.size)
			return left;
	}
	return local;
}

/* Tags come nested: a signed VERP address has both. */
struct slice
address_strip_tags(struct slice local)
{
	for (int depth = 0; depth < 4; depth++) {
		struct slice left = strip_one(local);

		if (left.size == local.size)
			break;
		local = left;
	}
	return local;
}

/* Without quotes: a key is compared, never parsed, and always fits. */
void
address_write_key(char *to, const struct address *a)
{
	struct writer w = { to, ADDRESS_TEXT_MAX + 1 };

	put(&w, address_strip_tags(slice_of(a->local)));
	if (a->domain[0] != '\0') {
		put(&w, SLICE("@"));
		put(&w, slice_of(a->domain));
	}
}
