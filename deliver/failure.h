/* SPDX-License-Identifier: ISC */
/*
 * failure.h - what a failed step of delivery is to the client (DESIGN 9).
 *
 * Texts never hold a local path: those go to the log, with the session.
 */
#ifndef DELIVER_FAILURE_H
#define DELIVER_FAILURE_H

#include <stdbool.h>
#include "verdict.h"

/* No answer from a worker: whatever it was doing may be done or not. */
#define FAILURE_UNKNOWN (-EINPROGRESS)
/* There is nobody to run programs as. */
#define FAILURE_NO_PROGRAMS (-ENOEXEC)
/* The message alone is larger than the mailbox may ever be. */
#define FAILURE_NEVER_FITS (-EFBIG)

/*
 * error is a negative errno or one of the above. True when the failure
 * belongs to that mailbox, so that other recipients need not wait for it.
 */
bool delivery_failure_verdict(struct verdict *v, int error, bool is_at_rcpt);

#endif
