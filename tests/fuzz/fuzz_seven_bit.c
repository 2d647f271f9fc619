/* SPDX-License-Identifier: ISC */
/*
 * fuzz_seven_bit.c - input: a message. If it can be converted: no octet
 * above 127 is left, nothing that stood before the first part is lost, and
 * a message that had none above 127 and said nothing of 8 bits stays as it
 * was.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../relay/seven_bit.h"
#include "require.h"

static bool
has_8bit(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] > 127)
			return true;
	return false;
}

static bool
says_8bit(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size };

	for (; rest.size > 0; rest.data++, rest.size--)
		if (slice_starts_nocase(rest, SLICE("8bit")) ||
		    slice_starts_nocase(rest, SLICE("binary")))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[1 << 20];
	struct encoder_source source = { .size = size };
	struct seven_bit *s = NULL;
	const char *why;
	size_t n = 0;
	ssize_t more;

	if (size == 0 || size > 60000)
		return 0;
	source.fd = memfd_create("m", MFD_CLOEXEC);
	REQUIRE(write(source.fd, data, size) == (ssize_t)size);
	if (seven_bit_new(&s, &source, &why) == 0) {
		while ((more = seven_bit_next(s, out + n, 80 + size % 200)) >
		    0) {
			n += (size_t)more;
			REQUIRE(n < sizeof out - 300);
		}
		REQUIRE(!has_8bit((const uint8_t *)out, n));
		if (!has_8bit(data, size) && !says_8bit(data, size))
			REQUIRE(n == size && memcmp(out, data, n) == 0);
		seven_bit_free(&s);
	}
	close(source.fd);
	return 0;
}
