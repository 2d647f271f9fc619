/* SPDX-License-Identifier: ISC */
/*
 * envelope.h - all that is known about a queued message, as a small text.
 *
 * One file for each message, one line for each fact, in one order; the last
 * line is a SHA-256 of what stands above it. Anyone can read it with less;
 * the parser takes nothing that the writer would not have written.
 *
 *	postern envelope 1
 *	id 1M5RZK0A2B
 *	time Sun, 22 Nov 2026 08:00:00 +0000
 *	user alice@example.com          the account, as auth vouched for it
 *	home alice@example.com          its own address
 *	session k3f9q2m7t
 *	from alice@example.com          reverse-path without tag; "" is null
 *	size 4096
 *	flags 8bit utf8 requiretls      those that hold
 *	ret full                        MAIL ... RET= and ENVID=, if given
 *	envid QQ314159
 *	message-id <a@example.com>      if it has one
 *	tag 20786 prvs=...              reverse-path as sent; its day
 *	delayed <date>                  a delay notice has been decided
 *	report <date> 2 text            of DSNs: next try, tries, last answer
 *	hold <date> <date> owner reason leases: since, until ("never")
 *	to bob@example.net              one block for each recipient:
 *	 notify success failure
 *	 orcpt rfc822;bob@example.net
 *	 state waiting                  or sent, failed, delivered (here)
 *	 tries 2
 *	 next <date>
 *	 last <date> 450 4.2.0 text     what was answered last
 *	 host mx1.example.net[192.0.2.1]
 *	 owes failure                   a DSN that is to be written
 *	end <sha256>
 *
 * Pure. Only queue uses this.
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>
#include "ask_outbound.h"
#include "buf.h"
#include "envelope_id.h"

#define ENVELOPE_MAX (4u << 20)		/* octets of a file */
#define ENVELOPE_RECIPIENTS_MAX 1000
#define ENVELOPE_HOLDS_MAX 16

enum recipient_state { RECIPIENT_WAITING, RECIPIENT_SENT, RECIPIENT_FAILED,
	RECIPIENT_DELIVERED, RECIPIENT_STATE_COUNT };
enum report_kind { REPORT_NONE, REPORT_FAILURE, REPORT_DELAY, REPORT_SUCCESS,
	REPORT_KIND_COUNT };

/* One answer of the other side, or our own word about it. */
struct envelope_answer {
	int64_t when_s;			/* 0: none yet */
	uint16_t code;
	uint8_t subject, detail;
	struct slice text;
};

struct envelope_recipient {
	struct slice address;
	unsigned notify;		/* enum dsn_notify; 0: not given */
	struct slice orcpt;
	enum recipient_state state;
	uint16_t tries;
	int64_t next_s;			/* WAITING: not before; 0: at once */
	struct envelope_answer last;
	struct slice host;		/* that said so, or "" */
	enum report_kind owes;
	bool is_told_of;	/* by the report under way; not in the file */
};

/* A lease: the message rests until it ends or its owner gives it back. */
struct envelope_hold {
	int64_t since_s, until_s;	/* until 0: as long as it takes */
	struct slice owner, reason;	/* no spaces in owner */
};

struct envelope {
	uint64_t id;
	int64_t time_s;
	struct slice user, home, session, from;
	uint64_t size_bytes;		/* of the body */
	bool is_8bit, is_utf8, requires_tls;
	enum dsn_ret ret;
	struct slice envid, message_id;
	uint32_t tag_day;		/* with tag; 0: none */
	struct slice tag;
	int64_t delayed_s;		/* 0: no delay notice yet */
	int64_t report_next_s;		/* 0: at once */
	uint16_t report_tries;
	struct slice report_text;
	struct envelope_hold holds[ENVELOPE_HOLDS_MAX];
	size_t n_holds;
	struct envelope_recipient *recipients;
	size_t n_recipients;
	struct envelope_chunk *chunks;	/* strings that it owns */
};

/* NULL without memory. */
struct envelope *envelope_new(size_t n_recipients);
void envelope_free(struct envelope **e);
/*
 * A copy that lives as long as the envelope: in one line, without controls,
 * most octets at most. *failed is set without memory.
 */
struct slice envelope_keep(struct envelope *e, struct slice text, size_t most,
    bool *failed);

/* 0, -ENOBUFS or -ENOMEM; -EINVAL for what could not be read again. */
int envelope_write(struct buf *out, const struct envelope *e);
/* 0; -EBADMSG for anything but what envelope_write writes; -ENOMEM. */
int envelope_parse(struct envelope **e, struct slice text);

#endif
