/* SPDX-License-Identifier: ISC */
/*
 * sent.c - `posternctl sent`: store searches its ledger, and its text goes to
 * the client as it is. Who may speak to control may ask about everybody.
 */
#include "requests.h"

static void
sent_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;

	(void)ch;
	if (!client_is_answered(client, answer, SENT_ANSWER) ||
	    !ipc_reader_is_done(&answer->body) || answer->fd < 0)
		client_silent(client, "The store");
	else
		client_answer_file(client, CONTROL_OK, answer->fd);
}

void
request_sent(struct client *client)
{
	const struct sent_ask ask = { .word = client->n_words > 1 ?
		client->words[1] : SLICE(""), .user = SLICE("") };
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_sent_ask(&w, &ask);
	client_ask(client, client->control->store, "The store", SENT_ASK, &w,
	    sent_answered);
}
