/* SPDX-License-Identifier: ISC */
/*
 * connector.h - a TCP connection to the first of two addresses that takes
 * it (RFC 8305, short), for this folder only. The second one is begun when
 * the first has failed, or has not answered for a quarter of a second.
 */
#ifndef RELAY_CONNECTOR_H
#define RELAY_CONNECTOR_H

#include "net_address.h"
#include "loop.h"

#define CONNECTOR_HEAD_START_MS 250

struct connector;

/*
 * fd is connected and the caller's, or a negative errno: a shortage of ours,
 * or that of the last failure.
 * which: the address, 0 or 1. Called once.
 */
typedef void connector_done_fn(void *arg, int fd, unsigned which);

struct connector_try {
	struct connector *connector;
	struct loop_io io;
	int fd;				/* -1: not under way */
};

struct connector {			/* zeroed before first use */
	struct loop *loop;
	struct net_address addresses[2];
	unsigned n, n_begun, n_failed;
	struct net_address source_v4, source_v6;
	uint16_t port;
	struct connector_try tries[2];
	struct loop_timer head_start, limit, soon;
	int error;			/* 0: none has failed */
	connector_done_fn *done;
	void *arg;
};

/* loop, addresses, n, port, sources, done and arg are set. Never calls done
 * from within. */
void connector_start(struct connector *c, uint32_t timeout_ms);
/* done is not called any more. Safe to repeat. */
void connector_stop(struct connector *c);
/* Descriptors or memory, here: it says nothing of the other side. */
bool connector_is_shortage(int error);

#endif
