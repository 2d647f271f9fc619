/* SPDX-License-Identifier: ISC */
/*
 * ipc.h - questions and answers between compartments.
 *
 * A channel is one end of a SOCK_SEQPACKET pair that the supervisor made.
 * A message is a header {type, id, deadline} and a payload of at most
 * IPC_PAYLOAD_MAX octets, with at most one descriptor. Payloads are written
 * and read with the cursors of ipc_cursor.h.
 *
 *	channel_ask  ---- question, id ---->  the peer's rule {type} -> handler
 *	answered_fn <---- answer, same id --  channel_answer
 *
 * Every question has a deadline. If it passes, or the peer dies, or its
 * socket stays full, answered_fn is called once with NULL: "unknown".
 * A peer that sends a message that is too short, of a type without a rule
 * (but for the answer to a question that is over: it is dropped),
 * with a descriptor that the rule does not want (or without one that it
 * does), or whose handler returns false, is closed and on_closed is told
 * "misbehaved": the receiver lives on. Ids in answers are looked up only
 * among the questions asked on that same channel.
 *
 * Sending never blocks: what the socket does not take waits in a bounded
 * queue (IPC_QUEUE_MAX messages), over that channel_ask fails at once.
 */
#ifndef POSTERN_IPC_H
#define POSTERN_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ipc_cursor.h"
#include "loop.h"

#define IPC_QUEUE_MAX 4096

/* ---- messages ---- */

struct ipc_message {
	uint16_t type;
	uint32_t id;		/* the sender's; answers repeat it */
	uint32_t deadline_ms;	/* how long the asker will wait; 0: no answer */
	int fd;			/* -1, or owned by whoever handles it */
	struct ipc_reader body;
};

/* ---- channels on a loop ---- */

struct channel;

/*
 * One message of this type has come. To keep message->fd set it to -1;
 * otherwise the channel closes it. Return false for a malformed message.
 */
typedef bool channel_handler_fn(struct channel *ch, struct ipc_message *m,
    void *arg);
/* answer is NULL for "unknown". Called exactly once per question. */
typedef void channel_answered_fn(struct channel *ch, struct ipc_message *answer,
    void *arg);
/* The peer is gone. The channel is freed right after. */
typedef void channel_closed_fn(struct channel *ch, bool misbehaved, void *arg);

enum channel_wants { CHANNEL_NO_FD, CHANNEL_WANTS_FD, CHANNEL_MAY_FD };

struct channel_rule {
	uint16_t type;
	enum channel_wants wants;
	channel_handler_fn *handler;
};

/*
 * Takes fd over (and makes it non-blocking). rules (n_rules of them) and
 * name stay the caller's and must outlive the channel. Answers to own
 * questions need no rule. NULL with errno on failure, fd is then closed.
 */
struct channel *channel_new(struct loop *loop, int fd, const char *name,
    const struct channel_rule *rules, size_t n_rules,
    channel_closed_fn *closed, void *arg);
/* Outstanding questions are answered "unknown" first. */
void channel_free(struct channel **ch);

/*
 * Ask. fd (or -1) is sent along, not closed. Returns the question's id, or 0
 * when it could not be asked at all: then answered is NOT called and the
 * caller treats it as "unknown".
 */
uint32_t channel_ask(struct channel *ch, uint16_t type,
    const struct ipc_writer *w, int fd, uint32_t deadline_ms,
    channel_answered_fn *answered, void *arg);
/* Forget a question: its answer, if one comes, is dropped. */
void channel_forget(struct channel *ch, uint32_t id);
/* Tell without waiting for an answer. 0 or a negative errno. */
int channel_tell(struct channel *ch, uint16_t type,
    const struct ipc_writer *w, int fd);
/* The same for what nobody waits for: it leaves with the next message to this
 * peer, a few milliseconds from now at the latest, or with channel_flush. */
int channel_tell_later(struct channel *ch, uint16_t type,
    const struct ipc_writer *w);
void channel_flush(struct channel *ch);
/* Answer question id. Flushed at the end of the round at the latest. */
int channel_answer(struct channel *ch, uint32_t id, uint16_t type,
    const struct ipc_writer *w, int fd);
size_t channel_n_outstanding(const struct channel *ch);
/*
 * From a deadline of a second or more that passed without a word from the
 * peer since the question was asked, until its next word, be it a late answer:
 * whoever asks it meanwhile need not wait as long.
 */
bool channel_is_silent(const struct channel *ch);
const char *channel_name(const struct channel *ch);

/* ---- without a loop: blocking pool workers, and the set-up at start ---- */

/* A pair of ends, both close-on-exec, with large buffers. 0 or -errno. */
int ipc_pair(int fds[2]);
/* Blocks. 0 or a negative errno (-EMSGSIZE, -EPIPE ...). */
int ipc_send(int fd, uint16_t type, uint32_t id, uint32_t deadline_ms,
    const struct ipc_writer *w, int passed_fd);
/*
 * Blocks unless fd is non-blocking. buffer holds IPC_BUFFER_SIZE octets that
 * m->body points into. 0; -EPIPE at the end; -EAGAIN; -EBADMSG when
 * malformed or when a descriptor was lost (MSG_CTRUNC).
 */
#define IPC_BUFFER_SIZE (IPC_PAYLOAD_MAX + 16)
int ipc_receive(int fd, struct ipc_message *m, void *buffer);
/* The same for one that waits already: -EAGAIN when there is none. */
int ipc_receive_waiting(int fd, struct ipc_message *m, void *buffer);

#endif
