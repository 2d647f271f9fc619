/* SPDX-License-Identifier: ISC */
/*
 * The message as it leaves, see submit.h:
 *
 *	TRACE --> DKIM: which keys? --> DKIM: sign, for each --> sealed anew
 *
 * Our Received field, with a MAC in its id by which a bounce proves that it
 * returns mail of ours, and the signatures stand on top of what queue keeps,
 * and of the local copies alike, so that all have the same octets. The field
 * is above the signatures and not signed. A message that stays here needs
 * neither.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "commands.h"
#include "dkim_sign.h"
#include "fault.h"
#include "file_io.h"
#include "finish.h"
#include "header.h"
#include "limits.h"
#include "sealed.h"
#include "submit.h"

#define BLOCK 65536
#define SIGN_DEADLINE_MS 10000
#define DAY_S 86400
#define HEADER_ROOM (1u << 20)	/* more than that draft.h does not take */

struct signing {
	uint8_t body_hash[DKIM_HASH_SIZE];
	char *header;			/* all of it, LF lines */
	size_t header_size;
	const char *domain;		/* of the configuration */
	uint8_t n_keys, at_key;
	enum dkim_algorithm algorithms[VAULT_DKIM_MAX];
	char selectors[VAULT_DKIM_MAX][DNS_NAME_MAX + 1];
	struct buf field;		/* the one that is being signed */
	struct buf fields;		/* those that are */
};

static enum step sign_next(struct session *s);

/* A new sealed memfd, or a negative errno. */
static int
seal_with(const struct session *s, struct slice top)
{
	int fd = sealed_create(s->id), error;

	if (fd < 0)
		return fd;
	error = file_write(fd, top);
	if (error == 0)
		error = file_copy(fd, s->tx->message_fd, 0,
		    s->tx->message_bytes);
	if (error == 0)
		error = sealed_finish(fd);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

bool
submit_put_on_top(struct session *s, struct slice top)
{
	struct transaction *tx = s->tx;
	uint64_t size_bytes = tx->message_bytes + top.size;
	int fd;

	if (size_bytes > tx->reserved_bytes &&
	    !limits_reserve(s->settings->limits, s->client,
	    &tx->reserved_bytes, size_bytes))
		return false;
	fd = seal_with(s, top);
	if (fd < 0)
		return false;
	close(tx->message_fd);
	tx->message_fd = fd;
	tx->message_bytes = size_bytes;
	return true;
}

/* All is there: below our trace field the signatures, then the message. */
static enum step
sign_end(struct session *s)
{
	struct transaction *tx = s->tx;
	bool is_good = true;

	if (tx->signing != NULL && tx->signing->fields.size > 0)
		is_good = buf_append_slice(&tx->trace,
		    buf_slice(&tx->signing->fields)) == 0;
	signing_free(&tx->signing);
	if (!is_good || !submit_put_on_top(s, buf_slice(&tx->trace)))
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	tx->trace.size = 0;
	return tx->then(s);
}

/* ---- DKIM ---- */

void
signing_free(struct signing **signing)
{
	if (*signing == NULL)
		return;
	free((*signing)->header);
	buf_free(&(*signing)->field);
	buf_free(&(*signing)->fields);
	free(*signing);
	*signing = NULL;
}

/* Of the first author. */
static struct slice
author_domain(const struct transaction *tx)
{
	struct slice rest = buf_slice(&tx->authors);
	struct slice domain = slice_next_line(&rest);
	size_t at = domain.size;

	while (at > 0 && domain.data[at - 1] != '@')
		at--;
	return (struct slice){ domain.data + at, domain.size - at };
}

/* A key of the author's domain, or of one above it (RFC 7489 3.1.1). */
static const char *
find_domain(const struct session *s)
{
	const struct config *config = s->settings->config;
	struct slice domain = author_domain(s->tx);

	while (domain.size > 0) {
		size_t dot = slice_find(domain, '.');
		const char *found = config_find_signed(config, domain);

		if (found != NULL)
			return found;
		dot += dot < domain.size;
		domain.data += dot;
		domain.size -= dot;
	}
	return NULL;
}

static int
hash_body(struct signing *g, const struct transaction *tx)
{
	static char block[BLOCK];
	struct dkim_body body;
	uint64_t at = g->header_size;
	int error = dkim_body_start(&body);
	ssize_t n = 0;

	while (error == 0 && at < tx->message_bytes) {
		n = pread(tx->message_fd, block, sizeof(block), (off_t)at);
		if (n <= 0)
			break;
		dkim_body_add(&body, (struct slice){ block, (size_t)n });
		at += (uint64_t)n;
	}
	if (error == 0 && at < tx->message_bytes) {
		dkim_body_free(&body);
		return -EIO;
	}
	return error < 0 ? error : dkim_body_end(&body, g->body_hash);
}

/* Header and body of the sealed message. */
static int
signing_read(struct signing *g, const struct transaction *tx)
{
	struct header_walk walk;
	struct header_field field;
	size_t size = tx->message_bytes < HEADER_ROOM ?
	    (size_t)tx->message_bytes : HEADER_ROOM;

	g->header = malloc(size + 1);
	if (g->header == NULL)
		return -ENOMEM;
	if (pread(tx->message_fd, g->header, size, 0) != (ssize_t)size)
		return -EIO;
	header_walk_start(&walk, (struct slice){ g->header, size },
	    size == tx->message_bytes);
	while (header_next(&walk, &field) == HEADER_FIELD)
		;
	g->header_size = walk.offset;
	return hash_body(g, tx);
}

static enum step
sign_ask(struct session *s, struct slice input,
    session_answered_fn *answered)
{
	const struct vault_dkim ask = {
		.domain = slice_of(s->tx->signing->domain), .input = input };
	struct question q = { .kind = QUESTION_DKIM, .fd = -1,
		.deadline_ms = SIGN_DEADLINE_MS, .as.dkim = &ask };

	return session_ask(s, &q, answered);
}

static enum step
sign_answered(struct session *s, struct answer *a)
{
	struct signing *g = s->tx->signing;
	const struct vault_dkim_signed *made = &a->as.dkim;

	note_asked("data", slice_of(g->domain), a->took_us);
	if (!a->is_known || made->n_signatures != 1 ||
	    dkim_sign_finish(&g->field, made->signatures[0].signature) < 0 ||
	    buf_append_slice(&g->fields, buf_slice(&g->field)) < 0)
		return finish_refuse(s, REPLY_NOT_SIGNED);
	g->at_key++;
	return sign_next(s);
}

static enum step
sign_next(struct session *s)
{
	static const char *const names[DKIM_ALGORITHM_COUNT] = {
		[DKIM_RSA_SHA256] = "rsa-sha256",
		[DKIM_ED25519_SHA256] = "ed25519-sha256",
	};
	struct signing *g = s->tx->signing;
	struct dkim_signing signing = { .domain = slice_of(g->domain),
		.selector = slice_of(g->selectors[g->at_key]),
		.when_s = clock_wall_s() };
	struct buf input = { .maximum = VAULT_DKIM_INPUT_MAX };
	enum step step;

	if (g->at_key == g->n_keys)
		return sign_end(s);
	signing.algorithm = names[g->algorithms[g->at_key]];
	memcpy(signing.body_hash, g->body_hash, sizeof(g->body_hash));
	g->field.size = 0;
	if (dkim_sign_write(&signing, (struct slice){ g->header,
	    g->header_size }, &input, &g->field) < 0)
		step = finish_refuse(s, REPLY_NOT_SIGNED);
	else
		step = sign_ask(s, buf_slice(&input), sign_answered);
	buf_free(&input);
	return step;
}

/* Which keys the domain has. */
static enum step
keys_answered(struct session *s, struct answer *a)
{
	struct signing *g = s->tx->signing;
	const struct vault_dkim_signed *keys = &a->as.dkim;

	note_asked("data", slice_of(g->domain), a->took_us);
	if (!a->is_known || keys->n_signatures == 0)
		return finish_refuse(s, REPLY_NOT_SIGNED);
	g->n_keys = keys->n_signatures;
	for (uint8_t i = 0; i < g->n_keys; i++) {
		g->algorithms[i] = keys->signatures[i].algorithm;
		if (!slice_copy(g->selectors[i], sizeof(g->selectors[i]),
		    keys->signatures[i].selector))
			return finish_refuse(s, REPLY_NOT_SIGNED);
	}
	return sign_next(s);
}

static enum step
sign_begin(struct session *s)
{
	const char *domain = find_domain(s);

	if (domain == NULL)
		return sign_end(s);
	FAULT_STEP("smtpd.before-sign");
	s->tx->signing = calloc(1, sizeof(*s->tx->signing));
	if (s->tx->signing == NULL)
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	s->tx->signing->domain = domain;
	if (signing_read(s->tx->signing, s->tx) < 0)
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	return sign_ask(s, SLICE(""), keys_answered);
}

/* ---- trace ---- */

/* "SESSION-NUMBER-DAY", and with the sender what the MAC is over. */
static int
put_trace_id(struct buf *to, const struct session *s)
{
	return buf_printf(to, "%s-%" PRIu64 "-%" PRId64, s->id,
	    s->tx->number, clock_wall_s() / DAY_S);
}

static enum step
trace_answered(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;
	struct buf id = { 0 };
	int error = -EIO;

	note_asked("data", slice_of(tx->reverse_path), a->took_us);
	if (!a->is_known)
		return finish_refuse(s, REPLY_NOT_SIGNED);
	error = put_trace_id(&id, s);
	if (error == 0)
		error = buf_printf(&id, "-%.*s", (int)a->as.octets.size,
		    a->as.octets.data);
	tx->trace.size = 0;
	if (error == 0)
		error = trace_make_as(s, buf_slice(&id));
	buf_free(&id);
	return error < 0 ? finish_refuse(s, REPLY_DATA_IO_ERROR) :
	    sign_begin(s);
}

enum step
submit_sign(struct session *s, session_then_fn *then)
{
	struct buf text = { 0 };
	struct question q = { .kind = QUESTION_TRACE, .fd = -1,
		.deadline_ms = SIGN_DEADLINE_MS };
	enum step step;

	if (!submit_goes_elsewhere(s->tx))
		return then(s);
	s->tx->then = then;
	if (put_trace_id(&text, s) < 0 ||
	    buf_printf(&text, "\n%s", s->tx->key) < 0) {
		buf_free(&text);
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	}
	q.as.octets = buf_slice(&text);
	step = session_ask(s, &q, trace_answered);
	buf_free(&text);
	return step;
}
