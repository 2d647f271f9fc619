/* SPDX-License-Identifier: ISC */
/*
 * seven_bit.h - a message for a host that does not take 8 bits
 * (RFC 6152 3, RFC 2045).
 *
 * Each part with octets above 127 is encoded anew: text as quoted-printable,
 * the rest as base64; its Content-Transfer-Encoding is replaced, that of what
 * encloses it becomes 7bit. A message without MIME fields gets them. What
 * may not be changed (multipart/signed, an encrypted part's own structure,
 * octets above 127 in a header, a structure that is ambiguous) is not
 * converted at all. A DKIM signature over the body does not survive.
 *
 * The message is mapped, not read; one part is looked at twice. For this
 * folder only.
 */
#ifndef RELAY_SEVEN_BIT_H
#define RELAY_SEVEN_BIT_H

#include <stdbool.h>
#include <sys/types.h>
#include "encoder.h"

struct seven_bit;

/*
 * 0; -EBADMSG: it cannot be converted, *why says it in words; or another
 * negative errno. The source must outlive it.
 */
int seven_bit_new(struct seven_bit **s, const struct encoder_source *source,
    const char **why);
void seven_bit_free(struct seven_bit **s);
/* Whether there were no octets above 127 in the first place. */
bool seven_bit_was_ascii(const struct seven_bit *s);
/* 0: every header, of the message, of its parts and what goes on top, is
 * ASCII; nothing in it wants SMTPUTF8 (RFC 6531 1.1). -EBADMSG: not, or that
 * is not clear; another negative errno: it cannot be read. */
int seven_bit_check_headers(const struct encoder_source *source);
/* The converted text with LF lines: octets, or 0 at its end. */
ssize_t seven_bit_next(struct seven_bit *s, char *to, size_t room);

#endif
