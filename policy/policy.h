/* SPDX-License-Identifier: ISC */
/*
 * policy.h - what must be read from disk before the sandbox closes.
 */
#ifndef POSTERN_POLICY_POLICY_H
#define POSTERN_POLICY_POLICY_H

/* Libraries load what they need: one call for each, in warm_up.c. */
void policy_warm_up(void);

#endif
