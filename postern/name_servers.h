/* SPDX-License-Identifier: ISC */
/*
 * name_servers.h - the name servers of this machine, for this folder only.
 * The supervisor looks whether they are others now. Nothing here logs.
 */
#ifndef POSTERN_NAME_SERVERS_H
#define POSTERN_NAME_SERVERS_H

#include <stdbool.h>
#include "buf.h"

/*
 * Whether /etc/resolv.conf names others than known, the lines of before,
 * which are brought up to date. False where it names none.
 */
bool name_servers_changed(struct buf *known);

#endif
