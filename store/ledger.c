/* SPDX-License-Identifier: ISC */
/*
 * ledger.c - see ledger.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "big_endian.h"
#include "ledger.h"

#define HALF 16				/* of a key */
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
make_half(struct ledger *ledger, const char *purpose, struct slice text,
    uint8_t *to)
{
	const struct slice fields[] = { slice_of(purpose), text };
	uint8_t mac[HMAC_SIZE];
	int error = hmac_fields(ledger->hmac, fields, 2, mac);

	memcpy(to, mac, HALF);
	return error;
}

static int
make_key(struct ledger *ledger, struct slice message_id,
    struct slice recipient, uint8_t key[2 * HALF])
{
	char lower[ASK_ADDRESS_MAX];
	int error = make_half(ledger, "ledger message", message_id, key);

	if (!slice_copy(lower, sizeof lower, recipient))
		return -EINVAL;
	for (char *c = lower; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return error ? error : make_half(ledger, "ledger recipient",
	    slice_of(lower), key + HALF);
}

static int
put_found(struct ledger *ledger, const uint8_t key[2 * HALF],
    const struct ledger_found *found)
{
	char value[KV_VALUE_MAX];
	size_t id = strlen(found->queue_id) + 1;
	size_t size = FIXED + id + strlen(found->sender);

	if (size > sizeof value)
		return -EINVAL;
	big_endian_put((uint8_t *)value, found->time_s, 8);
	value[8] = found->is_reported;
	memcpy(value + FIXED, found->queue_id, id);
	memcpy(value + FIXED + id, found->sender, strlen(found->sender));
	return kv_put(ledger->table,
	    (struct slice){ (const char *)key, 2 * HALF },
	    (struct slice){ value, size },
	    (int64_t)found->time_s + LEDGER_LIFE_S);
}

int
ledger_put(struct ledger *ledger, const struct ledger_entry *entry)
{
	struct ledger_found found = { .time_s = entry->time_s };
	uint8_t key[2 * HALF];
	int error = make_key(ledger, entry->message_id, entry->recipient,
	    key);

	if (!slice_copy(found.queue_id, sizeof found.queue_id,
	    entry->queue_id) || !slice_copy(found.sender,
	    sizeof found.sender, entry->sender))
		return -EINVAL;
	return error ? error : put_found(ledger, key, &found);
}

static int
get_found(struct ledger *ledger, const uint8_t key[2 * HALF],
    struct ledger_found *found)
{
	char value[KV_VALUE_MAX];
	struct slice rest;
	size_t size, id;
	int error = kv_get(ledger->table,
	    (struct slice){ (const char *)key, 2 * HALF }, value,
	    sizeof value, &size);

	if (error)
		return error;
	if (size < FIXED)
		return -EBADMSG;
	rest = (struct slice){ value + FIXED, size - FIXED };
	id = slice_find(rest, '\0');
	found->time_s = big_endian_get((const uint8_t *)value, 8);
	found->is_reported = value[8] != 0;
	if (id == rest.size || !slice_copy(found->queue_id,
	    sizeof found->queue_id, (struct slice){ rest.data, id }) ||
	    !slice_copy(found->sender, sizeof found->sender,
	    (struct slice){ rest.data + id + 1, rest.size - id - 1 }))
		return -EBADMSG;
	return 0;
}

int
ledger_find(struct ledger *ledger, struct slice message_id,
    struct slice recipient, struct ledger_found *found)
{
	uint8_t key[2 * HALF];
	int error = make_key(ledger, message_id, recipient, key);

	return error ? error : get_found(ledger, key, found);
}

int
ledger_report(struct ledger *ledger, struct slice message_id,
    struct slice recipient)
{
	struct ledger_found found;
	uint8_t key[2 * HALF];
	int error = make_key(ledger, message_id, recipient, key);

	if (!error)
		error = get_found(ledger, key, &found);
	if (error)
		return error;
	found.is_reported = true;
	return put_found(ledger, key, &found);
}

int
ledger_expire(struct ledger *ledger, int64_t now_s, unsigned n_most)
{
	return kv_expire(ledger->table, now_s, n_most, NULL, NULL);
}
