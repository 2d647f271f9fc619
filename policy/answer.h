/* SPDX-License-Identifier: ISC */
/*
 * answer.h - the questions of smtpd and control, answered one at a time.
 */
#ifndef POSTERN_POLICY_ANSWER_H
#define POSTERN_POLICY_ANSWER_H

#include "compartment.h"

struct judge_desk {
	struct loop *loop;
	const struct config *config;
	unsigned n_smtpd;	/* those who must be able to go on */
	bool is_stopping;
};

/* A new channel; takes fd over. */
void policy_peer(struct judge_desk *a, enum role role, uint16_t index, int fd);

#endif
