/* SPDX-License-Identifier: ISC */
/*
 * status_text.h - what `posternctl status` prints. Pure.
 */
#ifndef CONTROL_STATUS_TEXT_H
#define CONTROL_STATUS_TEXT_H

#include "buf.h"
#include "scoreboards.h"

/*
 * Append the supervisor's lines (logfmt: first about the server, then one
 * for each compartment) and the sums of the boards, as a table or as one
 * JSON object.
 */
void status_text(struct buf *out, struct slice lines,
    const struct scoreboards *boards);
void status_json(struct buf *out, struct slice lines,
    const struct scoreboards *boards);

#endif
