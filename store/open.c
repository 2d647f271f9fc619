/* SPDX-License-Identifier: ISC */
/*
 * open.c - the files of the store, opened and closed.
 *
 *	secret          32 octets, made at the first start: the records' key
 *	records.live    slots.h
 *	db/             the Berkeley DB environment
 *	db.broken-TIME  one that could not be recovered, for a look
 *	trail/          segments.h
 *
 * A crash while secret is made leaves secret.new, which is made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clearances.h"
#include "clock.h"
#include "log.h"
#include "store.h"

#define SECRET_FILE "secret"
#define SECRET_NEW "secret.new"
#define DB_FOLDER "db"

static int
make_secret(uint8_t secret[SECRET_SIZE])
{
	int error = 0, fd = open(SECRET_NEW, O_WRONLY | O_CREAT | O_TRUNC |
	    O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (getrandom(secret, SECRET_SIZE, 0) != SECRET_SIZE ||
	    write(fd, secret, SECRET_SIZE) != SECRET_SIZE || fsync(fd) < 0)
		error = errno ? -errno : -EIO;
	close(fd);
	if (!error && rename(SECRET_NEW, SECRET_FILE) < 0)
		error = -errno;
	return error;
}

/* Without it no record of the past would be found again. */
static int
read_secret(uint8_t secret[SECRET_SIZE])
{
	int fd = open(SECRET_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return make_secret(secret);
	if (fd < 0)
		return -errno;
	n = read(fd, secret, SECRET_SIZE);
	close(fd);
	return n == SECRET_SIZE ? 0 : make_secret(secret);
}

static int
open_kv(struct store *s)
{
	int error = mkdir(DB_FOLDER, 0700) < 0 && errno != EEXIST ? -errno : 0;

	if (!error)
		error = kv_open(&s->kv, DB_FOLDER);
	if (!error)
		error = ended_open(&s->ended, s->kv);
	if (!error)
		error = notes_open(&s->seen, s->kv, "seen", SEEN_ENTRIES_MAX);
	if (!error)
		error = grey_open(&s->grey, s->kv, s->hmac);
	if (!error)
		error = ledger_open(&s->ledger, s->kv, s->hmac);
	if (!error)
		error = sts_open(&s->sts, s->kv, s->hmac);
	if (!error) {
		s->proofs = proofs_new(s->ledger);
		error = s->proofs != NULL ? 0 : -ENOMEM;
	}
	if (error) {
		sts_close(&s->sts);
		ledger_close(&s->ledger);
		grey_close(&s->grey);
		notes_close(&s->seen);
		ended_close(&s->ended);
		kv_close(&s->kv);
	}
	return error == -ENOTRECOVERABLE && kv_disk_was_full() ? -ENOSPC :
	    error;
}

/*
 * What cannot be recovered is set aside: mail that goes on with duplicates
 * at worst is better than none. What a full disk keeps from recovery is not
 * damaged: the supervisor starts us again until there is room.
 */
static int
set_aside(void)
{
	char name[64];

	snprintf(name, sizeof name, "%s.broken-%lld", DB_FOLDER,
	    (long long)clock_wall_s());
	if (rename(DB_FOLDER, name) < 0)
		return -errno;
	log_error("alarm", LOG_S("problem", "the database in state_dir/store "
	    "was damaged and is begun anew; the old one is kept"),
	    LOG_S("kept_as", name), LOG_END);
	return 0;
}

static void
check(int error, const char *what)
{
	if (error)
		fatal("%s in state_dir/store: %s", what, strerror(-error));
}

static void
open_records(struct store *s)
{
	struct records_parts parts = { .slots = s->slots, .ended = s->ended,
		.hmac = s->hmac };
	struct records_counts counts;

	memcpy(parts.boot, s->boot, sizeof parts.boot);
	check(records_open(&s->records, &parts), "records");
	records_get_counts(s->records, &counts);
	if (counts.n_live > 0)
		log_info("records_found", LOG_U("done", counts.n_unstored),
		    LOG_U("unresolved", counts.n_unresolved), LOG_END);
}

void
store_open(struct store *s)
{
	uint8_t secret[SECRET_SIZE];
	int error;

	check(read_secret(secret), SECRET_FILE);
	check(hmac_new(&s->hmac, secret, sizeof secret), "key");
	explicit_bzero(secret, sizeof secret);
	error = open_kv(s);
	if (error == -ENOTRECOVERABLE && set_aside() == 0)
		error = open_kv(s);
	check(error, DB_FOLDER);
	check(slots_open(&s->slots, "records.live"), "records.live");
	check(segments_open(&s->segments, "trail"), "trail");
	snprintf(s->trail, sizeof s->trail, "%s/store/trail",
	    s->c.config->state_dir);
	check(clearances_map(s->c.fds[SETUP_FD_CLEARANCES], true),
	    "clearances");
	s->failures = failures_new(s->hmac);
	check(s->failures ? 0 : -ENOMEM, "memory");
	open_records(s);
}

void
store_close(struct store *s)
{
	store_commit(s);
	clearances_unmap();
	records_close(&s->records);
	failures_free(&s->failures);
	segments_close(&s->segments);
	slots_close(&s->slots);
	grey_close(&s->grey);
	notes_close(&s->seen);
	proofs_free(&s->proofs);
	ledger_close(&s->ledger);
	sts_close(&s->sts);
	hmac_free(&s->hmac);
	ended_close(&s->ended);
	kv_close(&s->kv);
}
