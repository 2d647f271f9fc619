/* SPDX-License-Identifier: ISC */
/*
 * tags.c - see tags.h.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <unistd.h>
#include "big_endian.h"
#include "buf.h"
#include "sealed.h"
#include "tags.h"

int
tags_read(struct secrets *secrets, int fd)
{
	char text[SECRETS_FILE_MAX];
	struct secrets read;
	unsigned line;
	size_t size;
	int error = 0;

	if (!sealed_is_text(fd, &size) || size > sizeof text)
		return -EBADF;
	if (pread(fd, text, size, 0) != (ssize_t)size ||
	    !secrets_read(&read, (struct slice){ text, size }, &line))
		error = -EBADMSG;
	else
		*secrets = read;
	explicit_bzero(text, sizeof text);
	explicit_bzero(&read, sizeof read);
	return error;
}

bool
tags_make(const struct secrets *secrets, const struct vault_tag *q,
    uint32_t today, char to[ASK_ADDRESS_MAX])
{
	uint32_t off = q->day > today ? q->day - today : today - q->day;
	struct address a;

	if (secrets->n_batv == 0 || off > TAGS_DAYS_OFF ||
	    address_parse(&a, q->address, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return false;
	return batv_make(to, ASK_ADDRESS_MAX, &a, &secrets->batv[0], today) ||
	    slice_copy(to, ASK_ADDRESS_MAX, q->address);
}

bool
tags_check(const struct secrets *secrets, struct slice address,
    uint32_t today, enum batv_result *result, char *plain)
{
	struct address a;

	plain[0] = '\0';
	if (address_parse(&a, address, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return false;
	*result = batv_check(secrets->batv, secrets->n_batv, &a, today,
	    plain);
	return true;
}

void
tags_trace(const struct secrets *secrets, struct slice text,
    char to[TAGS_TRACE_SIZE + 1])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	uint64_t bits;

	to[0] = '\0';
	if (secrets->n_batv == 0 || HMAC(EVP_sha256(), secrets->trace,
	    sizeof secrets->trace, (const uint8_t *)text.data, text.size, mac,
	    &size) == NULL)
		return;
	bits = big_endian_get(mac, 8);
	for (size_t i = 0; i < TAGS_TRACE_SIZE; i++, bits <<= 5)
		to[i] = digits[bits >> 59];
	to[TAGS_TRACE_SIZE] = '\0';
}

/* The number behind the last '-' of text. */
static bool
read_day(struct slice text, uint32_t *day)
{
	unsigned long long number;
	size_t at = text.size;

	while (at > 0 && text.data[at - 1] != '-')
		at--;
	if (at == 0 || !slice_number((struct slice){ text.data + at,
	    text.size - at }, UINT32_MAX, &number))
		return false;
	*day = (uint32_t)number;
	return true;
}

bool
tags_is_trace(const struct secrets *secrets, const struct vault_trace *trace,
    uint32_t today)
{
	char mac[TAGS_TRACE_SIZE + 1];
	struct slice text = trace->id;
	struct buf source = { 0 };
	uint32_t day;
	bool is_ours;

	if (text.size <= TAGS_TRACE_SIZE + 1)
		return false;
	text.size -= TAGS_TRACE_SIZE + 1;
	if (text.data[text.size] != '-' || !read_day(text, &day) ||
	    day > today + 1 || today > day + TAGS_TRACE_DAYS ||
	    buf_append_slice(&source, text) < 0 ||
	    buf_puts(&source, "\n") < 0 ||
	    buf_append_slice(&source, trace->sender) < 0) {
		buf_free(&source);
		return false;
	}
	tags_trace(secrets, buf_slice(&source), mac);
	buf_free(&source);
	is_ours = mac[0] != '\0' && CRYPTO_memcmp(mac, text.data + text.size +
	    1, TAGS_TRACE_SIZE) == 0;
	return is_ours;
}
