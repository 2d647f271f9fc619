/* SPDX-License-Identifier: ISC */
/*
 * command_text.h - what posternctl is shown of the queue.
 */
#ifndef QUEUE_COMMAND_TEXT_H
#define QUEUE_COMMAND_TEXT_H

#include "queue.h"

/*
 * The queue as mailq shows it, oldest first: in the columns of Postfix,
 * which people and scripts know. filter is "", a destination, or a sender.
 * The end of it is in out, what comes before is written to fd. 0 or a
 * negative errno.
 */
int listing_write(struct buf *out, int fd, struct queue *q,
    struct slice filter);
/* The same of one account's messages; "" is everybody's. */
int listing_write_own(struct buf *out, int fd, struct queue *q,
    struct slice user);
/* All about one message, whose envelope is open. */
int show_write(struct buf *out, const struct queue *q,
    const struct queued *m);
/* "90", "30m", "2h", "3d": seconds. */
bool command_duration(struct slice text, uint32_t *seconds);

#endif
