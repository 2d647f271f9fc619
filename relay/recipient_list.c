/* SPDX-License-Identifier: ISC */
/*
 * recipient_list.c - see recipient_list.h.
 */
#include <stdlib.h>
#include "recipient_list.h"

struct recipient_list *
recipient_list_new(uint16_t room)
{
	struct recipient_list *list = calloc(1, sizeof *list +
	    room * sizeof *list->recipients);

	if (list != NULL)
		list->room = room;
	return list;
}

void
recipient_list_free(struct recipient_list *list)
{
	if (list == NULL)
		return;
	for (uint16_t i = 0; i < list->n; i++) {
		free(list->recipients[i].address);
		free(list->recipients[i].orcpt);
	}
	free(list);
}

struct errand_recipient *
recipient_list_add(struct recipient_list *list, struct slice address,
    struct slice orcpt)
{
	struct errand_recipient *to;

	if (list->n == list->room)
		return NULL;
	to = &list->recipients[list->n++];
	to->address = slice_strdup(address);
	to->orcpt = slice_strdup(orcpt);
	return to->address != NULL && to->orcpt != NULL ? to : NULL;
}
