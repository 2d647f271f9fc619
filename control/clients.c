/* SPDX-License-Identifier: ISC */
/*
 * clients.c - connections of posternctl.
 *
 *	accept -> line (10 s) -> request, answer (60 s) -> sent (10 s) -> end
 *
 * Who has not sent his line yet gives way to a newer one of the same user, or
 * of anybody when all places are taken: connections that only stand there
 * keep nobody out.
 *
 * Who may ask is decided by the socket's mode and owner, and once more by
 * SO_PEERCRED and SO_PEERGROUPS here: root, our own uid, the admin group.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "control.h"
#include "explain.h"
#include "ipc.h"
#include "log.h"

#define LINE_MS 10000
#define ANSWER_MS 60000
#define SEND_MS 10000
#define PAUSE_MS 500
#define GROUPS_MAX 256
#define ANYBODY ((uid_t)-1)

static void
forget_question(struct client *client)
{
	if (client->question != 0)
		channel_forget(client->asked, client->question);
	client->question = 0;
	explain_free(&client->explain);
}

static void
client_free(struct client *client)
{
	struct control *control = client->control;
	struct client **at = &control->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	control->n_clients--;
	forget_question(client);
	loop_timer_stop(control->c.loop, &client->limit);
	loop_unwatch(control->c.loop, &client->io);
	close(client->io.fd);
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	if (client->file_fd >= 0)
		close(client->file_fd);
	buf_free(&client->out);
	buf_free(&client->held);
	free(client);
}

static void
on_limit(struct loop_timer *timer, void *arg)
{
	struct client *client = arg;

	(void)timer;
	if (!client->is_answering && client->n_words > 0)
		client_say(client, CONTROL_TRY_LATER,
		    "There is no answer; try again.");
	else
		client_free(client);
}

/* ---- the answer ---- */

static ssize_t
send_some(struct client *client)
{
	ssize_t n;

	if (client->n_sent < client->out.size) {
		n = send(client->io.fd, client->out.data + client->n_sent,
		    client->out.size - client->n_sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		client->n_sent += n > 0 ? (size_t)n : 0;
		return n;
	}
	/* the socket does not block: accept4 has seen to it */
	return sendfile(client->io.fd, client->file_fd, &client->file_at,
	    (size_t)(client->file_end - client->file_at));
}

static void
send_out(struct client *client)
{
	ssize_t n;

	while (client->n_sent < client->out.size ||
	    client->file_at < client->file_end) {
		n = send_some(client);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			loop_change(client->control->c.loop, &client->io,
			    EPOLLOUT);
			return;
		}
		if (n <= 0)
			break;
	}
	client_free(client);
}

void
client_answer(struct client *client, enum control_status status)
{
	struct buf text = client->out;
	int error;

	client->out = (struct buf){ .maximum = CONTROL_ANSWER_MAX + 64 };
	client->is_answering = true;
	forget_question(client);
	error = buf_printf(&client->out, "postern %d\n", (int)status);
	if (!error && text.size > 0)
		error = buf_append_slice(&client->out, buf_slice(&text));
	buf_free(&text);
	if (error) {
		client_free(client);
		return;
	}
	loop_timer_start(client->control->c.loop, &client->limit, SEND_MS,
	    on_limit, client);
	send_out(client);
}

void
client_answer_file(struct client *client, enum control_status status, int fd)
{
	struct stat st;

	client->file_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (client->file_fd < 0 || fstat(client->file_fd, &st) < 0 ||
	    !S_ISREG(st.st_mode)) {
		client_free(client);
		return;
	}
	client->file_end = st.st_size;
	client_answer(client, status);
}

void
client_say(struct client *client, enum control_status status,
    const char *format, ...)
{
	va_list ap;

	buf_free(&client->out);
	va_start(ap, format);
	(void)buf_vprintf(&client->out, format, ap);
	va_end(ap);
	(void)buf_puts(&client->out, "\n");
	client_answer(client, status);
}

/* ---- the request ---- */

static void
take_request(struct client *client, size_t size)
{
	struct slice line = { client->line, size };

	if (!client->may_ask) {
		/* only now: an answer before the request would be lost */
		log_warning("control_refused", LOG_U("uid", client->uid),
		    LOG_END);
		client_say(client, CONTROL_NO_RIGHT, "You may not ask this.");
		return;
	}
	if (size > 0 && line.data[size - 1] == '\r')
		line.size--;
	if (!request_split(line, client->words, CONTROL_WORDS_MAX,
	    &client->n_words)) {
		client_say(client, CONTROL_USAGE,
		    "The request is malformed.");
		return;
	}
	/* wait for the answer without hearing more from the client */
	loop_change(client->control->c.loop, &client->io, 0);
	loop_timer_start(client->control->c.loop, &client->limit, ANSWER_MS,
	    on_limit, client);
	request_run(client);
}

/* Like recv, with at most one descriptor (explain's message). */
static ssize_t
receive(struct client *client)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { client->line + client->n_line,
		sizeof client->line - client->n_line };
	/* in CMSG_SPACE, with its padding, there is room for two of them */
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n = recvmsg(client->io.fd, &msg,
	    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int))) {
		if (client->passed_fd >= 0)
			close(client->passed_fd);
		memcpy(&client->passed_fd, CMSG_DATA(c), sizeof(int));
	}
	return n;
}

static void
read_line(struct client *client)
{
	ssize_t n = receive(client);
	const char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(client);
		return;
	}
	client->n_line += (size_t)n;
	end = memchr(client->line, '\n', client->n_line);
	if (end != NULL)
		take_request(client, (size_t)(end - client->line));
	else if (client->n_line == sizeof client->line)
		client_say(client, CONTROL_USAGE, "The request is too long.");
}

static void
on_io(struct loop_io *io, uint32_t events, void *arg)
{
	struct client *client = arg;

	(void)io;
	if (client->is_answering)
		send_out(client);
	else if (client->n_words > 0)
		client_free(client);	/* it hung up while we asked */
	else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_line(client);
}

/* ---- accept ---- */

static bool
is_in_admin_group(const struct control *control, int fd)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof groups;

	if (!control->has_admin_gid ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof *groups; i++)
		if (groups[i] == control->admin_gid)
			return true;
	return false;
}

static bool
may_ask(const struct control *control, int fd, uid_t *uid)
{
	struct ucred who;
	socklen_t size = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return false;
	*uid = who.uid;
	return who.uid == 0 || who.uid == getuid() ||
	    (control->has_admin_gid && who.gid == control->admin_gid) ||
	    is_in_admin_group(control, fd);
}

/* The one that has waited longest without a line; of anybody: ANYBODY. */
static struct client *
oldest_idle(const struct control *control, uid_t uid)
{
	struct client *found = NULL;

	/* the newest is the first */
	for (struct client *c = control->clients; c != NULL; c = c->next)
		if (c->n_words == 0 && !c->is_answering &&
		    (uid == ANYBODY || c->uid == uid))
			found = c;
	return found;
}

/* There is a place for one more of this user, or one is made. */
static bool
make_place(struct control *control, uid_t uid)
{
	unsigned n_of_uid = 0;
	struct client *idle;

	for (struct client *c = control->clients; c != NULL; c = c->next)
		n_of_uid += c->uid == uid;
	if (n_of_uid < CONTROL_CLIENTS_OF_UID_MAX &&
	    control->n_clients < CONTROL_CLIENTS_MAX)
		return true;
	idle = oldest_idle(control, n_of_uid < CONTROL_CLIENTS_OF_UID_MAX ?
	    ANYBODY : uid);
	if (idle != NULL)
		client_free(idle);
	return idle != NULL;
}

static void
take_client(struct control *control, int fd, uid_t uid, bool may)
{
	struct client *client = calloc(1, sizeof *client);

	if (client == NULL || loop_watch(control->c.loop, &client->io, fd,
	    EPOLLIN, on_io, client) != 0) {
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	client->uid = uid;
	client->may_ask = may;
	client->passed_fd = client->file_fd = -1;
	client->out.maximum = CONTROL_ANSWER_MAX;
	client->next = control->clients;
	control->clients = client;
	control->n_clients++;
	loop_timer_start(control->c.loop, &client->limit, LINE_MS, on_limit,
	    client);
}

static void on_connection(struct loop_io *io, uint32_t events, void *arg);

static void
on_pause_over(struct loop_timer *timer, void *arg)
{
	struct control *control = arg;

	(void)timer;
	loop_change(control->c.loop, &control->listener, EPOLLIN);
}

static void
on_connection(struct loop_io *io, uint32_t events, void *arg)
{
	struct control *control = arg;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uid_t uid = ANYBODY;
	bool may;

	(void)events;
	if (fd >= 0) {
		may = may_ask(control, fd, &uid);
		if (make_place(control, uid))
			take_client(control, fd, uid, may);
		else
			close(fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS) {
		loop_change(control->c.loop, io, 0);
		loop_timer_start(control->c.loop, &control->pause, PAUSE_MS,
		    on_pause_over, control);
	}
}

int
clients_listen(struct control *control)
{
	return loop_watch(control->c.loop, &control->listener,
	    control->c.fds[SETUP_FD_CONTROL_SOCKET], EPOLLIN, on_connection,
	    control);
}

void
clients_stop(struct control *control)
{
	loop_unwatch(control->c.loop, &control->listener);
	loop_timer_stop(control->c.loop, &control->pause);
	while (control->clients != NULL)
		client_free(control->clients);
}
