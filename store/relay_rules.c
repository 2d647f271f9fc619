/* SPDX-License-Identifier: ISC */
/*
 * relay_rules.c - what relay asks the store: to keep MTA-STS policies, and
 * to give them back.
 *
 * It is answered like the ledger: when it is on disk.
 */
#include <errno.h>
#include "clock.h"
#include "log.h"
#include "mta_sts.h"
#include "rules.h"
#include "store.h"

#define TIME_OFF_S 86400	/* an asker's clock is this host's */

static void
answer_entry(struct channel *ch, uint32_t question, const struct sts_kept *p)
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	put_sts_kept(&w, p);
	(void)channel_answer(ch, question, STS_ENTRY, &w, -1);
}

/* A disk that fails is not "there are no more". */
static bool
on_next(struct channel *ch, struct ipc_message *m, void *arg)
{
	const struct sts_kept end = { .text = SLICE("") };
	struct peer *peer = arg;
	struct slice domain = ipc_get_slice(&m->body);
	struct sts_kept p;
	int error;

	if (!ipc_reader_is_done(&m->body) || domain.size > DNS_NAME_MAX)
		return false;
	error = sts_next(peer->store->sts, domain, &p);
	if (error == 0)
		answer_entry(ch, m->id, &p);
	else if (error == -ENOENT)
		answer_entry(ch, m->id, &end);
	else
		log_error("sts_policies", LOG_E("error", error), LOG_END);
	return true;
}

static bool
on_keep(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	uint64_t latest_s = (uint64_t)clock_wall_s() + TIME_OFF_S;
	struct sts_kept p;
	int error;

	(void)ch;
	if (!get_sts_kept(&m->body, &p) || p.domain.size == 0 ||
	    p.fetched_s > latest_s || p.expires_s > latest_s +
	    MTA_STS_AGE_MAX)
		return false;
	error = s->n_unanswered < LEDGER_AT_ONCE ? sts_keep(s->sts, &p) :
	    -EBUSY;
	if (error == 0)
		s->unanswered[s->n_unanswered++] = (struct unanswered){ peer,
			m->id, STS_KEPT };
	else
		log_error("sts_policies", LOG_SL("domain", p.domain),
		    LOG_E("error", error), LOG_S("effect",
		    "it is not known after a restart"), LOG_END);
	return true;
}

const struct channel_rule store_relay_rules[] = {
	{ STS_NEXT, CHANNEL_NO_FD, on_next },
	{ STS_KEEP, CHANNEL_NO_FD, on_keep },
};
const size_t store_n_relay_rules =
    sizeof store_relay_rules / sizeof *store_relay_rules;
