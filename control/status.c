/* SPDX-License-Identifier: ISC */
/*
 * status.c - `posternctl status`: the supervisor is asked, then resolver,
 * store, queue and relay. What the others say is worth showing though one of
 * them is silent.
 */
#include "ask.h"
#include "requests.h"
#include "status_text.h"

enum status_format { STATUS_TABLE, STATUS_JSON, STATUS_PROMETHEUS };

static enum status_format
status_format(const struct client *client)
{
	if (client->n_words == 1)
		return STATUS_TABLE;
	return slice_equals(client->words[1], SLICE("json")) ? STATUS_JSON :
	    STATUS_PROMETHEUS;
}

static void
status_end(struct client *client)
{
	if (status_format(client) == STATUS_JSON)
		status_json_end(&client->out);
	client_answer(client, CONTROL_OK);
}

static void
status_add(struct client *client, const char *name, const char *prefix,
    struct slice line)
{
	if (status_format(client) == STATUS_JSON)
		status_json_more(&client->out, name, line);
	else if (status_format(client) == STATUS_PROMETHEUS)
		status_prometheus_more(&client->out, name, line);
	else
		status_text_more(&client->out, name, prefix, line);
}

static void
status_relay_answered(struct channel *ch, struct ipc_message *answer,
    void *arg)
{
	struct client *client = arg;
	struct slice text;

	(void)ch;
	if (!client_is_answered(client, answer, RELAY_STATUS) ||
	    !client_get_text(answer, &text))
		text = SLICE("");
	status_add(client, "relay", "relay_", text);
	status_end(client);
}

static void
status_ask_relay(struct client *client)
{
	client->asked = client->control->relay;
	if (client->asked == NULL) {
		status_end(client);
		return;
	}
	client->question = channel_ask(client->asked, RELAY_STATUS, NULL, -1,
	    STATUS_MS, status_relay_answered, client);
	if (client->question == 0) {
		status_add(client, "relay", "relay_", SLICE(""));
		status_end(client);
	}
}

static void
status_queue_answered(struct channel *ch, struct ipc_message *answer,
    void *arg)
{
	struct client *client = arg;
	struct buf line = { 0 };

	(void)ch;
	if (client_is_answered(client, answer, QUEUE_COMMAND_ANSWER) &&
	    ipc_get_u8(&answer->body) == 1 &&
	    ipc_reader_is_done(&answer->body) && answer->fd >= 0)
		(void)client_read_file(answer->fd, &line);
	if (line.size > 0 && line.data[line.size - 1] == '\n')
		line.size--;
	status_add(client, "queue", "queue_", line.size > 0 ?
	    buf_slice(&line) : SLICE(""));
	buf_free(&line);
	status_ask_relay(client);
}

/* Where nobody sends mail there is none. */
static void
status_ask_queue(struct client *client)
{
	static struct ipc_writer w;	/* large */
	const struct queue_command ask = { .verb = QUEUE_STATUS,
		.argument = SLICE(""), .owner = SLICE("root") };

	client->asked = client->control->queue;
	if (client->asked == NULL) {
		status_ask_relay(client);
		return;
	}
	ipc_writer_init(&w);
	put_queue_command(&w, &ask);
	client->question = channel_ask(client->asked, QUEUE_COMMAND, &w, -1,
	    STATUS_MS, status_queue_answered, client);
	if (client->question == 0) {
		status_add(client, "queue", "queue_", SLICE(""));
		status_ask_relay(client);
	}
}

static void
status_say_store(struct client *client, struct slice store)
{
	status_add(client, "store", "", store);
	status_ask_queue(client);
}

static void
status_store_answered(struct channel *ch, struct ipc_message *answer,
    void *arg)
{
	struct client *client = arg;
	struct slice text;

	(void)ch;
	if (!client_is_answered(client, answer, STORE_STATUS) ||
	    !client_get_text(answer, &text))
		text = SLICE("");
	status_say_store(client, text);
}

/* resolver is empty when it did not answer. */
static void
say_status(struct client *client, struct slice resolver)
{
	struct control *control = client->control;
	struct slice text = buf_slice(&client->held);

	(void)scoreboards_update(&control->boards, control->c.scoreboards,
	    control->c.n_scoreboards);
	if (status_format(client) == STATUS_JSON)
		status_json(&client->out, text, resolver, control->boards);
	else if (status_format(client) == STATUS_PROMETHEUS)
		status_prometheus(&client->out, text, resolver,
		    control->boards);
	else
		status_text(&client->out, text, resolver, control->boards);
	client->asked = control->store;
	if (control->store != NULL)
		client->question = channel_ask(control->store, STORE_STATUS,
		    NULL, -1, STATUS_MS, status_store_answered, client);
	if (client->question == 0)
		status_say_store(client, SLICE(""));
}

static void
resolver_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	struct slice text = { NULL, 0 };

	(void)ch;
	if (!client_is_answered(client, answer, RESOLVER_STATUS) ||
	    !client_get_text(answer, &text))
		text.size = 0;
	say_status(client, text);
}

static void
status_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	struct channel *resolver = client->control->resolver;

	(void)ch;
	if (!client_is_answered(client, answer, SUPERVISOR_STATUS) ||
	    answer->fd < 0 || !ipc_reader_is_done(&answer->body) ||
	    !client_read_file(answer->fd, &client->held)) {
		client_silent(client, "The supervisor");
		return;
	}
	client->asked = resolver;
	if (resolver != NULL)
		client->question = channel_ask(resolver, RESOLVER_STATUS,
		    NULL, -1, STATUS_MS, resolver_answered, client);
	if (client->question == 0)
		say_status(client, (struct slice){ NULL, 0 });
}

void
request_status(struct client *client)
{
	if (client->n_words > 1 &&
	    !slice_equals(client->words[1], SLICE("json")) &&
	    !slice_equals(client->words[1], SLICE("prometheus")))
		client_say(client, CONTROL_USAGE, "status takes no argument "
		    "but json and prometheus.");
	else
		client_ask(client, client->control->c.supervisor,
		    "The supervisor", SUPERVISOR_STATUS, NULL,
		    status_answered);
}
