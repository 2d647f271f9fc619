/* SPDX-License-Identifier: ISC */
/*
 * ask_outbound.h - what is asked about our own users' mail: the part of
 * ask.h (which includes it) on auth, queue and relay. The numbers of the
 * messages stand in enum ask_type there, and what holds for all encoders
 * and decoders.
 */
#ifndef POSTERN_ASK_OUTBOUND_H
#define POSTERN_ASK_OUTBOUND_H

#include <stdbool.h>
#include <stdint.h>
#include "ask_hop.h"
#include "batv.h"
#include "buf.h"
#include "ipc_cursor.h"
#include "verdict.h"
#include "voucher.h"

/* RFC 3461, the same bits and words as mail/'s COMMAND_NOTIFY_, _RET_ */
enum dsn_notify {
	NOTIFY_NEVER = 1 << 0,
	NOTIFY_SUCCESS = 1 << 1,
	NOTIFY_FAILURE = 1 << 2,
	NOTIFY_DELAY = 1 << 3,
	NOTIFY_ALL = (1 << 4) - 1,
};
enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };

/* ---- auth ---- */

/*
 * An exchange is one AUTH command, or one AUTH_PEER: a number of smtpd's own
 * that no other has in its channel. All of its steps go to one process of
 * auth, which keeps what it needs between them.
 */
enum auth_mechanism { AUTH_PLAIN, AUTH_LOGIN, AUTH_SCRAM_SHA_256,
	AUTH_MECHANISM_COUNT };

#define AUTH_RESPONSE_MAX 9216		/* before base64 (RFC 4954 4.3) */
#define AUTH_NETWORK_MAX 64		/* octets, with terminator */
struct auth_step {
	uint32_t exchange;
	enum auth_mechanism mechanism;
	bool is_first;
	bool has_response;		/* false: AUTH without an initial one */
	struct slice response;		/* decoded from base64 */
	struct slice session;
	struct slice network;		/* the client's, for its failures */
};

/* With the client's own socket, to be asked for its other end. */
struct auth_peer {
	uint32_t exchange;
	struct slice session;
	struct slice network;		/* "" for a unix socket */
};

enum auth_result {
	AUTH_CONTINUE,			/* challenge is for the client */
	AUTH_OK,
	AUTH_REFUSED,			/* 535 5.7.8 */
	AUTH_UNAVAILABLE,		/* 454 4.7.0 */
	AUTH_LIMITED,			/* too many failures */
	AUTH_NOT_A_USER,		/* AUTH_PEER: nobody whom we know */
	AUTH_RESULT_COUNT
};

struct auth_answer {
	enum auth_result result;
	struct slice challenge;		/* octets; with AUTH_OK SCRAM's last */
	struct voucher voucher;		/* of AUTH_OK */
};

void put_auth_step(struct ipc_writer *w, const struct auth_step *q);
bool get_auth_step(struct ipc_reader *r, struct auth_step *q);
void put_auth_peer(struct ipc_writer *w, const struct auth_peer *q);
bool get_auth_peer(struct ipc_reader *r, struct auth_peer *q);
void put_auth_answer(struct ipc_writer *w, const struct auth_answer *a);
bool get_auth_answer(struct ipc_reader *r, struct auth_answer *a);
/* The mechanisms that everybody here can use: 1 << enum auth_mechanism. */
void put_auth_offers(struct ipc_writer *w, unsigned mechanisms);
bool get_auth_offers(struct ipc_reader *r, unsigned *mechanisms);

/* ---- directory ---- */

/*
 * The mailbox of this account itself, never through its aliases: what comes
 * home goes there. One without a mailbox has its dsn_to's route, or
 * postmaster's.
 */
struct mailbox_ask {
	struct slice session;
	struct slice user;		/* as in a voucher; "": postmaster */
};

/* May this account write as that address? */
struct may_ask {
	struct slice user;		/* as in a voucher */
	struct slice address;		/* local@domain, without tag */
};
enum may_answer {
	MAY_NOT,
	MAY_SEND,	/* it leads to his mailbox alone, or he is granted it */
	MAY_UNKNOWN,	/* cannot tell: 451 */
	MAY_ANSWER_COUNT
};

void put_mailbox_ask(struct ipc_writer *w, const struct mailbox_ask *q);
bool get_mailbox_ask(struct ipc_reader *r, struct mailbox_ask *q);
void put_may_ask(struct ipc_writer *w, const struct may_ask *q);
bool get_may_ask(struct ipc_reader *r, struct may_ask *q);
void put_may_answer(struct ipc_writer *w, enum may_answer a);
bool get_may_answer(struct ipc_reader *r, enum may_answer *a);

/* ---- queue ---- */

/*
 * A transaction (a number that is unique in the channel):
 *
 *	QUEUE_RECIPIENT ..., QUEUE_MEMBERS ... -> QUEUE_PREPARE -> durable, not
 *	    runnable -> QUEUE_COMMIT -> runnable     -> QUEUE_ABORT, end -> gone
 *
 * Each list is a message of its own, with its owner for a sender.
 */
struct queue_recipient {
	uint64_t transaction;
	uint16_t index;
	struct slice address;
	unsigned notify;		/* enum dsn_notify; 0: not given */
	struct slice orcpt;		/* "" or as given */
	bool is_here;			/* nobody sends to him: a mailbox here
					 * has it before QUEUE_COMMIT, and his
					 * sender wants to be told so */
};

struct queue_members {
	uint64_t transaction;
	struct slice sealed;		/* list_route.h; "": a descriptor */
	uint32_t sealed_size;		/* ... of so many octets, or 0 */
};

struct queue_prepare {
	uint64_t transaction;
	struct voucher voucher;
	struct slice reverse_path;	/* clean, without tag */
	enum dsn_ret ret;
	struct slice envid;
	bool is_8bit, is_utf8, requires_tls;
	bool is_alone;			/* nobody else has a part in it: commit
					 * it, too */
	uint64_t message_size;		/* of the descriptor */
	uint16_t n_recipients, n_lists;	/* told before; not both are 0 */
};

#define QUEUE_ID_MAX 32			/* octets, with terminator */
struct queue_prepared {
	struct verdict verdict;		/* code 0: yes */
	struct slice queue_id;
};

enum queue_verb { QUEUE_LIST, QUEUE_SHOW, QUEUE_HOLD, QUEUE_RELEASE,
	QUEUE_RETRY, QUEUE_REMOVE, QUEUE_FLUSH, QUEUE_STATUS,
	QUEUE_VERB_COUNT };
struct queue_command {
	enum queue_verb verb;
	struct slice argument;		/* queue id, address, domain; or "" */
	struct slice owner;		/* whose lease, for hold and release */
};

/* A user of this host asks of his own mail. */
struct queue_own {
	struct voucher voucher;
	bool is_sent;			/* what has left (sent_ask's word); else
					 * what waits, and word is "" */
	struct slice word;
};

void put_queue_own(struct ipc_writer *w, const struct queue_own *q);
bool get_queue_own(struct ipc_reader *r, struct queue_own *q);
void put_queue_recipient(struct ipc_writer *w,
    const struct queue_recipient *q);
bool get_queue_recipient(struct ipc_reader *r, struct queue_recipient *q);
void put_queue_members(struct ipc_writer *w, const struct queue_members *q);
bool get_queue_members(struct ipc_reader *r, struct queue_members *q);
void put_queue_prepare(struct ipc_writer *w, const struct queue_prepare *q);
bool get_queue_prepare(struct ipc_reader *r, struct queue_prepare *q);
/*
 * The same from outside: to lists alone, each with directory's seal for this
 * session. Of the voucher it has the session, and nobody's reverse-path.
 */
void put_queue_lists(struct ipc_writer *w, const struct queue_prepare *q);
bool get_queue_lists(struct ipc_reader *r, struct queue_prepare *q);
void put_queue_prepared(struct ipc_writer *w,
    const struct queue_prepared *a);
bool get_queue_prepared(struct ipc_reader *r, struct queue_prepared *a);
void put_queue_command(struct ipc_writer *w, const struct queue_command *q);
bool get_queue_command(struct ipc_reader *r, struct queue_command *q);

/* ---- relay ---- */

/*
 * A job, a number of queue's: one message to at most 50 recipients at one
 * destination. The results come as they are known, then the answer.
 */
#define RELAY_JOB_RECIPIENTS 50

struct relay_recipient {
	uint32_t job;
	uint16_t index;
	struct slice address;
	unsigned notify;		/* enum dsn_notify */
	struct slice orcpt;
};

struct relay_send {
	uint32_t job;
	struct slice domain;		/* A-label, or "smtp:[host]:port" */
	bool is_smart_host;
	struct slice reverse_path;	/* as to be sent, tagged; "" is null */
	enum dsn_ret ret;
	struct slice envid;
	bool is_8bit, is_utf8, requires_tls;
	/* in the descriptor: a file or memfd, read-only, LF lines */
	uint64_t message_offset, message_size;
	uint16_t n_recipients;		/* told before, of this job */
	bool is_asked_for;		/* by hand: also at hosts that are left
					 * alone because they were bad */
};

struct relay_result {
	uint32_t job;
	uint16_t index;
	enum relay_stage stage;
	struct verdict verdict;		/* 250: taken over; 4xx, 5xx. Its text
					 * is the other side's, one line */
	struct slice remote_host;	/* "mx1.example.net[192.0.2.1]", "" */
	bool passes_dsn;		/* that host takes care of NOTIFY; else
					 * a 250 is "relayed" (RFC 3461 6.2) */
};

struct relay_results {
	uint32_t job;
	bool is_host_bad;		/* the recipients have no part in it */
	struct slice tls;		/* what was agreed, for the log */
	uint32_t delay_s;		/* 0, or a hint when to try again */
};

/*
 * A report for an account whose mailbox is behind an LMTP server: directory
 * says which (MAILBOX_ASK) and seals it for the report. Nothing but LMTP to
 * a next hop of the configuration is followed.
 */
struct relay_home {
	struct slice session;		/* that the route is for */
	struct slice sealed;		/* hop_route.h */
	uint64_t message_size;		/* of the descriptor */
	bool is_8bit, is_utf8;
};

void put_relay_home(struct ipc_writer *w, const struct relay_home *q);
bool get_relay_home(struct ipc_reader *r, struct relay_home *q);
void put_relay_recipient(struct ipc_writer *w,
    const struct relay_recipient *q);
bool get_relay_recipient(struct ipc_reader *r, struct relay_recipient *q);
void put_relay_send(struct ipc_writer *w, const struct relay_send *q);
bool get_relay_send(struct ipc_reader *r, struct relay_send *q);
void put_relay_result(struct ipc_writer *w, const struct relay_result *a);
bool get_relay_result(struct ipc_reader *r, struct relay_result *a);
void put_relay_results(struct ipc_writer *w, const struct relay_results *a);
bool get_relay_results(struct ipc_reader *r, struct relay_results *a);

/* ---- store ---- */

/* One that leaves, noted before its first octet does; kept 35 days. */
#define LEDGER_MESSAGE_ID_MAX 2000
struct ledger_entry {
	struct slice message_id;	/* without <>; not "" */
	struct slice recipient;		/* as rewritten */
	struct slice sender;
	uint64_t time_s;
	struct slice queue_id;
	struct slice user;		/* as in a voucher: who may ask of it */
};

/* What has left? One word: an address, a Message-ID, a queue id; "" is all. */
#define SENT_WORD_MAX LEDGER_MESSAGE_ID_MAX
struct sent_ask {
	struct slice word;
	struct slice user;		/* of his alone; "": everybody's */
};

/* An MTA-STS policy that relay has fetched (RFC 8461). */
#define STS_KEPT_TEXT_MAX 14000
#define STS_KEPT_ID_MAX 32
#define STS_KEPT_MAX 1000		/* of store */
struct sts_kept {
	struct slice domain;		/* as dns_name makes it */
	struct slice id;		/* of its record */
	uint64_t fetched_s, expires_s;	/* wall-clock time */
	struct slice text;		/* a policy (mta_sts.h) */
};

void put_ledger_entry(struct ipc_writer *w, const struct ledger_entry *e);
bool get_ledger_entry(struct ipc_reader *r, struct ledger_entry *e);
void put_sent_ask(struct ipc_writer *w, const struct sent_ask *q);
bool get_sent_ask(struct ipc_reader *r, struct sent_ask *q);
void put_sts_kept(struct ipc_writer *w, const struct sts_kept *p);
/* The end of a list (all of it empty) counts as one. */
bool get_sts_kept(struct ipc_reader *r, struct sts_kept *p);

/*
 * What a bounce says that it returns: a message that has left and a recipient
 * of it, or the trace id of our Received field, whose MAC vault has checked.
 * What is good is claimed for the transaction until TAKE or DROP, so that
 * nobody else is believed the same meanwhile.
 */
#define PROOF_ID_MAX 1000
#define PROOF_TRACE_MAX 80
enum proof_action { PROOF_FAILED, PROOF_DELAYED, PROOF_DELIVERED,
	PROOF_ACTION_COUNT };
struct proof_ask {
	uint64_t transaction;		/* 0: only look */
	enum proof_action action;	/* each is believed by itself */
	struct slice sender;		/* to whom it comes, as keys of records
					 * write him: he must have sent it */
	struct slice message_id;	/* "": by its trace */
	struct slice recipient;		/* reported on; "" if none is told */
	struct slice trace;		/* "" unless message_id is */
};
enum proof_state {
	PROOF_UNKNOWN,		/* the disk failed, or too many claims */
	PROOF_NONE,		/* nothing of the kind has left */
	PROOF_GOOD,		/* it did */
	PROOF_USED,		/* it did, and was reported on */
	PROOF_BUSY,		/* ... and another has claimed it */
	PROOF_STATE_COUNT
};
struct proof_answer {
	enum proof_state state;
	uint64_t time_s;		/* when it left; 0 for a trace */
};

void put_proof_ask(struct ipc_writer *w, const struct proof_ask *q);
bool get_proof_ask(struct ipc_reader *r, struct proof_ask *q);
/* The key of FACT_PROOF; false: it is none. Its value; 0 or what buf_puts
 * returns. */
bool proof_ask_read(struct slice key, struct proof_ask *q);
int proof_answer_write(struct buf *value, const struct proof_answer *a);
void put_proof_answer(struct ipc_writer *w, const struct proof_answer *a);
bool get_proof_answer(struct ipc_reader *r, struct proof_answer *a);

/* ---- vault ---- */

enum vault_tag_kind { VAULT_TAG_BATV, VAULT_TAG_KIND_COUNT };

struct vault_tag {
	enum vault_tag_kind kind;
	struct slice address;		/* local@domain */
	uint32_t day;			/* when it is sent, since 1970: today,
					 * or the tag is not made */
};

/*
 * What a signer signs: the whole text, not a digest (RFC 6376 3.7). It ends
 * in the DKIM-Signature field, whose d=, s= and a= name a key of that domain.
 * An empty input asks which keys there are: the answer has no signatures
 * then, only algorithms and selectors. None at all: there are none, or the
 * input is not what a signer signs.
 */
#define VAULT_DKIM_INPUT_MAX 15000
struct vault_dkim {
	struct slice domain;		/* lower-case A-label */
	struct slice input;		/* canonicalised header and field */
};
#define VAULT_DKIM_MAX 2
enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256,
	DKIM_ALGORITHM_COUNT };
struct vault_dkim_signed {
	uint8_t n_signatures;
	struct {
		enum dkim_algorithm algorithm;
		struct slice selector, signature;
	} signatures[VAULT_DKIM_MAX];
};

/* What the tag of an address is worth that mail is for. */
struct vault_tag_checked {
	enum batv_result result;
	struct slice plain;		/* local part without the tag; "" for
					 * NONE and UNKNOWN */
};

/* The id of a Received field, and the reverse-path of that mail as keys of
 * records write it. */
struct vault_trace {
	struct slice id;		/* SESSION-NUMBER-DAY-MAC */
	struct slice sender;
};

void put_vault_trace(struct ipc_writer *w, const struct vault_trace *q);
bool get_vault_trace(struct ipc_reader *r, struct vault_trace *q);
void put_vault_tag(struct ipc_writer *w, const struct vault_tag *q);
bool get_vault_tag(struct ipc_reader *r, struct vault_tag *q);
void put_vault_tag_checked(struct ipc_writer *w,
    const struct vault_tag_checked *a);
bool get_vault_tag_checked(struct ipc_reader *r,
    struct vault_tag_checked *a);
void put_vault_dkim(struct ipc_writer *w, const struct vault_dkim *q);
bool get_vault_dkim(struct ipc_reader *r, struct vault_dkim *q);
void put_vault_dkim_signed(struct ipc_writer *w,
    const struct vault_dkim_signed *a);
bool get_vault_dkim_signed(struct ipc_reader *r,
    struct vault_dkim_signed *a);

#endif
