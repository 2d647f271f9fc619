/* SPDX-License-Identifier: ISC */
/*
 * grey.c - see grey.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "grey.h"

#define N_COUNTERS 65536	/* of client networks, by their MAC */
#define HOUR_S 3600
/* A proven note is written again only after this part of its lifetime. */
#define REFRESH_PARTS 32

struct counter {
	uint32_t hour;
	uint32_t n;		/* noted in it and not passed since */
};

struct grey {
	struct notes *notes;
	struct hmac *hmac;
	struct counter counters[N_COUNTERS];
};

int
grey_open(struct grey **greyp, struct kv *kv, struct hmac *hmac)
{
	struct grey *grey = calloc(1, sizeof *grey);
	int error;

	*greyp = NULL;
	if (grey == NULL)
		return -ENOMEM;
	grey->hmac = hmac;
	error = notes_open(&grey->notes, kv, "greylist", GREY_ENTRIES_MAX);
	if (error) {
		free(grey);
		return error;
	}
	*greyp = grey;
	return 0;
}

void
grey_close(struct grey **grey)
{
	if (*grey == NULL)
		return;
	notes_close(&(*grey)->notes);
	free(*grey);
	*grey = NULL;
}

struct notes *
grey_notes(struct grey *grey)
{
	return grey->notes;
}

/* ---- one network's share ---- */

static struct counter *
counter_of(struct grey *grey, struct slice network, int64_t now_s)
{
	uint32_t hour = (uint32_t)(now_s / HOUR_S), hash;
	uint8_t mac[HMAC_SIZE];
	struct counter *counter;

	if (hmac_fields(grey->hmac, &network, 1, mac) != 0)
		return NULL;
	memcpy(&hash, mac, sizeof hash);
	counter = &grey->counters[hash % N_COUNTERS];
	if (counter->hour != hour)
		*counter = (struct counter){ .hour = hour };
	return counter;
}

static bool
takes_one_more(struct grey *grey, struct slice network, int64_t now_s)
{
	struct counter *counter = counter_of(grey, network, now_s);

	if (counter == NULL || counter->n >= GREY_UNPROVEN_MAX)
		return false;
	counter->n++;
	return true;
}

static void
gives_one_back(struct grey *grey, struct slice network, int64_t now_s)
{
	struct counter *counter = counter_of(grey, network, now_s);

	if (counter != NULL && counter->n > 0)
		counter->n--;
}

/* ---- the life of a triple ---- */

/* A late one is still told from a new one for as long again. */
static struct note
first_note(const struct grey_ask *q, int64_t now_s)
{
	return (struct note){ .first_s = now_s, .last_s = now_s,
		.expires_s = now_s + 2 * (int64_t)q->window_s + 1 };
}

static void
note_first(struct grey *grey, const uint8_t *key, const struct grey_ask *q,
    int64_t now_s)
{
	struct note note = first_note(q, now_s);

	if (takes_one_more(grey, q->network, now_s))
		(void)notes_put(grey->notes, key, &note);
}

static void
note_pass(struct grey *grey, const uint8_t *key, const struct grey_ask *q,
    struct note *note, int64_t now_s)
{
	bool is_fresh = note->is_proven && note->last_s <= now_s &&
	    now_s - note->last_s < (int64_t)q->lifetime_s / REFRESH_PARTS;

	if (is_fresh)
		return;
	if (!note->is_proven)
		gives_one_back(grey, q->network, now_s);
	note->is_proven = true;
	note->last_s = now_s;
	note->expires_s = now_s + (int64_t)q->lifetime_s;
	/* one that finds no room is unproven still, and passes again */
	(void)notes_put(grey->notes, key, note);
}

static enum grey_state
state_of(const struct note *note, const struct grey_ask *q, int64_t now_s)
{
	int64_t age_s = now_s - note->first_s;

	if (note->is_proven)
		return GREY_KNOWN;
	if (age_s < (int64_t)q->delay_s)
		return GREY_EARLY;
	return age_s <= (int64_t)q->window_s ? GREY_KNOWN : GREY_LATE;
}

/* Seconds until the delay is over; anew where the clock was set back. */
static uint32_t
wait_of(const struct note *note, const struct grey_ask *q, int64_t now_s)
{
	int64_t age_s = now_s - note->first_s;

	return age_s < 0 ? q->delay_s : q->delay_s - (uint32_t)age_s;
}

void
grey_ask(struct grey *grey, const struct grey_ask *q, int64_t now_s,
    struct grey_answer *answer)
{
	const struct slice fields[] = { q->network, q->sender, q->recipient };
	struct note note = { 0 };
	uint8_t key[HMAC_SIZE];
	int error = hmac_fields(grey->hmac, fields, 3, key);

	*answer = (struct grey_answer){ .state = GREY_UNKNOWN };
	if (!error)
		error = notes_get(grey->notes, key, now_s, &note);
	if (error && error != -ENOENT)
		return;
	answer->state = error ? GREY_NEW : state_of(&note, q, now_s);
	if (answer->state == GREY_EARLY)
		answer->wait_s = wait_of(&note, q, now_s);
	else if (answer->state != GREY_KNOWN)
		answer->wait_s = q->delay_s;
	if (!q->notes)
		return;
	if (answer->state == GREY_KNOWN)
		note_pass(grey, key, q, &note, now_s);
	else if (answer->state != GREY_EARLY || note.first_s > now_s)
		note_first(grey, key, q, now_s);
}

/* ---- what was seen ---- */

static void
note_seen(struct notes *notes, const uint8_t *key, const struct seen_ask *q,
    struct note *note, int64_t now_s)
{
	int64_t lifetime_s = q->lifetime_s;

	if (note->expires_s - now_s > lifetime_s - lifetime_s / REFRESH_PARTS)
		return;
	note->last_s = now_s;
	note->expires_s = now_s + lifetime_s;
	(void)notes_put(notes, key, note);
}

void
seen_ask(struct notes *notes, struct hmac *hmac, const struct seen_ask *q,
    int64_t now_s, struct seen_answer *answer)
{
	struct note note = { .first_s = now_s };
	uint8_t key[HMAC_SIZE];
	int error = hmac_fields(hmac, &q->key, 1, key);

	*answer = (struct seen_answer){ .state = SEEN_UNKNOWN };
	if (!error)
		error = notes_get(notes, key, now_s, &note);
	if (error && error != -ENOENT)
		return;
	if (error)
		note = (struct note){ .first_s = now_s };
	answer->state = error ? SEEN_NEVER : SEEN_BEFORE;
	if (note.first_s > now_s)	/* the clock was set back */
		note.first_s = now_s;
	answer->age_s = (uint64_t)(now_s - note.first_s);
	if (q->notes && q->lifetime_s > 0)
		note_seen(notes, key, q, &note, now_s);
}
