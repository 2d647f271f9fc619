/* SPDX-License-Identifier: ISC */
/*
 * spares.h - files of messages that have left, for those that come; for
 * spool.c alone.
 *
 *	in use --spares_keep--> spare/, fresh --spares_settle--> ready
 *	   ^                                                       |
 *	   +--------------------- spares_take ---------------------+
 *
 * To make and to remove a file costs the file system more than all else that
 * queue does with a message; to rename one costs little. A spare file is
 * written over in place, so it is taken only when
 * - the removal of the message that it was of is durable: a power cut must
 *   not bring that message back with the text of another;
 * - nobody has it open: relay was given a descriptor of each body. The
 *   kernel says so (a lease); where it cannot, nothing is kept.
 *
 * What is not used for some seconds is removed, and a start removes all.
 */
#ifndef QUEUE_SPARES_H
#define QUEUE_SPARES_H

#include <stdbool.h>
#include <stdint.h>

#define SPARES_MAX 64			/* of a kind */
#define SPARE_SIZE_MAX 65536		/* octets; larger ones are removed */

enum spare_kind { SPARE_ENVELOPE, SPARE_BODY, SPARE_N_KINDS };

struct spare_stock {
	uint32_t ready[SPARES_MAX], fresh[SPARES_MAX];	/* their numbers */
	unsigned n_ready, n_fresh;
	unsigned n_idle;	/* never needed since the last trim */
};

struct spares {
	int folder;		/* not owned */
	bool is_off;		/* this file system has no leases */
	uint32_t last;		/* number */
	struct spare_stock stocks[SPARE_N_KINDS];
};

void spares_init(struct spares *s, int folder);
/* Instead of unlinkat. False: unlink it. */
bool spares_keep(struct spares *s, enum spare_kind kind, int folder,
    const char *name);
/* A spare one under this new name, open for writing; -1: there is none. */
int spares_take(struct spares *s, enum spare_kind kind, int folder,
    const char *name);
/* Removals are durable; or may not be, and then these files are not taken. */
void spares_settle(struct spares *s, bool is_durable);
/* Remove those that were not needed since the last time; whether some stay. */
bool spares_trim(struct spares *s);
void spares_clear(struct spares *s);

#endif
