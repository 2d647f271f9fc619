/* SPDX-License-Identifier: ISC */
/*
 * forwards.c - see forwards.h. Without secrets there is no answer: nobody
 * can tell, and who asked says 451.
 */
#include "ask.h"
#include "clock.h"
#include "forwards.h"

#define DAY_S 86400

static uint32_t
today(void)
{
	return (uint32_t)(clock_wall_s() / DAY_S);
}

static bool
read_address(struct address *a, struct slice text)
{
	return address_parse(a, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;
}

/* Its bounces come to us anyway, and SPF is for us to set up: it stays. */
static bool
is_ours(const struct forwards *f, const struct address *a)
{
	return config_find_domain(f->config, slice_of(a->domain)) != NULL;
}

/*
 * Addresses of others into domains of ours, and nothing else. Relay has both
 * by hearsay: what is not so is not made, and no fault of relay's.
 */
static bool
may_be_made(const struct forwards *f, const struct vault_srs *q,
    struct address *a)
{
	const struct config_domain *domain = config_find_domain(f->config,
	    q->domain);

	return domain != NULL && domain->next_hop == NULL &&
	    read_address(a, q->reverse_path);
}

bool
forwards_on_make(const struct forwards *f, struct channel *ch,
    struct ipc_message *m)
{
	char made[ADDRESS_TEXT_MAX + 1] = "";
	struct ipc_writer w;
	struct vault_srs q;
	struct address a;
	struct srs_sender sender = { .address = &a };

	if (!get_vault_srs(&m->body, &q))
		return false;
	if (f->secrets->srs.n == 0)
		return true;
	sender.is_authenticated = q.is_authenticated;
	if (may_be_made(f, &q, &a) && is_ours(f, &a))
		(void)slice_copy(made, sizeof made, q.reverse_path);
	else if (may_be_made(f, &q, &a))
		(void)srs_make(made, &sender, q.domain, &f->secrets->srs,
		    today());
	ipc_writer_init(&w);
	put_vault_srs_made(&w, slice_of(made));
	(void)channel_answer(ch, m->id, VAULT_SRS_MADE, &w, -1);
	return true;
}

/* The way back, for relay alone to read. "" if he is here, or without memory:
 * nobody then goes there. */
static void
seal_way_back(struct buf *out, const struct forwards *f,
    const struct vault_srs_check *q, struct slice original)
{
	const char *smart_host = f->config->relay.smart_host;
	struct address a;
	struct hop_route route = { .recipient = q->recipient,
		.session = q->session,
		.expires_s = clock_wall_s() + ROUTE_LIFE_S,
		.is_smart_host = smart_host != NULL, .address = original };

	if (!read_address(&a, original) || is_ours(f, &a))
		return;
	route.destination = slice_of(smart_host != NULL ? smart_host :
	    a.domain);
	(void)hop_route_seal(out, &route, f->secret);
}

bool
forwards_on_check(const struct forwards *f, struct channel *ch,
    struct ipc_message *m)
{
	char original[ADDRESS_TEXT_MAX + 1];
	struct vault_srs_checked answer;
	struct vault_srs_check q;
	struct buf way_back = { 0 };
	struct ipc_writer w;
	struct address a;

	if (!get_vault_srs_check(&m->body, &q) ||
	    !read_address(&a, q.recipient))
		return false;
	if (f->secrets->srs.n == 0)
		return true;
	answer.result = srs_check(original, &a, &f->secrets->srs, today(),
	    f->config->srs.life_s / DAY_S);
	answer.original = slice_of(original);
	if (answer.result == SRS_VALID)
		seal_way_back(&way_back, f, &q, answer.original);
	answer.way_back = buf_slice(&way_back);
	ipc_writer_init(&w);
	put_vault_srs_checked(&w, &answer);
	(void)channel_answer(ch, m->id, VAULT_SRS_CHECKED, &w, -1);
	buf_free(&way_back);
	return true;
}
