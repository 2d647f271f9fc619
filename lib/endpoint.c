/* SPDX-License-Identifier: ISC */
/*
 * endpoint.c - see endpoint.h. What is out is kept in a short list, because
 * the answer brings one pointer only.
 *
 *	ask -> opened
 *	 ^  \-> EAGAIN: wait --+
 *	 +---------------------+
 *
 * A unix socket whose queue of connections is full says EAGAIN: one that is
 * busy is not one that is down, so it is tried again for as long as the
 * owner has time.
 */
#include <errno.h>
#include <stdlib.h>
#include "ask.h"
#include "endpoint.h"
#include "loop.h"

#define ENDPOINT_DEADLINE_MS 5000
#define AGAIN_MS 100		/* doubled, but not more often than this */
#define AGAIN_DOUBLED_MAX 4

struct opening {
	struct compartment *c;
	unsigned index;
	endpoint_opened_fn *opened;
	void *arg;
	uint32_t id;
	uint32_t asked;			/* of the supervisor; 0: it waits */
	struct loop_timer again;
	unsigned n_again;
	struct opening *next;
};

static struct opening *openings;
static uint32_t last_id;

static bool opening_ask(struct opening *o);

static void
opening_remove(struct opening *o)
{
	struct opening **at = &openings;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	loop_timer_stop(o->c->loop, &o->again);
	free(o);
}

/* The owner may forget others, or open anew, from within. */
static void
opening_end(struct opening *o, int fd)
{
	endpoint_opened_fn *opened = o->opened;
	void *arg = o->arg;

	opening_remove(o);
	opened(fd, arg);
}

/* What the supervisor says is read like anybody else's word. */
static int
read_answer(struct ipc_message *m)
{
	uint32_t error;
	int fd;

	if (m == NULL)
		return -ETIMEDOUT;
	error = ipc_get_u32(&m->body);
	if (m->type != ENDPOINT_ANSWER || !ipc_reader_is_done(&m->body) ||
	    (error == 0) != (m->fd >= 0) || error > 4095)
		return -EPROTO;
	if (error != 0)
		return -(int)error;
	fd = m->fd;
	m->fd = -1;
	return fd;
}

static void
on_again(struct loop_timer *timer, void *arg)
{
	struct opening *o = arg;

	(void)timer;
	if (!opening_ask(o))
		opening_end(o, -ENOBUFS);
}

static void
on_opened(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct opening *o = arg;
	int fd = read_answer(m);

	(void)ch;
	o->asked = 0;
	if (fd != -EAGAIN) {
		opening_end(o, fd);
		return;
	}
	loop_timer_start(o->c->loop, &o->again, AGAIN_MS << o->n_again,
	    on_again, o);
	if (o->n_again < AGAIN_DOUBLED_MAX)
		o->n_again++;
}

static bool
opening_ask(struct opening *o)
{
	struct ipc_writer w;

	if (o->c->supervisor == NULL)
		return false;
	ipc_writer_init(&w);
	ipc_put_u16(&w, (uint16_t)o->index);
	o->asked = channel_ask(o->c->supervisor, ENDPOINT_ASK, &w, -1,
	    ENDPOINT_DEADLINE_MS, on_opened, o);
	return o->asked != 0;
}

uint32_t
endpoint_open(struct compartment *c, unsigned index,
    endpoint_opened_fn *opened, void *arg)
{
	struct opening *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return 0;
	o->c = c;
	o->index = index;
	o->opened = opened;
	o->arg = arg;
	if (!opening_ask(o)) {
		free(o);
		return 0;
	}
	if (++last_id == 0)
		last_id = 1;
	o->id = last_id;
	o->next = openings;
	openings = o;
	return o->id;
}

void
endpoint_forget(struct compartment *c, uint32_t id)
{
	struct opening *o = openings;

	while (o != NULL && o->id != id)
		o = o->next;
	if (o == NULL)
		return;
	if (o->asked != 0 && c->supervisor != NULL)
		channel_forget(c->supervisor, o->asked);
	opening_remove(o);
}
