/* SPDX-License-Identifier: ISC */
/*
 * fuzz_relay.c - input: flags (1 octet: size of the pieces, LMTP, probe,
 * TLS), then all that a server says. Whatever that is: each recipient has at most
 * one result with a code that a queue can act on; 250 only after the end of
 * the message was sent, or as the reply to a probe, which never sends one;
 * nothing is sent but commands and the message; in LMTP nobody has what was
 * said to another.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../relay/dialogue.h"
#include "require.h"

#define N 3

static const char text[] = "Subject: x\n\n.dot\nend";

static void
check_result(const struct errand_recipient *r, bool is_probe, bool had_end)
{
	if (r->state != ERRAND_SETTLED)
		return;
	REQUIRE(r->verdict.code == 250 || (r->verdict.code >= 400 &&
	    r->verdict.code <= 599));
	REQUIRE(r->verdict.code != 250 || (is_probe ? r->is_said : had_end));
	REQUIRE(!is_probe || !had_end);
	REQUIRE(!has_control_octet(slice_of(r->verdict.text)));
	REQUIRE(r->verdict.text[0] != '\0');
}

static void
go_on(struct dialogue *d, struct errand *errand, bool *had_end)
{
	unsigned turns = 0;

	do {
		*had_end |= d->has_sent_end;
		buf_free(&d->out);
		if (d->phase == DIALOGUE_HANDSHAKE)
			dialogue_secured(d);
		if (d->phase == DIALOGUE_READY && d->errand == NULL &&
		    d->n_deliveries == 0)
			dialogue_deliver(d, errand);
		REQUIRE(++turns < 100);
	} while (dialogue_pump(d) || d->out.size > 0);
	*had_end |= d->has_sent_end;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char address[] = "r@y", none[] = "", from[] = "s@x";
	struct errand_recipient recipients[N] = { { 0 } };
	struct errand errand = { .reverse_path = from, .envid = none,
		.recipients = recipients, .n_recipients = N };
	struct dialogue_settings settings = { .hostname = "me.example",
		.user = NULL, .password = "p" };
	static int fd = -1;
	struct dialogue d;
	bool had_end = false;
	size_t piece;

	if (size < 1)
		return 0;
	if (fd < 0) {
		fd = memfd_create("m", MFD_CLOEXEC);
		REQUIRE(write(fd, text, sizeof text - 1) ==
		    sizeof text - 1);
	}
	errand.source = (struct encoder_source){ .fd = fd,
	    .size = sizeof text - 1 };
	errand.is_probe = data[0] & 32;
	errand.is_8bit = (data[0] & 64) && !errand.is_probe;
	settings.wants_tls = data[0] & 128;
	settings.user = (data[0] & 192) == 192 ? "u" : NULL;
	settings.is_lmtp = data[0] & 16;
	piece = (data[0] & 15) + 1u;
	for (unsigned i = 0; i < N; i++)
		recipients[i] = (struct errand_recipient){ .address = address,
			.orcpt = none };
	dialogue_start(&d, &settings);
	for (size_t at = 1; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		dialogue_input(&d, (struct slice){ (const char *)data + at,
		    n });
		go_on(&d, &errand, &had_end);
	}
	dialogue_lost(&d, "closed");
	for (unsigned i = 0; i < N; i++)
		check_result(&recipients[i], errand.is_probe, had_end);
	REQUIRE(d.phase == DIALOGUE_OVER);
	dialogue_free(&d);
	return 0;
}
