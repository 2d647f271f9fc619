/* SPDX-License-Identifier: ISC */
/*
 * See filters.h.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "filters.h"
#include "milters.h"
#include "scanner.h"
#include "socket_name.h"

struct filters {
	struct compartment *c;
	char session[ASK_SESSION_MAX];
	filters_answered_fn *answered;
	void *arg;
	struct milters *milters;
	struct scanner *scanner;
	uint32_t id;			/* of the question that is out */
	uint32_t last_id;
	enum question_kind kind;
	int64_t asked_us;
	char local_ip[INET6_ADDRSTRLEN];
};

struct filters *
filters_new(struct compartment *c, const char *session,
    filters_answered_fn *answered, void *arg)
{
	struct filters *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->c = c;
	f->answered = answered;
	f->arg = arg;
	slice_copy(f->session, sizeof(f->session), slice_of(session));
	return f;
}

void
filters_free(struct filters **fp)
{
	struct filters *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	milters_free(&f->milters);
	scanner_free(&f->scanner);
	free(f);
}

/* ---- answers ---- */

static void
filters_answer(struct filters *f, struct answer *a)
{
	uint32_t id = f->id;

	f->id = 0;
	a->is_known = true;
	a->took_us = (uint32_t)(clock_monotonic_us() - f->asked_us);
	f->answered(id, a, f->arg);
	if (a->fd >= 0)
		close(a->fd);
}

static void
on_milters(struct milters_answer *answer, int fd, void *arg)
{
	static struct answer a;		/* large */

	a.as.milters = *answer;
	a.fd = fd;
	filters_answer(arg, &a);
	milter_changes_free(&a.as.milters.changes);
}

static void
on_scan(const struct scan_answer *answer, void *arg)
{
	static struct answer a;

	a.as.scan = *answer;
	a.fd = -1;
	filters_answer(arg, &a);
}

/* ---- questions ---- */

/* What only the connection knows. */
static void
add_socket_facts(struct filters *f, struct milter_facts *facts, int socket)
{
	char ip[INET6_ADDRSTRLEN];

	if (socket < 0)
		return;
	facts->client_port = socket_peer_name(ip, socket);
	facts->local_port = socket_local_name(f->local_ip, socket);
	facts->local_ip = slice_of(f->local_ip);
}

static bool
ask_milters(struct filters *f, const struct question *q, int socket)
{
	struct milters_ask ask = *q->as.milters;

	if (f->milters == NULL)
		f->milters = milters_new(f->c, f->session, on_milters, f);
	if (f->milters == NULL)
		return false;
	add_socket_facts(f, &ask.facts, socket);
	milters_ask(f->milters, &ask, q->fd, q->deadline_ms);
	return true;
}

static bool
ask_scanner(struct filters *f, const struct question *q)
{
	if (f->scanner == NULL)
		f->scanner = scanner_new(f->c, f->session, on_scan, f);
	if (f->scanner == NULL)
		return false;
	scanner_ask(f->scanner, q->fd, q->as.scan.size_bytes,
	    q->deadline_ms);
	return true;
}

uint32_t
filters_ask(struct filters *f, const struct question *q, int socket)
{
	bool is_asked;

	if (f == NULL || f->id != 0)
		return 0;
	f->asked_us = clock_monotonic_us();
	f->kind = q->kind;
	is_asked = q->kind == QUESTION_SCAN ? ask_scanner(f, q) :
	    ask_milters(f, q, socket);
	if (!is_asked)
		return 0;
	f->last_id = (f->last_id + 1) & ~FILTERS_ID;
	f->id = f->last_id | FILTERS_ID;
	return f->id;
}

bool
filters_forget(struct filters *f, uint32_t id)
{
	if ((id & FILTERS_ID) == 0)
		return false;
	if (f == NULL || id != f->id)
		return true;
	f->id = 0;
	if (f->kind == QUESTION_SCAN)
		scanner_forget(f->scanner);
	else
		milters_forget(f->milters);
	return true;
}

void
filters_end_transaction(struct filters *f)
{
	if (f != NULL && f->milters != NULL)
		milters_end_transaction(f->milters);
}
