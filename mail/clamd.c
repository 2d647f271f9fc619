/* SPDX-License-Identifier: ISC */
/*
 * clamd.c - see clamd.h.
 */
#include <stdio.h>
#include "clamd.h"
#include "mail_date.h"
#include "octets.h"
#include "reply.h"

/* "stream: " or "fd[NUMBER]: " off the front. */
static bool
take_subject(struct slice *answer)
{
	size_t n = 0;

	if (slice_starts_nocase(*answer, SLICE("stream: "))) {
		*answer = slice_after(*answer, 8);
		return true;
	}
	if (!slice_starts_nocase(*answer, SLICE("fd[")))
		return false;
	*answer = slice_after(*answer, 3);
	while (n < answer->size && is_digit(answer->data[n]))
		n++;
	if (n == 0 || n > 10 ||
	    !slice_starts_nocase(slice_after(*answer, n), SLICE("]: ")))
		return false;
	*answer = slice_after(*answer, n + 3);
	return true;
}

/* "NAME WORD" ends with this word, and there is a name. */
static bool
ends_in(struct slice answer, struct slice word, struct slice *name)
{
	if (answer.size <= word.size || !slice_equals(slice_after(answer,
	    answer.size - word.size), word))
		return false;
	*name = slice_first(answer, answer.size - word.size);
	return true;
}

/* One text with its NUL and nothing behind it; else *why. */
static bool
take_answer(struct slice input, struct slice *answer, enum clamd_result *why)
{
	size_t end = slice_find(input, '\0');

	*answer = slice_first(input, end);
	*why = end == input.size && end < CLAMD_ANSWER_MAX ? CLAMD_MORE :
	    CLAMD_RUBBISH;
	return end + 1 == input.size && end < CLAMD_ANSWER_MAX &&
	    !slice_has_control(*answer);
}

enum clamd_result
clamd_read(struct slice input, char *name)
{
	enum clamd_result why;
	struct slice answer, what;

	name[0] = '\0';
	if (!take_answer(input, &answer, &why))
		return why;
	/* "INSTREAM size limit exceeded. ERROR" has no subject. */
	if (ends_in(answer, SLICE(" ERROR"), &what)) {
		(void)take_subject(&what);
		reply_clean(name, CLAMD_NAME_MAX + 1, what, false);
		return CLAMD_ERROR;
	}
	if (!take_subject(&answer))
		return CLAMD_RUBBISH;
	if (slice_equals(answer, SLICE("OK")))
		return CLAMD_CLEAN;
	if (!ends_in(answer, SLICE(" FOUND"), &what))
		return CLAMD_RUBBISH;
	return reply_clean(name, CLAMD_NAME_MAX + 1, what, false) > 0 ?
	    CLAMD_FOUND : CLAMD_RUBBISH;
}

/* ---- VERSION ---- */

/* "Mon Jan  6 09:30:15 2025", as ctime(3) writes it: always 24 octets. */
static bool
is_ctime(struct slice text)
{
	static const char form[] = "Aaa Aaa _9 99:99:99 9999";

	if (text.size != sizeof form - 1)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (form[i] == 'A' || form[i] == 'a' ? !is_alpha(c) :
		    form[i] == '9' ? !is_digit(c) :
		    form[i] == '_' ? c != ' ' && !is_digit(c) : c != form[i])
			return false;
	}
	return true;
}

static bool
read_ctime(struct slice text, int64_t *when_s)
{
	char date[MAIL_DATE_SIZE];
	const char *at = text.data;

	if (!is_ctime(text))
		return false;
	snprintf(date, sizeof date, "%.3s, %.2s %.3s %.4s %.8s +0000", at,
	    at + 8, at + 4, at + 20, at + 11);
	return mail_date_parse(slice_of(date), when_s);
}

enum clamd_result
clamd_read_version(struct slice input, int64_t *made_s)
{
	static const char start[] = "ClamAV ";
	const size_t n = sizeof start - 1;
	unsigned long long number;
	enum clamd_result why;
	struct slice rest;
	size_t slash;

	*made_s = 0;
	if (!take_answer(input, &rest, &why))
		return why;
	if (rest.size <= n || !slice_equals(slice_first(rest, n),
	    SLICE(start)))
		return CLAMD_RUBBISH;
	slash = slice_find(rest, '/');
	if (slash == rest.size)
		return CLAMD_VERSION;
	rest = slice_after(rest, slash + 1);
	slash = slice_find(rest, '/');
	if (slash == rest.size || !slice_number(slice_first(rest, slash),
	    UINT32_MAX, &number) ||
	    !read_ctime(slice_after(rest, slash + 1), made_s))
		return CLAMD_RUBBISH;
	/* whoever has no time of it writes that of 1970 */
	if (*made_s < 1)
		*made_s = 1;
	return CLAMD_VERSION;
}
