/* SPDX-License-Identifier: ISC */
/*
 * wire.c - what a new compartment is handed: see compartment.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "log.h"
#include "supervisor.h"

static int
send_self(const struct child *child, int fd)
{
	struct setup_self self = { .role = (uint16_t)child->role,
		.index = child->index,
		.generation = child->generation->number,
		.kind = (uint16_t)child->kind,
		.is_privileged = child->supervisor->is_privileged };
	struct ipc_writer w;

	self.uid = child->supervisor->owners[child->role].uid;
	self.gid = child->supervisor->owners[child->role].gid;
	ipc_writer_init(&w);
	put_setup_self(&w, &self);
	return ipc_send(fd, SETUP_SELF, 0, 0, &w, -1);
}

static int
send_config(const struct child *child, int fd)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u64(&w, child->generation->config_size);
	return ipc_send(fd, SETUP_CONFIG, 0, 0, &w,
	    child->generation->config_fd);
}

void
wire_config(struct supervisor *s)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u64(&w, s->current->config_size);
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->state == CHILD_RUNNING &&
		    role_is_shared(child->role) && child->channel != NULL)
			channel_tell(child->channel, SETUP_CONFIG, &w,
			    s->current->config_fd);
	}
}

static int
send_log(const struct child *child, int fd)
{
	const struct config *config = child->generation->config;
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u8(&w, config->logs_to_syslog);
	ipc_put_u8(&w, config->logs_json);
	return ipc_send(fd, SETUP_LOG, 0, 0, &w, child->supervisor->log_fd);
}

/* Each goes to those only who make and obey what it seals. */
static const struct {
	enum secret secret;
	enum role maker, reader;
} secret_owners[] = {
	{ SECRET_ROUTE, ROLE_DIRECTORY, ROLE_DELIVER },
	{ SECRET_VOUCH, ROLE_AUTH, ROLE_QUEUE },
	{ SECRET_LIST, ROLE_DIRECTORY, ROLE_QUEUE },
	{ SECRET_HOP, ROLE_DIRECTORY, ROLE_RELAY },
	{ SECRET_RETURN, ROLE_VAULT, ROLE_RELAY },
};

static int
send_secrets(const struct child *child, int fd)
{
	const struct supervisor *s = child->supervisor;
	const size_t n = sizeof secret_owners / sizeof *secret_owners;
	struct ipc_writer w;
	int error = 0;

	for (size_t i = 0; i < n && !error; i++) {
		if (child->role != secret_owners[i].maker &&
		    child->role != secret_owners[i].reader)
			continue;
		ipc_writer_init(&w);
		ipc_put_u16(&w, (uint16_t)secret_owners[i].secret);
		ipc_put_bytes(&w, s->secrets[secret_owners[i].secret],
		    SECRET_SIZE);
		error = ipc_send(fd, SETUP_SECRET, 0, 0, &w, -1);
	}
	return error;
}

static int send_named_fd(int to, enum setup_fd name, int fd);
static int read_only(int fd);

/* What deliver's workers note outlives deliver. */
static int
send_renames(const struct child *child, int fd)
{
	if (child->role != ROLE_DELIVER)
		return 0;
	return send_named_fd(fd, SETUP_FD_RENAMES,
	    child->supervisor->renames_fd);
}

/* So do the failures that auth counts. */
static int
send_failures(const struct child *child, int fd)
{
	if (child->role != ROLE_AUTH)
		return 0;
	return send_named_fd(fd, SETUP_FD_FAILURES,
	    child->supervisor->failures_fd);
}

/* From store to deliver's workers: see clearances.h. */
static int
send_clearances(const struct child *child, int fd)
{
	int error, read, board = child->supervisor->clearances_fd;

	if (child->role == ROLE_STORE)
		return send_named_fd(fd, SETUP_FD_CLEARANCES, board);
	if (child->role != ROLE_DELIVER)
		return 0;
	read = read_only(board);
	if (read < 0)
		return -errno;
	error = send_named_fd(fd, SETUP_FD_CLEARANCES, read);
	close(read);
	return error;
}

/* Those of its kind: what serves strangers has no socket of ours. */
static int
send_listeners(const struct child *child, int fd)
{
	const struct supervisor *s = child->supervisor;
	const struct config *config = child->generation->config;
	int error = 0;

	if (child->role != ROLE_SMTPD)
		return 0;
	for (size_t i = 0; i < s->n_sockets && !error; i++) {
		uint16_t index = s->sockets[i].config_index;
		struct ipc_writer w;

		if (index >= config->n_listens ||
		    config->listens[index].role != child->kind)
			continue;
		ipc_writer_init(&w);
		ipc_put_u16(&w, index);
		error = ipc_send(fd, SETUP_LISTENER, 0, 0, &w,
		    s->sockets[i].fd);
	}
	return error;
}

static int
send_certificates(const struct child *child, int fd)
{
	const struct generation *g = child->generation;
	struct ipc_writer w;
	int error = 0;

	for (size_t i = 0; i < g->config->n_tls && !error; i++) {
		ipc_writer_init(&w);
		ipc_put_u16(&w, (uint16_t)i);
		if (child->role == ROLE_SMTPD && g->certificates[i].fd >= 0)
			error = ipc_send(fd, SETUP_CERTIFICATE, 0, 0, &w,
			    g->certificates[i].fd);
	}
	return error;
}

static void
put_key_of(struct ipc_writer *w, const struct generation *g, size_t i)
{
	const struct tls_key key = { g->number, (uint16_t)i };

	ipc_writer_init(w);
	put_tls_key(w, &key);
}

static int
send_keys(const struct generation *g, int fd)
{
	struct ipc_writer w;
	int error = 0;

	for (size_t i = 0; g && i < g->config->n_tls && !error; i++) {
		put_key_of(&w, g, i);
		if (g->certificates[i].key_fd >= 0)
			error = ipc_send(fd, SETUP_KEY, 0, 0, &w,
			    g->certificates[i].key_fd);
	}
	return error;
}

/* Of the newest configuration alone: that is the one that vault has. */
static int
send_dkim_keys(const struct generation *g, int fd)
{
	struct ipc_writer w;
	int error = 0;

	for (size_t i = 0; i < g->config->n_dkims && !error; i++) {
		put_key_of(&w, g, i);
		if (g->dkim_fds[i] >= 0)
			error = ipc_send(fd, SETUP_DKIM, 0, 0, &w,
			    g->dkim_fds[i]);
	}
	return error;
}

static int
send_vault(const struct supervisor *s, int fd)
{
	int error = send_keys(s->current, fd);

	if (!error)
		error = send_keys(s->previous, fd);
	if (!error)
		error = send_dkim_keys(s->current, fd);
	return error ? error : ipc_send(fd, SETUP_SECRETS, 0, 0, NULL,
	    s->secret_fd);
}

static struct child *
running_vault(struct supervisor *s)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (s->children[i].state == CHILD_RUNNING &&
		    s->children[i].role == ROLE_VAULT &&
		    s->children[i].channel != NULL)
			return &s->children[i];
	return NULL;
}

void
wire_secrets(struct supervisor *s)
{
	struct child *vault = running_vault(s);

	if (vault != NULL)
		channel_tell(vault->channel, SETUP_SECRETS, NULL,
		    s->secret_fd);
}

_Static_assert(CONFIG_MAX_TLS + CONFIG_MAX_DKIM <= IPC_QUEUE_MAX / 4 * 3,
    "all keys wait in one channel, beside what else is told");

/* It hears of the smtpd that use them later, on this same channel. */
void
wire_keys(struct supervisor *s, const struct generation *g)
{
	struct child *vault = running_vault(s);
	struct ipc_writer w;

	for (size_t i = 0; vault && i < g->config->n_tls; i++) {
		put_key_of(&w, g, i);
		if (g->certificates[i].key_fd >= 0)
			channel_tell(vault->channel, SETUP_KEY, &w,
			    g->certificates[i].key_fd);
	}
	for (size_t i = 0; vault && i < g->config->n_dkims; i++) {
		put_key_of(&w, g, i);
		if (g->dkim_fds[i] >= 0)
			channel_tell(vault->channel, SETUP_DKIM, &w,
			    g->dkim_fds[i]);
	}
}

static int
send_named_fd(int to, enum setup_fd name, int fd)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u16(&w, (uint16_t)name);
	return ipc_send(to, SETUP_FD, 0, 0, &w, fd);
}

/* The same memfd, but for reading only. */
static int
read_only(int fd)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* To a running compartment: a channel that is full or dead is no matter. */
static void
tell_scoreboard(struct channel *to, int fd)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u16(&w, SETUP_FD_SCOREBOARD_OF_OTHERS);
	channel_tell(to, SETUP_FD, &w, fd);
}

static bool
reads_scoreboards(const struct child *child)
{
	return child->role == ROLE_SMTPD || child->role == ROLE_CONTROL;
}

/* Everybody who counts sees the others' counters, and they see its own. */
static int
send_scoreboards(struct child *child, int fd)
{
	struct supervisor *s = child->supervisor;
	int error = 0, own = -1;

	if (!reads_scoreboards(child))
		return 0;
	if (child->scoreboard >= 0) {
		error = send_named_fd(fd, SETUP_FD_SCOREBOARD,
		    child->scoreboard);
		own = read_only(child->scoreboard);
	}
	for (size_t i = 0; i < MAX_CHILDREN && !error; i++) {
		struct child *other = &s->children[i];
		int theirs;

		if (other == child || other->state != CHILD_RUNNING ||
		    !reads_scoreboards(other))
			continue;
		if (own >= 0 && other->channel != NULL)
			tell_scoreboard(other->channel, own);
		if (other->scoreboard < 0)
			continue;
		theirs = read_only(other->scoreboard);
		error = theirs < 0 ? -errno : send_named_fd(fd,
		    SETUP_FD_SCOREBOARD_OF_OTHERS, theirs);
		if (theirs >= 0)
			close(theirs);
	}
	if (own >= 0)
		close(own);
	return error;
}

static bool
is_linked(const struct child *asker, const struct child *answerer)
{
	for (size_t i = 0; i < ask_n_links; i++)
		if (ask_links[i].asker == asker->role &&
		    ask_links[i].answerer == answerer->role)
			return asker->role != ROLE_SMTPD ||
			    (ask_links[i].kinds & ASK_KIND(asker->kind)) != 0;
	return false;
}

bool
role_is_shared(enum role role)
{
	return role == ROLE_STORE || role == ROLE_VAULT ||
	    role == ROLE_RESOLVER || role == ROLE_RELAY ||
	    role == ROLE_QUEUE || role == ROLE_CONTROL;
}

/* smtpd keeps to its own generation; the shared ones serve all. */
static bool
is_same_world(const struct child *a, const struct child *b)
{
	return role_is_shared(a->role) || role_is_shared(b->role) ||
	    a->generation == b->generation;
}

static void
put_peer(struct ipc_writer *w, const struct child *peer)
{
	ipc_writer_init(w);
	ipc_put_u16(w, (uint16_t)peer->role);
	ipc_put_u16(w, peer->index);
	ipc_put_u16(w, (uint16_t)peer->kind);
}

static int
send_peer(int fd, const struct child *peer, int end)
{
	struct ipc_writer w;

	put_peer(&w, peer);
	return ipc_send(fd, SETUP_PEER, 0, 0, &w, end);
}

static int
connect_peers(struct child *child, struct child *other, int fd)
{
	struct ipc_writer w;
	int ends[2], error = ipc_pair(ends);

	if (error)
		return error;
	error = send_peer(fd, other, ends[0]);
	close(ends[0]);
	put_peer(&w, child);
	if (!error && other->channel != NULL)
		channel_tell(other->channel, SETUP_PEER, &w, ends[1]);
	close(ends[1]);
	return error;
}

/* Both run: one of them closed the channel that they had. */
static void
connect_again(struct child *child, struct child *other)
{
	struct ipc_writer w;
	struct child *ends_of[2] = { child, other };
	int ends[2];

	if (ipc_pair(ends) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		put_peer(&w, ends_of[!i]);
		if (ends_of[i]->channel != NULL)
			channel_tell(ends_of[i]->channel, SETUP_PEER, &w,
			    ends[i]);
		close(ends[i]);
	}
}

/*
 * Who is asked may have its asker killed, but not the other way round: a
 * broken smtpd must not stop what all the others need. It gets a new
 * channel instead.
 */
void
wire_accused(struct child *accuser, enum role role, uint16_t index)
{
	struct supervisor *s = accuser->supervisor;

	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->state != CHILD_RUNNING || child->role != role ||
		    child->index != index || !is_same_world(accuser, child))
			continue;
		log_error("compartment_misbehaved", LOG_S("role",
		    role_name(role)), LOG_U("index", index),
		    LOG_S("says", role_name(accuser->role)),
		    LOG_S("hint", "suspected break-in"), LOG_END);
		if (is_linked(child, accuser))
			kill(child->pid, SIGKILL);
		else if (is_linked(accuser, child))
			connect_again(accuser, child);
	}
}

static int
send_peers(struct child *child, int fd)
{
	struct supervisor *s = child->supervisor;
	int error = 0;

	for (size_t i = 0; i < MAX_CHILDREN && !error; i++) {
		struct child *other = &s->children[i];

		if (other == child || other->state != CHILD_RUNNING ||
		    !is_same_world(child, other))
			continue;
		if (is_linked(child, other) || is_linked(other, child))
			error = connect_peers(child, other, fd);
	}
	return error;
}

int
wire_child(struct child *child, int fd)
{
	int error = send_self(child, fd);

	if (!error)
		error = send_log(child, fd);
	if (!error)
		error = send_config(child, fd);
	if (!error)
		error = send_secrets(child, fd);
	if (!error)
		error = send_listeners(child, fd);
	if (!error)
		error = send_renames(child, fd);
	if (!error)
		error = send_failures(child, fd);
	if (!error)
		error = send_clearances(child, fd);
	if (!error)
		error = send_certificates(child, fd);
	if (!error && child->role == ROLE_VAULT)
		error = send_vault(child->supervisor, fd);
	if (!error && child->role == ROLE_CONTROL)
		error = send_named_fd(fd, SETUP_FD_CONTROL_SOCKET,
		    child->supervisor->control_socket);
	if (!error)
		error = send_scoreboards(child, fd);
	if (!error)
		error = send_peers(child, fd);
	if (!error)
		error = ipc_send(fd, SETUP_DONE, 0, 0, NULL, -1);
	return error;
}
