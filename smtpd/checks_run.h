/* SPDX-License-Identifier: ISC */
/*
 * checks_run.h - the state behind checks.h, for checks*.c only.
 */
#ifndef POSTERN_SMTPD_CHECKS_RUN_H
#define POSTERN_SMTPD_CHECKS_RUN_H

#include "checks.h"
#include "facts.h"
#include "judge.h"

struct check_run {
	bool is_running;
	enum judge_stage stage;
	finish_fn *then;		/* NULL: nobody waits for it */
	bool is_whole;			/* of HELO: waited for to its end */
	unsigned rounds;
	int64_t began_us;
	uint32_t judging;		/* the question to policy, or 0 */
	struct facts asked;		/* its wanted are being asked for */
	uint32_t *out;			/* one id for each, 0: answered */
	size_t n_out;
	/* complete: only its notes are not written yet */
	struct judgement *judgement;
};

struct checks {
	/* of the connection; of the transaction; of this one RCPT */
	struct facts connection, transaction, own;
	/* what store shall note if the message is accepted; NUL at the end
	 * of each */
	struct buf if_accepted;
	/* what was asked at HELO, and since MAIL, for the trail */
	struct buf asked_ahead, asked;
	struct check_run run;
	uint64_t claimed_for;		/* transaction that store holds claims
					 * of; 0: none */
	proof_taken_fn *after_take;	/* while store spends proofs */
	/* what waits for the HELO run: its stage, and what follows that */
	enum judge_stage next_stage;
	finish_fn *next_then;
};

/* Where facts that are answered now belong (checks_facts.c). */
struct facts *checks_set(struct checks *c);
int checks_tell_connection(struct session *s);
int checks_tell_sender(struct session *s, const struct address *sender);
int checks_tell_recipient(struct session *s, bool is_exempt);
/* Ask for it. The id, or 0: nobody can answer. */
uint32_t checks_ask(struct session *s, const struct fact *wanted,
    uint32_t deadline_ms);
/* Have store note that something was seen: asked, or only told. */
uint32_t checks_note(struct session *s, const struct fact *seen);
void checks_tell_seen(struct session *s, struct slice key);
/*
 * What a bounce claims to return (checks_proof.c): ask store or vault; the
 * word for the value; the transaction is over.
 */
uint32_t checks_ask_proof(struct session *s, const struct fact *wanted,
    uint32_t deadline_ms);
void checks_write_proof(struct buf *value, const struct fact *wanted,
    const struct answer *a);
void checks_drop_claims(struct session *s);
/* At DATA: whether a recipient had a tag of ours. 0, -ENOMEM, -ENOBUFS. */
int checks_tell_tag(struct session *s);

/* The value of the fact as it was answered; false without memory. */
bool checks_keep(struct session *s, const struct fact *wanted,
    const struct answer *a);
/* Add what was asked, told, and how long it took, to the account of it. */
void checks_account(struct checks *c, const struct fact *wanted,
    const struct answer *a);
/* Ask policy with everything. The id, or 0. */
uint32_t checks_ask_policy(struct session *s, uint32_t deadline_ms);

/* The judgement is there, NULL: it is not (checks_end.c). */
enum step checks_conclude(struct session *s, enum judge_stage stage,
    const struct judgement *j, finish_fn *then);

#endif
