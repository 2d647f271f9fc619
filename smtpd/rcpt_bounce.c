/* SPDX-License-Identifier: ISC */
/*
 * Bounces at RCPT (DESIGN 8), see rcpt.h: the tag of the recipient, which
 * vault checks, whatever the reverse-path is. What has none proves itself at
 * DATA (policy/check_bounce.c).
 */
#include "batv.h"
#include "commands.h"
#include "rcpt.h"
#include "submit.h"
#include "transaction.h"

#define TAG_DEADLINE_MS 5000

static bool
is_null(const struct session *s)
{
	return s->tx->reverse_path[0] == '\0';
}

static const struct config_domain *
domain_of(const struct session *s)
{
	return config_find_domain(s->settings->config,
	    slice_of(s->tx->rcpt.domain));
}

static bool
has_tag(const struct session *s)
{
	struct batv_tag tag;

	return domain_of(s) != NULL &&
	    batv_parse(slice_of(s->tx->rcpt.local), &tag);
}

/* Mail of a domain with a next hop may leave through others as well, who have
 * keys of their own: what is not ours is the next hop's to judge. */
static bool
is_another(const struct session *s, enum batv_result result)
{
	return result != BATV_VALID && config_domain_hop(domain_of(s)) != NULL;
}

static bool
take_off(struct address *rcpt, struct slice plain)
{
	struct address a;

	if (!address_make(&a, plain, slice_of(rcpt->domain)))
		return false;
	*rcpt = a;
	return true;
}

static enum step
tag_checked(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;
	struct slice given = slice_of(tx->rcpt.text);

	note_asked("rcpt", given, a->took_us);
	if (!a->is_known)
		return session_reply(s, REPLY_TAG_SILENT);
	if (is_another(s, a->as.tag.result))
		return tx->then(s);
	switch (a->as.tag.result) {
	case BATV_EXPIRED:
		note_told("the tag was ours once");
		return session_reply(s, REPLY_TAG_EXPIRED);
	case BATV_VALID:
		if (take_off(&tx->rcpt, a->as.tag.plain)) {
			tx->rcpt_has_tag = true;
			break;
		}
		/* fallthrough */
	case BATV_WRONG:
		note_told("a tag of one of our keys, with a wrong MAC");
		/* its 24 bits are not for trying */
		return rcpt_count_unknown(s, session_reply(s,
		    REPLY_TAG_WRONG));
	default:
		break;
	}
	return tx->then(s);
}

enum step
rcpt_untag(struct session *s, finish_fn *then)
{
	struct question q = { .kind = QUESTION_TAG_CHECK, .fd = -1,
		.deadline_ms = TAG_DEADLINE_MS,
		.as.octets = slice_of(s->tx->rcpt.text) };

	s->tx->then = then;
	if (s->is_self_test)
		return then(s);
	if (rcpt_is_of_forward(s))
		return rcpt_ask_forward(s);
	if (!has_tag(s))
		return then(s);
	return session_ask(s, &q, tag_checked);
}

bool
rcpt_is_second_of_bounce(const struct session *s)
{
	return is_null(s) && !session_is_own(s) && s->tx->n_recipients > 0;
}

bool
rcpt_needs_tag(const struct session *s)
{
	return s->settings->config->checks.untagged_bounces ==
	    UNTAGGED_REFUSE && is_null(s) && !session_is_own(s) &&
	    !s->tx->rcpt_has_tag;
}

bool
rcpt_is_proven(const struct session *s)
{
	return is_null(s) && s->tx->rcpt_has_tag;
}
