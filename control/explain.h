/* SPDX-License-Identifier: ISC */
/*
 * explain.h - `posternctl explain`: all checks, without mail.
 *
 * The facts of a client and a message that were named are judged by policy,
 * stage by stage, and what it wants is asked for as smtpd would ask, but for
 * the greylist: that is only looked at. The answer has each finding and each
 * fact with its time.
 */
#ifndef CONTROL_EXPLAIN_H
#define CONTROL_EXPLAIN_H

#include "control.h"

struct explain;

/* client->words: explain ip=... helo=... from=... to=... [json]; the message
 * is client->passed_fd, or -1. */
void request_explain(struct client *client);
/* The client is gone, or answered: forget what is out. */
void explain_free(struct explain **explain);

/* ---- explain_text.c ---- */
struct explained {		/* one fact that was asked for */
	const struct fact *fact;
	struct slice value;
	int64_t took_us;
};
void explain_put_fact(struct buf *out, const struct explained *fact,
    bool is_json);
void explain_put_finding(struct buf *out, const char *stage,
    const struct finding *f, bool is_json);
void explain_put_end(struct buf *out, const char *stage,
    const struct finding *f, const char *left_out, bool is_json);

#endif
