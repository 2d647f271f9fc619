/* SPDX-License-Identifier: ISC */
/*
 * privileges.c - is root all that the compartments need it to be? In a
 * container, or a unit of somebody's own, it may lack capabilities, and what
 * they then fail with names a folder, or a number.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "log.h"
#include "privileges.h"

/* CAP_NET_BIND_SERVICE is of no use where the ports are high. */
static const struct {
	unsigned number;
	const char *name;
} needed[] = {
	{ CAP_CHOWN, "CAP_CHOWN" },		/* folders for their owners */
	{ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE" },	/* and into them */
	{ CAP_FOWNER, "CAP_FOWNER" },
	{ CAP_KILL, "CAP_KILL" },
	{ CAP_SETGID, "CAP_SETGID" },
	{ CAP_SETPCAP, "CAP_SETPCAP" },		/* the bounding set */
	{ CAP_SETUID, "CAP_SETUID" },
	{ CAP_SYS_CHROOT, "CAP_SYS_CHROOT" },
};

void
privileges_check(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	char missing[256] = "";
	int n = 0;

	if (syscall(SYS_capget, &header, data) < 0)
		fatal("capget: %s", strerror(errno));
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!(data[0].effective & 1u << needed[i].number))
			n += snprintf(missing + n, sizeof missing - (size_t)n,
			    " %s", needed[i].name);
	if (n > 0)
		fatal("root has not all capabilities here that the "
		    "compartments need:%s; grant them, or start postern as "
		    "another user", missing);
}
