/* SPDX-License-Identifier: ISC */
/*
 * clamd.c - see clamd.h.
 */
#include "clamd.h"
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

enum clamd_result
clamd_read(struct slice input, char *name)
{
	size_t end = slice_find(input, '\0');
	struct slice answer = slice_first(input, end), what;

	name[0] = '\0';
	if (end == input.size)
		return end >= CLAMD_ANSWER_MAX ? CLAMD_RUBBISH : CLAMD_MORE;
	if (end + 1 != input.size || end >= CLAMD_ANSWER_MAX ||
	    has_control(answer))
		return CLAMD_RUBBISH;
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
