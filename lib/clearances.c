/* SPDX-License-Identifier: ISC */
/*
 * clearances.c - see clearances.h. Two numbers may share a place: the later
 * one is there then, and whoever looks for the other finds nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clearances.h"

#define PLACES 8192		/* far more than transactions that wait */
#define BOARD_BYTES (PLACES * sizeof(_Atomic uint64_t))
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* This process's only state. */
static _Atomic uint64_t *board;

int
clearances_create(void)
{
	int fd = memfd_create("clearances", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0 || (ftruncate(fd, BOARD_BYTES) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
clearances_map(int fd, bool is_giver)
{
	struct stat st;
	void *map;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != BOARD_BYTES)
		return -EBADMSG;
	map = mmap(NULL, BOARD_BYTES, is_giver ? PROT_READ | PROT_WRITE :
	    PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	board = map;
	return 0;
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
