/* SPDX-License-Identifier: ISC */
/*
 * question_wire.h - the questions of question.h as messages of ask.h.
 */
#ifndef POSTERN_SMTPD_QUESTION_WIRE_H
#define POSTERN_SMTPD_QUESTION_WIRE_H

#include "compartment.h"
#include "ipc.h"
#include "question.h"

struct question_wire {
	enum role role;			/* whom to ask */
	uint16_t type, answer;		/* answer 0: told, not asked */
	bool (*get)(struct ipc_reader *r, struct answer *a);
};
extern const struct question_wire question_wires[QUESTION_COUNT];

void question_put(struct ipc_writer *w, const struct question *q);
/* The transaction that a question is about; UINT64_MAX: about none. */
uint64_t question_transaction(const struct question *q);
/*
 * Decode; takes the descriptor over. False: what came is no answer to a
 * question of that kind, and the descriptor is still the message's.
 */
bool answer_get(struct answer *a, enum question_kind kind,
    struct ipc_message *m);

#endif
