/* SPDX-License-Identifier: ISC */
/*
 * config_manual.c - prints postern.conf(5) for `make doc/postern.conf.5`.
 */
#include <stdio.h>
#include "config.h"

int
main(void)
{
	config_write_manual(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
