/* SPDX-License-Identifier: ISC */
/*
 * fuzz_milter.c - input: how large the pieces are (1 octet), then all that a
 * milter says through a whole session. Whatever that is: the dialogue ends,
 * what it changes is still one message with a header of well-formed fields,
 * and what it wants said can be said.
 */
#include <unistd.h>
#include "../../smtpd/milter_talk.h"
#include "header.h"
#include "require.h"
#include "sealed.h"

static const char text[] = "From: a@b\nX-A: one\nX-A: two\n\tfolded\n"
    "Subject: x\n\nHello.\n.\n";

static void
check_draft(struct draft *d)
{
	static char octets[1 << 21];
	struct header_walk walk;
	struct header_field field;
	enum header_step step;
	size_t n = 0;
	uint64_t size;
	int fd = draft_seal(d, "fuzz", &size);

	if (fd < 0)
		return;
	REQUIRE(size <= sizeof(octets) &&
	    pread(fd, octets, sizeof(octets), 0) == (ssize_t)size);
	close(fd);
	REQUIRE(size > 0 && octets[size - 1] == '\n');
	REQUIRE(memchr(octets, '\0', size) == NULL);
	REQUIRE(memchr(octets, '\r', size) == NULL);
	header_walk_start(&walk, (struct slice){ octets, size }, true);
	while ((step = header_next(&walk, &field)) == HEADER_FIELD)
		n++;
	REQUIRE(step == HEADER_END && n == d->n_fields);
}

static void
check_changes(const struct milter_changes *changes)
{
	REQUIRE(!has_control_octet(slice_of(changes->reason)));
	if (changes->sender != NULL)
		REQUIRE(!has_control_octet(slice_of(changes->sender)));
	for (size_t i = 0; i < changes->n_recipients; i++)
		REQUIRE(!has_control_octet(
		    slice_of(changes->recipients[i].address)));
}

static void
check_verdict(const struct verdict *v)
{
	REQUIRE(v->code >= 400 && v->code <= 599 && v->text[0] != '\0');
	for (const char *c = v->text; *c != '\0'; c++)
		REQUIRE(*c == '\n' || ((unsigned char)*c >= ' ' &&
		    *c != 0x7f));
}

/* One stage, with as much of the input as it takes. */
static void
stage_run(struct milter_talk *talk, enum talk_stage stage,
    struct slice *input, size_t piece, struct draft *draft)
{
	static struct milter_facts facts;
	static struct milter_changes changes;

	facts.client_ip = SLICE("192.0.2.1");
	facts.client_name = SLICE("[192.0.2.1]");
	facts.sender = SLICE("s@x");
	facts.sender_args = SLICE("SIZE=1 BODY=8BITMIME");
	memset(&changes, 0, sizeof(changes));
	talk_begin(talk, stage, &facts, draft, &changes);
	while (talk->state == TALK_WAITS) {
		struct slice part = *input;

		buf_free(&talk->out);
		talk_written(talk);
		if (talk->state != TALK_WAITS || talk->out.size > 0)
			continue;
		if (part.size > piece)
			part.size = piece;
		if (part.size == 0)
			break;
		*input = (struct slice){ input->data + part.size,
			input->size - part.size };
		talk_input(talk, part);
	}
	if (talk->state == TALK_REFUSED)
		check_verdict(&talk->verdict);
	if (talk->state == TALK_BROKEN)
		REQUIRE(talk->problem != NULL);
	check_changes(&changes);
	milter_changes_free(&changes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum talk_stage stages[] = { TALK_HELO, TALK_MAIL,
		TALK_RCPT, TALK_UNKNOWN, TALK_DATA, TALK_MESSAGE };
	static int fd = -1;
	struct slice input;
	struct milter_talk talk;
	struct draft draft;

	if (size == 0)
		return 0;
	if (fd < 0) {
		fd = sealed_create("fuzz");
		REQUIRE(write(fd, text, sizeof(text) - 1) ==
		    sizeof(text) - 1);
	}
	input = (struct slice){ (const char *)data + 1, size - 1 };
	talk_init(&talk, "unix:/m", DISPOSAL_JUNK + data[0] % 3);
	REQUIRE(draft_open(&draft, fd, sizeof(text) - 1, 1 << 20) == 0);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		stage_run(&talk, stages[i], &input, data[0] + 1u,
		    stages[i] == TALK_MESSAGE ? &draft : NULL);
		if (talk.state == TALK_BROKEN || talk.state == TALK_WAITS)
			break;
	}
	if (!talk.is_spoiled)
		check_draft(&draft);
	talk_end_transaction(&talk);
	talk_free(&talk);
	draft_close(&draft);
	return 0;
}
