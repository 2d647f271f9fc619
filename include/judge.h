/* SPDX-License-Identifier: ISC */
/*
 * judge.h - what policy answers to a set of facts (DESIGN 4, 9).
 *
 * smtpd asks at each stage with all facts that it has, and with the message
 * at the last one; policy runs the checks of that stage in the order of its
 * table. As long as facts are wanted the judgement is not complete and holds
 * nothing but them. A complete one has a finding for every check that ran;
 * the strictest is the stage's verdict. Silence (a DNS_FAILED answer, say)
 * is a finding too, and temporary where the answer could have refused.
 *
 * Who asks: smtpd and control (explain). Pure, no I/O, no logging.
 */
#ifndef POSTERN_JUDGE_H
#define POSTERN_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"
#include "facts.h"
#include "verdict.h"

#define JUDGEMENT_FINDINGS_MAX 32
#define JUDGEMENT_DETAIL_MAX 300
#define JUDGEMENT_FIELDS_MAX 6000	/* octets of header fields; with
					 * ours they fit deliver's 8000 */
#define JUDGEMENT_CUTS_MAX 32
#define JUDGEMENT_BYTES_MAX (1u << 17)	/* in wire form */

enum judge_stage { JUDGE_CONNECT, JUDGE_HELO, JUDGE_MAIL, JUDGE_RCPT,
	JUDGE_DATA, JUDGE_STAGES };

const char *judge_stage_name(enum judge_stage stage);	/* "mail" */
/* Whether any check that is not off belongs to the stage; JUDGE_HELO: has
 * something to ask ahead of time. */
bool judge_is_wanted(const struct config_checks *checks,
    enum judge_stage stage);

/* In order of strictness; the strictest of a stage wins, the first of those
 * that are alike. */
enum finding_kind { FINDING_ACCEPT, FINDING_MARK, FINDING_TEMPORARY,
	FINDING_REFUSE };

struct finding {
	char check[24];			/* "spf", as in the configuration */
	enum finding_kind kind;
	struct verdict verdict;		/* code 0 for ACCEPT and MARK */
	/* what it asked and was told, for the trail: "fail (mfrom
	 * example.org, TXT v=spf1 -all)" */
	char detail[JUDGEMENT_DETAIL_MAX + 1];
};

struct judgement {
	bool is_complete;
	/* not complete: what is wanted. complete: FACT_RESULTs for the
	 * stages to come, and FACT_SEENs that store shall note now */
	struct facts facts;
	size_t n_findings;
	struct finding findings[JUDGEMENT_FINDINGS_MAX];
	/* into .Junk, with the reason; MAIL: of a relay_peer */
	bool is_junk;
	bool is_spared;			/* instead of a refusal: it is a
					 * relay_peer's */
	char junk_reason[200];
	/* DATA only */
	/* whole header lines, LF ends, for the top of each copy:
	 * Authentication-Results, Received-SPF */
	struct buf fields;
	/* Octets of the message to leave out when it is delivered: fields
	 * that were forged in our name. Ascending, none overlap. */
	size_t n_cuts;
	struct judgement_cut { uint64_t at, size; } cuts[JUDGEMENT_CUTS_MAX];
};

/* The stage's verdict: the strictest finding that refuses, for now or for
 * good, or NULL: accept (marks included). */
const struct finding *judgement_strictest(const struct judgement *j);
/* Releases everything; *j is zeroed and can be used again. */
void judgement_free(struct judgement *j);

/*
 * Wire form, at most JUDGEMENT_BYTES_MAX octets. 0, -ENOBUFS, -ENOMEM; false
 * (and an empty *j) for anything malformed: findings whose code is not of
 * their kind, fields that are no header lines, cuts out of order, facts
 * that are not policy's to state. *j is the caller's to free.
 */
int put_judgement(struct buf *to, const struct judgement *j);
bool get_judgement(struct slice from, struct judgement *j);

#endif
