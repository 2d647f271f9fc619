/* SPDX-License-Identifier: ISC */
/*
 * remembered.c - see remembered.h.
 */
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "limits.h"
#include "remembered.h"

#define DEADLINE_MS 5000
#define SAID_MAX 64		/* the others are tried again */

struct remembered {		/* what RCPT has said */
	size_t n;
	struct said {
		char *address;
		struct verdict verdict;
	} items[SAID_MAX];
};

static void
fill(struct failure *to, const struct session *s, const char *address,
    char network[LIMITS_NETWORK_SIZE])
{
	limits_network(network, s->ip);
	*to = (struct failure){ .client_network = slice_of(network),
		.reverse_path = slice_of(s->tx->key),
		.recipient = slice_of(address) };
}

enum step
remembered_ask(struct session *s, session_answered_fn *answered)
{
	char network[LIMITS_NETWORK_SIZE];
	struct failure failure;
	struct question q = { .kind = QUESTION_FAILURE, .fd = -1,
		.deadline_ms = DEADLINE_MS, .as.failure = &failure };

	fill(&failure, s, s->tx->rcpt.text, network);
	return session_ask(s, &q, answered);
}

void
remembered_say(struct transaction *tx, const struct verdict *verdict)
{
	struct remembered *remembered = tx->remembered;
	char *address;

	if (remembered == NULL)
		tx->remembered = remembered = calloc(1, sizeof(*remembered));
	if (remembered == NULL || remembered->n == SAID_MAX)
		return;
	address = strdup(tx->rcpt.text);
	if (address != NULL)
		remembered->items[remembered->n++] = (struct said){ address,
			*verdict };
}

void
remembered_free(struct remembered **rp)
{
	struct remembered *remembered = *rp;

	*rp = NULL;
	while (remembered != NULL && remembered->n > 0)
		free(remembered->items[--remembered->n].address);
	free(remembered);
}

static void
put(struct session *s, const char *address, const struct verdict *verdict)
{
	char network[LIMITS_NETWORK_SIZE];
	struct failure failure;
	struct question q = { .kind = QUESTION_FAILED, .fd = -1,
		.as.failure = &failure };

	fill(&failure, s, address, network);
	failure.verdict = *verdict;
	session_tell(s, &q);
}

static bool
is_remembered(const struct transaction *tx, const struct outcome_failure *f)
{
	const struct recipient *r = recipient_find(tx->recipients,
	    tx->n_recipients, f->recipient);

	return f->is_own && r != NULL && !r->is_added &&
	    tx->n_recipients > 1;
}

/* Is anybody in the retry beside those who are refused for the message? */
static bool
has_others(const struct transaction *tx,
    const struct outcome_failure *failures, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_remembered(tx, &failures[i]))
			return true;
	return n < tx->n_recipients;
}

/*
 * Who is refused for the message is put off, so that the others have theirs,
 * and hears the words when he comes alone: not at RCPT, which may be for
 * another message. Where the others are put off for themselves he is not, or
 * they would take turns.
 */
static void
put_one(struct session *s, const struct outcome_failure *f,
    bool has_others)
{
	const struct recipient *r = recipient_find(s->tx->recipients,
	    s->tx->n_recipients, f->recipient);
	struct verdict verdict = f->verdict;

	if (f->is_of_message && !has_others)
		return;
	if (f->is_of_message)
		verdict.code = verdict_code_for_now(verdict.code);
	put(s, r->address, &verdict);
}

void
remembered_put(struct session *s, const struct outcome_failure *failures,
    size_t n)
{
	const struct remembered *said = s->tx->remembered;
	bool others = has_others(s->tx, failures, n), has_put = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_remembered(s->tx, &failures[i]))
			continue;
		put_one(s, &failures[i], others);
		has_put = true;
	}
	for (size_t i = 0; has_put && said != NULL && i < said->n; i++)
		put(s, said->items[i].address, &said->items[i].verdict);
}
