/* SPDX-License-Identifier: ISC */
/*
 * XQUEUE, for mailq: what of his own a user of this host has in the queue;
 * XQUEUE SENT [WORD], for posternctl: what of it has left.
 *
 * Only the `local` listener knows the verb. queue gets auth's voucher, and
 * believes nobody else about whose list it is; the descriptor of its text
 * goes to the caller as it came, with the reply.
 */
#include <unistd.h>
#include "commands.h"
#include "submit.h"

#define LIST_DEADLINE_MS 20000

static enum step
list_answered(struct session *s, struct answer *a)
{
	note_asked("xqueue", slice_of(s->user->user), a->took_us);
	if (!a->is_known || !a->as.is_ok || a->fd < 0)
		return session_reply(s, REPLY_LIST_SILENT);
	session_flush(s);
	s->settings->host->hand_over(s->conn, SLICE("250 2.0.0 the list is "
	    "handed over with this reply\r\n"), a->fd);
	close(a->fd);
	a->fd = -1;
	return STEP_NEXT;
}

/* False: it is none that we know. */
static bool
read_argument(struct slice argument, struct queue_own *own)
{
	const struct slice sent = SLICE("SENT");

	if (argument.size == 0)
		return true;
	own->is_sent = slice_starts_nocase(argument, sent);
	if (!own->is_sent || (argument.size > sent.size &&
	    argument.data[sent.size] != ' '))
		return false;
	own->word = slice_trim((struct slice){ argument.data + sent.size,
		argument.size - sent.size });
	return own->word.size <= SENT_WORD_MAX &&
	    !slice_has_control(own->word);
}

enum step
cmd_xqueue(struct session *s, struct slice argument)
{
	struct queue_own own = { .word = SLICE("") };
	struct question q = { .kind = QUESTION_QUEUE_OWN, .fd = -1,
		.deadline_ms = LIST_DEADLINE_MS, .as.own = &own };

	if (s->settings->kind != LISTEN_LOCAL || s->user == NULL)
		return session_reply(s, REPLY_UNKNOWN_COMMAND);
	if (!read_argument(argument, &own))
		return session_reply(s, REPLY_BAD_ARGUMENT);
	own.voucher = s->user->voucher;
	return session_ask(s, &q, list_answered);
}
