/* SPDX-License-Identifier: ISC */
/*
 * filter_question.h - what a session asks its milters and clamd.
 */
#ifndef POSTERN_SMTPD_FILTER_QUESTION_H
#define POSTERN_SMTPD_FILTER_QUESTION_H

#include <stdbool.h>
#include <stdint.h>
#include "clamd.h"
#include "milter_talk.h"
#include "verdict.h"

/* What milters are asked; facts stay as they are until the answer. */
struct milters_ask {
	enum talk_stage stage;
	bool spares;		/* of a relay_peer: who refuses the message
				 * for good wants it in .Junk */
	struct milter_facts facts;
	uint64_t size_bytes;	/* of the message: the question's fd */
	uint64_t max_bytes;	/* of what it may become; 0: none */
};

/* What all of them said. */
struct milters_answer {
	struct verdict verdict;		/* code 0: go on */
	bool is_session;		/* it is of all that follows, too */
	bool is_silence;		/* one did not answer */
	char milter[MILTER_NAME_MAX + 1];	/* who decided */
	char problem[80];		/* why one was silent */
	/* TALK_MESSAGE; the answer's fd is the changed message, or -1 */
	uint64_t size_bytes;
	struct milter_changes changes;	/* released by who gets it */
	/* why each was silent whose silence only marks; NULL: it was not */
	const char *silent[CONFIG_MAX_MILTERS];
};

struct scan_ask {
	uint64_t size_bytes;		/* the message is the question's fd */
};

struct scan_answer {
	enum clamd_result result;
	char name[CLAMD_NAME_MAX + 1];	/* what was found, or went wrong */
	int64_t made_s;			/* CLAMD_VERSION: clamd_read_version */
};

#endif
