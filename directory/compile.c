/* SPDX-License-Identifier: ISC */
/*
 * compile.c - one table from source to file; see compile.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "build.h"
#include "clock.h"
#include "compile.h"
#include "fault.h"
#include "file_io.h"
#include "state.h"

#define GUARDED_FROM 5		/* entries before */
#define GUARDED_PART 5		/* one part in so many may go */

struct job {
	const struct table_spec *spec;
	const char *state_dir;
	struct build build;
	struct state before;		/* of the last compilation */
	struct compile_result *result;
};

bool
compile_is_shrunken(uint32_t n_before, uint32_t n_gone)
{
	return n_before >= GUARDED_FROM &&
	    (uint64_t)n_gone * GUARDED_PART > n_before;
}

bool
compile_may_pass(int error)
{
	static const int passing[] = { ENOSPC, EDQUOT, EIO, EROFS, ENOMEM,
		EMFILE, ENFILE, EAGAIN, ESTALE, ETIMEDOUT };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (error == -passing[i])
			return true;
	return false;
}

/* ---- what changed ---- */

struct comparison {
	const struct image *image;
	char kind;
	uint32_t n_before, n_gone;
	size_t n_same;
};

static int
compare_entry(struct slice key, struct slice value, void *arg)
{
	struct comparison *c = arg;
	struct slice new_value;
	bool is_there = image_find(c->image, key, &new_value);

	if (key.size > 0 && key.data[0] == c->kind) {
		c->n_before++;
		c->n_gone += !is_there;
	}
	if (is_there && (key.data[0] == RECORD_META ||
	    slice_equals(value, new_value)))
		c->n_same++;
	return 0;
}

/*
 * Compare with the table in use. True if it is the same, entry for entry. A
 * table that cannot be read counts by what the state file remembers of it:
 * then at least the number tells whether something is missing.
 */
static bool
compare_with_old(struct job *job)
{
	struct comparison c = { .image = &job->build.image,
		.kind = table_entry_kind(job->spec->kind) };
	struct table *old = NULL;
	char path[PATH_MAX];
	bool is_same = false;
	uint32_t n_new = job->build.n_entries;

	if (table_spec_path(path, sizeof path, job->state_dir, job->spec,
	    "db") && table_open(&old, path, job->spec->kind) == 0 &&
	    table_each(old, compare_entry, &c) == 0) {
		is_same = c.n_gone == 0 && c.n_same == c.image->n &&
		    c.n_before == n_new;
	} else {
		c.n_before = job->before.n_entries;
		c.n_gone = c.n_before > n_new ? c.n_before - n_new : 0;
	}
	table_close(&old);
	job->result->n_before = c.n_before;
	job->result->n_gone = c.n_gone;
	return is_same;
}

/* ---- files ---- */

static int
sync_folder(const struct job *job)
{
	char path[PATH_MAX];

	if (!table_spec_path(path, sizeof path, job->state_dir, NULL, NULL))
		return -ENAMETOOLONG;
	return file_sync_folder(path);
}

/* Write the image and rename it to NAME.suffix. */
static int
install(const struct job *job, const char *suffix)
{
	char path[PATH_MAX], new_path[PATH_MAX];
	int error;

	if (!table_spec_path(path, sizeof path, job->state_dir, job->spec,
	    suffix) || !table_spec_path(new_path, sizeof new_path,
	    job->state_dir, job->spec, "db.new"))
		return -ENAMETOOLONG;
	if (unlink(new_path) < 0 && errno != ENOENT)
		return -errno;
	error = table_write(new_path, &job->build.image);
	if (error)
		return error;
	FAULT_STEP("compiler.before-rename");
	if (rename(new_path, path) < 0) {
		error = -errno;
		unlink(new_path);
		return error;
	}
	return sync_folder(job);
}

static int
remove_pending(const struct job *job)
{
	char path[PATH_MAX];

	if (!table_spec_path(path, sizeof path, job->state_dir, job->spec,
	    "pending.db"))
		return -ENAMETOOLONG;
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return sync_folder(job);
}

/* ---- the state file ---- */

static void
first_error(char *to, size_t room, const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		if (!problems->items[i].is_warning) {
			snprintf(to, room, "%s", problems->items[i].text);
			return;
		}
}

/* The sources of the attempt move into the state that is written. */
static void
write_state(struct job *job)
{
	const struct compile_result *result = job->result;
	struct state *state = &job->build.sources;
	char path[PATH_MAX];

	state->time_s = clock_wall_s();
	state->result = result->outcome == COMPILE_FAILED ? STATE_FAILED :
	    result->outcome == COMPILE_SHRUNKEN ? STATE_SHRUNKEN : STATE_OK;
	state->n_entries = state->result == STATE_OK ? result->n_entries :
	    result->n_before ? result->n_before : job->before.n_entries;
	/* also beside a table that is used: of a list that it includes */
	if (state->result != STATE_SHRUNKEN)
		first_error(state->text, sizeof state->text,
		    &result->problems);
	else
		snprintf(state->text, sizeof state->text, "%u of %u entries "
		    "are gone; posternctl tables accept", result->n_gone,
		    result->n_before);
	/* without it the table is compiled once more: no harm */
	if (table_spec_path(path, sizeof path, job->state_dir, job->spec,
	    "state"))
		(void)state_write(path, state);
}

/* ---- the job ---- */

static int
run(struct job *job, bool accepts_shrunken)
{
	struct compile_result *result = job->result;
	bool is_same = compare_with_old(job);
	int error;

	result->n_entries = job->build.n_entries;
	if (is_same) {
		result->outcome = COMPILE_SAME;
		return remove_pending(job);
	}
	if (!accepts_shrunken &&
	    compile_is_shrunken(result->n_before, result->n_gone)) {
		result->outcome = COMPILE_SHRUNKEN;
		return install(job, "pending.db");
	}
	result->outcome = COMPILE_DONE;
	error = install(job, "db");
	FAULT_STEP("compiler.after-rename");
	/* a crash between the two leaves a pending copy that is no different
	 * from the table in use; the next run removes it */
	return error ? error : remove_pending(job);
}

void
compile_table(struct compile_result *result, const struct table_spec *spec,
    const struct config *config, bool accepts_shrunken)
{
	struct job job = { .spec = spec, .state_dir = config->state_dir,
		.result = result };
	char path[PATH_MAX];
	int error;

	*result = (struct compile_result){ .outcome = COMPILE_FAILED };
	if (table_spec_path(path, sizeof path, job.state_dir, spec, "state"))
		(void)state_read(path, &job.before);
	error = build_table(&job.build, spec, config, &result->problems);
	if (!error) {
		error = run(&job, accepts_shrunken);
		if (error) {
			result->outcome = COMPILE_FAILED;
			config_problem_add(&result->problems, 0, false,
			    "%s: table %s cannot be written: %s", spec->path,
			    spec->name, strerror(-error));
		}
	}
	result->may_pass = compile_may_pass(error);
	write_state(&job);
	build_free(&job.build);
	state_free(&job.before);
}

void
compile_result_free(struct compile_result *result)
{
	config_problems_free(&result->problems);
}
