/* SPDX-License-Identifier: ISC */
/*
 * probe_cache.c - see probe_cache.h. A question costs one look at each
 * entry, and a dialogue costs much more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "probe_cache.h"

struct kept {
	char *key, *host;
	struct verdict verdict;
	int64_t said_us, until_us;
};

struct probe_cache {
	struct kept list[PROBE_CACHE_MAX];
	size_t n;
};

struct probe_cache *
probe_cache_new(void)
{
	return calloc(1, sizeof(struct probe_cache));
}

void
probe_cache_free(struct probe_cache **p)
{
	for (size_t i = 0; *p != NULL && i < (*p)->n; i++) {
		free((*p)->list[i].key);
		free((*p)->list[i].host);
	}
	free(*p);
	*p = NULL;
}

/* No LF is in any part of it. NULL without memory. */
static char *
key_of(const struct relay_probe *q)
{
	const struct hop_envelope *e = &q->envelope;
	struct buf key = { 0 };

	if (buf_printf(&key, "%.*s\n%.*s\n%.*s\n%d%d%d", (int)e->domain.size,
	    e->domain.data, (int)e->reverse_path.size, e->reverse_path.data,
	    (int)q->address.size, q->address.data, e->is_smart_host,
	    e->is_utf8, e->requires_tls) == 0)
		return key.data;
	buf_free(&key);
	return NULL;
}

static const struct kept *
find(const struct probe_cache *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->list[i].key, key) == 0)
			return &p->list[i];
	return NULL;
}

bool
probe_cache_find(const struct probe_cache *p, const struct relay_probe *q,
    int64_t now_us, struct hop_reply *a)
{
	char *key = key_of(q);
	const struct kept *at = key != NULL ? find(p, key) : NULL;

	free(key);
	if (at == NULL || at->until_us <= now_us)
		return false;
	*a = (struct hop_reply){ .is_said = true, .stage = RELAY_AT_RCPT,
		.verdict = at->verdict, .remote_host = slice_of(at->host),
		.age_s = (uint32_t)((now_us - at->said_us) / 1000000) };
	if (a->age_s == 0)
		a->age_s = 1;
	return true;
}

static int64_t
kept_for_s(const struct verdict *v)
{
	return v->code == 250 ? PROBE_KEPT_ACCEPTED_S : v->code >= 500 ?
	    PROBE_KEPT_REFUSED_S : PROBE_KEPT_LATER_S;
}

/* An empty place: a new one, else that of who goes. */
static struct kept *
place(struct probe_cache *p, int64_t now_us)
{
	struct kept *oldest = &p->list[0];

	if (p->n < PROBE_CACHE_MAX)
		return &p->list[p->n++];
	for (size_t i = 0; i < p->n; i++) {
		struct kept *at = &p->list[i];

		if (at->until_us <= now_us) {
			oldest = at;
			break;
		}
		if (at->said_us < oldest->said_us)
			oldest = at;
	}
	free(oldest->key);
	free(oldest->host);
	return oldest;
}

void
probe_cache_keep(struct probe_cache *p, const struct relay_probe *q,
    const struct hop_reply *a, int64_t now_us)
{
	char *key = key_of(q), *host = slice_strdup(a->remote_host);
	const struct kept *same = key != NULL ? find(p, key) : NULL;
	struct kept *at;

	if (key == NULL || host == NULL) {
		free(key);
		free(host);
		return;
	}
	if (same != NULL) {
		at = &p->list[same - p->list];
		free(at->key);
		free(at->host);
	} else {
		at = place(p, now_us);
	}
	*at = (struct kept){ .key = key, .host = host,
		.verdict = a->verdict, .said_us = now_us,
		.until_us = now_us + kept_for_s(&a->verdict) * 1000000 };
}

size_t
probe_cache_count(const struct probe_cache *p)
{
	return p->n;
}
