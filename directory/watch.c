/* SPDX-License-Identifier: ISC */
/*
 * watch.c - changes of sources; see watch.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "clock.h"
#include "watch.h"

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3u;
	return hash;
}

static uint64_t
mix_stamp(uint64_t hash, const struct source_stamp *stamp)
{
	hash = mix(hash, (uint64_t)stamp->mtime_ns);
	hash = mix(hash, (uint64_t)stamp->ctime_ns);
	hash = mix(hash, stamp->size_bytes);
	return mix(hash, stamp->inode);
}

/* Of the sources as they were compiled, or as they are now. */
static uint64_t
fingerprint(const struct state *state, bool is_now)
{
	uint64_t hash = 0xcbf29ce484222325u;
	struct source_stamp now;

	for (size_t i = 0; i < state->n_sources; i++) {
		const struct state_source *source = &state->sources[i];

		if (is_now)
			(void)source_stat(source->path, &now);
		hash = mix_stamp(hash, is_now ? &now : &source->stamp);
	}
	return hash;
}

static void
load(struct watch *watch, size_t i)
{
	const struct source_stamp never = { .mtime_ns = -1 };
	struct watched *w = &watch->tables[i];
	char path[PATH_MAX];

	state_free(&w->state);
	if (table_spec_path(path, sizeof path, watch->state_dir,
	    &watch->specs->items[i], "state") &&
	    state_read(path, &w->state) == 0 && w->state.n_sources > 0)
		return;
	/* without a state the table was never compiled */
	state_free(&w->state);
	(void)state_add_source(&w->state, watch->specs->items[i].path,
	    &never);
}

int
watch_open(struct watch *watch, const char *state_dir,
    const struct table_specs *specs)
{
	*watch = (struct watch){ .state_dir = state_dir, .specs = specs };
	watch->tables = calloc(specs->n + 1, sizeof *watch->tables);
	if (watch->tables == NULL)
		return -ENOMEM;
	watch_reload(watch);
	return 0;
}

void
watch_reload(struct watch *watch)
{
	for (size_t i = 0; i < watch->specs->n; i++)
		load(watch, i);
}

static bool
is_wanted(struct watched *w)
{
	uint64_t now = fingerprint(&w->state, true);
	int64_t now_us = clock_monotonic_us();

	if (now != w->seen) {
		w->seen = now;
		w->since_us = now_us;
	}
	if (now == fingerprint(&w->state, false) || now == w->asked)
		return false;
	return now_us - w->since_us >= WATCH_STILL_MS * 1000;
}

bool
watch_look(struct watch *watch)
{
	bool wanted = false;

	for (size_t i = 0; i < watch->specs->n; i++) {
		struct watched *w = &watch->tables[i];

		if (is_wanted(w)) {
			w->asked = w->seen;
			wanted = true;
		}
	}
	return wanted;
}

void
watch_close(struct watch *watch)
{
	for (size_t i = 0; watch->tables != NULL && i < watch->specs->n; i++)
		state_free(&watch->tables[i].state);
	free(watch->tables);
	*watch = (struct watch){ 0 };
}

/* ---- one file ---- */

void
watch_file_open(struct watch_file *file, const char *path)
{
	*file = (struct watch_file){ .path = path };
	if (path != NULL)
		(void)source_stat(path, &file->compiled);
	file->seen = file->compiled;
}

bool
watch_file_look(struct watch_file *file)
{
	int64_t now_us = clock_monotonic_us();
	struct source_stamp now;

	if (file->path == NULL)
		return false;
	(void)source_stat(file->path, &now);
	if (!source_stamp_equals(&now, &file->seen)) {
		file->seen = now;
		file->since_us = now_us;
	}
	if (source_stamp_equals(&now, &file->compiled) ||
	    now_us - file->since_us < WATCH_STILL_MS * 1000)
		return false;
	file->compiled = now;
	return true;
}
