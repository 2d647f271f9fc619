/* SPDX-License-Identifier: ISC */
/*
 * spf_walk.c - limits, records and names of one evaluation; see spf_walk.h.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "spf_walk.h"

#define EXPANDED_MAX 16384	/* octets of one macro-string */

bool
spf_walk_client(struct spf_walk *w, const char *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	w->is_ip6 = inet_pton(AF_INET6, ip, w->client) == 1;
	if (!w->is_ip6)
		return inet_pton(AF_INET, ip, w->client) == 1;
	if (memcmp(w->client, mapped, sizeof mapped) == 0) {
		w->is_ip6 = false;
		memmove(w->client, w->client + 12, 4);
	}
	return true;
}

bool
spf_walk_is_over(const struct spf_walk *w)
{
	return w->is_missing || w->is_failed;
}

/* Names and terms in it are a stranger's. */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
spf_walk_fail(struct spf_walk *w, enum spf_result result,
    const char *format, ...)
{
	va_list ap;

	if (spf_walk_is_over(w))
		return;
	w->is_failed = true;
	w->result = result;
	va_start(ap, format);
	vsnprintf(w->problem, sizeof w->problem, format, ap);
	va_end(ap);
	clean(w->problem);
}

static const char *
kind_name(enum fact_kind kind)
{
	switch (kind) {
	case FACT_DNS_A:
		return "A";
	case FACT_DNS_AAAA:
		return "AAAA";
	case FACT_DNS_MX:
		return "MX";
	case FACT_DNS_PTR:
		return "PTR";
	default:
		return "TXT";
	}
}

bool
spf_walk_dns(struct spf_walk *w, enum fact_kind kind, const char *name,
    struct dns_answer *answer)
{
	if (facts_dns(w->facts, kind, slice_of(name), answer))
		return true;
	/* more than one question may hold: silence, not an answer */
	if (w->facts->is_over)
		spf_walk_fail(w, SPF_TEMPERROR, "too many answers needed, "
		    "at %s of %.100s", kind_name(kind), name);
	else
		w->is_missing = true;
	return false;
}

enum fact_kind
spf_walk_address_kind(const struct spf_walk *w)
{
	return w->is_ip6 ? FACT_DNS_AAAA : FACT_DNS_A;
}

bool
spf_walk_count(struct spf_walk *w)
{
	if (++w->n_lookups <= SPF_LOOKUPS_MAX)
		return true;
	spf_walk_fail(w, SPF_PERMERROR, "more than %d look-ups",
	    SPF_LOOKUPS_MAX);
	return false;
}

bool
spf_walk_count_void(struct spf_walk *w)
{
	if (++w->n_voids <= SPF_VOIDS_MAX)
		return true;
	spf_walk_fail(w, SPF_PERMERROR, "more than %d look-ups without an "
	    "answer", SPF_VOIDS_MAX);
	return false;
}

/* i: octets, or upper-case nibbles, with dots. */
static void
put_dotted(const struct spf_walk *w, char *to)
{
	static const char digits[] = "0123456789ABCDEF";

	if (!w->is_ip6) {
		inet_ntop(AF_INET, w->client, to, INET_ADDRSTRLEN);
		return;
	}
	for (size_t i = 0; i < 16; i++) {
		*to++ = digits[w->client[i] >> 4];
		*to++ = '.';
		*to++ = digits[w->client[i] & 15];
		*to++ = i < 15 ? '.' : '\0';
	}
}

#define VALUE(values, letter) ((values)->of[(letter) - 'a'])

bool
spf_walk_values(struct spf_walk *w, size_t record, struct slice text,
    struct spf_values *values, char room[SPF_VALUES_ROOM])
{
	char *dotted = room, *pretty = room + 64, *when = room + 128;
	char *confirmed = room + 160, *sender = room + 160 + 256;
	const char *domain = w->records[record].domain;

	put_dotted(w, dotted);
	inet_ntop(w->is_ip6 ? AF_INET6 : AF_INET, w->client, pretty, 64);
	snprintf(when, 32, "%" PRId64, w->query->time_s);
	snprintf(sender, SPF_VALUES_ROOM - 416, "%s@%s", w->local,
	    w->sender_domain);
	*confirmed = '\0';
	if (spf_macro_uses(text, 'p') &&
	    !spf_ptr_name(w, domain, confirmed))
		return false;
	*values = (struct spf_values){ 0 };
	VALUE(values, 's') = slice_of(sender);
	VALUE(values, 'l') = slice_of(w->local);
	VALUE(values, 'o') = slice_of(w->sender_domain);
	VALUE(values, 'd') = slice_of(domain);
	VALUE(values, 'i') = slice_of(dotted);
	VALUE(values, 'p') = slice_of(confirmed);
	VALUE(values, 'v') = w->is_ip6 ? SLICE("ip6") : SLICE("in-addr");
	VALUE(values, 'h') = w->query->helo;
	VALUE(values, 'c') = slice_of(pretty);
	VALUE(values, 'r') = w->query->host.size > 0 ? w->query->host :
	    SLICE("unknown");
	VALUE(values, 't') = slice_of(when);
	return true;
}

/* Drop labels from the left until it fits (7.3), and a final dot. */
static struct slice
fit_name(struct slice name)
{
	if (name.size > 0 && name.data[name.size - 1] == '.')
		name.size--;
	while (name.size > DNS_NAME_MAX) {
		size_t dot = slice_find(name, '.');

		if (dot == name.size)
			break;
		name.data += dot + 1;
		name.size -= dot + 1;
	}
	return name;
}

/* Octets that no label of a sender's may hold here: controls, NUL, and what
 * is not ASCII, which never matches (RFC 8616 4). */
static bool
is_usable(struct slice name)
{
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] < ' ' || name.data[i] > '~')
			return false;
	return name.size > 0;
}

bool
spf_walk_name(struct spf_walk *w, const struct spf_handed *term,
    char name[DNS_NAME_MAX + 1], bool *is_name)
{
	char room[SPF_VALUES_ROOM];
	struct spf_values values;
	struct buf out = { .maximum = EXPANDED_MAX };
	struct slice fitted;
	int error;

	*is_name = true;
	if (term->spec.size == 0) {
		memcpy(name, w->records[term->record].domain,
		    DNS_NAME_MAX + 1);
		return true;
	}
	*name = '\0';
	if (!spf_walk_values(w, term->record, term->spec, &values, room))
		return false;
	error = spf_macro_expand(&out, term->spec, &values);
	fitted = fit_name(buf_slice(&out));
	if (error)
		spf_walk_fail(w, SPF_PERMERROR, "expands to too much: %.*s",
		    (int)(term->spec.size > 100 ? 100 : term->spec.size),
		    term->spec.data);
	else
		*is_name = is_usable(fitted) && dns_name(name, fitted);
	buf_free(&out);
	return error == 0;
}
