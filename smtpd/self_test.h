/* SPDX-License-Identifier: ISC */
/*
 * self_test.h - smtpd tries whether it still filters (DESIGN 9).
 *
 * At start and every ten minutes it connects to itself through a socketpair
 * and says, as any client could: a recipient elsewhere, a recipient here
 * that does not exist, a message that smuggles commands, and, where there is
 * a scanner, one with the EICAR test virus. Where our own users send mail it
 * first tries to without a login. Only a 250 is a failure. What
 * has failed is answered 451 from then on, and an alarm is raised, until a
 * later test passes: running but not filtering is not running.
 *
 *	self_test_start -> (first test) first_done -> ... every 10 min ...
 *
 * The session is a real one but for these: it is not in limits, counters,
 * trail and log; policy and milters are not asked; a reserved recipient is
 * discarded. Where bare LFs are forgiven, its message is refused for its bare
 * CRs and NUL.
 * At each test clamd is asked how old its signatures are, too: signatures.h.
 * What could not be tried (MAIL was refused, say) is as it was before, and
 * is logged.
 */
#ifndef POSTERN_SMTPD_SELF_TEST_H
#define POSTERN_SMTPD_SELF_TEST_H

#include <stdbool.h>
#include "session_host.h"

#define SELF_TEST_IP "127.0.0.1"
#define SELF_TEST_DOMAIN "self-test.invalid"	/* RFC 2606 */
#define SELF_TEST_LOCAL "discard"		/* the reserved recipient */
#define SELF_TEST_FIRST_MS 5000		/* first_done comes by then */

struct self_test;
struct server;

/* NULL without memory. first_done is called once, with arg. */
struct self_test *self_test_start(struct server *server,
    void (*first_done)(void *arg), void *arg);

/* Is this recipient of a self-test's session the reserved one? */
struct address;
bool self_test_is_reserved(const struct address *rcpt);

#endif
