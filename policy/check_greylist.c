/* SPDX-License-Identifier: ISC */
/*
 * check_greylist.c - has this client's network written from this sender to
 * this recipient before? (RFC 6647)
 *
 * Not for bounces, which are often sent once, and not for senders that SPF
 * confirms and whose domain was accepted before: at the end of an accepted
 * message of such a domain check_accepted has it noted.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "check.h"
#include "network.h"
#include "spf_result.h"

/* "accepted\nexample.org"; false: SPF does not vouch for the sender. */
static bool
accepted_key(const struct check *c, char *to, size_t room)
{
	struct slice domain = check_sender_domain(c);
	char name[DNS_NAME_MAX + 1];
	struct spf_told spf;

	if (!spf_told(c, &spf) || strcmp(spf.result, "pass") != 0 ||
	    domain.size == 0 || !dns_name(name, domain))
		return false;
	return snprintf(to, room, "accepted\n%s", name) < (int)room;
}

/* "alice+lists@example.org" is alice: what is left of the local part, and
 * "@example.org". */
static struct slice
recipient_without_tag(const struct check *c, struct slice *domain)
{
	struct slice key = check_told(c, FACT_RECIPIENT_KEY), user, tag;
	const struct config_domain *ours;
	size_t at = slice_after_last(key, '@');

	at = at > 0 ? at - 1 : key.size;
	*domain = (struct slice){ key.data + at, key.size - at };
	user = (struct slice){ key.data, at };
	ours = domain->size == 0 ? NULL : config_find_domain(c->config,
	    (struct slice){ domain->data + 1, domain->size - 1 });
	if (ours != NULL && ours->plus != NULL)
		(void)address_split_plus(user, ours->plus, &user, &tag);
	return user;
}

static enum check_said
judge_answer(struct check *c, const char *network, struct slice answer)
{
	struct slice state = { answer.data, slice_find(answer, ' ') };
	struct slice wait = SLICE("some time");

	if (state.size < answer.size)
		wait = (struct slice){ answer.data + state.size + 1,
		    answer.size - state.size - 1 };
	check_note(c, "%s: %.*s", network, (int)answer.size, answer.data);
	if (slice_equals(state, SLICE("known")))
		return check_good(c, "%s is known", network);
	if (slice_equals(state, SLICE("new")) ||
	    slice_equals(state, SLICE("early")) ||
	    slice_equals(state, SLICE("late")))
		return check_bad(c, 451, 7, 1, "greylisted, try again in "
		    "%.*s%s", (int)wait.size, wait.data,
		    state.size < answer.size ? " seconds" : "");
	return check_silent(c, 7, 1, "cannot look up earlier mail now, try "
	    "again later");
}

enum check_said
check_greylist(struct check *c)
{
	char network[NETWORK_TEXT_MAX], accepted[FACT_KEY_MAX];
	char key[FACT_KEY_MAX];
	char ip[INET6_ADDRSTRLEN];
	struct slice sender = check_told(c, FACT_SENDER_KEY), answer;
	struct slice domain, user = recipient_without_tag(c, &domain);

	if (sender.size == 0 ||
	    slice_equals(check_told(c, FACT_IS_EXEMPT), SLICE("1")) ||
	    !check_client_ip(c, ip, sizeof ip) ||
	    !network_text(network, ip))
		return SAID_NOTHING;
	if (accepted_key(c, accepted, sizeof accepted)) {
		if (!facts_get(c->facts, FACT_SEEN, slice_of(accepted),
		    &answer))
			return SAID_WANTS;
		if (answer.size > 0 && !slice_equals(answer,
		    SLICE("unknown")))
			return check_good(c, "SPF confirms the sender, whose "
			    "domain was accepted before");
	}
	if (snprintf(key, sizeof key, "%s\n%.*s\n%.*s%.*s", network,
	    (int)sender.size, sender.data, (int)user.size, user.data,
	    (int)domain.size, domain.data) >= (int)sizeof key)
		return SAID_NOTHING;
	if (!facts_get(c->facts, FACT_GREYLIST, slice_of(key), &answer))
		return SAID_WANTS;
	return judge_answer(c, network, answer);
}

enum check_said
check_accepted(struct check *c)
{
	char key[FACT_KEY_MAX];

	if (judgement_strictest(c->judgement) == NULL &&
	    accepted_key(c, key, sizeof key))
		(void)facts_add(&c->judgement->facts, FACT_SEEN,
		    slice_of(key), SLICE(""));
	return SAID_NOTHING;
}
