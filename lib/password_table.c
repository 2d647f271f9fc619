/* SPDX-License-Identifier: ISC */
/*
 * password_table.c - see password_table.h.
 *
 *	magic (8), secret (32), n (u32), n x offset (u32),
 *	entries: name, user, address, password, each with its length (u16),
 *	SHA-256 of all before it (32)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "big_endian.h"
#include "fault.h"
#include "file_io.h"
#include "ipc_cursor.h"
#include "pack.h"
#include "password_table.h"

#define MAGIC "PstPwd1\n"
#define MAGIC_SIZE 8
#define DIGEST_SIZE 32
#define HEAD_SIZE (MAGIC_SIZE + PASSWORD_TABLE_SECRET_SIZE + 4)

struct password_table {
	const uint8_t *data;
	size_t size;		/* without the digest */
	size_t mapped_size;
	size_t n;
};

bool
password_table_path(char *to, size_t room, const char *state_dir)
{
	int n = snprintf(to, room, "%s/passwords/passwords", state_dir);

	return n > 0 && (size_t)n < room;
}

static int
compare_names(struct slice a, struct slice b)
{
	size_t least = a.size < b.size ? a.size : b.size;
	int order = memcmp(a.data, b.data, least);

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int
digest_of(const void *data, size_t size, uint8_t digest[DIGEST_SIZE])
{
	return EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) ? 0 :
	    -EIO;
}

/* ---- writing ---- */

static int
compare_entries(const void *a, const void *b)
{
	const struct password_entry *x = a, *y = b;

	return compare_names(x->name, y->name);
}

static void
pack_entry(struct pack *p, const struct password_entry *entry)
{
	pack_slice(p, entry->name);
	pack_slice(p, entry->user);
	pack_slice(p, entry->address);
	pack_slice(p, entry->password);
}

static size_t
entry_size(const struct password_entry *entry)
{
	return 4 * 2 + entry->name.size + entry->user.size +
	    entry->address.size + entry->password.size;
}

static int
pack_all(struct buf *to, const struct password_entry *entries, size_t n,
    const uint8_t *secret)
{
	struct pack p = { .out = to };
	size_t at = HEAD_SIZE + 4 * n;
	uint8_t digest[DIGEST_SIZE];
	int error;

	pack_bytes(&p, MAGIC, MAGIC_SIZE);
	pack_bytes(&p, secret, PASSWORD_TABLE_SECRET_SIZE);
	pack_u32(&p, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		if (at > UINT32_MAX)
			return -EFBIG;
		pack_u32(&p, (uint32_t)at);
		at += entry_size(&entries[i]);
	}
	for (size_t i = 0; i < n; i++)
		pack_entry(&p, &entries[i]);
	if (p.error)
		return p.error;
	error = digest_of(to->data, to->size, digest);
	return error ? error : buf_append(to, digest, sizeof digest);
}

static int
sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	if (!slice_copy(folder, sizeof folder, slice_of(path)))
		return -ENAMETOOLONG;
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return -EINVAL;
	*slash = '\0';
	return file_sync_folder(folder);
}

/* A crash here leaves PATH.new, which the next compilation removes. */
static int
replace(const char *path, struct slice text)
{
	char new_path[PATH_MAX];
	int n = snprintf(new_path, sizeof new_path, "%s.new", path);
	int fd, error;

	if (n < 0 || (size_t)n >= sizeof new_path)
		return -ENAMETOOLONG;
	if (unlink(new_path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	error = file_write(fd, text);
	if (!error && fsync(fd) < 0)
		error = -errno;
	close(fd);
	FAULT_STEP("compiler.before-passwords");
	if (!error && rename(new_path, path) < 0)
		error = -errno;
	if (error) {
		unlink(new_path);
		return error;
	}
	return sync_folder_of(path);
}

int
password_table_write(const char *path, struct password_entry *entries,
    size_t n, const uint8_t secret[PASSWORD_TABLE_SECRET_SIZE])
{
	struct buf text = { 0 };
	int error;

	if (n > UINT32_MAX / 8)
		return -EFBIG;
	if (n > 0)
		qsort(entries, n, sizeof *entries, compare_entries);
	for (size_t i = 1; i < n; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) == 0)
			return -EEXIST;
	error = pack_all(&text, entries, n, secret);
	if (!error)
		error = replace(path, buf_slice(&text));
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.size);
	buf_free(&text);
	return error;
}

/* ---- reading ---- */

static bool
get_entry(const struct password_table *table, size_t i,
    struct password_entry *entry)
{
	uint32_t at = (uint32_t)big_endian_get(table->data +
	    HEAD_SIZE + 4 * i, 4);
	struct ipc_reader r;

	if (at > table->size)
		return false;
	ipc_reader_init(&r, table->data + at, table->size - at);
	entry->name = ipc_get_slice(&r);
	entry->user = ipc_get_slice(&r);
	entry->address = ipc_get_slice(&r);
	entry->password = ipc_get_slice(&r);
	return !r.failed;
}

/* Every entry is there, and in order: later nothing can go wrong. */
static bool
is_sound(const struct password_table *table)
{
	struct password_entry entry, before = { .name = SLICE("") };
	uint8_t digest[DIGEST_SIZE];

	if (digest_of(table->data, table->size, digest) != 0 ||
	    memcmp(digest, table->data + table->size, DIGEST_SIZE) != 0)
		return false;
	for (size_t i = 0; i < table->n; i++) {
		if (!get_entry(table, i, &entry) ||
		    compare_names(before.name, entry.name) >= 0)
			return false;
		before = entry;
	}
	return true;
}

static int
map_file(struct password_table *table, const char *path)
{
	struct stat st;
	void *data;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode) ||
	    st.st_size < HEAD_SIZE + DIGEST_SIZE)
		error = -EIO;
	data = error ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ,
	    MAP_PRIVATE, fd, 0);
	if (!error && data == MAP_FAILED)
		error = -errno;
	close(fd);
	if (error)
		return error;
	table->data = data;
	table->mapped_size = (size_t)st.st_size;
	table->size = table->mapped_size - DIGEST_SIZE;
	return 0;
}

int
password_table_open(struct password_table **table, const char *path)
{
	struct password_table *t = calloc(1, sizeof *t);
	int error;

	*table = NULL;
	if (t == NULL)
		return -ENOMEM;
	error = map_file(t, path);
	if (!error) {
		t->n = (size_t)big_endian_get(t->data + HEAD_SIZE - 4, 4);
		if (memcmp(t->data, MAGIC, MAGIC_SIZE) != 0 ||
		    t->n > (t->size - HEAD_SIZE) / 4 || !is_sound(t))
			error = -EIO;
	}
	if (error)
		password_table_close(&t);
	*table = t;
	return error;
}

void
password_table_close(struct password_table **table)
{
	struct password_table *t = *table;

	*table = NULL;
	if (t == NULL)
		return;
	if (t->data != NULL)
		munmap((void *)(uintptr_t)t->data, t->mapped_size);
	free(t);
}

void
password_table_at(const struct password_table *table, size_t i,
    struct password_entry *entry)
{
	*entry = (struct password_entry){ .name = SLICE("") };
	if (i < table->n)
		(void)get_entry(table, i, entry);
}

bool
password_table_find(const struct password_table *table, struct slice name,
    struct password_entry *entry)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order;

		password_table_at(table, middle, entry);
		order = compare_names(name, entry->name);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

size_t
password_table_size(const struct password_table *table)
{
	return table->n;
}

const uint8_t *
password_table_secret(const struct password_table *table)
{
	return table->data + MAGIC_SIZE;
}
