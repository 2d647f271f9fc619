/* SPDX-License-Identifier: ISC */
/*
 * program_verdict.c - see program_verdict.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "program_verdict.h"
#include "reply.h"

#define LINE_MAX_SIZE 201

/* The first line with something in it. */
static void
first_line(char to[LINE_MAX_SIZE], struct slice output)
{
	*to = '\0';
	while (*to == '\0' && output.size > 0)
		reply_clean(to, LINE_MAX_SIZE,
		    slice_trim(slice_next_line(&output)), false);
}

static void
describe(char told[PROGRAM_TOLD_MAX], const struct run_answer *a,
    const char *line, const struct config_program *config)
{
	const char *between = *line ? ": " : "";
	int status = (int)a->status;

	switch (a->end) {
	case RUN_EXITED:
		snprintf(told, PROGRAM_TOLD_MAX, "exit %d%s%s%s", status,
		    a->has_left ? ", what it left running was killed" : "",
		    between, line);
		break;
	case RUN_KILLED:
		snprintf(told, PROGRAM_TOLD_MAX, "killed by signal %d (%s)"
		    "%s%s", status, strsignal(status), between, line);
		break;
	case RUN_TIMED_OUT:
		snprintf(told, PROGRAM_TOLD_MAX, "still running after %u s "
		    "(program_timeout): killed%s%s", config->timeout_s,
		    between, line);
		break;
	case RUN_FLOODED:
		snprintf(told, PROGRAM_TOLD_MAX, "wrote more than %llu octets "
		    "(program_output): killed%s%s",
		    (unsigned long long)config->output_bytes, between, line);
		break;
	case RUN_NOT_STARTED:
		snprintf(told, PROGRAM_TOLD_MAX, "it cannot be run: %s",
		    strerror(status));
		break;
	case RUN_LOST:
		snprintf(told, PROGRAM_TOLD_MAX, "the process that watched "
		    "it has died: killed");
		break;
	}
}

static bool
is_refusal(const struct config_program *config, uint32_t status)
{
	for (size_t i = 0; i < config->refuses.n; i++)
		if (strtoul(config->refuses.items[i], NULL, 10) == status)
			return true;
	return false;
}

/* RFC 3463 codes for those of sysexits.h that have one. */
static void
refuse(struct verdict *v, uint32_t status, const char *line)
{
	int subject = status == EX_NOPERM ? 7 : 3;
	int detail = status == EX_NOPERM ? 1 : 0;

	verdict_set(v, 550, subject, detail, "%s", *line ? line :
	    "the program that gets this address's mail refuses the message");
}

void
program_verdict(struct verdict *v, char told[PROGRAM_TOLD_MAX],
    const struct run_answer *answer, const struct config_program *config)
{
	const struct run_answer lost = { .end = RUN_LOST };
	const struct run_answer *a = answer ? answer : &lost;
	bool has_exited = a->end == RUN_EXITED;
	char line[LINE_MAX_SIZE];

	first_line(line, a->output);
	describe(told, a, line, config);
	if (has_exited && a->status == 0)
		*v = (struct verdict){ 0 };
	else if (has_exited && a->status == EX_NOUSER)
		verdict_set(v, 550, 1, 1, "no such mailbox here");
	else if (has_exited && is_refusal(config, a->status))
		refuse(v, a->status, line);
	else
		verdict_set(v, 451, 3, 0, "the program that gets this "
		    "address's mail failed; try again later");
}
