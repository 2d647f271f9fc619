/* SPDX-License-Identifier: ISC */
/*
 * notes_rules.c - questions about the greylist and what was seen before.
 *
 * An smtpd may note what it asks about; control (explain) may only look.
 */
#include "clock.h"
#include "fault.h"
#include "rules.h"
#include "store.h"

bool
store_on_grey_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct grey_answer answer;
	struct grey_ask q;
	struct ipc_writer w;

	if (!get_grey_ask(&m->body, &q) ||
	    (q.notes && peer->role != ROLE_SMTPD))
		return false;
	FAULT_STEP("store.before-grey");
	grey_ask(peer->store->grey, &q, clock_wall_s(), &answer);
	ipc_writer_init(&w);
	put_grey_answer(&w, &answer);
	(void)channel_answer(ch, m->id, GREY_ANSWER, &w, -1);
	return true;
}

bool
store_on_seen_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct seen_answer answer;
	struct seen_ask q;
	struct ipc_writer w;

	if (!get_seen_ask(&m->body, &q) ||
	    (q.notes && peer->role != ROLE_SMTPD))
		return false;
	FAULT_STEP("store.before-seen");
	seen_ask(peer->store->seen, peer->store->hmac, &q, clock_wall_s(),
	    &answer);
	if (m->id == 0)		/* told, not asked */
		return true;
	ipc_writer_init(&w);
	put_seen_answer(&w, &answer);
	(void)channel_answer(ch, m->id, SEEN_ANSWER, &w, -1);
	return true;
}
