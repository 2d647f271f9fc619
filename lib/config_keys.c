/* SPDX-License-Identifier: ISC */
/*
 * config_keys.c - the table of keys; that of sections is config_sections.c.
 *
 * One row says everything about a key. To add one: a member in config.h, a
 * row here, `make doc/postern.conf.5`, a test (CONTRIBUTING.md). Numbers are
 * octets or seconds; a default stands as it would in the file.
 */
#include "config_keys.h"
#include "srs.h"

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

const struct config_key config_keys[] = {
	/* ---- top level ---- */
	{ "", "hostname", CONFIG_DOMAIN, KEY_REQUIRED, IN(config, hostname),
	    HELP("The name of this host, as it stands in the greeting and in "
	    "trace fields.") },
	{ "", "origin", CONFIG_DOMAIN, 0, IN(config, origin),
	    HELP("The domain of names without one, and of recipients at the IP "
	    "address connected to. Default: the first of the file.") },
	{ "", "postmaster", CONFIG_LOCAL_ADDRESS, KEY_REQUIRED,
	    IN(config, postmaster),
	    HELP("Who gets mail to postmaster and abuse where no alias says "
	    "otherwise.") },
	{ "", "dsn_to", CONFIG_LOCAL_ADDRESS, KEY_EMPTY, IN(config, dsn_to),
	    HELP("Who gets bounces of mail that was sent by an account "
	    "without a mailbox, such as www-data. The default is "
	    "postmaster.") },
	{ "", "state_dir", CONFIG_PATH, KEY_REQUIRED, IN(config, state_dir),
	    HELP("The directory for delivery records, trails, compiled "
	    "tables and the mail that waits to be sent. Its file system has "
	    "to let processes share mappings of files; some of FUSE do "
	    "not.") },
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
	    HELP("Users with a smaller uid have no mailbox, and no mailbox is "
	    "ever written under one. program_user may have one.") },
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
	{ "", "program_user", CONFIG_NAME, 0, IN(config, program.user),
	    HELP("Who runs the programs that aliases name, each of them: "
	    "never root, and nobody that a compartment runs as. The default "
	    "is user_prefix with program behind it.") },
	{ "", "allow_setid", CONFIG_BOOL, 0, DEFAULT("false"),
	    IN(config, program.allows_setid),
	    HELP("Whether a program in an alias, and what it starts, may gain "
	    "rights by set-uid and set-gid files such as sudo. Without it "
	    "such a file runs with the rights of program_user. The service "
	    "manager must allow it too (NoNewPrivileges=no in a unit of "
	    "systemd).") },
	{ "", "program_timeout", CONFIG_DURATION, 0, RANGE(1, 540),
	    DEFAULT("60s"), IN(config, program.timeout_s),
	    HELP("How long a program may take for one message. Then it is "
	    "killed, with all that it has started, and the client is told "
	    "to try again later.") },
	{ "", "program_memory", CONFIG_SIZE, 0, RANGE(16 * M, 1 * T),
	    DEFAULT("512M"), IN(config, program.memory_bytes),
	    HELP("How much memory each process of a program may fill.") },
	{ "", "program_output", CONFIG_SIZE, 0, RANGE(1 * K, 1 * G),
	    DEFAULT("64K"), IN(config, program.output_bytes),
	    HELP("How much a program may write to its standard output and "
	    "error. One that writes more is killed, and the client is told "
	    "to try again later.") },
	{ "", "programs_at_once", CONFIG_COUNT, 0, RANGE(1, 1000),
	    DEFAULT("20"), IN(config, program.at_once),
	    HELP("How many programs run at a time; others wait.") },
	{ "", "program_refuses", CONFIG_EXIT_LIST, 0,
	    IN(config, program.refuses),
	    HELP("Exit codes, such as \"69\" and \"77\", by which a program "
	    "refuses a message for good: 550, with the first line that it "
	    "wrote. They are those from 64 to 78 (sysexits.h). Exit code 67 "
	    "always is 550 5.1.1, no such mailbox. All others but 0 mean: "
	    "try again later.") },

	/* ---- listen ---- */
	{ "listen", "role", CONFIG_WORD, KEY_REQUIRED,
	    WORDS("mx|submission|local"), IN(config_listen, role),
	    HELP("Whom it serves: other mail servers, our own users, or "
	    "programs on this host, which connect to a unix socket.") },
	{ "listen", "tls", CONFIG_WORD, 0,
	    WORDS("off|optional|required|implicit"), IN(config_listen, tls),
	    HELP("Whether the connection can, must, or from its first octet "
	    "does use TLS. The default is optional where there is a section "
	    "tls, otherwise off; for submission it is required. With "
	    "required, MAIL is refused until the client has said STARTTLS. "
	    "Passwords are taken under TLS only.") },

	/* ---- domain ---- */
	{ "domain", "users", CONFIG_USERS, 0, IN(config_domain, users_table),
	    HELP("Who has a mailbox: passwd, the users of the system and of "
	    "all services of nsswitch.conf, such as LDAP, or table: and the "
	    "path of a users table. Required, unless there is a next_hop, or "
	    "aliases for all that shall be delivered here.") },
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
	    "first, last) of one user alone is his; each use is logged.") },
	{ "domain", "case", CONFIG_WORD, 0, DEFAULT("ignore"),
	    WORDS("ignore|exact"), IN(config_domain, is_case_sensitive),
	    HELP("Whether Alice and alice are one (ASCII letters alone).") },
	{ "domain", "plus", CONFIG_PLUS, 0, DEFAULT("+"),
	    IN(config_domain, plus),
	    HELP("Each of these characters separates a user from a tag of "
	    "his own, as in alice+lists. An empty string turns that off.") },
	{ "domain", "catch_all", CONFIG_LOCAL_ADDRESS, KEY_EMPTY,
	    IN(config_domain, catch_all),
	    HELP("Who gets mail to addresses that do not exist. Without it "
	    "they are refused.") },
	{ "domain", "broken_alias", CONFIG_WORD, 0, DEFAULT("temporary"),
	    WORDS("temporary|permanent"),
	    IN(config_domain, is_broken_permanent),
	    HELP("What a client is told of an alias that is broken here, as "
	    "it leads in a circle or to nobody: that it shall try again, or "
	    "that the address is refused. An alarm is logged in both cases. "
	    "Mail to postmaster and abuse is always tried again, and so is "
	    "mail to an address about which nothing is known at the "
	    "moment.") },
	{ "domain", "next_hop", CONFIG_NEXT_HOP, 0,
	    IN(config_domain, next_hop),
	    HELP("The server behind this one that has the mailboxes: smtp: "
	    "or lmtp:, then a host and port, or lmtp:unix: and the path of a "
	    "socket. Addresses are passed on as they are. What it answers "
	    "is our answer to mail from outside, while the client waits; "
	    "mail of our own users is queued for it, as for any host "
	    "elsewhere. LMTP answers for each recipient after the message: "
	    "where these answers differ the client is told to try again, "
	    "and each recipient has his own then. Bounces of what "
	    "that server sends past this one, such as the mail of a list, "
	    "return nothing that we have sent: see untagged_bounces.") },
	{ "domain", "fallback", CONFIG_NEXT_HOP, 0,
	    IN(config_domain, fallback),
	    HELP("The same for those whom users and aliases do not know: "
	    "where the domain has aliases here and all its mailboxes there, "
	    "or, with users, a part of them, as while they move. "
	    "There can be no catch_all and no names beside it. "
	    "Before it is taken away the queue should have nothing for the "
	    "domain (posternctl queue).") },
	{ "domain", "tls", CONFIG_WORD, 0,
	    WORDS("off|opportunistic|required"), .first_word = 1,
	    IN(config_domain, next_hop_tls),
	    HELP("When a connection to that server uses TLS: where it is "
	    "offered, or always, with a certificate that fits the name or "
	    "address of the host in next_hop or fallback. The default is "
	    "what tls of the section relay says. A unix socket has none.") },

	/* ---- limits ---- */
	{ "limits", "sessions", CONFIG_COUNT, KEY_ZERO, RANGE(1, 1000000),
	    DEFAULT("10000"), IN(config, limits.sessions),
	    HELP("Connections at a time.") },
	{ "limits", "sessions_per_client", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("50"),
	    IN(config, limits.sessions_per_client),
	    HELP("Connections at a time from one client network.") },
	{ "limits", "sessions_per_minute", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("0"),
	    IN(config, limits.sessions_per_minute),
	    HELP("Connections in a minute from one client network; more are "
	    "turned away with 421.") },
	{ "limits", "recipients_per_client", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 100000000), DEFAULT("0"),
	    IN(config, limits.recipients_per_client),
	    HELP("RCPT commands in an hour from one client network, whatever "
	    "became of them; more get 450.") },
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
	{ "limits", "idle_commands", CONFIG_COUNT, KEY_ZERO,
	    RANGE(10, 1000000), DEFAULT("100"),
	    IN(config, limits.idle_commands),
	    HELP("Commands that bring no mail forward (EHLO, HELO, RSET, "
	    "NOOP, VRFY, EXPN, HELP) with no recipient named between them, "
	    "after which a session is closed.") },
	{ "limits", "messages_per_user", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("0"),
	    IN(config, limits.messages_per_user),
	    HELP("Messages that one of our own users may send in an hour.") },
	{ "limits", "recipients_per_user", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 1000000), DEFAULT("0"),
	    IN(config, limits.recipients_per_user),
	    HELP("The same for recipients, all messages together.") },
	{ "limits", "pregreet_delay", CONFIG_DURATION, KEY_ZERO,
	    RANGE(1, 30), DEFAULT("0s"), IN(config, limits.pregreet_delay_s),
	    HELP("How long the greeting waits, so that a client that speaks "
	    "before it is noticed and refused with 554. A client network "
	    "that has waited once is not kept waiting for an hour. Without "
	    "a delay only what has come with the connection is noticed.") },
	{ "limits", "message_size", CONFIG_SIZE, KEY_ZERO,
	    RANGE(1 * K, 2 * G), DEFAULT("50M"),
	    IN(config, limits.message_bytes),
	    HELP("Octets of one message; announced as SIZE.") },
	{ "limits", "header_size", CONFIG_SIZE, KEY_ZERO,
	    RANGE(1 * K, 64 * M), DEFAULT("64K"),
	    IN(config, limits.header_bytes),
	    HELP("Octets of a message's header, and of each of its parts; "
	    "more is refused (see content).") },
	{ "limits", "header_fields", CONFIG_COUNT, KEY_ZERO,
	    RANGE(10, 1000000), DEFAULT("1000"),
	    IN(config, limits.header_fields),
	    HELP("Fields of a message's header, and of each of its parts.") },
	{ "limits", "mime_depth", CONFIG_COUNT, 0, RANGE(1, 32),
	    DEFAULT("32"), IN(config, limits.mime_depth),
	    HELP("How deep parts of a message may lie in other parts.") },
	{ "limits", "mime_parts", CONFIG_COUNT, 0, RANGE(1, 100000),
	    DEFAULT("1000"), IN(config, limits.mime_parts),
	    HELP("Parts of one message.") },
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
	{ "limits", "data_rate", CONFIG_SIZE, KEY_ZERO, RANGE(1, 1 * G),
	    DEFAULT("1K"), IN(config, limits.data_rate_bytes),
	    HELP("Octets of a message that a client must send in a second, "
	    "on average, after the first minute.") },
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

	/* ---- resolver ---- */
	{ "resolver", "servers", CONFIG_SERVER_LIST, 0,
	    IN(config, resolver.servers),
	    HELP("The name servers to ask, each an address, with @ and a "
	    "port where that is not 53. The default is those in "
	    "/etc/resolv.conf; where there are none either, the servers of "
	    "the root and of each zone are asked.") },
	{ "resolver", "dnssec", CONFIG_WORD, 0, DEFAULT("auto"),
	    WORDS("off|auto"), IN(config, resolver.has_dnssec),
	    HELP("Whether answers are validated. What fails validation is no "
	    "answer. With auto that is tried at the start, and while the "
	    "servers leave out signatures it is switched off with a warning "
	    "in the log and in the status. Private domains that the root "
	    "does not know, such as lan and internal, are not validated.") },
	{ "resolver", "trust_anchor", CONFIG_PATH, KEY_EMPTY,
	    IN(config, resolver.trust_anchor),
	    HELP("A file with DNSKEY or DS records in which validation "
	    "begins. The default is /usr/share/dns/root.key, of Debian's "
	    "dns-root-data.") },
	{ "resolver", "timeout", CONFIG_DURATION, 0, RANGE(1, 60),
	    DEFAULT("5s"), IN(config, resolver.timeout_s),
	    HELP("The most that one question may take; then it is silence.") },

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
	{ "checks", "default", CONFIG_WORD, 0, WORDS(CHECK_WORDS),
	    IN(config, checks.fallback),
	    HELP("For every check that is not named here, instead of the "
	    "default of that check. refuse answers the client with what the "
	    "check found; mark delivers, and notes it in the trail; off "
	    "asks nothing.") },
	{ "checks", "helo", CONFIG_WORD, 0, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_HELO]),
	    HELP("The name in HELO or EHLO: a domain name or its own "
	    "address, and not ours.") },
	{ "checks", "fcrdns", CONFIG_WORD, 0, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_FCRDNS]),
	    HELP("The name of the client's address, confirmed both ways.") },
	{ "checks", "sender_domain", CONFIG_WORD, 0, DEFAULT("refuse"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_SENDER_DOMAIN]),
	    HELP("Whether the domain of the reverse-path exists and takes "
	    "mail (RFC 7505).") },
	{ "checks", "spf", CONFIG_WORD, 0, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_SPF]),
	    HELP("SPF (RFC 7208): whether the domain of the reverse-path, and "
	    "the name in HELO, permit the client.") },
	{ "checks", "dkim", CONFIG_WORD, 0, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_DKIM]),
	    HELP("DKIM signatures (RFC 6376).") },
	{ "checks", "dmarc", CONFIG_WORD, 0, DEFAULT("refuse"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_DMARC]),
	    HELP("The policy of the domain in From (RFC 7489).") },
	{ "checks", "virus", CONFIG_WORD, 0, DEFAULT("refuse"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_VIRUS]),
	    HELP("What clamd finds, and its silence. mark only notes it in "
	    "the trail.") },
	{ "checks", "content", CONFIG_WORD, 0, DEFAULT("refuse"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_CONTENT]),
	    HELP("The limits header_size, header_fields, mime_depth and "
	    "mime_parts.") },
	{ "checks", "attachments", CONFIG_WORD, 0, DEFAULT("off"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_ATTACHMENTS]),
	    HELP("Parts by file name and declared type, with a list of "
	    "programs and scripts built in. The reply names the part. A "
	    "message whose parts are not clear to all mail programs is "
	    "refused too. Archives are not looked into; clamd does that.") },
	{ "checks", "attachment_names", CONFIG_PATTERN_LIST, 0,
	    IN(config, checks.attachment_names),
	    HELP("The file names that attachments finds, instead of those "
	    "that are built in: an asterisk is any characters, a question "
	    "mark is one, case does not count.") },
	{ "checks", "attachment_types", CONFIG_PATTERN_LIST, 0,
	    IN(config, checks.attachment_types),
	    HELP("The types that attachments finds, instead of those that "
	    "are built in. A part that begins as a Windows program does has "
	    "the type application/x-dosexec too, whatever it declares.") },
	{ "checks", "date", CONFIG_WORD, 0, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_DATE]),
	    HELP("The Date field: one, well-formed, and not far from now.") },
	{ "checks", "from", CONFIG_WORD, 0, DEFAULT("mark"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_FROM]),
	    HELP("The From field: one, with an address (RFC 5322 3.6.2).") },
	{ "checks", "greylist", CONFIG_WORD, 0, DEFAULT("off"),
	    WORDS(CHECK_WORDS), IN(config, checks.actions[CHECK_GREYLIST]),
	    HELP("Whether strangers must try twice: the first message from "
	    "a client's network with this sender to this recipient gets a "
	    "temporary refusal. Bounces, and senders that SPF confirms and "
	    "that were accepted before, are let through.") },
	{ "checks", "greylist_delay", CONFIG_DURATION, 0, RANGE(1, DAY),
	    DEFAULT("5m"), IN(config, checks.greylist_delay_s),
	    HELP("How long a stranger must stay away before the retry.") },
	{ "checks", "greylist_window", CONFIG_DURATION, 0,
	    RANGE(60, 30 * DAY), DEFAULT("1d"),
	    IN(config, checks.greylist_window_s),
	    HELP("How long after the first try a retry counts as one.") },
	{ "checks", "greylist_lifetime", CONFIG_DURATION, 0,
	    RANGE(DAY, 400 * DAY), DEFAULT("35d"),
	    IN(config, checks.greylist_lifetime_s),
	    HELP("How long somebody who passed stays known, from the last "
	    "message on.") },
	{ "checks", "dnsbl_refuse_at", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 100000), DEFAULT("0"), IN(config, checks.dnsbl_refuse_at),
	    HELP("The sum of scores at which a client is refused: with 450 for "
	    "ten seconds from its first contact on, then with 550. 0 is one "
	    "more than the highest score of a list, so none refuses alone.") },
	{ "checks", "dnsbl_exempt", CONFIG_NETWORK_LIST, 0,
	    IN(config, checks.dnsbl_exempt),
	    HELP("Clients and networks whose mail is wanted whatever the "
	    "lists say. They are not asked about.") },
	{ "checks", "untagged_bounces", CONFIG_WORD, 0,
	    DEFAULT("prove"), WORDS("prove|refuse|accept"),
	    IN(config, checks.untagged_bounces),
	    HELP("What a bounce without our tag must do: prove by what it "
	    "returns that it is about mail of ours; refuse takes nothing at "
	    "all without a reverse-path and a tag, but for postmaster and "
	    "abuse; accept only notes that it proves nothing, and is for "
	    "domains whose mail leaves by other servers too.") },
	{ "checks", "relay_peer", CONFIG_NETWORK_LIST, 0,
	    IN(config, checks.relay_peer),
	    HELP("Hosts in front of this one that have accepted the mail "
	    "before they bring it, such as a backup MX or a filtering "
	    "gateway: what is refused here they return to whoever the "
	    "message says has sent it. So what they bring is never refused "
	    "for what it is, for good: what a check, a milter or clamd "
	    "would refuse goes into .Junk, and the log says so each time. "
	    "What is looked up about a client (helo, fcrdns, spf, dnsbl, "
	    "greylist) is left out, as it would be about that host, and so "
	    "are limits of messages, recipients and connections in a time; "
	    "DMARC rests on DKIM alone. Bare LFs are made line ends. "
	    "Unknown recipients are still refused, and so is what is too "
	    "large or no message at all. It is better to have that host ask "
	    "for each recipient before it accepts, and wait for our reply.")
	    },
	{ "dnsbl", "score", CONFIG_COUNT, 0, RANGE(1, 1000), DEFAULT("1"),
	    IN(config_dnsbl, score), HELP("What a hit counts.") },
	{ "dnsbl", "allow", CONFIG_BOOL, 0, DEFAULT("false"),
	    IN(config_dnsbl, is_allow),
	    HELP("Whether a hit speaks for the client: its score is "
	    "subtracted.") },
	{ "dnsbl", "answers", CONFIG_NETWORK_LIST, 0,
	    IN(config_dnsbl, answers),
	    HELP("The answers that are hits. The default is all of "
	    "127.0.0.0/8. Answers in 127.255.255.0/24 say that the list "
	    "refuses to talk to us, and are silence.") },
	{ "dnsbl", "text", CONFIG_TEXT, KEY_EMPTY, IN(config_dnsbl, text),
	    HELP("What the client is told, instead of the text of the list; "
	    "%i is its address.") },
	{ "clamd", "timeout", CONFIG_DURATION, 0, RANGE(1, 60),
	    DEFAULT("30s"), IN(config_filter, timeout_s),
	    HELP("How long it may take for one message.") },
	{ "clamd", "signatures_age", CONFIG_DURATION, KEY_ZERO,
	    RANGE(DAY, 400 * DAY), DEFAULT("7d"),
	    IN(config_filter, signatures_age_s),
	    HELP("How old its daily database may be. It is asked at each "
	    "self-test, at the start and every ten minutes; older is an alarm "
	    "in the log each time, since such a clamd finds nothing that is "
	    "new. It says the date without a time zone, so that its age is "
	    "up to 14 hours off; where it says none (no daily database) "
	    "there is none. 0s: it is not asked.") },
	{ "clamd", "on_old_signatures", CONFIG_WORD, 0, DEFAULT("alarm"),
	    WORDS("alarm|tempfail"), IN(config_filter, defers_old),
	    HELP("What older ones than signatures_age mean. alarm: the log "
	    "says so, and mail goes on. tempfail: what it finds clean is "
	    "answered as if it were silent, too (451 4.3.0, or what virus "
	    "says), until a self-test finds them renewed; what it finds is "
	    "refused as ever.") },
	{ "milter", "on_failure", CONFIG_WORD, 0,
	    DEFAULT("tempfail"), WORDS("tempfail|mark"),
	    IN(config_filter, marks_failure),
	    HELP("What it means when the milter is down, slow, or breaks the "
	    "protocol: the client is told to try again later, or the mail "
	    "goes on without it and the trail says so.") },
	{ "milter", "timeout", CONFIG_DURATION, 0, RANGE(1, 60),
	    DEFAULT("30s"), IN(config_filter, timeout_s),
	    HELP("How long it may take for one answer. One that reports "
	    "progress gets as much again, within the time that all checks of "
	    "a message have.") },
	{ "milter", "discard", CONFIG_WORD, 0, DEFAULT("junk"),
	    WORDS("junk|drop|refuse"), .first_word = DISPOSAL_JUNK,
	    IN(config_filter, discard),
	    HELP("What becomes of a message that the milter wants discarded. "
	    "junk: it is delivered into .Junk of each recipient. drop: the "
	    "client is told 250, nobody receives it, and log and trail say "
	    "so. refuse: 550, so that who sent it learns of it. One that it "
	    "only puts into quarantine goes into .Junk in any case.") },
	{ "milter", "reuse", CONFIG_BOOL, 0, DEFAULT("false"),
	    IN(config_filter, is_reused),
	    HELP("Whether a connection serves one session after the other "
	    "(quit-new-connection). Milters on libmilter must not: it "
	    "ignores the second connect.") },

	/* ---- tls ---- */
	{ "tls", "certificate", CONFIG_PATH, KEY_REQUIRED,
	    IN(config_tls, certificate),
	    HELP("A PEM file with the certificate, and behind it those of "
	    "its chain. One that is damaged or cut off is an error.") },
	{ "tls", "key", CONFIG_PATH, KEY_REQUIRED, IN(config_tls, key),
	    HELP("A PEM file with the private key (ECDSA, RSA or Ed25519), "
	    "without a passphrase. Only root needs to read it.") },

	/* ---- our own users ---- */
	{ "sender", "may", CONFIG_ADDRESS_LIST, KEY_REQUIRED,
	    IN(config_sender, may),
	    HELP("Addresses; the local part may be an asterisk. A mail "
	    "server that sends by this one with the user's password writes "
	    "what it has to report to him as MAILER-DAEMON at its own name; "
	    "without that address here such reports are refused.") },
	{ "submitter", "as", CONFIG_LOCAL_ADDRESS, KEY_REQUIRED,
	    IN(config_submitter, as),
	    HELP("The address that they send as, of a user here.") },
	{ "submission", "probe", CONFIG_BOOL, 0, DEFAULT("false"),
	    IN(config, submission.probes),
	    HELP("Whether the server of a recipient elsewhere is asked at "
	    "RCPT, so that an address that it refuses is refused in the "
	    "mail program and not by a bounce. Where it does not answer, "
	    "or says that it cannot tell, the recipient is accepted and the "
	    "message queued as without a probe.") },
	{ "submission", "probe_timeout", CONFIG_DURATION, 0, RANGE(1, 60),
	    DEFAULT("5s"), IN(config, submission.probe_timeout_s),
	    HELP("How long such a server may take, from the connection to "
	    "its answer. All recipients of a message together wait for at "
	    "most three times as long.") },
	{ "auth", "users", CONFIG_PATH, KEY_EMPTY, IN(config, auth.users),
	    HELP("A file with the passwords, a users table with the field "
	    "password alone, an account once; names may have a domain. The "
	    "default is the fields password of the users tables. Passwords "
	    "are hashes of crypt(5) (yescrypt, bcrypt, sha512crypt) or keys "
	    "of SCRAM-SHA-256; see postern(8).") },
	{ "auth", "dovecot", CONFIG_ENDPOINT, KEY_EMPTY,
	    IN(config, auth.dovecot),
	    HELP("unix: and the path of an authentication socket of Dovecot, "
	    "which is asked instead of a table.") },
	{ "auth", "failures_per_client", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 100000), DEFAULT("20"),
	    IN(config, auth.failures_per_client),
	    HELP("Wrong passwords from one client network in an hour, after "
	    "which it is asked to come again later.") },
	{ "auth", "failures_per_account", CONFIG_COUNT, KEY_ZERO,
	    RANGE(1, 100000), DEFAULT("10"),
	    IN(config, auth.failures_per_account),
	    HELP("The same for one account, from client networks that it has "
	    "not been used from.") },
	{ "queue", "retry_first", CONFIG_DURATION, 0, RANGE(1, DAY),
	    DEFAULT("5m"), IN(config, queue.retry_first_s),
	    HELP("How long a message waits after its first try. Each wait "
	    "is longer than the one before.") },
	{ "queue", "retry_longest", CONFIG_DURATION, 0, RANGE(1, 7 * DAY),
	    DEFAULT("4h"), IN(config, queue.retry_longest_s),
	    HELP("The longest wait between two tries.") },
	{ "queue", "delay_notice", CONFIG_DURATION, KEY_ZERO,
	    RANGE(1, 7 * DAY), DEFAULT("4h"),
	    IN(config, queue.delay_notice_s),
	    HELP("After what time the sender is told that a message has not "
	    "left yet. 0s means never.") },
	{ "queue", "give_up", CONFIG_DURATION, 0, RANGE(1, 30 * DAY),
	    DEFAULT("5d"), IN(config, queue.give_up_s),
	    HELP("After what time a message is given up and goes back to its "
	    "sender (RFC 5321 4.5.4.1 asks for four days at least).") },
	{ "queue", "per_destination", CONFIG_COUNT, 0, RANGE(1, 1000),
	    DEFAULT("20"), IN(config, queue.per_destination),
	    HELP("Messages that are sent to one destination at a time.") },
	{ "queue", "return_full", CONFIG_SIZE, KEY_ZERO, RANGE(1 * K, 32 * M),
	    DEFAULT("1M"), IN(config, queue.return_full_bytes),
	    HELP("The largest message that comes back whole when it has "
	    "failed and RET=FULL was asked for (RFC 3461). Of others, and "
	    "without that, it is the header. 0 means always the header.") },
	{ "relay", "smart_host", CONFIG_NEXT_HOP, KEY_EMPTY,
	    IN(config, relay.smart_host),
	    HELP("The host that all mail for elsewhere is sent to: smtp:, a "
	    "host name or an address in brackets, and a port. The default is "
	    "the servers of each domain.") },
	{ "relay", "smart_host_user", CONFIG_TEXT, KEY_EMPTY,
	    IN(config, relay.smart_host_user),
	    HELP("The name to authenticate with at the smart host.") },
	{ "relay", "smart_host_password_file", CONFIG_PATH, KEY_EMPTY,
	    IN(config, relay.smart_host_password_file),
	    HELP("A file with the password on its first line. Only root "
	    "needs to be able to read it.") },
	{ "relay", "tls", CONFIG_WORD, 0, DEFAULT("dane"),
	    WORDS("opportunistic|dane|required|off"), IN(config, relay.tls),
	    HELP("When a connection uses TLS. opportunistic: where the other "
	    "side offers it, without a look at its certificate. dane: the "
	    "same, and where its domain says by DANE (RFC 7672) or MTA-STS "
	    "(RFC 8461) how to know it, only with TLS and a certificate that "
	    "fits. required: always, with a certificate that fits the name "
	    "of the host.") },
	{ "relay", "port", CONFIG_COUNT, 0, RANGE(1, 65535), DEFAULT("25"),
	    IN(config, relay.port),
	    HELP("The port of the servers of a domain. Anything but 25 is "
	    "for tests.") },
	{ "relay", "connect_timeout", CONFIG_DURATION, 0, RANGE(1, 600),
	    DEFAULT("30s"), IN(config, relay.connect_timeout_s),
	    HELP("How long a connection may take to be made.") },
	{ "relay", "command_timeout", CONFIG_DURATION, 0, RANGE(1, 3600),
	    DEFAULT("5m"), IN(config, relay.command_timeout_s),
	    HELP("How long the other side may take for its greeting and for "
	    "the answer to a command (RFC 5321 4.5.3.2).") },
	{ "relay", "data_timeout", CONFIG_DURATION, 0, RANGE(1, 3600),
	    DEFAULT("3m"), IN(config, relay.data_timeout_s),
	    HELP("How long it may take to take in a part of a message.") },
	{ "relay", "final_timeout", CONFIG_DURATION, 0, RANGE(1, 3600),
	    DEFAULT("10m"), IN(config, relay.final_timeout_s),
	    HELP("How long it may take for its answer to the end of a "
	    "message.") },
	{ "relay", "source_ipv4", CONFIG_IP, KEY_EMPTY,
	    IN(config, relay.source_ipv4),
	    HELP("The address that connections by IPv4 come from.") },
	{ "relay", "source_ipv6", CONFIG_IP, KEY_EMPTY,
	    IN(config, relay.source_ipv6), HELP("The same for IPv6.") },
	{ "relay", "ca_file", CONFIG_PATH, 0,
	    DEFAULT("/etc/ssl/certs/ca-certificates.crt"),
	    IN(config, relay.ca_file),
	    HELP("Certificates of the authorities that are trusted where the "
	    "name of another host has to be proved: MTA-STS (RFC 8461), "
	    "REQUIRETLS (RFC 8689), and a smart host that is sent a "
	    "password.") },
	{ "batv", "exempt", CONFIG_DOMAIN_LIST, 0, IN(config, batv_exempt),
	    HELP("Domains to which mail goes without a tag.") },
	{ "srs", "domain", CONFIG_DOMAIN, KEY_EMPTY, IN(config, srs.domain),
	    HELP("The domain of these addresses: one of this server, whose "
	    "SPF record names the hosts that forward. The default is the "
	    "domain of the alias.") },
	{ "srs", "lifetime", CONFIG_DURATION, 0, DEFAULT("21d"),
	    RANGE(7 * DAY, SRS_LIFE_MAX_DAYS * DAY), IN(config, srs.life_s),
	    HELP("How long a bounce to one is taken.") },
	{ "dkim", "selector", CONFIG_DOMAIN, KEY_REQUIRED,
	    IN(config_dkim, selector),
	    HELP("The name of the key: the public one stands in the DNS at "
	    "NAME._domainkey and the domain.") },
	{ "dkim", "key", CONFIG_PATH, KEY_REQUIRED, IN(config_dkim, key),
	    HELP("A PEM file with the private key, without a passphrase. "
	    "Only root needs to be able to read it.") },
};

const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);
