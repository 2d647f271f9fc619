/* SPDX-License-Identifier: ISC */
/*
 * probe_limits.c - see probe_limits.h. A rate is one number: when the next
 * event would be due if all were evenly spaced (GCRA).
 */
#include <stdlib.h>
#include <string.h>
#include "probe_limits.h"

#define SECOND_US ((int64_t)1000000)
#define NAME_SIZE 320			/* of a destination, with its NUL */

struct destination {
	char name[NAME_SIZE];
	unsigned n_running;
	int64_t used_us;
	int64_t due_us, refused_due_us, rests_until_us;
};

struct probe_limits {
	struct destination list[PROBE_DESTINATIONS_MAX];
	size_t n;
};

struct rate {
	int64_t every_us, burst;
};
static const struct rate asking = { PROBES_EVERY_S * SECOND_US,
	PROBES_BURST };
static const struct rate refusals = { PROBES_REFUSED_EVERY_S * SECOND_US,
	PROBES_REFUSED_BURST };

struct probe_limits *
probe_limits_new(void)
{
	return calloc(1, sizeof(struct probe_limits));
}

void
probe_limits_free(struct probe_limits **l)
{
	free(*l);
	*l = NULL;
}

static bool
is_within(const struct rate *rate, int64_t due_us, int64_t now_us)
{
	return due_us - now_us <= (rate->burst - 1) * rate->every_us;
}

static void
spend(const struct rate *rate, int64_t *due_us, int64_t now_us)
{
	*due_us = (*due_us > now_us ? *due_us : now_us) + rate->every_us;
}

static struct destination *
find(struct probe_limits *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->list[i].name, name) == 0)
			return &l->list[i];
	return NULL;
}

/* The one that nobody has asked for longest makes room. */
static struct destination *
place(struct probe_limits *l)
{
	struct destination *idle = NULL;

	if (l->n < PROBE_DESTINATIONS_MAX)
		return &l->list[l->n++];
	for (size_t i = 0; i < l->n; i++) {
		struct destination *d = &l->list[i];

		if (d->n_running == 0 &&
		    (idle == NULL || d->used_us < idle->used_us))
			idle = d;
	}
	return idle;
}

static struct destination *
add(struct probe_limits *l, const char *name)
{
	size_t size = strlen(name) + 1;
	struct destination *d = size <= NAME_SIZE ? place(l) : NULL;

	if (d == NULL)
		return NULL;
	memset(d, 0, sizeof *d);
	memcpy(d->name, name, size);
	return d;
}

const char *
probe_limits_begin(struct probe_limits *l, const char *destination,
    int64_t now_us)
{
	struct destination *d = find(l, destination);

	if (d == NULL)
		d = add(l, destination);
	if (d == NULL)
		return "too many destinations are asked at the moment";
	if (d->rests_until_us > now_us)
		return "it has not answered a while ago";
	if (d->n_running >= PROBES_AT_ONCE)
		return "it is being asked by others at the moment";
	if (!is_within(&asking, d->due_us, now_us))
		return "it was asked too often lately";
	if (!is_within(&refusals, d->refused_due_us, now_us))
		return "it has refused too many lately";
	spend(&asking, &d->due_us, now_us);
	d->used_us = now_us;
	d->n_running++;
	return NULL;
}

void
probe_limits_end(struct probe_limits *l, const char *destination,
    enum probe_end how, int64_t now_us)
{
	struct destination *d = find(l, destination);

	if (d == NULL)
		return;
	d->n_running--;
	if (how == PROBE_REFUSED)
		spend(&refusals, &d->refused_due_us, now_us);
	else if (how == PROBE_SILENT)
		d->rests_until_us = now_us + PROBES_REST_S * SECOND_US;
}
