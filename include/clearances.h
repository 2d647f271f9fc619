/* SPDX-License-Identifier: ISC */
/*
 * clearances.h - store's word to a mailbox's worker, without a question.
 *
 * A copy may be moved into new/ once its delivery record is an INTENT and no
 * earlier attempt is known (ask.h). To have smtpd wait for that and then ask
 * deliver would leave the disk idle meanwhile. So smtpd sends both at once,
 * with one number, its clearance: store gives the clearance when the record
 * says INTENT, and the worker, whose file is written by then, looks for it
 * right before the rename. One that is not there in time costs nothing but
 * the way back: the file stays in tmp/, as after PREPARE.
 *
 * The board is a shared mapping that the supervisor holds: store writes it,
 * deliver and its workers can only read it, smtpd has no part in it. Numbers
 * are random, so that no smtpd can guess another's. What stands there is
 * never taken away: a number is used once.
 */
#ifndef POSTERN_CLEARANCES_H
#define POSTERN_CLEARANCES_H

#include <stdbool.h>
#include <stdint.h>

#define CLEARANCE_NONE 0	/* nothing is to be waited for */

/* The supervisor's: a board (sealed.h), or a negative errno. */
int clearances_create(void);
/*
 * This process's board; fd may be closed after it. With -1 there is none,
 * and no clearance. 0 or a negative errno.
 */
int clearances_map(int fd, bool is_giver);
void clearances_unmap(void);

/* In store. */
void clearances_give(uint64_t clearance);
/* In a worker: the record was written before this was. */
bool clearances_has(uint64_t clearance);

#endif
