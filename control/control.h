/* SPDX-License-Identifier: ISC */
/*
 * control.h - what the control compartment owns, for this folder only.
 *
 * One connection is one request: a line of words in, then "postern STATUS"
 * and text out, and the end. STATUS is posternctl's exit status.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "buf.h"
#include "compartment.h"
#include "loop.h"
#include "scoreboards.h"

#define CONTROL_LINE_MAX 1024		/* a request, with its line end */
#define CONTROL_WORDS_MAX 64
#define CONTROL_CLIENTS_MAX 128
#define CONTROL_CLIENTS_OF_UID_MAX 16
#define CONTROL_POOL_MAX 64
#define CONTROL_ANSWER_MAX (4u << 20)

enum control_status { CONTROL_OK = 0, CONTROL_FAILED = 1, CONTROL_USAGE = 2,
	CONTROL_TRY_LATER = 75, CONTROL_NO_RIGHT = 77 };

struct client;
struct explain;

struct control {
	struct compartment c;
	struct loop_io listener;
	struct loop_timer pause;	/* no descriptors: accept later */
	struct client *clients;
	unsigned n_clients;
	gid_t admin_gid;
	bool has_admin_gid;
	struct scoreboards *boards;
	struct channel *store, *resolver, *vault;
	struct channel *queue;		/* NULL also where none runs */
	struct channel *relay;
	struct channel *directories[CONTROL_POOL_MAX];
	struct channel *policies[CONTROL_POOL_MAX];
	unsigned next_of_pool;
};

struct client {
	struct client *next;
	struct control *control;
	struct loop_io io;
	struct loop_timer limit;
	uid_t uid;
	bool may_ask;
	char line[CONTROL_LINE_MAX];
	size_t n_line;
	/* the question that is out; its channel outlives it */
	struct channel *asked;
	uint32_t question;
	int64_t asked_us;
	struct buf held;	/* an answer that waits for another */
	unsigned n_asked_again;
	struct slice words[CONTROL_WORDS_MAX];	/* of line */
	size_t n_words;
	int passed_fd;		/* that came with the request, or -1 */
	struct explain *explain;	/* under way, or NULL */
	bool is_answering;
	struct buf out;
	size_t n_sent;
	int file_fd;		/* a text that follows out, or -1 */
	off_t file_at, file_end;
};

/* ---- clients.c ---- */
int clients_listen(struct control *control);
void clients_stop(struct control *control);
/* Answer with what has been put into client->out, and close. */
void client_answer(struct client *client, enum control_status status);
/* The same with a sealed text of any size behind it. Copies fd. */
void client_answer_file(struct client *client, enum control_status status,
    int fd);
/* The same with one line of text. */
void client_say(struct client *client, enum control_status status,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- requests.c ---- */
/* One of a pool, each in its turn, or NULL. */
struct channel *control_any(struct control *control,
    struct channel *const pool[CONTROL_POOL_MAX]);
/* Put a question; on failure the client has been answered. */
void client_ask(struct client *client, struct channel *ch, const char *who,
    enum ask_type type, const struct ipc_writer *w,
    channel_answered_fn *answered);
/* The question is no longer out. False: there was no (good) answer. */
bool client_is_answered(struct client *client,
    const struct ipc_message *answer, enum ask_type type);
/* Text of one slice as the whole answer. */
bool client_get_text(struct ipc_message *answer, struct slice *text);
/* Append what a sealed file holds, up to CLIENT_FILE_MAX octets and more
 * than none. */
#define CLIENT_FILE_MAX (2u << 20)
bool client_read_file(int fd, struct buf *to);
/* Say that a compartment does not answer. */
void client_silent(struct client *client, const char *who);
/* Split line into words: visible ASCII and UTF-8, separated by spaces that
 * are not in quotation marks. */
bool request_split(struct slice line, struct slice *words, size_t room,
    size_t *n);
/* client->words hold a request: do it, now or when an answer comes. */
void request_run(struct client *client);

#endif
