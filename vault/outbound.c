/* SPDX-License-Identifier: ISC */
/*
 * outbound.c - see outbound.h. What cannot be made is answered empty: the
 * asker must not go on as if it were there.
 */
#include <errno.h>
#include "clock.h"
#include "log.h"
#include "outbound.h"

#define DAY_S 86400
#define TRACE_TEXT_MAX 2000

/* Without secrets no answer, here and below: that is no fault of queue's. */
bool
outbound_on_tag(struct outbound *o, struct channel *ch,
    struct ipc_message *m)
{
	char tagged[ASK_ADDRESS_MAX] = "";
	struct ipc_writer w;
	struct vault_tag q;

	if (!get_vault_tag(&m->body, &q))
		return false;
	if (o->secrets.n_batv == 0)
		return true;
	if (!tags_make(&o->secrets, &q, (uint32_t)(clock_wall_s() / DAY_S),
	    tagged))
		return false;
	ipc_writer_init(&w);
	ipc_put_string(&w, tagged);
	(void)channel_answer(ch, m->id, VAULT_TAGGED, &w, -1);
	return true;
}

bool
outbound_on_tag_check(struct outbound *o, struct channel *ch,
    struct ipc_message *m)
{
	char plain[ADDRESS_LONG_LOCAL_MAX + 1];
	struct slice address = ipc_get_slice(&m->body);
	struct vault_tag_checked answer;
	struct ipc_writer w;

	if (!ipc_reader_is_done(&m->body) || !tags_check(&o->secrets, address,
	    (uint32_t)(clock_wall_s() / DAY_S), &answer.result, plain))
		return false;
	if (o->secrets.n_batv == 0)
		return true;
	answer.plain = slice_of(plain);
	ipc_writer_init(&w);
	put_vault_tag_checked(&w, &answer);
	(void)channel_answer(ch, m->id, VAULT_TAG_CHECKED, &w, -1);
	return true;
}

bool
outbound_on_trace(struct outbound *o, struct channel *ch,
    struct ipc_message *m)
{
	char mac[TAGS_TRACE_SIZE + 1];
	struct slice text = ipc_get_slice(&m->body);
	struct ipc_writer w;

	if (text.size == 0 || text.size > TRACE_TEXT_MAX ||
	    !ipc_reader_is_done(&m->body))
		return false;
	tags_trace(&o->secrets, text, mac);
	ipc_writer_init(&w);
	ipc_put_string(&w, mac);
	(void)channel_answer(ch, m->id, VAULT_TRACED, &w, -1);
	return true;
}

bool
outbound_on_trace_check(struct outbound *o, struct channel *ch,
    struct ipc_message *m)
{
	struct ipc_writer w;
	struct vault_trace q;

	if (!get_vault_trace(&m->body, &q))
		return false;
	if (o->secrets.n_batv == 0)
		return true;
	ipc_writer_init(&w);
	ipc_put_u8(&w, tags_is_trace(&o->secrets, &q,
	    (uint32_t)(clock_wall_s() / DAY_S)));
	(void)channel_answer(ch, m->id, VAULT_TRACE_CHECKED, &w, -1);
	return true;
}

bool
outbound_on_dkim(struct outbound *o, struct channel *ch,
    struct ipc_message *m)
{
	uint8_t room[VAULT_DKIM_MAX * TLS_SIGNATURE_MAX];
	struct vault_dkim_signed answer = { 0 };
	struct ipc_writer w;
	struct vault_dkim q;
	int error;

	if (!get_vault_dkim(&m->body, &q))
		return false;
	error = dkim_keys_sign(o->keys, &q, &answer, room);
	if (error)
		log_warning("not_signed", LOG_SL("domain", q.domain),
		    LOG_E("error", error), LOG_END);
	if (error == -EPERM)
		return false;
	ipc_writer_init(&w);
	put_vault_dkim_signed(&w, &answer);
	(void)channel_answer(ch, m->id, VAULT_DKIM_SIGNED, &w, -1);
	return true;
}
