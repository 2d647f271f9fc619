/* SPDX-License-Identifier: ISC */
/*
 * table.h - for tests that walk a table: a failure names its row.
 */
#ifndef POSTERN_TESTS_TABLE_H
#define POSTERN_TESTS_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(name, expression) do { \
	if (!(expression)) \
		fail_msg("row \"%s\": %s", (name), #expression); \
} while (0)

#define CHECK_STRING(name, got, want) do { \
	if (strcmp((got), (want)) != 0) \
		fail_msg("row \"%s\": got \"%s\", want \"%s\"", (name), \
		    (got), (want)); \
} while (0)

#endif
