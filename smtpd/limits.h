/* SPDX-License-Identifier: ISC */
/*
 * limits.h - what one client, and all clients together, may have at once.
 *
 * Everything is counted over all smtpd processes through their scoreboards:
 * sessions and memory as gauges, messages in an hour, recipients in an hour
 * or a quarter of one and connections in a minute in windows that all
 * processes cut alike. A client that
 * collects addresses is marked there for all. Two processes that look at the
 * same moment may each let one more in.
 *
 * A struct client is one network (an IPv4 address, an IPv6 /64). It lives
 * while it has sessions, and longer while something is held against it.
 */
#ifndef POSTERN_SMTPD_LIMITS_H
#define POSTERN_SMTPD_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "replies.h"
#include "scoreboards.h"

#define LIMITS_NETWORK_SIZE 64		/* "2001:db8:1:2::/64" and NUL */
#define LIMITS_HARVEST_US (15 * 60 * (int64_t)1000000)

struct limits;
struct client;

struct limits_setup {
	const struct config *config;
	struct scoreboard *own;			/* NULL: nobody sees it */
	struct scoreboards *const *others;	/* may change; or NULL */
	/* who may come as often as they like, or NULL */
	const struct config_strings *trusted;
	uint64_t memory_bytes;		/* of all messages under way; 0: none */
};

/* NULL without memory. */
struct limits *limits_new(const struct limits_setup *setup);
void limits_free(struct limits **limits);

/*
 * The largest message that can ever be taken in: message_size, or what of
 * the memory one client network may hold. 0: any.
 */
uint64_t limits_message_bytes(const struct limits *limits);
/* The network that an address counts for, as text. */
void limits_network(char to[LIMITS_NETWORK_SIZE], const char *ip);

/*
 * A new session of this address. REPLY_COUNT: it may come, and *client is
 * its until limits_leave (NULL without memory: then nothing is held against
 * it). Otherwise the reply to turn it away with.
 */
enum reply_name limits_admit(struct limits *limits, const char *ip,
    struct client **client);
void limits_leave(struct limits *limits, struct client **client);

/* May it begin one more message, name one more recipient now? Counts it. */
bool limits_allow_mail(struct limits *limits, struct client *client);
bool limits_allow_rcpt(struct limits *limits, struct client *client);
/* The same of one of our own users, wherever he comes from. */
bool limits_allow_user_mail(struct limits *limits, struct slice user);
bool limits_allow_user_rcpt(struct limits *limits, struct slice user);
/* It has waited for its greeting, as it should; for an hour it need not. */
void limits_note_patience(struct client *client);
bool limits_is_patient(const struct client *client);
/* Hold at least wanted octets of memory; *held is what it holds. */
bool limits_reserve(struct limits *limits, struct client *client,
    uint64_t *held, uint64_t wanted);
void limits_unreserve(struct limits *limits, struct client *client,
    uint64_t *held);
/* One more recipient. True: by now the client collects addresses. */
bool limits_note_recipient(struct limits *limits, struct client *client,
    bool is_unknown);
/* In any process. */
bool limits_is_harvester(const struct limits *limits,
    const struct client *client);

void limits_count(struct limits *limits, enum scoreboard_counter counter,
    int64_t delta);

#endif
