/* SPDX-License-Identifier: ISC */
/*
 * relay_status.c - `posternctl relay`: relay's counters, one a line; and
 * `tls`: its results of TLS, one line for a policy and a host.
 */
#include "requests.h"

static void
say_counters(struct client *client, struct slice line)
{
	while (line.size > 0) {
		struct slice word = { line.data, slice_find(line, ' ') };

		line.data += word.size;
		line.size -= word.size;
		line = slice_trim(line);
		if (word.size > 0 && !slice_has_control(word))
			buf_printf(&client->out, "%.*s\n", (int)word.size,
			    word.data);
	}
	client_answer(client, CONTROL_OK);
}

static void
relay_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	struct slice line = { "", 0 };

	(void)ch;
	if (client_is_answered(client, answer, RELAY_STATUS))
		line = ipc_get_slice(&answer->body);
	if (line.size == 0 || !ipc_reader_is_done(&answer->body))
		client_silent(client, "The relay");
	else
		say_counters(client, line);
}

void
request_relay(struct client *client)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	client_ask(client, client->control->relay, "The relay", RELAY_STATUS,
	    &w, relay_answered);
}

static void
tls_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;

	(void)ch;
	if (!client_is_answered(client, answer, RELAY_TLS) ||
	    !ipc_reader_is_done(&answer->body) || answer->fd < 0)
		client_silent(client, "The relay");
	else
		client_answer_file(client, CONTROL_OK, answer->fd);
}

void
request_tls(struct client *client)
{
	bool is_yesterday = client->n_words > 1;
	struct ipc_writer w;

	if (is_yesterday && !slice_equals(client->words[1],
	    SLICE("yesterday"))) {
		client_say(client, CONTROL_USAGE, "tls takes no argument but "
		    "yesterday.");
		return;
	}
	ipc_writer_init(&w);
	ipc_put_u8(&w, is_yesterday);
	client_ask(client, client->control->relay, "The relay", RELAY_TLS,
	    &w, tls_answered);
}
