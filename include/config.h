/* SPDX-License-Identifier: ISC */
/*
 * config.h - the configuration file, parsed (DESIGN 11, postern.conf(5)).
 *
 * One text, parsed as a whole: config_parse reports every error that it
 * finds, each with file, line and a suggestion, and returns a config only
 * when there are none. It opens nothing: the supervisor reads the file and
 * checks what lies outside it (config_check in postern/), the compartments
 * parse the same text again from a sealed memfd. A config is never changed
 * after it was made; a reload makes a new one.
 */
#ifndef POSTERN_CONFIG_H
#define POSTERN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "buf.h"
#include "config_outbound.h"

#define CONFIG_MAX_MIB 16		/* of the text */
#define CONFIG_MAX_BYTES ((unsigned)CONFIG_MAX_MIB << 20)
#define CONFIG_STATE_DIR_ROOM 108	/* as a path of a socket has */
#define CONFIG_MAX_PROBLEMS 200		/* errors, and as many warnings */
#define CONFIG_MAX_LISTENS 32		/* "*" needs two sockets of 64 */
#define CONFIG_MAX_MILTERS 16
#define CONFIG_MAX_TLS 1024
#define CONFIG_MAX_DOMAINS 65536	/* names, with those in same_as */
#define CONFIG_MAX_TABLES 16384		/* a descriptor of directory each */
#define CONFIG_MAX_DNSBLS 32
#define CONFIG_MAX_RECIPIENTS 1000	/* of a transaction (ask.h) */

/* To a next hop; 0: as relay's section says of all hosts. */
enum config_hop_tls { HOP_TLS_AS_RELAY, HOP_TLS_OFF, HOP_TLS_OPPORTUNISTIC,
	HOP_TLS_REQUIRED };
enum config_listen_role { LISTEN_MX, LISTEN_SUBMISSION, LISTEN_LOCAL };
enum config_tls_mode { TLS_OFF, TLS_OPTIONAL, TLS_REQUIRED, TLS_IMPLICIT };

struct config_listen {
	unsigned line;
	char *text;			/* as written: "*:25" */
	bool is_unix;
	char *path;			/* of a unix socket */
	char *address;			/* "*", "127.0.0.1", "::1" */
	uint16_t port;
	enum config_listen_role role;
	enum config_tls_mode tls;	/* mx: optional is the default where
					 * there is a certificate */
	unsigned tls_line;		/* 0: not set */
};

struct config_tls {
	unsigned line;
	char *name;		/* lower-case A-label, or "*." and one */
	char *certificate, *key;	/* paths */
};

struct config_domain {
	unsigned line;
	char *name;			/* lower-case A-label */
	bool users_are_passwd;
	char *users_table;		/* path, or NULL */
	char *aliases;			/* path, or NULL */
	struct config_strings same_as;	/* lower-case A-labels */
	char *mailbox;			/* "~/Maildir", "/vmail/%d/%u" */
	char *owner;			/* login name, or NULL */
	uint64_t quota_bytes;		/* 0: none */
	bool has_names;			/* unique partial names */
	bool is_case_sensitive;		/* local parts; default false */
	char *plus;			/* separator characters; default "+" */
	char *catch_all;		/* complete address, or NULL */
	bool is_broken_permanent;	/* broken aliases are 5xx, not 451 */
	char *next_hop;			/* "smtp:[host]:port", "lmtp:unix:/p";
					 * such a domain has no users */
	char *fallback;			/* the same, for whom nobody here
					 * knows; beside users, aliases */
	enum config_hop_tls next_hop_tls;	/* of either */
};

/* What many sections may have, and which has it first: lib/config_names.c. */
enum config_index { CONFIG_BY_NAME, CONFIG_BY_HOP, CONFIG_BY_USERS,
	CONFIG_BY_ALIASES, CONFIG_BY_MAILBOX, CONFIG_BY_DKIM, CONFIG_INDICES };

struct config_name {
	const char *name;		/* the section's; NULL: a free place */
	size_t section;			/* of domains, or of dkims */
};

struct config_names {
	struct config_name *items;
	size_t n, room;			/* room: 0 or a power of two */
};

struct config_limits {		/* 0 = none */
	unsigned sessions, sessions_per_client, messages_per_client;
	unsigned sessions_per_minute;	/* of one client; default 0 */
	unsigned recipients_per_client;	/* in an hour; default 0 */
	unsigned recipients, unknown_recipients;
	unsigned idle_commands;		/* before 421; default 100 */
	unsigned pregreet_delay_s;	/* default 0 */
	uint64_t data_rate_bytes;	/* in a second; default 1K */
	uint64_t message_bytes;
	unsigned received_fields;	/* hops; default 50 */
	uint64_t header_bytes;		/* default 64K */
	unsigned header_fields;		/* default 1000 */
	unsigned mime_depth, mime_parts;	/* default 32, 1000 */
	unsigned command_timeout_s;	/* default 300 */
	unsigned data_timeout_s;	/* default 180 */
	unsigned data_total_s;		/* default 1800 */
	unsigned messages_per_session;	/* LIMITS MAILMAX; default 0 */
	unsigned errors_per_session;	/* before 421; default 20 */
	unsigned messages_per_user;	/* submitted, in an hour; default 0 */
	unsigned recipients_per_user;
};

/* What becomes of mail that a milter does not want; the strictest holds. */
enum config_disposal { DISPOSAL_NONE, DISPOSAL_JUNK, DISPOSAL_DROP,
	DISPOSAL_REFUSE };

/* A clamd or a milter: where it listens, and what its silence means. */
struct config_filter {
	unsigned line;
	char *text;			/* as written: "inet:8891@127.0.0.1" */
	bool is_unix;
	char *path;			/* of a unix socket */
	char *address;			/* "127.0.0.1", "::1" */
	uint16_t port;
	bool marks_failure;		/* on_failure = mark; milters only */
	unsigned timeout_s;		/* for one answer */
	unsigned signatures_age_s;	/* 0: any; clamd only */
	bool defers_old;		/* on_old_signatures = tempfail */
	bool is_reused;			/* by one session after the other */
	enum config_disposal discard;	/* never NONE; milters only */
};

struct config_resolver {
	struct config_strings servers;	/* "192.0.2.1", "::1@5353" */
	bool has_dnssec;		/* default true: where it works */
	char *trust_anchor;		/* path, or NULL */
	unsigned trust_anchor_line;
	unsigned timeout_s;		/* default 5 */
};

enum config_bare_lf { BARE_LF_REFUSE, BARE_LF_NORMALIZE };

/* Checks that the configuration names; policy's table has one row each. */
enum config_check { CHECK_HELO, CHECK_FCRDNS, CHECK_SENDER_DOMAIN, CHECK_SPF,
	CHECK_DNSBL, CHECK_GREYLIST, CHECK_DATE, CHECK_FROM, CHECK_DKIM,
	CHECK_DMARC, CHECK_VIRUS, CHECK_CONTENT, CHECK_ATTACHMENTS,
	CHECK_BOUNCE,			/* by untagged_bounces */
	CHECK_COUNT };
enum config_action { ACTION_REFUSE, ACTION_MARK, ACTION_OFF };

struct config_dnsbl {
	unsigned line;
	char *zone;			/* lower-case A-label */
	unsigned score;			/* default 1 */
	bool is_allow;			/* its hits are subtracted */
	struct config_strings answers;	/* networks; none: 127.0.0.0/8 */
	char *text;			/* for the reply; NULL: its TXT */
};

enum config_untagged { UNTAGGED_PROVE, UNTAGGED_REFUSE, UNTAGGED_ACCEPT };

struct config_checks {
	enum config_action actions[CHECK_COUNT];
	enum config_action fallback;	/* "default", where it is set, */
	bool virus_is_fallback;		/* and counts for virus */
	/* sum of scores; 0: more than any one list counts. DNSBL's action
	 * follows from the lists: off without any */
	unsigned dnsbl_refuse_at;
	struct config_dnsbl *dnsbls;
	size_t n_dnsbls;
	struct config_strings dnsbl_exempt;	/* networks */
	unsigned greylist_delay_s;	/* default 300 */
	unsigned greylist_window_s;	/* default 1 day */
	unsigned greylist_lifetime_s;	/* default 35 days */
	enum config_untagged untagged_bounces;
	/* networks of hosts in front of us that took the mail first */
	struct config_strings relay_peer;
	unsigned untagged_line, relay_peer_line;	/* 0: not set */
	/* patterns; none: those that are built in */
	struct config_strings attachment_names, attachment_types;
};

/* Programs that aliases name. */
struct config_program {
	char *user;			/* NULL: user_prefix and "program" */
	bool allows_setid;
	unsigned timeout_s;
	uint64_t memory_bytes, output_bytes;
	unsigned at_once;
	struct config_strings refuses;	/* exit codes, "64" to "78" */
};

struct config {
	char *hostname;			/* lower-case A-label */
	char *origin;			/* the same; default: first domain */
	char *postmaster;		/* complete address */
	unsigned postmaster_line;
	char *dsn_to;			/* complete address, or NULL */
	char *state_dir;		/* absolute */
	unsigned state_dir_line;
	bool logs_to_syslog;
	bool logs_json;
	unsigned log_level;		/* 3..7; default 6 */
	unsigned min_uid;		/* default 1000 */
	char *admin_group;		/* default "postern-admin" */
	unsigned admin_group_line;	/* 0: it is the default */
	char *user_prefix;		/* uids: "postern-" + compartment */
	uint64_t memory_messages_bytes;	/* 0: default of DESIGN 6 */
	unsigned smtpd_processes;	/* 0: one per core */
	unsigned directory_processes;	/* 0: default */
	unsigned deliver_workers;	/* per uid, most; 0: default */
	enum config_bare_lf bare_lf;
	struct config_strings bare_lf_exempt;	/* networks, when normalize */
	struct config_listen *listens;
	size_t n_listens;
	struct config_domain *domains;
	size_t n_domains;
	struct config_names indices[CONFIG_INDICES];
	struct config_limits limits;
	struct config_checks checks;
	struct config_filter *clamds;	/* one at most */
	size_t n_clamds;
	struct config_filter *milters;	/* in the order in which they judge */
	size_t n_milters;
	struct config_resolver resolver;
	struct config_tls *tls;		/* the first is the default */
	size_t n_tls;
	struct config_program program;
	struct config_auth auth;
	struct config_submission submission;
	struct config_queue queue;
	struct config_relay relay;
	struct config_strings batv_exempt;	/* lower-case A-labels */
	struct config_srs srs;
	struct config_sender *senders;
	size_t n_senders;
	struct config_submitter *submitters;
	size_t n_submitters;
	struct config_dkim *dkims;
	size_t n_dkims;
	bool has_odd_users;		/* an error where users are named */
};

struct config_problem {
	unsigned line;
	bool is_warning;
	char *text;		/* 'unknown key "x"; did you mean "y"?' */
};				/* line 0: the file as a whole */

struct config_problems {
	struct config_problem *items;
	size_t n;
	size_t n_errors, n_warnings, n_notes;	/* also those not kept */
	bool is_cut;		/* the rest of the file was not read */
	/* also of a file with errors: */
	bool wants_json;	/* log_format */
	char state_dir[CONFIG_STATE_DIR_ROOM];	/* "": not said, or wrong */
};

struct config_hidden {		/* counted and not kept */
	size_t n_errors, n_warnings, n_notes;
};

/*
 * NULL when there was an error (problems says which; at least one is not a
 * warning) or no memory. problems is filled in either case and must be
 * released with config_problems_free.
 */
struct config *config_parse(struct slice text,
    struct config_problems *problems);
/*
 * Of a file with errors, to look at what it refers to in the same run: never
 * to be served from. NULL where one of them may be about that: in a section
 * domain, or on the top level in what all of them need.
 */
struct config *config_parse_to_check(struct slice text);
void config_free(struct config **config);
/*
 * Adds a problem that was found elsewhere (tables, aliases). Control octets
 * are escaped. After CONFIG_MAX_PROBLEMS of a kind the rest is only counted.
 */
void config_problem_add(struct config_problems *problems, unsigned line,
    bool is_warning, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A warning that begins with "note: ": good to know, and nothing to mend. */
bool config_problem_is_note(const struct config_problem *problem);
/* "path:LINE: [warning: ]text", a line. */
void config_problem_print(const struct config_problem *problem, FILE *to,
    const char *path);
/* By line, errors before warnings, line 0 last; stable. */
void config_problems_sort(struct config_problems *problems);
struct config_hidden config_problems_hidden(
    const struct config_problems *problems);
/* Count what was found elsewhere and is kept nowhere. */
void config_problems_add_hidden(struct config_problems *problems,
    const struct config_hidden *hidden);
/* Sort for who reads them, and say at the end how many are not shown. Once. */
void config_problems_finish(struct config_problems *problems);
void config_problems_free(struct config_problems *problems);
bool config_problems_has_error(const struct config_problems *problems);

/* Whether an IPv4 or IPv6 address (text) lies in one of the networks. */
bool config_networks_contain(const struct config_strings *networks,
    const char *address);

/* The same name as a section dkim has it, or NULL. */
const char *config_find_signed(const struct config *config,
    struct slice domain);

/* What file_read's error, or -ENOBUFS for a text that is too large, means. */
const char *config_unread(int error);

/* Prints the whole of postern.conf(5), mdoc, from the table of keys. */
void config_write_manual(FILE *out);

/* What all messages under way may take: memory_messages or its default. */
uint64_t config_memory_bytes(const struct config *config);

/* The domain of this name or of which it is an alias (same_as), or NULL. */
const struct config_domain *config_find_domain(const struct config *config,
    struct slice name);

/* Whether some of its mailboxes may be here. */
bool config_domain_has_users(const struct config_domain *domain);

/* The host that has all mailboxes of the domain (next_hop), or those that
 * are not here (fallback), or NULL. */
const char *config_domain_hop(const struct config_domain *domain);
/* The first domain with this next hop; all have the same tls. Or NULL. */
const struct config_domain *config_find_hop(const struct config *config,
    const char *next_hop);
/* LMTP's answer is the mailbox's; a server of SMTP could send it on. NULL:
 * no. */
bool config_hop_is_lmtp(const char *next_hop);
/* The path of "lmtp:unix:/path"; NULL: it is another, or none. */
const char *config_hop_path(const char *next_hop);

/*
 * An endpoint that the supervisor opens for smtpd by its number (ask.h):
 * CONFIG_ENDPOINT_CLAMD, or CONFIG_ENDPOINT_MILTERS and the milter's index.
 * NULL when the configuration has no such one.
 */
#define CONFIG_ENDPOINT_CLAMD 0
#define CONFIG_ENDPOINT_MILTERS 1
const struct config_filter *config_find_endpoint(const struct config *config,
    unsigned index);

#endif
