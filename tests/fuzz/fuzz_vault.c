/* SPDX-License-Identifier: ISC */
/*
 * fuzz_vault.c - what smtpd may ask of vault, and what vault answers.
 * Whatever decodes encodes to the same again; whatever would be signed
 * begins as a TLS server's signature does, and is not longer.
 */
#include "ask.h"
#include "require.h"

static void
check_sign(const uint8_t *data, size_t size, const struct vault_sign *q)
{
	static struct ipc_writer w;

	REQUIRE(q->key.index < CONFIG_MAX_TLS);
	REQUIRE(q->data.size > 0 && q->data.size <= TLS_SIGNED_MAX);
	REQUIRE(is_within(q->data, (struct slice){ (const char *)data,
	    size }));
	ipc_writer_init(&w);
	put_vault_sign(&w, q);
	REQUIRE(!w.failed && w.size == size &&
	    memcmp(w.data, data, size) == 0);
}

static void
check_signed(struct slice data)
{
	if (!tls_is_signed_by_server(data))
		return;
	REQUIRE(data.size >= 100 && data.size <= 165);
	REQUIRE(data.data[64] == 3 ||
	    memcmp(data.data + 64, "TLS 1.3, server", 15) == 0);
}

/* Forwards: by relay, and by smtpd. */
static void
check_forwards(const uint8_t *data, size_t size)
{
	static struct ipc_writer w;
	const struct slice all = { (const char *)data, size };
	struct vault_srs_checked checked;
	struct vault_srs_check check;
	struct ipc_reader r;
	struct vault_srs q;

	ipc_reader_init(&r, data, size);
	if (get_vault_srs(&r, &q)) {
		REQUIRE(is_within(q.reverse_path, all) &&
		    !has_control_octet(q.reverse_path));
		ipc_writer_init(&w);
		put_vault_srs(&w, &q);
		REQUIRE(!w.failed && w.size == size);
	}
	ipc_reader_init(&r, data, size);
	if (get_vault_srs_check(&r, &check))
		REQUIRE(is_within(check.recipient, all) &&
		    !has_control_octet(check.session));
	ipc_reader_init(&r, data, size);
	if (get_vault_srs_checked(&r, &checked))
		REQUIRE(checked.result < SRS_RESULT_COUNT &&
		    !has_control_octet(checked.original));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice signature;
	struct vault_sign q;
	struct ipc_reader r;

	if (size > IPC_PAYLOAD_MAX)
		return 0;
	check_signed((struct slice){ (const char *)data, size });
	check_forwards(data, size);
	ipc_reader_init(&r, data, size);
	if (get_vault_sign(&r, &q)) {
		check_sign(data, size, &q);
		check_signed(q.data);
	}
	ipc_reader_init(&r, data, size);
	if (get_vault_signature(&r, &signature))
		REQUIRE(signature.size <= TLS_SIGNATURE_MAX);
	return 0;
}
