/* SPDX-License-Identifier: ISC */
/*
 * rdata.c - see rdata.h; RFC 1035 4.1, 3596 (AAAA), 6698 (TLSA).
 *
 * A pointer in a name must point before the octet where the name, or the
 * part of it that is being read, began: so that every name ends.
 */
#include <string.h>
#include "rdata.h"

#define TYPE_CNAME 5
#define TYPE_SOA 6
#define CLASS_IN 1
#define HEADER_SIZE 12
#define RCODE_NXDOMAIN 3

struct cursor {
	const uint8_t *data;
	size_t size, at;
	bool failed;
};

struct name {
	char text[DNS_NAME_MAX + 1];
	size_t size;
	bool is_plain;		/* can be held as text */
};

struct record {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl_s;
	size_t at, end;		/* of its data in the message */
};

/* ---- numbers and names ---- */

static uint32_t
get_number(struct cursor *c, size_t octets)
{
	uint32_t value = 0;

	if (c->failed || c->size - c->at < octets) {
		c->failed = true;
		return 0;
	}
	while (octets-- > 0)
		value = value << 8 | c->data[c->at++];
	return value;
}

static void
add_label(struct name *name, const uint8_t *label, size_t size)
{
	size_t dot = name->size > 0;

	if (name->size + dot + size > DNS_NAME_MAX) {
		name->is_plain = false;
		return;
	}
	if (dot)
		name->text[name->size++] = '.';
	for (size_t i = 0; i < size; i++) {
		char c = (char)label[i];

		if (c == '\0' || c == '.')
			name->is_plain = false;
		name->text[name->size++] = c >= 'A' && c <= 'Z' ?
		    (char)(c + ('a' - 'A')) : c;
	}
}

static void
get_name(struct cursor *c, struct name *name)
{
	size_t at = c->at, limit = c->at, octets = 1;
	bool has_jumped = false;

	*name = (struct name){ .is_plain = true };
	while (!c->failed) {
		struct cursor here = { c->data, c->size, at, false };
		uint32_t size = get_number(&here, 1);

		if (size >= 0xc0)
			size = size << 8 | get_number(&here, 1);
		if (!has_jumped)
			c->at = here.at;
		if (here.failed || (size > 63 && size < 0xc000)) {
			c->failed = true;
		} else if (size == 0) {
			return;
		} else if (size >= 0xc000) {
			at = size & 0x3fff;
			c->failed = at >= limit;
			limit = at;
			has_jumped = true;
		} else if (c->size - here.at < size ||
		    (octets += size + 1) > 255) {
			c->failed = true;
		} else {
			add_label(name, c->data + here.at, size);
			at = here.at + size;
			if (!has_jumped)
				c->at = at;
		}
	}
}

static bool
is_same(const struct name *a, const struct name *b)
{
	return a->is_plain && b->is_plain && a->size == b->size &&
	    memcmp(a->text, b->text, a->size) == 0;
}

/* ---- records ---- */

static bool
get_record(struct cursor *c, struct record *r)
{
	uint32_t size;

	get_name(c, &r->owner);
	r->type = (uint16_t)get_number(c, 2);
	r->class = (uint16_t)get_number(c, 2);
	r->ttl_s = get_number(c, 4);
	if (r->ttl_s > INT32_MAX)	/* RFC 2181 8 */
		r->ttl_s = 0;
	size = get_number(c, 2);
	r->at = c->at;
	if (c->failed || c->size - c->at < size) {
		c->failed = true;
		return false;
	}
	c->at += size;
	r->end = c->at;
	return true;
}

/* Room for size octets of one more record; NULL: it is cut. */
static char *
add_record(struct rdata *to, size_t size)
{
	struct dns_answer *a = &to->answer;
	char *room = to->text + to->used;

	if (a->n_records == DNS_RECORDS_MAX || size > sizeof to->text -
	    to->used) {
		a->is_cut = true;
		return NULL;
	}
	a->records[a->n_records++].data = (struct slice){ room, size };
	to->used += size;
	return room;
}

static void
add_octets(struct rdata *to, const uint8_t *data, size_t size)
{
	char *room = add_record(to, size);

	if (room != NULL && size > 0)
		memcpy(room, data, size);
}

/* ---- by type: false for malformed data ---- */

static bool
read_address(struct rdata *to, const struct cursor *c, size_t size)
{
	if (c->size - c->at != size)
		return false;
	add_octets(to, c->data + c->at, size);
	return true;
}

static bool
read_mx(struct rdata *to, struct cursor *c)
{
	uint32_t preference = get_number(c, 2);
	struct name host;
	char *room;

	get_name(c, &host);
	if (c->failed || c->at != c->size)
		return false;
	room = host.is_plain ? add_record(to, 2 + host.size) : NULL;
	if (room == NULL)
		return true;
	room[0] = (char)(preference >> 8);
	room[1] = (char)preference;
	memcpy(room + 2, host.text, host.size);
	return true;
}

static bool
read_name(struct rdata *to, struct cursor *c)
{
	struct name name;

	get_name(c, &name);
	if (c->failed || c->at != c->size)
		return false;
	if (name.is_plain)
		add_octets(to, (const uint8_t *)name.text, name.size);
	return true;
}

static bool
read_txt(struct rdata *to, const struct cursor *c)
{
	size_t joined = 0, size;
	char *room;

	if (c->at == c->size)
		return false;
	for (size_t at = c->at; at < c->size; at += size + 1) {
		size = c->data[at];
		if (c->size - at - 1 < size)
			return false;
		joined += size;
	}
	room = add_record(to, joined);
	if (room == NULL)
		return true;
	for (size_t at = c->at; at < c->size; at += size + 1) {
		size = c->data[at];
		memcpy(room, c->data + at + 1, size);
		room += size;
	}
	return true;
}

static bool
read_tlsa(struct rdata *to, const struct cursor *c)
{
	if (c->size - c->at < 4)
		return false;
	add_octets(to, c->data + c->at, c->size - c->at);
	return true;
}

static bool
read_data(struct rdata *to, enum dns_type type, struct slice packet,
    const struct record *r)
{
	struct cursor c = { (const uint8_t *)packet.data, r->end, r->at,
		false };

	switch (type) {
	case DNS_A:
		return read_address(to, &c, 4);
	case DNS_AAAA:
		return read_address(to, &c, 16);
	case DNS_MX:
		return read_mx(to, &c);
	case DNS_PTR:
	case DNS_CNAME:
		return read_name(to, &c);
	case DNS_TXT:
		return read_txt(to, &c);
	case DNS_TLSA:
		return read_tlsa(to, &c);
	}
	return false;
}

/* ---- messages ---- */

struct message {
	struct slice packet;
	unsigned rcode;
	unsigned n_answers, n_authorities;
	struct name question;
	struct cursor answers;		/* at the first of them */
};

static bool
get_message(struct message *m, struct slice packet)
{
	struct cursor c = { (const uint8_t *)packet.data, packet.size, 0,
		false };
	uint32_t flags, n_questions;

	*m = (struct message){ .packet = packet };
	get_number(&c, 2);
	flags = get_number(&c, 2);
	m->rcode = flags & 15;
	n_questions = get_number(&c, 2);
	m->n_answers = get_number(&c, 2);
	m->n_authorities = get_number(&c, 2);
	get_number(&c, 2);
	if (c.failed || !(flags & 0x8000) || n_questions != 1)
		return false;
	get_name(&c, &m->question);
	get_number(&c, 4);
	m->answers = c;
	return !c.failed;
}

static void
note_ttl(struct dns_answer *a, uint32_t ttl_s)
{
	if (ttl_s < a->ttl_s)
		a->ttl_s = ttl_s;
}

/* The next name of the chain; whether there was one. */
static bool
follow_cname(const struct message *m, struct name *name, struct dns_answer *a)
{
	struct cursor c = m->answers;
	struct record r;

	for (unsigned i = 0; i < m->n_answers && get_record(&c, &r); i++) {
		struct cursor data = { c.data, r.end, r.at, false };
		struct name target;

		if (r.type != TYPE_CNAME || r.class != CLASS_IN ||
		    !is_same(&r.owner, name))
			continue;
		get_name(&data, &target);
		if (data.failed || !target.is_plain)
			return false;
		*name = target;
		note_ttl(a, r.ttl_s);
		return true;
	}
	return false;
}

/* False when something is malformed. */
static bool
read_answers(struct rdata *to, enum dns_type type, const struct message *m,
    const struct name *name)
{
	struct cursor c = m->answers;
	struct record r;

	for (unsigned i = 0; i < m->n_answers; i++) {
		if (!get_record(&c, &r))
			return false;
		if (r.type != (uint16_t)type || r.class != CLASS_IN ||
		    !is_same(&r.owner, name))
			continue;
		if (!read_data(to, type, m->packet, &r))
			return false;
		note_ttl(&to->answer, r.ttl_s);
	}
	/* how long it may be remembered that there is nothing, RFC 2308 */
	for (unsigned i = 0; to->answer.n_records == 0 &&
	    i < m->n_authorities && get_record(&c, &r); i++)
		if (r.type == TYPE_SOA)
			note_ttl(&to->answer, r.ttl_s);
	return true;
}

/* Whatever stands at the end of the chain, and where that is. */
static bool
read_chain(struct rdata *to, enum dns_type type, const struct message *m)
{
	struct dns_answer *a = &to->answer;
	struct name name = m->question;
	unsigned i = 0;

	while (type != DNS_CNAME && i < RDATA_CHAIN_MAX &&
	    follow_cname(m, &name, a))
		i++;
	if (i > 0 && name.size > 0) {
		memcpy(to->canonical, name.text, name.size);
		a->canonical = (struct slice){ to->canonical, name.size };
	}
	return read_answers(to, type, m, &name);
}

void
rdata_read(struct rdata *to, enum dns_type type, struct slice packet)
{
	struct dns_answer *a = &to->answer;
	struct message m;
	bool is_good;

	*a = (struct dns_answer){ .status = DNS_FAILED, .ttl_s = UINT32_MAX };
	to->used = 0;
	is_good = get_message(&m, packet) &&
	    (m.rcode == 0 || m.rcode == RCODE_NXDOMAIN);
	is_good = is_good && read_chain(to, type, &m);
	/* nothing fits: that is not "there is nothing" */
	if (a->n_records == 0 && a->is_cut)
		is_good = false;
	if (is_good && m.rcode == RCODE_NXDOMAIN)
		a->status = DNS_NO_NAME;
	else if (is_good)
		a->status = a->n_records > 0 ? DNS_OK : DNS_NO_DATA;
	if (a->status != DNS_OK) {
		a->n_records = 0;
		a->is_cut = false;
	}
	if (!is_good || a->ttl_s == UINT32_MAX)
		a->ttl_s = 0;
}

bool
rdata_has_type(struct slice packet, uint16_t type)
{
	struct message m;
	struct record r;

	if (!get_message(&m, packet))
		return false;
	for (unsigned i = 0; i < m.n_answers + m.n_authorities &&
	    get_record(&m.answers, &r); i++)
		if (r.type == type)
			return true;
	return false;
}
