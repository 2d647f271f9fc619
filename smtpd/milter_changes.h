/* SPDX-License-Identifier: ISC */
/*
 * milter_changes.h - what all milters of a message want of its envelope.
 *
 * Collected while they are asked (milter_talk.h), made when the last of
 * them has let the message pass (milter_changes.c).
 */
#ifndef POSTERN_SMTPD_MILTER_CHANGES_H
#define POSTERN_SMTPD_MILTER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"
#include "config.h"
#include "verdict.h"

#define MILTER_CHANGES_MAX 1000		/* of recipients, by all milters */
#define MILTER_NAME_MAX 119
#define MILTER_REASON_MAX 80

struct changed_recipient {
	bool is_removed;
	char *address;			/* without <> */
};

struct milter_changes {
	char *sender;			/* NULL: unchanged; without <> */
	struct changed_recipient *recipients;	/* in order */
	size_t n_recipients;
	bool is_spared;			/* a relay_peer's, and refused */
	enum config_disposal disposal;	/* of the message as a whole: */
	char milter[MILTER_NAME_MAX + 1];	/* who decided it, */
	char reason[MILTER_REASON_MAX + 1];	/* and why */
};

/* It is not wanted. What was said before stays unless this is stricter. */
void milter_changes_dispose(struct milter_changes *changes,
    enum config_disposal disposal, const char *milter, struct slice reason);
/* One refuses it for good, but a relay_peer has brought it: into .Junk. */
void milter_changes_spare(struct milter_changes *changes, const char *milter,
    const struct verdict *v);
void milter_changes_free(struct milter_changes *changes);

#endif
