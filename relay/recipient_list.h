/* SPDX-License-Identifier: ISC */
/*
 * recipient_list.h - the recipients of a job, from when they are told until
 * it ends; for this folder only.
 */
#ifndef RELAY_RECIPIENT_LIST_H
#define RELAY_RECIPIENT_LIST_H

#include "errand.h"

/* Recipients that were told, until their SEND comes. */
struct recipient_list {
	uint32_t job;
	uint16_t n, room;
	struct errand_recipient recipients[];
};

/* Room for so many; NULL: no memory. */
struct recipient_list *recipient_list_new(uint16_t room);
void recipient_list_free(struct recipient_list *list);
/* One more, or NULL: no memory, or it is full. Index, notify: the caller's. */
struct errand_recipient *recipient_list_add(struct recipient_list *list,
    struct slice address, struct slice orcpt);

#endif
