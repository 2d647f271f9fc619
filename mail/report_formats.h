/* SPDX-License-Identifier: ISC */
/*
 * report_formats.h - the words by which mail systems can be told apart.
 */
#ifndef POSTERN_MAIL_REPORT_FORMATS_H
#define POSTERN_MAIL_REPORT_FORMATS_H

#include <stdbool.h>
#include "report.h"

/* The mail system that writes this line into its bounces; NULL: none. */
const char *report_format_of_line(struct slice line);
/* Is it a subject of bounces? A generic one, so no name. */
bool report_is_subject(struct slice subject);
/* Does this line announce a returned message, or its header? */
bool report_announces(struct slice line);
/* Is it an author of bounces (From: MAILER-DAEMON, postmaster@..., <>), and
 * of nothing else? A postmaster may be a person. */
enum report_author { REPORT_PERSON, REPORT_POSTMASTER, REPORT_DAEMON };
enum report_author report_author(struct slice from);
/* Is it the name of a service (multipart/report's report-type, or the type of
 * a part) of another kind than a bounce? Else REPORT_NONE. */
enum report_kind report_kind_of_type(const char *type);

#endif
