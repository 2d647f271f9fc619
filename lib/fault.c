/* SPDX-License-Identifier: ISC */
/*
 * fault.c - fault injection; see fault.h. Empty in an ordinary build.
 *
 * The file is FAULT_SLOTS times struct fault_slot in the machine's own byte
 * order; tests/faultctl.py knows the same layout. A slot is armed last, by
 * its first field, and its counters are only ever touched atomically, since
 * many processes pass the same point.
 */
#include "fault.h"

#ifdef POSTERN_FAULTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FAULT_SLOTS 64

enum fault_action { FAULT_ERRNO = 1, FAULT_KILL, FAULT_SLEEP };

struct fault_slot {		/* 128 octets */
	_Atomic uint32_t is_armed;
	uint32_t action;	/* enum fault_action */
	uint32_t value;		/* errno, or milliseconds */
	_Atomic int32_t after;	/* passes to let go by first */
	_Atomic int32_t count;	/* how often; < 0: always */
	_Atomic uint32_t hits;	/* how often it has struck */
	char role[24];		/* "": any */
	char point[80];
};
_Static_assert(sizeof(struct fault_slot) == 128, "faultctl.py's layout");

static struct fault_slot *slots;
static const char *own_role = "";

void
fault_set_role(const char *role)
{
	own_role = role;
}

void
fault_open(const char *role)
{
	const char *path = getenv("POSTERN_FAULTS");
	const size_t size = FAULT_SLOTS * sizeof *slots;
	struct stat st;
	void *map;
	int fd;

	own_role = role;
	if (path == NULL || slots != NULL)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size >= (off_t)size) {
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
		if (map != MAP_FAILED)
			slots = map;
	}
	close(fd);
}

static bool
is_struck(struct fault_slot *slot, const char *name)
{
	int32_t left;

	if (atomic_load(&slot->is_armed) == 0 ||
	    strncmp(slot->point, name, sizeof slot->point) != 0 ||
	    (slot->role[0] != '\0' &&
	    strncmp(slot->role, own_role, sizeof slot->role) != 0))
		return false;
	if (atomic_load(&slot->after) > 0 &&
	    atomic_fetch_sub(&slot->after, 1) > 0)
		return false;
	left = atomic_load(&slot->count);
	while (left > 0 &&
	    !atomic_compare_exchange_weak(&slot->count, &left, left - 1))
		;
	return left != 0;
}

static int
strike(struct fault_slot *slot)
{
	struct timespec pause = { slot->value / 1000,
		(long)(slot->value % 1000) * 1000000 };

	atomic_fetch_add(&slot->hits, 1);
	if (slot->action == FAULT_ERRNO)
		return (int)slot->value;
	if (slot->action == FAULT_SLEEP) {
		nanosleep(&pause, NULL);
		return 0;
	}
	kill(getpid(), SIGKILL);
	abort();		/* a filter that forbids kill is as final */
}

int
fault_point(const char *name)
{
	int error = 0;

	for (size_t i = 0; slots != NULL && i < FAULT_SLOTS; i++)
		if (is_struck(&slots[i], name)) {
			int e = strike(&slots[i]);

			error = e ? e : error;
		}
	return error;
}

#else

/* ISO C wants a translation unit to hold something. */
extern const int fault_is_not_built;
const int fault_is_not_built = 1;

#endif
