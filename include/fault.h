/* SPDX-License-Identifier: ISC */
/*
 * fault.h - named points at which a test can make the world fail.
 *
 * Only a build with -DPOSTERN_FAULTS knows them (make FAULTS=1); otherwise
 * FAULT(name) is the constant 0 and nothing is left of it. A point stands
 * right before the system call or step that it is named after:
 *
 *	if ((error = FAULT("maildir.rename")) != 0)
 *		return -error;
 *	if (renameat2(...) < 0)
 *
 * What shall happen there is read from a file of slots that is mapped
 * shared before the sandbox closes, so that a test changes it at any time:
 * an errno, SIGKILL, or a pause; after so many passes, so many times, in one
 * role or in all. tests/faultctl.py writes the file. Its path is in the
 * environment variable POSTERN_FAULTS.
 */
#ifndef POSTERN_FAULT_H
#define POSTERN_FAULT_H

#include <stdbool.h>
#include <stdlib.h>

#ifdef POSTERN_FAULTS
/* Map the file, if the environment names one. Before the sandbox. */
void fault_open(const char *role);
/* What this process calls itself from now on (a forked worker). */
void fault_set_role(const char *role);
/* 0 or a positive errno to fail with; or does not return. */
int fault_point(const char *name);
#define FAULT_OPEN(role) fault_open(role)
#define FAULT_ROLE(role) fault_set_role(role)
#define FAULT(name) fault_point(name)
/* A step that can only be delayed or be the last one. */
#define FAULT_STEP(name) ((void)fault_point(name))
/* Whether the environment sets this switch. */
#define FAULT_ENV(name) (getenv(name) != NULL)
#else
#define FAULT_OPEN(role) ((void)0)
#define FAULT_ROLE(role) ((void)0)
#define FAULT(name) 0
#define FAULT_STEP(name) ((void)0)
#define FAULT_ENV(name) false
#endif

#endif
