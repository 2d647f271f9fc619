/* SPDX-License-Identifier: ISC */
/*
 * queue.c - posternctl's words about the queue are put to queue, whose text
 * goes to the client as it is.
 */
#include <stdio.h>
#include "requests.h"

static const struct {
	struct slice word;
	enum queue_verb verb;
} verbs[] = {
	{ { "queue", 5 }, QUEUE_LIST },
	{ { "show", 4 }, QUEUE_SHOW },
	{ { "hold", 4 }, QUEUE_HOLD },
	{ { "release", 7 }, QUEUE_RELEASE },
	{ { "retry", 5 }, QUEUE_RETRY },
	{ { "remove", 6 }, QUEUE_REMOVE },
	{ { "flush", 5 }, QUEUE_FLUSH },
};

static void
queue_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	bool is_good;

	(void)ch;
	if (!client_is_answered(client, answer, QUEUE_COMMAND_ANSWER)) {
		client_silent(client, "The queue");
		return;
	}
	is_good = ipc_get_u8(&answer->body) == 1;
	if (!ipc_reader_is_done(&answer->body) || answer->fd < 0)
		client_silent(client, "The queue");
	else
		client_answer_file(client, is_good ? CONTROL_OK :
		    CONTROL_FAILED, answer->fd);
}

/* Whose a lease is: only he can give it back. */
static struct slice
owner_of(const struct client *client, char room[32])
{
	if (client->uid == 0)
		return SLICE("root");
	snprintf(room, 32, "uid%u", (unsigned)client->uid);
	return slice_of(room);
}

void
request_queue(struct client *client)
{
	static struct ipc_writer w;	/* large */
	struct slice verb = client->words[0], last;
	struct queue_command command = { .verb = QUEUE_LIST };
	char room[32];

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (slice_equals(verb, verbs[i].word))
			command.verb = verbs[i].verb;
	/* the rest of the line, in which a reason keeps its spaces */
	if (client->n_words > 1) {
		last = client->words[client->n_words - 1];
		command.argument.data = client->words[1].data;
		command.argument.size = (size_t)(last.data + last.size -
		    client->words[1].data);
	}
	command.owner = owner_of(client, room);
	ipc_writer_init(&w);
	put_queue_command(&w, &command);
	client_ask(client, client->control->queue, "The queue",
	    QUEUE_COMMAND, &w, queue_answered);
}
