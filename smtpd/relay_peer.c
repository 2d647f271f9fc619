/* SPDX-License-Identifier: ISC */
/*
 * relay_peer.c - mail of a host that has accepted it before us: it goes into
 * .Junk where it would be refused; see finish.h.
 */
#include <stdio.h>
#include "commands.h"
#include "finish.h"
#include "last.h"

void
finish_spare(struct session *s, const char *check, const char *why)
{
	struct transaction *tx = s->tx;

	tx->is_junk = true;
	if (tx->spared[0] != '\0')
		return;
	snprintf(tx->spared, sizeof(tx->spared), "%s", why);
	tx->spared_check = check;
}

bool
finish_spares(struct session *s, const struct verdict *v, const char *check)
{
	char why[200];

	if (!s->is_relay_peer || v->code < 500)
		return false;
	snprintf(why, sizeof(why), "%u %u.%u.%u %.160s", v->code,
	    v->code / 100u, v->subject, v->detail, v->text);
	finish_spare(s, check, why);
	return true;
}

bool
finish_may_spare(struct session *s, struct verdict *v)
{
	const struct transaction *tx = s->tx;

	if (tx->spared[0] == '\0')
		return true;
	if (last_kind_of(tx) == LAST_NONE && tx->n_lists == 0) {
		note_spared(s, tx->spared_check, tx->spared);
		return true;
	}
	verdict_set(v, 550, 7, 1, "refused here, and it goes on to where we "
	    "have no .Junk: %s", tx->spared);
	return false;
}

enum reply_name
finish_spared(struct session *s, enum reply_name reply)
{
	const struct reply_entry *entry;
	struct verdict v;

	if (reply != REPLY_LOOP && reply != REPLY_TOO_MANY_HOPS)
		return reply;
	entry = reply_find(reply);
	verdict_set(&v, entry->code, entry->subject, entry->detail, "%s",
	    entry->text);
	return finish_spares(s, &v, entry->check) ? REPLY_COUNT : reply;
}
