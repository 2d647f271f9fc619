/* SPDX-License-Identifier: ISC */
/*
 * question_kind.h - the kinds of questions of question.h: who is asked, and
 * which member of struct answer holds what he says.
 */
#ifndef POSTERN_SMTPD_QUESTION_KIND_H
#define POSTERN_SMTPD_QUESTION_KIND_H

#include <stdbool.h>

enum question_kind {
	/* asked */
	QUESTION_ROUTE,		/* directory -> answer.as.route */
	QUESTION_PROBE,		/* deliver -> answer.as.probe */
	QUESTION_FAILURE,	/* store -> answer.as.verdict */
	QUESTION_PREPARE,	/* deliver -> answer.as.outcome */
	QUESTION_RECORDS,	/* store -> answer.as.states */
	QUESTION_INTENT,	/* store -> acknowledged: COMMIT may be asked */
	QUESTION_WITHDRAW,	/* store -> acknowledged */
	QUESTION_LOOK,		/* store -> answer.as.states */
	QUESTION_COMMIT,	/* deliver -> answer.as.outcome */
	QUESTION_DELIVER,	/* deliver -> answer.as.outcome */
	QUESTION_RELEASE,	/* deliver -> acknowledged */
	QUESTION_JUDGE,		/* policy -> answer.as.judge, maybe fd */
	QUESTION_DNS,		/* resolver -> answer.as.octets */
	QUESTION_GREY,		/* store -> answer.as.grey */
	QUESTION_SEEN,		/* store -> answer.as.seen */
	QUESTION_MILTERS,	/* the milters -> answer.as.milters */
	QUESTION_SCAN,		/* clamd -> answer.as.scan */
	QUESTION_AUTH_PEER,	/* auth -> answer.as.auth; the host sends the
				 * client's own socket along */
	QUESTION_MAY,		/* directory -> answer.as.may */
	QUESTION_QUEUE,		/* queue -> answer.as.queued */
	QUESTION_QUEUE_LISTS,	/* queue -> answer.as.queued */
	QUESTION_QUEUE_COMMIT,	/* queue -> answer.as.verdict */
	QUESTION_QUEUE_OWN,	/* queue -> answer.as.is_ok, fd */
	QUESTION_HOP,		/* queue -> answer.as.hop */
	QUESTION_HOP_RCPT,	/* relay -> answer.as.hop */
	QUESTION_HOP_SEND,	/* relay -> answer.as.hop_sent */
	QUESTION_PROGRAM,	/* deliver -> answer.as.program */
	QUESTION_TRACE,		/* vault -> answer.as.octets */
	QUESTION_DKIM,		/* vault -> answer.as.dkim */
	QUESTION_PROOF,		/* store -> answer.as.proof */
	QUESTION_PROOF_TAKE,	/* store -> answer.as.is_ok: the bounce was
				 * delivered; the last is asked, others told */
	QUESTION_TRACE_CHECK,	/* vault -> answer.as.is_ok */
	QUESTION_TAG_CHECK,	/* vault -> answer.as.tag */
	QUESTION_SRS_CHECK,	/* vault -> answer.as.srs */
	QUESTION_AUTH_STEP,	/* auth -> answer.as.auth */
	/* told */
	QUESTION_FREEZE,	/* deliver: as PROBE, and it would say yes */
	QUESTION_CANCEL,	/* deliver: do not move it any more */
	QUESTION_BEGIN,		/* store: as RECORDS, with a clearance */
	QUESTION_DONE,		/* store: these are in new/ */
	QUESTION_DONE_NOW,	/* store: the same; it must not get lost */
	QUESTION_SETTLE,	/* store: find out what became of it */
	QUESTION_CONFIRM,	/* store: the client has read the reply */
	QUESTION_END,		/* store: it may not have */
	QUESTION_FAILED,	/* store: remember this recipient's failure */
	QUESTION_PROOF_DROP,	/* store: the transaction's claims */
	QUESTION_MILTERS_END,	/* the milters: this transaction is over */
	QUESTION_QUEUE_RECIPIENT,	/* queue: one of the next QUEUE */
	QUESTION_QUEUE_MEMBERS,	/* queue: a list of the next QUEUE */
	QUESTION_QUEUE_ABORT,	/* queue: forget the transaction */
	QUESTION_HOP_RECIPIENT,	/* relay: one of the next HOP_SEND */
	QUESTION_HOP_CANCEL,	/* relay: give it up, if that is possible */
	QUESTION_AUTH_FORGET,	/* auth: the exchange is over */
	QUESTION_COUNT,
};

/* Answered by the session's own milters and clamd, not by a peer. */
static inline bool
question_is_for_filters(enum question_kind kind)
{
	return kind == QUESTION_MILTERS || kind == QUESTION_SCAN ||
	    kind == QUESTION_MILTERS_END;
}

#endif
