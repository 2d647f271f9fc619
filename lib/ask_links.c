/* SPDX-License-Identifier: ISC */
/*
 * ask_links.c - who may ask whom; see ask.h. The supervisor makes a channel
 * for each row and instance, and for nothing else.
 */
#include "ask.h"

const struct ask_link ask_links[] = {
	{ ROLE_SMTPD, ROLE_DIRECTORY },
	{ ROLE_SMTPD, ROLE_DELIVER },
	{ ROLE_SMTPD, ROLE_STORE },
	{ ROLE_SMTPD, ROLE_VAULT },
	{ ROLE_SMTPD, ROLE_POLICY },
	{ ROLE_SMTPD, ROLE_RESOLVER },
	{ ROLE_STORE, ROLE_DELIVER },
	{ ROLE_CONTROL, ROLE_DIRECTORY },
	{ ROLE_CONTROL, ROLE_STORE },
	{ ROLE_CONTROL, ROLE_POLICY },
	{ ROLE_CONTROL, ROLE_RESOLVER },
};
const size_t ask_n_links = sizeof ask_links / sizeof *ask_links;
