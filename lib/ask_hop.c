/* SPDX-License-Identifier: ISC */
/*
 * ask_hop.c - what is asked at a next hop; see ask_hop.h, ask_forward.h.
 */
#include "ask.h"

#define CLIENT_MAX 45		/* "0000:...:255.255.255.255" */

/* What goes into a command: it must not end it, nor begin another. */
static bool
is_argument(struct slice s, size_t most)
{
	return s.size <= most && !slice_has_control(s);
}

static bool
is_word(struct slice s, size_t most)
{
	return is_argument(s, most) && slice_find(s, ' ') == s.size;
}

/* What another server said: get_verdict takes refusals only. 2yz, 4yz and
 * 5yz are what can be acted on, nothing else is. */
void
get_hop_words(struct ipc_reader *r, struct verdict *v)
{
	v->code = ipc_get_u16(r);
	v->subject = ipc_get_u8(r);
	v->detail = ipc_get_u8(r);
	ipc_get_string(r, v->text, sizeof v->text);
	if ((v->code != 250 && (v->code < 400 || v->code > 599)) ||
	    slice_has_control(slice_of(v->text)))
		r->failed = true;
}

/* ---- dialogues without a message ---- */

static void
put_hop_envelope(struct ipc_writer *w, const struct hop_envelope *e)
{
	ipc_put_slice(w, e->domain);
	ipc_put_u8(w, e->is_smart_host);
	ipc_put_slice(w, e->reverse_path);
	ipc_put_u8(w, e->is_utf8);
	ipc_put_u8(w, e->requires_tls);
}

static void
get_hop_envelope(struct ipc_reader *r, struct hop_envelope *e)
{
	e->domain = ipc_get_slice(r);
	e->is_smart_host = ipc_get_bool(r);
	e->reverse_path = ipc_get_slice(r);
	e->is_utf8 = ipc_get_bool(r);
	e->requires_tls = ipc_get_bool(r);
	if (e->domain.size == 0 ||
	    !is_word(e->domain, HOP_DESTINATION_MAX - 1) ||
	    !is_argument(e->reverse_path, ASK_ADDRESS_MAX - 1))
		r->failed = true;
}

void
put_relay_probe(struct ipc_writer *w, const struct relay_probe *q)
{
	put_hop_envelope(w, &q->envelope);
	ipc_put_slice(w, q->address);
}

bool
get_relay_probe(struct ipc_reader *r, struct relay_probe *q)
{
	get_hop_envelope(r, &q->envelope);
	q->address = ipc_get_slice(r);
	if (q->address.size == 0 ||
	    !is_argument(q->address, ASK_ADDRESS_MAX - 1))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_hop_reply(struct ipc_writer *w, const struct hop_reply *a)
{
	ipc_put_u8(w, a->is_said);
	ipc_put_u8(w, (uint8_t)a->stage);
	put_verdict(w, &a->verdict);
	ipc_put_slice(w, a->remote_host);
	ipc_put_u32(w, a->age_s);
}

bool
get_hop_reply(struct ipc_reader *r, struct hop_reply *a)
{
	uint8_t stage;

	a->is_said = ipc_get_bool(r);
	stage = ipc_get_u8(r);
	a->stage = (enum relay_stage)stage;
	get_hop_words(r, &a->verdict);
	a->remote_host = ipc_get_slice(r);
	a->age_s = ipc_get_u32(r);
	/* only RCPT is asked, and who was asked has a name */
	if (stage >= RELAY_STAGE_COUNT || !is_argument(a->remote_host,
	    ASK_ADDRESS_MAX) || (a->is_said && (stage != RELAY_AT_RCPT ||
	    a->remote_host.size == 0)) ||
	    (!a->is_said && a->verdict.code == 250))
		r->failed = true;
	return ipc_reader_is_done(r);
}

/* ---- mail from outside ---- */

static void
put_hop_mail(struct ipc_writer *w, const struct hop_mail *m)
{
	ipc_put_slice(w, m->reverse_path);
	ipc_put_u64(w, m->size_bytes);
	ipc_put_u8(w, m->is_8bit);
	ipc_put_u8(w, m->is_utf8);
	ipc_put_u8(w, m->requires_tls);
	ipc_put_u8(w, m->is_authenticated);
}

static void
get_hop_mail(struct ipc_reader *r, struct hop_mail *m)
{
	m->reverse_path = ipc_get_slice(r);
	m->size_bytes = ipc_get_u64(r);
	m->is_8bit = ipc_get_bool(r);
	m->is_utf8 = ipc_get_bool(r);
	m->requires_tls = ipc_get_bool(r);
	m->is_authenticated = ipc_get_bool(r);
	if (!is_argument(m->reverse_path, ASK_ADDRESS_MAX - 1) ||
	    m->size_bytes > INT64_MAX / 2)
		r->failed = true;
}

/* Its seal is not looked at here. */
static struct slice
get_sealed(struct ipc_reader *r)
{
	struct slice sealed = ipc_get_slice(r);

	if (sealed.size == 0 || sealed.size > HOP_ROUTE_MAX_BYTES)
		r->failed = true;
	return sealed;
}

static struct slice
get_session(struct ipc_reader *r)
{
	struct slice session = ipc_get_slice(r);

	if (session.size == 0 || session.size >= ASK_SESSION_MAX)
		r->failed = true;
	return session;
}

void
put_hop_rcpt(struct ipc_writer *w, const struct hop_rcpt *q)
{
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->client);
	ipc_put_slice(w, q->sealed);
	put_hop_mail(w, &q->mail);
}

bool
get_hop_rcpt(struct ipc_reader *r, struct hop_rcpt *q)
{
	q->session = get_session(r);
	q->client = ipc_get_slice(r);
	q->sealed = get_sealed(r);
	get_hop_mail(r, &q->mail);
	if (!is_word(q->client, CLIENT_MAX))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_hop_recipient(struct ipc_writer *w, const struct hop_recipient *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u16(w, q->index);
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->sealed);
}

bool
get_hop_recipient(struct ipc_reader *r, struct hop_recipient *q)
{
	q->transaction = ipc_get_u64(r);
	q->index = ipc_get_u16(r);
	q->session = get_session(r);
	q->sealed = get_sealed(r);
	return ipc_reader_is_done(r);
}

void
put_hop_send(struct ipc_writer *w, const struct hop_send *q)
{
	ipc_put_u64(w, q->transaction);
	put_hop_mail(w, &q->mail);
	ipc_put_slice(w, q->trace);
	ipc_put_u64(w, q->message_size);
	ipc_put_u16(w, q->n_recipients);
}

bool
get_hop_send(struct ipc_reader *r, struct hop_send *q)
{
	q->transaction = ipc_get_u64(r);
	get_hop_mail(r, &q->mail);
	q->trace = ipc_get_slice(r);
	q->message_size = ipc_get_u64(r);
	q->n_recipients = ipc_get_u16(r);
	if (q->trace.size > HOP_TRACE_MAX ||
	    q->message_size > INT64_MAX / 2 || q->n_recipients == 0 ||
	    q->n_recipients > HOP_RECIPIENTS_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

static void
put_hop_result(struct ipc_writer *w, const struct hop_result *a,
    size_t text_max)
{
	struct slice text = slice_of(a->verdict.text);

	if (text.size > text_max)
		text.size = text_max;
	ipc_put_u16(w, a->index);
	ipc_put_u8(w, (uint8_t)a->stage);
	ipc_put_u8(w, a->is_said);
	ipc_put_u16(w, a->verdict.code);
	ipc_put_u8(w, a->verdict.subject);
	ipc_put_u8(w, a->verdict.detail);
	ipc_put_slice(w, text);
}

static void
get_hop_result(struct ipc_reader *r, struct hop_result *a)
{
	uint8_t stage;

	a->index = ipc_get_u16(r);
	stage = ipc_get_u8(r);
	a->stage = (enum relay_stage)stage;
	a->is_said = ipc_get_bool(r);
	get_hop_words(r, &a->verdict);
	/* what is taken was sent to its end */
	if (stage >= RELAY_STAGE_COUNT || (a->verdict.code == 250 &&
	    stage != RELAY_AT_END))
		r->failed = true;
}

void
put_hop_sent(struct ipc_writer *w, const struct hop_sent *a)
{
	ipc_put_slice(w, a->remote_host);
	ipc_put_slice(w, a->tls);
	ipc_put_u16(w, a->n);
	for (uint16_t i = 0; i < a->n; i++)
		put_hop_result(w, &a->results[i], a->n > HOP_RESULTS_MANY ?
		    HOP_RESULT_TEXT_OF_MANY_MAX : HOP_RESULT_TEXT_MAX);
}

bool
get_hop_sent(struct ipc_reader *r, struct hop_sent *a)
{
	a->remote_host = ipc_get_slice(r);
	a->tls = ipc_get_slice(r);
	a->n = ipc_get_u16(r);
	if (!is_argument(a->remote_host, ASK_ADDRESS_MAX) ||
	    !is_argument(a->tls, 256) || a->n == 0 ||
	    a->n > HOP_RECIPIENTS_MAX)
		r->failed = true;
	for (uint16_t i = 0; !r->failed && i < a->n; i++)
		get_hop_result(r, &a->results[i]);
	return ipc_reader_is_done(r);
}
