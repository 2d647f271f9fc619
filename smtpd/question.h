/* SPDX-License-Identifier: ISC */
/*
 * question.h - what a session asks and tells the other compartments.
 *
 * The session core speaks of questions and answers only; peers.c puts them
 * on channels, tests answer them themselves. A question has at most one
 * answer, delivered through session_answer; one that cannot be asked, whose
 * deadline passes or whose peer dies is answered "unknown". Everything a
 * question points to is the asker's and need not outlive the call.
 */
#ifndef POSTERN_SMTPD_QUESTION_H
#define POSTERN_SMTPD_QUESTION_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "filter_question.h"
#include "question_kind.h"

/* Entries of a delivery record; n 0 means all of them. */
struct entry_list {
	uint64_t transaction;
	uint16_t n;
	const uint16_t *entries;
};

/* Facts in put_facts' form; all but the last part go ahead, as JUDGE_MORE. */
struct judge_question {
	enum judge_stage stage;
	uint64_t message_bytes;
	const struct slice *parts;
	size_t n_parts;
	uint32_t set;			/* peers.c numbers it */
};

/* One exchange with auth, the same for all of its steps. */
struct auth_question {
	struct auth_step step;
	uint16_t process;		/* peers.c chooses it at the first */
};

struct question {
	enum question_kind kind;
	uint32_t deadline_ms;
	int fd;				/* -1, or lent */
	union {
		const struct route_ask *route;
		const struct probe_ask *probe;
		const struct failure *failure;
		const struct proof_ask *proof;	/* and TAKE */
		const struct vault_trace *trace_check;
		const struct vault_srs_check *srs_check;
		const struct prepare_ask *prepare;	/* and DELIVER */
		const struct record_begin *records;	/* and BEGIN */
		struct judge_question *judge;
		const struct dns_ask *dns;
		const struct grey_ask *grey;
		const struct seen_ask *seen;
		struct entry_list list;	/* WITHDRAW, DONE, DONE_NOW */
		struct release_ask release;
		const struct milters_ask *milters;
		struct scan_ask scan;
		const struct may_ask *may;
		const struct queue_prepare *queue;	/* and LISTS */
		const struct queue_own *own;
		const struct queue_recipient *queue_recipient;
		const struct queue_members *queue_members;
		const struct queue_probe *hop;
		const struct hop_rcpt *hop_rcpt;
		const struct hop_recipient *hop_recipient;
		const struct hop_send *hop_send;
		const struct program_ask *program;
		struct slice octets;	/* TRACE, TAG_CHECK */
		const struct vault_dkim *dkim;
		struct auth_question *auth_step;	/* and FORGET */
		const struct auth_peer *auth_peer;
		uint64_t transaction;	/* of those that say no more */
	} as;
};

struct answer {
	bool is_known;		/* false: nothing else holds */
	int fd;			/* -1, or the handler's if it sets this to -1 */
	uint32_t took_us;
	union {
		struct route_answer route;
		struct verdict verdict;
		struct probe_answer probe;
		struct outcome outcome;
		struct record_states states;
		struct judge_answer judge;
		struct slice octets;	/* DNS: put_dns_answer's form; TRACE */
		enum may_answer may;
		bool is_ok;		/* QUEUE_OWN, TRACE_CHECK */
		struct queue_prepared queued;
		struct hop_reply hop;
		struct hop_sent hop_sent;
		struct program_answer program;
		struct vault_dkim_signed dkim;
		struct vault_tag_checked tag;
		struct vault_srs_checked srs;
		struct proof_answer proof;
		struct auth_answer auth;
		struct grey_answer grey;
		struct seen_answer seen;
		struct milters_answer milters;
		struct scan_answer scan;
	} as;
};

/* Known or not; what it holds is for the caller to set, if he may: all of it
 * is large, and this is for every question. */
void answer_init(struct answer *a, bool is_known);

#endif
