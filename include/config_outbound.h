/* SPDX-License-Identifier: ISC */
/*
 * config_outbound.h - the configuration of our own users' mail: a part of
 * config.h, which includes it and says what holds for all of it.
 */
#ifndef POSTERN_CONFIG_OUTBOUND_H
#define POSTERN_CONFIG_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_MAX_DKIM 2048
#define CONFIG_DKIM_PER_DOMAIN 2	/* one RSA, one Ed25519 */

struct config_strings {		/* { "a", "b" } */
	char **items;
	size_t n;
};

struct config_sender {
	unsigned line;
	char *user;			/* as in a voucher */
	struct config_strings may;	/* addresses; "*@domain" is all */
};

struct config_submitter {
	unsigned line;
	char *network;
	char *as;			/* complete address */
};

struct config_dkim {
	unsigned line;
	char *domain;			/* lower-case A-label */
	char *selector;
	char *key;			/* path */
};

struct config_auth {
	char *users;			/* path, or NULL: the users tables */
	char *dovecot;			/* path of a unix socket, or NULL */
	unsigned dovecot_line;
	unsigned failures_per_client;	/* in an hour; 0: none */
	unsigned failures_per_account;
};

struct config_queue {
	unsigned retry_first_s, retry_longest_s;
	unsigned delay_notice_s;	/* 0: none */
	unsigned give_up_s;
	unsigned per_destination;	/* jobs at a time */
	uint64_t return_full_bytes;	/* RET=FULL up to here; 0: never */
};

enum config_relay_tls { RELAY_TLS_OPPORTUNISTIC, RELAY_TLS_DANE,
	RELAY_TLS_REQUIRED, RELAY_TLS_OFF };

struct config_relay {
	char *smart_host;		/* "smtp:[host]:port", or NULL */
	char *smart_host_user;		/* or NULL */
	char *smart_host_password_file;	/* path, or NULL */
	unsigned smart_host_password_line;
	enum config_relay_tls tls;
	unsigned port;			/* of MX hosts; default 25 */
	unsigned connect_timeout_s;
	unsigned command_timeout_s;
	unsigned data_timeout_s;	/* for one block */
	unsigned final_timeout_s;	/* for the answer to the dot */
	char *source_ipv4, *source_ipv6;	/* or NULL */
	unsigned source_ipv4_line, source_ipv6_line;
	char *ca_file;			/* whom certificates are trusted from */
	unsigned ca_file_line;		/* 0: it is the default */
};

struct config_srs {
	char *domain;			/* ours; NULL: the alias's own */
	unsigned life_s;
};

struct config_submission {
	bool probes;			/* ask the next hop at RCPT */
	unsigned probe_timeout_s;
};

#endif
