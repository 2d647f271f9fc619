/* SPDX-License-Identifier: ISC */
/*
 * dkim_report.c - see dkim_report.h.
 */
#include <limits.h>
#include <string.h>
#include "dkim_report.h"

int
put_dkim_report(struct buf *to, const struct dkim_report *report)
{
	int error = buf_printf(to, "%u\n", report->n_ignored);

	for (unsigned i = 0; i < report->n_results && error == 0; i++) {
		const struct dkim_result *r = &report->results[i];

		error = buf_printf(to, "%s\t%s\t%s\t%s\t%s\t%u\t%s\t%s\n",
		    dkim_status_name(r->status), r->domain, r->selector,
		    r->signature, r->algorithm, r->key_bits,
		    r->is_testing ? "t" : "-", r->reason);
	}
	return error;
}

/* Take what stands before the separator off *rest; false without one. */
static bool
take(struct slice *rest, char separator, struct slice *part)
{
	size_t end = slice_find(*rest, separator);

	if (end == rest->size)
		return false;
	*part = (struct slice){ rest->data, end };
	*rest = (struct slice){ rest->data + end + 1, rest->size - end - 1 };
	return true;
}

static bool
take_number(struct slice *rest, char separator, unsigned *number)
{
	struct slice part;
	unsigned long long n;

	if (!take(rest, separator, &part) ||
	    !slice_number(part, UINT_MAX, &n))
		return false;
	*number = (unsigned)n;
	return true;
}

static bool
take_status(struct slice *rest, enum dkim_status *status)
{
	struct slice part;

	if (!take(rest, '\t', &part))
		return false;
	for (int s = DKIM_NEUTRAL; s <= DKIM_PERMERROR; s++)
		if (slice_equals(part,
		    slice_of(dkim_status_name((enum dkim_status)s)))) {
			*status = (enum dkim_status)s;
			return true;
		}
	return false;
}

static bool
take_text(struct slice *rest, char separator, char *to, size_t room)
{
	struct slice part;

	return take(rest, separator, &part) && slice_copy(to, room, part);
}

static bool
take_result(struct slice *rest, struct dkim_result *r)
{
	char flags[2];

	if (!take_status(rest, &r->status) ||
	    !take_text(rest, '\t', r->domain, sizeof(r->domain)) ||
	    !take_text(rest, '\t', r->selector, sizeof(r->selector)) ||
	    !take_text(rest, '\t', r->signature, sizeof(r->signature)) ||
	    !take_text(rest, '\t', r->algorithm, sizeof(r->algorithm)) ||
	    !take_number(rest, '\t', &r->key_bits) ||
	    !take_text(rest, '\t', flags, sizeof(flags)) ||
	    !take_text(rest, '\n', r->reason, sizeof(r->reason)))
		return false;
	r->is_testing = *flags == 't';
	return true;
}

bool
get_dkim_report(struct slice from, struct dkim_report *report)
{
	memset(report, 0, sizeof(*report));
	if (!take_number(&from, '\n', &report->n_ignored))
		return false;
	while (from.size > 0)
		if (report->n_results == DKIM_SIGNATURES_MAX ||
		    !take_result(&from,
		    &report->results[report->n_results++]))
			return false;
	return true;
}
