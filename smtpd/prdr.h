/* SPDX-License-Identifier: ISC */
/*
 * prdr.h - each recipient's own reply after the data (DESIGN 7).
 *
 *	RCPT of who is there already --> prdr_repeat
 *	final dot --> prdr_begin --> prdr_note_failures ... --> prdr_reply
 */
#ifndef POSTERN_SMTPD_PRDR_H
#define POSTERN_SMTPD_PRDR_H

#include <stdbool.h>
#include <stdint.h>
#include "session_state.h"

struct outcome;
struct transaction;

/* A RCPT that names somebody once more. Places among the recipients: whom it
 * names, and before whom it stands. */
struct repeat {
	uint16_t of, before;
};

/* One more reply for who is at this place. 0 or -ENOMEM. */
int prdr_repeat(struct transaction *tx, uint16_t of);
/* May each recipient have its own reply? */
bool prdr_begin(struct transaction *tx);
/* Note failures of PREPARE or COMMIT; how many recipients are left. */
unsigned prdr_note_failures(struct transaction *tx,
    const struct outcome *outcome);
/* 353, each recipient's own reply, and the final one. */
enum step prdr_reply(struct session *s);

#endif
