/* SPDX-License-Identifier: ISC */
/*
 * facts.c - sets of facts; see facts.h.
 *
 * A set is small (some dozens), so it is searched from its front. Each fact
 * is one allocation that holds its key and its value.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "ask.h"
#include "facts.h"
#include "ipc.h"
#include "pack.h"

#define FACT_OVERHEAD 6		/* kind and two lengths */

static bool
is_kind(unsigned kind)
{
	return (kind >= FACT_TIME && kind <= FACT_IS_TAGGED) ||
	    (kind >= FACT_DNS_A && kind <= FACT_DNS_PTR) ||
	    (kind >= FACT_GREYLIST && kind <= FACT_TRACE) ||
	    kind == FACT_RESULT;
}

static bool
is_asked(enum fact_kind kind)
{
	return kind >= FACT_DNS_A && kind < FACT_RESULT;
}

static size_t
bytes_of(const struct fact *fact)
{
	return FACT_OVERHEAD + fact->key.size + fact->value.size;
}

static struct fact *
find(struct fact *items, size_t n, enum fact_kind kind, struct slice key)
{
	for (size_t i = 0; i < n; i++)
		if (items[i].kind == kind && slice_equals(items[i].key, key))
			return &items[i];
	return NULL;
}

static void
release(struct fact *fact)
{
	free((void *)(uintptr_t)fact->key.data);
}

/* Append to a list of *n; it doubles whenever *n is a power of two. */
static int
append(struct fact **items, size_t *n, const struct fact *fact)
{
	struct fact *grown;
	char *copy;

	if ((*n & (*n - 1)) == 0) {
		grown = reallocarray(*items, *n ? *n * 2 : 1, sizeof **items);
		if (grown == NULL)
			return -ENOMEM;
		*items = grown;
	}
	copy = malloc(fact->key.size + fact->value.size + 1);
	if (copy == NULL)
		return -ENOMEM;
	if (fact->key.size > 0)
		memcpy(copy, fact->key.data, fact->key.size);
	if (fact->value.size > 0)
		memcpy(copy + fact->key.size, fact->value.data,
		    fact->value.size);
	(*items)[(*n)++] = (struct fact){ fact->kind,
		{ copy, fact->key.size },
		{ copy + fact->key.size, fact->value.size } };
	return 0;
}

static bool
has_room(const struct facts *f, const struct fact *fact)
{
	return f->n + f->n_wanted < FACTS_MAX &&
	    bytes_of(fact) <= FACTS_BYTES_MAX - f->bytes;
}

static int
add_to(struct facts *f, bool is_wanted, const struct fact *fact)
{
	int error = -ENOBUFS;

	if (fact->key.size <= FACT_KEY_MAX &&
	    fact->value.size <= FACT_VALUE_MAX && has_room(f, fact))
		error = is_wanted ? append(&f->wanted, &f->n_wanted, fact) :
		    append(&f->items, &f->n, fact);
	if (error)
		f->is_over = true;
	else
		f->bytes += bytes_of(fact);
	return error;
}

/* It is known now, or about to be. */
static void
forget_wanted(struct facts *f, const struct fact *known)
{
	struct fact *wanted = find(f->wanted, f->n_wanted, known->kind,
	    known->key);

	if (wanted == NULL)
		return;
	f->bytes -= bytes_of(wanted);
	release(wanted);
	*wanted = f->wanted[--f->n_wanted];
}

int
facts_add(struct facts *f, enum fact_kind kind, struct slice key,
    struct slice value)
{
	struct fact fact = { (uint16_t)kind, key, value };
	int error;

	if (find(f->items, f->n, kind, key) != NULL)
		return -EEXIST;
	error = add_to(f, false, &fact);
	if (error == 0)
		forget_wanted(f, &f->items[f->n - 1]);
	return error;
}

int
facts_add_all(struct facts *f, const struct facts *from)
{
	for (size_t i = 0; i < from->n; i++) {
		int error = facts_add(f, from->items[i].kind,
		    from->items[i].key, from->items[i].value);

		if (error && error != -EEXIST)
			return error;
	}
	return 0;
}

bool
facts_find(const struct facts *f, enum fact_kind kind, struct slice key,
    struct slice *value)
{
	const struct fact *fact = find(f->items, f->n, kind, key);

	*value = fact != NULL ? fact->value : SLICE("");
	return fact != NULL;
}

bool
facts_get(struct facts *f, enum fact_kind kind, struct slice key,
    struct slice *value)
{
	struct fact fact = { (uint16_t)kind, key, { NULL, 0 } };

	if (facts_find(f, kind, key, value))
		return true;
	if (find(f->wanted, f->n_wanted, kind, key) == NULL)
		add_to(f, true, &fact);
	return false;
}

bool
facts_dns(struct facts *f, enum fact_kind kind, struct slice name,
    struct dns_answer *answer)
{
	char key[DNS_NAME_MAX + 1];
	struct slice value;

	memset(answer, 0, offsetof(struct dns_answer, records));
	answer->status = DNS_NO_NAME;
	if (!dns_name(key, name))
		return true;
	answer->status = DNS_FAILED;
	if (!facts_get(f, kind, slice_of(key), &value))
		return false;
	get_dns_answer(value, answer);
	return true;
}

static void
free_list(struct fact *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		release(&items[i]);
	free(items);
}

void
facts_free(struct facts *f)
{
	free_list(f->items, f->n);
	free_list(f->wanted, f->n_wanted);
	*f = (struct facts){ 0 };
}

/* Facts of a list from *at on, as long as they fit into room octets. */
static int
put_list(struct buf *to, const struct fact *items, size_t n, size_t *at,
    size_t room)
{
	struct pack p = { .out = to };
	size_t size = to->size, octets = 2, end = *at;

	while (end < n && octets + bytes_of(&items[end]) <= room)
		octets += bytes_of(&items[end++]);
	if (end == *at && end < n)
		return -ENOBUFS;
	pack_u16(&p, (uint16_t)(end - *at));
	for (size_t i = *at; i < end; i++) {
		pack_u16(&p, items[i].kind);
		pack_slice(&p, items[i].key);
		pack_slice(&p, items[i].value);
	}
	if (p.error)
		to->size = size;
	else
		*at = end;
	return p.error;
}

int
put_facts(struct buf *to, const struct facts *f)
{
	size_t at = 0;

	return put_list(to, f->items, f->n, &at, SIZE_MAX);
}

int
put_facts_part(struct buf *to, const struct facts *f, size_t *at,
    size_t room)
{
	return put_list(to, f->items, f->n, at, room);
}

int
put_wanted(struct buf *to, const struct facts *f)
{
	size_t at = 0;

	return put_list(to, f->wanted, f->n_wanted, &at, SIZE_MAX);
}

static bool
get_fact(struct ipc_reader *r, struct fact *fact)
{
	fact->kind = ipc_get_u16(r);
	fact->key = ipc_get_slice(r);
	fact->value = ipc_get_slice(r);
	return !r->failed && is_kind(fact->kind);
}

bool
get_facts(struct slice from, struct facts *f)
{
	struct ipc_reader r;
	struct fact fact;

	ipc_reader_init(&r, from.data, from.size);
	do {
		for (size_t n = ipc_get_u16(&r); n > 0; n--)
			if (!get_fact(&r, &fact) || facts_add(f, fact.kind,
			    fact.key, fact.value) != 0)
				return false;
	} while (!r.failed && r.at < r.size);
	return ipc_reader_is_done(&r);
}

static bool
is_dns_key(struct slice key)
{
	char name[DNS_NAME_MAX + 1];

	/* one that dns_name would change is not as it made it */
	return dns_name(name, key) && slice_equals(key, slice_of(name));
}

/* Network, sender and recipient, a line each. */
static bool
is_greylist_key(struct slice key)
{
	return slice_next_line(&key).size <= GREY_NETWORK_MAX &&
	    slice_next_line(&key).size <= GREY_ADDRESS_MAX &&
	    key.size <= GREY_ADDRESS_MAX;
}

/*
 * Resolver and store would take another for a lie of whoever asks for policy,
 * and have that one killed. (Proofs have checks of their own.)
 */
static bool
is_askable(const struct fact *fact)
{
	if (fact_dns_type(fact->kind) != 0)
		return is_dns_key(fact->key);
	return fact->kind != FACT_GREYLIST || is_greylist_key(fact->key);
}

bool
get_wanted(struct slice from, struct facts *f)
{
	struct ipc_reader r;
	struct fact fact;

	ipc_reader_init(&r, from.data, from.size);
	for (size_t n = ipc_get_u16(&r); n > 0; n--)
		if (!get_fact(&r, &fact) || !is_asked(fact.kind) ||
		    !is_askable(&fact) || fact.value.size > 0 ||
		    find(f->wanted, f->n_wanted, fact.kind, fact.key) ||
		    add_to(f, true, &fact) != 0)
			return false;
	return ipc_reader_is_done(&r);
}

enum dns_type
fact_dns_type(enum fact_kind kind)
{
	switch (kind) {
	case FACT_DNS_A:
		return DNS_A;
	case FACT_DNS_AAAA:
		return DNS_AAAA;
	case FACT_DNS_MX:
		return DNS_MX;
	case FACT_DNS_TXT:
		return DNS_TXT;
	case FACT_DNS_PTR:
		return DNS_PTR;
	default:
		return 0;
	}
}
