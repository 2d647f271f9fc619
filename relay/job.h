/* SPDX-License-Identifier: ISC */
/*
 * job.h - one RELAY_SEND, or what a probe asks: from the question to its
 * answer; for this folder only.
 *
 *	hosts (and the MTA-STS policy) -> targets in their order
 *	    -> connect -> deliver -> answered
 *	       ^  next target: refused for now, lost before the end  |
 *	       +------------------------------------------------------+
 *
 * No target is left: who is OPEN gets the last host's words, temporary ones
 * if any host had them.
 */
#ifndef RELAY_JOB_H
#define RELAY_JOB_H

#include "circle.h"
#include "connection.h"
#include "connector.h"
#include "errand.h"
#include "job_hop.h"
#include "recipient_list.h"

#define JOB_TARGETS_MAX 12		/* addresses that are tried */
#define JOB_DESTINATION_MAX 320

struct job;
struct sts_policy;

/* Who wanted it: queue's messages (peers.c), a probe (probe.c), a client who
 * is still there (forward.c). answered and gone may be NULL. */
struct job_asker {
	/* A recipient is settled. */
	void (*told)(struct job *job, const struct errand_recipient *to);
	/* All of them are; is_host_bad: by no word of theirs. */
	void (*answered)(struct job *job, bool is_host_bad);
	/* It is freed, answered or not. */
	void (*gone)(struct job *job);
};

struct job_target {
	uint8_t host, address;
	bool is_plain;			/* TLS was tried, and failed */
};

struct job {
	struct job *next, *previous;
	struct relay *relay;
	const struct job_asker *asker;
	void *arg;			/* the asker's */
	uint32_t id, number;		/* of queue's question; of the job */
	int fd;				/* the message, or -1 */
	struct loop_timer deadline;
	char destination[JOB_DESTINATION_MAX];
	bool is_asked_for;
	struct job_hop hop;		/* where the configuration names it */
	bool has_more_time;		/* its end was sent in time */
	uint32_t rewriting;		/* vault's question; 0: none */
	struct channel *rewriter;	/* which vault's */
	int64_t rewriting_until_us;
	struct circle circle;
	uint16_t port;
	struct errand errand;
	struct recipient_list *list;	/* owns the recipients */
	/* where it goes */
	struct hosts hosts;
	struct sts_policy *sts;		/* NULL: none */
	struct verdict sts_unknown;	/* code 0: it is known */
	unsigned n_waits;		/* hosts, policy */
	bool waits_for_sts;
	struct job_target targets[JOB_TARGETS_MAX];
	unsigned n_targets, next_target;
	/* how it goes */
	struct connector connector;
	bool is_connecting, is_waiting;	/* ... for a place at its target */
	unsigned connecting;		/* the target of its first address */
	struct net_address idle_at;	/* of an idle connection */
	struct security security;
	struct connection *connection;	/* NULL: none */
	char remote[DNS_NAME_MAX + INET6_ADDRSTRLEN + 3];
	char tls[128];
	struct verdict failure;
	enum relay_stage failure_stage;
	bool has_reached_host, was_refused;	/* for now, at idle_at */
	uint32_t delay_s;
};

/* Takes list and fd over. NULL without memory (list and fd are then gone
 * too, and nobody was told). The caller calls job_begin. */
struct job *job_new(struct relay *relay, const struct relay_send *send,
    struct recipient_list *list, int fd, const struct job_asker *asker);
/* It may take so long. May answer, and free it, from within. */
void job_begin(struct job *job, uint32_t limit_ms);
/* Nobody waits for it: connections are closed where they are. */
void job_abandon(struct job *job);
/* It is not wanted any more. Where the end of the message has been sent it
 * goes on; else all who are OPEN hear why, and it is freed. */
void job_cancel(struct job *job, const struct verdict *why);
/* It goes on with the next one. May answer, and free it. */
void job_next_target(struct job *job);

/* ---- for connections ---- */
struct errand *job_errand(struct job *job);
/* Tell what is settled; c: the connection under way, or NULL. */
void job_report(struct job *job, const struct connection *c);
void job_host_is_good(struct job *job);
/* The delivery has ended; why has code 0, or what OPEN ones are told. */
void job_delivered(struct job *job, enum relay_stage stage,
    const struct verdict *why);
void job_connection_over(struct job *job, const struct connection_end *end);

/* ---- job_security.c ---- */
/* What a connection to it must prove. False: it must not be used, and why. */
bool job_secure(struct job *job, struct host *host, struct security *s,
    struct verdict *why);
/* Resolver has found that it cannot validate: said once an hour. */
void job_note_dane(struct job *job);

#endif
