/* SPDX-License-Identifier: ISC */
/*
 * sts.c - see sts.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "big_endian.h"
#include "sts.h"

#define FIXED 18			/* octets before the id */
#define WHOLE_MAX (FIXED + STS_KEPT_ID_MAX + STS_KEPT_TEXT_MAX + HMAC_SIZE)
#define PIECES_MAX ((WHOLE_MAX + KV_VALUE_MAX - 1) / KV_VALUE_MAX)

struct domain {
	char name[DNS_NAME_MAX + 1];
};

struct sts_table {
	struct kv_table *table;
	struct hmac *hmac;
	struct domain *domains;		/* sorted, STS_KEPT_MAX of them */
	size_t n;
	char whole[WHOLE_MAX];		/* of the last one */
	size_t size;
};

/* ---- which there are ---- */

/* Where it stands, or where it belongs. */
static size_t
place_of(const struct sts_table *t, const char *name)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(t->domains[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct sts_table *t, size_t place, const char *name)
{
	return place < t->n && strcmp(t->domains[place].name, name) == 0;
}

static bool
list_add(struct sts_table *t, const char *name)
{
	size_t place = place_of(t, name);

	if (is_at(t, place, name))
		return true;
	if (t->n == STS_KEPT_MAX)
		return false;
	memmove(t->domains + place + 1, t->domains + place,
	    (t->n - place) * sizeof *t->domains);
	(void)slice_copy(t->domains[place].name,
	    sizeof t->domains[place].name, slice_of(name));
	t->n++;
	return true;
}

static void
list_remove(struct sts_table *t, size_t place)
{
	t->n--;
	memmove(t->domains + place, t->domains + place + 1,
	    (t->n - place) * sizeof *t->domains);
}

/* ---- pieces ---- */

struct key {
	char octets[DNS_NAME_MAX + 2];
	size_t size;
};

static struct key
key_of(const char *domain, unsigned piece)
{
	struct key key = { .size = strlen(domain) + 2 };

	memcpy(key.octets, domain, key.size - 1);
	key.octets[key.size - 1] = (char)piece;
	return key;
}

static struct slice
key_slice(const struct key *key)
{
	return (struct slice){ key->octets, key->size };
}

/* From this piece on. */
static int
remove_pieces(struct sts_table *t, const char *domain, unsigned first)
{
	int error = 0;

	for (unsigned i = first; !error && i < PIECES_MAX; i++) {
		const struct key key = key_of(domain, i);

		error = kv_delete(t->table, key_slice(&key));
		if (error == -ENOENT)
			error = 0;
	}
	return error;
}

static int
make_mac(struct sts_table *t, const char *domain, size_t size,
    uint8_t mac[HMAC_SIZE])
{
	const struct slice fields[] = { SLICE("sts policy"),
		slice_of(domain), { t->whole, size } };

	return hmac_fields(t->hmac, fields, 3, mac);
}

static int
read_pieces(struct sts_table *t, const char *domain)
{
	unsigned n = 1;

	t->size = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct key key = key_of(domain, i);
		size_t size;
		int error = kv_get(t->table, key_slice(&key),
		    t->whole + t->size, sizeof t->whole - t->size, &size);

		if (error)
			return error;
		t->size += size;
		if (i == 0)
			n = size > 0 ? (uint8_t)t->whole[0] : 0;
		if (n > PIECES_MAX)
			return -EBADMSG;
	}
	return 0;
}

/* Whole and unchanged. */
static int
read_whole(struct sts_table *t, const char *domain, struct sts_kept *p)
{
	const uint8_t *octets = (const uint8_t *)t->whole;
	uint8_t mac[HMAC_SIZE];
	size_t id, size;
	int error = read_pieces(t, domain);

	if (error)
		return error;
	if (t->size < FIXED + HMAC_SIZE)
		return -EBADMSG;
	size = t->size - HMAC_SIZE;
	id = octets[FIXED - 1];
	error = make_mac(t, domain, size, mac);
	if (error)
		return error;
	if (memcmp(mac, t->whole + size, HMAC_SIZE) != 0 ||
	    id > size - FIXED)
		return -EBADMSG;
	*p = (struct sts_kept){ .domain = slice_of(domain),
		.id = { t->whole + FIXED, id },
		.fetched_s = big_endian_get(octets + 1, 8),
		.expires_s = big_endian_get(octets + 9, 8),
		.text = { t->whole + FIXED + id, size - FIXED - id } };
	return 0;
}

static int
write_whole(struct sts_table *t, const char *domain,
    const struct sts_kept *p)
{
	uint8_t *octets = (uint8_t *)t->whole;
	size_t size = FIXED + p->id.size + p->text.size;
	unsigned n = (unsigned)((size + HMAC_SIZE + KV_VALUE_MAX - 1) /
	    KV_VALUE_MAX);
	int error;

	octets[0] = (uint8_t)n;
	big_endian_put(octets + 1, p->fetched_s, 8);
	big_endian_put(octets + 9, p->expires_s, 8);
	octets[FIXED - 1] = (uint8_t)p->id.size;
	if (p->id.size > 0)
		memcpy(t->whole + FIXED, p->id.data, p->id.size);
	memcpy(t->whole + FIXED + p->id.size, p->text.data, p->text.size);
	error = make_mac(t, domain, size, octets + size);
	size += HMAC_SIZE;
	for (unsigned i = 0; !error && i < n; i++) {
		const struct key key = key_of(domain, i);
		size_t at = (size_t)i * KV_VALUE_MAX;

		error = kv_put(t->table, key_slice(&key),
		    (struct slice){ t->whole + at, size - at < KV_VALUE_MAX ?
		    size - at : KV_VALUE_MAX }, (int64_t)p->expires_s);
	}
	return error ? error : remove_pieces(t, domain, n);
}

/* ---- for store ---- */

static int
forget(struct sts_table *t, const char *domain)
{
	size_t place = place_of(t, domain);

	if (!is_at(t, place, domain))
		return 0;
	list_remove(t, place);
	return remove_pieces(t, domain, 0);
}

/* Those that nobody can read any more make room. */
static int
sweep(struct sts_table *t)
{
	struct sts_kept p;
	int error = 0;

	for (size_t i = t->n; !error && i-- > 0;) {
		struct domain domain = t->domains[i];

		error = read_whole(t, domain.name, &p);
		if (error == -ENOENT || error == -EBADMSG)
			error = forget(t, domain.name);
	}
	return error;
}

int
sts_keep(struct sts_table *t, const struct sts_kept *p)
{
	char domain[DNS_NAME_MAX + 1];
	int error = 0;

	if (!slice_copy(domain, sizeof domain, p->domain) ||
	    p->text.size > STS_KEPT_TEXT_MAX || p->id.size > STS_KEPT_ID_MAX)
		return -EINVAL;
	if (p->text.size == 0)
		return forget(t, domain);
	if (t->n == STS_KEPT_MAX &&
	    !is_at(t, place_of(t, domain), domain))
		error = sweep(t);
	if (error)
		return error;
	return list_add(t, domain) ? write_whole(t, domain, p) : -ENOSPC;
}

int
sts_next(struct sts_table *t, struct slice behind, struct sts_kept *p)
{
	char name[DNS_NAME_MAX + 1];
	size_t place;

	if (!slice_copy(name, sizeof name, behind))
		return -EINVAL;
	place = place_of(t, name);
	place += is_at(t, place, name);
	while (place < t->n) {
		struct domain domain = t->domains[place];
		int error = read_whole(t, domain.name, p);

		if (!error)
			p->domain = slice_of(t->domains[place].name);
		if (error == -ENOENT || error == -EBADMSG)
			error = forget(t, domain.name);
		else
			return error;
		if (error)
			return error;
	}
	return -ENOENT;
}

/* ---- life ---- */

static bool
note_key(struct slice key, struct slice value, void *arg)
{
	struct sts_table *t = arg;
	char name[DNS_NAME_MAX + 1];

	(void)value;
	if (key.size > 2 && key.data[key.size - 1] == 0 &&
	    key.data[key.size - 2] == '\0' && slice_copy(name, sizeof name,
	    (struct slice){ key.data, key.size - 2 }))
		(void)list_add(t, name);
	return true;
}

int
sts_open(struct sts_table **sts, struct kv *kv, struct hmac *hmac)
{
	struct sts_table *t = calloc(1, sizeof *t);
	int error;

	*sts = NULL;
	if (t != NULL)
		t->domains = calloc(STS_KEPT_MAX, sizeof *t->domains);
	if (t == NULL || t->domains == NULL) {
		free(t);
		return -ENOMEM;
	}
	t->hmac = hmac;
	error = kv_table_open(kv, "sts", &t->table);
	if (!error)
		error = kv_iterate(t->table, note_key, t);
	if (error)
		sts_close(&t);
	*sts = t;
	return error;
}

void
sts_close(struct sts_table **sts)
{
	if (*sts != NULL)
		free((*sts)->domains);	/* the table is kv's */
	free(*sts);
	*sts = NULL;
}
