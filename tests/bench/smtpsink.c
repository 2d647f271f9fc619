/* SPDX-License-Identifier: ISC */
/*
 * smtpsink - an SMTP server that answers and throws away.
 *
 * usage: smtpsink [-a ADDRESS] [-n MESSAGES] PORT
 *
 * Under smtpload it shows what the load generator and the loopback allow:
 * no server can look faster than this. It refuses recipients that begin with
 * "nobody". With -n it ends after so many messages and prints when the last
 * one came, in seconds of the wall clock. For tests only: it trusts its client.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct connection {
	int fd;
	bool is_in_data, is_over;
	unsigned matched;	/* octets of the end of data, RFC 5321 4.1.1.4 */
	size_t line_len, out_len;
	char line[1024];
	char out[16384];
};

static long messages_left = -1;	/* -1: it does not end */

static void
die(const char *what)
{
	fprintf(stderr, "smtpsink: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
put(struct connection *c, const char *reply)
{
	size_t len = strlen(reply);

	if (c->out_len + len > sizeof(c->out)) {
		c->is_over = true;
		return;
	}
	memcpy(c->out + c->out_len, reply, len);
	c->out_len += len;
}

static void
command(struct connection *c)
{
	if (strncasecmp(c->line, "DATA", 4) == 0) {
		c->is_in_data = true;
		c->matched = 2;
		put(c, "354 Go ahead\r\n");
	} else if (strncasecmp(c->line, "EHLO", 4) == 0) {
		put(c, "250-sink.test\r\n250 PIPELINING\r\n");
	} else if (strncasecmp(c->line, "RCPT TO:<nobody", 15) == 0) {
		put(c, "550 5.1.1 No such user\r\n");
	} else if (strncasecmp(c->line, "QUIT", 4) == 0) {
		put(c, "221 2.0.0 Bye\r\n");
		c->is_over = true;
	} else {
		put(c, "250 2.0.0 Ok\r\n");
	}
}

/* Returns how many octets it took: all, or up to the end of data. */
static size_t
take_data(struct connection *c, const char *in, size_t len)
{
	static const char end[] = "\r\n.\r\n";
	size_t i = 0;

	while (i < len && c->matched < 5) {
		if (c->matched == 0) {
			const char *cr = memchr(in + i, '\r', len - i);

			if (cr == NULL)
				return len;
			i = (size_t)(cr - in);
		}
		if (in[i] == end[c->matched])
			c->matched++;
		else
			c->matched = in[i] == '\r';
		i++;
	}
	if (c->matched == 5) {
		c->is_in_data = false;
		put(c, "250 2.0.0 Ok\r\n");
		if (messages_left > 0)
			messages_left--;
	}
	return i;
}

static size_t
take_command(struct connection *c, const char *in, size_t len)
{
	const char *end = memchr(in, '\n', len);
	size_t n = end == NULL ? len : (size_t)(end - in) + 1;

	if (c->line_len + n >= sizeof(c->line)) {
		c->is_over = true;
		return len;
	}
	memcpy(c->line + c->line_len, in, n);
	c->line_len += n;
	if (end != NULL) {
		c->line[c->line_len] = '\0';
		c->line_len = 0;
		command(c);
	}
	return n;
}

static void
readable(struct connection *c)
{
	static char in[65536];
	ssize_t n = recv(c->fd, in, sizeof(in), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		c->is_over = true;
	for (size_t i = 0; n > 0 && i < (size_t)n && !c->is_over;)
		i += c->is_in_data ? take_data(c, in + i, (size_t)n - i) :
		    take_command(c, in + i, (size_t)n - i);
	if (c->out_len > 0 &&
	    send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) < 0)
		c->is_over = true;
	c->out_len = 0;
	if (c->is_over) {
		close(c->fd);
		free(c);
	}
}

static void
watch(int epoll_fd, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void
accept_all(int epoll_fd, int listener)
{
	static const char greeting[] = "220 sink.test ESMTP\r\n";
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));

		if (c == NULL)
			die("connection");
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(epoll_fd, fd, c);
		if (send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0)
			c->is_over = true;
	}
}

static int
listen_at(const char *address, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd, one = 1;

	at.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		die(address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

static void
print_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("%lld.%06ld\n", (long long)now.tv_sec, now.tv_nsec / 1000);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[128];
	const char *address = "127.0.0.1";
	int epoll_fd, listener, n, option;

	while ((option = getopt(argc, argv, "a:n:")) != -1) {
		if (option == 'a')
			address = optarg;
		else if (option == 'n')
			messages_left = atol(optarg);
		else
			return 2;
	}
	if (argc != optind + 1) {
		fputs("usage: smtpsink [-a ADDRESS] [-n MESSAGES] PORT\n",
		    stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	listener = listen_at(address, atoi(argv[optind]));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll_fd, listener, NULL);
	while (messages_left != 0) {
		n = epoll_wait(epoll_fd, events, 128, -1);
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				accept_all(epoll_fd, listener);
			else
				readable(events[i].data.ptr);
	}
	print_time();
	return 0;
}
