/* SPDX-License-Identifier: ISC */
/*
 * See fate.h.
 */
#include "fate.h"

bool
fate_joins(struct fate *fate, enum route_kind kind)
{
	switch (kind) {
	case ROUTE_MAILBOX:
		fate->n_mailboxes++;
		return true;
	case ROUTE_LIST:
		fate->n_lists++;
		return true;
	case ROUTE_DISCARD:
		fate->n_discards++;
		return true;
	case ROUTE_HOP:
		fate->n_hops++;
		return true;
	case ROUTE_PROGRAM:
		fate->n_programs++;
		return true;
	case ROUTE_REFUSE:
		break;
	}
	return false;
}
