/* SPDX-License-Identifier: ISC */
/*
 * results.c - what is noted about a recipient, and which DSN follows.
 */
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define TEXT_KEEP_MAX 400	/* octets of the other side's words */
#define HOST_KEEP_MAX 300

/*
 * RFC 3461 4.1: without NOTIFY it is a failure, and a delay if we like.
 * About a message with a null reverse-path nobody is told: it may be a
 * bounce itself.
 */
bool
recipient_wants(const struct envelope *e, const struct envelope_recipient *r,
    enum report_kind kind)
{
	unsigned notify = r->notify == 0 ? NOTIFY_FAILURE | NOTIFY_DELAY :
	    r->notify;

	if (e->from.size == 0)
		return false;
	return (kind == REPORT_FAILURE && (notify & NOTIFY_FAILURE)) ||
	    (kind == REPORT_DELAY && (notify & NOTIFY_DELAY)) ||
	    (kind == REPORT_SUCCESS && (notify & NOTIFY_SUCCESS));
}

/* What cannot be kept for want of memory is left out. */
static void
note(struct envelope *e, struct envelope_recipient *r,
    const struct verdict *v, struct slice host, int64_t now_s)
{
	bool failed = false;

	r->last = (struct envelope_answer){ .when_s = now_s, .code = v->code,
		.subject = v->subject, .detail = v->detail,
		.text = envelope_keep(e, slice_of(v->text), TEXT_KEEP_MAX,
		&failed) };
	r->host = envelope_keep(e, host, HOST_KEEP_MAX, &failed);
}

/* A next hop that knows of DSN tells the sender itself (RFC 3461 5.2.2). */
void
recipient_sent(struct envelope *e, struct envelope_recipient *r,
    const struct relay_result *result, bool is_final, int64_t now_s)
{
	note(e, r, &result->verdict, result->remote_host, now_s);
	r->state = is_final ? RECIPIENT_DELIVERED : RECIPIENT_SENT;
	r->next_s = 0;
	r->owes = !result->passes_dsn && recipient_wants(e, r,
	    REPORT_SUCCESS) ? REPORT_SUCCESS : REPORT_NONE;
}

void
recipient_answered(struct envelope *e, struct envelope_recipient *r,
    const struct verdict *v, struct slice host, int64_t now_s)
{
	note(e, r, v, host, now_s);
}

void
recipient_failed(struct envelope *e, struct envelope_recipient *r)
{
	r->state = RECIPIENT_FAILED;
	r->next_s = 0;
	r->owes = recipient_wants(e, r, REPORT_FAILURE) ? REPORT_FAILURE :
	    REPORT_NONE;
}

bool
envelope_owes(const struct envelope *e)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].owes != REPORT_NONE)
			return true;
	return false;
}

bool
envelope_is_waiting(const struct envelope *e)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].state == RECIPIENT_WAITING)
			return true;
	return false;
}
