/* SPDX-License-Identifier: ISC */
/*
 * filters.h - the milters and the clamd of one connection.
 *
 * Between a session's questions and the dialogues (milters.h, scanner.h).
 * Ids have FILTERS_ID set, those of peers.h never have.
 */
#ifndef POSTERN_SMTPD_FILTERS_H
#define POSTERN_SMTPD_FILTERS_H

#include "compartment.h"
#include "question.h"

#define FILTERS_ID 0x80000000u

struct filters;

/* May free the filters. */
typedef void filters_answered_fn(uint32_t id, struct answer *a, void *arg);

/* NULL without memory. */
struct filters *filters_new(struct compartment *c, const char *session,
    filters_answered_fn *answered, void *arg);
void filters_free(struct filters **filters);
/*
 * An id, or 0: it cannot be asked. socket is the client's, or -1: its
 * addresses and ports are facts for milters.
 */
uint32_t filters_ask(struct filters *f, const struct question *q, int socket);
/* False: the id is none of ours. f may be NULL. */
bool filters_forget(struct filters *f, uint32_t id);
void filters_end_transaction(struct filters *f);

#endif
