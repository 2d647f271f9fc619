/* SPDX-License-Identifier: ISC */
/*
 * requests.h - those of posternctl's requests that have a file of their own.
 *
 * Each answers now, or asks another compartment and answers in its
 * continuation (control.h).
 */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include "control.h"

#define STATUS_MS 3000		/* for one compartment of several */

/* queue.c: queue, show, hold, release, retry, remove, flush */
void request_queue(struct client *client);
/* status.c */
void request_status(struct client *client);
/* sent.c: what has left */
void request_sent(struct client *client);
/* relay_status.c: what relay has sent, and by which TLS */
void request_relay(struct client *client);
void request_tls(struct client *client);
/* dns.c: a name is looked up, `dns NAME TYPE` */
void request_dns(struct client *client);

#endif
