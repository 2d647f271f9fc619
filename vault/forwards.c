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

/* Addresses of others into domains of ours, and nothing else. */
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
	char made[ADDRESS_TEXT_MAX + 1];
	struct ipc_writer w;
	struct vault_srs q;
	struct address a;
	struct srs_sender sender = { .address = &a };

	if (!get_vault_srs(&m->body, &q) || !may_be_made(f, &q, &a))
		return false;
	if (f->secrets->srs.n == 0)
		return true;
	sender.is_authenticated = q.is_authenticated;
	(void)srs_make(made, &sender, q.domain, &f->secrets->srs, today());
	ipc_writer_init(&w);
	put_vault_srs_made(&w, slice_of(made));
	(void)channel_answer(ch, m->id, VAULT_SRS_MADE, &w, -1);
	return true;
}

bool
forwards_on_check(const struct forwards *f, struct channel *ch,
    struct ipc_message *m)
{
	char original[ADDRESS_TEXT_MAX + 1];
	struct vault_srs_checked answer;
	struct vault_srs_check q;
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
	ipc_writer_init(&w);
	put_vault_srs_checked(&w, &answer);
	(void)channel_answer(ch, m->id, VAULT_SRS_CHECKED, &w, -1);
	return true;
}
