/* SPDX-License-Identifier: ISC */
/*
 * The receiver: where data ends and where it does not, in one piece, split
 * at every octet, and one octet at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../smtpd/body.h"

static const struct body_limits limits = {
	.max_bytes = 1 << 20, .drain_bytes = 4 << 20, .header_bytes = 65536,
};

#define NEVER ((size_t)-1)
#define END "\r\n.\r\n"
#define TAIL "MAIL FROM:<x@y>\r\n"

static const struct data_case {
	struct slice wire;
	size_t left;			/* octets after the end; NEVER */
	unsigned faults;
	struct slice stored;		/* when there is no fault */
} data_cases[] = {
#define WIRE(s) SLICE(s)
	{ WIRE("a\r\n.\r\n"), 0, 0, SLICE("a\n") },
	{ WIRE(".\r\n"), 0, 0, SLICE("") },
	{ WIRE(".\r\nQUIT\r\n"), 6, 0, SLICE("") },
	{ WIRE("a\r\n\r\n.\r\n"), 0, 0, SLICE("a\n\n") },
	{ WIRE("..\r\n.\r\n"), 0, 0, SLICE(".\n") },
	{ WIRE("..a\r\n...\r\n.b\r\n.\r\n"), 0, 0, SLICE(".a\n..\nb\n") },
	{ WIRE("a.\r\nb.\r\n.\r\n"), 0, 0, SLICE("a.\nb.\n") },
	{ WIRE("a" END TAIL), sizeof(TAIL) - 1, 0, SLICE("a\n") },
	{ WIRE("\xc3\xa4\xff\r\n.\r\n"), 0, 0, SLICE("\xc3\xa4\xff\n") },
	/* nothing that could continue a field of ours */
	{ WIRE(" a\r\nb\r\n.\r\n"), 0, 0, SLICE("\n a\nb\n") },
	{ WIRE("\ta\r\n.\r\n"), 0, 0, SLICE("\n\ta\n") },
	{ WIRE(". a\r\n.\r\n"), 0, 0, SLICE("\n a\n") },
	{ WIRE(" \r\n.\r\n"), 0, 0, SLICE("\n \n") },
	{ WIRE("\r\n a\r\n.\r\n"), 0, 0, SLICE("\n a\n") },
	{ WIRE("a\r\n b\r\n.\r\n"), 0, 0, SLICE("a\n b\n") },
	/* what is no end of data is a fault, refused at the true end */
	{ WIRE("a\n.\n" TAIL), NEVER, BODY_BARE_LF, SLICE("") },
	{ WIRE("a\n.\n" TAIL "b" END), 0, BODY_BARE_LF, SLICE("") },
	{ WIRE("a\n.\r\n" TAIL "b" END), 0, BODY_BARE_LF, SLICE("") },
	{ WIRE("a\r\n.\n" TAIL "b" END), 0, BODY_BARE_LF, SLICE("") },
	{ WIRE("a\r.\r" TAIL "b" END), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE("a\r\n.\r" TAIL "b" END), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE("a\r.\r\n" TAIL "b" END), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE("a\r\n.\r\r\n" TAIL "b" END), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE("a\r\r\n.\r\n"), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE("a\n\r.\n\r" TAIL "b" END), 0, BODY_BARE_LF | BODY_BARE_CR,
	    SLICE("") },
	{ WIRE("a\r\n.\0\r\n" TAIL "b" END), 0, BODY_NUL, SLICE("") },
	{ WIRE("a\0b\r\n.\r\n"), 0, BODY_NUL, SLICE("") },
	{ WIRE("\n.\r\n" "b" END), 0, BODY_BARE_LF, SLICE("") },
	{ WIRE(".\r" "b" END), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE(".\n" "b" END), 0, BODY_BARE_LF, SLICE("") },
	{ WIRE("\r.\r\n" "b" END), 0, BODY_BARE_CR, SLICE("") },
	{ WIRE("a\r\n.\r\n.\r\n"), 3, 0, SLICE("a\n") },
};
#define N_CASES(t) (sizeof(t) / sizeof((t)[0]))

static void
read_all(const struct body *b, struct slice want)
{
	struct slice held = body_held(b);

	assert_int_equal(b->fd, -1);
	assert_int_equal(held.size, want.size);
	assert_memory_equal(held.data, want.data, want.size);
	assert_int_equal(b->size_bytes, want.size);
}

/* Feed wire in pieces that end at a, b and the end; what is left over. */
static size_t
feed(struct body *b, struct slice wire, size_t first, size_t piece)
{
	size_t at = 0, n, taken;

	while (at < wire.size && !body_has_ended(b)) {
		n = at == 0 ? first : piece;
		if (n > wire.size - at)
			n = wire.size - at;
		taken = body_take_data(b, wire.data + at, n);
		at += taken;
		if (taken < n)
			assert_true(body_has_ended(b));
	}
	return body_has_ended(b) ? wire.size - at : NEVER;
}

static void
check_data(const struct data_case *c, size_t first, size_t piece)
{
	struct body b;

	assert_int_equal(body_open(&b, &limits, "test"), 0);
	assert_int_equal(feed(&b, c->wire, first, piece), c->left);
	assert_int_equal(b.faults, c->faults);
	if (c->faults == 0)
		read_all(&b, c->stored);
	body_close(&b);
}

static void
test_data(void **state)
{
	size_t i, cut;

	(void)state;
	for (i = 0; i < N_CASES(data_cases); i++) {
		check_data(&data_cases[i], 1, 1);
		for (cut = 1; cut <= data_cases[i].wire.size; cut++)
			check_data(&data_cases[i], cut, 1 << 16);
	}
}

/* Exempt clients: a bare LF is a line end, but still never ends data. */
static const struct data_case normalized[] = {
	{ WIRE("a\nb" END), 0, 0, SLICE("a\nb\n") },
	{ WIRE("a\n.\nb" END), 0, 0, SLICE("a\n.\nb\n") },
	{ WIRE("a\n.\r\nb" END), 0, 0, SLICE("a\n.\nb\n") },
	{ WIRE("a\r\n.\nb" END), 0, 0, SLICE("a\n\nb\n") },
	{ WIRE("a\n.\n"), NEVER, 0, SLICE("") },
	{ WIRE("a\rb" END), 0, BODY_BARE_CR, SLICE("") },
};

static void
test_normalized(void **state)
{
	struct body_limits exempt = limits;
	const struct data_case *c;
	struct body b;
	size_t i, cut;

	(void)state;
	exempt.normalizes_lf = true;
	for (i = 0; i < N_CASES(normalized); i++) {
		c = &normalized[i];
		for (cut = 1; cut <= c->wire.size; cut++) {
			assert_int_equal(body_open(&b, &exempt, "test"), 0);
			assert_int_equal(feed(&b, c->wire, cut, 1), c->left);
			assert_int_equal(b.faults, c->faults);
			if (c->faults == 0 && c->left != NEVER)
				read_all(&b, c->stored);
			body_close(&b);
		}
	}
}

static const struct chunk_case {
	struct slice wire;
	unsigned faults;
	struct slice stored;
} chunk_cases[] = {
	{ WIRE("a\r\n"), 0, SLICE("a\n") },
	{ WIRE("a"), 0, SLICE("a\n") },
	{ WIRE(""), 0, SLICE("") },
	{ WIRE(".\r\n..\r\n"), 0, SLICE(".\n..\n") },
	{ WIRE("a\r\n.\r\nb\r\n"), 0, SLICE("a\n.\nb\n") },
	{ WIRE(" a\r\n b"), 0, SLICE("\n a\n b\n") },
	{ WIRE(" "), 0, SLICE("\n \n") },
	{ WIRE("a\r"), BODY_BARE_CR, SLICE("") },
	{ WIRE("a\n"), BODY_BARE_LF, SLICE("") },
	{ WIRE("a\rb\r\n"), BODY_BARE_CR, SLICE("") },
	{ WIRE("a\0\r\n"), BODY_NUL, SLICE("") },
};

static void
check_chunks(const struct chunk_case *c, const struct body_limits *of)
{
	struct body b;
	size_t cut;

	for (cut = 0; cut <= c->wire.size; cut++) {
		assert_int_equal(body_open(&b, of, "test"), 0);
		body_take_chunk(&b, c->wire.data, cut);
		body_take_chunk(&b, c->wire.data + cut, c->wire.size - cut);
		body_end_chunks(&b);
		assert_int_equal(b.faults, c->faults);
		if (c->faults == 0)
			read_all(&b, c->stored);
		body_close(&b);
	}
}

static void
test_chunks(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_CASES(chunk_cases); i++)
		check_chunks(&chunk_cases[i], &limits);
}

/* The last line has an end then, and no empty one follows it. */
static void
test_chunks_normalized(void **state)
{
	static const struct chunk_case cases[] = {
		{ WIRE("a\n"), 0, SLICE("a\n") },
		{ WIRE("a\n\n"), 0, SLICE("a\n\n") },
		{ WIRE("a\r\nb\n"), 0, SLICE("a\nb\n") },
		{ WIRE("a\nb"), 0, SLICE("a\nb\n") },
		{ WIRE("a\r"), BODY_BARE_CR, SLICE("") },
	};
	struct body_limits exempt = limits;
	size_t i;

	(void)state;
	exempt.normalizes_lf = true;
	for (i = 0; i < N_CASES(cases); i++)
		check_chunks(&cases[i], &exempt);
}

/* The first message's digest, told apart from the second's. */
static void
digest_of(struct slice wire, size_t first, size_t piece,
    uint8_t digest[BODY_DIGEST_SIZE], struct body *b)
{
	int fd;

	assert_int_equal(body_open(b, &limits, "test"), 0);
	assert_int_equal(feed(b, wire, first, piece), 0);
	assert_int_equal(body_finish_digest(b, digest), 0);
	fd = body_hand_out(b);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	close(fd);
}

static void
test_header(void **state)
{
	const struct slice one = SLICE("Received: from a\r\n\tby b\r\n"
	    "Message-ID: <1@a>\r\nReceived: from c\r\n"
	    "DELIVERED-TO: u@example.org\r\nDate: today\r\n\r\n"
	    "Received: no header\r\n" END);
	const struct slice again = SLICE("Received: from elsewhere\r\n"
	    "Message-ID: <1@a>\r\nDate: today\r\n\r\n"
	    "Received: no header\r\n" END);
	const struct slice other = SLICE("Message-ID: <1@a>\r\n"
	    "Date: today\r\n\r\nReceived: no header.\r\n" END);
	uint8_t digest[BODY_DIGEST_SIZE], same[BODY_DIGEST_SIZE];
	struct body b;
	size_t cut;

	(void)state;
	digest_of(one, one.size, 1, digest, &b);
	body_close(&b);
	for (cut = 1; cut < one.size; cut++) {
		digest_of(one, cut, 1, same, &b);
		assert_memory_equal(digest, same, sizeof(same));
		assert_int_equal(b.header.n_received, 2);
		assert_true(b.header.has_date && b.header.has_message_id);
		assert_int_equal(b.header.delivered_to.size, 14);
		assert_memory_equal(b.header.delivered_to.data,
		    "u@example.org\n", 14);
		body_close(&b);
	}
	digest_of(again, 1 << 16, 1, same, &b);
	assert_memory_equal(digest, same, sizeof(same));
	body_close(&b);
	digest_of(other, 1 << 16, 1, same, &b);
	assert_memory_not_equal(digest, same, sizeof(same));
	body_close(&b);
}

/* Without a key there is no digest; from here on all others have one. */
static void
test_digest_needs_its_key(void **state)
{
	uint8_t key[DIGEST_KEY_SIZE] = { 1, 2, 3 };
	const struct slice one = SLICE("Date: x\r\n\r\nabc\r\n" END);
	uint8_t none[BODY_DIGEST_SIZE], digest[BODY_DIGEST_SIZE];
	uint8_t other[BODY_DIGEST_SIZE];
	struct body b;

	(void)state;
	digest_of(one, one.size, 1, none, &b);
	assert_false(b.has_digest);
	body_close(&b);
	assert_true(digest_set_key(key));
	digest_of(one, one.size, 1, digest, &b);
	assert_true(b.has_digest);
	body_close(&b);
	assert_memory_not_equal(none, digest, sizeof(digest));
	key[DIGEST_KEY_SIZE - 1] = 1;
	assert_true(digest_set_key(key));
	digest_of(one, one.size, 1, other, &b);
	body_close(&b);
	assert_memory_not_equal(other, digest, sizeof(digest));
}

static const struct header_case {
	struct slice wire;
	bool has_date;
} header_cases[] = {
	{ WIRE("Date: x\r\n.\r\n"), true },
	{ WIRE("\r\nDate: x\r\n.\r\n"), false },
	{ WIRE("A: b\r\n\r\nDate: x\r\n.\r\n"), false },
	{ WIRE("no field\r\nDate: x\r\n.\r\n"), false },
	{ WIRE(".\r\n"), false },
	{ WIRE("\r\n.\r\n"), false },
};

static void
test_header_ends(void **state)
{
	uint8_t digest[BODY_DIGEST_SIZE];
	struct body b;
	size_t i, cut;

	(void)state;
	for (i = 0; i < N_CASES(header_cases); i++) {
		for (cut = 1; cut <= header_cases[i].wire.size; cut++) {
			digest_of(header_cases[i].wire, cut, 1, digest, &b);
			assert_int_equal(b.header.has_date,
			    header_cases[i].has_date);
			body_close(&b);
		}
	}
}

static bool
may_grow_to_4(void *arg, uint64_t size_bytes)
{
	(void)arg;
	return size_bytes <= 4;
}

static void
test_limits(void **state)
{
	struct body_limits small = limits;
	const struct slice wire = SLICE("12345678\r\n.\r\n");
	struct body b;

	(void)state;
	small.max_bytes = 8;
	assert_int_equal(body_open(&b, &small, "test"), 0);
	assert_int_equal(feed(&b, wire, 3, 3), 0);
	assert_int_equal(b.faults, BODY_TOO_LARGE);
	body_close(&b);
	small.max_bytes = 9;
	small.may_grow = may_grow_to_4;
	assert_int_equal(body_open(&b, &small, "test"), 0);
	assert_int_equal(feed(&b, wire, 3, 3), 0);
	assert_int_equal(b.faults, BODY_NO_ROOM);
	body_close(&b);
	small.may_grow = NULL;
	small.drain_bytes = 5;
	assert_int_equal(body_open(&b, &small, "test"), 0);
	body_take_data(&b, wire.data, 6);
	assert_int_equal(b.faults, BODY_ENDLESS);
	body_close(&b);
}

static void
test_long_line(void **state)
{
	static char line[BODY_LINE_MAX + 1];
	struct body_limits large = limits;
	struct body b;
	size_t n;

	(void)state;
	memset(line, 'x', sizeof(line));
	large.max_bytes = 0;
	for (n = 0; n < 2; n++) {
		assert_int_equal(body_open(&b, &large, "test"), 0);
		body_take_data(&b, line, BODY_LINE_MAX - 1);
		body_take_data(&b, line, 1 + n);
		body_take_data(&b, END, 5);
		assert_true(body_has_ended(&b));
		assert_int_equal(b.faults, n == 0 ? 0 : BODY_LONG_LINE);
		body_close(&b);
	}
}

/* A header over the limit: what was seen counts, the digest is the same. */
static void
test_header_limit(void **state)
{
	struct body_limits small = limits;
	const struct slice wire = SLICE("Date: x\r\nReceived: from a\r\n"
	    "Message-ID: <1@a>\r\n\r\nbody\r\n.\r\n");
	uint8_t digest[BODY_DIGEST_SIZE], same[BODY_DIGEST_SIZE];
	struct body b;
	size_t cut;
	int fd;

	(void)state;
	small.header_bytes = 20;
	for (cut = 1; cut <= wire.size; cut++) {
		assert_int_equal(body_open(&b, &small, "test"), 0);
		assert_int_equal(feed(&b, wire, cut, 1), 0);
		assert_true(b.header.has_date && !b.header.has_message_id);
		assert_int_equal(body_finish_digest(&b,
		    cut == 1 ? digest : same), 0);
		fd = body_hand_out(&b);
		assert_true(fd >= 0);
		close(fd);
		if (cut > 1)
			assert_memory_equal(digest, same, sizeof(same));
		body_close(&b);
	}
}

/* Held up to BODY_HELD_MAX, then in a memfd; the same octets either way. */
static void
test_held(void **state)
{
	static char wire[2 * BODY_HELD_MAX], stored[2 * BODY_HELD_MAX];
	uint8_t digest[BODY_DIGEST_SIZE];
	struct body b;
	int fd;

	(void)state;
	for (size_t size = BODY_HELD_MAX - 2; size < BODY_HELD_MAX + 3; size++) {
		memset(wire, 'a', size - 1);
		memcpy(wire + size - 1, END, sizeof(END));
		for (size_t piece = 1000; piece < 20000; piece += 9500) {
			assert_int_equal(body_open(&b, &limits, "test"), 0);
			feed(&b, (struct slice){ wire, size - 1 +
			    sizeof(END) - 1 }, piece, piece);
			assert_true(body_has_ended(&b));
			assert_int_equal(b.size_bytes, size);
			assert_int_equal(body_finish_digest(&b, digest), 0);
			assert_int_equal(body_held(&b).size,
			    size <= BODY_HELD_MAX ? size : 0);
			fd = body_hand_out(&b);
			assert_int_equal(pread(fd, stored, sizeof(stored), 0),
			    size);
			assert_memory_equal(stored, wire, size - 1);
			assert_int_equal(stored[size - 1], '\n');
			assert_int_equal(write(fd, "x", 1), -1);
			close(fd);
			body_close(&b);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest_needs_its_key),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_normalized),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_chunks_normalized),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_header_ends),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_header_limit),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
