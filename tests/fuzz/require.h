/* SPDX-License-Identifier: ISC */
/*
 * require.h - what must hold for every input of a fuzz target.
 */
#ifndef POSTERN_TESTS_REQUIRE_H
#define POSTERN_TESTS_REQUIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(expression) do { \
	if (!(expression)) { \
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, \
		    __LINE__, #expression); \
		abort(); \
	} \
} while (0)

static inline bool
is_within(struct slice inner, struct slice outer)
{
	return inner.size <= outer.size && inner.data >= outer.data &&
	    inner.data + inner.size <= outer.data + outer.size;
}

static inline bool
has_control_octet(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return true;
	return false;
}

#endif
