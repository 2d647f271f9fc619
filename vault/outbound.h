/* SPDX-License-Identifier: ISC */
/*
 * outbound.h - what queue and the smtpd of our own users ask vault, beyond
 * TLS: tags, traces, DKIM.
 */
#ifndef POSTERN_VAULT_OUTBOUND_H
#define POSTERN_VAULT_OUTBOUND_H

#include "dkim_keys.h"
#include "ipc.h"
#include "tags.h"

struct outbound {
	struct secrets secrets;		/* n_batv 0: none yet */
	struct dkim_keys *keys;
};

/* Answer one question; false: it breaks the rules of ask.h. */
bool outbound_on_tag(struct outbound *o, struct channel *ch,
    struct ipc_message *m);
bool outbound_on_tag_check(struct outbound *o, struct channel *ch,
    struct ipc_message *m);
bool outbound_on_trace_check(struct outbound *o, struct channel *ch,
    struct ipc_message *m);
bool outbound_on_trace(struct outbound *o, struct channel *ch,
    struct ipc_message *m);
bool outbound_on_dkim(struct outbound *o, struct channel *ch,
    struct ipc_message *m);

#endif
