/* SPDX-License-Identifier: ISC */
/*
 * compiler.c - the table compiler: a short-lived child of the supervisor.
 *
 * It reads the users tables, alias files and their includes, and writes
 * STATE_DIR/tables. It runs at start, on a reload, when newaliases or the
 * directory asks, and ends; the supervisor then tells the directory. It may
 * read what its uid may read, write nothing but the tables, and has no
 * peer. What it parses was written by the operator, and by whoever may
 * write an included list: it holds no secret.
 *
 * Index 1 accepts tables that have shrunk (posternctl tables accept).
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "compartment.h"
#include "compile.h"
#include "log.h"
#include "passwd.h"
#include "sandbox.h"

static void
enter_sandbox(const struct compartment *c)
{
	char tables[PATH_MAX];
	const struct sandbox_path paths[] = { { "/", false },
		{ tables, true } };
	const struct sandbox sandbox = {
		.name = "compiler", .is_privileged = c->is_privileged,
		.uid = c->uid, .gid = c->gid,
		.allow = SANDBOX_FILES_READ | SANDBOX_FILES_WRITE |
		    SANDBOX_UNIX_SOCKETS,
		.paths = paths, .n_paths = sizeof paths / sizeof *paths };

	if (!table_spec_path(tables, sizeof tables, c->config->state_dir,
	    NULL, NULL))
		fatal("state_dir is too long");
	sandbox_enter(&sandbox);
}

static void
log_problems(const struct compile_result *result)
{
	for (size_t i = 0; i < result->problems.n; i++) {
		const struct config_problem *p = &result->problems.items[i];

		if (p->is_warning)
			log_warning("table_problem", LOG_S("text", p->text),
			    LOG_END);
		else
			log_error("alarm", LOG_S("problem", p->text),
			    LOG_END);
	}
}

static void
log_result(const struct table_spec *spec, const struct compile_result *result)
{
	log_problems(result);
	switch (result->outcome) {
	case COMPILE_SAME:
		log_debug("table_same", LOG_S("source", spec->path),
		    LOG_U("entries", result->n_entries), LOG_END);
		break;
	case COMPILE_DONE:
		log_info("table_compiled", LOG_S("source", spec->path),
		    LOG_S("table", spec->name),
		    LOG_U("entries", result->n_entries),
		    LOG_U("before", result->n_before),
		    LOG_U("gone", result->n_gone), LOG_END);
		break;
	case COMPILE_SHRUNKEN:
		log_error("alarm", LOG_S("problem", "a table lost more than "
		    "a fifth of its entries; the old one stays and the lost "
		    "names are 451 until \"posternctl tables accept\""),
		    LOG_S("source", spec->path),
		    LOG_U("entries", result->n_entries),
		    LOG_U("before", result->n_before),
		    LOG_U("gone", result->n_gone), LOG_END);
		break;
	case COMPILE_FAILED:
		log_error("table_kept", LOG_S("source", spec->path),
		    LOG_S("effect", "the old table stays in use"), LOG_END);
		break;
	}
}

int
compiler_main(void)
{
	static struct compartment c;
	struct table_specs specs;
	bool has_failed = false;

	compartment_start(&c, ROLE_COMPILER);
	umask(022);
	passwd_warm_up();
	enter_sandbox(&c);
	if (table_specs_make(&specs, c.config) < 0)
		fatal("out of memory");
	for (size_t i = 0; i < specs.n; i++) {
		struct compile_result result;

		compile_table(&result, &specs.items[i], c.config,
		    c.index == 1);
		log_result(&specs.items[i], &result);
		has_failed |= result.outcome == COMPILE_FAILED;
		compile_result_free(&result);
	}
	table_specs_free(&specs);
	log_flush();
	return has_failed;
}
