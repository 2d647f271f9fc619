/* SPDX-License-Identifier: ISC */
/*
 * scanner.h - one message to clamd, and its answer; or how old it is.
 *
 * A connection for each message. Over a unix socket clamd gets the sealed
 * descriptor itself (FILDES), so that it reads exactly what is delivered;
 * over TCP it is sent (INSTREAM). Whatever is no complete answer of the
 * right form is CLAMD_RUBBISH, and what cannot be reached or is slow is
 * CLAMD_ERROR: never clean.
 */
#ifndef POSTERN_SMTPD_SCANNER_H
#define POSTERN_SMTPD_SCANNER_H

#include "compartment.h"
#include "question.h"

struct scanner;

/* May free the scanner. */
typedef void scanner_answered_fn(const struct scan_answer *answer, void *arg);

/* NULL without memory. */
struct scanner *scanner_new(struct compartment *c, const char *session,
    scanner_answered_fn *answered, void *arg);
void scanner_free(struct scanner **scanner);
/* One at a time; fd is lent until the answer. Never answered from within. */
void scanner_ask(struct scanner *s, int fd, uint64_t size_bytes,
    uint32_t deadline_ms);
/* Ask VERSION: the answer is CLAMD_VERSION, or CLAMD_ERROR. */
void scanner_ask_version(struct scanner *s);
void scanner_forget(struct scanner *s);

#endif
