/* SPDX-License-Identifier: ISC */
/*
 * See milter_talk.h. Each step is a row: its command, what the milter may
 * have opted out of, and which macros go before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "milter_talk.h"

#define EDITS_ROOM (4u << 20)	/* beside a new body */

struct step_row {
	char command;
	uint32_t unwanted;	/* not said with this flag */
	uint32_t quiet;		/* not answered with this flag */
	enum milter_macros macros;
	bool has_macros;
	uint32_t since;		/* version of the protocol */
};

static const struct step_row rows[TALK_STEPS] = {
	[STEP_OPTIONS] = { 'O', 0, 0, 0, false, 0 },
	[STEP_CONNECT] = { 'C', MILTER_NO_CONNECT, MILTER_QUIET_CONNECT,
	    MILTER_AT_CONNECT, true, 0 },
	[STEP_HELO] = { 'H', MILTER_NO_HELO, MILTER_QUIET_HELO,
	    MILTER_AT_HELO, true, 0 },
	[STEP_MAIL] = { 'M', MILTER_NO_MAIL, MILTER_QUIET_MAIL,
	    MILTER_AT_MAIL, true, 0 },
	[STEP_RCPT] = { 'R', MILTER_NO_RCPT, MILTER_QUIET_RCPT,
	    MILTER_AT_RCPT, true, 0 },
	[STEP_DATA] = { 'T', MILTER_NO_DATA, MILTER_QUIET_DATA,
	    MILTER_AT_DATA, true, 4 },
	[STEP_HEADER] = { 'L', MILTER_NO_HEADERS, MILTER_QUIET_HEADERS,
	    0, false, 0 },
	[STEP_END_OF_HEADERS] = { 'N', MILTER_NO_END_OF_HEADERS,
	    MILTER_QUIET_END_OF_HEADERS, MILTER_AT_END_OF_HEADERS, true, 0 },
	[STEP_BODY] = { 'B', MILTER_NO_BODY, MILTER_QUIET_BODY, 0, false, 0 },
	[STEP_END] = { 'E', 0, 0, MILTER_AT_END, true, 0 },
	[STEP_UNKNOWN] = { 'U', MILTER_NO_UNKNOWN, MILTER_QUIET_UNKNOWN,
	    0, false, 3 },
};

#define SAID(step) (1u << (step))
#define SAID_SESSION (SAID(STEP_OPTIONS) | SAID(STEP_CONNECT) | \
	SAID(STEP_HELO))

/* ---- states ---- */

/* It cannot go on, and the milter has not done anything wrong. */
static void
talk_cannot(struct milter_talk *t, const char *problem)
{
	t->state = TALK_BROKEN;
	t->problem = problem;
}

static void
talk_break(struct milter_talk *t, const char *problem)
{
	talk_cannot(t, problem);
	t->is_fault = true;
}

/* 0, or what an append to t->out said. */
static void
talk_check(struct milter_talk *t, int error)
{
	if (error < 0)
		talk_cannot(t, error == -EINVAL ? "a text for it holds a NUL" :
		    "out of memory");
}

static void
talk_refuse(struct milter_talk *t)
{
	t->state = TALK_REFUSED;
	t->has_refused_session = t->step == STEP_CONNECT;
	/* of one recipient or command, or of all of the message */
	if (t->step == STEP_HELO)
		t->said &= ~SAID(STEP_HELO);
	else if (t->step != STEP_RCPT && t->step != STEP_UNKNOWN)
		t->is_message_over = true;
	t->step = TALK_STEPS;
}

void
talk_init(struct milter_talk *t, const char *name,
    enum config_disposal discard)
{
	memset(t, 0, sizeof(*t));
	t->name = name;
	t->discard = discard;
	t->in.maximum = MILTER_PACKET_MAX + 4;
}

void
talk_free(struct milter_talk *t)
{
	buf_free(&t->out);
	buf_free(&t->in);
	buf_free(&t->edits);
	for (size_t i = 0; i < MILTER_MACRO_STAGES; i++)
		free(t->symbols[i]);
	memset(t, 0, sizeof(*t));
}

/* ---- saying things ---- */

static void
say_connect(struct milter_talk *t)
{
	const struct milter_facts *f = t->facts;
	struct slice ip = f->client_ip;
	char family = ip.size == 0 ? 'U' :
	    slice_find(ip, ':') < ip.size ? '6' : '4';

	talk_check(t, milter_put_connect(&t->out, f->client_name, family,
	    f->client_port, ip));
}

/* "<address>", and each ESMTP argument as a text of its own. */
static void
say_path(struct milter_talk *t, char command, struct slice address,
    struct slice args)
{
	struct buf path = { 0 };
	struct slice texts[16];
	size_t n = 1;
	int error = buf_printf(&path, "<%.*s>", (int)address.size,
	    address.data);

	texts[0] = buf_slice(&path);
	while (args.size > 0 && n < sizeof(texts) / sizeof(texts[0])) {
		size_t size = slice_find(args, ' ');

		if (size > 0)
			texts[n++] = (struct slice){ args.data, size };
		size += size < args.size;
		args = (struct slice){ args.data + size, args.size - size };
	}
	if (error == 0)
		error = milter_put_texts(&t->out, command, texts, n);
	talk_check(t, error);
	buf_free(&path);
}

static void
say_header(struct milter_talk *t)
{
	const struct draft_field *f = &t->draft->fields[t->field++];
	struct slice texts[2] = { f->name, f->value };

	if ((t->protocol & MILTER_LEADING_SPACE) == 0 &&
	    texts[1].size > 0 && texts[1].data[0] == ' ')
		texts[1] = (struct slice){ texts[1].data + 1,
			texts[1].size - 1 };
	talk_check(t, milter_put_texts(&t->out, 'L', texts, 2));
}

/* LF becomes CR LF; how much of from went into to. */
static size_t
add_returns(char *to, size_t *size, const char *from, size_t n)
{
	size_t used = 0, i;

	for (i = 0; i < n && used + 2 <= MILTER_CHUNK_MAX; i++) {
		if (from[i] == '\n')
			to[used++] = '\r';
		to[used++] = from[i];
	}
	*size = used;
	return i;
}

static void
say_body(struct milter_talk *t)
{
	static char lines[MILTER_CHUNK_MAX], chunk[MILTER_CHUNK_MAX];
	ssize_t n = draft_read_body(t->draft, t->body_at, lines,
	    sizeof(lines));
	size_t size;

	if (n < 0) {
		talk_cannot(t, "the message cannot be read");
		return;
	}
	if (n == 0) {
		t->is_body_over = true;
		return;
	}
	t->body_at += add_returns(chunk, &size, lines, (size_t)n);
	talk_check(t, milter_put_body(&t->out, chunk, size));
}

/* One that does without a command may still want its macros later. */
static void
say_macros(struct milter_talk *t, enum talk_step step)
{
	const struct step_row *row = &rows[step];

	if (row->has_macros && t->version >= row->since)
		talk_check(t, milter_facts_put(&t->out, t->facts, row->macros,
		    row->command, t->symbols[row->macros]));
}

static void
say_step(struct milter_talk *t, enum talk_step step)
{
	const struct milter_facts *f = t->facts;

	switch (step) {
	case STEP_OPTIONS:
		talk_check(t, milter_put_options(&t->out, MILTER_ACTIONS,
		    MILTER_PROTOCOL));
		break;
	case STEP_CONNECT:
		say_connect(t);
		break;
	case STEP_HELO:
		talk_check(t, milter_put_texts(&t->out, 'H', &f->helo, 1));
		break;
	case STEP_MAIL:
		say_path(t, 'M', f->sender, f->sender_args);
		break;
	case STEP_RCPT:
		say_path(t, 'R', f->recipient, SLICE(""));
		break;
	case STEP_HEADER:
		say_header(t);
		break;
	case STEP_BODY:
		say_body(t);
		break;
	case STEP_UNKNOWN:
		talk_check(t, milter_put_texts(&t->out, 'U', &f->line, 1));
		break;
	default:
		talk_check(t, milter_put_command(&t->out,
		    rows[step].command));
		break;
	}
}

/* ---- which step is next ---- */

static bool
has_said(const struct milter_talk *t, enum talk_step step)
{
	return (t->said & SAID(step)) != 0;
}

static bool
is_wanted(const struct milter_talk *t, enum talk_step step)
{
	return (t->protocol & rows[step].unwanted) == 0 &&
	    (step == STEP_OPTIONS || t->version >= rows[step].since);
}

/* The message's own: several headers and chunks, then its end. */
static enum talk_step
next_of_message(const struct milter_talk *t)
{
	if (has_said(t, STEP_END))	/* its changes are no news to it */
		return TALK_STEPS;
	if (!has_said(t, STEP_DATA))
		return STEP_DATA;
	if (is_wanted(t, STEP_HEADER) && t->field < t->draft->n_fields)
		return STEP_HEADER;
	if (!has_said(t, STEP_END_OF_HEADERS))
		return STEP_END_OF_HEADERS;
	if (is_wanted(t, STEP_BODY) && !t->is_body_over)
		return STEP_BODY;
	return STEP_END;
}

/* TALK_STEPS: all of the stage has been said. */
static enum talk_step
next_step(const struct milter_talk *t)
{
	static const enum talk_step of[] = { [TALK_HELO] = STEP_HELO,
		[TALK_MAIL] = STEP_MAIL, [TALK_RCPT] = STEP_RCPT,
		[TALK_DATA] = STEP_DATA, [TALK_UNKNOWN] = STEP_UNKNOWN };

	if (!has_said(t, STEP_OPTIONS))
		return STEP_OPTIONS;
	if (t->is_session_accepted || t->is_message_over)
		return TALK_STEPS;
	if (!has_said(t, STEP_CONNECT))
		return STEP_CONNECT;
	if (t->stage != TALK_UNKNOWN && !has_said(t, STEP_HELO))
		return STEP_HELO;
	if (t->stage == TALK_MESSAGE)
		return next_of_message(t);
	return has_said(t, of[t->stage]) ? TALK_STEPS : of[t->stage];
}

/* Say as much as can be said without an answer. */
static void
talk_pump(struct milter_talk *t)
{
	enum talk_step step;
	size_t before;

	while (t->state == TALK_WAITS && t->step == TALK_STEPS &&
	    t->out.size < TALK_OUT_MAX) {
		step = next_step(t);
		if (step == TALK_STEPS) {
			t->state = TALK_PASSED;
			return;
		}
		t->said |= SAID(step);
		say_macros(t, step);
		if (!is_wanted(t, step))
			continue;
		before = t->out.size;
		say_step(t, step);
		if (t->out.size > before &&
		    (rows[step].quiet & t->protocol) == 0)
			t->step = step;
	}
}

void
talk_begin(struct milter_talk *t, enum talk_stage stage,
    const struct milter_facts *facts, struct draft *draft,
    struct milter_changes *changes)
{
	t->state = TALK_WAITS;
	t->step = TALK_STEPS;
	t->stage = stage;
	t->facts = facts;
	t->draft = draft;
	t->changes = changes;
	t->edits.size = 0;
	if (stage == TALK_HELO)		/* after STARTTLS once more */
		t->said &= ~SAID(STEP_HELO);
	if (stage == TALK_RCPT || stage == TALK_UNKNOWN)
		t->said &= ~(SAID(STEP_RCPT) | SAID(STEP_UNKNOWN));
	if (draft != NULL)
		t->edits_max = draft->max_bytes + draft->max_bytes / 16 +
		    EDITS_ROOM;
	talk_pump(t);
}

bool
talk_spare_session(struct milter_talk *t)
{
	if (has_said(t, STEP_MAIL))
		return false;
	t->is_session_accepted = true;
	t->has_refused_session = false;
	return true;
}

void
talk_written(struct milter_talk *t)
{
	talk_pump(t);
}

void
talk_end_transaction(struct milter_talk *t)
{
	bool is_open = has_said(t, STEP_MAIL) && !has_said(t, STEP_END) &&
	    !t->is_session_accepted;

	if (is_open && t->state != TALK_BROKEN)
		(void)milter_put_command(&t->out, 'A');
	t->said &= SAID_SESSION;
	t->is_message_over = false;
	t->field = 0;
	t->body_at = 0;
	t->is_body_over = false;
	t->edits.size = 0;
	t->draft = NULL;
	if (t->state != TALK_BROKEN)
		t->state = TALK_IDLE;
}

bool
talk_next_session(struct milter_talk *t)
{
	/* what a milter makes of it after its last word is not written down */
	if (t->is_session_accepted || t->has_refused_session)
		return false;
	if (t->version < MILTER_VERSION || t->state != TALK_IDLE ||
	    t->in.size > 0 || (t->said & SAID(STEP_MAIL)) != 0)
		return false;
	t->said = SAID(STEP_OPTIONS);
	return milter_put_command(&t->out, 'K') == 0;
}

void
talk_quit(struct milter_talk *t)
{
	(void)milter_put_command(&t->out, 'Q');
}

/* ---- replies ---- */

static void
take_options(struct milter_talk *t, const struct milter_reply *r)
{
	struct slice symbols = r->symbols, names;
	enum milter_macros stage;

	if (t->step != STEP_OPTIONS) {
		talk_break(t, "options that nobody asked for");
		return;
	}
	if (r->version < MILTER_VERSION_MIN || r->version > MILTER_VERSION) {
		talk_break(t, "a version of the protocol that is not spoken");
		return;
	}
	if ((r->actions & ~(uint32_t)MILTER_ACTIONS) != 0 ||
	    (r->protocol & ~(uint32_t)MILTER_PROTOCOL) != 0) {
		talk_break(t, "options that were not offered");
		return;
	}
	t->version = r->version;
	t->actions = r->actions;
	t->protocol = r->protocol;
	while (milter_next_symbols(&symbols, &stage, &names) > 0) {
		free(t->symbols[stage]);
		t->symbols[stage] = slice_strdup(names);
		if (t->symbols[stage] == NULL)
			talk_cannot(t, "out of memory");
	}
	t->step = TALK_STEPS;
}

/* Its last word about a session or message that it lets pass. */
static void
take_accept(struct milter_talk *t, bool is_final)
{
	if (t->step == STEP_END) {
		if (!talk_apply(t)) {
			t->state = TALK_BROKEN;
			return;
		}
	} else if (is_final) {
		if (t->step <= STEP_HELO)
			t->is_session_accepted = true;
		else if (t->step != STEP_UNKNOWN)
			t->is_message_over = true;
	}
	t->step = TALK_STEPS;
}

/*
 * Of the whole message, also at RCPT, where a refusal would be this
 * recipient's alone: that one waits until all are known.
 */
static void
take_discard(struct milter_talk *t)
{
	if (t->step <= STEP_HELO || t->step == STEP_UNKNOWN) {
		talk_break(t, "discard before there is a message");
		return;
	}
	if (t->discard == DISPOSAL_REFUSE && t->step != STEP_RCPT) {
		verdict_set(&t->verdict, 550, 7, 1, TALK_REFUSED_TEXT);
		talk_refuse(t);
		return;
	}
	if (t->step == STEP_END && !talk_apply(t)) {
		t->state = TALK_BROKEN;
		return;
	}
	t->is_message_over = true;
	milter_changes_dispose(t->changes, t->discard, t->name,
	    SLICE("discard"));
	t->step = TALK_STEPS;
}

static void
take_refusal(struct milter_talk *t, const struct milter_reply *r)
{
	struct verdict *v = &t->verdict;

	if (r->kind == MILTER_REPLY_CODE) {
		*v = r->verdict;
		if (v->text[0] == '\0')
			slice_copy(v->text, sizeof(v->text),
			    SLICE(TALK_REFUSED_TEXT));
	} else if (r->kind == MILTER_REJECT) {
		verdict_set(v, 550, 7, 1, TALK_REFUSED_TEXT);
	} else if (r->kind == MILTER_SHUTDOWN) {
		verdict_set(v, 421, 3, 2, "a filter ends this session, try "
		    "again later");
	} else {
		verdict_set(v, 451, 7, 1, "a filter says: try again later");
	}
	talk_refuse(t);
}

/* One of the changes, which have their place at the end of a message. */
static void
take_edit(struct milter_talk *t, const struct milter_reply *r,
    struct slice packet)
{
	uint32_t action = milter_reply_action(r);

	if (t->step != STEP_END)
		talk_break(t, "a change before the end of the message");
	else if ((action & t->actions) == 0)
		talk_break(t, "a change that it has not negotiated");
	else if (t->edits.size + packet.size > t->edits_max)
		talk_break(t, "more changes than a message can have");
	else if (!talk_check_edit(r))
		talk_break(t, "a field name, a body or an address that is "
		    "none");
	else if (buf_append_slice(&t->edits, packet) < 0)
		talk_cannot(t, "out of memory");
}

static void
take_skip(struct milter_talk *t)
{
	if (t->step != STEP_BODY || (t->protocol & MILTER_MAY_SKIP) == 0) {
		talk_break(t, "skip where there is nothing to skip");
		return;
	}
	t->is_body_over = true;
	t->step = TALK_STEPS;
}

static void
take_reply(struct milter_talk *t, const struct milter_reply *r,
    struct slice packet)
{
	if ((r->kind == MILTER_OPTIONS) != (t->step == STEP_OPTIONS)) {
		talk_break(t, "an answer that does not fit");
		return;
	}
	switch (r->kind) {
	case MILTER_OPTIONS:
		take_options(t, r);
		break;
	case MILTER_CONTINUE:
		take_accept(t, false);
		break;
	case MILTER_ACCEPT:
		take_accept(t, true);
		break;
	case MILTER_DISCARD:
		take_discard(t);
		break;
	case MILTER_REJECT:
	case MILTER_TEMPFAIL:
	case MILTER_REPLY_CODE:
	case MILTER_SHUTDOWN:
		take_refusal(t, r);
		break;
	case MILTER_SKIP:
		take_skip(t);
		break;
	case MILTER_CONNECTION_FAILED:
		talk_cannot(t, "it says that it cannot work now");
		break;
	case MILTER_PROGRESS:
		break;
	default:
		take_edit(t, r, packet);
		break;
	}
}

/* One packet off the input; false: there is none, or it is the end. */
static bool
take_packet(struct milter_talk *t)
{
	struct milter_packet packet;
	struct milter_reply reply;
	int got = milter_take_packet(&packet, buf_slice(&t->in));

	if (got == 0 || t->state == TALK_BROKEN)
		return false;
	if (got < 0 || milter_read_reply(&reply, &packet) < 0) {
		talk_break(t, "rubbish");
		return false;
	}
	if (t->state != TALK_WAITS || t->step == TALK_STEPS) {
		talk_break(t, "an answer to nothing");
		return false;
	}
	take_reply(t, &reply, (struct slice){ t->in.data, packet.size });
	buf_consume(&t->in, packet.size);
	talk_pump(t);
	return true;
}

bool
talk_input(struct milter_talk *t, struct slice data)
{
	bool has_answered = false;
	size_t n;

	/* in pieces: what is complete goes before more comes in */
	while (data.size > 0 && t->state != TALK_BROKEN) {
		n = t->in.maximum - t->in.size;
		if (n > data.size)
			n = data.size;
		if (n == 0 || buf_append(&t->in, data.data, n) < 0) {
			talk_cannot(t, "out of memory");
			break;
		}
		data = (struct slice){ data.data + n, data.size - n };
		while (take_packet(t))
			has_answered = true;
	}
	if (t->in.size == 0) {
		buf_free(&t->in);
		t->in.maximum = MILTER_PACKET_MAX + 4;
	}
	return has_answered;
}
