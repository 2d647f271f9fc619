/* SPDX-License-Identifier: ISC */
/*
 * compartment.c - the first minutes of every compartment; see compartment.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ask.h"
#include "compartment.h"
#include "fault.h"
#include "log.h"
#include "message.h"

#define SUPERVISOR_FD 3
#define MAX_PEERS 256
/* of two generations, and what is there once */
#define MAX_KEYS (2 * CONFIG_MAX_TLS + CONFIG_MAX_DKIM + 1)
#define MESSAGES_LEAST (64u << 20)	/* as posternctl explain may bring */
#define LOG_WAIT_MS 5
#define LOG_HELD_MAX 8192

struct early_peer {
	enum role role;
	uint16_t index;
	enum config_listen_role kind;
	int fd;
};

struct early_key {
	uint16_t type;			/* SETUP_KEY, _DKIM, _SECRETS */
	struct tls_key key;
	int fd;
};

struct compartment_setup {
	uint8_t buffer[IPC_BUFFER_SIZE];
	struct early_peer peers[MAX_PEERS];
	size_t n_peers;
	struct early_key keys[MAX_KEYS];
	size_t n_keys;
	int log_fd;
	uint8_t log_target, log_format;
	bool is_ready;
	struct loop_timer log_timer;
};

/* A process is one compartment: who accuses needs not hand it down. */
static struct compartment *own;

static const char *const role_names[ROLE_COUNT] = {
	"supervisor", "store", "vault", "resolver", "relay", "deliver",
	"directory", "policy", "auth", "queue", "smtpd", "control",
	"compiler",
};

const char *
role_name(enum role role)
{
	return (unsigned)role < ROLE_COUNT ? role_names[role] : "unknown";
}

bool
role_of_name(const char *name, enum role *role)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		if (strcmp(name, role_names[i]) == 0) {
			*role = (enum role)i;
			return true;
		}
	return false;
}

/* ---- what the supervisor sends before SETUP_DONE ---- */

/* Takes m->fd: the caller no longer closes it. */
static int
keep_fd(struct ipc_message *m)
{
	int fd = m->fd;

	m->fd = -1;
	return fd;
}

/* NULL when it cannot be read, or has errors: the supervisor saw none. */
static struct config *
read_config(struct ipc_message *m)
{
	uint64_t size = ipc_get_u64(&m->body);
	struct config_problems problems = { 0 };
	struct slice text = { NULL, (size_t)size };
	struct config *config = NULL;
	char *copy;

	if (size > CONFIG_MAX_BYTES || m->fd < 0 ||
	    !ipc_reader_is_done(&m->body))
		return NULL;
	copy = malloc((size_t)size + 1);
	if (copy != NULL && pread(m->fd, copy, (size_t)size, 0) ==
	    (ssize_t)size) {
		text.data = copy;
		config = config_parse(text, &problems);
		config_problems_free(&problems);
	}
	free(copy);
	return config;
}

/*
 * A message, and what is put on top of it, are never more than twice that. A
 * small memory_messages may be new: what queue returns whole, the largest
 * return_full and more, came under another one.
 */
static void
expect_messages(const struct config *config)
{
	uint64_t bytes = 2 * config_memory_bytes(config);

	message_expect_at_most(bytes > MESSAGES_LEAST ? bytes :
	    MESSAGES_LEAST);
}

static bool
take_config(struct compartment *c, struct ipc_message *m)
{
	c->config = read_config(m);
	if (c->config == NULL)
		fatal("the configuration cannot be read");
	return true;
}

static bool
take_self(struct compartment *c, struct ipc_message *m)
{
	struct setup_self self;

	if (!get_setup_self(&m->body, &self) || self.role != c->role)
		return false;
	c->index = self.index;
	c->generation = self.generation;
	c->kind = (enum config_listen_role)self.kind;
	c->is_privileged = self.is_privileged;
	c->uid = self.uid;
	c->gid = self.gid;
	return true;
}

static bool
take_log(struct compartment *c, struct ipc_message *m)
{
	c->setup->log_target = ipc_get_u8(&m->body);
	c->setup->log_format = ipc_get_u8(&m->body);
	c->setup->log_fd = keep_fd(m);
	log_open(role_name(c->role), c->setup->log_fd,
	    c->setup->log_target ? LOG_TARGET_SYSLOG : LOG_TARGET_STDERR,
	    c->setup->log_format ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
	return c->setup->log_fd >= 0;
}

static void
hand_over_peer(struct compartment *c, const struct early_peer *peer)
{
	c->peer_kind = peer->kind;
	if (c->on_peer != NULL)
		c->on_peer(c, peer->role, peer->index, peer->fd);
	else
		close(peer->fd);
}

static bool
take_peer(struct compartment *c, struct ipc_message *m)
{
	struct early_peer peer;

	peer.role = (enum role)ipc_get_u16(&m->body);
	peer.index = ipc_get_u16(&m->body);
	peer.kind = (enum config_listen_role)ipc_get_u16(&m->body);
	peer.fd = keep_fd(m);
	if (peer.fd < 0)
		return false;
	if (!ipc_reader_is_done(&m->body) || peer.role >= ROLE_COUNT ||
	    peer.kind > LISTEN_LOCAL ||
	    (!c->setup->is_ready && c->setup->n_peers == MAX_PEERS)) {
		close(peer.fd);
		return false;
	}
	if (!c->setup->is_ready)
		c->setup->peers[c->setup->n_peers++] = peer;
	else
		hand_over_peer(c, &peer);
	return true;
}

static bool
take_listener(struct compartment *c, struct ipc_message *m)
{
	uint16_t index = ipc_get_u16(&m->body);

	if (m->fd < 0 || c->n_listeners == COMPARTMENT_MAX_LISTENERS)
		return false;
	c->listeners[c->n_listeners].config_index = index;
	c->listeners[c->n_listeners++].fd = keep_fd(m);
	return true;
}

static bool
take_secret(struct compartment *c, struct ipc_message *m)
{
	uint16_t name = ipc_get_u16(&m->body);

	if (name >= SECRET_COUNT)
		return false;
	c->has_secret[name] = true;
	return ipc_get_bytes(&m->body, c->secrets[name], SECRET_SIZE);
}

/*
 * One that is told again, because its owner was started anew, is kept once;
 * of too many (each reload brings new ones) the oldest goes.
 */
static void
keep_scoreboard(struct compartment *c, int fd)
{
	struct stat st, known;

	for (size_t i = 0; i < c->n_scoreboards && fstat(fd, &st) == 0; i++)
		if (fstat(c->scoreboards[i], &known) == 0 &&
		    known.st_ino == st.st_ino) {
			close(fd);
			return;
		}
	if (c->n_scoreboards == COMPARTMENT_MAX_SCOREBOARDS) {
		close(c->scoreboards[0]);
		memmove(c->scoreboards, c->scoreboards + 1,
		    --c->n_scoreboards * sizeof *c->scoreboards);
	}
	c->scoreboards[c->n_scoreboards++] = fd;
}

static bool
take_fd(struct compartment *c, struct ipc_message *m)
{
	uint16_t name = ipc_get_u16(&m->body);

	if (m->fd < 0 || name >= SETUP_FD_COUNT)
		return false;
	if (name != SETUP_FD_SCOREBOARD_OF_OTHERS) {
		c->fds[name] = keep_fd(m);
		return true;
	}
	keep_scoreboard(c, keep_fd(m));
	return true;
}

static bool
take_certificate(struct compartment *c, struct ipc_message *m)
{
	uint16_t index = ipc_get_u16(&m->body);

	if (m->fd < 0 || index >= CONFIG_MAX_TLS ||
	    c->certificates[index] >= 0)
		return false;
	c->certificates[index] = keep_fd(m);
	return true;
}

static bool
get_key(struct ipc_message *m, struct tls_key *key)
{
	if (m->type == SETUP_SECRETS)
		return ipc_reader_is_done(&m->body);
	return m->type == SETUP_DKIM ? get_dkim_key(&m->body, key) :
	    get_tls_key(&m->body, key);
}

static void
hand_over_key(struct compartment *c, struct early_key *key)
{
	if (key->type == SETUP_KEY && c->on_key != NULL)
		c->on_key(c, &key->key, key->fd);
	else if (key->type == SETUP_DKIM && c->on_dkim_key != NULL)
		c->on_dkim_key(c, &key->key, key->fd);
	else if (key->type == SETUP_SECRETS && c->on_secrets != NULL)
		c->on_secrets(c, key->fd);
	else
		close(key->fd);
}

static bool
take_key(struct compartment *c, struct ipc_message *m)
{
	struct early_key early = { .type = m->type };

	if (m->fd < 0 || !get_key(m, &early.key) ||
	    (!c->setup->is_ready && c->setup->n_keys == MAX_KEYS))
		return false;
	early.fd = keep_fd(m);
	if (!c->setup->is_ready)
		c->setup->keys[c->setup->n_keys++] = early;
	else
		hand_over_key(c, &early);
	return true;
}

static bool
take_setup(struct compartment *c, struct ipc_message *m)
{
	switch (m->type) {
	case SETUP_CONFIG:
		return take_config(c, m);
	case SETUP_SELF:
		return take_self(c, m);
	case SETUP_LOG:
		return take_log(c, m);
	case SETUP_PEER:
		return take_peer(c, m);
	case SETUP_LISTENER:
		return take_listener(c, m);
	case SETUP_SECRET:
		return take_secret(c, m);
	case SETUP_FD:
		return take_fd(c, m);
	case SETUP_CERTIFICATE:
		return take_certificate(c, m);
	case SETUP_KEY:
	case SETUP_DKIM:
	case SETUP_SECRETS:
		return take_key(c, m);
	default:
		return false;
	}
}

static void
read_setup(struct compartment *c)
{
	struct ipc_message m;

	for (;;) {
		int error = ipc_receive(SUPERVISOR_FD, &m, c->setup->buffer);

		/* the supervisor was killed while it was starting us */
		if (error == -EPIPE)
			exit(1);
		if (error)
			fatal("%s is started by postern itself, not by hand "
			    "(%s)", role_name(c->role), strerror(-error));
		if (m.type == SETUP_DONE)
			return;
		if (!take_setup(c, &m))
			fatal("set-up message %u is malformed", m.type);
		if (m.fd >= 0)
			close(m.fd);
	}
}

/* ---- after the start ---- */

static void
stop(struct compartment *c)
{
	if (c->on_stop != NULL)
		c->on_stop(c);
	else
		loop_stop(c->loop);
}

static void
on_sigterm(int signo, void *arg)
{
	(void)signo;
	stop(arg);
}

static void
on_supervisor_closed(struct channel *ch, bool is_misbehaved, void *arg)
{
	struct compartment *c = arg;

	(void)ch;
	(void)is_misbehaved;
	c->supervisor = NULL;
	stop(c);
}

static bool
on_setup_peer(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	return take_peer(arg, m);
}

static bool
on_run_drain(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct compartment *c = arg;

	(void)ch;
	(void)m;
	if (c->on_drain != NULL)
		c->on_drain(c);
	else
		stop(c);
	return true;
}

static bool
on_tables_changed(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct compartment *c = arg;

	(void)ch;
	(void)m;
	if (c->on_tables != NULL)
		c->on_tables(c);
	return true;
}

static bool
on_late_scoreboard(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	return take_fd(arg, m);
}

static bool
on_late_key(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	return take_key(arg, m);
}

static bool
on_keys_forget(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct compartment *c = arg;
	uint16_t generation = ipc_get_u16(&m->body);

	(void)ch;
	if (c->on_keys_forget != NULL)
		c->on_keys_forget(c, generation);
	return ipc_reader_is_done(&m->body);
}

/* Who does not say that it can take another keeps what it points into. */
static bool
on_late_config(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct compartment *c = arg;
	struct config *next, *old = c->config;

	(void)ch;
	next = read_config(m);
	if (next == NULL) {
		log_error("alarm", LOG_S("problem", "the new configuration "
		    "cannot be read; the old one stays in force here"),
		    LOG_END);
		return true;
	}
	expect_messages(next);
	if (c->on_config == NULL) {
		config_free(&next);
		return true;
	}
	log_set_level((enum log_level)next->log_level);
	c->config = next;
	c->on_config(c, old);
	config_free(&old);
	return true;
}

static const struct channel_rule supervisor_rules[] = {
	{ SETUP_CONFIG, CHANNEL_WANTS_FD, on_late_config },
	{ SETUP_KEY, CHANNEL_WANTS_FD, on_late_key },
	{ SETUP_DKIM, CHANNEL_WANTS_FD, on_late_key },
	{ SETUP_SECRETS, CHANNEL_WANTS_FD, on_late_key },
	{ KEYS_FORGET, CHANNEL_NO_FD, on_keys_forget },
	{ SETUP_PEER, CHANNEL_WANTS_FD, on_setup_peer },
	{ SETUP_FD, CHANNEL_WANTS_FD, on_late_scoreboard },
	{ RUN_DRAIN, CHANNEL_NO_FD, on_run_drain },
	{ TABLES_CHANGED, CHANNEL_NO_FD, on_tables_changed },
};

static void
on_log_timer(struct loop_timer *timer, void *arg)
{
	(void)timer;
	(void)arg;
	log_flush();
}

/* One write for the lines of some milliseconds: it costs as much as ten. */
static void
flush_log(void *arg)
{
	struct compartment *c = arg;

	if (log_held() > LOG_HELD_MAX)
		log_flush();
	else if (log_held() > 0 &&
	    !loop_timer_is_running(&c->setup->log_timer))
		loop_timer_start(c->loop, &c->setup->log_timer, LOG_WAIT_MS,
		    on_log_timer, c);
}

void
compartment_start(struct compartment *c, enum role role)
{
	own = c;
	c->role = role;
	c->setup = calloc(1, sizeof *c->setup);
	if (c->setup == NULL)
		fatal("no memory");
	for (size_t i = 0; i < SETUP_FD_COUNT; i++)
		c->fds[i] = -1;
	for (size_t i = 0; i < CONFIG_MAX_TLS; i++)
		c->certificates[i] = -1;
	signal(SIGPIPE, SIG_IGN);
	atexit(log_flush);
	FAULT_OPEN(role_name(role));
	prctl(PR_SET_NAME, role_name(role), 0, 0, 0);
	read_setup(c);
	if (c->config == NULL || c->setup->log_fd < 0)
		fatal("the supervisor left something out");
	log_set_level((enum log_level)c->config->log_level);
	expect_messages(c->config);
	c->loop = loop_new();
	if (c->loop == NULL)
		fatal("event loop: %s", strerror(errno));
	c->supervisor = channel_new(c->loop, SUPERVISOR_FD, "supervisor",
	    supervisor_rules,
	    sizeof supervisor_rules / sizeof *supervisor_rules,
	    on_supervisor_closed, c);
	if (c->supervisor == NULL ||
	    loop_signal(c->loop, SIGTERM, on_sigterm, c) != 0 ||
	    loop_at_round_end(c->loop, flush_log, c) != 0)
		fatal("event loop: %s", strerror(errno));
	/* ^C goes to the whole terminal; the supervisor tells us when */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void
hand_over_keys(struct compartment *c)
{
	for (size_t i = 0; i < c->setup->n_keys; i++)
		hand_over_key(c, &c->setup->keys[i]);
	c->setup->n_keys = 0;
}

void
compartment_ready(struct compartment *c)
{
	c->setup->is_ready = true;
	hand_over_keys(c);
	for (size_t i = 0; i < c->setup->n_peers; i++)
		hand_over_peer(c, &c->setup->peers[i]);
	c->setup->n_peers = 0;
	if (c->supervisor != NULL)
		channel_tell(c->supervisor, CHILD_READY, NULL, -1);
}

void
compartment_accuse(enum role role, uint16_t index)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u16(&w, (uint16_t)role);
	ipc_put_u16(&w, index);
	if (own != NULL && own->supervisor != NULL)
		channel_tell(own->supervisor, PEER_MISBEHAVED, &w, -1);
}

void
compartment_want_compile(struct compartment *c)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u8(&w, 0);
	if (c->supervisor != NULL)
		channel_tell(c->supervisor, COMPILE_WANTED, &w, -1);
}
