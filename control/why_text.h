/* SPDX-License-Identifier: ISC */
/*
 * why_text.h - the trail of a session in plain words. Pure.
 */
#ifndef CONTROL_WHY_TEXT_H
#define CONTROL_WHY_TEXT_H

#include "buf.h"

/*
 * Append an account of these lines (trail.h) to out. number 0: all of the
 * session; else that refusal with the facts of its session. False when it
 * is not among them. No control octet of a value reaches out.
 */
bool why_text(struct buf *out, struct slice lines, unsigned number);

#endif
