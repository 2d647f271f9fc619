/* SPDX-License-Identifier: ISC */
/*
 * notify.h - systemd's notification and socket activation. Both do nothing
 * where systemd has not started us.
 */
#ifndef POSTERN_NOTIFY_H
#define POSTERN_NOTIFY_H

void notify_send(const char *state);		/* "READY=1" */
/* Number of descriptors passed from 3 on; 0 without activation. */
int notify_listen_fds(void);

#endif
