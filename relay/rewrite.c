/* SPDX-License-Identifier: ISC */
/*
 * rewrite.c - see rewrite.h.
 */
#include <stdlib.h>
#include "relay.h"
#include "rewrite.h"

#define VAULT_MS 5000

static void
fail(struct job *job, bool is_known)
{
	struct verdict v;

	if (is_known)
		verdict_set(&v, 553, 1, 7, "this address forwards, and the "
		    "sender's cannot be rewritten for that");
	else
		verdict_set(&v, 451, 3, 0, "vault does not rewrite the "
		    "reverse-path now");
	job_fail(job, is_known ? RELAY_AT_MAIL : RELAY_AT_DNS, &v);
}

/* Who asked does not wait longer because vault was slow. */
static uint32_t
limit_left_ms(const struct job *job)
{
	int64_t left_us = job->rewriting_until_us -
	    loop_now_us(job->relay->c.loop);

	return left_us > 1000 ? (uint32_t)(left_us / 1000) : 1;
}

static void
on_made(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct job *job = arg;
	struct slice made;
	char *path;

	(void)ch;
	job->rewriting = 0;
	if (m == NULL || m->type != VAULT_SRS_MADE ||
	    !get_vault_srs_made(&m->body, &made)) {
		fail(job, false);
		return;
	}
	if (made.size == 0) {
		fail(job, true);
		return;
	}
	path = slice_strdup(made);
	if (path == NULL) {
		fail(job, false);
		return;
	}
	free(job->errand.reverse_path);
	job->errand.reverse_path = path;
	circle_begin(job, limit_left_ms(job));
}

void
rewrite_begin(struct job *job, const struct rewrite *how, uint32_t limit_ms)
{
	struct relay *r = job->relay;
	const struct vault_srs q = {
		.reverse_path = slice_of(job->errand.reverse_path),
		.domain = how->domain,
		.is_authenticated = how->is_authenticated };
	struct ipc_writer w;

	if (q.domain.size == 0 || q.reverse_path.size == 0) {
		circle_begin(job, limit_ms);
		return;
	}
	job->rewriting_until_us = loop_now_us(r->c.loop) +
	    limit_ms * INT64_C(1000);
	ipc_writer_init(&w);
	put_vault_srs(&w, &q);
	job->rewriter = r->vault;
	if (r->vault != NULL)
		job->rewriting = channel_ask(r->vault, VAULT_SRS, &w, -1,
		    VAULT_MS, on_made, job);
	if (job->rewriting == 0)
		fail(job, false);
}

void
rewrite_forget(struct job *job)
{
	if (job->rewriting != 0)
		channel_forget(job->rewriter, job->rewriting);
	job->rewriting = 0;
}
