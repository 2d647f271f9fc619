/* SPDX-License-Identifier: ISC */
/*
 * supervisor.c - start, reload, stop; see supervisor.h.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clearances.h"
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "log_sink.h"
#include "name_servers.h"
#include "notify.h"
#include "sealed.h"
#include "privileges.h"
#include "supervisor.h"
#include "trail.h"

#define STATUS_MAX (1u << 20)
#define TICK_MS 5000
#define TICKS_PER_DAY (86400 / 5)
#define DRAIN_MS 600000		/* old sessions after a reload */
#define STOP_MS 90000		/* running transactions at the end */

/* ---- what compartments may tell ---- */

static bool
on_ready(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	supervisor_child_ready(arg);
	return m->body.size == 0;
}

static bool
on_status(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct child *child = arg;
	struct buf text = { .maximum = STATUS_MAX };
	int fd;

	if (child->role != ROLE_CONTROL || m->body.size != 0)
		return false;
	supervisor_status(child->supervisor, &text);
	/* a line per process: they may not fit into a message */
	fd = sealed_of_text("status", buf_slice(&text));
	if (fd >= 0) {
		channel_answer(ch, m->id, SUPERVISOR_STATUS, NULL, fd);
		close(fd);
	}
	buf_free(&text);
	return true;
}

static const char *reload(struct supervisor *s, pid_t pid, uint32_t id);

static bool
on_reload(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct child *child = arg;
	struct ipc_writer w;
	const char *wrong;

	if (child->role != ROLE_CONTROL || m->body.size != 0)
		return false;
	wrong = reload(child->supervisor, child->pid, m->id);
	if (wrong == NULL)
		return true;		/* answered by compile.c */
	ipc_writer_init(&w);
	ipc_put_string(&w, wrong);
	channel_answer(ch, m->id, SUPERVISOR_RELOAD, &w, -1);
	return true;
}

static bool
on_peer_misbehaved(struct channel *ch, struct ipc_message *m, void *arg)
{
	uint16_t role = ipc_get_u16(&m->body);
	uint16_t index = ipc_get_u16(&m->body);

	(void)ch;
	if (!ipc_reader_is_done(&m->body) || role >= ROLE_COUNT)
		return false;
	wire_accused(arg, (enum role)role, index);
	return true;
}

const struct channel_rule supervisor_rules[] = {
	{ PEER_MISBEHAVED, CHANNEL_NO_FD, on_peer_misbehaved },
	{ CHILD_READY, CHANNEL_NO_FD, on_ready },
	{ COMPILE_WANTED, CHANNEL_NO_FD, on_compile_wanted },
	{ SUPERVISOR_COMPILE, CHANNEL_NO_FD, on_compile_asked },
	{ SUPERVISOR_STATUS, CHANNEL_NO_FD, on_status },
	{ SUPERVISOR_RELOAD, CHANNEL_NO_FD, on_reload },
	{ ENDPOINT_ASK, CHANNEL_NO_FD, on_endpoint },
};
const size_t supervisor_n_rules =
    sizeof supervisor_rules / sizeof *supervisor_rules;

static const char *
state_text(const struct child *child)
{
	if (child->state == CHILD_WAITING)
		return "restarting";
	if (child->state == CHILD_STOPPING || child->is_retired ||
	    child->generation->is_draining)
		return "draining";
	return child->is_ready ? "running" : "starting";
}

static const char *
kind_text(enum config_listen_role kind)
{
	return kind == LISTEN_MX ? "mx" :
	    kind == LISTEN_SUBMISSION ? "submission" : "local";
}

void
supervisor_status(const struct supervisor *s, struct buf *out)
{
	int64_t now = clock_monotonic_us();

	buf_printf(out, "uptime_s=%lld generation=%u",
	    (long long)((now - s->started_us) / 1000000),
	    s->current->number);
	/* a path may hold whatever a name of a file may */
	trail_put_values(out, (const struct log_value[]){
	    LOG_S("config", s->config_path), LOG_END });
	buf_puts(out, "\n");
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		const struct child *child = &s->children[i];

		if (child->state == CHILD_NONE)
			continue;
		buf_printf(out, "compartment=%s index=%u generation=%u "
		    "pid=%d state=%s up_s=%lld restarts=%u",
		    role_name(child->role), child->index,
		    child->generation->number, (int)child->pid,
		    state_text(child),
		    (long long)((now - child->started_us) / 1000000),
		    child->n_restarts);
		if (child->role == ROLE_SMTPD)
			buf_printf(out, " kind=%s", kind_text(child->kind));
		buf_puts(out, "\n");
	}
}

void
supervisor_child_ready(struct child *child)
{
	struct supervisor *s = child->supervisor;

	child->is_ready = true;
	if (s->is_up)
		return;
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state != CHILD_NONE &&
		    s->children[i].role != ROLE_COMPILER &&
		    !s->children[i].is_ready)
			return;
	s->is_up = true;
	log_notice("ready", LOG_S("config", s->config_path),
	    LOG_S("hostname", s->current->config->hostname), LOG_END);
	notify_send("READY=1");
}

/* ---- reload ---- */

static void
on_drain_limit(struct loop_timer *timer, void *arg)
{
	struct supervisor *s = arg;

	(void)timer;
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state != CHILD_NONE &&
		    s->children[i].generation->is_draining)
			child_stop(&s->children[i]);
}

static void
drain_current(struct supervisor *s)
{
	s->current->is_draining = true;
	s->previous = s->current;
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->role == ROLE_SMTPD &&
		    child->state == CHILD_WAITING)
			child_stop(child);
		else if (child->role == ROLE_SMTPD && child->channel)
			channel_tell(child->channel, RUN_DRAIN, NULL, -1);
	}
	loop_timer_start(s->loop, &s->drain_limit, DRAIN_MS, on_drain_limit,
	    s);
}

/* The shared ones live on, and belong to the newest generation. */
static void
adopt_shared(struct supervisor *s)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (role_is_shared(s->children[i].role))
			s->children[i].generation = s->current;
}

static bool
asks_the_same(const struct config_resolver *a,
    const struct config_resolver *b)
{
	if (a->servers.n != b->servers.n || a->has_dnssec != b->has_dnssec ||
	    a->timeout_s != b->timeout_s ||
	    !text_equals(a->trust_anchor, b->trust_anchor))
		return false;
	for (size_t i = 0; i < a->servers.n; i++)
		if (strcmp(a->servers.items[i], b->servers.items[i]) != 0)
			return false;
	return true;
}

/* libunbound takes no settings once it runs: there is a new one, at once. */
static void
renew_resolver(struct supervisor *s, const char *why)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->role != ROLE_RESOLVER ||
		    child->state != CHILD_RUNNING)
			continue;
		log_notice("resolver_renewed", LOG_S("why", why), LOG_END);
		child->is_renewed = true;
		kill(child->pid, SIGKILL);
	}
}

static void
look_at_name_servers(struct supervisor *s)
{
	if (name_servers_changed(&s->name_servers) && !s->is_stopping &&
	    s->current->config->resolver.servers.n == 0)
		renew_resolver(s, "/etc/resolv.conf names other servers");
}

/* By their numbers relay has unix sockets opened. */
static bool
has_the_same_hops(const struct config *a, const struct config *b)
{
	if (a->n_domains != b->n_domains)
		return false;
	for (size_t i = 0; i < a->n_domains; i++)
		if (!text_equals(config_domain_hop(&a->domains[i]),
		    config_domain_hop(&b->domains[i])) ||
		    a->domains[i].next_hop_tls != b->domains[i].next_hop_tls)
			return false;
	return true;
}

static bool
sends_the_same(const struct config *a, const struct config *b)
{
	const struct config_relay *x = &a->relay, *y = &b->relay;

	/* by its own addresses it knows a loop */
	if (a->n_listens != b->n_listens)
		return false;
	for (size_t i = 0; i < a->n_listens; i++)
		if (!text_equals(a->listens[i].text, b->listens[i].text))
			return false;
	return has_the_same_hops(a, b) &&
	    text_equals(a->hostname, b->hostname) &&
	    text_equals(x->smart_host, y->smart_host) &&
	    text_equals(x->smart_host_user, y->smart_host_user) &&
	    text_equals(x->source_ipv4, y->source_ipv4) &&
	    text_equals(x->source_ipv6, y->source_ipv6) &&
	    text_equals(x->ca_file, y->ca_file) &&
	    x->smart_host_password_file == NULL &&
	    y->smart_host_password_file == NULL && x->tls == y->tls &&
	    x->port == y->port &&
	    x->connect_timeout_s == y->connect_timeout_s &&
	    x->command_timeout_s == y->command_timeout_s &&
	    x->data_timeout_s == y->data_timeout_s &&
	    x->final_timeout_s == y->final_timeout_s;
}

/*
 * It reads files before its sandbox closes, a password among them that may
 * be another now. What it has begun it ends: a message that is cut off at
 * the wrong moment would be sent twice.
 */
static void
renew_relay(struct supervisor *s, const struct config *old)
{
	if (children_count(s, ROLE_RELAY, NULL) == 0 ||
	    sends_the_same(old, s->current->config))
		return;
	log_notice("relay_renewed", LOG_S("why",
	    "its settings have changed"), LOG_END);
	children_replace(s, ROLE_RELAY);
}

static const struct owner *
vault_owner(const struct supervisor *s)
{
	return s->is_privileged ? &s->owners[ROLE_VAULT] : NULL;
}

static void
forget_keys(struct supervisor *s, uint16_t generation)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u16(&w, generation);
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state == CHILD_RUNNING &&
		    s->children[i].role == ROLE_VAULT &&
		    s->children[i].channel != NULL)
			channel_tell(s->children[i].channel, KEYS_FORGET, &w,
			    -1);
}

/* NULL: next can take the place of the current one. */
static const char *
accept_next(struct supervisor *s, struct generation *next)
{
	const struct generation *old = s->current;

	if (strcmp(next->config->state_dir, old->config->state_dir) != 0) {
		log_error("reload_failed", LOG_S("effect", "state_dir cannot "
		    "change while running; restart instead"), LOG_END);
		return "state_dir cannot change while running";
	}
	if (!certificates_reload(next, old, vault_owner(s))) {
		log_error("reload_failed", LOG_S("effect", "a new certificate "
		    "cannot be used; the old configuration stays in force"),
		    LOG_END);
		return "a certificate cannot be used; run postern -n";
	}
	if (!dkim_keys_reload(next->dkim_fds, next->config, vault_owner(s))) {
		log_error("reload_failed", LOG_S("effect", "a key of DKIM "
		    "cannot be used; the old configuration stays in force"),
		    LOG_END);
		return "a key of DKIM cannot be used; run postern -n";
	}
	return log_sink_change(s, next->config) ? NULL :
	    "the log cannot be opened";
}

/*
 * For a question of control, or for nobody (0). Why not, or NULL: then it is
 * answered, and logged, when the tables are compiled.
 */
static const char *
reload(struct supervisor *s, pid_t pid, uint32_t id)
{
	struct generation *next, *old = s->current;
	struct config_problems problems;
	const char *wrong;

	if (s->is_stopping)
		return "the server is stopping";
	next = generation_load(s->config_path,
	    (uint16_t)(s->current->number + 1), &problems);
	log_sink_problems(s->config_path, &problems);
	config_problems_free(&problems);
	if (next == NULL) {
		log_error("reload_failed", LOG_S("effect", "the configuration "
		    "has errors; the old one stays in force"), LOG_END);
		return "the configuration has errors; run postern -n";
	}
	if (s->previous != NULL) {
		generation_free(&next);
		s->wants_reload = true;
		log_warning("reload_delayed", LOG_S("effect", "sessions of "
		    "the previous configuration are ending; after them, and "
		    "after ten minutes at most, it is read"), LOG_END);
		return RELOAD_DELAYED;
	}
	s->wants_reload = false;
	wrong = accept_next(s, next);
	if (wrong != NULL) {
		generation_free(&next);
		return wrong;
	}
	s->current = next;
	log_sink_use(s);
	if (listen_open(s) != 0)
		log_error("reload_listeners", LOG_S("effect",
		    "not every address is served"), LOG_END);
	s->current = old;
	drain_current(s);
	s->current = next;
	adopt_shared(s);
	if (!asks_the_same(&old->config->resolver, &next->config->resolver))
		renew_resolver(s, "its settings have changed");
	renew_relay(s, old->config);
	wire_config(s);
	wire_keys(s, next);
	compile_for_reload(s, pid, id);
	children_start_generation(s);
	supervisor_child_gone(s);
	return NULL;
}

void
supervisor_child_gone(struct supervisor *s)
{
	struct generation *old = s->previous;

	if (s->is_stopping || old == NULL)
		return;
	if (children_count(s, ROLE_SMTPD, old) > 0)
		return;
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].generation == old)
			child_stop(&s->children[i]);
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state != CHILD_NONE &&
		    s->children[i].generation == old)
			return;
	loop_timer_stop(s->loop, &s->drain_limit);
	forget_keys(s, old->number);
	generation_free(&s->previous);
	log_info("drained", LOG_END);
	if (s->wants_reload)
		(void)reload(s, 0, 0);
}

/* ---- stop: smtpd first, store last ---- */

static const enum role stop_order[] = { ROLE_SMTPD, ROLE_CONTROL,
	ROLE_COMPILER, ROLE_POLICY, ROLE_AUTH, ROLE_QUEUE, ROLE_RELAY,
	ROLE_DIRECTORY, ROLE_DELIVER, ROLE_RESOLVER, ROLE_VAULT, ROLE_STORE };

static void
stop_next(struct supervisor *s)
{
	for (size_t k = 0; k < sizeof stop_order / sizeof *stop_order; k++) {
		if (children_count(s, stop_order[k], NULL) == 0)
			continue;
		for (size_t i = 0; i < MAX_CHILDREN; i++)
			if (s->children[i].role == stop_order[k])
				child_stop(&s->children[i]);
		if (children_count(s, stop_order[k], NULL) > 0)
			return;
	}
	loop_stop(s->loop);
}

static void
on_stop_limit(struct loop_timer *timer, void *arg)
{
	struct supervisor *s = arg;

	(void)timer;
	log_error("stop_forced", LOG_S("effect", "a compartment did not end "
	    "in time and is killed"), LOG_END);
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state == CHILD_RUNNING ||
		    s->children[i].state == CHILD_STOPPING)
			kill(s->children[i].pid, SIGKILL);
}

static void
begin_stop(struct supervisor *s)
{
	if (s->is_stopping)
		return;
	s->is_stopping = true;
	notify_send("STOPPING=1");
	log_notice("stopping", LOG_END);
	listen_remove(s);		/* who comes now shall not wait */
	loop_timer_start(s->loop, &s->stop_limit, STOP_MS, on_stop_limit, s);
	stop_next(s);
}

static void
on_signal(int signo, void *arg)
{
	struct supervisor *s = arg;

	if (signo == SIGCHLD) {
		children_reap(s);
		if (s->is_stopping)
			stop_next(s);
	} else if (signo == SIGHUP) {
		(void)reload(s, 0, 0);
	} else {
		begin_stop(s);
	}
}

/* ---- start ---- */

/* What was read at the start stays in use when it cannot be read now. */
static void
renew_secrets(struct supervisor *s)
{
	int fd = secret_file_open(s->current->config->state_dir);

	if (fd < 0) {
		log_error("secrets", LOG_E("error", fd), LOG_S("effect",
		    "those that were read before stay in use"), LOG_END);
		return;
	}
	close(s->secret_fd);
	s->secret_fd = fd;
	wire_secrets(s);
}

static void
open_secrets(struct supervisor *s)
{
	const char *folder = s->current->config->state_dir;

	s->secret_fd = secret_file_open(folder);
	if (s->secret_fd == -EPERM)
		fatal("%s/secrets must be a file of its own that only its "
		    "owner can read", folder);
	if (s->secret_fd < 0)
		fatal("%s/secrets: %s", folder, strerror(-s->secret_fd));
}

static void on_tick(struct loop_timer *timer, void *arg);

static void
start_tick(struct supervisor *s)
{
	loop_timer_start(s->loop, &s->tick, FAULT_ENV("POSTERN_NO_PATIENCE") ?
	    TICK_MS / 20 : TICK_MS, on_tick, s);
}

static void
on_tick(struct loop_timer *timer, void *arg)
{
	struct supervisor *s = arg;

	(void)timer;
	start_tick(s);
	log_sink_mend(s);
	if (!s->is_stopping)		/* on_stop_limit does */
		children_kill_overdue(s);
	look_at_name_servers(s);
	if (++s->n_ticks % TICKS_PER_DAY == 0)
		renew_secrets(s);
}

static void
warn_about_outside(struct supervisor *s)
{
	struct config_problems problems = { 0 };
	int error = check_outside(s->current->config, s->is_privileged,
	    &problems);

	if (error)
		log_warning("check", LOG_E("error", error), LOG_END);
	for (size_t i = 0; i < problems.n; i++)
		if (!problems.items[i].is_warning)
			log_error("alarm", LOG_S("problem",
			    problems.items[i].text), LOG_END);
	config_problems_free(&problems);
}

/* After warn_about_outside, whose child has no use for keys. */
static bool
load_certificates(struct supervisor *s)
{
	struct generation *g = s->current;
	struct config_problems problems = { 0 };
	int error;
	bool is_ok;

	certificates_open(g->certificates, g->config, &problems);
	error = certificates_check(g->certificates, g->config, vault_owner(s),
	    &problems);
	dkim_keys_open(g->dkim_fds, g->config, &problems);
	if (!error)
		error = dkim_keys_check(g->dkim_fds, g->config,
		    vault_owner(s), &problems);
	if (error)
		config_problem_add(&problems, 0, false, "certificates could "
		    "not be checked: %s", strerror(-error));
	log_sink_problems(s->config_path, &problems);
	is_ok = !config_problems_has_error(&problems);
	config_problems_free(&problems);
	if (!is_ok)
		log_error("not_started", LOG_S("effect", "a certificate "
		    "cannot be used; postern -n prints all that is wrong"),
		    LOG_END);
	return is_ok;
}

static void
flush_log(void *arg)
{
	(void)arg;
	log_flush();
}

static void
open_loop(struct supervisor *s)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };

	s->loop = loop_new();
	if (s->loop == NULL)
		fatal("event loop: %s", strerror(errno));
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (loop_signal(s->loop, signals[i], on_signal, s) != 0)
			fatal("signals: %s", strerror(errno));
	loop_at_round_end(s->loop, flush_log, NULL);
	start_tick(s);
}

static int
shared_memory(int fd)
{
	if (fd < 0)
		fatal("no shared memory: %s", strerror(-fd));
	return fd;
}

/* The first configuration, and the log that it wants. */
static int
begin(struct supervisor *s)
{
	struct config_problems problems;

	s->current = generation_load(s->config_path, 1, &problems);
	if (s->current != NULL)
		log_sink_open(s);
	else
		log_sink_begin(problems.wants_json);
	log_sink_problems(s->config_path, &problems);
	config_problems_free(&problems);
	if (s->current != NULL)
		return 0;
	log_error("not_started", LOG_S("effect", "the configuration has "
	    "errors; postern -n prints them all"), LOG_END);
	return -1;
}

int
supervisor_run(const char *config_path)
{
	static struct supervisor s;

	s.config_path = config_path;
	s.is_privileged = geteuid() == 0;
	s.started_us = clock_monotonic_us();
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (begin(&s) != 0)
		return 1;
	if (s.is_privileged)
		privileges_check();
	state_dir_open(&s);
	open_secrets(&s);
	if (getrandom(s.secrets, sizeof s.secrets, 0) !=
	    (ssize_t)sizeof s.secrets)
		fatal("no random numbers");
	s.renames_fd = shared_memory(sealed_create("renames"));
	s.failures_fd = shared_memory(sealed_create("guesses"));
	s.clearances_fd = shared_memory(clearances_create());
	if (listen_open(&s) != 0)
		fatal("not every address could be bound: see above");
	listen_control(&s);
	warn_about_outside(&s);
	if (!load_certificates(&s))
		return 1;
	open_loop(&s);
	/* before resolver reads the same */
	(void)name_servers_changed(&s.name_servers);
	compile_start(&s);
	children_start_shared(&s);
	children_start_generation(&s);
	loop_run(s.loop);
	log_notice("stopped", LOG_END);
	log_flush();
	return 0;
}
