/* SPDX-License-Identifier: ISC */
/*
 * job_wait.h - jobs that cannot connect yet, for this folder only. They go on
 * with job_next_target.
 */
#ifndef RELAY_JOB_WAIT_H
#define RELAY_JOB_WAIT_H

#include "job.h"

/* Whether there are as many connections as there may be, to it or at all. */
bool job_is_full(const struct job *job, const struct net_address *address);
/* Until jobs_wake; a probe is answered. */
void job_wait_for_place(struct job *job);
/* There is not what it takes for a connection, a negative errno: once more in
 * a second, or when a connection has ended. A probe is answered. */
void job_wait_out_shortage(struct job *job, int error);
/* Whether that was the last word of the connector, and what is said then. */
bool job_is_short(const struct job *job);
void job_say_shortage(const struct job *job, struct verdict *v);
/* There may be room for those that wait. In the next round. */
void jobs_wake(struct relay *relay);

#endif
