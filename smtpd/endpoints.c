/* SPDX-License-Identifier: ISC */
/*
 * See endpoints.h. What is out is kept in a short list, because the answer
 * brings one pointer only.
 */
#include <errno.h>
#include <stdlib.h>
#include "ask.h"
#include "endpoints.h"

#define ENDPOINT_DEADLINE_MS 5000

struct opening {
	endpoint_opened_fn *opened;
	void *arg;
	uint32_t id;
	struct opening *next;
};

static struct opening *openings;

static void
opening_remove(struct opening *o)
{
	struct opening **at = &openings;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
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
on_opened(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct opening o = *(struct opening *)arg;

	(void)ch;
	opening_remove(arg);
	o.opened(read_answer(m), o.arg);
}

uint32_t
endpoint_open(struct compartment *c, unsigned index,
    endpoint_opened_fn *opened, void *arg)
{
	struct opening *o;
	struct ipc_writer w;

	if (c->supervisor == NULL)
		return 0;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return 0;
	ipc_writer_init(&w);
	ipc_put_u16(&w, (uint16_t)index);
	o->opened = opened;
	o->arg = arg;
	o->id = channel_ask(c->supervisor, ENDPOINT_ASK, &w, -1,
	    ENDPOINT_DEADLINE_MS, on_opened, o);
	if (o->id == 0) {
		free(o);
		return 0;
	}
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
	if (c->supervisor != NULL)
		channel_forget(c->supervisor, id);
	opening_remove(o);
}
