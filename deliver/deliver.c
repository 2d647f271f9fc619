/* SPDX-License-Identifier: ISC */
/*
 * deliver.c - the compartment that puts mail into mailboxes.
 *
 * The supervisor in this process decides and never touches a file: it checks
 * sealed routes, keeps quota reservations, and gives each step to a worker
 * that has become the mailbox's owner for good (worker.c). It holds
 * CAP_SETUID and CAP_SETGID, the key of the routes, and the transactions of
 * each smtpd. It can never speak to the network, and never becomes a uid
 * below min_uid.
 *
 *	smtpd --PROBE, PREPARE, COMMIT, RELEASE--> dispatch.c
 *	store --RESOLVE--------------------------/    |
 *	    probe.c  phases.c  steps.c  resolve.c <---/
 *	       \--------\--------\--------> pool.c ---> workers
 *	    programs.c -------------------> runner.c -> monitors, programs
 *
 * When it dies its workers die with it, and store resolves what was cut off.
 */
#include <grp.h>
#include <string.h>
#include <unistd.h>
#include "clearances.h"
#include "dispatch.h"
#include "log.h"
#include "programs.h"
#include "renames.h"
#include "role_user.h"
#include "sandbox.h"

/* How long SIGTERM waits for what runs. */
#define STOP_MS 20000

static struct deliver deliver;

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	deliver_add_peer(c->arg, role, index, fd);
}

static void
on_progress(void *arg)
{
	struct deliver *d = arg;

	if (d->resolves != NULL)
		deliver_resolve_progress(d);
	if (d->is_stopping || d->is_draining)
		deliver_maybe_end(d);
}

static void
on_stop_timeout(struct loop_timer *timer, void *arg)
{
	struct deliver *d = arg;

	(void)timer;
	log_warning("stopped_with_work",
	    LOG_U("jobs", pools_n_jobs(d->pools)), LOG_END);
	loop_stop(d->c.loop);
}

static void
on_stop(struct compartment *c)
{
	static struct loop_timer timer;
	struct deliver *d = c->arg;

	d->is_stopping = true;
	loop_timer_start(c->loop, &timer, STOP_MS, on_stop_timeout, d);
	deliver_maybe_end(d);
}

static void
on_drain(struct compartment *c)
{
	struct deliver *d = c->arg;

	d->is_draining = true;
	deliver_maybe_end(d);
}

static void
deliver_open(struct deliver *d)
{
	const struct pools_settings settings = { .loop = d->c.loop,
		.is_privileged = d->c.is_privileged,
		.first_ring = d->c.generation * POOL_WORKERS_TOTAL,
		.max_per_uid = d->c.config->deliver_workers,
		.on_progress = on_progress, .arg = d };
	int error;

	if (!d->c.has_secret[SECRET_ROUTE])
		fatal("deliver: the key of the routes is missing");
	error = renames_open(d->c.fds[SETUP_FD_RENAMES]);
	if (error)
		fatal("deliver: the board of renames: %s", strerror(-error));
	error = clearances_map(d->c.fds[SETUP_FD_CLEARANCES], false);
	if (error)
		fatal("deliver: the clearances: %s", strerror(-error));
	d->min_uid = d->c.config->min_uid;
	d->own_uid = getuid();
	d->pools = pools_new(&settings);
	if (d->pools != NULL)
		d->boxes = boxes_new(d->c.loop, d->pools);
	if (d->boxes == NULL)
		fatal("deliver: no memory");
	/* while a process of ours can still execute something */
	d->programs = programs_open(d);
}

static void
deliver_close(struct deliver *d)
{
	/* what peers still hold dies with us; their channels end */
	pools_free(&d->pools);
	programs_close(&d->programs);
	log_flush();
}

/* Of compartments, whose files are theirs alone. */
static void
close_role(struct sandbox_closed *closed, const struct config *config,
    enum role role)
{
	char name[ROLE_USER_SIZE];
	const struct passwd *pw = role_user(config, role, name);

	if (pw == NULL)
		return;
	closed->uids[closed->n_uids++] = pw->pw_uid;
	closed->gids[closed->n_gids++] = pw->pw_gid;
}

/*
 * Its capabilities would make any uid of it, and its workers' system calls
 * any file. Beside compartments: groups that are as good as root.
 */
static void
close_ids(struct sandbox_closed *closed, const struct config *config)
{
	static const char *const groups[] = { "disk", "kmem", "shadow" };

	closed->min_uid = config->min_uid;
	for (unsigned role = ROLE_STORE; role < ROLE_COUNT; role++)
		close_role(closed, config, (enum role)role);
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		const struct group *group = getgrnam(groups[i]);

		if (group != NULL)
			closed->gids[closed->n_gids++] = group->gr_gid;
	}
}

static void
enter_sandbox(const struct deliver *d)
{
	struct sandbox_closed closed = { 0 };
	/* not chrooted: homes are anywhere. The file system calls are for
	 * the workers, which inherit this filter. */
	const struct sandbox_path everywhere = { "/", true };
	const struct sandbox sandbox = { .name = "deliver",
		.is_privileged = d->c.is_privileged, .uid = d->c.uid,
		.gid = d->c.gid, .keeps_setuid = d->c.is_privileged,
		.closed = &closed,
		.allow = SANDBOX_FILES_WRITE | SANDBOX_SETUID | SANDBOX_FORK,
		.paths = &everywhere, .n_paths = 1 };

	if (d->c.is_privileged)
		close_ids(&closed, d->c.config);
	sandbox_enter(&sandbox);
}

int
deliver_main(void)
{
	struct deliver *d = &deliver;
	int error;

	d->c.arg = d;
	d->c.on_peer = on_peer;
	d->c.on_stop = on_stop;
	d->c.on_drain = on_drain;
	compartment_start(&d->c, ROLE_DELIVER);
	deliver_open(d);
	enter_sandbox(d);
	compartment_ready(&d->c);
	error = loop_run(d->c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	deliver_close(d);
	return error ? 1 : 0;
}
