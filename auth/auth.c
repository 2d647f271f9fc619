/* SPDX-License-Identifier: ISC */
/*
 * auth.c - the compartment that knows whether somebody is who he says.
 *
 * It does: check passwords, and ask the kernel who is at the other end of a
 * socket; it vouches for the user with a MAC (voucher.h).
 * It holds: the compiled table of passwords, read-only, or a connection to
 * Dovecot; how often was guessed; the key that only queue has too. One
 * question at a time, blocking, in a pool, and behind everybody else for the
 * processor: a guess must not delay a session.
 * It can never: write a file, reach the network, start a program, become
 * another user, read /etc/shadow.
 *
 * A crash here loses the exchanges that were under way: 454.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "desk.h"
#include "dovecot.h"
#include "log.h"
#include "sandbox.h"
#include "scram.h"
#include "verify.h"
#include "who.h"

#define NICE 10
#define STOP_MS 5000
#define FIRST_TABLE_MS 15000		/* how long it may take to compile */

struct auth {
	struct compartment c;
	struct desk desk;
	char table_path[PATH_MAX];
	struct loop_timer stop_limit, first_table;
	bool is_ready;
};

static void
enter_sandbox(const struct auth *a)
{
	char passwords[PATH_MAX];
	/* beside the table: what NSS reads, and where its modules are */
	const struct sandbox_path paths[] = { { passwords, false },
		{ "/etc", false }, { "/run", false }, { "/var/run", false },
		{ "/lib", false }, { "/lib64", false }, { "/usr/lib", false },
		{ "/var/lib/sss", false }, { "/var/lib/extrausers", false } };
	const struct sandbox sandbox = { .name = "auth",
		.is_privileged = a->c.is_privileged, .uid = a->c.uid,
		.gid = a->c.gid,
		.allow = SANDBOX_FILES_READ | SANDBOX_NAME_SERVICES,
		.paths = paths, .n_paths = sizeof paths / sizeof *paths };

	slice_copy(passwords, sizeof passwords, slice_of(a->table_path));
	*strrchr(passwords, '/') = '\0';	/* its folder */
	sandbox_enter(&sandbox);
}

/* Which of its users can use SCRAM is Dovecot's to know. */
static void
on_dovecot(bool has_scram, void *arg)
{
	unsigned offers = 1u << AUTH_PLAIN | 1u << AUTH_LOGIN;

	if (has_scram)
		offers |= 1u << AUTH_SCRAM_SHA_256;
	desk_set_offers(arg, offers);
}

/* ---- the table ---- */

static void
open_table(struct auth *a)
{
	struct desk *desk = &a->desk;
	struct password_table *table;
	unsigned offers = 1u << AUTH_PLAIN | 1u << AUTH_LOGIN;
	int error;

	if (desk->dovecot != NULL)
		return;
	error = password_table_open(&table, a->table_path);
	if (error) {
		if (error != -ENOENT)
			log_error("alarm", LOG_S("problem", "the table of "
			    "passwords cannot be read"), LOG_E("error",
			    error), LOG_S("effect", desk->table != NULL ?
			    "the old one stays in use" :
			    "nobody can log in"), LOG_END);
		return;
	}
	password_table_close(&desk->table);
	desk->table = table;
	/* a client that chooses it must be able to use it */
	if (verify_all_have_scram(table))
		offers |= 1u << AUTH_SCRAM_SHA_256;
	desk_set_offers(desk, offers);
}

/*
 * Peers are served only now: what they asked meanwhile waits in their
 * sockets, so that the first one after a first start is let in, too.
 */
static void
become_ready(struct auth *a)
{
	if (a->is_ready)
		return;
	a->is_ready = true;
	loop_timer_stop(a->c.loop, &a->first_table);
	compartment_ready(&a->c);
}

static void
on_first_table_limit(struct loop_timer *timer, void *arg)
{
	(void)timer;
	become_ready(arg);
}

static void
on_tables(struct compartment *c)
{
	struct auth *a = c->arg;

	open_table(a);
	become_ready(a);
}

/* A table is compiled only where somebody can give a password. */
static bool
awaits_table(const struct auth *a)
{
	const struct config *config = a->c.config;

	for (size_t i = 0; i < config->n_listens; i++)
		if (config->listens[i].role == LISTEN_SUBMISSION)
			return a->desk.dovecot == NULL &&
			    a->desk.table == NULL;
	return false;
}

/* ---- the compartment ---- */

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct auth *a = c->arg;

	desk_peer(&a->desk, role, index, fd);
}

static void
on_stop_limit(struct loop_timer *timer, void *arg)
{
	struct auth *a = arg;

	(void)timer;
	loop_stop(a->c.loop);
}

/* SIGTERM comes when all smtpd have ended, unless the supervisor died. */
static void
on_stop(struct compartment *c)
{
	struct auth *a = c->arg;

	a->desk.is_stopping = true;
	if (a->desk.n_peers == 0)
		loop_stop(c->loop);
	else if (!loop_timer_is_running(&a->stop_limit))
		loop_timer_start(c->loop, &a->stop_limit, STOP_MS,
		    on_stop_limit, a);
}

static void
make_desk(struct auth *a)
{
	const struct config_auth *settings = &a->c.config->auth;
	struct guesses_setup setup = { .fd = a->c.fds[SETUP_FD_FAILURES],
		.per_network = settings->failures_per_client,
		.per_account = settings->failures_per_account };

	memcpy(setup.key, a->c.secrets[SECRET_VOUCH], sizeof setup.key);
	a->desk = (struct desk){ .loop = a->c.loop, .config = a->c.config,
		.key = a->c.secrets[SECRET_VOUCH],
		.offers = 1u << AUTH_PLAIN | 1u << AUTH_LOGIN,
		.guesses = guesses_new(&setup) };
	OPENSSL_cleanse(&setup, sizeof setup);
	if (a->desk.guesses == NULL)
		fatal("the table of failures: %s", strerror(errno));
	if (settings->dovecot != NULL) {
		a->desk.dovecot = dovecot_new(&a->c, on_dovecot, &a->desk);
		if (a->desk.dovecot == NULL)
			fatal("out of memory");
	}
}

/*
 * Behind all others for the processor. Where the kernel shares it out by
 * session (sched(7), autogroup), nice counts among those of one session
 * only, and what hashing takes would be taken from the server's own share:
 * so a session of our own, and that one has a nice value, too.
 */
static void
step_back(void)
{
	int fd;

	if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
		log_warning("nice", LOG_E("error", -errno), LOG_END);
	(void)setsid();		/* it fails for who has one already */
	fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;		/* this kernel has none */
	if (dprintf(fd, "%d", NICE) < 0)
		log_debug("autogroup", LOG_E("error", -errno), LOG_END);
	close(fd);
}

static void
start(struct auth *a)
{
	struct compartment *c = &a->c;

	compartment_start(c, ROLE_AUTH);
	c->arg = a;
	c->on_peer = on_peer;
	c->on_tables = on_tables;
	c->on_stop = on_stop;
	if (!c->has_secret[SECRET_VOUCH])
		fatal("the secret for vouchers is missing");
	if (!password_table_path(a->table_path, sizeof a->table_path,
	    c->config->state_dir))
		fatal("state_dir is too long");
	step_back();
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL);
	if (!scram_warm_up())
		fatal("libgsasl has no SCRAM-SHA-256");
	who_warm_up();
	make_desk(a);
}

int
auth_main(void)
{
	static struct auth a;
	int error;

	start(&a);
	enter_sandbox(&a);
	open_table(&a);
	if (awaits_table(&a))
		loop_timer_start(a.c.loop, &a.first_table, FIRST_TABLE_MS,
		    on_first_table_limit, &a);
	else
		become_ready(&a);
	error = loop_run(a.c.loop);
	if (error)
		fatal("event loop: %s", strerror(-error));
	log_flush();
	return 0;
}
