/* SPDX-License-Identifier: ISC */
/*
 * compiler.c - the table compiler: a short-lived child of the supervisor.
 *
 * It reads the users tables, alias files and their includes, and writes
 * STATE_DIR/tables, and the passwords apart from them, for auth alone, into
 * STATE_DIR/passwords. It runs at start, on a reload, when newaliases or the
 * directory asks, and ends; the supervisor then tells directory and auth. It
 * may read what its uid may read, write nothing but the tables, and has no
 * peer. What it parses was written by the operator, and by whoever may
 * write an included list: it holds no secret but the hashes of passwords.
 *
 * Index 1 accepts tables that have shrunk (posternctl tables accept).
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include "ask.h"
#include "compartment.h"
#include "compile.h"
#include "log.h"
#include "passwd.h"
#include "passwords.h"
#include "sandbox.h"

static void
enter_sandbox(const struct compartment *c)
{
	char tables[PATH_MAX], passwords[PATH_MAX];
	const struct sandbox_path paths[] = { { "/", false },
		{ tables, true }, { passwords, true } };
	const struct sandbox sandbox = {
		.name = "compiler", .is_privileged = c->is_privileged,
		.uid = c->uid, .gid = c->gid,
		.allow = SANDBOX_FILES_READ | SANDBOX_FILES_WRITE |
		    SANDBOX_NAME_SERVICES,
		.paths = paths, .n_paths = sizeof paths / sizeof *paths };

	if (!table_spec_path(tables, sizeof tables, c->config->state_dir,
	    NULL, NULL) || !password_table_path(passwords, sizeof passwords,
	    c->config->state_dir))
		fatal("state_dir is too long");
	*strrchr(passwords, '/') = '\0';	/* its folder */
	sandbox_enter(&sandbox);
}

static void
log_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_problem *p = &problems->items[i];

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
	log_problems(&result->problems);
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
		    LOG_S("effect", "the old table stays in use, if "
		    "there is one"), LOG_END);
		break;
	}
}

/*
 * A users table that stays as it was, because of an error or because too
 * many have vanished, leaves its passwords as they were, too.
 */
static enum tables_outcome
compile_passwords(const struct compartment *c, bool has_kept_users)
{
	struct config_problems problems = { 0 };
	size_t n = 0;
	int error;

	if (!passwords_are_wanted(c->config))
		return TABLES_COMPILED;
	if (has_kept_users && c->config->auth.users == NULL) {
		log_error("passwords_kept", LOG_S("effect", "the old "
		    "passwords stay in use, as their users table does"),
		    LOG_END);
		return TABLES_KEPT;
	}
	error = passwords_compile(c->config, &problems, &n);
	log_problems(&problems);
	config_problems_free(&problems);
	if (error)
		log_error("passwords_kept", LOG_E("error", error),
		    LOG_S("effect", "the old passwords stay in use"),
		    LOG_END);
	else
		log_info("passwords_compiled", LOG_U("entries", n), LOG_END);
	return error == 0 ? TABLES_COMPILED : compile_may_pass(error) ?
	    TABLES_FAILED : TABLES_KEPT;
}

int
compiler_main(void)
{
	static struct compartment c;
	struct table_specs specs;
	struct passwd_cache *users = passwd_cache_new();
	bool has_failed = false, has_kept = false, has_kept_users = false;
	bool has_errors = false;
	enum tables_outcome of_passwords;

	compartment_start(&c, ROLE_COMPILER);
	umask(022);
	if (users == NULL)
		fatal("out of memory");
	passwd_warm_up(users);
	passwd_cache_free(&users);
	enter_sandbox(&c);
	if (table_specs_make(&specs, c.config) < 0)
		fatal("out of memory");
	for (size_t i = 0; i < specs.n; i++) {
		struct compile_result result;

		compile_table(&result, &specs.items[i], c.config,
		    c.index == 1);
		log_result(&specs.items[i], &result);
		has_failed |= result.may_pass;
		has_kept |= result.outcome == COMPILE_FAILED ||
		    result.outcome == COMPILE_SHRUNKEN;
		has_errors |= config_problems_has_error(&result.problems);
		has_kept_users |= specs.items[i].kind == TABLE_USERS &&
		    (result.outcome == COMPILE_FAILED ||
		    result.outcome == COMPILE_SHRUNKEN);
		compile_result_free(&result);
	}
	table_specs_free(&specs);
	of_passwords = compile_passwords(&c, has_kept_users);
	log_flush();
	if (has_failed || of_passwords == TABLES_FAILED)
		return TABLES_FAILED;
	return has_kept || of_passwords == TABLES_KEPT ? TABLES_KEPT :
	    has_errors ? TABLES_IN_PART : TABLES_COMPILED;
}
