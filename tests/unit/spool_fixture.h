/* SPDX-License-Identifier: ISC */
/*
 * spool_fixture.h - an empty spool in a folder of its own, and a body.
 */
#ifndef TESTS_SPOOL_FIXTURE_H
#define TESTS_SPOOL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../queue/spool.h"

static char folder[64];
static struct spool *spool;
static int body_fd;

/* 0, or what cmocka takes for a failure. */
static int
spool_setup(void)
{
	snprintf(folder, sizeof folder, "/tmp/test_spool.XXXXXX");
	if (mkdtemp(folder) == NULL || chdir(folder) < 0)
		return 1;
	body_fd = memfd_create("body", 0);
	if (write(body_fd, "Subject: x\n\nhello\n", 18) != 18)
		return 1;
	return spool_open(&spool) != 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	spool_close(&spool);
	close(body_fd);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return chdir("/") < 0 || system(command) != 0;
}

#endif
