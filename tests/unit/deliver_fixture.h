/* SPDX-License-Identifier: ISC */
/*
 * deliver_fixture.h - the real deliver compartment in a child, and this
 * process in the part of its supervisor, smtpd and store.
 *
 * Blocking on purpose: a test sends what it wants, malformed things too, and
 * reads what comes back. Run as root the compartment has its own uid and
 * workers become real users; without root everything has the caller's uid.
 */
#ifndef POSTERN_TESTS_DELIVER_FIXTURE_H
#define POSTERN_TESTS_DELIVER_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ask.h"
#include "clearances.h"
#include "clock.h"
#include "compartment.h"
#include "sealed.h"

#define FIXTURE_UID 65000	/* of the compartment itself */

struct fixture {
	pid_t pid;
	int supervisor;		/* its descriptor 3 is the other end */
	uint8_t secret[SECRET_SIZE];
	uint32_t next_id;
	bool is_privileged;
	/* the last answer */
	struct ipc_message m;
	uint8_t buffer[IPC_BUFFER_SIZE];
};

#ifndef FIXTURE_CONFIG_MORE		/* a test's own lines */
#define FIXTURE_CONFIG_MORE ""
#endif

static const char fixture_config[] =
    "hostname = \"mx.example.org\"\n"
    "origin = \"example.org\"\n"
    "postmaster = \"alice@example.org\"\n"
    "state_dir = \"/tmp/postern-test\"\n"
    "listen \"127.0.0.1:2525\" { role = mx }\n"
    "domain \"example.org\" { users = \"passwd\" mailbox = \"~/Maildir\" }\n"
    FIXTURE_CONFIG_MORE;

static inline void
fixture_die(const char *what)
{
	fprintf(stderr, "fixture: %s: %s\n", what, strerror(errno));
	abort();
}

static inline int
fixture_memfd(const void *data, size_t size)
{
	int fd = sealed_create("test");

	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    sealed_finish(fd) != 0)
		fixture_die("memfd");
	return fd;
}

static inline void
fixture_tell(const struct fixture *f, uint16_t type,
    const struct ipc_writer *w, int fd)
{
	if (ipc_send(f->supervisor, type, 0, 0, w, fd) != 0)
		fixture_die("set-up message");
}

/* A new channel of this role to the compartment: our end, blocking. */
static inline int
fixture_peer(const struct fixture *f, enum role role, uint16_t index)
{
	struct ipc_writer w;
	int fds[2];

	if (ipc_pair(fds) != 0)
		fixture_die("pair");
	ipc_writer_init(&w);
	ipc_put_u16(&w, (uint16_t)role);
	ipc_put_u16(&w, index);
	ipc_put_u16(&w, 0);
	fixture_tell(f, SETUP_PEER, &w, fds[1]);
	close(fds[1]);
	return fds[0];
}

/* The test gives them, in store's place. */
static inline void
fixture_send_clearances(const struct fixture *f)
{
	struct ipc_writer w;
	int fd = clearances_create();

	clearances_unmap();
	if (fd < 0 || clearances_map(fd, true) != 0)
		fixture_die("clearances");
	ipc_writer_init(&w);
	ipc_put_u16(&w, SETUP_FD_CLEARANCES);
	fixture_tell(f, SETUP_FD, &w, fd);
	close(fd);
}

static inline void
fixture_set_up(const struct fixture *f, int log_fd)
{
	const struct setup_self self = { .role = ROLE_DELIVER,
		.is_privileged = f->is_privileged, .uid = FIXTURE_UID,
		.gid = FIXTURE_UID };
	int config = fixture_memfd(fixture_config, sizeof fixture_config - 1);
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u64(&w, sizeof fixture_config - 1);
	fixture_tell(f, SETUP_CONFIG, &w, config);
	close(config);
	ipc_writer_init(&w);
	put_setup_self(&w, &self);
	fixture_tell(f, SETUP_SELF, &w, -1);
	ipc_writer_init(&w);
	ipc_put_u8(&w, 0);
	ipc_put_u8(&w, 0);
	fixture_tell(f, SETUP_LOG, &w, log_fd);
	ipc_writer_init(&w);
	ipc_put_u16(&w, SECRET_ROUTE);
	ipc_put_bytes(&w, f->secret, sizeof f->secret);
	fixture_tell(f, SETUP_SECRET, &w, -1);
	fixture_send_clearances(f);
	fixture_tell(f, SETUP_DONE, NULL, -1);
}

/* log_fd takes its log lines. */
static inline void
fixture_start(struct fixture *f, int log_fd)
{
	int fds[2];

	memset(f, 0, sizeof *f);
	f->is_privileged = geteuid() == 0;
	memset(f->secret, 7, sizeof f->secret);
	if (ipc_pair(fds) != 0)
		fixture_die("pair");
	f->pid = fork();
	if (f->pid == 0) {
		int copy = fcntl(fds[1], F_DUPFD, 10);

		close(fds[0]);
		if (dup2(copy, 3) < 0)
			_exit(99);
		close_range(4, ~0u, 0);
		_exit(deliver_main());
	}
	close(fds[1]);
	f->supervisor = fds[0];
	fixture_set_up(f, log_fd);
	if (ipc_receive(f->supervisor, &f->m, f->buffer) != 0 ||
	    f->m.type != CHILD_READY)
		fixture_die("the compartment is not ready");
}

/* Its exit status, or minus the signal. */
static inline int
fixture_stop(struct fixture *f)
{
	int status;

	close(f->supervisor);
	if (waitpid(f->pid, &status, 0) != f->pid)
		fixture_die("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- questions ---- */

/* Send only; the id. */
static inline uint32_t
fixture_send(struct fixture *f, int peer, uint16_t type,
    const struct ipc_writer *w, int fd)
{
	uint32_t id = ++f->next_id;

	if (ipc_send(peer, type, id, 30000, w, fd) != 0)
		fixture_die("send");
	return id;
}

/* The next answer into f->m: its type, or 0 when the peer was closed. */
static inline uint16_t
fixture_receive(struct fixture *f, int peer, int timeout_ms)
{
	struct pollfd p = { .fd = peer, .events = POLLIN };

	if (poll(&p, 1, timeout_ms) != 1)
		return 0;
	return ipc_receive(peer, &f->m, f->buffer) == 0 ? f->m.type : 0;
}

static inline uint16_t
fixture_ask(struct fixture *f, int peer, uint16_t type,
    const struct ipc_writer *w, int fd)
{
	fixture_send(f, peer, type, w, fd);
	return fixture_receive(f, peer, 60000);
}

struct fixture_box {		/* a leaf */
	uid_t uid;
	gid_t gid;
	const char *home, *maildir;
	uint64_t quota;
};

struct fixture_boxes {
	const struct fixture_box *boxes;
	size_t n;
	int life_s;		/* of the route; 0: as usual */
	const char *command;	/* of a program, or NULL */
};

static inline void
fixture_seal_for(const struct fixture *f, struct buf *out,
    struct slice session, struct fixture_boxes to)
{
	const struct fixture_box *boxes = to.boxes;
	size_t n = to.n;
	struct route_leaf leaves[64];
	struct route route = { .kind = to.command ? ROUTE_PROGRAM :
		n ? ROUTE_MAILBOX : ROUTE_DISCARD,
		.program = slice_of(to.command ? to.command : ""),
		.recipient = SLICE("bob@example.org"),
		.session = session,
		.expires_s = clock_wall_s() + (to.life_s ? to.life_s : 600),
		.leaves = leaves, .n_leaves = n };

	for (size_t i = 0; i < n; i++)
		leaves[i] = (struct route_leaf){ .uid = boxes[i].uid,
			.gid = boxes[i].gid, .quota_bytes = boxes[i].quota,
			.user = SLICE("bob"), .home = slice_of(boxes[i].home),
			.maildir = slice_of(boxes[i].maildir),
			.delivered_to = SLICE("bob@example.org") };
	if (route_seal(out, &route, f->secret) != 0)
		fixture_die("seal");
}

static inline void
fixture_seal(const struct fixture *f, struct buf *out, const char *session,
    const struct fixture_box *boxes, size_t n)
{
	fixture_seal_for(f, out, slice_of(session),
	    (struct fixture_boxes){ boxes, n, 0, NULL });
}

struct fixture_probe {
	const char *command;	/* of a program, or NULL */
	uint64_t tx;
	uint16_t recipient;
	uint64_t size;
	const struct fixture_box *boxes;
	size_t n_boxes;
};

static inline void
fixture_put_probe(struct fixture *f, struct ipc_writer *w,
    const struct fixture_probe *p)
{
	struct buf sealed = { 0 };
	struct probe_ask ask = { .transaction = p->tx,
		.recipient = p->recipient, .size_bytes = p->size,
		.session = SLICE("k3f9q2m7t") };

	fixture_seal_for(f, &sealed, SLICE("k3f9q2m7t"),
	    (struct fixture_boxes){ p->boxes, p->n_boxes, 0, p->command });
	ask.sealed = buf_slice(&sealed);
	ipc_writer_init(w);
	put_probe_ask(w, &ask);
	buf_free(&sealed);
}

/* The verdict's code; 0 deliverable, -1 no answer. */
static inline int
fixture_probe(struct fixture *f, int peer, const struct fixture_probe *p)
{
	static struct ipc_writer w;
	static struct probe_answer a;

	fixture_put_probe(f, &w, p);
	if (fixture_ask(f, peer, PROBE_ASK, &w, -1) != PROBE_ANSWER ||
	    !get_probe_answer(&f->m.body, &a))
		return -1;
	return a.verdict.code * 10000 + a.verdict.subject * 100 +
	    a.verdict.detail;
}

static inline void
fixture_put_prepare(struct ipc_writer *w, uint64_t tx, const char *name,
    uint16_t n, bool is_each, uint64_t size)
{
	static struct prepare_ask ask;

	ask = (struct prepare_ask){ .transaction = tx, .message_size = size,
		.is_each = is_each, .name = slice_of(name),
		.host = SLICE("mx.example.org"),
		.return_path = SLICE("alice@example.com"),
		.trace = SLICE("Received: from client\n\tby mx\n"),
		.n_recipients = n };
	for (uint16_t i = 0; i < n; i++)
		ask.recipients[i] = i;
	ipc_writer_init(w);
	put_prepare_ask(w, &ask);
}

/* For one recipient, with the message in it. */
static inline void
fixture_put_small(struct ipc_writer *w, uint64_t tx, const char *name,
    struct slice message)
{
	static struct prepare_ask ask;

	ask = (struct prepare_ask){ .transaction = tx, .message = message,
		.message_size = message.size, .name = slice_of(name),
		.host = SLICE("mx.example.org"),
		.return_path = SLICE("alice@example.com"),
		.trace = SLICE("Received: from client\n\tby mx\n"),
		.n_recipients = 1 };
	ipc_writer_init(w);
	put_prepare_ask(w, &ask);
}

/* Number of failures, or -1; the outcome is in *o. */
static inline int
fixture_outcome(struct fixture *f, uint16_t type, uint16_t want,
    struct outcome *o)
{
	if (type != want || !get_outcome(&f->m.body, o))
		return -1;
	return o->n_failures;
}

static inline int
fixture_prepare(struct fixture *f, int peer, const struct ipc_writer *w,
    int fd, struct outcome *o)
{
	return fixture_outcome(f, fixture_ask(f, peer, PREPARE_ASK, w, fd),
	    PREPARE_ANSWER, o);
}

static inline int
fixture_commit(struct fixture *f, int peer, uint64_t tx, struct outcome *o)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u64(&w, tx);
	return fixture_outcome(f, fixture_ask(f, peer, COMMIT_ASK, &w, -1),
	    COMMIT_ANSWER, o);
}

/* PREPARE and COMMIT of one copy in one question. */
static inline int
fixture_deliver(struct fixture *f, int peer, const struct ipc_writer *w,
    int fd, struct outcome *o)
{
	return fixture_outcome(f, fixture_ask(f, peer, DELIVER_ASK, w, fd),
	    COMMIT_ANSWER, o);
}

static inline bool
fixture_release(struct fixture *f, int peer, uint64_t tx,
    enum release_how how, uint16_t recipient)
{
	const struct release_ask ask = { .transaction = tx, .how = how,
		.recipient = recipient };
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_release_ask(&w, &ask);
	return fixture_ask(f, peer, RELEASE_ASK, &w, -1) == RELEASE_ANSWER;
}

/* enum resolution, or -1. */
static inline int
fixture_resolve(struct fixture *f, int peer, const struct fixture_box *box,
    const char *file)
{
	const struct resolve_ask ask = { .uid = box->uid, .gid = box->gid,
		.maildir = slice_of(box->maildir), .file = slice_of(file) };
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_resolve_ask(&w, &ask);
	if (fixture_ask(f, peer, RESOLVE_ASK, &w, -1) != RESOLVE_ANSWER)
		return -1;
	return ipc_get_u8(&f->m.body);
}

#endif
