/* SPDX-License-Identifier: ISC */
/*
 * status.c - relay's counters, for `posternctl relay` and `tls`.
 */
#include <unistd.h>
#include "clock.h"
#include "relay.h"
#include "sealed.h"

#define TLS_TEXT_MAX (16u << 20)	/* of all rows of a day, and more */

static unsigned
count_idle(const struct relay *r)
{
	unsigned n = 0;

	for (const struct connection *c = r->connections; c != NULL;
	    c = c->next)
		n += c->job == NULL;
	return n;
}

static unsigned
count_waiting(const struct relay *r)
{
	unsigned n = 0;

	for (const struct job *job = r->jobs; job != NULL; job = job->next)
		n += job->is_waiting;
	return n;
}

static void
put_status(struct buf *to, const struct relay *r)
{
	const struct relay_counts *n = &r->counts;

	(void)buf_printf(to, "jobs=%llu jobs_now=%zu jobs_waiting=%u "
	    "connections=%llu connections_now=%zu connections_idle=%u "
	    "reused=%llu delivered=%llu deferred=%llu refused=%llu "
	    "bad_hosts=%zu skipped=%llu dane_off=%llu",
	    (unsigned long long)n->jobs,
	    r->n_jobs, count_waiting(r), (unsigned long long)n->connections,
	    r->n_connections, count_idle(r), (unsigned long long)n->reused,
	    (unsigned long long)n->delivered,
	    (unsigned long long)n->deferred, (unsigned long long)n->refused,
	    penalties_count(r->penalties, loop_now_us(r->c.loop)),
	    (unsigned long long)n->hosts_skipped,
	    (unsigned long long)n->dane_off);
	(void)buf_printf(to, " probes=%llu probes_now=%zu probes_refused=%llu "
	    "probes_silent=%llu probes_kept=%llu probes_skipped=%llu",
	    (unsigned long long)n->probes, r->n_probes,
	    (unsigned long long)n->probes_refused,
	    (unsigned long long)n->probes_silent,
	    (unsigned long long)n->probes_kept,
	    (unsigned long long)n->probes_skipped);
	(void)buf_printf(to, " forwards_now=%zu forwards_asked=%llu "
	    "forwards_sent=%llu forwards_taken=%llu forwards_uncertain=%llu "
	    "forwards_skipped=%llu", r->n_forwards,
	    (unsigned long long)n->forwards_asked,
	    (unsigned long long)n->forwards_sent,
	    (unsigned long long)n->forwards_taken,
	    (unsigned long long)n->forwards_uncertain,
	    (unsigned long long)n->forwards_skipped);
	tls_report_put_sums(to, r->report);
}

bool
relay_on_status(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct relay *r = arg;
	struct buf line = { .maximum = 8192 };
	struct ipc_writer w;

	if (m->body.size != 0)
		return false;
	put_status(&line, r);
	ipc_writer_init(&w);
	ipc_put_slice(&w, buf_slice(&line));
	(void)channel_answer(ch, m->id, RELAY_STATUS, &w, -1);
	buf_free(&line);
	return true;
}

/* Who cannot be answered hears nothing: "it does not answer". */
bool
relay_on_tls(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct relay *r = arg;
	struct buf text = { .maximum = TLS_TEXT_MAX };
	uint8_t is_yesterday = ipc_get_u8(&m->body);
	int fd = -1;

	if (!ipc_reader_is_done(&m->body) || is_yesterday > 1)
		return false;
	if (tls_report_put_day(&text, r->report, clock_wall_s(),
	    is_yesterday) == 0)
		fd = sealed_of_text("tls", buf_slice(&text));
	if (fd >= 0) {
		(void)channel_answer(ch, m->id, RELAY_TLS, NULL, fd);
		close(fd);
	}
	buf_free(&text);
	return true;
}
