/* SPDX-License-Identifier: ISC */
/*
 * report_text.h - headers and delivery-status fields in lines of text.
 *
 *	lines --> runs of fields ("NAME: value", folded) --> what is it?
 *		 a header of a message: the original's, if none was better
 *		 delivery-status fields: recipients and what became of them
 *		 neither: nothing, as the header of a MIME part
 *
 * Runs may be indented or quoted, each line alike. What lines say that are
 * no fields: who wrote this, and that a header follows.
 */
#ifndef POSTERN_MAIL_REPORT_TEXT_H
#define POSTERN_MAIL_REPORT_TEXT_H

#include <stdint.h>
#include "mime.h"
#include "report.h"

#define REPORT_PREFIX_MAX 16
#define REPORT_NAME_MAX 40

struct report_names {
	unsigned n;
	char names[REPORT_RECIPIENTS_MAX][REPORT_ADDRESS_MAX];
};

/* One run of fields. */
struct report_run {
	bool is_open;
	unsigned marks;			/* what kinds of fields it has */
	char message_id[REPORT_ID_MAX];
	struct report_names told, named;
	unsigned n_traces;
	char traces[REPORT_TRACES_MAX][REPORT_TRACE_MAX];
	enum report_action action;
};

struct report_text {
	struct report *report;
	enum report_where where;	/* of the text, if not behind a line */
	bool is_announced;		/* a line did */
	bool is_found;			/* in this text: the rest is a body */
	size_t n_left;			/* octets that may still be read */
	struct report_names told, named, seen;
	struct report_run run;
	/* the field that may go on */
	char name[REPORT_NAME_MAX], value[REPORT_LINE_MAX];
	size_t name_size, value_size;
	char prefix[REPORT_PREFIX_MAX];
	size_t prefix_size;
	/* the line that is being put together */
	char line[REPORT_LINE_MAX];
	size_t line_size;
};

void report_text_start(struct report_text *text, struct report *report);
/* The header of the message that is returned. */
void report_text_header(struct report_text *text, struct slice header);
/* The body of a part; where is that of a header which it begins with. */
void report_text_body(struct report_text *text, const struct mime_part *part,
    enum report_where where);
/* A field of the report's own header that names failed recipients. */
void report_text_told(struct report_text *text, struct slice value);
/* Write recipients into the report: those told, named, seen, in this order. */
void report_text_end(struct report_text *text);

#endif
