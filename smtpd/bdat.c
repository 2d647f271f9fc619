/* SPDX-License-Identifier: ISC */
/*
 * BDAT (RFC 3030). A chunk's octets are counted whatever becomes of them:
 * the client sends them without waiting, so after an error they are thrown
 * away before the reply, never read as commands. After a chunk that failed
 * everything but RSET and its like is 503 (RFC 3030 2).
 */
#include "clock.h"
#include "commands.h"
#include "finish.h"

static enum step
chunk_throw_away(struct session *s, uint64_t size_bytes, enum reply_name reply)
{
	uint64_t most = s->settings->config->limits.message_bytes;

	if (most == 0)
		most = s->settings->memory_bytes;
	if (size_bytes / 2 > most)
		return session_reply(s, REPLY_DATA_ENDLESS);
	s->chunk_left = size_bytes;
	s->chunk_reply = reply;
	data_start_clock(s);
	if (size_bytes == 0)
		return session_reply(s, reply);
	s->mode = INPUT_NO_CHUNK;
	s->is_timer_wanted = true;
	return STEP_NEXT;
}

enum step
cmd_bdat_out_of_phase(struct session *s, struct slice argument)
{
	uint64_t size_bytes;
	bool is_last;

	if (command_parse_bdat(argument, &size_bytes, &is_last) != COMMAND_OK)
		return session_reply(s, REPLY_BDAT_SYNTAX);
	return chunk_throw_away(s, size_bytes, REPLY_BAD_SEQUENCE);
}

/* The message has failed before its last chunk. */
static enum step
chunk_spoil(struct session *s, enum reply_name reply)
{
	enum step step = session_reply(s, reply);

	transaction_end(s);
	s->phase = PHASE_SPOILED;
	return step;
}

/* Not even begun: without its first chunk the rest would be another message,
 * and be delivered as one if what was wrong is over by then. */
static enum step
chunk_spoil_first(struct session *s, uint64_t size_bytes,
    enum reply_name reply)
{
	transaction_end(s);
	s->phase = PHASE_SPOILED;
	return chunk_throw_away(s, size_bytes, reply);
}

static enum step
chunk_done(struct session *s)
{
	struct body *body = &s->tx->body;
	const unsigned lost = BODY_TOO_LARGE | BODY_NO_ROOM | BODY_IO_ERROR |
	    BODY_LONG_LINE;

	s->mode = INPUT_LINES;
	s->is_timer_wanted = true;
	if (s->is_chunk_last) {
		body_end_chunks(body);
		return transaction_finish(s);
	}
	if ((body->faults & lost) != 0)
		return chunk_spoil(s, data_fault(body->faults));
	return session_reply(s, REPLY_CHUNK_OK);
}

/* Empty ones keep nobody here for longer than others do. */
static enum step
chunk_watched(struct session *s)
{
	enum reply_name end = data_watch(s);

	if (end != REPLY_COUNT)
		return session_reply(s, end);
	return s->chunk_left == 0 ? chunk_done(s) : STEP_NEXT;
}

/* Between chunks a client may take its time: the command timeout's. */
static void
chunk_end_pause(struct session *s)
{
	int64_t now_us = clock_monotonic_us();

	s->data_paused_us += now_us - s->data_last_us;
	s->data_last_us = now_us;
}

enum step
cmd_bdat(struct session *s, struct slice argument)
{
	uint64_t size_bytes;
	bool is_last;

	if (command_parse_bdat(argument, &size_bytes, &is_last) != COMMAND_OK)
		return session_reply(s, REPLY_BDAT_SYNTAX);
	if (s->tx->n_recipients == 0)
		return chunk_throw_away(s, size_bytes, REPLY_NO_RECIPIENTS);
	if (!s->tx->has_body && data_is_unsafe(s))
		return chunk_spoil_first(s, size_bytes,
		    REPLY_SELF_TEST_FAILED);
	if (!s->tx->has_body && data_begin(s) < 0)
		return chunk_spoil_first(s, size_bytes, REPLY_DATA_IO_ERROR);
	s->phase = PHASE_CHUNKS;
	s->chunk_left = size_bytes;
	s->is_chunk_last = is_last;
	chunk_end_pause(s);
	if (size_bytes == 0)
		return chunk_watched(s);
	s->mode = INPUT_CHUNK;
	s->is_timer_wanted = true;
	return STEP_NEXT;
}

/* As much of the input as belongs to the chunk. */
static struct slice
chunk_input(struct session *s)
{
	struct slice part = s->input;

	if (part.size > s->chunk_left)
		part.size = (size_t)s->chunk_left;
	if (part.size > BODY_INPUT_MAX)
		part.size = BODY_INPUT_MAX;
	s->input.data += part.size;
	s->input.size -= part.size;
	s->chunk_left -= part.size;
	return part;
}

enum step
chunk_take(struct session *s)
{
	struct slice part = chunk_input(s);

	body_take_chunk(&s->tx->body, part.data, part.size);
	return chunk_watched(s);
}

enum step
chunk_skip(struct session *s)
{
	enum reply_name end;

	chunk_input(s);
	end = data_watch(s);
	if (end != REPLY_COUNT)
		return session_reply(s, end);
	if (s->chunk_left > 0)
		return STEP_NEXT;
	s->mode = INPUT_LINES;
	return session_reply(s, s->chunk_reply);
}
