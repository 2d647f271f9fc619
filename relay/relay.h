/* SPDX-License-Identifier: ISC */
/*
 * relay.h - what relay owns, for this folder only.
 *
 *	job		one RELAY_SEND: hosts, targets in their order, results
 *	probe		one RELAY_PROBE: kept replies, limits, else a job
 *	forward		one HOP_RCPT or HOP_SEND: a job of smtpd's
 *	connection	one socket with its dialogue; of a job, or idle
 *	penalties	hosts that were bad, and until when
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "ask.h"
#include "connection.h"
#include "hosts.h"
#include "job.h"
#include "penalties.h"
#include "probe_cache.h"
#include "probe_limits.h"
#include "tls_report.h"

#define RELAY_JOBS_MAX 2000
#define RELAY_PROBES_MAX 100		/* at a time; not among the jobs */
#define RELAY_FORWARDS_MAX 2000		/* at a time; not among the jobs */
#define RELAY_FORWARDS_PER_HOP 200
#define RELAY_CONNECTIONS_MAX 1000
#define RELAY_CONNECTIONS_PER_HOST 20
#define RELAY_IDLE_MS 5000
#define RELAY_MESSAGES_PER_CONNECTION 100

struct sts;

struct relay_settings {
	struct hosts_settings hosts;
	const char *hostname;
	enum config_relay_tls tls;
	char *smart_host_user;		/* NULL: no AUTH */
	char *smart_host_password;	/* NULL: there is none, mail waits */
	uint32_t connect_ms, command_ms, data_ms, end_ms;
	struct net_address source_v4, source_v6;	/* family 0: any */
};

struct relay_counts {
	uint64_t jobs, connections, reused, delivered, deferred, refused;
	uint64_t hosts_skipped, dane_off;
	/* refused: of those that were asked; skipped: not asked at all */
	uint64_t probes, probes_refused, probes_silent, probes_kept;
	uint64_t probes_skipped;
	/* asked: at RCPT; silent: no answer; uncertain: after the end of the
	 * message */
	uint64_t forwards_asked, forwards_sent, forwards_taken;
	uint64_t forwards_uncertain, forwards_skipped;
};

struct forward_peer;

struct relay {
	struct compartment c;
	struct relay_settings settings;
	struct own_addresses *own;
	struct tls_client *tls;
	struct sts *sts;
	struct channel *queue, *resolver, *store, *control, *vault;
	struct job *jobs;		/* with those of probes, forwards */
	size_t n_jobs, n_probes, n_forwards;
	struct forward_peer *forward_peers;	/* each an smtpd */
	struct probe_cache *probe_cache;
	struct probe_limits *probe_limits;
	struct recipient_list *told;	/* of a job, until its SEND; or NULL */
	struct connection *connections;
	size_t n_connections;
	struct penalties *penalties;
	struct relay_counts counts;
	int64_t dane_warned_us;
	struct tls_report *report;
	struct loop_timer wake;		/* those that wait for a place */
	struct loop_timer shortage;	/* when it may be over */
	bool is_stopping;
	bool is_draining;		/* there is a successor */
	struct loop_timer rest;		/* since the last job, then */
};

/* ---- relay.c ---- */
/* A job has ended. */
void relay_job_gone(struct relay *r);

/* ---- settings.c: before the sandbox; fatal() if it cannot be used ---- */
void relay_settings_read(struct relay *r);

/* ---- status.c ---- */
/* RELAY_STATUS, RELAY_TLS: control's questions. */
bool relay_on_status(struct channel *ch, struct ipc_message *m, void *arg);
bool relay_on_tls(struct channel *ch, struct ipc_message *m, void *arg);

/* ---- peers.c ---- */
void relay_on_peer(struct compartment *c, enum role role, uint16_t index,
    int fd);

/* ---- forward.c ---- */
/* An smtpd's channel: takes fd over. */
void relay_add_forward_peer(struct relay *r, uint16_t index, int fd);

/* ---- probe.c ---- */
/* RELAY_PROBE: queue's question. */
bool relay_on_probe(struct channel *ch, struct ipc_message *m, void *arg);

/* ---- home.c ---- */
/* RELAY_HOME: queue's question. */
bool relay_on_home(struct channel *ch, struct ipc_message *m, void *arg);

#endif
