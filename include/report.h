/* SPDX-License-Identifier: ISC */
/*
 * report.h - is this message a bounce, and what does it return?
 *
 * A bounce says that mail was not delivered, late, or (RFC 3464) delivered.
 * Every mail system of fifty years has its own way to write one; what counts
 * here is only what proves that it returns mail of ours (DESIGN 8): the
 * Message-ID of the original, the recipients reported on, and the id in our
 * own Received field. Each of them is a guess about hostile text: store or
 * vault must know it before it is worth anything.
 *
 * Read are the parts of RFC 3464, 3462 and 6533 where they are, and any text
 * in which a header of a message stands, behind one of the lines that mail
 * systems put before it or not (the table of mail/report_formats.c). One
 * pass over the message; of the texts in it REPORT_TEXT_MAX octets are read,
 * of fields and lines their first REPORT_LINE_MAX. Pure; nothing is
 * allocated.
 */
#ifndef POSTERN_REPORT_H
#define POSTERN_REPORT_H

#include <stdbool.h>
#include "buf.h"
#include "message_id.h"

#define REPORT_LINE_MAX 2000
#define REPORT_TEXT_MAX (256u * 1024)	/* of all parts */
#define REPORT_ID_MAX MESSAGE_ID_MAX
#define REPORT_ADDRESS_MAX 321		/* of a recipient, terminated */
#define REPORT_TRACE_MAX 80
#define REPORT_RECIPIENTS_MAX 16
#define REPORT_TRACES_MAX 3

enum report_kind {
	REPORT_NONE,		/* a message like others */
	REPORT_BOUNCE,
	REPORT_FEEDBACK,	/* a complaint, RFC 5965 */
	REPORT_RECEIPT,		/* RFC 8098 */
	REPORT_STATISTICS,	/* of DMARC or TLS, RFC 7489, 8460 */
	REPORT_CALENDAR,	/* RFC 6047 */
	REPORT_KIND_COUNT
};

/* What is said of the recipients: the worst of it (RFC 3464 2.3.3). */
enum report_action {
	REPORT_UNTOLD,		/* nothing that can be read: taken as failed */
	REPORT_DELIVERED,	/* also relayed, expanded */
	REPORT_DELAYED,
	REPORT_FAILED,
};

/* Where the original's header was found. */
enum report_where {
	REPORT_NOWHERE,
	REPORT_IN_TEXT,		/* in a text, by its looks */
	REPORT_BEHIND_LINE,	/* in a text, behind a line that announces it */
	REPORT_IN_PART,		/* text/rfc822-headers, message/rfc822 */
};

struct report {
	enum report_kind kind;
	const char *format;	/* "rfc3464", "qmail"; "" if it is none */
	enum report_action action;
	enum report_where where;
	char message_id[REPORT_ID_MAX];		/* without <>; "" if none */
	/* The first n_told ones are those of delivery-status fields and of
	 * X-Failed-Recipients; the others stand in the returned header or in
	 * the text, and may be anybody. */
	unsigned n_told, n_recipients;
	char recipients[REPORT_RECIPIENTS_MAX][REPORT_ADDRESS_MAX];
	unsigned n_traces;	/* ids of the shape of ours */
	char traces[REPORT_TRACES_MAX][REPORT_TRACE_MAX];
};

/* Does this field of its header let a message with a reverse-path be a
 * bounce? Where none does report_read finds none. */
bool report_is_hint(struct slice name, struct slice value);
/*
 * Read a whole message (LF lines). Without a null reverse-path it takes more
 * to be a bounce: a delivery-status part, or a mailer-daemon as its author.
 */
void report_read(struct report *report, struct slice message,
    bool has_null_reverse_path);

const char *report_kind_name(enum report_kind kind);
const char *report_where_name(enum report_where where);

#endif
