/* SPDX-License-Identifier: ISC */
/*
 * ipc_wire.h - the header of a message and its descriptor, for ipc.c and
 * channel.c only.
 */
#ifndef POSTERN_IPC_WIRE_H
#define POSTERN_IPC_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "ipc.h"

#define IPC_HEADER_SIZE 12

union ipc_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

void ipc_header_write(uint8_t *to, uint16_t type, uint32_t id,
    uint32_t deadline_ms);
/* ipc_send with a header that was written before. */
int ipc_send_with_header(int fd, const uint8_t *header,
    const struct ipc_writer *w, int passed_fd);
/* 0, or -EBADMSG. Does not know of descriptors: m->fd becomes -1. */
int ipc_message_read(struct ipc_message *m, const void *data, size_t size);
/* control must live until the message is sent. */
void ipc_fd_attach(struct msghdr *msg, union ipc_control *control, int fd);
/*
 * The one descriptor that came, or -1. -EMFILE when this process had no room
 * for it, -EBADMSG when there were several or the message was cut: none stays
 * open then.
 */
int ipc_fd_detach(struct msghdr *msg, int *fd);

#endif
