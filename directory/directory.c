/* SPDX-License-Identifier: ISC */
/*
 * directory.c - the compartment that knows who is a recipient here.
 *
 * Holds the compiled tables (read-only), the system's users through NSS,
 * and the secret that seals routes. It can write nothing, connect to
 * nothing but NSS's unix sockets, and never reads the text of a table: that
 * is the compiler's. One question at a time, blocking, in a pool.
 *
 * A crash here loses the questions that were being asked: 451.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "answer.h"
#include "compartment.h"
#include "log.h"
#include "passwd.h"
#include "sandbox.h"
#include "watch.h"

#define LOOK_MS 1000
#define FIRST_TABLES_MS 15000	/* how long the first compilation may take */
/* for transactions of a server whose supervisor died */
#define STOP_MS 20000
#define REPAIR_MS 60000		/* between two demands because of damage */

struct directory {
	struct compartment c;
	struct catalog *catalog;
	struct answerer answerer;
	struct watch watch;
	struct watch_file passwords;
	struct loop_timer look, first_tables, stop_limit;
	int64_t repair_asked_us;	/* 0: never */
	bool is_ready;
};

static void
enter_sandbox(const struct directory *d)
{
	char tables[PATH_MAX];
	/* beside the tables: what NSS reads, and where its modules are */
	const struct sandbox_path paths[] = { { tables, false },
		{ "/etc", false }, { "/run", false }, { "/var/run", false },
		{ "/lib", false }, { "/lib64", false }, { "/usr/lib", false },
		{ "/var/lib/sss", false }, { "/var/lib/extrausers", false } };
	const struct sandbox sandbox = {
		.name = "directory", .is_privileged = d->c.is_privileged,
		.uid = d->c.uid, .gid = d->c.gid,
		.allow = SANDBOX_FILES_READ | SANDBOX_NAME_SERVICES,
		.paths = paths, .n_paths = sizeof paths / sizeof *paths };

	if (!table_spec_path(tables, sizeof tables, d->c.config->state_dir,
	    NULL, NULL))
		fatal("state_dir is too long");
	sandbox_enter(&sandbox);
}

/* ---- tables ---- */

static void
log_slot(const struct catalog_slot *slot)
{
	if (slot->live_error != 0 && slot->live_error != -ENOENT)
		log_error("alarm", LOG_S("problem", "a compiled table cannot "
		    "be read"), LOG_S("source", slot->spec->path),
		    LOG_S("table", slot->spec->name),
		    LOG_E("error", slot->live_error),
		    LOG_S("effect", slot->live ? "the old one stays in use" :
		    "its recipients are 451"), LOG_END);
	if (slot->pending_error)
		log_error("alarm", LOG_S("problem", "a table that waits to "
		    "be accepted cannot be read"),
		    LOG_S("source", slot->spec->path),
		    LOG_E("error", slot->pending_error), LOG_END);
}

/* Damage is mended by compiling again; missing ones are on their way. */
static void
open_tables(struct directory *d)
{
	catalog_open(d->catalog);
	for (size_t i = 0; i < d->catalog->specs.n; i++) {
		log_slot(&d->catalog->slots[i]);
		if (d->catalog->slots[i].live_error == -EIO ||
		    d->catalog->slots[i].pending_error)
			d->catalog->wants_compile = true;
	}
}

static void
ask_for_repair(struct directory *d)
{
	int64_t now_us = loop_now_us(d->c.loop);

	if (!d->catalog->wants_compile || (d->repair_asked_us != 0 &&
	    now_us - d->repair_asked_us < (int64_t)REPAIR_MS * 1000))
		return;
	d->catalog->wants_compile = false;
	d->repair_asked_us = now_us;
	log_error("alarm", LOG_S("problem", "a compiled table is damaged; "
	    "it is compiled anew"), LOG_END);
	compartment_want_compile(&d->c);
}

static void
on_look(struct loop_timer *timer, void *arg)
{
	struct directory *d = arg;
	bool has_changed;

	loop_timer_start(d->c.loop, timer, LOOK_MS, on_look, d);
	ask_for_repair(d);
	if (d->c.index != 0)
		return;
	has_changed = watch_look(&d->watch);
	if (watch_file_look(&d->passwords) || has_changed)
		compartment_want_compile(&d->c);
}

/* ---- the compartment ---- */

/*
 * Peers are served only now: what they asked meanwhile waits in their
 * sockets, so that the first mail after a first start is not a 451.
 */
static void
become_ready(struct directory *d)
{
	if (d->is_ready)
		return;
	d->is_ready = true;
	loop_timer_stop(d->c.loop, &d->first_tables);
	compartment_ready(&d->c);
}

static void
on_first_tables_limit(struct loop_timer *timer, void *arg)
{
	(void)timer;
	become_ready(arg);
}

static void
on_tables(struct compartment *c)
{
	struct directory *d = c->arg;

	open_tables(d);
	watch_reload(&d->watch);
	become_ready(d);
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct directory *d = c->arg;

	answer_peer(&d->answerer, role, index, fd);
}

static void
on_stop_limit(struct loop_timer *timer, void *arg)
{
	struct directory *d = arg;

	(void)timer;
	loop_stop(d->c.loop);
}

/*
 * SIGTERM comes when all smtpd have ended. A supervisor that died leaves
 * them behind, in transactions that may still ask for recipients.
 */
static void
on_stop(struct compartment *c)
{
	struct directory *d = c->arg;

	if (d->answerer.n_smtpd == 0)
		loop_stop(c->loop);
	else if (!d->answerer.is_stopping)
		loop_timer_start(c->loop, &d->stop_limit, STOP_MS,
		    on_stop_limit, d);
	d->answerer.is_stopping = true;
}

static void
start(struct directory *d)
{
	struct compartment *c = &d->c;

	compartment_start(c, ROLE_DIRECTORY);
	c->arg = d;
	c->on_peer = on_peer;
	c->on_tables = on_tables;
	c->on_stop = on_stop;
	if (!c->has_secret[SECRET_ROUTE] || !c->has_secret[SECRET_LIST] ||
	    !c->has_secret[SECRET_HOP])
		fatal("the secret for routes is missing");
	d->catalog = catalog_new(c->config, c->is_privileged);
	if (d->catalog != NULL)
		passwd_warm_up(d->catalog->passwd);
	if (d->catalog == NULL || watch_open(&d->watch, c->config->state_dir,
	    &d->catalog->specs) < 0)
		fatal("out of memory");
	watch_file_open(&d->passwords, c->config->auth.users);
	d->answerer = (struct answerer){ .loop = c->loop,
		.catalog = d->catalog, .secret = c->secrets[SECRET_ROUTE],
		.list_secret = c->secrets[SECRET_LIST],
		.hop_secret = c->secrets[SECRET_HOP],
		.resolver = resolver_new(d->catalog) };
	if (d->answerer.resolver == NULL)
		fatal("out of memory");
}

int
directory_main(void)
{
	static struct directory d;
	int error;

	start(&d);
	enter_sandbox(&d);
	open_tables(&d);
	loop_timer_start(d.c.loop, &d.look, LOOK_MS, on_look, &d);
	loop_timer_start(d.c.loop, &d.first_tables, FIRST_TABLES_MS,
	    on_first_tables_limit, &d);
	if (catalog_is_complete(d.catalog))
		become_ready(&d);
	error = loop_run(d.c.loop);
	if (error)
		fatal("event loop: %s", strerror(-error));
	log_flush();
	return 0;
}
