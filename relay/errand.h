/* SPDX-License-Identifier: ISC */
/*
 * errand.h - one message for some recipients at one next hop, and what
 * became of each of them; for this folder only.
 *
 *	OPEN --RCPT 2xx--> TAKEN --250 after the dot--> SETTLED
 *	  |  <--host lost--  |  --refused, or lost after the dot--> SETTLED
 *	  +--refused or given up---------------------------------> SETTLED
 *
 * A recipient that is OPEN when a connection ends may be tried at the next
 * host; one whose dot was sent never is: it may have it.
 *
 * An errand that only asks (is_probe) has no message: the reply to RCPT,
 * whatever it is, settles.
 *
 * A forward's client is still there: nothing is made of its message that it
 * did not send, and it goes to all recipients or to nobody. As long as the
 * end has not been sent it may be given up.
 */
#ifndef RELAY_ERRAND_H
#define RELAY_ERRAND_H

#include "address.h"
#include "ask.h"
#include "encoder.h"

/* of a forward; a job of queue has fewer */
#define ERRAND_RECIPIENTS_MAX HOP_RECIPIENTS_MAX

enum errand_state { ERRAND_OPEN, ERRAND_TAKEN, ERRAND_SETTLED };

struct errand_recipient {
	uint16_t index;			/* queue's */
	char *address;
	char *orcpt;			/* "" none */
	unsigned notify;
	enum errand_state state;
	bool is_told, passes_dsn;
	bool is_said;			/* by the host, of him alone */
	enum relay_stage stage;
	struct verdict verdict;		/* when settled */
};

struct errand {
	char *reverse_path;		/* "" null */
	char *envid;			/* "" none */
	enum dsn_ret ret;
	bool is_8bit, is_utf8, requires_tls;
	bool is_for_smart_host;
	bool is_probe;			/* MAIL, RCPT, RSET; source is empty */
	bool is_forward;
	uint64_t size_bytes;		/* of a probe: SIZE=, or 0 */
	struct encoder_source source;
	struct errand_recipient *recipients;
	uint16_t n_recipients;
};

/* An OPEN or TAKEN one has its answer. */
void errand_settle(struct errand *d, uint16_t i, enum relay_stage stage,
    const struct verdict *v);
/* All that are in this state. */
void errand_settle_all(struct errand *d, enum errand_state state,
    enum relay_stage stage, const struct verdict *v);
/* TAKEN ones are OPEN again: the message was not sent. */
void errand_reopen(struct errand *d);
/* An alias or a list may lead to such an address from one that is ASCII. */
bool errand_has_utf8_address(const struct errand *d);
/* As a host without SMTPUTF8 gets it: the domain in A-labels (RFC 5890).
 * False: the local part is not ASCII. */
bool errand_write_ascii(char to[ADDRESS_TEXT_MAX + 1], const char *address);
/* All of its addresses can be written so. */
bool errand_can_be_ascii(const struct errand *d);
uint16_t errand_count(const struct errand *d, enum errand_state state);

#endif
