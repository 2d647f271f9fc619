/* SPDX-License-Identifier: ISC */
/*
 * table.c - compiled tables; see table.h.
 */
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bdb.h"
#include "table.h"

#define PAGE_SIZE 4096
#define CACHE_MIN (256u << 10)
#define CACHE_MAX (64u << 20)

struct table {
	DB *db;			/* NULL: it is an image */
	struct image image;
	bool is_damaged;
	struct buf meta;	/* encoded, copied when it was opened */
};

/* Its messages would go to standard error; what it returns is enough. */
static void
ignore_message(const DB_ENV *env, const char *prefix, const char *message)
{
	(void)env;
	(void)prefix;
	(void)message;
}

/* Berkeley DB's own errors are negative and not errno values. */
static int
errno_of(int db_error)
{
	return db_error > 0 ? -db_error : -EIO;
}

static DB *
new_handle(uint64_t cache_bytes)
{
	DB *db;

	bdb_stay_awake();
	if (db_create(&db, NULL, 0) != 0)
		return NULL;
	db->set_errcall(db, ignore_message);
	if (cache_bytes < CACHE_MIN)
		cache_bytes = CACHE_MIN;
	if (cache_bytes > CACHE_MAX)
		cache_bytes = CACHE_MAX;
	if (db->set_cachesize(db, 0, (u_int32_t)cache_bytes, 1) == 0)
		return db;
	db->close(db, 0);
	return NULL;
}

/*
 * A page with a wrong checksum makes Berkeley DB refuse everything, close
 * included, which then keeps the memory: tell it to go on.
 */
static int
close_handle(DB *db, u_int32_t flags)
{
	DB_ENV *env = db->get_env(db);

	if (env != NULL)
		(void)env->set_flags(env, DB_NOPANIC, 1);
	return db->close(db, flags);
}

char
table_entry_kind(enum table_kind kind)
{
	return kind == TABLE_USERS ? RECORD_USER :
	    kind == TABLE_ALIASES ? RECORD_ALIAS : RECORD_NAME;
}

/* ---- opening ---- */

struct count {
	char kind;
	uint32_t n;
};

static int
count_entry(struct slice key, struct slice value, void *arg)
{
	struct count *count = arg;

	(void)value;
	count->n += key.size > 0 && key.data[0] == count->kind;
	return 0;
}

/* Read everything once: checksums, and the number that the file promises. */
static int
verify(struct table *table, enum table_kind kind)
{
	struct count count = { table_entry_kind(kind), 0 };
	struct record_meta meta;
	struct slice value;
	int error = table_get(table, RECORD_META, SLICE(""), &value);

	if (error)
		return error == -ENOENT ? -EIO : error;
	error = buf_append_slice(&table->meta, value);
	if (error)
		return error;
	if (!record_get_meta(buf_slice(&table->meta), &meta) ||
	    meta.kind != (uint8_t)kind)
		return -EIO;
	error = table_each(table, count_entry, &count);
	if (error)
		return error;
	return count.n == meta.n_entries ? 0 : -EIO;
}

static int
open_file(DB **db, const char *path)
{
	struct stat st;
	int error;

	/* what is not a plain file (a FIFO) would block the open */
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EIO;
	*db = new_handle((uint64_t)st.st_size + (uint64_t)st.st_size / 4);
	if (*db == NULL)
		return -ENOMEM;
	error = (*db)->open(*db, NULL, path, NULL, DB_BTREE, DB_RDONLY, 0);
	if (error == 0)
		return 0;
	close_handle(*db, DB_NOSYNC);
	*db = NULL;
	/* EINVAL is how it says that this is no database */
	return error == EINVAL ? -EIO : errno_of(error);
}

int
table_open(struct table **table, const char *path, enum table_kind kind)
{
	struct table *t = calloc(1, sizeof *t);
	int error;

	*table = NULL;
	if (t == NULL)
		return -ENOMEM;
	error = open_file(&t->db, path);
	if (!error)
		error = verify(t, kind);
	if (error) {
		table_close(&t);
		return error;
	}
	*table = t;
	return 0;
}

int
table_of_image(struct table **table, struct image *image)
{
	*table = calloc(1, sizeof **table);
	if (*table == NULL)
		return -ENOMEM;
	(*table)->image = *image;
	*image = (struct image){ 0 };
	return 0;
}

void
table_close(struct table **table)
{
	struct table *t = *table;

	if (t == NULL)
		return;
	if (t->db != NULL)
		close_handle(t->db, DB_NOSYNC);
	image_free(&t->image);
	buf_free(&t->meta);
	free(t);
	*table = NULL;
}

bool
table_meta(struct table *table, struct record_meta *meta)
{
	return table->meta.size > 0 &&
	    record_get_meta(buf_slice(&table->meta), meta);
}

/* ---- reading ---- */

int
table_get(struct table *table, char kind, struct slice name,
    struct slice *value)
{
	char room[RECORD_KEY_MAX];
	DBT key = { .data = room, .size = (u_int32_t)name.size + 1 };
	DBT data = { .data = NULL };
	int error;

	if (name.size >= sizeof room)
		return -ENOENT;
	room[0] = kind;
	if (name.size > 0)
		memcpy(room + 1, name.data, name.size);
	if (table->db == NULL)
		return image_find(&table->image, (struct slice){ room,
		    name.size + 1 }, value) ? 0 : -ENOENT;
	if (table->is_damaged)
		return -EIO;
	error = table->db->get(table->db, NULL, &key, &data, 0);
	if (error == DB_NOTFOUND)
		return -ENOENT;
	if (error) {
		table->is_damaged = true;
		return -EIO;
	}
	*value = (struct slice){ data.data, data.size };
	return 0;
}

static int
each_of_file(struct table *table, table_each_fn *fn, void *arg)
{
	DBT key = { .data = NULL }, data = { .data = NULL };
	DBC *cursor;
	int result = 0, error;

	if (table->db->cursor(table->db, NULL, &cursor, 0) != 0)
		return -EIO;
	while ((error = cursor->get(cursor, &key, &data, DB_NEXT)) == 0 &&
	    result == 0)
		result = fn((struct slice){ key.data, key.size },
		    (struct slice){ data.data, data.size }, arg);
	cursor->close(cursor);
	if (error != 0 && error != DB_NOTFOUND)
		return -EIO;
	return result;
}

int
table_each(struct table *table, table_each_fn *fn, void *arg)
{
	int result = 0;

	if (table->db != NULL)
		return each_of_file(table, fn, arg);
	for (size_t i = 0; i < table->image.n && result == 0; i++)
		result = fn(image_key(&table->image, i),
		    image_value(&table->image, i), arg);
	return result;
}

/* ---- writing ---- */

static int
put_all(DB *db, const struct image *image)
{
	int error = 0;

	for (size_t i = 0; i < image->n && error == 0; i++) {
		struct slice k = image_key(image, i);
		struct slice v = image_value(image, i);
		/* DBT is not const-correct; a put does not write to them */
		DBT key = { .data = (void *)(uintptr_t)k.data,
			.size = (u_int32_t)k.size };
		DBT value = { .data = (void *)(uintptr_t)v.data,
			.size = (u_int32_t)v.size };

		error = db->put(db, NULL, &key, &value, 0);
	}
	return error;
}

/*
 * Pages are written with what was in memory between their entries: that
 * must not be what was read from a users table, with its passwords.
 */
static void *
zeroed_malloc(size_t size)
{
	return calloc(1, size);
}

static int
fill_file(DB *db, const char *path, const struct image *image)
{
	int error = db->set_flags(db, DB_CHKSUM);

	if (!error)
		error = db->set_pagesize(db, PAGE_SIZE);
	if (!error)
		error = db->open(db, NULL, path, NULL, DB_BTREE,
		    DB_CREATE | DB_EXCL, 0644);
	return error ? error : put_all(db, image);
}

static int
flush_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/*
 * A file is made as __db.NAME, exclusively, and gets its name when its first
 * page is written. On a full disk, or when it is killed, the library leaves
 * that behind, and would be in its own way for ever.
 */
static void
remove_unborn(const char *path)
{
	const char *name = strrchr(path, '/');
	char unborn[PATH_MAX];
	int n;

	name = name == NULL ? path : name + 1;
	n = snprintf(unborn, sizeof unborn, "%.*s__db.%s",
	    (int)(name - path), path, name);
	if (n > 0 && (size_t)n < sizeof unborn)
		(void)unlink(unborn);
}

int
table_write(const char *path, const struct image *image)
{
	int error = db_env_set_func_malloc(zeroed_malloc), close_error;
	DB *db = error ? NULL : new_handle(image->data.size);

	if (db == NULL)
		return -ENOMEM;
	remove_unborn(path);
	error = fill_file(db, path, image);
	close_error = db->close(db, error ? DB_NOSYNC : 0);
	if (!error)
		error = close_error;
	if (error) {
		if (error != EEXIST)
			unlink(path);
		remove_unborn(path);
		return errno_of(error);
	}
	error = flush_file(path);
	if (error)
		unlink(path);
	return error;
}
