/* SPDX-License-Identifier: ISC */
/*
 * status_text.h - what `posternctl status` prints. Pure.
 */
#ifndef CONTROL_STATUS_TEXT_H
#define CONTROL_STATUS_TEXT_H

#include <stdbool.h>
#include "buf.h"
#include "scoreboards.h"

/*
 * What all smtpd have of it together: the sum; of the signatures' age the
 * greatest. False: nobody knows that age.
 */
bool status_counter(const struct scoreboards *boards,
    enum scoreboard_counter counter, unsigned long long *value);
/*
 * Append the supervisor's lines (logfmt: first about the server, then one
 * for each compartment), the sums of the boards and the resolver's line
 * (empty: it does not answer), as a table or as one JSON object. What store,
 * queue and relay count follows: a line of logfmt each, or "" when it was
 * silent. A prefix stands before each key of the table.
 */
void status_text(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards);
void status_text_more(struct buf *out, const char *name, const char *prefix,
    struct slice line);
void status_json(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards);
void status_json_more(struct buf *out, const char *name, struct slice line);
void status_json_end(struct buf *out);
/* The same in the text format of Prometheus. */
void status_prometheus(struct buf *out, struct slice lines,
    struct slice resolver, const struct scoreboards *boards);
void status_prometheus_more(struct buf *out, const char *name,
    struct slice line);

#endif
