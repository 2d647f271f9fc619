/* SPDX-License-Identifier: ISC */
/*
 * fuzz_forward.c - any octets as a sealed next hop, and as what smtpd and
 * relay say of it to each other: what is taken is safe to put into a command
 * or a reply, and comes back the same.
 */
#include "ask.h"
#include "require.h"

static void
check_route(struct slice sealed)
{
	static const uint8_t secret[32] = { 7 };
	struct hop_route route, same;
	struct buf again = { 0 };

	/* nobody guesses the seal */
	REQUIRE(hop_route_open(&route, sealed, secret) != 0);
	if (hop_route_open(&route, sealed, NULL) != 0)
		return;
	REQUIRE(!has_control_octet(route.address));
	REQUIRE(!has_control_octet(route.destination));
	REQUIRE(!has_control_octet(route.recipient));
	REQUIRE(is_within(route.address, sealed));
	REQUIRE(hop_route_seal(&again, &route, secret) == 0);
	REQUIRE(again.size == sealed.size);
	REQUIRE(hop_route_open(&same, buf_slice(&again), secret) == 0);
	REQUIRE(hop_route_is_same_hop(&route, &same));
	buf_free(&again);
}

static void
check_mail(const struct hop_mail *mail, struct slice whole)
{
	REQUIRE(!has_control_octet(mail->reverse_path));
	REQUIRE(mail->reverse_path.size < ASK_ADDRESS_MAX);
	REQUIRE(mail->reverse_path.size == 0 ||
	    is_within(mail->reverse_path, whole));
}

static void
check_questions(const uint8_t *data, size_t size)
{
	struct slice whole = { (const char *)data, size };
	struct ipc_reader r;
	struct hop_rcpt rcpt;
	struct hop_recipient recipient;
	struct hop_send send;

	ipc_reader_init(&r, data, size);
	if (get_hop_rcpt(&r, &rcpt))
		check_mail(&rcpt.mail, whole);
	ipc_reader_init(&r, data, size);
	if (get_hop_recipient(&r, &recipient))
		REQUIRE(recipient.sealed.size <= HOP_ROUTE_MAX_BYTES);
	ipc_reader_init(&r, data, size);
	if (!get_hop_send(&r, &send))
		return;
	check_mail(&send.mail, whole);
	REQUIRE(send.trace.size <= HOP_TRACE_MAX);
	REQUIRE(send.n_recipients > 0 &&
	    send.n_recipients <= HOP_RECIPIENTS_MAX);
}

static void
check_answers(const uint8_t *data, size_t size)
{
	static struct hop_sent sent;
	struct ipc_reader r;

	ipc_reader_init(&r, data, size);
	if (!get_hop_sent(&r, &sent))
		return;
	REQUIRE(sent.n > 0 && sent.n <= HOP_RECIPIENTS_MAX);
	REQUIRE(!has_control_octet(sent.remote_host));
	for (uint16_t i = 0; i < sent.n; i++) {
		const struct verdict *v = &sent.results[i].verdict;

		REQUIRE(v->code == 250 || (v->code >= 400 && v->code <= 599));
		REQUIRE(v->code != 250 ||
		    sent.results[i].stage == RELAY_AT_END);
		REQUIRE(!has_control_octet(slice_of(v->text)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > IPC_PAYLOAD_MAX)
		return 0;
	check_route((struct slice){ (const char *)data, size });
	check_questions(data, size);
	check_answers(data, size);
	return 0;
}
