/* SPDX-License-Identifier: ISC */
/*
 * mime_text.h - values of parameters, decoded; for mail/mime_*.c only.
 */
#ifndef POSTERN_MAIL_MIME_TEXT_H
#define POSTERN_MAIL_MIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

enum text_charset { TEXT_PLAIN, TEXT_LATIN1, TEXT_UTF7, TEXT_ISO2022, TEXT_HZ,
	TEXT_EBCDIC };

/* Text that is put together; always terminated, cut at room. */
struct text_out {
	char *to;
	size_t room, size;
	bool keeps_end;			/* cut in its middle instead */
	enum text_charset charset;	/* of the octets from here on */
	unsigned state, bits, n_bits;	/* within it */
};

/* A parameter as it stands; zero it before the first. */
struct mime_raw {
	struct slice name, value;	/* value with its quotes */
	size_t at;
	bool ignores_quotes;
};
bool mime_raw_next(struct slice value, struct mime_raw *raw);

/* One octet of the charset that was set, control octets left out. */
void mime_put_octet(struct text_out *out, char c);
void mime_set_charset(struct text_out *out, struct slice charset);
/* A value without its quotes and backslashes. */
void mime_put_value(struct text_out *out, struct slice value);
/* A piece of RFC 2231; the first may begin with CHARSET'LANGUAGE'. */
void mime_put_piece(struct text_out *out, struct slice value,
    bool is_encoded, bool has_charset);
/* All pieces of a parameter, in order; generously: also behind one that is
 * missing, the last of two of a number, and all of them decoded if one is
 * encoded. False: there is none. */
bool mime_pieces(struct slice value, const char *name, bool is_generous,
    struct text_out *out);
/* Of a digit of base64; -1: it is none. */
int mime_base64_value(char c);

#endif
