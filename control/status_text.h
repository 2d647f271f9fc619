/* SPDX-License-Identifier: ISC */
/*
 * status_text.h - what `posternctl status` prints. Pure.
 */
#ifndef CONTROL_STATUS_TEXT_H
#define CONTROL_STATUS_TEXT_H

#include "buf.h"
#include "scoreboard.h"

/*
 * Append the supervisor's lines (logfmt: first about the server, then one
 * for each compartment), the sums of the boards and the resolver's line
 * (empty: it does not answer), as a table or as one JSON object. What store
 * counts follows: one line of logfmt, or "" when it was silent; it ends the
 * JSON object.
 */
void status_text(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards);
void status_text_store(struct buf *out, struct slice line);
void status_json(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards);
void status_json_store(struct buf *out, struct slice line);

#endif
