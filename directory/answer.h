/* SPDX-License-Identifier: ISC */
/*
 * answer.h - the directory's answers to its peers.
 *
 * Nothing in a question is believed: a malformed one closes the peer. Only
 * an smtpd that names its session gets a sealed route; posternctl's
 * questions are answered without one.
 */
#ifndef DIRECTORY_ANSWER_H
#define DIRECTORY_ANSWER_H

#include <stdint.h>
#include "compartment.h"
#include "resolve.h"

struct answerer {
	struct loop *loop;
	struct catalog *catalog;
	struct resolver *resolver;
	const uint8_t *secret;		/* SECRET_ROUTE */
	const uint8_t *list_secret;	/* SECRET_LIST */
	const uint8_t *hop_secret;	/* SECRET_HOP */
	struct buf sealed, hop;		/* kept from answer to answer */
	unsigned n_smtpd;		/* peers that need answers for mail */
	bool is_stopping;		/* end the loop with the last of them */
};

/* Serve one peer until it goes. Takes fd over. */
void answer_peer(struct answerer *answerer, enum role role, uint16_t index,
    int fd);

#endif
