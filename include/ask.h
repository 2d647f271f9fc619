/* SPDX-License-Identifier: ISC */
/*
 * ask.h - every question that one compartment asks another.
 *
 * Each message is a struct here with one encoder (put_) and one decoder
 * (get_), side by side in lib/ask_*.c; tests/unit/test_ask.c round-trips
 * them. A decoder returns false for anything malformed: out of bounds, left
 * over, an enum that does not exist. Slices in decoded structs point into
 * the message. Who may ask whom stands in ask_links and has no cycle:
 *
 *	smtpd ----> directory            who is this recipient? (ROUTE)
 *	smtpd ----> deliver              can it be delivered? then do it
 *	smtpd ----> store ----> deliver  delivery records; what became of one
 *	smtpd ----> vault                sign this handshake, please
 *	smtpd ----> resolver             DNS, for policy's facts
 *	smtpd ----> policy               what do these facts amount to?
 *	control --> directory, store, resolver, policy, vault
 *	                                 posternctl's questions
 *	smtpd ----> store                greylist, first contacts
 *	smtpd[submission, local] --> auth
 *	                                 who is this?
 *	smtpd[submission, local] --> queue
 *	                                 keep and send our user's message; would
 *	                                 the next hop take this recipient?
 *	control --> queue                posternctl's commands
 *	queue ----> relay ----> resolver send it there; ask there
 *	queue ----> directory, deliver   bring a DSN home
 *	queue ----> store, vault         note and tag what leaves
 *	relay ----> vault                rewrite a forward's reverse-path
 *	smtpd ----> relay                ask a next hop, and bring it there
 *	relay ----> store                keep MTA-STS policies over restarts
 *	everyone -> supervisor           on descriptor 3
 */
#ifndef POSTERN_ASK_H
#define POSTERN_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "ask_forward.h"
#include "ask_outbound.h"
#include "ask_srs.h"
#include "buf.h"
#include "compartment.h"
#include "dns.h"
#include "ipc.h"
#include "judge.h"
#include "route.h"
#include "tls.h"
#include "verdict.h"

/* Instances of smtpd by the listeners that they serve. */
#define ASK_KIND(listen_role) (1u << (listen_role))
#define ASK_KINDS_OWN (ASK_KIND(LISTEN_SUBMISSION) | ASK_KIND(LISTEN_LOCAL))
#define ASK_KINDS_ALL (ASK_KIND(LISTEN_MX) | ASK_KINDS_OWN)

struct ask_link {
	enum role asker;
	enum role answerer;
	unsigned kinds;			/* of an asker that is an smtpd */
};
extern const struct ask_link ask_links[];
extern const size_t ask_n_links;

/*
 * Of a run of the table compiler, and its exit status: whoever cannot even
 * begin ends with 1.
 */
enum tables_outcome {
	TABLES_COMPILED,
	TABLES_FAILED,		/* no room, no memory, a disk that fails: not
				 * the tables' fault, and tried again */
	TABLES_KEPT,		/* one at least stays as it was */
	TABLES_IN_PART,		/* an included list has an error: the aliases
				 * that include it are out of order */
	TABLES_OUTCOMES };

#define RELOAD_DONE "reloaded"
#define RELOAD_IN_PART "reloaded, but a list that an alias includes has an " \
	"error, and mail to it is 451; posternctl tables and the log say where"
#define RELOAD_KEPT "the configuration is reloaded, but a table has an " \
	"error and stays as it was:"
#define RELOAD_FAILED "the configuration is reloaded, but a table could not " \
	"be compiled and stays as it was; the log says why, and it is tried " \
	"again each minute"
#define RELOAD_LATE "reloaded, but the tables are still being compiled"
#define RELOAD_DELAYED "delayed until the previous reload has drained"

enum ask_type {
	/* supervisor -> compartment, on descriptor 3 */
	SETUP_CONFIG = 1,	/* u64 size; descriptor: configuration text */
	SETUP_SELF,		/* struct setup_self */
	SETUP_LOG,		/* u8 target, u8 format; descriptor */
	SETUP_PEER,		/* u16 role, u16 index, u16 kind (of an smtpd,
				 * else 0); descriptor */
	SETUP_LISTENER,		/* u16 index in config->listens; descriptor */
	SETUP_SECRET,		/* u16 enum secret, 32 octets */
	SETUP_FD,		/* u16 enum setup_fd; descriptor */
	SETUP_DONE,		/* nothing */
	RUN_DRAIN,		/* nothing: finish, take nothing new, end */
	TABLES_CHANGED,		/* nothing: open the compiled tables anew */
	SETUP_CERTIFICATE = 24,	/* u16 index in config->tls; descriptor: PEM */
	SETUP_KEY,		/* struct tls_key; descriptor: PEM (vault) */
	KEYS_FORGET,		/* u16 generation (vault) */
	SETUP_DKIM,		/* struct tls_key, index in config->dkims;
				 * descriptor: PEM (vault) */
	SETUP_SECRETS,		/* nothing; descriptor: see secrets.h (vault) */
	/* compartment -> supervisor */
	CHILD_READY = 32,	/* nothing */
	COMPILE_WANTED,		/* u8 0 */
	SUPERVISOR_STATUS,	/* nothing -> SUPERVISOR_STATUS: nothing;
				 * descriptor: sealed memfd of text */
	SUPERVISOR_RELOAD,	/* nothing -> SUPERVISOR_RELOAD: text, one of
				 * RELOAD_* or why it is refused */
	PEER_MISBEHAVED,	/* u16 role, u16 index: channel was closed */
	ENDPOINT_ASK,		/* u16 index: smtpd's config_find_endpoint,
				 * auth's 0, Dovecot, or relay's a domain
				 * whose next hop is a unix socket ->
				 * ENDPOINT_ANSWER */
	ENDPOINT_ANSWER,	/* u32 errno; 0 with a descriptor that is
				 * connected, or on its way to be */
	SUPERVISOR_COMPILE,	/* u8 accept -> SUPERVISOR_COMPILE: u8 enum
				 * tables_outcome, at the end of a run
				 * (control only) */
	/* smtpd, control -> directory */
	ROUTE_ASK = 64,		/* struct route_ask -> ROUTE_ANSWER */
	ROUTE_ANSWER,		/* struct route_answer; descriptor if large */
	TABLES_ASK,		/* nothing -> TABLES_ANSWER (control only) */
	TABLES_ANSWER,		/* text: one line per table */
	/* queue -> directory */
	MAILBOX_ASK,		/* struct mailbox_ask -> ROUTE_ANSWER */
	/* smtpd[submission, local] -> directory */
	MAY_ASK,		/* struct may_ask -> MAY_ANSWER */
	MAY_ANSWER,		/* u8 enum may_answer */
	/* smtpd -> deliver */
	PROBE_ASK = 96,		/* struct probe_ask; descriptor if large. Told
				 * instead of asked: frozen, not probed */
	PROBE_ANSWER,		/* struct probe_answer */
	PREPARE_ASK,		/* struct prepare_ask; descriptor: message */
	PREPARE_ANSWER,		/* struct outcome */
	COMMIT_ASK,		/* u64 transaction */
	COMMIT_ANSWER,		/* struct outcome */
	DELIVER_ASK,		/* as PREPARE_ASK: PREPARE and COMMIT in one
				 * job of one worker -> COMMIT_ANSWER. All
				 * leaves are one owner's and fit
				 * (deliver_leaf_size); no is_each, no is_junk.
				 * A small message has no descriptor: see
				 * ask.message */
	RELEASE_ASK,		/* struct release_ask */
	RELEASE_ANSWER,		/* nothing */
	DELIVER_CANCEL,		/* u64 transaction: its client has left. Told.
				 * A DELIVER that has not moved a copy yet
				 * fails; its answer says so. */
	PROGRAM_ASK,		/* struct program_ask; descriptor: the sealed
				 * message -> PROGRAM_ANSWER. Deadline up to
				 * 10 minutes, waiting in line included */
	PROGRAM_ANSWER,		/* struct program_answer */
	/* store -> deliver */
	RESOLVE_ASK = 128,	/* struct resolve_ask */
	RESOLVE_ANSWER,		/* u8 enum resolution */
	/* smtpd -> store */
	RECORD_BEGIN = 160,	/* struct record_begin -> RECORD_STATES. Told
				 * instead of asked, with a clearance: store
				 * gives it, or says nothing */
	RECORD_STATES,		/* struct record_states */
	RECORD_INTENT,		/* u64: all is prepared, COMMIT is next ->
				 * RECORD_OK. Without it nothing that the
				 * transaction began counts as delivered. */
	RECORD_DONE,		/* u64 transaction, u16 n, n x u16 entry
				 * (n 0: all): these are in new/. Told. */
	RECORD_WITHDRAW,	/* same fields, not committed -> RECORD_OK */
	RECORD_OK,		/* nothing */
	RECORD_SETTLE,		/* u64: fate unknown, resolve it. Told. */
	RECORD_CONFIRM,		/* u64: the client has read the reply. Told. */
	RECORD_END,		/* u64: session ended unconfirmed. Told. */
	RECORD_LOOK,		/* u64: what became of its BEGIN, which was
				 * told -> RECORD_STATES, of a transaction
				 * that store does not know RECORD_IS_OPEN */
	FAILURE_PUT,		/* struct failure. Told. */
	FAILURE_ASK,		/* struct failure (verdict empty) */
	FAILURE_ANSWER,		/* struct verdict, code 0: none */
	FAILURE_COUNT,		/* u32: how many store keeps. Told to smtpd */
	TRAIL_SEGMENT_ASK,	/* nothing */
	TRAIL_SEGMENT_ANSWER,	/* u16 segment, u32 offset; descriptor */
	/* smtpd -> store; control too, with note false */
	GREY_ASK = 176,		/* struct grey_ask -> GREY_ANSWER */
	GREY_ANSWER,		/* struct grey_answer */
	SEEN_ASK,		/* struct seen_ask -> SEEN_ANSWER */
	SEEN_ANSWER,		/* struct seen_answer */
	DIGEST_KEY,		/* 32 octets: see smtpd/digest.h. Told smtpd */
	PROOF_ASK,		/* struct proof_ask -> PROOF_ANSWER */
	PROOF_ANSWER,		/* struct proof_answer */
	PROOF_TAKE,		/* struct proof_ask: the bounce that it was
				 * claimed for was delivered. Told, but for the
				 * last of a transaction -> PROOF_TAKEN */
	PROOF_DROP,		/* u64 transaction: its claims. Told. */
	PROOF_TAKEN,		/* u8: is it durable? 0: the disk failed */
	/* control -> store */
	WHY_ASK = 192,		/* string id */
	WHY_ANSWER,		/* u8 found, string why it cannot be read or
				 * ""; descriptor: memfd of raw lines */
	STORE_STATUS,		/* nothing -> STORE_STATUS: text, logfmt */
	/* control, queue -> store */
	SENT_ASK,		/* struct sent_ask -> SENT_ANSWER */
	SENT_ANSWER,		/* nothing; descriptor: sealed memfd of text */
	/* queue -> store */
	LEDGER_PUT = 208,	/* struct ledger_entry -> LEDGER_OK */
	LEDGER_OK,		/* nothing: it is durable */
	/* relay -> store */
	STS_NEXT,		/* string domain: the one behind it, "" the
				 * first -> STS_ENTRY */
	STS_ENTRY,		/* struct sts_kept; domain "": no more */
	STS_KEEP,		/* struct sts_kept -> STS_KEPT; without text
				 * it is forgotten */
	STS_KEPT,		/* nothing: it is durable */
	/* smtpd, control -> policy */
	JUDGE_MORE = 224,	/* struct judge_more. Told, before JUDGE_ASK */
	JUDGE_ASK,		/* struct judge_ask; descriptor: the sealed
				 * message, at JUDGE_DATA -> JUDGE_ANSWER */
	JUDGE_ANSWER,		/* struct judge_answer; descriptor if large */
	/* smtpd, control -> resolver */
	DNS_ASK = 256,		/* struct dns_ask -> DNS_ANSWER. Its deadline
				 * ends the look-up too: DNS_FAILED then */
	DNS_ANSWER,		/* slice: the octets of put_dns_answer */
	RESOLVER_STATUS,	/* nothing -> RESOLVER_STATUS: text, one line
				 * of key=value (control only) */
	/* relay -> resolver */
	DNS_ASK_SECURE = 264,	/* struct dns_ask -> DNS_ANSWER, with what is
				 * known of its security: bogus is DNS_FAILED
				 * here even while everybody else is given
				 * answers that were not validated */
	/* smtpd -> vault */
	VAULT_SIGN = 288,	/* struct vault_sign -> VAULT_SIGNATURE */
	VAULT_SIGNATURE,	/* string of octets; empty: refused */
	/* queue, smtpd[submission, local] -> vault */
	VAULT_TAG = 292,	/* struct vault_tag -> VAULT_TAGGED */
	VAULT_TAGGED,		/* string: prvs=KDDDSSSSSS=local@domain */
	VAULT_TRACE,		/* string: data -> VAULT_TRACED */
	VAULT_TRACED,		/* string: a MAC, 10 characters of base32 */
	VAULT_DKIM,		/* struct vault_dkim -> VAULT_DKIM_SIGNED */
	VAULT_DKIM_SIGNED,	/* struct vault_dkim_signed */
	/* smtpd -> vault; TRACE_CHECK is control's, too */
	VAULT_TAG_CHECK,	/* string: an address -> VAULT_TAG_CHECKED */
	VAULT_TAG_CHECKED,	/* struct vault_tag_checked */
	VAULT_TRACE_CHECK,	/* struct vault_trace -> VAULT_TRACE_CHECKED */
	VAULT_TRACE_CHECKED,	/* u8 whether it is ours, and not too old */
	VAULT_SRS_CHECK,	/* struct vault_srs_check ->
				 * VAULT_SRS_CHECKED */
	VAULT_SRS_CHECKED,	/* struct vault_srs_checked */
	/* relay -> vault */
	VAULT_SRS,		/* struct vault_srs -> VAULT_SRS_MADE */
	VAULT_SRS_MADE,		/* string: SRS0=HHHHHH=TT=domain=local@ours, or
				 * itself if it is ours, or "": there is no
				 * such address */
	/* smtpd[submission, local] -> auth */
	AUTH_STEP = 320,	/* struct auth_step -> AUTH_ANSWER */
	AUTH_PEER,		/* struct auth_peer; descriptor: the client's
				 * connected socket -> AUTH_ANSWER */
	AUTH_ANSWER,		/* struct auth_answer */
	AUTH_FORGET,		/* u32 exchange: over. Told. */
	AUTH_OFFERS,		/* u8 mechanisms (get_auth_offers), for EHLO.
				 * Told, by auth, at first and on a change */
	/* smtpd[submission, local] -> queue */
	QUEUE_RECIPIENT = 336,	/* struct queue_recipient. Told, before ... */
	QUEUE_PREPARE,		/* struct queue_prepare; descriptor: the sealed
				 * message -> QUEUE_PREPARED */
	QUEUE_PREPARED,		/* struct queue_prepared: durable in the spool,
				 * not runnable yet; with is_alone it is */
	QUEUE_COMMIT,		/* u64 transaction -> QUEUE_COMMITTED */
	QUEUE_COMMITTED,	/* struct verdict, code 0: durable, runnable */
	QUEUE_ABORT,		/* u64 transaction. Told. The end of a channel
				 * aborts all that is not committed. */
	QUEUE_MEMBERS,		/* struct queue_members; a large one as a
				 * descriptor. Told, before PREPARE */
	QUEUE_OWN,		/* struct queue_own -> QUEUE_COMMAND_ANSWER:
				 * what its user has in the queue, or has sent;
				 * root: everybody */
	QUEUE_PROBE,		/* struct queue_probe -> QUEUE_PROBED */
	QUEUE_PROBED,		/* struct hop_reply */
	QUEUE_LISTS,		/* as QUEUE_PREPARE, from outside: to lists
				 * alone; descriptor: the sealed
				 * message -> QUEUE_PREPARED */
	/* control -> queue */
	QUEUE_COMMAND = 352,	/* struct queue_command ->
				 * QUEUE_COMMAND_ANSWER */
	QUEUE_COMMAND_ANSWER,	/* u8 is_ok; descriptor: sealed memfd of text */
	/* queue -> relay */
	RELAY_RECIPIENT = 368,	/* struct relay_recipient. Told, before ... */
	RELAY_SEND,		/* struct relay_send; descriptor: the message
				 * -> RELAY_RESULTS. Deadline up to 1 h */
	RELAY_RESULT,		/* struct relay_result. Told, by relay */
	RELAY_RESULTS,		/* struct relay_results, after all of them */
	/* control -> relay */
	RELAY_STATUS,		/* nothing -> RELAY_STATUS: text, one line of
				 * key=value */
	RELAY_TLS,		/* u8 yesterday -> RELAY_TLS: nothing;
				 * descriptor: sealed memfd of text */
	/* queue -> relay */
	RELAY_PROBE,		/* struct relay_probe -> RELAY_PROBED, within
				 * the question's deadline */
	RELAY_PROBED,		/* struct hop_reply */
	RELAY_HOME,		/* struct relay_home; descriptor: the sealed
				 * report -> RELAY_HOMED */
	RELAY_HOMED,		/* struct relay_result, of job 0 */
	/* smtpd -> relay */
	HOP_RCPT = 384,		/* struct hop_rcpt -> HOP_REPLIED, within the
				 * question's deadline */
	HOP_REPLIED,		/* struct hop_reply */
	HOP_RECIPIENT,		/* struct hop_recipient. Told, before ... */
	HOP_SEND,		/* struct hop_send; descriptor: the sealed
				 * message -> HOP_SENT. From the end of the
				 * message on relay waits 10 minutes */
	HOP_SENT,		/* struct hop_sent */
	HOP_CANCEL,		/* u64 transaction: its client has left. Told.
				 * Whose end has not been sent yet fails */
};

struct setup_self {
	uint16_t role, index, generation;
	uint16_t kind;		/* enum config_listen_role of an smtpd */
	bool is_privileged;
	uint32_t uid, gid;
};

#define ASK_SESSION_MAX 24		/* session id, with terminator */
#define ASK_ADDRESS_MAX 640		/* an address, with terminator */

/* ---- directory ---- */

struct route_ask {
	struct slice session;
	struct slice local;		/* local part, unquoted; "" + "" is
					 * <Postmaster> written as postmaster */
	struct slice domain;		/* lower-case A-label form, or "" */
	struct slice recipient;		/* the address as the client gave it */
	bool explains;			/* fill in answer.explanation */
	bool wants_list;		/* sealed: of a list, the members
					 * elsewhere (list_route.h) */
};

struct route_answer {
	enum route_kind kind;
	struct verdict verdict;		/* for ROUTE_REFUSE; code 0 otherwise */
	bool is_unknown_user;		/* counts for harvesting */
	bool is_exempt;			/* postmaster, abuse */
	bool is_elsewhere;		/* REFUSE: no domain of ours. Mail of
					 * our own users may go there */
	struct slice alarm;		/* "" or what must be mended */
	struct slice explanation;	/* lines: how, and by which file:line */
	struct slice sealed;		/* empty when it came as a descriptor */
	uint32_t sealed_size;		/* of the descriptor's content, or 0 */
	struct slice hop;		/* ROUTE_HOP: sealed (hop_route.h) */
};

/* ---- deliver ---- */

/*
 * Freeze one recipient's route in deliver under the transaction, have each
 * of its mailboxes probed by its uid's worker and reserve size_bytes of
 * quota. The answer is the first problem found, or code 0.
 *
 * Told and not asked it is only frozen: for routes without a quota whose
 * mailboxes' last answer is still believed. What is wrong with the route is
 * then said by the outcome of PREPARE or DELIVER.
 */
struct probe_ask {
	uint64_t transaction;		/* unique in this channel */
	uint16_t recipient;		/* index in the transaction */
	uint64_t size_bytes;		/* SIZE=, 0: not declared */
	struct slice session;
	struct slice sealed;		/* or a descriptor of sealed_size */
	uint32_t sealed_size;
};

#define PROBE_BELIEVED_MS 5000		/* the longest */
struct probe_answer {
	struct verdict verdict;		/* code 0: deliverable */
	uint32_t believed_ms;		/* nobody need ask about its mailboxes
					 * for so long; 0 if one has a quota */
};

/*
 * Write every leaf of these recipients into its tmp/. File names are
 * NAME_R_L.HOST,S=SIZE: base name, recipient index and leaf index (decimal),
 * host, and the size of the whole file. The NAME of a DELIVER ends in D and
 * digits, that of a PREPARE in Q and digits: RESOLVE has to know (resolve.c).
 *
 * is_each false: any failure undoes every copy. true (PRDR): a failing
 * recipient's own copies are undone, the others stay prepared.
 */
#define DELIVER_ROOM 12000	/* for message, return_path, trace, and what
				 * deliver_leaf_size says of each leaf */
struct prepare_ask {
	uint64_t transaction;
	uint64_t message_size;		/* of the descriptor, or: */
	struct slice message;		/* DELIVER: all of it, in place of a
					 * descriptor; within DELIVER_ROOM */
	bool is_each;
	bool is_junk;			/* into .Junk of each mailbox */
	uint64_t clearance;		/* DELIVER: no rename without it; or
					 * CLEARANCE_NONE (clearances.h) */
	struct slice name;		/* TIME.UNIQUE, safe characters */
	struct slice host;
	struct slice return_path;	/* line content of Return-Path: <...> */
	struct slice trace;		/* header lines below Delivered-To */
	uint16_t n_recipients;
	uint16_t recipients[1000];	/* indices that were probed */
	/* leaves that a delivery record says are done already: skip them */
	uint16_t n_skipped;
	struct { uint16_t recipient, leaf; } skipped[1000];
};

/* Octets that a leaf may take in a worker's job. */
size_t deliver_leaf_size(const struct route_leaf *leaf);

struct outcome_failure {
	uint16_t recipient;
	bool is_own;			/* belongs to this recipient alone */
	bool is_of_message;		/* his next message may be taken */
	struct verdict verdict;
};

#define OUTCOME_MAX_FAILURES 24		/* more are summed up in the last */
struct outcome {
	uint16_t n_failures;		/* 0: all of it worked */
	uint16_t n_left_behind;		/* COMMIT: copies not taken back */
	bool is_prepared;		/* DELIVER: its clearance was not there,
					 * so this is what PREPARE had said */
	struct outcome_failure failures[OUTCOME_MAX_FAILURES];
};

/*
 * Run the program of a recipient whose probed route is ROUTE_PROGRAM, once:
 * after PREPARE where the transaction has mailboxes, and before COMMIT; with
 * is_each after COMMIT, which then does not forget it, and before RELEASE.
 * Code 0: it has taken the message. Its end cannot be undone, nor can
 * RELEASE stop one that runs.
 */
struct program_ask {
	uint64_t transaction;
	uint16_t recipient;		/* index */
	uint64_t message_size;		/* of the descriptor */
	struct slice return_path;	/* as in prepare_ask */
	struct slice trace;
};

struct program_answer {
	struct verdict verdict;
	struct slice told;		/* how it ended, for people here:
					 * "exit 75: no space left" */
};

enum release_how {
	RELEASE_ALL,		/* forget routes, undo what is prepared */
	RELEASE_RECIPIENT,	/* one recipient was refused after its probe */
	RELEASE_KEEP_FILES,	/* forget, leave tmp/ files for RESOLVE */
};
struct release_ask {
	uint64_t transaction;
	enum release_how how;
	uint16_t recipient;
};

enum resolution {
	RESOLVED_NOT_DELIVERED,	/* was still in tmp/, now unlinked */
	RESOLVED_DELIVERED,	/* not in tmp/: in new/ or taken by a reader */
	RESOLVED_UNKNOWN,	/* cannot tell now */
};
struct resolve_ask {
	uint32_t uid, gid;
	struct slice maildir;
	struct slice file;		/* complete file name */
};

/* ---- store ---- */

/*
 * A transaction's entries: one per leaf. RECORD_INTENT makes them INTENTs
 * between PREPARE and COMMIT: then "not in tmp/" means delivered, also after
 * a crash right there. BEGIN does it too, with is_intent and if all of its
 * entries are new, since DELIVER follows at once. The key of an entry is
 * HMAC(reverse_path, recipient, maildir, digest) under the store's own
 * secret. Long lists are sent in several messages with one transaction;
 * entries are numbered from first.
 */
struct record_entry {
	struct slice recipient;		/* as given */
	uint32_t uid, gid;
	struct slice maildir;		/* or RECORD_LAST and whose answer it
					 * is: no file, and until it is DONE
					 * nobody knows more (smtpd/last.h) */
	struct slice file;		/* complete name of the copy */
};
#define RECORD_LAST "last:"
#define RECORD_QUEUE RECORD_LAST "queue"	/* all that it sends for him */
#define RECORD_BEGIN_MAX 64
struct record_begin {
	uint64_t transaction;
	bool is_intent;
	uint64_t clearance;		/* given with the INTENT; or NONE */
	struct slice reverse_path;	/* tags stripped */
	uint8_t digest[32];
	uint16_t first;
	uint16_t n_entries;
	struct record_entry entries[RECORD_BEGIN_MAX];
};

enum record_state {
	RECORD_IS_NEW,		/* noted: prepare it, then RECORD_INTENT */
	RECORD_IS_DONE,		/* an earlier attempt delivered it: skip */
	RECORD_IS_OPEN,		/* an earlier attempt's fate is not known yet */
};
struct record_states {
	uint16_t first;
	uint16_t n_entries;
	uint8_t states[RECORD_BEGIN_MAX];
};

/* A failure that belongs to one recipient; kept 24 h. */
struct failure {
	struct slice client_network;
	struct slice reverse_path;
	struct slice recipient;
	struct verdict verdict;
};

/*
 * Has this client network written from this sender to this recipient before,
 * and did it come again when it was told to? The fields are names: nothing
 * in store looks into them. What stands in an answer that was not noted is
 * what a note would have said.
 */
#define GREY_NETWORK_MAX 64
#define GREY_ADDRESS_MAX 1024
#define GREY_TIME_MAX_S (400 * 86400)
struct grey_ask {
	struct slice network;		/* of 24 or 64 bits */
	struct slice sender, recipient;	/* lower case, tags stripped */
	uint32_t delay_s;		/* to stay away before the retry */
	uint32_t window_s;		/* from the first try to the retry */
	uint32_t lifetime_s;		/* of one that passed, from its last */
	bool notes;			/* false: look only */
};
enum grey_state {
	GREY_UNKNOWN,		/* cannot tell: 451 where it could refuse */
	GREY_NEW,		/* never seen, or long ago */
	GREY_EARLY,		/* came again before the delay was over */
	GREY_LATE,		/* came again after the window: begins anew */
	GREY_KNOWN,		/* let it through */
};
struct grey_answer {
	enum grey_state state;
	uint32_t wait_s;	/* until a retry passes; 0 for KNOWN */
};

/* When was this thing first noted? Any key; the asker makes sure that two
 * purposes do not share one. */
#define SEEN_KEY_MAX 2048
struct seen_ask {
	struct slice key;
	uint32_t lifetime_s;		/* of a note, from the last one */
	bool notes;			/* note it; false: look only */
};
enum seen_state { SEEN_UNKNOWN, SEEN_NEVER, SEEN_BEFORE };
struct seen_answer {
	enum seen_state state;		/* before this question */
	uint64_t age_s;			/* BEFORE: since the first note */
};

/* ---- resolver ---- */

#define ASK_NETWORK_MAX 64	/* text of a network, with terminator */

struct dns_ask {
	enum dns_type type;
	struct slice name;		/* as dns_name makes it; "" is root */
	struct slice network;		/* whose share it counts in; "" none */
	bool wants_proof;		/* not sent: DNS_ASK_SECURE */
};

/* ---- policy ---- */

/*
 * A set of facts that is too large for one message is told in parts before
 * it is judged: all with one number that is not 0 and that the channel has
 * not used for the set before.
 */
#define JUDGE_FACTS_MAX 15000		/* octets of one part */
struct judge_more {
	uint32_t set;
	struct slice facts;		/* put_facts_part's form */
};

struct judge_ask {
	enum judge_stage stage;
	uint32_t set;			/* of the JUDGE_MORE before, or 0 */
	uint64_t message_bytes;		/* of the descriptor */
	struct slice facts;		/* the rest */
};

struct judge_answer {
	struct slice judgement;		/* put_judgement's form ... */
	uint32_t sealed_size;		/* ... or a descriptor of that size */
};

/* ---- vault ---- */

/*
 * A TLS server's signature over what a handshake of TLS 1.2 or 1.3 signs,
 * in full and not as a digest: vault refuses everything else, so that who
 * has taken smtpd over cannot have a certificate request, say, signed.
 */
struct vault_sign {
	struct tls_key key;
	enum tls_scheme scheme;
	struct slice data;		/* at most TLS_SIGNED_MAX */
};

/* ---- encoders and decoders ---- */

void put_verdict(struct ipc_writer *w, const struct verdict *v);
bool get_verdict(struct ipc_reader *r, struct verdict *v);
void put_setup_self(struct ipc_writer *w, const struct setup_self *s);
bool get_setup_self(struct ipc_reader *r, struct setup_self *s);
void put_route_ask(struct ipc_writer *w, const struct route_ask *q);
bool get_route_ask(struct ipc_reader *r, struct route_ask *q);
void put_route_answer(struct ipc_writer *w, const struct route_answer *a);
bool get_route_answer(struct ipc_reader *r, struct route_answer *a);
void put_probe_ask(struct ipc_writer *w, const struct probe_ask *q);
bool get_probe_ask(struct ipc_reader *r, struct probe_ask *q);
void put_probe_answer(struct ipc_writer *w, const struct probe_answer *a);
bool get_probe_answer(struct ipc_reader *r, struct probe_answer *a);
void put_prepare_ask(struct ipc_writer *w, const struct prepare_ask *q);
bool get_prepare_ask(struct ipc_reader *r, struct prepare_ask *q);
void put_outcome(struct ipc_writer *w, const struct outcome *o);
bool get_outcome(struct ipc_reader *r, struct outcome *o);
void put_program_ask(struct ipc_writer *w, const struct program_ask *q);
bool get_program_ask(struct ipc_reader *r, struct program_ask *q);
void put_program_answer(struct ipc_writer *w,
    const struct program_answer *a);
bool get_program_answer(struct ipc_reader *r, struct program_answer *a);
void put_release_ask(struct ipc_writer *w, const struct release_ask *q);
bool get_release_ask(struct ipc_reader *r, struct release_ask *q);
void put_resolve_ask(struct ipc_writer *w, const struct resolve_ask *q);
bool get_resolve_ask(struct ipc_reader *r, struct resolve_ask *q);
void put_record_begin(struct ipc_writer *w, const struct record_begin *q);
bool get_record_begin(struct ipc_reader *r, struct record_begin *q);
void put_record_states(struct ipc_writer *w, const struct record_states *a);
bool get_record_states(struct ipc_reader *r, struct record_states *a);
void put_failure(struct ipc_writer *w, const struct failure *f);
bool get_failure(struct ipc_reader *r, struct failure *f);
void put_judge_more(struct ipc_writer *w, const struct judge_more *q);
bool get_judge_more(struct ipc_reader *r, struct judge_more *q);
void put_judge_ask(struct ipc_writer *w, const struct judge_ask *q);
bool get_judge_ask(struct ipc_reader *r, struct judge_ask *q);
void put_judge_answer(struct ipc_writer *w, const struct judge_answer *a);
bool get_judge_answer(struct ipc_reader *r, struct judge_answer *a);
void put_dns_ask(struct ipc_writer *w, const struct dns_ask *q);
bool get_dns_ask(struct ipc_reader *r, struct dns_ask *q);
void put_grey_ask(struct ipc_writer *w, const struct grey_ask *q);
bool get_grey_ask(struct ipc_reader *r, struct grey_ask *q);
void put_grey_answer(struct ipc_writer *w, const struct grey_answer *a);
bool get_grey_answer(struct ipc_reader *r, struct grey_answer *a);
void put_seen_ask(struct ipc_writer *w, const struct seen_ask *q);
bool get_seen_ask(struct ipc_reader *r, struct seen_ask *q);
void put_seen_answer(struct ipc_writer *w, const struct seen_answer *a);
bool get_seen_answer(struct ipc_reader *r, struct seen_answer *a);
void put_tls_key(struct ipc_writer *w, const struct tls_key *key);
bool get_tls_key(struct ipc_reader *r, struct tls_key *key);
/* The same, of config->dkims. */
bool get_dkim_key(struct ipc_reader *r, struct tls_key *key);
void put_vault_sign(struct ipc_writer *w, const struct vault_sign *q);
bool get_vault_sign(struct ipc_reader *r, struct vault_sign *q);
void put_vault_signature(struct ipc_writer *w, struct slice signature);
/* At most TLS_SIGNATURE_MAX octets. */
bool get_vault_signature(struct ipc_reader *r, struct slice *signature);

#endif
