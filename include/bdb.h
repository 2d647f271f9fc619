/* SPDX-License-Identifier: ISC */
/*
 * bdb.h - what all who use Berkeley DB want of it.
 *
 * For store, directory and the compiler of tables.
 */
#ifndef POSTERN_BDB_H
#define POSTERN_BDB_H

/*
 * Before the first handle. A file that cannot be opened for want of room,
 * inodes or descriptors is tried three times by the library, after 2, 4 and
 * 6 s in select(): a call that our filters do not allow, and a time for
 * which nobody here may stand still. It tries them at once then.
 */
void bdb_stay_awake(void);

#endif
