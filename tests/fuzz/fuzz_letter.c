/* SPDX-License-Identifier: ISC */
/*
 * fuzz_letter.c - input: an octet of options (1: -i, 2: -t, 4: complete it),
 * and what a program writes to sendmail. What the server is told are lines of
 * CR LF without NUL, and the only line of a dot is the last one; recipients
 * have no control octets, and no Bcc is left.
 */
#include <sys/mman.h>
#include <unistd.h>
#include "../../commands/addressing.h"
#include "../../commands/complain.h"
#include "../../commands/letter.h"
#include "header.h"
#include "require.h"

static int
collect(void *arg, struct slice piece)
{
	return buf_append_slice(arg, piece);
}

static void
check_text(struct slice text)
{
	size_t n_dots = 0;

	REQUIRE(text.size >= 3);
	while (text.size > 0) {
		size_t n = slice_find(text, '\n');

		REQUIRE(n > 0 && n < text.size && text.data[n - 1] == '\r');
		REQUIRE(memchr(text.data, '\r', n - 1) == NULL);
		REQUIRE(memchr(text.data, '\0', n) == NULL);
		n_dots += n == 2 && *text.data == '.';
		REQUIRE((n_dots == 1) == (n + 1 == text.size));
		text.data += n + 1;
		text.size -= n + 1;
	}
}

static void
check_recipients(const struct addressing *e, const struct letter *letter)
{
	struct header_walk walk;
	struct header_field field;

	for (size_t i = 0; i < e->n_recipients; i++)
		REQUIRE(!has_control_octet(slice_of(
		    e->recipients[i].address)));
	header_walk_start(&walk, buf_slice(&letter->header), true);
	while (header_next(&walk, &field) == HEADER_FIELD)
		REQUIRE(!header_is(&field, "Bcc") &&
		    !header_is(&field, "Resent-Bcc"));
}

/* As `sendmail -t` does; false: it ends there. */
static bool
address(struct letter *letter, int how)
{
	static const struct server_place place = { .origin = "example.org" };
	const struct sendmail_options o = { .sender = "a@x.example" };
	struct addressing e = { .sender = NULL };
	bool goes_on = addressing_set_sender(&e, &o, &place) == 0;

	if (goes_on && (how & 2) != 0) {
		goes_on = addressing_take_header(&e, letter, &place) == 0;
		if (goes_on)
			check_recipients(&e, letter);
	}
	if (goes_on && (how & 4) != 0)
		goes_on = addressing_complete(&e, letter, &o, &place) == 0;
	addressing_free(&e);
	return goes_on;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct letter_limits limits = { .message_bytes = 0 };
	struct buf text = { 0 }, again = { 0 };
	struct letter letter;
	int fd;

	if (size == 0)
		return 0;
	complain_quietly();
	fd = memfd_create("m", MFD_CLOEXEC);
	REQUIRE(write(fd, data + 1, size - 1) == (ssize_t)size - 1);
	REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
	limits.ignores_dots = (data[0] & 1) != 0;
	if (letter_read(&letter, fd, &limits) == 0 &&
	    address(&letter, data[0])) {
		REQUIRE(letter_send(&letter, collect, &text) == 0);
		check_text(buf_slice(&text));
		REQUIRE(letter_send(&letter, collect, &again) == 0);
		REQUIRE(text.size == again.size);
	}
	letter_free(&letter);
	buf_free(&text);
	buf_free(&again);
	close(fd);
	return 0;
}
