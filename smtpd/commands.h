/* SPDX-License-Identifier: ISC */
/*
 * commands.h - the handlers behind session.c's table and its input modes.
 */
#ifndef POSTERN_SMTPD_COMMANDS_H
#define POSTERN_SMTPD_COMMANDS_H

#include "judge.h"
#include "scoreboard.h"
#include "session_state.h"
#include "smtp_command.h"

typedef enum step command_fn(struct session *s, struct slice argument);

command_fn cmd_helo, cmd_ehlo;				/* helo.c */
command_fn cmd_mail;					/* mail.c */
command_fn cmd_rcpt;					/* rcpt.c */
command_fn cmd_data, cmd_bdat, cmd_bdat_out_of_phase;	/* data.c, bdat.c */
command_fn cmd_starttls;					/* starttls.c */
command_fn cmd_auth;					/* auth.c */
command_fn cmd_rset, cmd_noop, cmd_vrfy, cmd_expn, cmd_help,
    cmd_quit;						/* small_commands.c */
command_fn cmd_xqueue;					/* xqueue.c */

/* The one reader: what every call from outside ends in (session.c). */
enum step session_run(struct session *s, enum step step);
void session_flush(struct session *s);
/* 220; or, if the client has talked already, 554. */
enum step session_say_greeting(struct session *s, bool has_talked);
/* The 220 alone, as a handler answers. */
enum step session_greeting(struct session *s);
/* No time left for the handshake (starttls.c). */
enum step session_handshake_over(struct session *s);
/* Ask, and go on in answered. Unknown at once if it cannot be asked. */
enum step session_ask(struct session *s, const struct question *q,
    session_answered_fn *answered);
void session_tell(struct session *s, const struct question *q);
/* One reply of the table; its refusal is logged and put on the trail. */
enum step session_reply(struct session *s, enum reply_name name);
/* The same with a detail behind it: "text: detail". */
enum step session_reply_with(struct session *s, enum reply_name name,
    struct slice detail);
/* The same with the session's id behind it, though it is no refusal; and
 * with these words before it, if there are any. */
enum step session_reply_with_id(struct session *s, enum reply_name name,
    const char *words);
/* Another compartment's refusal, about what (an address, or ""). */
enum step session_reply_verdict(struct session *s, const struct verdict *v,
    const char *check, struct slice about);
/* A check's own refusal; each LF in its text begins a line. */
enum step session_reply_filter(struct session *s, const struct verdict *v,
    const char *check);
/* Each LF in text begins a line; without an enhanced code. */
enum step session_reply_lines(struct session *s, int code, struct slice text);

/* Take what belongs to the message from s->input (data.c, bdat.c). */
enum step data_take(struct session *s);
enum step chunk_take(struct session *s);
/* Throw away what belongs to a chunk that is not wanted. */
enum step chunk_skip(struct session *s);
/* A message, or a chunk that is thrown away, comes from now on. */
void data_start_clock(struct session *s);
/* A self-test has failed: no message is taken in. */
bool data_is_unsafe(const struct session *s);
/* The first octet of a message is awaited. 0 or a negative errno (data.c). */
int data_begin(struct session *s);
/* Octets came: REPLY_COUNT, or why they come no longer. */
enum reply_name data_watch(struct session *s);
/* What the faults of a body amount to; REPLY_COUNT: nothing. */
enum reply_name data_fault(unsigned faults);
/* The timer fired while a message comes in. */
enum step data_timeout(struct session *s);
uint32_t data_tick_ms(const struct session *s);

/* What the parser of MAIL and RCPT found wrong, and where (reply.c). */
enum step session_reply_syntax(struct session *s, enum command_result result,
    enum reply_name bad_path, struct slice wrong);

/*
 * Note a refusal in trail and log; adds its id to v->text (note.c). answer
 * is what the check was told, unless note_told knows better.
 */
void note_refusal(struct session *s, struct verdict *v, const char *check,
    const char *answer);
/* On the trail only: a check that marks, what it looked at, and its answer. */
void note_mark(struct session *s, const char *stage, const char *check,
    const char *what, const char *answer);
/* A relay_peer's mail would have been refused, and goes into .Junk. */
void note_spared(struct session *s, const char *check, const char *why);
/* What the refusal that may follow in this call was decided on. */
void note_asked(const char *stage, struct slice what, uint32_t took_us);
/* What it was told, for the trail alone, where that is more than the reply
 * says. The refusal must follow within the same call. */
void note_told(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* A refusal is decided, but another question comes before its reply, and
 * other sessions meanwhile. The caller's until note_resume, which frees it;
 * NULL without memory. */
struct noted *note_hold(void);
void note_resume(struct noted **held);
/* One check's word; stage and time are those of the last note_asked. */
void note_finding(const struct session *s, const char *check,
    enum finding_kind kind, const char *detail);
/* The facts that a refusal was decided on; nothing for none. */
void note_facts(const struct session *s, const char *stage,
    const struct buf *facts);
/* Makes s->id. */
void note_opened(struct session *s);
struct tls_facts;
void note_secured(struct session *s, const struct tls_facts *facts);
void note_insecure(struct session *s, const char *why);
void note_closed(const struct session *s);
void note_delivered(struct session *s);
/* A reply: the time of the RCPT that it answers is counted, if it is one's. */
void note_rcpt_answered(struct session *s);
void note_count(const struct session *s, enum scoreboard_counter counter,
    unsigned n);

#endif
