/* SPDX-License-Identifier: ISC */
/*
 * signatures.h - how old clamd's signatures are.
 *
 * A clamd that is no longer fed (freshclam died, its disk is full) says OK to
 * whatever is new, and EICAR it still finds. The self-test has it asked:
 * older than signatures_age is an alarm, each time, and the age is a gauge
 * (SCOREBOARD_SIGNATURES_AGE_S). With on_old_signatures = tempfail its OK is
 * no answer then (settings.has_old_signatures, scan_step.c). While clamd does
 * not answer, its last word holds, and gets older.
 */
#ifndef POSTERN_SMTPD_SIGNATURES_H
#define POSTERN_SMTPD_SIGNATURES_H

#include <stdbool.h>

struct server;
struct signatures;

/*
 * answered is called after each answer, or its silence. NULL: nobody is to
 * be asked, or there is no memory.
 */
struct signatures *signatures_new(struct server *server,
    void (*answered)(void *arg), void *arg);
/* s may be NULL here. Nothing happens while a question is out. */
void signatures_ask(struct signatures *s);
bool signatures_are_asked(const struct signatures *s);

#endif
