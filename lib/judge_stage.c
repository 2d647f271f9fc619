/* SPDX-License-Identifier: ISC */
/*
 * judge_stage.c - the stages by name, and which of them the configuration
 * asks for; see judge.h.
 */
#include "judge.h"

#define AT(stage) (1u << (stage))

/* The stages at which a check asks or is answered: policy's table. */
static const unsigned stages_of[CHECK_COUNT] = {
	[CHECK_HELO] = AT(JUDGE_MAIL),
	[CHECK_FCRDNS] = AT(JUDGE_HELO) | AT(JUDGE_MAIL),
	[CHECK_SENDER_DOMAIN] = AT(JUDGE_MAIL),
	[CHECK_SPF] = AT(JUDGE_MAIL) | AT(JUDGE_DATA),
	[CHECK_DNSBL] = AT(JUDGE_HELO) | AT(JUDGE_RCPT),
	/* at MAIL, SPF runs for it */
	[CHECK_GREYLIST] = AT(JUDGE_MAIL) | AT(JUDGE_RCPT) | AT(JUDGE_DATA),
	[CHECK_DATE] = AT(JUDGE_DATA),
	[CHECK_FROM] = AT(JUDGE_DATA),
	[CHECK_DKIM] = AT(JUDGE_DATA),
	[CHECK_DMARC] = AT(JUDGE_MAIL) | AT(JUDGE_DATA),
	[CHECK_CONTENT] = AT(JUDGE_DATA),
	[CHECK_ATTACHMENTS] = AT(JUDGE_DATA),
	/* CHECK_BOUNCE: at DATA, where smtpd finds that it may be one */
};

bool
judge_is_wanted(const struct config_checks *checks, enum judge_stage stage)
{
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (checks->actions[i] != ACTION_OFF &&
		    (stages_of[i] & AT(stage)) != 0)
			return true;
	return false;
}

const char *
judge_stage_name(enum judge_stage stage)
{
	static const char *const names[JUDGE_STAGES] = {
		[JUDGE_CONNECT] = "connect", [JUDGE_HELO] = "helo",
		[JUDGE_MAIL] = "mail", [JUDGE_RCPT] = "rcpt",
		[JUDGE_DATA] = "data",
	};

	return stage < JUDGE_STAGES ? names[stage] : "";
}
