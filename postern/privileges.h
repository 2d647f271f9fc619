/* SPDX-License-Identifier: ISC */
/*
 * privileges.h - what root must be able to do for the compartments.
 */
#ifndef POSTERN_PRIVILEGES_H
#define POSTERN_PRIVILEGES_H

/* Of root: fatal() with the capabilities that it lacks, as in a container. */
void privileges_check(void);

#endif
