/* SPDX-License-Identifier: ISC */
/*
 * author.h - the domain in whose name a message speaks: its From field.
 *
 * DMARC protects what a reader sees as the author (RFC 7489 3.1), and
 * readers' programs differ in what they make of a message with several or
 * broken From fields. So there must be exactly one From field, and all
 * addresses in it must be of one domain; anything else has a result that
 * says what is wrong, and the caller refuses it. Pure.
 */
#ifndef POSTERN_AUTHOR_H
#define POSTERN_AUTHOR_H

#include "address.h"
#include "buf.h"

enum author_result {
	AUTHOR_OK,
	AUTHOR_NO_FIELD,
	AUTHOR_SEVERAL_FIELDS,	/* also one behind a line that is no field:
				 * some programs read on there */
	AUTHOR_NO_DOMAIN,	/* "<>", "MAILER-DAEMON", "a@[192.0.2.1]" */
	AUTHOR_SEVERAL_DOMAINS,
	AUTHOR_BAD_SYNTAX,
};

/*
 * Of a message with LF line ends, or of as much of it as holds the header.
 * The domain is as address_parse_domain writes it; "" unless AUTHOR_OK.
 */
enum author_result author_find(struct slice message,
    char domain[ADDRESS_DOMAIN_MAX + 1]);
/* The same of one From field's value (RFC 5322 3.6.2, RFC 6854, 4.4). */
enum author_result author_of_field(struct slice value,
    char domain[ADDRESS_DOMAIN_MAX + 1]);
/* "has no From field" and so on, to follow "The message ". */
const char *author_problem(enum author_result result);

#endif
