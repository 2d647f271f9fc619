/* SPDX-License-Identifier: ISC */
/*
 * load.h - the parts of smtpload, the load generator of the benchmark.
 *
 * One thread and one epoll set; many connections, each an SMTP dialogue
 * that is told by its stage which reply it waits for.
 *
 *	smtpload.c	  options, event loop
 *	load_connection.c sockets: open, read lines, write, close
 *	load_session.c	  the dialogue: what a reply leads to
 *	load_tls.c	  a handshake, and octets within it
 *	load_message.c	  the messages and who sends which
 *	load_sign.c	  DKIM signatures, made before the clock runs
 *	load_report.c	  figures as one line of JSON
 *
 * A message whose connection broke before the reply to the end of data, or
 * that got a 4xx, is sent again: a refused connection is not a lost message.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum mode {
	MODE_SEND,	/* complete transactions */
	MODE_FLOOD,	/* MAIL, RCPT ..., RSET; counts refused recipients */
	MODE_IDLE,	/* connects, EHLO, then says nothing */
	MODE_SLOW,	/* as idle, then NOOPs, one octet now and then */
	MODE_WAIT	/* MAIL from a domain that nobody looked up yet, and
			 * after the reply another, every interval_s */
};

enum stage {		/* the reply that a connection waits for */
	STAGE_GREETING, STAGE_EHLO, STAGE_TLS, STAGE_MAIL, STAGE_RCPT, STAGE_DATA,
	STAGE_DOT, STAGE_RSET, STAGE_QUIT, STAGE_HELD, N_STAGES
};

struct options {
	enum mode mode;
	const char *host, *rcpt, *sender, *tag;
	const char *source;		/* the client's address, or NULL */
	const char *dkim_key;		/* file; NULL: no signatures */
	int port;
	unsigned connections, rcpts;
	long messages, per_connection, users;
	size_t size_bytes;
	bool has_pipelining, has_tls, is_printed;
	double hold_s, ramp_s, timeout_s, interval_s;
};

struct connection {
	int fd;				/* -1: closed */
	struct ssl_st *ssl;		/* NULL: in the clear */
	bool is_shaking;
	unsigned index, events;
	enum stage stage;
	bool is_connecting, has_pipelining;
	bool is_batch;			/* whole envelope in one write */
	unsigned rcpts_sent, rcpts_answered, rcpts_accepted;
	int refusal;			/* first refusal of this envelope */
	long message;			/* under way, or -1 */
	long n_messages;		/* on this connection so far */
	double opened_at, mail_at, dot_at;
	double retry_at;		/* rests until then; 0: does not */
	bool is_resetting;		/* RSET is not answered yet */
	bool is_waiting;		/* MODE_WAIT: nor is MAIL */
	unsigned n_octets;		/* slow: sent of the command */
	char in[2048];
	size_t in_len;
	char *out;
	size_t out_len, out_pos, out_size;
	const char *body;
	size_t body_left;
};

struct fault {				/* a kind of unwanted reply */
	char stage[16];
	int code;
	char text[160];
	long n;
};

struct load {
	struct options opt;
	int epoll_fd;
	struct connection *connections;
	unsigned n_opened, n_alive, n_held;
	char *body;			/* with CRLF and the final dot */
	size_t body_len;
	char body_sha256[65];		/* of the body as a Maildir has it */
	char **headers;			/* signed ones, or NULL */
	long mails;			/* MODE_WAIT: MAILs so far */
	long next_message, *again, n_again;
	long ok, failed, requeued, tempfailed;
	long connects, refused, dropped, no_greeting;
	long rcpt_2xx, rcpt_4xx, rcpt_5xx, octets, noops;
	double *reply_s, *transaction_s;
	long n_times;
	double started_at, started_real, ended_at, last_held_at, ramp_s;
	struct fault faults[16];
};

/* load_connection.c */
double load_now(void);
void load_die(const char *what);
/* Starts to connect; a failure is counted and tried again later. */
void connection_open(struct load *load, struct connection *c);
/* Gives its message back, if any; reopens while there is work. */
void connection_close(struct load *load, struct connection *c,
    double rest_s);
/* What epoll saw. The connection may be closed (fd -1) afterwards. */
void connection_event(struct load *load, struct connection *c,
    unsigned events);
/* Writes what is waiting and sets what epoll has to look for. */
void connection_flush(struct load *load, struct connection *c);
void connection_put(struct connection *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* load_session.c */
/* One complete reply. False: the connection was closed. */
bool session_reply(struct load *load, struct connection *c, int code,
    const char *text);
/* The next transaction of a connection, or QUIT. */
void session_next(struct load *load, struct connection *c);
/* MAIL from a name that was never asked for: the server has to wait. */
void session_put_waiting(struct load *load, struct connection *c);
/* The server went away. */
void session_broke(struct load *load, struct connection *c, const char *why);
const char *session_stage_name(enum stage stage);
void session_note(struct load *load, enum stage stage, int code,
    const char *text);

/* load_tls.c: as connect, recv and send do it; errno EAGAIN: later */
void tls_start(struct connection *c);
void tls_end(struct connection *c);
int tls_shake(struct connection *c);
ssize_t tls_read(struct connection *c, void *to, size_t room);
ssize_t tls_write(struct connection *c, const void *from, size_t size);

/* load_message.c */
void message_make_body(struct load *load);
bool message_is_left(const struct load *load);
void message_take(struct load *load, struct connection *c);
void message_give_back(struct load *load, struct connection *c);
void message_put_rcpt(struct load *load, struct connection *c);
void message_put_content(struct load *load, struct connection *c);
/* The header fields of a message, CRLF ends; the length. */
size_t message_write_header(const struct load *load, long message,
    char *header, size_t size);

/* load_sign.c */
/* All headers of the run with a DKIM-Signature on top (RFC 6376): RSA and
 * SHA-256, relaxed/relaxed, selector "bench", the sender's domain. */
void sign_messages(struct load *load);

/* load_report.c */
void report_held(struct load *load);
void report_end(struct load *load, bool has_timed_out);

#endif
