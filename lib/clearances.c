/* SPDX-License-Identifier: ISC */
/*
 * clearances.c - see clearances.h. Two numbers may share a place: the later
 * one is there then, and whoever looks for the other finds nothing.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clearances.h"
#include "sealed.h"

#define PLACES 8192		/* far more than transactions that wait */
#define BOARD_BYTES (PLACES * sizeof(_Atomic uint64_t))

/* This process's only state. */
static _Atomic uint64_t *board;

int
clearances_create(void)
{
	int fd = sealed_create("clearances"), error;

	if (fd < 0)
		return fd;
	error = sealed_make_board(fd, BOARD_BYTES);
	/* a memfd is everybody's: who may only read would open it anew by
	 * /proc/self/fd */
	if (!error && fchmod(fd, 0600) < 0)
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

int
clearances_map(int fd, bool is_giver)
{
	if (fd < 0)
		return 0;
	board = sealed_map_board(fd, BOARD_BYTES, is_giver);
	return board == NULL ? -errno : 0;
}

void
clearances_unmap(void)
{
	if (board != NULL)
		munmap(board, BOARD_BYTES);
	board = NULL;
}

void
clearances_give(uint64_t clearance)
{
	if (board != NULL && clearance != CLEARANCE_NONE)
		atomic_store_explicit(&board[clearance % PLACES], clearance,
		    memory_order_release);
}

bool
clearances_has(uint64_t clearance)
{
	return board != NULL && atomic_load_explicit(
	    &board[clearance % PLACES], memory_order_acquire) == clearance;
}
