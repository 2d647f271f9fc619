/* SPDX-License-Identifier: ISC */
/*
 * job_hop.h - the part of a job whose destination the configuration names
 * (next_hop.h): no MX is looked up, one host is all that there is. For this
 * folder only.
 *
 * A unix socket is a host with one address of family AF_UNIX, which holds
 * the number of the domain whose next hop it is: by that number the
 * supervisor opens it, so that relay reaches no socket that the
 * configuration does not name.
 */
#ifndef RELAY_JOB_HOP_H
#define RELAY_JOB_HOP_H

#include "ask_hop.h"
#include "loop.h"
#include "next_hop.h"

struct job;

struct job_hop {			/* zeroed */
	struct next_hop where;
	const struct config_domain *fronted;	/* whose it is; or NULL */
	uint32_t opening;		/* of a unix socket; 0: none */
	struct loop_timer limit;
};

/* Where it is. May free the job. */
void job_look_up_hop(struct job *job);
/* The same of "[192.0.2.1]", which is a domain (RFC 5321 4.1.3). */
void job_look_up_literal(struct job *job);
/* Of a unix socket; job_connected is told, perhaps from within. */
void job_open_local(struct job *job);
/* It is not told any more. Safe to repeat. */
void job_local_forget(struct job *job);

/* ---- job.c, for job_hop.c; each may free the job ---- */
/* job->hosts is filled in, or has its verdict. */
void job_hosts_known(struct job *job);
/* It is no domain, and no host. */
void job_no_such_destination(struct job *job);
/* Nothing can be tried. */
void job_fail(struct job *job, enum relay_stage stage,
    const struct verdict *why);
/* A connector_done_fn. */
void job_connected(void *arg, int fd, unsigned which);

#endif
