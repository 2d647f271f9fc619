/* SPDX-License-Identifier: ISC */
/*
 * config_sections.c - the table of sections; see config_keys.h.
 */
#include "config_keys.h"

/* "At most 64 of them.", from the limit itself. */
#define AT_MOST(number, of) "At most " DIGITS(number) " " of

const struct config_section config_sections[] = {
	{ "", NULL, TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "At the top level, outside of any section." },
	{ "listen", "", TARGET_LISTEN, true, CONFIG_LISTEN, true,
	    "An address and port to serve. An asterisk is all addresses of "
	    "IPv4 and of IPv6, each with a socket of its own; an IPv6 "
	    "address stands in brackets. "
	    AT_MOST(CONFIG_MAX_LISTENS, "sections.") },
	{ "domain", "", TARGET_DOMAIN, true, CONFIG_DOMAIN, true,
	    "A domain whose mail is delivered here. "
	    AT_MOST(CONFIG_MAX_DOMAINS, "names, with those in same_as. ")
	    AT_MOST(CONFIG_MAX_TABLES, "files of users and aliases; several "
	    "domains can have one.") },
	{ "limits", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "How much of each thing. 0 means no limit." },
	{ "processes", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "How many processes of each kind." },
	{ "resolver", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "How names are looked up." },
	{ "checks", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "What a message is judged by." },
	{ "dnsbl", "checks", TARGET_DNSBL, true, CONFIG_DOMAIN, true,
	    "A DNS list of client addresses (RFC 5782). Each is asked while "
	    "the client says who it is; one that is silent counts only if "
	    "its score could change the answer. "
	    AT_MOST(CONFIG_MAX_DNSBLS, "lists.") },
	{ "clamd", "checks", TARGET_CLAMD, true, CONFIG_ENDPOINT, false,
	    "A clamd, and where it listens: unix: and the path of its socket, "
	    "or inet:, a port, @ and an address. Every message is scanned as "
	    "it would be delivered, after all milters. What it finds is "
	    "refused with 554 5.7.1; while it cannot answer, messages are "
	    "answered with 451 4.3.0." },
	{ "milter", "checks", TARGET_MILTER, true, CONFIG_ENDPOINT, true,
	    "A mail filter that speaks the milter protocol, and where it "
	    "listens. Several are asked in the order of the file; each sees "
	    "what those before it have changed. Mail that one "
	    "quarantines goes into .Junk. "
	    AT_MOST(CONFIG_MAX_MILTERS, "milters.") },
	{ "tls", "", TARGET_TLS, true, CONFIG_TLS_NAME, true,
	    "The certificate that is shown to a client that asks for this "
	    "host name (SNI); *.example.org is every name with one label "
	    "more. The first section is the default. Two sections of one "
	    "name have keys of different types, such as ECDSA and RSA. "
	    "A reload (SIGHUP) reads the files again. "
	    AT_MOST(CONFIG_MAX_TLS, "sections.") },
	{ "sender", "", TARGET_SENDER, true, CONFIG_ACCOUNT, true,
	    "The addresses that a user may send from, beyond his own, which "
	    "are those that lead to his mailbox and to no other. The user "
	    "is a login name of the system, or the name and domain of an "
	    "entry in a users table." },
	{ "submitter", "", TARGET_SUBMITTER, true, CONFIG_NETWORK, true,
	    "A network of devices that cannot authenticate: where they "
	    "connect to a listener for submission, they are taken for the "
	    "user of one address. Of several networks with a client in them "
	    "the first of the file counts." },
	{ "submission", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "What our own users may do." },
	{ "auth", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "How our own users prove who they are." },
	{ "queue", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "When mail that could not be sent at once is tried again." },
	{ "relay", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "How mail is sent to other hosts." },
	{ "batv", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "Tags on the reverse-paths of our own mail." },
	{ "srs", "", TARGET_CONFIG, false, CONFIG_COUNT, false,
	    "The reverse-paths of mail to aliases that forward to another "
	    "host. It leaves with an address of ours "
	    "(SRS0=HASH=DAY=domain=local@ours), for which SPF passes there; "
	    "a bounce to it is checked, and passed on to the sender if he "
	    "had passed SPF, or DKIM for his domain, here." },
	{ "dkim", "", TARGET_DKIM, true, CONFIG_DOMAIN, true,
	    "A key that signs the mail of our users whose From is in this "
	    "domain. Two sections of one domain have keys of different "
	    "types, RSA and Ed25519. A reload (SIGHUP) reads the files "
	    "again. " AT_MOST(CONFIG_MAX_DKIM, "sections.") },
};

const size_t config_n_sections =
    sizeof(config_sections) / sizeof(config_sections[0]);
