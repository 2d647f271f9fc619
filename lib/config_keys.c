/* SPDX-License-Identifier: ISC */
/*
 * config_keys.c - the table of sections and keys.
 *
 * One row says everything about a key. To add one: a member in config.h, a
 * row here, `make doc/postern.conf.5`, a test (CONTRIBUTING.md). Numbers are
 * octets or seconds; a default stands as it would in the file.
 */
#include "config_keys.h"

#define IN(structure, member) \
	.offset = offsetof(struct structure, member), \
	.size = sizeof(((struct structure *)0)->member)
#define RANGE(least, most) .min = (least), .max = (most)
#define DEFAULT(text) .fallback = (text)
#define WORDS(text) .words = (text)
#define HELP(text) .help = (text)

#define K ((uint64_t)1 << 10)
#define M ((uint64_t)1 << 20)
#define G ((uint64_t)1 << 30)
#define T ((uint64_t)1 << 40)
#define DAY 86400

#define CHECK_WORDS "refuse|mark|off"

const struct config_section config_sections[] = {
	{ "", NULL, TARGET_CONFIG, false, CONFIG_COUNT, false, false,
	    "At the top level, outside of any section." },
	{ "listen", "", TARGET_LISTEN, true, CONFIG_LISTEN, true, false,
	    "An address and port to serve. An asterisk is all addresses of "
	    "IPv4 and of IPv6, each with a socket of its own; an IPv6 "
	    "address stands in brackets." },
	{ "domain", "", TARGET_DOMAIN, true, CONFIG_DOMAIN, true, false,
	    "A domain whose mail is delivered here." },
	{ "limits", "", TARGET_CONFIG, false, CONFIG_COUNT, false, false,
	    "How much of each thing. 0 means none." },
	{ "processes", "", TARGET_CONFIG, false, CONFIG_COUNT, false, false,
	    "How many processes of each kind." },
	{ "checks", "", TARGET_CONFIG, false, CONFIG_COUNT, false, false,
	    "What a message is judged by." },
	{ "dnsbl", "checks", TARGET_NONE, true, CONFIG_DOMAIN, true, true,
	    "A DNS list of client addresses." },
	{ "clamd", "checks", TARGET_NONE, true, CONFIG_ENDPOINT, false, true,
	    "A virus scanner, and where it listens." },
	{ "milter", "checks", TARGET_NONE, true, CONFIG_ENDPOINT, true, true,
	    "A mail filter, and where it listens." },
	{ "tls", "", TARGET_TLS, true, CONFIG_TLS_NAME, true, false,
	    "The certificate that is shown to a client that asks for this "
	    "host name (SNI); *.example.org is every name with one label "
	    "more. The first section is the default. Two sections of one "
	    "name have keys of different types, such as ECDSA and RSA. "
	    "A reload (SIGHUP) reads the files again." },
	{ "sender", "", TARGET_NONE, true, CONFIG_NAME, true, true,
	    "The addresses that a user may send from, beyond his own." },
	{ "submitter", "", TARGET_NONE, true, CONFIG_NETWORK, true, true,
	    "A network of devices that cannot authenticate." },
	{ "batv", "", TARGET_NONE, false, CONFIG_COUNT, false, true,
	    "Tags on the reverse-paths of our own mail." },
};

const size_t config_n_sections =
    sizeof(config_sections) / sizeof(config_sections[0]);

const struct config_key config_keys[] = {
	/* ---- top level ---- */
	{ "", "hostname", CONFIG_DOMAIN, KEY_REQUIRED, IN(config, hostname),
	    HELP("The name of this host, as it stands in the greeting and in "
	    "trace fields.") },
	{ "", "origin", CONFIG_DOMAIN, 0, IN(config, origin),
	    HELP("Completes local names that stand without a domain. The "
	    "default is the first domain of the file.") },
	{ "", "postmaster", CONFIG_LOCAL_ADDRESS, KEY_REQUIRED,
	    IN(config, postmaster),
	    HELP("Who gets mail to postmaster and abuse where no alias says "
	    "otherwise.") },
	{ "", "state_dir", CONFIG_PATH, KEY_REQUIRED, IN(config, state_dir),
	    HELP("The directory for delivery records, trails and compiled "
	    "tables.") },
	{ "", "log", CONFIG_WORD, 0, DEFAULT("stderr"),
	    WORDS("stderr|syslog"), IN(config, logs_to_syslog),
	    HELP("Where log lines go: standard error, with the priorities of "
	    "journald, or syslog.") },
	{ "", "log_format", CONFIG_WORD, 0, DEFAULT("logfmt"),
	    WORDS("logfmt|json"), IN(config, logs_json),
	    HELP("One line of key=value pairs, or one JSON object, per "
	    "event; the object also has the keys time, level and "
	    "compartment.") },
	{ "", "log_level", CONFIG_WORD, 0, DEFAULT("info"),
	    WORDS("error|warning|notice|info|debug"), .first_word = 3,
	    IN(config, log_level), HELP("The least that is logged.") },
	{ "", "min_uid", CONFIG_COUNT, 0, RANGE(1, 4294967294), DEFAULT("1000"),
	    IN(config, min_uid),
	    HELP("Users with a smaller uid have no mailbox, and nothing is "
	    "ever delivered under one.") },
	{ "", "admin_group", CONFIG_NAME, 0, DEFAULT("postern-admin"),
	    IN(config, admin_group),
	    HELP("The group that may use posternctl.") },
	{ "", "user_prefix", CONFIG_NAME, 0, DEFAULT("postern-"),
	    IN(config, user_prefix),
	    HELP("With the name of a compartment behind it, the user that "
	    "the compartment runs as.") },
	{ "", "memory_messages", CONFIG_SIZE, KEY_ZERO, RANGE(1 * M, 1 * T),
	    DEFAULT("0"), IN(config, memory_messages_bytes),
	    HELP("Memory for all messages that are being received. 0 means "
	    "an eighth of the machine's, at least 256M. One client network "
	    "holds at most a quarter of it; a message larger than that is "
	    "refused for good, and SIZE announces the quarter where "
	    "message_size is more.") },

	/* ---- listen ---- */
	{ "listen", "role", CONFIG_WORD, KEY_REQUIRED,
	    WORDS("mx|submission|local"), IN(config_listen, role),
	    HELP("Whom it serves: other mail servers, our own users, or "
	    "programs on this host. Only mx is built yet.") },
	{ "listen", "tls", CONFIG_WORD, 0,
	    WORDS("off|optional|required|implicit"), IN(config_listen, tls),
	    HELP("Whether the connection can, must, or from its first octet "
	    "does use TLS. The default is optional where there is a section "
	    "tls, otherwise off. With required, MAIL is refused until the "
	    "client has said STARTTLS.") },

	/* ---- domain ---- */
	{ "domain", "users", CONFIG_USERS, 0, IN(config_domain, users_table),
	    HELP("Who has a mailbox: passwd, the users of the system, or "
	    "table: and the path of a users table. Required, unless there "
	    "is a next_hop.") },
	{ "domain", "aliases", CONFIG_PATH, KEY_EMPTY,
	    IN(config_domain, aliases),
	    HELP("An alias file in the format of sendmail.") },
	{ "domain", "same_as", CONFIG_DOMAIN_LIST, 0,
	    IN(config_domain, same_as),
	    HELP("Domains whose addresses are the same as those of this "
	    "one.") },
	{ "domain", "mailbox", CONFIG_MAILBOX, 0, DEFAULT("~/Maildir"),
	    IN(config_domain, mailbox),
	    HELP("The Maildir of a user: below his home directory, or an "
	    "absolute path in which %u is the name of the user, %d the "
	    "domain of this section, %n the same as %u, and %% a percent "
	    "sign.") },
	{ "domain", "owner", CONFIG_NAME, 0, IN(config_domain, owner),
	    HELP("The user under whom all mailboxes of the domain are "
	    "written. Needed where users are in a table, if the server runs "
	    "as root.") },
	{ "domain", "quota", CONFIG_SIZE, KEY_ZERO, RANGE(1 * K, 16 * T),
	    DEFAULT("0"), IN(config_domain, quota_bytes),
	    HELP("How much one mailbox may hold, where the users table does "
	    "not say. 0 means no limit.") },
	{ "domain", "names", CONFIG_BOOL, 0, DEFAULT("false"),
	    IN(config_domain, has_names),
	    HELP("Whether a part of a real name (first.last, first_last, "
	    "first, last) that fits one user only is an address of his.") },
	{ "domain", "case", CONFIG_WORD, 0, DEFAULT("ignore"),
	    WORDS("ignore|exact"), IN(config_domain, is_case_sensitive),
	    HELP("Whether Alice and alice are one local part or two.") },
	{ "domain", "plus", CONFIG_PLUS, 0, DEFAULT("+"),
	    IN(config_domain, plus),
	    HELP("Each of these characters separates a user from a tag of "
	    "his own, as in alice+lists. An empty string turns that off.") },
	{ "domain", "catch_all", CONFIG_LOCAL_ADDRESS, KEY_EMPTY,
	    IN(config_domain, catch_all),
	    HELP("Who gets mail to addresses that do not exist. Without it "
	    "they are refused.") },
	{ "domain", "next_hop", CONFIG_NEXT_HOP, KEY_LATER,
	    IN(config_domain, next_hop),
	    HELP("The server behind this one that has the mailboxes: smtp: "
	    "or lmtp:, then a host and port, or lmtp:unix: and a path.") },

	/* ---- limits ---- */
	{ "limits", "sessions", CONFIG_COUNT, KEY_ZERO, RANGE(1, 1000000),
	    DEFAULT("10000"), IN(config, limits.sessions),
	    HELP("Connections at a time.") },
	{ "limits", "sessions_per_client", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("50"),
	    IN(config, limits.sessions_per_client),
	    HELP("Connections at a time from one client network.") },
	{ "limits", "messages_per_client", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 100000000), DEFAULT("0"),
	    IN(config, limits.messages_per_client),
	    HELP("Messages in an hour from one client network.") },
	{ "limits", "messages_per_session", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("0"),
	    IN(config, limits.messages_per_session),
	    HELP("Messages in one session; announced as MAILMAX.") },
	{ "limits", "recipients", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, CONFIG_MAX_RECIPIENTS), DEFAULT("100"),
	    IN(config, limits.recipients),
	    HELP("Recipients of one message; announced as RCPTMAX. 0 means "
	    "as many as there can be, which is 1000.") },
	{ "limits", "unknown_recipients", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("20"),
	    IN(config, limits.unknown_recipients),
	    HELP("Unknown recipients after which a client network is taken "
	    "for one that collects addresses.") },
	{ "limits", "errors_per_session", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 100000), DEFAULT("20"),
	    IN(config, limits.errors_per_session),
	    HELP("Faulty commands after which a session is closed.") },
	{ "limits", "message_size", CONFIG_SIZE, KEY_ZERO,
	    RANGE(1 * K, 2 * G), DEFAULT("50M"),
	    IN(config, limits.message_bytes),
	    HELP("Octets of one message; announced as SIZE.") },
	{ "limits", "header_size", CONFIG_SIZE, KEY_ZERO,
	    RANGE(1 * K, 64 * M), DEFAULT("64K"),
	    IN(config, limits.header_bytes),
	    HELP("Octets of a message's header.") },
	{ "limits", "received_fields", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000), DEFAULT("50"),
	    IN(config, limits.received_fields),
	    HELP("Received fields after which a message is taken to be in a "
	    "loop.") },
	{ "limits", "command_timeout", CONFIG_DURATION, 0, RANGE(1, DAY),
	    DEFAULT("5m"), IN(config, limits.command_timeout_s),
	    HELP("How long a client may take for a command.") },
	{ "limits", "data_timeout", CONFIG_DURATION, 0, RANGE(1, DAY),
	    DEFAULT("3m"), IN(config, limits.data_timeout_s),
	    HELP("How long a client may pause inside of a message.") },
	{ "limits", "data_total", CONFIG_DURATION, 0, RANGE(1, DAY),
	    DEFAULT("30m"), IN(config, limits.data_total_s),
	    HELP("How long a client may take for a whole message.") },

	/* ---- processes ---- */
	{ "processes", "smtpd", CONFIG_COUNT, KEY_ZERO, RANGE(1, 32),
	    DEFAULT("0"), IN(config, smtpd_processes),
	    HELP("Servers of SMTP sessions. 0 means one per processor.") },
	{ "processes", "directory", CONFIG_COUNT, KEY_ZERO, RANGE(1, 32),
	    DEFAULT("0"), IN(config, directory_processes),
	    HELP("Workers that look recipients up. 0 means the built-in "
	    "number.") },
	{ "processes", "deliver_workers", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 64), DEFAULT("0"), IN(config, deliver_workers),
	    HELP("The most delivery workers under one uid. 0 means the "
	    "built-in number.") },

	/* ---- checks ---- */
	{ "checks", "bare_lf", CONFIG_WORD, 0, DEFAULT("refuse"),
	    WORDS("refuse|normalize"), IN(config, bare_lf),
	    HELP("What becomes of a message with an LF that no CR stands "
	    "before. It is refused; normalize makes it a line end for the "
	    "clients in bare_lf_exempt. Neither lets it end a message.") },
	{ "checks", "bare_lf_exempt", CONFIG_NETWORK_LIST, 0,
	    IN(config, bare_lf_exempt),
	    HELP("The networks whose bare LFs are made line ends when "
	    "bare_lf is normalize.") },
	{ "checks", "default", CONFIG_WORD, KEY_LATER, WORDS(CHECK_WORDS),
	    HELP("For every check that is not named here.") },
	{ "checks", "helo", CONFIG_WORD, KEY_LATER, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), HELP("The name in HELO or EHLO.") },
	{ "checks", "fcrdns", CONFIG_WORD, KEY_LATER, DEFAULT("mark"),
	    WORDS(CHECK_WORDS),
	    HELP("The name of the client's address, confirmed both ways.") },
	{ "checks", "sender_domain", CONFIG_WORD, KEY_LATER,
	    DEFAULT("refuse"), WORDS(CHECK_WORDS),
	    HELP("Whether the domain of the reverse-path exists.") },
	{ "checks", "spf", CONFIG_WORD, KEY_LATER, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), HELP("SPF (RFC 7208).") },
	{ "checks", "dkim", CONFIG_WORD, KEY_LATER, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), HELP("DKIM signatures (RFC 6376).") },
	{ "checks", "dmarc", CONFIG_WORD, KEY_LATER, DEFAULT("refuse"),
	    WORDS(CHECK_WORDS),
	    HELP("The policy of the domain in From (RFC 7489).") },
	{ "checks", "virus", CONFIG_WORD, KEY_LATER, DEFAULT("refuse"),
	    WORDS(CHECK_WORDS), HELP("What clamd finds.") },
	{ "checks", "greylist", CONFIG_WORD, KEY_LATER, DEFAULT("off"),
	    WORDS(CHECK_WORDS),
	    HELP("Whether strangers must try twice.") },
	{ "checks", "dnsbl_refuse_at", CONFIG_COUNT, KEY_LATER,
	    RANGE(1, 1000),
	    HELP("The sum of scores at which a client is refused.") },
	{ "checks", "untagged_bounces", CONFIG_WORD, KEY_LATER,
	    DEFAULT("prove"), WORDS("prove|refuse"),
	    HELP("Whether a bounce without our tag may prove by its content "
	    "that it returns something that we sent.") },
	{ "dnsbl", "score", CONFIG_COUNT, KEY_LATER, RANGE(1, 1000),
	    DEFAULT("1"), HELP("What a hit counts.") },
	{ "dnsbl", "answers", CONFIG_NETWORK_LIST, KEY_LATER,
	    HELP("The answers that are hits. The default is all.") },
	{ "clamd", "timeout", CONFIG_DURATION, KEY_LATER, RANGE(1, 60),
	    DEFAULT("30s"), HELP("How long it may take.") },
	{ "milter", "on_failure", CONFIG_WORD, KEY_LATER,
	    DEFAULT("tempfail"), WORDS("tempfail|mark"),
	    HELP("What its silence means.") },
	{ "milter", "timeout", CONFIG_DURATION, KEY_LATER, RANGE(1, 60),
	    DEFAULT("30s"), HELP("How long it may take.") },

	/* ---- tls ---- */
	{ "tls", "certificate", CONFIG_PATH, KEY_REQUIRED,
	    IN(config_tls, certificate),
	    HELP("A PEM file with the certificate, and behind it those of "
	    "its chain.") },
	{ "tls", "key", CONFIG_PATH, KEY_REQUIRED, IN(config_tls, key),
	    HELP("A PEM file with the private key, without a passphrase. "
	    "Only root needs to be able to read it.") },

	/* ---- parts to come ---- */

	{ "sender", "may", CONFIG_ADDRESS_LIST, KEY_LATER | KEY_REQUIRED,
	    HELP("Addresses; the local part may be an asterisk.") },
	{ "submitter", "as", CONFIG_ADDRESS, KEY_LATER | KEY_REQUIRED,
	    HELP("The address that they send as.") },
	{ "batv", "exempt", CONFIG_DOMAIN_LIST, KEY_LATER,
	    HELP("Domains to which mail goes without a tag.") },
};

const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);
