/* SPDX-License-Identifier: ISC */
/*
 * milter_talk.h - the dialogue with one milter, without its socket.
 *
 * Octets and stages come in, octets and a state come out:
 *
 *	talk_begin(stage) -> TALK_WAITS: send talk->out, then talk_input or
 *	    talk_written ... -> TALK_PASSED | TALK_REFUSED | TALK_BROKEN
 *
 * What has not been said yet of the session (options, connect, HELO, DATA)
 * is said first. A milter that accepts a session or a message hears no more
 * of it. What it wants changed is kept until its last word and then applied
 * to the draft and to the changes, all of it or nothing. TALK_BROKEN: it
 * broke the protocol (is_fault) or cannot work, talk->problem says how;
 * nothing was applied, and the connection is of no more use. No logging.
 */
#ifndef POSTERN_SMTPD_MILTER_TALK_H
#define POSTERN_SMTPD_MILTER_TALK_H

#include "draft.h"
#include "milter.h"
#include "milter_changes.h"
#include "milter_facts.h"

#define TALK_REFUSED_TEXT "refused by a filter"
#define TALK_OUT_MAX (256u << 10)	/* octets that may wait to be sent */

enum talk_stage { TALK_HELO, TALK_MAIL, TALK_RCPT, TALK_DATA, TALK_MESSAGE,
	TALK_UNKNOWN };

enum talk_state { TALK_IDLE, TALK_WAITS, TALK_PASSED, TALK_REFUSED,
	TALK_BROKEN };

/* What is on its way to the milter, or awaited from it. */
enum talk_step { STEP_OPTIONS, STEP_CONNECT, STEP_HELO, STEP_MAIL, STEP_RCPT,
	STEP_DATA, STEP_HEADER, STEP_END_OF_HEADERS, STEP_BODY, STEP_END,
	STEP_UNKNOWN, TALK_STEPS };

struct milter_talk {
	struct buf out;			/* the owner takes it */
	struct buf in;
	enum talk_state state;
	const char *problem;		/* of TALK_BROKEN */
	bool is_fault;			/* ... the milter's: it lies, or is
					 * broken */
	struct verdict verdict;		/* of TALK_REFUSED */
	enum talk_stage stage;
	const struct milter_facts *facts;	/* lent by talk_begin */
	struct draft *draft;			/* of TALK_MESSAGE; lent */
	struct milter_changes *changes;		/* lent */
	const char *name;		/* the milter's; lent by talk_init */
	enum config_disposal discard;	/* what it means when it says so */
	/* what was negotiated */
	uint32_t version, actions, protocol;
	char *symbols[MILTER_MACRO_STAGES];	/* NULL: the usual ones */
	/* where it stands */
	enum talk_step step;		/* its reply is awaited */
	unsigned said;			/* set of 1 << step, of session and
					 * transaction */
	bool is_session_accepted, is_message_over;
	bool has_refused_session;	/* the verdict is of all of it */
	size_t field;			/* next one to say */
	uint64_t body_at;
	bool is_body_over;
	bool is_spoiled;		/* the draft is: see talk_apply */
	struct buf edits;		/* packets, to be applied */
	uint64_t edits_max;
};

void talk_init(struct milter_talk *talk, const char *name,
    enum config_disposal discard);
void talk_free(struct milter_talk *talk);

/*
 * Say what this stage needs. draft and changes are for TALK_MESSAGE. The
 * state is never TALK_IDLE afterwards.
 */
void talk_begin(struct milter_talk *talk, enum talk_stage stage,
    const struct milter_facts *facts, struct draft *draft,
    struct milter_changes *changes);
/* It has refused: if that was the client itself, say no more to it in this
 * session, as if it had accepted it; true. */
bool talk_spare_session(struct milter_talk *talk);
/* It has sent this. true: an answer, or progress: its time begins anew. */
bool talk_input(struct milter_talk *talk, struct slice data);
/* All of talk->out was taken: there may be more to say. */
void talk_written(struct milter_talk *talk);
/* The transaction is over, whatever came of it. */
void talk_end_transaction(struct milter_talk *talk);
/*
 * The session is over, another may follow on this connection (SMFIC_QUIT_NC,
 * version 6). False: not on this one.
 */
bool talk_next_session(struct milter_talk *talk);
/* Say goodbye. */
void talk_quit(struct milter_talk *talk);

/* Could this change be made to any message? (milter_edits.c) */
bool talk_check_edit(const struct milter_reply *reply);
/*
 * Take over the changes in talk->edits. False: the message would be too
 * large, or memory is short; half of them may be applied then, and
 * talk->is_spoiled is set.
 */
bool talk_apply(struct milter_talk *talk);

#endif
