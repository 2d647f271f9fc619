/* SPDX-License-Identifier: ISC */
/*
 * notes.h - a bounded table of small notes with an expiry, on disk.
 *
 * For what store remembers about clients: the greylist and what was seen
 * before. Changes stand in memory and reach the table once a round:
 *
 *	notes_get, notes_put ... -> notes_store -> kv_commit -> notes_stored
 *
 * A disk that fails leaves them in memory, to be stored later; with
 * NOTES_WAITING_MAX of them waiting, notes_put fails. A crash loses those
 * that waited and, because no flush is spent on them, those of the last
 * seconds: their cost is one more retry by a client.
 *
 * At the bound those that end soonest go first. Nothing here logs.
 */
#ifndef STORE_NOTES_H
#define STORE_NOTES_H

#include <stdbool.h>
#include <stdint.h>
#include "kv.h"

#define NOTES_KEY_SIZE 16
#define NOTES_WAITING_MAX 32768

struct notes;

struct note {
	int64_t first_s, last_s, expires_s;	/* wall clock */
	bool is_proven;				/* the greylist's */
};

/* Counts the whole table once. 0 or -errno. */
int notes_open(struct notes **notes, struct kv *kv, const char *name,
    uint64_t most);
void notes_close(struct notes **notes);
/* 0; -ENOENT: none, or it has expired; other -errno: cannot tell. */
int notes_get(struct notes *notes, const uint8_t key[NOTES_KEY_SIZE],
    int64_t now_s, struct note *note);
/* 0, or -ENOSPC: not noted. One that is there already can be replaced. */
int notes_put(struct notes *notes, const uint8_t key[NOTES_KEY_SIZE],
    const struct note *note);
bool notes_have_waiting(const struct notes *notes);
/* Put what waits into the open transaction; then tell how kv_commit went.
 * 0 or -errno: they go on waiting. */
int notes_store(struct notes *notes);
void notes_stored(struct notes *notes, int error);
/* Look through a slice of the table; once an hour, and while the table is
 * over its bound, all of it is seen. 0 or -errno. */
int notes_sweep(struct notes *notes, int64_t now_s);
uint64_t notes_count(const struct notes *notes);

#endif
