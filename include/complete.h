/* SPDX-License-Identifier: ISC */
/*
 * complete.h - what our own users leave out of a header (RFC 6409 8).
 *
 * Pure; the caller has the fields.
 */
#ifndef POSTERN_COMPLETE_H
#define POSTERN_COMPLETE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

/* A field that must not leave: Bcc, and Return-Path, which is deliver's. */
bool complete_is_unwanted(struct slice name);
/* A list of mailboxes whose bare local names are completed. */
bool complete_is_list(struct slice name);
struct complete_names {
	const char *origin;		/* what is put behind "@" */
	/* domains that say no more than a bare name does, because they are
	 * this host's own ("localhost"), NULL at the end; or NULL */
	const char *const *hosts;
};
bool complete_is_host(const struct complete_names *names,
    struct slice domain);
/*
 * Append the value with "@origin" behind each bare local name, and in the
 * place of the domains of this host. 1: it differs
 * from value; 0: it is the same, also where it is no list that can be read
 * (it is left as it is); or what buf_append returns.
 */
int complete_list(struct buf *to, struct slice value,
    const struct complete_names *names);

/* "<NUMBER.ID@host>" to follow "Message-ID:", unique with its parts. */
int complete_message_id(struct buf *to, int64_t when_us, const char *id,
    uint64_t number, const char *host);

#endif
