/* SPDX-License-Identifier: ISC */
/*
 * dkim_report.h - a report as the text that one check hands to the others.
 *
 * check_dkim puts it as the result "dkim"; DMARC and Authentication-Results
 * read it. "IGNORED\n", then for each signature its fields in a line:
 *
 *	pass TAB example.org TAB sel TAB AbCd1234 TAB rsa-sha256 TAB 2048
 *	    TAB - TAB
 *
 * The last is "t" for a key in testing, and then the reason. Pure.
 */
#ifndef POSTERN_POLICY_DKIM_REPORT_H
#define POSTERN_POLICY_DKIM_REPORT_H

#include "dkim.h"

/* 0, -ENOBUFS, -ENOMEM. */
int put_dkim_report(struct buf *to, const struct dkim_report *report);
/* False for anything that put_dkim_report does not write. */
bool get_dkim_report(struct slice from, struct dkim_report *report);

#endif
