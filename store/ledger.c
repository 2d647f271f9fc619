/* SPDX-License-Identifier: ISC */
/*
 * ledger.c - see ledger.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "address.h"
#include "big_endian.h"
#include "ledger.h"

#define PART LEDGER_KEY_PART
#define FIXED 9				/* octets before the queue id */

struct ledger {
	struct kv_table *table;
	struct hmac *hmac;
};

int
ledger_open(struct ledger **ledgerp, struct kv *kv, struct hmac *hmac)
{
	struct ledger *ledger = calloc(1, sizeof *ledger);
	int error;

	*ledgerp = NULL;
	if (ledger == NULL)
		return -ENOMEM;
	ledger->hmac = hmac;
	error = kv_table_open(kv, "ledger", &ledger->table);
	if (error) {
		free(ledger);
		return error;
	}
	*ledgerp = ledger;
	return 0;
}

void
ledger_close(struct ledger **ledger)
{
	free(*ledger);		/* the table is kv's */
	*ledger = NULL;
}

/* Two purposes do not share a MAC: the first field says which it is. */
static int
make_part(struct ledger *ledger, const char *purpose, struct slice text,
    uint8_t *to, size_t size)
{
	const struct slice fields[] = { slice_of(purpose), text };
	uint8_t mac[HMAC_SIZE];
	int error = hmac_fields(ledger->hmac, fields, 2, mac);

	memcpy(to, mac, size);
	return error;
}

static int
make_address_part(struct ledger *ledger, const char *purpose,
    struct slice address, uint8_t *to, size_t size)
{
	char lower[ASK_ADDRESS_MAX];

	if (!slice_copy(lower, sizeof lower, address))
		return -EINVAL;
	for (char *c = lower; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return make_part(ledger, purpose, slice_of(lower), to, size);
}

/* As bounces are addressed: tags, quotes and case do not matter. */
static int
make_sender_part(struct ledger *ledger, struct slice sender, uint8_t *to)
{
	char key[ADDRESS_TEXT_MAX + 1];
	struct address a;

	if (address_parse(&a, sender, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK) {
		address_write_key(key, &a);
		sender = slice_of(key);
	}
	return make_address_part(ledger, "ledger sender", sender, to,
	    LEDGER_KEY_SIZE - 2 * PART);
}

int
ledger_key(struct ledger *ledger, const struct ledger_name *name,
    uint8_t key[LEDGER_KEY_SIZE])
{
	int error = make_part(ledger, "ledger message", name->message_id, key,
	    PART);

	if (!error)
		error = make_address_part(ledger, "ledger recipient",
		    name->recipient, key + PART, PART);
	return error ? error : make_sender_part(ledger, name->sender,
	    key + 2 * PART);
}

static int
put_found(struct ledger *ledger, const uint8_t key[LEDGER_KEY_SIZE],
    const struct ledger_found *found)
{
	char value[KV_VALUE_MAX];
	size_t id = strlen(found->queue_id) + 1;
	size_t sender = strlen(found->sender) + 1;
	size_t user = strlen(found->user), size = FIXED + id + sender;

	if (size > sizeof value)
		return -EINVAL;
	/* the longest names of both: mail has to leave, he cannot ask */
	if (size + user > sizeof value)
		user = 0;
	size += user;
	big_endian_put((uint8_t *)value, found->time_s, 8);
	value[8] = (char)found->reports;
	memcpy(value + FIXED, found->queue_id, id);
	memcpy(value + FIXED + id, found->sender, sender);
	memcpy(value + FIXED + id + sender, found->user, user);
	return kv_put(ledger->table,
	    (struct slice){ (const char *)key, LEDGER_KEY_SIZE },
	    (struct slice){ value, size },
	    (int64_t)found->time_s + LEDGER_LIFE_S);
}

int
ledger_put(struct ledger *ledger, const struct ledger_entry *entry)
{
	const struct ledger_name name = { entry->message_id,
		entry->recipient, entry->sender };
	struct ledger_found found = { .time_s = entry->time_s };
	uint8_t key[LEDGER_KEY_SIZE];
	int error;

	if (!slice_copy(found.queue_id, sizeof found.queue_id,
	    entry->queue_id) || !slice_copy(found.sender,
	    sizeof found.sender, entry->sender) || !slice_copy(found.user,
	    sizeof found.user, entry->user))
		return -EINVAL;
	error = ledger_key(ledger, &name, key);
	return error ? error : put_found(ledger, key, &found);
}

/* What stands before a NUL, which may be missing at the end. */
static bool
take_string(struct slice *rest, char *to, size_t room)
{
	size_t size = slice_find(*rest, '\0');
	bool fits = slice_copy(to, room, (struct slice){ rest->data, size });

	size += size < rest->size;
	rest->data += size;
	rest->size -= size;
	return fits;
}

static int
read_found(struct slice value, struct ledger_found *found)
{
	struct slice rest;

	if (value.size < FIXED)
		return -EBADMSG;
	rest = (struct slice){ value.data + FIXED, value.size - FIXED };
	found->time_s = big_endian_get((const uint8_t *)value.data, 8);
	found->reports = (uint8_t)value.data[8];
	return take_string(&rest, found->queue_id, sizeof found->queue_id) &&
	    take_string(&rest, found->sender, sizeof found->sender) &&
	    take_string(&rest, found->user, sizeof found->user) ?
	    0 : -EBADMSG;
}

static int
get_found(struct ledger *ledger, const uint8_t key[LEDGER_KEY_SIZE],
    struct ledger_found *found)
{
	char value[KV_VALUE_MAX];
	size_t size;
	int error = kv_get(ledger->table,
	    (struct slice){ (const char *)key, LEDGER_KEY_SIZE }, value,
	    sizeof value, &size);

	return error ? error : read_found((struct slice){ value, size },
	    found);
}

int
ledger_find(struct ledger *ledger, const struct ledger_name *name,
    struct ledger_found *found)
{
	uint8_t key[LEDGER_KEY_SIZE];
	int error = ledger_key(ledger, name, key);

	return error ? error : get_found(ledger, key, found);
}

/* ---- bounces ---- */

static bool
is_used(uint8_t reports, enum proof_action action)
{
	switch (action) {
	case PROOF_DELAYED:
		return reports / LEDGER_DELAY >= LEDGER_DELAYS_MAX;
	case PROOF_DELIVERED:
		return (reports & LEDGER_IS_DELIVERED) != 0;
	default:
		return (reports & LEDGER_IS_FAILED) != 0;
	}
}

static uint8_t
with_report(uint8_t reports, enum proof_action action)
{
	switch (action) {
	case PROOF_DELAYED:
		return (uint8_t)(reports + LEDGER_DELAY);
	case PROOF_DELIVERED:
		return reports | LEDGER_IS_DELIVERED;
	default:
		return reports | LEDGER_IS_FAILED;
	}
}

/* All bounces that a trace has proven are counted. Its MAC, which vault has
 * checked, says whose it is. */
static int
make_count_key(struct ledger *ledger, const struct proof_ask *q,
    uint8_t key[LEDGER_KEY_SIZE])
{
	memset(key, 0, LEDGER_KEY_SIZE);
	return make_part(ledger, "ledger trace", q->trace, key, PART);
}

static int
make_proof_key(struct ledger *ledger, const struct proof_ask *q,
    uint8_t key[LEDGER_KEY_SIZE])
{
	const struct ledger_name name = { q->message_id, q->recipient,
		q->sender };
	int error;

	if (q->message_id.size > 0)
		return ledger_key(ledger, &name, key);
	error = make_count_key(ledger, q, key);
	return error ? error : make_address_part(ledger, "ledger recipient",
	    q->recipient, key + PART, PART);
}

/* A trace that was never used is as good as a new one. */
static int
get_used(struct ledger *ledger, const uint8_t key[LEDGER_KEY_SIZE],
    struct ledger_found *found)
{
	int error = get_found(ledger, key, found);

	if (error == -ENOENT) {
		memset(found, 0, sizeof *found);
		return 0;
	}
	return error;
}

static int
prove_by_trace(struct ledger *ledger, const struct proof_ask *q,
    struct proof_answer *a, const uint8_t key[LEDGER_KEY_SIZE])
{
	uint8_t count_key[LEDGER_KEY_SIZE];
	struct ledger_found found, count;
	int error = make_count_key(ledger, q, count_key);

	if (!error)
		error = get_used(ledger, key, &found);
	if (!error)
		error = get_used(ledger, count_key, &count);
	if (error)
		return error;
	a->state = is_used(found.reports, q->action) ||
	    count.reports >= LEDGER_TRACED_MAX ? PROOF_USED : PROOF_GOOD;
	return 0;
}

int
ledger_prove(struct ledger *ledger, const struct proof_ask *q,
    struct proof_answer *a, uint8_t key[LEDGER_KEY_SIZE])
{
	struct ledger_found found;
	int error = make_proof_key(ledger, q, key);

	*a = (struct proof_answer){ .state = PROOF_UNKNOWN };
	if (error)
		return error;
	if (q->message_id.size == 0)
		return prove_by_trace(ledger, q, a, key);
	error = get_found(ledger, key, &found);
	if (error == -ENOENT) {
		a->state = PROOF_NONE;
		return 0;
	}
	if (error)
		return error;
	a->state = is_used(found.reports, q->action) ? PROOF_USED :
	    PROOF_GOOD;
	a->time_s = found.time_s;
	return 0;
}

static int
count_trace(struct ledger *ledger, const uint8_t key[LEDGER_KEY_SIZE],
    int64_t now_s)
{
	struct ledger_found count;
	int error = get_used(ledger, key, &count);

	if (error || count.reports == UINT8_MAX)
		return error;
	count.reports++;
	count.time_s = (uint64_t)now_s;
	return put_found(ledger, key, &count);
}

int
ledger_spending(struct ledger *ledger, const struct proof_ask *q,
    struct ledger_spending *what)
{
	int error = make_proof_key(ledger, q, what->key);

	what->action = q->action;
	what->is_trace = q->message_id.size == 0;
	return error || !what->is_trace ? error :
	    make_count_key(ledger, q, what->count_key);
}

int
ledger_spend(struct ledger *ledger, const struct ledger_spending *what,
    int64_t now_s)
{
	struct ledger_found found;
	int error = what->is_trace ? get_used(ledger, what->key, &found) :
	    get_found(ledger, what->key, &found);

	if (error || is_used(found.reports, what->action))
		return error;
	found.reports = with_report(found.reports, what->action);
	if (what->is_trace)
		found.time_s = (uint64_t)now_s;
	error = put_found(ledger, what->key, &found);
	return error || !what->is_trace ? error :
	    count_trace(ledger, what->count_key, now_s);
}

struct scan {
	ledger_each_fn *fn;
	void *arg;
};

static bool
scan_one(struct slice key, struct slice value, void *arg)
{
	struct scan *scan = arg;
	struct ledger_found found;

	if (key.size != LEDGER_KEY_SIZE || read_found(value, &found) != 0 ||
	    found.queue_id[0] == '\0')
		return true;
	return scan->fn((const uint8_t *)key.data, &found, scan->arg);
}

int
ledger_scan(struct ledger *ledger, struct kv_position *at, unsigned n_most,
    ledger_each_fn *fn, void *arg)
{
	struct scan scan = { fn, arg };

	return kv_scan(ledger->table, at, n_most, scan_one, &scan);
}

int
ledger_expire(struct ledger *ledger, int64_t now_s, unsigned n_most)
{
	return kv_expire(ledger->table, now_s, n_most, NULL, NULL);
}
