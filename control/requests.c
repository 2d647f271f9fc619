/* SPDX-License-Identifier: ISC */
/*
 * requests.c - what posternctl may ask for.
 *
 * Each request is one row: its words, how many more it takes, and a handler
 * that answers now or asks another compartment and answers in its
 * continuation, which stands below it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "address.h"
#include "ask.h"
#include "control.h"
#include "explain.h"
#include "log.h"
#include "message.h"
#include "requests.h"
#include "short_id.h"
#include "trail.h"
#include "why_text.h"

#define ASK_MS 20000		/* less than a client's limit */

/* ---- asking ---- */

void
client_silent(struct client *client, const char *who)
{
	client_say(client, CONTROL_TRY_LATER, "%s does not answer; "
	    "`posternctl status` shows whether it runs.", who);
}

void
client_ask(struct client *client, struct channel *ch, const char *who,
    enum ask_type type, const struct ipc_writer *w,
    channel_answered_fn *answered)
{
	client->asked = ch;
	if (ch != NULL)
		client->question = channel_ask(ch, (uint16_t)type, w, -1,
		    ASK_MS, answered, client);
	if (client->question == 0)
		client_silent(client, who);
}

struct channel *
control_any(struct control *control,
    struct channel *const pool[CONTROL_POOL_MAX])
{
	for (size_t i = 0; i < CONTROL_POOL_MAX; i++) {
		unsigned at = control->next_of_pool++ % CONTROL_POOL_MAX;

		if (pool[at] != NULL)
			return pool[at];
	}
	return NULL;
}

static struct channel *
any_directory(struct control *control)
{
	return control_any(control, control->directories);
}

bool
client_is_answered(struct client *client,
    const struct ipc_message *answer, enum ask_type type)
{
	client->question = 0;
	return answer != NULL && answer->type == (uint16_t)type;
}

bool
client_get_text(struct ipc_message *answer, struct slice *text)
{
	*text = ipc_get_slice(&answer->body);
	return ipc_reader_is_done(&answer->body);
}

bool
client_read_file(int fd, struct buf *to)
{
	struct stat st;
	char room[16384];
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > (off_t)CLIENT_FILE_MAX)
		return false;
	while ((n = pread(fd, room, sizeof room, (off_t)to->size)) > 0)
		if (to->size + (size_t)n > CLIENT_FILE_MAX ||
		    buf_append(to, room, (size_t)n) != 0)
			return false;
	return n == 0 && to->size > 0;
}

/* ---- reload ---- */

/* The lines of tables whose last compilation had an error. */
static void
put_tables_with_errors(struct buf *out, struct slice text)
{
	const struct slice good = SLICE(" last=ok");

	while (text.size > 0) {
		struct slice line = slice_next_line(&text);

		if (line.size < good.size || memcmp(line.data + line.size -
		    good.size, good.data, good.size) != 0)
			(void)buf_printf(out, "%.*s\n", (int)line.size,
			    line.data);
	}
}

static void ask_kept_tables(struct client *client);

static void
kept_tables_answered(struct channel *ch, struct ipc_message *answer,
    void *arg)
{
	struct client *client = arg;
	struct slice text;
	size_t size;

	(void)ch;
	if (!client_is_answered(client, answer, TABLES_ANSWER) ||
	    !client_get_text(answer, &text)) {
		/* it may have been the old generation's, which ends now */
		if (client->n_asked_again++ < CONTROL_POOL_MAX) {
			ask_kept_tables(client);
			return;
		}
		text = SLICE("");
	}
	(void)buf_puts(&client->out, RELOAD_KEPT "\n");
	size = client->out.size;
	put_tables_with_errors(&client->out, text);
	if (client->out.size == size)		/* that of passwords */
		(void)buf_puts(&client->out, "see the log\n");
	client_answer(client, CONTROL_FAILED);
}

static void
ask_kept_tables(struct client *client)
{
	struct channel *directory = any_directory(client->control);

	client->asked = directory;
	if (directory != NULL)
		client->question = channel_ask(directory, TABLES_ASK, NULL,
		    -1, STATUS_MS, kept_tables_answered, client);
	if (client->question == 0)
		kept_tables_answered(directory, NULL, client);
}

static void
reload_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	static const struct { struct slice text; enum control_status status; }
	rows[] = {
		{ { RELOAD_DONE, sizeof RELOAD_DONE - 1 }, CONTROL_OK },
		{ { RELOAD_IN_PART, sizeof RELOAD_IN_PART - 1 }, CONTROL_OK },
		{ { RELOAD_LATE, sizeof RELOAD_LATE - 1 }, CONTROL_OK },
		{ { RELOAD_DELAYED, sizeof RELOAD_DELAYED - 1 },
		    CONTROL_TRY_LATER } };
	struct client *client = arg;
	enum control_status status = CONTROL_FAILED;
	struct slice text;

	(void)ch;
	if (!client_is_answered(client, answer, SUPERVISOR_RELOAD) ||
	    !client_get_text(answer, &text)) {
		client_silent(client, "The supervisor");
		return;
	}
	if (slice_equals(text, SLICE(RELOAD_KEPT))) {
		ask_kept_tables(client);
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (slice_equals(text, rows[i].text))
			status = rows[i].status;
	client_say(client, status, "%.*s", (int)text.size, text.data);
}

static void
ask_reload(struct client *client)
{
	log_notice("reload_asked", LOG_U("uid", client->uid), LOG_END);
	client_ask(client, client->control->c.supervisor, "The supervisor",
	    SUPERVISOR_RELOAD, NULL, reload_answered);
}

/* ---- why ---- */

static void
why_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	struct buf lines = { .maximum = CLIENT_FILE_MAX };
	struct slice problem;
	struct short_id id;
	bool is_found;

	(void)ch;
	if (!client_is_answered(client, answer, WHY_ANSWER)) {
		client_silent(client, "The store");
		return;
	}
	is_found = ipc_get_u8(&answer->body) == 1;
	problem = ipc_get_slice(&answer->body);
	is_found &= ipc_reader_is_done(&answer->body) && answer->fd >= 0;
	if (!is_found && problem.size > 0)
		client_say(client, CONTROL_TRY_LATER, "The trail of this "
		    "session cannot be read: %.*s. It is a file in %s/store/"
		    "trail, which the user %sstore has to be able to read; "
		    "of a refusal the log has a line, too.",
		    (int)problem.size, problem.data,
		    client->control->c.config->state_dir,
		    client->control->c.config->user_prefix);
	else if (!is_found || !client_read_file(answer->fd, &lines))
		client_say(client, CONTROL_FAILED, "There is no trail of "
		    "this session: it was deleted (a trail is kept for 14 "
		    "days or 1 GiB), or this server did not make it.");
	else if (short_id_decode(&id, client->words[1]) == 0 &&
	    why_text(&client->out, buf_slice(&lines), id.number))
		client_answer(client, CONTROL_OK);
	else
		client_say(client, CONTROL_FAILED, "The session is there, "
		    "but it had no refusal of this number.");
	buf_free(&lines);
}

static void
ask_why(struct client *client)
{
	struct slice text = client->words[1];
	struct short_id id;
	struct ipc_writer w;

	if (short_id_decode(&id, text) != 0) {
		client_say(client, CONTROL_FAILED, "\"%.*s\" is not an id: "
		    "one has nine characters, and up to three more for a "
		    "refusal, and one of them is mistyped. (Of a queue id "
		    "`posternctl show` tells, and `sent` when it has left.)",
		    (int)text.size, text.data);
		return;
	}
	if (id.segment == TRAIL_SEGMENT_NONE) {
		client_say(client, CONTROL_FAILED, "No trail was kept of "
		    "this session: when it began the store could not be "
		    "reached, or had no file for it (a full disk, the rights "
		    "of %s/store/trail). The log has its lines.",
		    client->control->c.config->state_dir);
		return;
	}
	ipc_writer_init(&w);
	ipc_put_slice(&w, text);
	client_ask(client, client->control->store, "The store", WHY_ASK, &w,
	    why_answered);
}

/* ---- route ---- */

static void
put_verdict_text(struct buf *out, const struct verdict *v)
{
	buf_printf(out, "RCPT would be answered: %u %u.%u.%u %s\n", v->code,
	    v->code / 100, v->subject, v->detail, v->text);
}

static void
route_answered(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct client *client = arg;
	struct route_answer answer;

	(void)ch;
	if (!client_is_answered(client, m, ROUTE_ANSWER) ||
	    !get_route_answer(&m->body, &answer)) {
		client_silent(client, "The directory");
		return;
	}
	buf_append_slice(&client->out, answer.explanation);
	if (client->out.size > 0 &&
	    client->out.data[client->out.size - 1] != '\n')
		buf_puts(&client->out, "\n");
	if (answer.alarm.size > 0)
		buf_printf(&client->out, "To be mended: %.*s\n",
		    (int)answer.alarm.size, answer.alarm.data);
	if (answer.kind == ROUTE_REFUSE)
		put_verdict_text(&client->out, &answer.verdict);
	else if (answer.kind == ROUTE_DISCARD)
		buf_puts(&client->out, "Mail for it is discarded.\n");
	else if (answer.kind == ROUTE_PROGRAM)
		buf_puts(&client->out, "A program of this host gets it, and "
		    "its exit answers.\n");
	else if (answer.kind == ROUTE_HOP)
		buf_puts(&client->out, "The next hop answers for it, to RCPT "
		    "and to the message.\n");
	else if (answer.kind == ROUTE_LIST)
		buf_puts(&client->out, "It is a list with members elsewhere: "
		    "their copies are sent in the name of its owner.\n");
	client_answer(client, answer.kind == ROUTE_REFUSE ? CONTROL_FAILED :
	    CONTROL_OK);
}

/* As it is written alone, or between < and > as in a log or a reply. */
static bool
parse_asked(struct address *address, struct slice text)
{
	const unsigned allow = ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_POSTMASTER |
	    ADDRESS_ALLOW_BARE_LOCAL;

	if (text.size > 0 && *text.data == '<')
		return address_parse_path(address, &text, allow) ==
		    ADDRESS_OK && text.size == 0;
	return address_parse(address, text, allow) == ADDRESS_OK;
}

static void
ask_route(struct client *client)
{
	const char *origin = client->control->c.config->origin;
	struct slice text = client->words[1];
	struct route_ask q = { .explains = true, .session = SLICE("") };
	struct address address;
	struct ipc_writer w;

	if (!parse_asked(&address, text)) {
		client_say(client, CONTROL_FAILED, "\"%.*s\" is not a mail "
		    "address.", (int)text.size, text.data);
		return;
	}
	q.local = slice_of(address.local);
	q.domain = slice_of(address.domain);
	q.recipient = slice_of(address.text);
	if (q.domain.size == 0 && !address.is_postmaster && origin != NULL)
		q.domain = slice_of(origin);
	ipc_writer_init(&w);
	put_route_ask(&w, &q);
	client_ask(client, any_directory(client->control), "The directory",
	    ROUTE_ASK, &w, route_answered);
}

/* ---- tables ---- */

static void
tables_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	struct slice text;

	(void)ch;
	if (!client_is_answered(client, answer, TABLES_ANSWER) ||
	    !client_get_text(answer, &text)) {
		client_silent(client, "The directory");
		return;
	}
	buf_append_slice(&client->out, text);
	if (text.size == 0)
		buf_puts(&client->out, "There are no tables.\n");
	client_answer(client, CONTROL_OK);
}

static void
compile_answered(struct channel *ch, struct ipc_message *answer, void *arg)
{
	struct client *client = arg;
	uint8_t outcome;

	(void)ch;
	if (!client_is_answered(client, answer, SUPERVISOR_COMPILE)) {
		client_silent(client, "The table compiler");
		return;
	}
	outcome = ipc_get_u8(&answer->body);
	if (!ipc_reader_is_done(&answer->body) || outcome >= TABLES_OUTCOMES)
		outcome = TABLES_KEPT;
	if (outcome == TABLES_COMPILED)
		client_say(client, CONTROL_OK, "The tables are compiled; "
		    "`posternctl tables` shows them.");
	else if (outcome == TABLES_IN_PART)
		client_say(client, CONTROL_FAILED, "The tables are compiled, "
		    "but a list that is included has an error, and mail to "
		    "it is 451: `postern -n` and the log say where.");
	else if (outcome == TABLES_FAILED)
		client_say(client, CONTROL_FAILED, "A table could not be "
		    "compiled and stays as it was. The log says why; it is "
		    "tried again each minute.");
	else
		client_say(client, CONTROL_FAILED, "A table has an error, or "
		    "has lost too many entries, and stays as it was: "
		    "`posternctl tables` and the log say which.");
}

/* accepts: a table that has lost many entries is taken, too. */
static void
tables_compile(struct client *client, bool accepts)
{
	struct ipc_writer w;

	log_notice(accepts ? "tables_accept" : "tables_compile",
	    LOG_U("uid", client->uid), LOG_END);
	ipc_writer_init(&w);
	ipc_put_u8(&w, accepts);
	client_ask(client, client->control->c.supervisor, "The supervisor",
	    SUPERVISOR_COMPILE, &w, compile_answered);
}

static void
ask_tables(struct client *client)
{
	if (client->n_words == 1)
		client_ask(client, any_directory(client->control),
		    "The directory", TABLES_ASK, NULL, tables_answered);
	else if (slice_equals(client->words[1], SLICE("accept")))
		tables_compile(client, true);
	else if (slice_equals(client->words[1], SLICE("compile")))
		tables_compile(client, false);
	else
		client_say(client, CONTROL_USAGE, "tables takes no argument "
		    "but accept and compile.");
}

/* ---- the table ---- */

static const struct request {
	struct slice verb;
	size_t least, most;		/* words after it */
	void (*handler)(struct client *client);
	const char *usage;
} requests[] = {
	{ { "status", 6 }, 0, 1, request_status, "status" },
	{ { "why", 3 }, 1, 1, ask_why, "why ID" },
	{ { "route", 5 }, 1, 1, ask_route, "route ADDRESS" },
	{ { "tables", 6 }, 0, 1, ask_tables,
	    "tables [accept|compile]" },
	{ { "reload", 6 }, 0, 0, ask_reload, "reload" },
	{ { "queue", 5 }, 0, 1, request_queue, "queue [DOMAIN|ADDRESS]" },
	{ { "show", 4 }, 1, 1, request_queue, "show ID" },
	{ { "hold", 4 }, 1, 60, request_queue, "hold ID|all [for=TIME] "
	    "[REASON]" },
	{ { "release", 7 }, 1, 1, request_queue, "release ID|all" },
	{ { "retry", 5 }, 1, 1, request_queue, "retry ID|all" },
	{ { "remove", 6 }, 1, 1, request_queue, "remove ID|all" },
	{ { "flush", 5 }, 0, 1, request_queue, "flush [DOMAIN]" },
	{ { "sent", 4 }, 0, 1, request_sent, "sent [ID|ADDRESS]" },
	{ { "relay", 5 }, 0, 0, request_relay, "relay" },
	{ { "tls", 3 }, 0, 1, request_tls, "tls [yesterday]" },
	{ { "dns", 3 }, 2, 2, request_dns, "dns NAME TYPE" },
	{ { "explain", 7 }, 4, 5, request_explain, "explain --ip ADDRESS "
	    "--helo NAME --from SENDER --to RECIPIENT [--file FILE] "
	    "[--json]" },
};

/* Its size; what is in quotation marks is of it (RFC 5321, "a b"@c). */
static size_t
word_size(struct slice line)
{
	bool is_quoted = false;
	size_t size = 0;

	while (size < line.size && (is_quoted || line.data[size] != ' ')) {
		if (line.data[size] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && line.data[size] == '\\' &&
		    size + 1 < line.size)
			size++;
		size++;
	}
	return size;
}

bool
request_split(struct slice line, struct slice *words, size_t room, size_t *n)
{
	*n = 0;
	if (slice_has_control(line))
		return false;
	while (line.size > 0) {
		size_t size = word_size(line);

		if (size > 0 && *n == room)
			return false;
		if (size > 0)
			words[(*n)++] = (struct slice){ line.data, size };
		size += size < line.size;
		line.data += size;
		line.size -= size;
	}
	return *n > 0;
}

void
request_run(struct client *client)
{
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		const struct request *r = &requests[i];
		size_t n = client->n_words - 1;

		if (!slice_equals(client->words[0], r->verb))
			continue;
		if (n < r->least || n > r->most)
			client_say(client, CONTROL_USAGE, "Usage: "
			    "posternctl %s", r->usage);
		else
			r->handler(client);
		return;
	}
	client_say(client, CONTROL_USAGE, "The server does not know this "
	    "command. It knows: status, why, route, tables, reload, queue, "
	    "show, hold, release, retry, remove, flush, sent, relay, tls, "
	    "dns, explain.");
}
