/* SPDX-License-Identifier: ISC */
/*
 * kv_bdb.c - kv.h on Berkeley DB 5.3.
 *
 * One transactional environment, private to this process: its regions live
 * in memory, so there is nothing that a second process could join or leave
 * broken, and each start runs recovery from the log.
 *
 * One transaction is open at a time and every operation, reads included,
 * runs in it: nothing can wait for a lock of one's own. Each put is a child
 * of it, so that a put that fails (disk full) can be undone alone. Should
 * two ever be in each other's way, DB_TXN_NOWAIT makes that an error and
 * not a silence.
 *
 * A crash at any point loses the open transaction and nothing else.
 */
#include <db.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bdb.h"
#include "big_endian.h"
#include "clock.h"
#include "fault.h"
#include "kv.h"
#include "log.h"

#define CACHE_BYTES (16u << 20)
#define LOG_FILE_BYTES (4u << 20)
#define CHECKPOINT_KIB 16384	/* of log: bounds it, and a recovery */
#define PAGE_BYTES 4096		/* a block of the file system: not torn */
#define MUTEXES_MORE 20000	/* else a busy cache runs out of them */
#define LOCKS_MAX 20000
#define CHANGES_MAX 2000	/* of one transaction, well below LOCKS_MAX */
#define EXPIRY_BYTES 8		/* before each value */
#define ERRORS_PER_MINUTE 10

struct kv_table {
	struct kv *kv;
	struct kv_table *next;
	DB *db;
	uint8_t sweep_key[KV_KEY_MAX];	/* where kv_expire goes on */
	size_t sweep_key_size;
	bool is_soft;			/* needs no flush */
};

struct kv {
	DB_ENV *env;
	DB_TXN *txn;			/* or NULL */
	struct kv_table *tables;
	unsigned n_changes;
	bool needs_flush;		/* not all are of soft tables */
	int failed;			/* -errno of an early commit */
};

struct record {
	uint8_t expires[EXPIRY_BYTES];
	uint8_t value[KV_VALUE_MAX];
};

/* ---- errors ---- */

static int
errno_of(int ret)
{
	switch (ret) {
	case 0:
		return 0;
	case DB_NOTFOUND:
		return -ENOENT;
	case DB_BUFFER_SMALL:
		return -EMSGSIZE;
	case DB_RUNRECOVERY:
	case DB_OLD_VERSION:
	case DB_VERSION_MISMATCH:
	case DB_LOG_VERIFY_BAD:
		return -ENOTRECOVERABLE;
	default:
		return ret > 0 ? -ret : -EIO;
	}
}

static bool disk_was_full;	/* since kv_open */

bool
kv_disk_was_full(void)
{
	return disk_was_full;
}

/* What it was that failed can be learned from this text alone. */
static bool
ends_with_error(const char *text, int error)
{
	const char *what = strerror(error);
	size_t size = strlen(text), what_size = strlen(what);

	return size >= what_size &&
	    strcmp(text + size - what_size, what) == 0;
}

/* The library can write thousands of lines about one fault. */
static void
on_error(const DB_ENV *env, const char *prefix, const char *text)
{
	static int64_t minute;
	static unsigned n_in_minute;
	int64_t now = clock_monotonic_us() / 60000000;

	(void)env;
	(void)prefix;
	if (ends_with_error(text, ENOSPC) || ends_with_error(text, EDQUOT))
		disk_was_full = true;
	if (now != minute) {
		minute = now;
		n_in_minute = 0;
	}
	if (n_in_minute++ < ERRORS_PER_MINUTE)
		log_error("kv-error", LOG_S("text", text), LOG_END);
}

/* ---- open, close ---- */

static int
env_configure(DB_ENV *env)
{
	int ret;

	env->set_errcall(env, on_error);
	ret = env->set_cachesize(env, 0, CACHE_BYTES, 1);
	if (ret == 0)
		ret = env->set_lg_max(env, LOG_FILE_BYTES);
	if (ret == 0)
		ret = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
	if (ret == 0)
		ret = env->mutex_set_increment(env, MUTEXES_MORE);
	if (ret == 0)
		ret = env->set_lk_max_locks(env, LOCKS_MAX);
	if (ret == 0)
		ret = env->set_lk_max_objects(env, LOCKS_MAX);
	if (ret == 0)
		ret = env->set_flags(env, DB_TXN_NOWAIT, 1);
	if (ret == 0)	/* never ask the environment or /var/tmp */
		ret = env->set_tmp_dir(env, ".");
	return ret;
}

int
kv_open(struct kv **kvp, const char *folder)
{
	struct kv *kv = calloc(1, sizeof *kv);
	int ret;

	*kvp = NULL;
	if (kv == NULL)
		return -ENOMEM;
	disk_was_full = false;
	bdb_stay_awake();
	ret = db_env_create(&kv->env, 0);
	if (ret != 0) {
		free(kv);
		return errno_of(ret);
	}
	ret = env_configure(kv->env);
	if (ret == 0)
		ret = kv->env->open(kv->env, folder, DB_CREATE | DB_PRIVATE |
		    DB_INIT_TXN | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_LOCK |
		    DB_RECOVER, 0600);
	if (ret != 0) {
		kv->env->close(kv->env, 0);
		free(kv);
		/* recovery names what it cannot read with these two */
		return ret == EINVAL || ret == ENOENT ? -ENOTRECOVERABLE :
		    errno_of(ret);
	}
	*kvp = kv;
	return 0;
}

void
kv_close(struct kv **kvp)
{
	struct kv *kv = *kvp;

	*kvp = NULL;
	if (kv == NULL)
		return;
	(void)kv_commit(kv);
	(void)kv_checkpoint(kv);
	while (kv->tables != NULL) {
		struct kv_table *table = kv->tables;

		kv->tables = table->next;
		table->db->close(table->db, 0);
		free(table);
	}
	kv->env->close(kv->env, 0);
	free(kv);
}

int
kv_table_open(struct kv *kv, const char *name, struct kv_table **tablep)
{
	struct kv_table *table = calloc(1, sizeof *table);
	char file[64];
	int ret;

	*tablep = NULL;
	if (table == NULL)
		return -ENOMEM;
	snprintf(file, sizeof file, "%s.db", name);
	ret = db_create(&table->db, kv->env, 0);
	if (ret != 0) {
		free(table);
		return errno_of(ret);
	}
	ret = table->db->set_pagesize(table->db, PAGE_BYTES);
	if (ret == 0)
		ret = table->db->open(table->db, NULL, file, NULL, DB_BTREE,
		    DB_CREATE | DB_AUTO_COMMIT, 0600);
	if (ret != 0) {
		table->db->close(table->db, 0);
		free(table);
		return ret == EINVAL ? -ENOTRECOVERABLE : errno_of(ret);
	}
	table->kv = kv;
	table->next = kv->tables;
	kv->tables = table;
	*tablep = table;
	return 0;
}

void
kv_table_is_soft(struct kv_table *table)
{
	table->is_soft = true;
}

/* ---- the one transaction ---- */

static int
txn_need(struct kv *kv)
{
	if (kv->txn != NULL)
		return 0;
	return errno_of(kv->env->txn_begin(kv->env, NULL, &kv->txn, 0));
}

static int
txn_commit(struct kv *kv)
{
	DB_TXN *txn = kv->txn;
	u_int32_t how = kv->needs_flush ? 0 :
	    kv->n_changes > 0 ? DB_TXN_WRITE_NOSYNC : DB_TXN_NOSYNC;
	int fault;

	kv->txn = NULL;
	kv->n_changes = 0;
	kv->needs_flush = false;
	if (txn == NULL)
		return 0;
	fault = FAULT("kv.commit");
	if (fault != 0) {
		txn->abort(txn);
		return -fault;
	}
	return errno_of(txn->commit(txn, how));
}

/* A very large round is committed in parts; kv_commit tells the outcome. */
static void
count_change(struct kv_table *table)
{
	struct kv *kv = table->kv;
	int error;

	kv->needs_flush |= !table->is_soft;
	if (++kv->n_changes < CHANGES_MAX)
		return;
	error = txn_commit(kv);
	if (error && kv->failed == 0)
		kv->failed = error;
}

int
kv_commit(struct kv *kv)
{
	int error = txn_commit(kv);

	if (kv->failed != 0)
		error = kv->failed;
	kv->failed = 0;
	return error;
}

bool
kv_has_transaction(const struct kv *kv)
{
	return kv->txn != NULL || kv->failed != 0;
}

int
kv_checkpoint(struct kv *kv)
{
	return errno_of(kv->env->txn_checkpoint(kv->env, 0, 0, 0));
}

int
kv_checkpoint_if_due(struct kv *kv)
{
	return errno_of(kv->env->txn_checkpoint(kv->env, CHECKPOINT_KIB, 0,
	    0));
}

/* ---- records ---- */

static DBT
dbt_of(struct slice s)
{
	DBT dbt = { .size = (uint32_t)s.size };

	memcpy(&dbt.data, &s.data, sizeof dbt.data);	/* it only reads */
	return dbt;
}

static DBT
dbt_room(void *data, size_t room)
{
	return (DBT){ .data = data, .ulen = (uint32_t)room,
		.flags = DB_DBT_USERMEM };
}

static bool
record_is_expired(const DBT *data, int64_t now_s)
{
	const uint8_t *octets = data->data;
	uint64_t expires;

	if (data->size < EXPIRY_BYTES)
		return true;	/* not ours: of no use to anybody */
	expires = big_endian_get(octets, EXPIRY_BYTES);
	return expires != 0 && (int64_t)expires <= now_s;
}

int
kv_get(struct kv_table *table, struct slice key, void *value, size_t room,
    size_t *size)
{
	struct record record;
	DBT k = dbt_of(key), v = dbt_room(&record, sizeof record);
	int error = txn_need(table->kv);

	if (error)
		return error;
	error = errno_of(table->db->get(table->db, table->kv->txn, &k, &v, 0));
	if (error)
		return error;
	if (record_is_expired(&v, clock_wall_s()))
		return -ENOENT;
	*size = v.size - EXPIRY_BYTES;
	if (*size > room)
		return -EMSGSIZE;
	memcpy(value, record.value, *size);
	return 0;
}

/* Put (or, without data, delete) in a child that can be undone alone. */
static int
change(struct kv_table *table, DBT *key, DBT *data)
{
	struct kv *kv = table->kv;
	DB *db = table->db;
	DB_TXN *child;
	int ret, error = txn_need(kv);

	if (error)
		return error;
	ret = kv->env->txn_begin(kv->env, kv->txn, &child, 0);
	if (ret != 0)
		return errno_of(ret);
	ret = data ? db->put(db, child, key, data, 0) :
	    db->del(db, child, key, 0);
	if (ret != 0) {
		int undone = child->abort(child);

		return undone ? -ENOTRECOVERABLE : errno_of(ret);
	}
	ret = child->commit(child, 0);
	if (ret == 0)
		count_change(table);
	return errno_of(ret);
}

int
kv_put(struct kv_table *table, struct slice key, struct slice value,
    int64_t expires_s)
{
	struct record record;
	DBT k = dbt_of(key), v = { .data = &record };

	if (key.size == 0 || key.size > KV_KEY_MAX ||
	    value.size > KV_VALUE_MAX || expires_s < 0)
		return -EINVAL;
	big_endian_put(record.expires, (uint64_t)expires_s, EXPIRY_BYTES);
	if (value.size > 0)
		memcpy(record.value, value.data, value.size);
	v.size = (uint32_t)(EXPIRY_BYTES + value.size);
	return change(table, &k, &v);
}

int
kv_delete(struct kv_table *table, struct slice key)
{
	DBT k = dbt_of(key);

	return change(table, &k, NULL);
}

/* ---- all of a table ---- */

static struct slice
slice_of_dbt(const DBT *dbt, size_t skip)
{
	return (struct slice){ (const char *)dbt->data + skip,
		dbt->size - skip };
}

int
kv_iterate(struct kv_table *table, kv_each_fn *fn, void *arg)
{
	uint8_t key[KV_KEY_MAX];
	struct record record;
	DBT k = dbt_room(key, sizeof key), v = dbt_room(&record, sizeof record);
	bool goes_on = true;
	DBC *cursor;
	int ret, error = txn_need(table->kv);

	if (error)
		return error;
	ret = table->db->cursor(table->db, table->kv->txn, &cursor, 0);
	if (ret != 0)
		return errno_of(ret);
	while (goes_on && (ret = cursor->get(cursor, &k, &v, DB_NEXT)) == 0)
		if (v.size >= EXPIRY_BYTES)
			goes_on = fn(slice_of_dbt(&k, 0),
			    slice_of_dbt(&v, EXPIRY_BYTES), arg);
	cursor->close(cursor);
	/* longer than anything that is ever put: damage */
	if (ret == DB_BUFFER_SMALL)
		return -ENOTRECOVERABLE;
	return ret == DB_NOTFOUND ? 0 : errno_of(ret);
}

int
kv_scan(struct kv_table *table, struct kv_position *at, unsigned n_most,
    kv_each_fn *fn, void *arg)
{
	struct record record;
	DBT k = dbt_room(at->key, sizeof at->key);
	DBT v = dbt_room(&record, sizeof record);
	int64_t now_s = clock_wall_s();
	u_int32_t op = DB_SET_RANGE;
	bool goes_on = true;
	DBC *cursor;
	int ret, error = txn_need(table->kv);

	if (error)
		return error;
	ret = table->db->cursor(table->db, table->kv->txn, &cursor, 0);
	if (ret != 0)
		return errno_of(ret);
	k.size = (uint32_t)at->size;
	while (goes_on && (ret = cursor->get(cursor, &k, &v, op)) == 0) {
		op = DB_NEXT;
		at->size = k.size;
		if (n_most-- == 0)
			break;
		if (!record_is_expired(&v, now_s))
			goes_on = fn(slice_of_dbt(&k, 0),
			    slice_of_dbt(&v, EXPIRY_BYTES), arg);
	}
	cursor->close(cursor);
	if (ret == 0)
		return goes_on;
	return ret == DB_NOTFOUND ? 0 : errno_of(ret);
}

#define EXPIRE_AT_ONCE 64

struct expired {
	size_t n;
	struct { size_t size; uint8_t key[KV_KEY_MAX]; } keys[EXPIRE_AT_ONCE];
};

/*
 * Look at up to n_most records from table->sweep_key on and note the keys
 * of expired ones. 1: there is more (sweep_key is moved); 0: all seen.
 */
static int
expired_collect(struct kv_table *table, int64_t now_s, unsigned n_most,
    struct expired *expired)
{
	struct record record;
	DBT k = dbt_room(table->sweep_key, sizeof table->sweep_key);
	DBT v = dbt_room(&record, sizeof record);
	u_int32_t op = DB_SET_RANGE;
	DBC *cursor;
	int ret;

	ret = table->db->cursor(table->db, table->kv->txn, &cursor, 0);
	if (ret != 0)
		return errno_of(ret);
	k.size = (uint32_t)table->sweep_key_size;
	while ((ret = cursor->get(cursor, &k, &v, op)) == 0) {
		op = DB_NEXT;
		table->sweep_key_size = k.size;
		if (n_most-- == 0 || expired->n == EXPIRE_AT_ONCE)
			break;
		if (!record_is_expired(&v, now_s))
			continue;
		memcpy(expired->keys[expired->n].key, k.data, k.size);
		expired->keys[expired->n++].size = k.size;
	}
	cursor->close(cursor);
	if (ret == 0)
		return 1;
	table->sweep_key_size = 0;
	return ret == DB_NOTFOUND ? 0 : errno_of(ret);
}

/* What a power cut brings back expires once more: no flush for that. */
static int
expired_delete(struct kv_table *table, struct slice key)
{
	bool needed_flush = table->kv->needs_flush;
	int error = kv_delete(table, key);

	table->kv->needs_flush &= needed_flush;
	return error;
}

int
kv_expire(struct kv_table *table, int64_t now_s, unsigned n_most,
    kv_each_fn *fn, void *arg)
{
	struct expired expired;
	int more, error = txn_need(table->kv);

	if (error)
		return error;
	expired.n = 0;
	more = expired_collect(table, now_s, n_most, &expired);
	for (size_t i = 0; more >= 0 && i < expired.n; i++) {
		struct slice key = { (const char *)expired.keys[i].key,
			expired.keys[i].size };

		error = expired_delete(table, key);
		if (error)
			return error;
		if (fn != NULL)
			fn(key, SLICE(""), arg);
	}
	return more;
}
