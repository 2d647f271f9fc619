/* SPDX-License-Identifier: ISC */
/*
 * smtpload - an event-driven SMTP load generator; load.h says how it is made.
 *
 * Prints one line of JSON at the end; idle and slow print a first line with
 * "phase":"held" when all connections are open, and end at SIGTERM or when
 * the hold time is over.
 */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 20
#define MAX_CONNECTING 256	/* idle, slow: without a greeting, at once */
#define GREETING_S 2.0		/* then the connection is given up */
#define LAST_QUITS_S 0.5

static volatile sig_atomic_t is_stopped;

static void
on_signal(int signo)
{
	(void)signo;
	is_stopped = 1;
}

static void
usage(void)
{
	fputs("usage: smtpload --port P [--mode send|flood|idle|slow|wait]\n"
	    "  --host A          127.0.0.1\n"
	    "  --connections N   concurrent connections\n"
	    "  --messages N      messages in all (flood: transactions)\n"
	    "  --per-connection N  messages on one (0: no limit)\n"
	    "  --size N          octets of body\n"
	    "  --pipelining      where it is offered\n"
	    "  --tls             STARTTLS, a full handshake each time\n"
	    "  --rcpts N         recipients of a message\n"
	    "  --rcpt A          recipients, %d is 0 .. users-1 in turn\n"
	    "  --users N  --sender A  --tag T (part of the Message-ID)\n"
	    "  --hold S  --ramp S  idle, slow: how long; longest opening\n"
	    "  --interval S      slow: between two octets of a session\n"
	    "  --source A        the client's address; spread: many\n"
	    "  --dkim-key FILE   sign all messages beforehand\n"
	    "  --print           the first message, to standard output\n"
	    "  --timeout S\n", stderr);
	exit(2);
}

static enum mode
mode_of(const char *name)
{
	static const char *const names[] = { "send", "flood", "idle", "slow",
	    "wait" };

	for (int i = 0; i < 5; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mode)i;
	usage();
	return MODE_SEND;
}

static void
set_option(struct options *opt, int letter, const char *value)
{
	switch (letter) {
	case 'h': opt->host = value; break;
	case 'p': opt->port = atoi(value); break;
	case 'm': opt->mode = mode_of(value); break;
	case 'c': opt->connections = (unsigned)atoi(value); break;
	case 'n': opt->messages = atol(value); break;
	case 'k': opt->per_connection = atol(value); break;
	case 's': opt->size_bytes = strtoul(value, NULL, 10); break;
	case 'P': opt->has_pipelining = true; break;
	case 'T': opt->has_tls = true; break;
	case 'r': opt->rcpts = (unsigned)atoi(value); break;
	case 'a': opt->rcpt = value; break;
	case 'u': opt->users = atol(value); break;
	case 'f': opt->sender = value; break;
	case 't': opt->tag = value; break;
	case 'd': opt->hold_s = atof(value); break;
	case 'e': opt->ramp_s = atof(value); break;
	case 'i': opt->interval_s = atof(value); break;
	case 'o': opt->source = value; break;
	case 'D': opt->dkim_key = value; break;
	case 'R': opt->is_printed = true; break;
	case 'x': opt->timeout_s = atof(value); break;
	default: usage();
	}
}

static void
read_options(struct options *opt, int argc, char **argv)
{
	static const struct option names[] = {
		{ "host", 1, 0, 'h' }, { "port", 1, 0, 'p' },
		{ "mode", 1, 0, 'm' }, { "connections", 1, 0, 'c' },
		{ "messages", 1, 0, 'n' }, { "per-connection", 1, 0, 'k' },
		{ "size", 1, 0, 's' }, { "pipelining", 0, 0, 'P' },
		{ "tls", 0, 0, 'T' },
		{ "rcpts", 1, 0, 'r' }, { "rcpt", 1, 0, 'a' },
		{ "users", 1, 0, 'u' }, { "sender", 1, 0, 'f' },
		{ "tag", 1, 0, 't' }, { "hold", 1, 0, 'd' },
		{ "ramp", 1, 0, 'e' }, { "interval", 1, 0, 'i' },
		{ "timeout", 1, 0, 'x' }, { "source", 1, 0, 'o' },
		{ "dkim-key", 1, 0, 'D' }, { "print", 0, 0, 'R' },
		{ 0, 0, 0, 0 }
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(opt, letter, optarg);
	if (optind != argc || (opt->port == 0 && !opt->is_printed) || opt->connections < 1 ||
	    opt->messages < 1 || opt->rcpts < 1 || opt->users < 1 ||
	    opt->interval_s <= 0 || strstr(opt->rcpt, "%d") == NULL)
		usage();
	if (opt->mode == MODE_SEND &&
	    (long)opt->connections > opt->messages)
		opt->connections = (unsigned)opt->messages;
}

static void
raise_descriptor_limit(unsigned connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		load_die("getrlimit");
	if (limit.rlim_cur >= connections + 64)
		return;
	limit.rlim_cur = connections + 64;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		load_die("setrlimit");
}

static void
prepare(struct load *load)
{
	size_t n = (size_t)load->opt.messages + load->opt.connections + 1;
	struct timespec real;

	raise_descriptor_limit(load->opt.connections);
	message_make_body(load);
	if (load->opt.dkim_key != NULL)
		sign_messages(load);
	load->connections = calloc(load->opt.connections,
	    sizeof(load->connections[0]));
	load->reply_s = calloc(n, sizeof(load->reply_s[0]));
	load->transaction_s = calloc(n, sizeof(load->transaction_s[0]));
	load->again = calloc(n, sizeof(load->again[0]));
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (load->connections == NULL || load->reply_s == NULL ||
	    load->transaction_s == NULL || load->again == NULL ||
	    load->epoll_fd < 0)
		load_die("start");
	for (unsigned i = 0; i < load->opt.connections; i++) {
		load->connections[i].index = i;
		load->connections[i].fd = -1;
	}
	clock_gettime(CLOCK_REALTIME, &real);
	load->started_real = (double)real.tv_sec + (double)real.tv_nsec / 1e9;
	load->started_at = load->ended_at = load_now();
}

static bool
is_holding(const struct load *load)
{
	return load->opt.mode == MODE_IDLE || load->opt.mode == MODE_SLOW ||
	    load->opt.mode == MODE_WAIT;
}

static void
open_more(struct load *load)
{
	while (load->n_opened < load->opt.connections &&
	    (!is_holding(load) ||
	    load->n_alive - load->n_held < MAX_CONNECTING))
		connection_open(load, &load->connections[load->n_opened++]);
}

static void
wake(struct load *load, struct connection *c)
{
	c->retry_at = 0;
	if (c->fd < 0) {
		if (message_is_left(load))
			connection_open(load, c);
	} else if (!c->is_resetting) {
		session_next(load, c);
		connection_flush(load, c);
	}
}

/*
 * Rests that are over, and connections without a greeting: when a listen
 * queue overflows the server may not know of them (SYN cookies).
 */
static void
tick(struct load *load, double now)
{
	for (unsigned i = 0; i < load->n_opened; i++) {
		struct connection *c = &load->connections[i];

		if (c->retry_at > 0 && c->retry_at <= now) {
			wake(load, c);
		} else if (c->fd >= 0 && c->stage == STAGE_GREETING &&
		    now - c->opened_at > GREETING_S && !is_holding(load)) {
			load->no_greeting++;
			connection_close(load, c, 0);
		}
	}
}

/* One octet of NOOP for each session whose turn it is since the start. */
static void
drip(struct load *load, double held_s)
{
	static const char noop[] = "NOOP\r\n";
	long due = (long)(held_s * (double)load->n_opened /
	    load->opt.interval_s);

	for (; load->octets < due; load->octets++) {
		struct connection *c =
		    &load->connections[load->octets % (long)load->n_opened];

		if (c->fd < 0 || c->stage != STAGE_HELD)
			continue;
		connection_put(c, "%c", noop[c->n_octets++ %
		    (sizeof(noop) - 1)]);
		connection_flush(load, c);
	}
}

/* A MAIL for each session whose turn it is and that was answered. */
static void
ask_again(struct load *load, double held_s)
{
	long due = (long)(held_s * (double)load->n_opened /
	    load->opt.interval_s);

	for (; load->octets < due; load->octets++) {
		struct connection *c =
		    &load->connections[load->octets % (long)load->n_opened];

		if (c->fd < 0 || c->stage != STAGE_HELD || c->is_waiting)
			continue;
		session_put_waiting(load, c);
		connection_flush(load, c);
	}
}

static void
take_events(struct load *load)
{
	struct epoll_event events[256];
	int n;

	n = epoll_wait(load->epoll_fd, events, 256, TICK_MS);
	if (n < 0 && errno != EINTR)
		load_die("epoll_wait");
	for (int i = 0; i < n; i++) {
		struct connection *c = &load->connections[events[i].data.u32];

		if (c->fd >= 0)
			connection_event(load, c, events[i].events);
	}
}

/* False: the time was over before all messages were answered. */
static bool
run_messages(struct load *load)
{
	double next_tick = 0, now;

	open_more(load);
	while ((now = load_now()) - load->started_at < load->opt.timeout_s) {
		bool is_done = !message_is_left(load) && (load->opt.mode ==
		    MODE_FLOOD || load->ok + load->failed >=
		    load->opt.messages);

		if (is_done && (load->n_alive == 0 ||
		    now - load->ended_at > LAST_QUITS_S))
			return true;
		if (now >= next_tick) {
			tick(load, now);
			next_tick = now + TICK_MS / 1e3;
		}
		take_events(load);
	}
	return false;
}

static void
run_held(struct load *load)
{
	const struct options *opt = &load->opt;
	double start = load_now(), now;

	while (load->n_held < opt->connections && !is_stopped &&
	    load_now() - start < opt->ramp_s) {
		open_more(load);
		take_events(load);
	}
	now = load_now();
	load->ramp_s = now - start;
	report_held(load);
	for (start = now; now - start < opt->hold_s && !is_stopped;
	    now = load_now()) {
		if (opt->mode == MODE_SLOW)
			drip(load, now - start);
		else if (opt->mode == MODE_WAIT)
			ask_again(load, now - start);
		take_events(load);
	}
}

/* As a server gets it, without the final dot. */
static void
print_first(const struct load *load)
{
	char header[1024];

	message_write_header(load, 0, header, sizeof(header));
	printf("%s\r\n", load->headers != NULL ? load->headers[0] : header);
	fwrite(load->body, 1, load->body_len - 3, stdout);
}

int
main(int argc, char **argv)
{
	static struct load load = { .opt = {
		.host = "127.0.0.1", .connections = 1, .messages = 1,
		.rcpt = "user%d@example.test", .rcpts = 1, .users = 1000,
		.sender = "load@sender.test", .tag = "run",
		.size_bytes = 4096, .hold_s = 5, .ramp_s = 20,
		.timeout_s = 120, .interval_s = 5,
	} };
	struct sigaction action = { .sa_handler = on_signal };
	bool is_complete = true;

	read_options(&load.opt, argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	prepare(&load);
	if (load.opt.is_printed) {
		print_first(&load);
		return 0;
	}
	if (is_holding(&load))
		run_held(&load);
	else
		is_complete = run_messages(&load);
	report_end(&load, !is_complete);
	return is_complete ? 0 : 1;
}
