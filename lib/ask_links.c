/* SPDX-License-Identifier: ISC */
/*
 * ask_links.c - who may ask whom; see ask.h. The supervisor makes a channel
 * for each row and instance, and for nothing else.
 */
#include "ask.h"

const struct ask_link ask_links[] = {
	{ ROLE_SMTPD, ROLE_DIRECTORY, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_DELIVER, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_STORE, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_VAULT, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_POLICY, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_RESOLVER, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_AUTH, ASK_KINDS_OWN },
	{ ROLE_SMTPD, ROLE_QUEUE, ASK_KINDS_ALL },
	{ ROLE_SMTPD, ROLE_RELAY, ASK_KIND(LISTEN_MX) },
	{ ROLE_STORE, ROLE_DELIVER, 0 },
	{ ROLE_QUEUE, ROLE_RELAY, 0 },
	{ ROLE_QUEUE, ROLE_DIRECTORY, 0 },
	{ ROLE_QUEUE, ROLE_DELIVER, 0 },
	{ ROLE_QUEUE, ROLE_STORE, 0 },
	{ ROLE_QUEUE, ROLE_VAULT, 0 },
	{ ROLE_RELAY, ROLE_RESOLVER, 0 },
	{ ROLE_RELAY, ROLE_STORE, 0 },
	{ ROLE_RELAY, ROLE_VAULT, 0 },
	{ ROLE_CONTROL, ROLE_DIRECTORY, 0 },
	{ ROLE_CONTROL, ROLE_STORE, 0 },
	{ ROLE_CONTROL, ROLE_VAULT, 0 },
	{ ROLE_CONTROL, ROLE_POLICY, 0 },
	{ ROLE_CONTROL, ROLE_RESOLVER, 0 },
	{ ROLE_CONTROL, ROLE_QUEUE, 0 },
	{ ROLE_CONTROL, ROLE_RELAY, 0 },
};
const size_t ask_n_links = sizeof ask_links / sizeof *ask_links;
