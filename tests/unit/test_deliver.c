/* SPDX-License-Identifier: ISC */
/*
 * test_deliver.c - the whole compartment: real workers with real uids (as
 * root), real mailboxes; this process plays smtpd and store, also lying ones.
 */
#include <dirent.h>
#include <sys/mount.h>
#include <time.h>
#include "deliver_fixture.h"
#include "fault.h"
#include "sealed.h"
#include "table.h"

#define ALICE 61001
#define BOB 61002
#define MESSAGE_SIZE 2000

static struct fixture f;
static struct outcome outcome;
static char base[64];
static int smtpd, store, message;
static uint64_t tx;		/* counted up */
static char text[MESSAGE_SIZE];

/* ---- the world ---- */

static const char *
path_in(const char *name)
{
	static char room[16][640];
	static unsigned next;
	char *path = room[next++ % 16];

	snprintf(path, 640, "%s/%s", base, name);
	return path;
}

static uid_t
uid_of(uid_t wanted)
{
	return f.is_privileged ? wanted : geteuid();
}

static struct fixture_box
box_of(const char *user, uid_t uid, uint64_t quota)
{
	static char maildir[16][256];
	static unsigned next;
	char *path = maildir[next++ % 16];

	snprintf(path, 256, "%s/%s/Maildir", base, user);
	return (struct fixture_box){ .uid = uid_of(uid),
		.gid = f.is_privileged ? uid : getegid(),
		.home = path_in(user), .maildir = path, .quota = quota };
}

static void
make_home(const char *user, uid_t uid)
{
	assert_int_equal(mkdir(path_in(user), 0700), 0);
	if (f.is_privileged)
		assert_int_equal(chown(path_in(user), uid, uid), 0);
}

static int
set_up(void **state)
{
	int log_fd;

	(void)state;
	strcpy(base, "/tmp/postern-deliver-XXXXXX");
	if (mkdtemp(base) == NULL || chmod(base, 0755) != 0)
		return -1;
	log_fd = open(path_in("log"), O_CREAT | O_WRONLY | O_APPEND, 0600);
	f.is_privileged = geteuid() == 0;
	make_home("alice", ALICE);
	make_home("bob", BOB);
	make_home("carol", ALICE);
	fixture_start(&f, log_fd);
	close(log_fd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
	store = fixture_peer(&f, ROLE_STORE, 0);
	memset(text, 'x', sizeof text);
	message = fixture_memfd(text, sizeof text);
	return 0;
}

static bool are_stopped;		/* deliver's children */

/* Of deliver's children. */
static unsigned
signal_workers(int signo)
{
	char path[64];
	unsigned n = 0;
	FILE *list;
	int pid;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)f.pid,
	    (int)f.pid);
	list = fopen(path, "r");
	assert_non_null(list);
	while (fscanf(list, "%d", &pid) == 1) {
		n++;
		assert_int_equal(kill(pid, signo), 0);
	}
	fclose(list);
	are_stopped = signo == SIGSTOP;
	return n;
}

static int
tear_down(void **state)
{
	char command[128];
	int status;

	(void)state;
	if (are_stopped)	/* a test has failed */
		signal_workers(SIGCONT);
	close(smtpd);
	close(store);
	close(message);
	status = fixture_stop(&f);
	/* what a failed test has left */
	(void)umount2(path_in("alice"), MNT_DETACH);
	(void)umount2(path_in("bob"), MNT_DETACH);
	snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command) == 0 && status == 0 ? 0 : -1;
}

static size_t
count(const char *user, const char *folder)
{
	char path[128];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/Maildir/%s", user, folder);
	dir = opendir(path_in(path));
	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* The only file there, as a name in static memory. */
static const char *
only_file(const char *user, const char *folder)
{
	static char name[256];
	char path[128];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "%s/Maildir/%s", user, folder);
	assert_int_equal(count(user, folder), 1);
	dir = opendir(path_in(path));
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			snprintf(name, sizeof name, "%s", entry->d_name);
	closedir(dir);
	return name;
}

static int
probe(uint16_t recipient, uint64_t size, struct fixture_box box)
{
	const struct fixture_probe p = { .tx = tx, .recipient = recipient,
		.size = size, .boxes = &box, .n_boxes = 1 };

	return fixture_probe(&f, smtpd, &p);
}

static int
prepare(uint16_t n, bool is_each)
{
	static struct ipc_writer w;
	char name[64];

	snprintf(name, sizeof name, "1700000000.M%lluP1",
	    (unsigned long long)tx);
	fixture_put_prepare(&w, tx, name, n, is_each, sizeof text);
	return fixture_prepare(&f, smtpd, &w, message, &outcome);
}

/* The short way, for the first n recipients. */
static int
deliver_to(uint16_t n, const char *name)
{
	static struct ipc_writer w;

	fixture_put_prepare(&w, tx, name, n, false, sizeof text);
	return fixture_deliver(&f, smtpd, &w, message, &outcome);
}

static int
deliver_name(const char *name)
{
	return deliver_to(1, name);
}

static int
deliver_all(uint16_t n)
{
	char name[64];

	snprintf(name, sizeof name, "1700000000.M1P1D%llu",
	    (unsigned long long)tx);
	return deliver_to(n, name);
}

static int
deliver(void)
{
	return deliver_all(1);
}

static int
commit(void)
{
	return fixture_commit(&f, smtpd, tx, &outcome);
}

static void
probe_both(void)
{
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	assert_int_equal(probe(1, 0, box_of("bob", BOB, 0)), 0);
}

static void
deny(const char *path)
{
	assert_int_equal(chmod(path_in(path), 0500), 0);
}

static void
allow(const char *path)
{
	assert_int_equal(chmod(path_in(path), 0700), 0);
}

/* ---- it works ---- */

static void
test_all_get_it_at_commit(void **state)
{
	static const char want[] = "Return-Path: <alice@example.com>\n"
	    "Delivered-To: bob@example.org\n"
	    "Received: from client\n\tby mx\nxxx";
	char path[512], back[4096];
	struct stat st;
	int fd;

	(void)state;
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 2);
	assert_int_equal(count("alice", "new") + count("bob", "new"), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 0);
	assert_int_equal(count("bob", "new"), 1);
	snprintf(path, sizeof path, "alice/Maildir/new/%s",
	    only_file("alice", "new"));
	fd = open(path_in(path), O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, uid_of(ALICE));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(read(fd, back, sizeof back), st.st_size);
	close(fd);
	snprintf(path, sizeof path, ",S=%lld", (long long)st.st_size);
	assert_non_null(strstr(only_file("alice", "new"), path));
	assert_non_null(strstr(only_file("alice", "new"), "_0_0.mx."));
	assert_non_null(strstr(only_file("bob", "new"), "_1_0.mx."));
	assert_memory_equal(back, want, sizeof want - 1);
}

static void
test_many_leaves_of_one_recipient(void **state)
{
	static char homes[50][128], maildirs[50][256];
	struct fixture_box boxes[50];
	struct fixture_probe p = { .tx = ++tx, .boxes = boxes,
		.n_boxes = N_OF(boxes) };
	char user[32];

	(void)state;
	for (unsigned i = 0; i < N_OF(boxes); i++) {
		snprintf(user, sizeof user, "u%u", i);
		make_home(user, ALICE + i % 5);
		boxes[i] = box_of(user, ALICE + i % 5, 0);
		snprintf(homes[i], sizeof homes[i], "%s/%s", base, user);
		snprintf(maildirs[i], sizeof maildirs[i], "%s/%s/Maildir",
		    base, user);
		boxes[i].home = homes[i];
		boxes[i].maildir = maildirs[i];
	}
	assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
	for (unsigned i = 0; i < N_OF(boxes); i++) {
		snprintf(user, sizeof user, "u%u", i);
		CHECK(user, count(user, "new") == 1);
	}
}

static void
test_discard_route(void **state)
{
	const struct fixture_probe p = { .tx = ++tx };

	(void)state;
	assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
}

/* ---- RCPT ---- */

static void
test_probe_refusals(void **state)
{
	struct fixture_box box;

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, box_of("nobody", ALICE, 0)), 4510200);
	assert_int_equal(symlink(path_in("bob"), path_in("alice/Maildir")),
	    0);
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 4510200);
	box = box_of("bob", BOB, 0);
	box.uid++;			/* not its owner; or not our uid */
	assert_int_equal(probe(0, 0, box), 4510200);
	if (!f.is_privileged)
		return;
	box.uid = 999;			/* below min_uid */
	assert_int_equal(probe(0, 0, box), 4510200);
	box.uid = 0;
	assert_int_equal(probe(0, 0, box), 4510200);
	box = box_of("bob", BOB, 0);
	box.gid = 0;
	assert_int_equal(probe(0, 0, box), 4510200);
	assert_int_equal(count("bob", "new"), 0);
	assert_int_equal(access(path_in("bob/Maildir"), F_OK), -1);
}

static void
test_probe_is_believed_five_seconds(void **state)
{
	(void)state;
	probe_both();
	deny("alice/Maildir/tmp");
	probe_both();
	/* PREPARE sees it, and makes the next probe look again */
	assert_int_equal(prepare(2, false), 1);
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 4510200);
	allow("alice/Maildir/tmp");
}

/* ---- told, not asked ---- */

/* Its route ends in so many seconds. */
static void
freeze(int peer, struct fixture_box box, int life_s)
{
	static struct ipc_writer w;
	struct buf sealed = { 0 };
	struct probe_ask ask = { .transaction = tx,
		.session = SLICE("k3f9q2m7t") };

	fixture_seal_for(&f, &sealed, ask.session, (struct fixture_boxes){
		&box, 1, life_s, NULL });
	ask.sealed = buf_slice(&sealed);
	ipc_writer_init(&w);
	put_probe_ask(&w, &ask);
	assert_int_equal(ipc_send(peer, PROBE_ASK, 0, 0, &w, -1), 0);
	buf_free(&sealed);
}

static void
test_told_recipient_is_frozen(void **state)
{
	static struct ipc_writer w;
	static struct probe_answer a;
	const struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = tx + 1, .boxes = &alice,
		.n_boxes = 1 };

	(void)state;
	tx++;
	fixture_put_probe(&f, &w, &p);
	assert_int_equal(fixture_ask(&f, smtpd, PROBE_ASK, &w, -1),
	    PROBE_ANSWER);
	assert_true(get_probe_answer(&f.m.body, &a));
	assert_in_range(a.believed_ms, 3000, PROBE_BELIEVED_MS);
	assert_int_equal(deliver(), 0);
	tx++;
	freeze(smtpd, alice, 600);
	assert_int_equal(deliver(), 0);
	tx++;
	freeze(smtpd, alice, 600);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "new"), 3);
	/* one that is released leaves nothing */
	tx++;
	freeze(smtpd, alice, 600);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(deliver(), 1);
}

/* Nobody has looked: it fails where it is written. */
static void
test_told_recipient_that_cannot(void **state)
{
	(void)state;
	tx++;
	freeze(smtpd, box_of("alice", ALICE, 0), -1);
	assert_int_equal(deliver(), 1);
	assert_int_equal(outcome.failures[0].verdict.code, 451);
	assert_false(outcome.failures[0].is_own);
	assert_int_equal(prepare(1, false), 1);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	tx++;
	freeze(smtpd, box_of("nobody", ALICE, 0), 600);
	assert_int_equal(deliver(), 1);
	assert_true(outcome.failures[0].is_own);
	tx++;		/* nothing was told of it */
	assert_int_equal(deliver(), 1);
	assert_int_equal(outcome.failures[0].verdict.code, 451);
	assert_int_equal(count("alice", "new") + count("alice", "tmp"), 0);
}

static bool is_closed(int peer);

/* Room in a quota is reserved by a question alone. */
static void
test_told_recipient_with_quota(void **state)
{
	int liar = fixture_peer(&f, ROLE_SMTPD, 9);

	(void)state;
	tx++;
	freeze(liar, box_of("alice", ALICE, 1 << 20), 600);
	assert_true(is_closed(liar));
	close(liar);
}

/* ---- one fails ---- */

static void
test_prepare_fails_for_all(void **state)
{
	(void)state;
	probe_both();
	deny("bob/Maildir/tmp");
	assert_int_equal(prepare(2, false), 1);
	assert_int_equal(outcome.failures[0].recipient, 1);
	assert_true(outcome.failures[0].is_own);
	assert_int_equal(outcome.failures[0].verdict.code, 451);
	assert_null(strstr(outcome.failures[0].verdict.text, base));
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	/* the retry without bob */
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "new"), 1);
	allow("bob/Maildir/tmp");
}

static void
test_prepare_fails_for_one_with_prdr(void **state)
{
	(void)state;
	probe_both();
	deny("alice/Maildir/tmp");
	assert_int_equal(prepare(2, true), 1);
	assert_int_equal(outcome.failures[0].recipient, 0);
	assert_int_equal(count("bob", "tmp"), 1);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("bob", "new"), 1);
	assert_int_equal(count("alice", "new"), 0);
	allow("alice/Maildir/tmp");
	/* it is over: deliver has forgotten it */
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
}

/* Nobody knows it any more: that is no recipient's own failure. */
static void
test_prepare_of_nothing(void **state)
{
	(void)state;
	tx++;
	assert_int_equal(prepare(2, false), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(outcome.failures[i].recipient, i);
		assert_false(outcome.failures[i].is_own);
	}
}

/* A leaf that has it from an earlier attempt does not get it again. */
static void
test_skipped_leaf(void **state)
{
	static struct prepare_ask ask;
	static struct ipc_writer w;
	struct fixture_box boxes[] = { box_of("alice", ALICE, 0),
		box_of("carol", ALICE, 0) };
	struct fixture_probe p = { .tx = ++tx, .boxes = boxes,
		.n_boxes = N_OF(boxes) };

	(void)state;
	assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
	ask = (struct prepare_ask){ .transaction = tx,
		.message_size = sizeof text, .name = SLICE("1.M1P1Q1"),
		.host = SLICE("mx.example.org"), .n_recipients = 1,
		.n_skipped = 1, .skipped = { { .recipient = 0, .leaf = 0 } } };
	ipc_writer_init(&w);
	put_prepare_ask(&w, &ask);
	assert_int_equal(fixture_prepare(&f, smtpd, &w, message, &outcome), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
	assert_int_equal(count("carol", "new"), 1);
}

static void
test_commit_fails_for_all(void **state)
{
	(void)state;
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	deny("bob/Maildir/new");
	assert_int_equal(commit(), 1);
	assert_int_equal(outcome.failures[0].recipient, 1);
	assert_int_equal(outcome.n_left_behind, 0);
	assert_int_equal(count("alice", "new") + count("bob", "new"), 0);
	/* not unlinked before smtpd has withdrawn the delivery records */
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 2);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 0);
	allow("bob/Maildir/new");
}

static void
test_commit_fails_for_one_with_prdr(void **state)
{
	(void)state;
	probe_both();
	assert_int_equal(prepare(2, true), 0);
	deny("alice/Maildir/new");
	assert_int_equal(commit(), 1);
	assert_int_equal(outcome.failures[0].recipient, 0);
	/* alice's is in tmp/ again, but not to be committed */
	assert_false(outcome.is_prepared);
	assert_int_equal(count("bob", "new"), 1);
	assert_int_equal(count("alice", "new"), 0);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(count("bob", "new"), 1);
	assert_int_equal(count("alice", "tmp"), 0);
	allow("alice/Maildir/new");
}

static void
test_full_disk(void **state)
{
	static char big[2 << 20];
	int fd = fixture_memfd(big, sizeof big);
	static struct ipc_writer w;

	(void)state;
	if (!f.is_privileged || mount("none", path_in("bob"), "tmpfs", 0,
	    "size=1m,mode=0700,uid=61002,gid=61002") < 0)
		skip();
	probe_both();
	fixture_put_prepare(&w, tx, "1.full", 2, false, sizeof big);
	assert_int_equal(fixture_prepare(&f, smtpd, &w, fd, &outcome), 1);
	assert_int_equal(outcome.failures[0].recipient, 1);
	assert_int_equal(outcome.failures[0].verdict.code, 452);
	assert_int_equal(outcome.failures[0].verdict.subject, 3);
	assert_int_equal(outcome.failures[0].verdict.detail, 1);
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 0);
	close(fd);
	/* and read-only */
	assert_int_equal(mount("none", path_in("bob"), NULL,
	    MS_REMOUNT | MS_RDONLY, NULL), 0);
	tx++;
	assert_int_equal(probe(1, 0, box_of("bob", BOB, 0)), 4510200);
	assert_int_equal(umount2(path_in("bob"), MNT_DETACH), 0);
}

/* ---- DELIVER ---- */

static void
test_deliver_in_one_step(void **state)
{
	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	assert_int_equal(deliver(), 0);
	assert_int_equal(outcome.n_left_behind, 0);
	assert_int_equal(count("alice", "tmp"), 0);
	assert_int_equal(count("alice", "new"), 1);
	/* it is over: deliver has forgotten it */
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(count("alice", "new"), 1);
}

static void
test_deliver_fails_and_leaves_nothing(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	char file[256], path[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	/* the name that the next one is going to have, but for its number */
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(deliver_name("1.M1P1D1"), 0);
	strcpy(file, only_file("alice", "new"));
	snprintf(path, sizeof path, "alice/Maildir/new/%s", file);
	assert_int_equal(unlink(path_in(path)), 0);
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	deny("alice/Maildir/new");
	file[strlen("1.M1P1D")] = '2';
	assert_int_equal(deliver_name("1.M1P1D2"), 1);
	assert_int_equal(outcome.n_left_behind, 0);
	assert_int_equal(outcome.failures[0].verdict.code, 451);
	allow("alice/Maildir/new");
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	/* nor is there a note of the rename that failed: nobody has it */
	assert_int_equal(fixture_resolve(&f, store, &alice, file),
	    RESOLVED_NOT_DELIVERED);
}

/* Two mailboxes of one owner. */
static void
probe_alice_and_carol(void)
{
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	assert_int_equal(probe(1, 0, box_of("carol", ALICE, 0)), 0);
}

static size_t
count_alice_and_carol(const char *folder)
{
	return count("alice", folder) + count("carol", folder);
}

static void
test_deliver_several_copies(void **state)
{
	char path[512];

	(void)state;
	probe_alice_and_carol();
	assert_int_equal(deliver_all(2), 0);
	assert_int_equal(count("alice", "new"), 1);
	assert_int_equal(count("carol", "new"), 1);
	assert_int_equal(count_alice_and_carol("tmp"), 0);
	for (int i = 0; i < 2; i++) {
		const char *user = i == 0 ? "alice" : "carol";

		snprintf(path, sizeof path, "%s/Maildir/new/%s", user,
		    only_file(user, "new"));
		assert_int_equal(unlink(path_in(path)), 0);
	}
}

static void
test_deliver_all_or_none(void **state)
{
	const char *folders[] = { "carol/Maildir/tmp", "alice/Maildir/tmp",
		"carol/Maildir/new", "alice/Maildir/new" };

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < N_OF(folders); i++) {
		probe_alice_and_carol();
		deny(folders[i]);
		assert_int_equal(deliver_all(2), 1);
		assert_int_equal(outcome.failures[0].recipient,
		    folders[i][0] == 'c');
		assert_int_equal(outcome.n_left_behind, 0);
		assert_int_equal(count_alice_and_carol("new"), 0);
		allow(folders[i]);
		assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
		assert_int_equal(count_alice_and_carol("tmp"), 0);
	}
}

static void
test_deliver_is_for_one_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	probe_both();
	assert_int_equal(deliver_all(2), -1);
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 0);
	close(smtpd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
}

static void check_liar(const char *what, int liar);

/* One that comes without a descriptor is the same file. */
static void
test_deliver_a_small_message(void **state)
{
	static struct ipc_writer w;
	static char small[DELIVER_ROOM], stored[DELIVER_ROOM + 1024];
	const size_t sizes[] = { 1, 4096, DELIVER_ROOM - 600 };

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		char path[512], name[64];
		ssize_t n;
		int fd;

		memset(small, 'a' + (int)i, sizes[i]);
		probe_both();
		snprintf(name, sizeof name, "1.M1P1D%llu",
		    (unsigned long long)tx);
		fixture_put_small(&w, tx, name,
		    (struct slice){ small, sizes[i] });
		assert_int_equal(fixture_deliver(&f, smtpd, &w, -1,
		    &outcome), 0);
		snprintf(path, sizeof path, "alice/Maildir/new/%s",
		    only_file("alice", "new"));
		fd = open(path_in(path), O_RDONLY);
		n = read(fd, stored, sizeof stored);
		close(fd);
		assert_true(n > (ssize_t)sizes[i]);
		assert_memory_equal(stored + n - sizes[i], small, sizes[i]);
		assert_memory_equal(stored, "Return-Path: <alice@", 20);
		assert_int_equal(unlink(path_in(path)), 0);
	}
}

/* What a job carried is not in the next one. */
static void
test_commit_after_a_small_message(void **state)
{
	static struct ipc_writer w;
	uint64_t prepared;
	char command[256];

	(void)state;
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	prepared = tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	fixture_put_small(&w, tx, "1.M1P1D1", SLICE("small\n"));
	assert_int_equal(fixture_deliver(&f, smtpd, &w, -1, &outcome), 0);
	tx = prepared;
	assert_int_equal(commit(), 0);
	tx++;
	assert_int_equal(count("alice", "new"), 2);
	assert_int_equal(count("bob", "new"), 1);
	snprintf(command, sizeof command, "rm %s/*/Maildir/new/*", base);
	assert_int_equal(system(command), 0);
}

/* Where a small message has no place. */
static void
test_small_messages_of_a_liar(void **state)
{
	static const struct {
		const char *what;
		uint16_t type;
		size_t size;
		bool has_fd;
	} rows[] = {
		{ "for PREPARE", PREPARE_ASK, sizeof text, false },
		{ "for PREPARE, with a descriptor", PREPARE_ASK, sizeof text,
		    true },
		{ "twice", DELIVER_ASK, sizeof text, true },
		{ "not at all", DELIVER_ASK, 0, false },
		{ "no room", DELIVER_ASK, DELIVER_ROOM, false },
	};
	static char small[DELIVER_ROOM];
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	static struct ipc_writer w;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int liar = fixture_peer(&f, ROLE_SMTPD, 9);

		assert_int_equal(fixture_probe(&f, liar, &p), 0);
		fixture_put_small(&w, 1, "1.M1P1D1",
		    (struct slice){ small, rows[i].size });
		fixture_send(&f, liar, rows[i].type, &w,
		    rows[i].has_fd ? message : -1);
		check_liar(rows[i].what, liar);
	}
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
}

/* Whether a reader took it or it was never there. */
/* The short way, which must find this clearance. */
static int
deliver_cleared(uint64_t clearance)
{
	static struct ipc_writer w;
	static struct prepare_ask ask;
	char name[64];

	snprintf(name, sizeof name, "1700000000.M1P1D%llu",
	    (unsigned long long)tx);
	ask = (struct prepare_ask){ .transaction = tx,
		.message = SLICE("small\n"), .message_size = 6,
		.name = slice_of(name), .host = SLICE("mx.example.org"),
		.return_path = SLICE("alice@example.com"),
		.clearance = clearance, .n_recipients = 1 };
	ipc_writer_init(&w);
	put_prepare_ask(&w, &ask);
	return fixture_deliver(&f, smtpd, &w, -1, &outcome);
}

static void
test_deliver_with_a_clearance(void **state)
{
	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	clearances_give(77);
	assert_int_equal(deliver_cleared(77), 0);
	assert_false(outcome.is_prepared);
	assert_int_equal(count("alice", "new"), 1);
	assert_int_equal(count("alice", "tmp"), 0);
}

/* Given while the worker looks for it. */
static void
test_deliver_with_a_late_clearance(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int status;
	pid_t pid;

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	pid = fork();
	if (pid == 0) {
		/* other numbers in the meantime are none of its business */
		for (uint64_t i = 1; i < 5; i++) {
			nanosleep(&pause, NULL);
			clearances_give(100 + i);
		}
		_exit(0);
	}
	assert_int_equal(deliver_cleared(103), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* a machine that was too busy for five milliseconds: both are right */
	assert_int_equal(count("alice", outcome.is_prepared ? "tmp" : "new"),
	    1);
	assert_int_equal(count("alice", outcome.is_prepared ? "new" : "tmp"),
	    0);
}

static void
test_deliver_without_its_clearance(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	char file[256], path[512];

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	clearances_give(201);
	assert_int_equal(deliver_cleared(202), 0);
	assert_true(outcome.is_prepared);
	assert_int_equal(count("alice", "new"), 0);
	strcpy(file, only_file("alice", "tmp"));
	assert_int_equal(commit(), 0);
	assert_false(outcome.is_prepared);
	assert_int_equal(count("alice", "tmp"), 0);
	assert_string_equal(only_file("alice", "new"), file);
	/* COMMIT has noted the rename of a name that is DELIVER's */
	snprintf(path, sizeof path, "alice/Maildir/new/%s", file);
	assert_int_equal(unlink(path_in(path)), 0);
	assert_int_equal(fixture_resolve(&f, store, &alice, file),
	    RESOLVED_DELIVERED);
	/* and one that is taken back leaves nothing */
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(deliver_cleared(203), 0);
	assert_true(outcome.is_prepared);
	strcpy(file, only_file("alice", "tmp"));
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(count("alice", "tmp"), 0);
	assert_int_equal(fixture_resolve(&f, store, &alice, file),
	    RESOLVED_NOT_DELIVERED);
}

static void
test_resolve_the_short_way(void **state)
{
	const struct fixture_box alice = box_of("alice", ALICE, 0);
	char file[256], path[512];

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(deliver_name("1.M1P1D77"), 0);
	strcpy(file, only_file("alice", "new"));
	assert_int_equal(fixture_resolve(&f, store, &alice, file),
	    RESOLVED_DELIVERED);
	snprintf(path, sizeof path, "alice/Maildir/new/%s", file);
	assert_int_equal(unlink(path_in(path)), 0);
	assert_int_equal(fixture_resolve(&f, store, &alice, file),
	    RESOLVED_DELIVERED);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_resolve(&f, store, &alice,
		    "1.M1P1D78_0_0.mx,S=5"), RESOLVED_NOT_DELIVERED);
	/* the long way has its INTENT after the file: it was taken */
	assert_int_equal(fixture_resolve(&f, store, &alice,
	    "1.M1P1Q78_0_0.mx,S=5"), RESOLVED_DELIVERED);
}

/* ---- RELEASE, RESOLVE ---- */

static void
test_release(void **state)
{
	(void)state;
	probe_both();
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_RECIPIENT, 0));
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_RECIPIENT, 7));
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	assert_int_equal(prepare(2, false), 0);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 0);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_true(fixture_release(&f, smtpd, 999999, RELEASE_ALL, 0));
}

/* RCPT was given up before its probe came back: its place is free again. */
static void
test_release_while_probed(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = ++tx, .boxes = &alice,
		.n_boxes = 1 };
	const struct release_ask release = { .transaction = tx,
		.how = RELEASE_RECIPIENT };
	static struct ipc_writer w;

	(void)state;
	/* so that the transaction stays */
	assert_int_equal(probe(1, 0, box_of("bob", BOB, 0)), 0);
	assert_int_equal(kill(f.pid, SIGSTOP), 0);
	fixture_put_probe(&f, &w, &p);
	fixture_send(&f, smtpd, PROBE_ASK, &w, -1);
	ipc_writer_init(&w);
	put_release_ask(&w, &release);
	fixture_send(&f, smtpd, RELEASE_ASK, &w, -1);
	assert_int_equal(kill(f.pid, SIGCONT), 0);
	assert_int_equal(fixture_receive(&f, smtpd, 10000), RELEASE_ANSWER);
	assert_int_equal(fixture_receive(&f, smtpd, 10000), PROBE_ANSWER);
	assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "new"), 1);
	assert_int_equal(count("bob", "new"), 0);
}

static void
test_keep_files_then_resolve(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	char file[256], path[300];

	(void)state;
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	strcpy(file, only_file("alice", "tmp"));
	/* its transaction is alive: not for others to decide */
	assert_int_equal(fixture_resolve(&f, store, &alice, file),
	    RESOLVED_UNKNOWN);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_KEEP_FILES, 0));
	assert_int_equal(count("alice", "tmp") + count("bob", "tmp"), 2);
	/* the same, should store die with the first answer */
	for (int i = 0; i < 2; i++)
		assert_int_equal(fixture_resolve(&f, store, &alice, file),
		    RESOLVED_NOT_DELIVERED);
	snprintf(path, sizeof path, "alice/Maildir/tmp/%s", file);
	assert_int_equal(access(path_in(path), F_OK), -1);
}

static void
test_peer_dies_and_store_resolves(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	char prepared[256], committed[256];

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
	strcpy(committed, only_file("alice", "new"));
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(prepare(1, false), 0);
	strcpy(prepared, only_file("alice", "tmp"));
	close(smtpd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 1);
	/* a new one does not reach the old one's; a probe makes sure that the
	 * death was noticed */
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(count("alice", "tmp"), 1);
	assert_int_equal(fixture_resolve(&f, store, &alice, prepared),
	    RESOLVED_NOT_DELIVERED);
	assert_int_equal(fixture_resolve(&f, store, &alice, committed),
	    RESOLVED_DELIVERED);
	/* taken by a reader */
	assert_int_equal(fixture_resolve(&f, store, &alice,
	    "1.M2_0_0.mx,S=5"), RESOLVED_DELIVERED);
	assert_int_equal(count("alice", "new"), 1);
}

/* ---- quota ---- */

static void
test_quota_replies(void **state)
{
	(void)state;
	tx++;
	assert_int_equal(probe(0, 10001, box_of("alice", ALICE, 10000)),
	    5500203);
	assert_int_equal(probe(0, 9000, box_of("alice", ALICE, 10000)), 0);
	/* reserved by the first */
	assert_int_equal(probe(1, 2000, box_of("alice", ALICE, 10000)),
	    4520202);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_RECIPIENT, 0));
	assert_int_equal(probe(1, 2000, box_of("alice", ALICE, 10000)), 0);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	/* only the real size tells */
	tx++;
	assert_int_equal(probe(0, 0, box_of("bob", BOB, 1000)), 0);
	assert_int_equal(prepare(1, false), 1);
	assert_int_equal(outcome.failures[0].verdict.code, 552);
	assert_true(outcome.failures[0].is_own);
	assert_int_equal(count("bob", "tmp"), 0);
}

static void
test_quota_file(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 1 << 20);
	char back[128] = "", want[128];
	char *at;
	int fd;

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(prepare(1, false), 0);
	assert_int_equal(commit(), 0);
	fd = open(path_in("alice/Maildir/maildirsize"), O_RDONLY);
	assert_true(read(fd, back, sizeof back - 1) > 0);
	close(fd);
	at = strstr(only_file("alice", "new"), ",S=");
	snprintf(want, sizeof want, "1048576S\n0 0\n%s 1\n", at + 3);
	assert_string_equal(back, want);
}

/* Twenty at once for room for seven: never more, never none. */
static void
test_quota_race(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 15000);
	static struct ipc_writer w;
	static struct probe_answer a;
	size_t n_probed = 0, n_prepared = 0;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		const struct fixture_probe p = { .tx = 1000 + i,
			.boxes = &alice, .n_boxes = 1 };

		fixture_put_probe(&f, &w, &p);
		fixture_send(&f, smtpd, PROBE_ASK, &w, -1);
	}
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(fixture_receive(&f, smtpd, 10000),
		    PROBE_ANSWER);
		assert_true(get_probe_answer(&f.m.body, &a));
		n_probed += a.verdict.code == 0;
	}
	assert_int_equal(n_probed, 20);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "1.M%u", i);
		fixture_put_prepare(&w, 1000 + i, name, 1, false,
		    sizeof text);
		fixture_send(&f, smtpd, PREPARE_ASK, &w, message);
	}
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(fixture_receive(&f, smtpd, 10000),
		    PREPARE_ANSWER);
		assert_true(get_outcome(&f.m.body, &outcome));
		n_prepared += outcome.n_failures == 0;
	}
	assert_int_equal(n_prepared, 15000 / (sizeof text + 92));
	assert_int_equal(count("alice", "tmp"), n_prepared);
}

/* ---- lies ---- */

static bool
is_closed(int peer)
{
	struct pollfd p = { .fd = peer, .events = POLLIN };

	/* whatever it had to say before */
	while (poll(&p, 1, 5000) == 1)
		if (ipc_receive(peer, &f.m, f.buffer) != 0)
			return true;
	return false;
}

/* The liar is cut off, and everybody else is served as before. */
static void
check_liar(const char *what, int liar)
{
	CHECK(what, is_closed(liar));
	close(liar);
	tx++;
	CHECK(what, probe(0, 0, box_of("alice", ALICE, 0)) == 0);
	CHECK(what, fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
}

static void
lie(const char *what, uint16_t type, const struct ipc_writer *w, int fd)
{
	int liar = fixture_peer(&f, ROLE_SMTPD, 9);

	fixture_send(&f, liar, type, w, fd);
	check_liar(what, liar);
}

static void
test_malformed_messages(void **state)
{
	static struct ipc_writer w;

	(void)state;
	ipc_writer_init(&w);
	lie("empty probe", PROBE_ASK, &w, -1);
	lie("empty prepare", PREPARE_ASK, &w, message);
	lie("prepare without message", PREPARE_ASK, &w, -1);
	lie("empty commit", COMMIT_ASK, &w, -1);
	ipc_put_u64(&w, 12345);
	lie("commit of nothing", COMMIT_ASK, &w, -1);
	ipc_put_u8(&w, 0);
	lie("commit with more", COMMIT_ASK, &w, -1);
	/* what only store may ask is not even looked at */
	fixture_send(&f, smtpd, RESOLVE_ASK, &w, -1);
	assert_int_equal(fixture_receive(&f, smtpd, 100), 0);
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
}

static void
test_forged_routes(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	struct probe_ask ask = { .transaction = 1,
		.session = SLICE("k3f9q2m7t") };
	struct buf sealed = { 0 };
	static struct ipc_writer w;

	(void)state;
	fixture_seal(&f, &sealed, "anothersn", &alice, 1);
	ask.sealed = buf_slice(&sealed);
	ipc_writer_init(&w);
	put_probe_ask(&w, &ask);
	lie("another session's", PROBE_ASK, &w, -1);
	sealed.size = 0;
	fixture_seal(&f, &sealed, "k3f9q2m7t", &alice, 1);
	for (size_t i = 0; i < sealed.size; i += 7) {
		sealed.data[i] ^= 1;
		ask.sealed = buf_slice(&sealed);
		ipc_writer_init(&w);
		put_probe_ask(&w, &ask);
		lie("a changed octet", PROBE_ASK, &w, -1);
		sealed.data[i] ^= 1;
	}
	buf_free(&sealed);
}

static void
test_lying_prepare(void **state)
{
	static const struct {
		const char *what, *name, *host, *return_path, *trace;
		uint16_t recipient;
	} rows[] = {
		{ "name with path", "../x", "h", "a@b", "R: x\n", 0 },
		{ "hidden name", ".x", "h", "a@b", "R: x\n", 0 },
		{ "no name", "", "h", "a@b", "R: x\n", 0 },
		{ "host with path", "x", "h/../../y", "a@b", "R: x\n", 0 },
		{ "line in path", "x", "h", "a@b\nX: y", "R: x\n", 0 },
		{ "end of header", "x", "h", "a@b", "R: x\n\nbody\n", 0 },
		{ "torn trace", "x", "h", "a@b", "R: x", 0 },
		{ "fold of our line", "x", "h", "a@b", " x\n", 0 },
		{ "carriage return", "x", "h", "a@b", "R: x\r\n", 0 },
		{ "not probed", "x", "h", "a@b", "R: x\n", 1 },
	};
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	static struct prepare_ask ask;
	static struct ipc_writer w;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int liar = fixture_peer(&f, ROLE_SMTPD, 9);

		assert_int_equal(fixture_probe(&f, liar, &p), 0);
		ask = (struct prepare_ask){ .transaction = 1,
			.message_size = sizeof text,
			.name = slice_of(rows[i].name),
			.host = slice_of(rows[i].host),
			.return_path = slice_of(rows[i].return_path),
			.trace = slice_of(rows[i].trace), .n_recipients = 1,
			.recipients = { rows[i].recipient } };
		ipc_writer_init(&w);
		put_prepare_ask(&w, &ask);
		fixture_send(&f, liar, PREPARE_ASK, &w, message);
		check_liar(rows[i].what, liar);
	}
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
}

static void
test_lying_trace(void **state)
{
	static char longest[8001];
	const struct slice traces[] = { { "R: \0x\n", 6 },
		{ longest, sizeof longest } };
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	static struct prepare_ask ask;
	static struct ipc_writer w;

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\n';
	for (size_t i = 0; i < N_OF(traces); i++) {
		int liar = fixture_peer(&f, ROLE_SMTPD, 9);

		assert_int_equal(fixture_probe(&f, liar, &p), 0);
		ask = (struct prepare_ask){ .transaction = 1,
			.message_size = sizeof text, .name = SLICE("x"),
			.host = SLICE("h"), .trace = traces[i],
			.n_recipients = 1 };
		ipc_writer_init(&w);
		put_prepare_ask(&w, &ask);
		fixture_send(&f, liar, PREPARE_ASK, &w, message);
		check_liar(i == 0 ? "NUL" : "too long", liar);
	}
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
}

/* The short way is all or none, and into new/. */
static void
test_lying_deliver(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	static struct prepare_ask ask;
	static struct ipc_writer w;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int liar = fixture_peer(&f, ROLE_SMTPD, 9);

		assert_int_equal(fixture_probe(&f, liar, &p), 0);
		ask = (struct prepare_ask){ .transaction = 1,
			.message_size = sizeof text, .name = SLICE("1.M1P1D1"),
			.host = SLICE("h"), .n_recipients = 1,
			.is_each = i == 0, .is_junk = i == 1 };
		ipc_writer_init(&w);
		put_prepare_ask(&w, &ask);
		fixture_send(&f, liar, DELIVER_ASK, &w, message);
		check_liar(i == 0 ? "each by itself" : "junk", liar);
	}
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
}

/* What it names must be there, and once. */
static void
test_lying_lists(void **state)
{
	static const struct {
		const char *what;
		uint16_t n, n_skipped, recipient, leaf;
	} rows[] = {
		{ "the same recipient twice", 2, 0, 0, 0 },
		{ "a leaf behind the last one", 1, 1, 0, 1 },
		{ "a leaf far behind it", 1, 1, 0, UINT16_MAX },
		{ "a leaf of nobody", 1, 1, 1, 0 },
	};
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	static struct prepare_ask ask;
	static struct ipc_writer w;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int liar = fixture_peer(&f, ROLE_SMTPD, 9);

		assert_int_equal(fixture_probe(&f, liar, &p), 0);
		ask = (struct prepare_ask){ .transaction = 1,
			.message_size = sizeof text, .name = SLICE("x"),
			.host = SLICE("h"), .n_recipients = rows[i].n,
			.n_skipped = rows[i].n_skipped,
			.skipped = { { .recipient = rows[i].recipient,
			    .leaf = rows[i].leaf } } };
		ipc_writer_init(&w);
		put_prepare_ask(&w, &ask);
		fixture_send(&f, liar, PREPARE_ASK, &w, message);
		check_liar(rows[i].what, liar);
	}
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
}

static void
test_message_that_may_change(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	int liar = fixture_peer(&f, ROLE_SMTPD, 9);
	int fd = sealed_create("t");
	static struct ipc_writer w;

	(void)state;
	assert_int_equal(write(fd, text, sizeof text), sizeof text);
	assert_int_equal(fixture_probe(&f, liar, &p), 0);
	fixture_put_prepare(&w, 1, "1.x", 1, false, sizeof text);
	fixture_send(&f, liar, PREPARE_ASK, &w, fd);
	check_liar("unsealed", liar);
	close(fd);
}

/* For this recipient of transaction 1 alone. */
static void
put_prepare_of(struct ipc_writer *w, uint16_t recipient)
{
	static struct prepare_ask ask;

	ask = (struct prepare_ask){ .transaction = 1,
		.message_size = sizeof text, .name = SLICE("1.y"),
		.host = SLICE("mx.example.org"), .n_recipients = 1,
		.recipients = { recipient } };
	ipc_writer_init(w);
	put_prepare_ask(w, &ask);
}

static void
test_order_of_questions(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	struct fixture_box carol = box_of("carol", ALICE, 0);
	struct fixture_box bob = box_of("bob", BOB, 0);
	const struct fixture_probe p = { .tx = 1, .boxes = &alice,
		.n_boxes = 1 };
	const struct fixture_probe other = { .tx = 1, .recipient = 1,
		.boxes = &carol, .n_boxes = 1 };
	const struct fixture_probe unknown = { .tx = 1, .recipient = 2,
		.boxes = &bob, .n_boxes = 1 };
	const struct release_ask release = { .transaction = 1,
		.how = RELEASE_RECIPIENT };
	static struct ipc_writer w;
	int liar = fixture_peer(&f, ROLE_SMTPD, 9);

	(void)state;
	assert_int_equal(fixture_probe(&f, liar, &p), 0);
	fixture_put_probe(&f, &w, &p);
	fixture_send(&f, liar, PROBE_ASK, &w, -1);
	check_liar("the same recipient twice", liar);
	liar = fixture_peer(&f, ROLE_SMTPD, 9);
	assert_int_equal(fixture_probe(&f, liar, &p), 0);
	ipc_writer_init(&w);
	ipc_put_u64(&w, 1);
	fixture_send(&f, liar, COMMIT_ASK, &w, -1);
	check_liar("commit before prepare", liar);
	liar = fixture_peer(&f, ROLE_SMTPD, 9);
	assert_int_equal(fixture_probe(&f, liar, &p), 0);
	assert_int_equal(fixture_probe(&f, liar, &other), 0);
	fixture_put_prepare(&w, 1, "1.x", 1, false, sizeof text);
	assert_int_equal(fixture_prepare(&f, liar, &w, message, &outcome), 0);
	put_prepare_of(&w, 1);
	fixture_send(&f, liar, PREPARE_ASK, &w, message);
	check_liar("another PREPARE", liar);
	liar = fixture_peer(&f, ROLE_SMTPD, 9);
	assert_int_equal(fixture_probe(&f, liar, &p), 0);
	fixture_put_prepare(&w, 1, "1.z", 1, false, sizeof text);
	assert_int_equal(fixture_prepare(&f, liar, &w, message, &outcome), 0);
	ipc_writer_init(&w);
	put_release_ask(&w, &release);
	fixture_send(&f, liar, RELEASE_ASK, &w, -1);
	check_liar("a recipient released after PREPARE", liar);
	assert_int_equal(count("alice", "new") + count("carol", "tmp"), 0);
	/* both are there before a worker can answer */
	liar = fixture_peer(&f, ROLE_SMTPD, 9);
	assert_int_equal(kill(f.pid, SIGSTOP), 0);
	fixture_put_probe(&f, &w, &unknown);
	fixture_send(&f, liar, PROBE_ASK, &w, -1);
	put_prepare_of(&w, 2);
	fixture_send(&f, liar, PREPARE_ASK, &w, message);
	assert_int_equal(kill(f.pid, SIGCONT), 0);
	check_liar("PREPARE of one that is being probed", liar);
	assert_int_equal(count("bob", "tmp") + count("bob", "new"), 0);
}

static void
test_another_peers_transaction(void **state)
{
	static struct ipc_writer w;
	int other = fixture_peer(&f, ROLE_SMTPD, 9);

	(void)state;
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	assert_true(fixture_release(&f, other, tx, RELEASE_ALL, 0));
	assert_int_equal(count("alice", "tmp"), 1);
	ipc_writer_init(&w);
	ipc_put_u64(&w, tx);
	fixture_send(&f, other, COMMIT_ASK, &w, -1);
	assert_true(is_closed(other));
	close(other);
	assert_int_equal(count("alice", "new"), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "new"), 1);
}

static void
test_lying_store(void **state)
{
	static const struct {
		const char *maildir, *file;
	} rows[] = {
		{ "relative", "1.M2_0_0.mx,S=5" },
		{ "", "1.M2_0_0.mx,S=5" },
		{ "/tmp", "../x_,S=5" },
		{ "/tmp", "important" },
		{ "/tmp", "1.M2_0_0.mx,S=" },
		{ "/tmp", "1.M2_0_0.mx,S=5x" },
		{ "/tmp", "" },
	};
	static const char *const folders[] = { "low/Maildir",
		"low/Maildir/tmp", "low/Maildir/new", "low/Maildir/cur" };
	struct fixture_box box = { .uid = uid_of(ALICE),
		.gid = uid_of(ALICE) };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int liar = fixture_peer(&f, ROLE_STORE, 9);

		box.maildir = rows[i].maildir;
		CHECK(rows[i].file, fixture_resolve(&f, liar, &box,
		    rows[i].file) == -1);
		check_liar(rows[i].file, liar);
	}
	/* a uid that may have no mailbox: what is there is not touched */
	if (!f.is_privileged)
		return;
	make_home("low", 1);
	for (size_t i = 0; i < N_OF(folders); i++) {
		assert_int_equal(mkdir(path_in(folders[i]), 0700), 0);
		assert_int_equal(chown(path_in(folders[i]), 1, 1), 0);
	}
	assert_int_equal(close(open(path_in("low/Maildir/tmp/1.M2_0_0.mx,S=5"),
	    O_CREAT | O_WRONLY, 0600)), 0);
	box = box_of("low", 1, 0);
	assert_int_equal(fixture_resolve(&f, store, &box, "1.M2_0_0.mx,S=5"),
	    RESOLVED_UNKNOWN);
	assert_string_equal(only_file("low", "tmp"), "1.M2_0_0.mx,S=5");
}

/* A disk that is not mounted: nobody knows what is on it. */
static void
test_resolve_where_nothing_is(void **state)
{
	(void)state;
	assert_int_equal(fixture_resolve(&f, store, &(struct fixture_box){
	    .uid = uid_of(ALICE), .gid = uid_of(ALICE),
	    .maildir = path_in("alice/mnt/Maildir") }, "1.M2_0_0.mx,S=5"),
	    RESOLVED_UNKNOWN);
}

/* ---- dead workers ---- */

static void
test_killed_workers_are_replaced(void **state)
{
	(void)state;
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	assert_true(signal_workers(SIGKILL) >= 1);
	usleep(200000);		/* what they were given before is lost */
	assert_int_equal(commit(), 0);
	assert_int_equal(count("alice", "new") + count("bob", "new"), 2);
}

/*
 * The peer that knew has died while a worker stands still. Another worker of
 * the same uid would find nothing yet, and the file come after its "no".
 */
static void
test_resolve_waits_for_workers(void **state)
{
	struct fixture_box alice = box_of("alice", ALICE, 0);
	struct resolve_ask ask = { .uid = alice.uid, .gid = alice.gid,
		.maildir = slice_of(alice.maildir) };
	static struct ipc_writer w;
	char file[256], path[512];

	(void)state;
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	assert_int_equal(deliver_name("1.M1P1D1"), 0);
	strcpy(file, only_file("alice", "new"));
	snprintf(path, sizeof path, "alice/Maildir/new/%s", file);
	assert_int_equal(unlink(path_in(path)), 0);
	file[strlen("1.M1P1D")] = '2';
	tx++;
	assert_int_equal(probe(0, 0, alice), 0);
	signal_workers(SIGSTOP);
	fixture_put_prepare(&w, tx, "1.M1P1D2", 1, false, sizeof text);
	fixture_send(&f, smtpd, DELIVER_ASK, &w, message);
	usleep(1100000);	/* it is slow now: others get what comes */
	close(smtpd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
	ask.file = slice_of(file);
	ipc_writer_init(&w);
	put_resolve_ask(&w, &ask);
	/* unknown, as long as it has not seen that the peer is gone */
	for (int i = 0; i < 50; i++) {
		fixture_send(&f, store, RESOLVE_ASK, &w, -1);
		if (fixture_receive(&f, store, 300) == 0)
			break;
		assert_int_equal(f.m.type, RESOLVE_ANSWER);
		assert_int_equal(ipc_get_u8(&f.m.body), RESOLVED_UNKNOWN);
		usleep(10000);
	}
	signal_workers(SIGCONT);
	assert_int_equal(fixture_receive(&f, store, 10000), RESOLVE_ANSWER);
	assert_int_equal(ipc_get_u8(&f.m.body), RESOLVED_DELIVERED);
	assert_string_equal(only_file("alice", "new"), file);
}

/* A zombie that nobody reaps is dead, too. */
static bool
is_running(int pid)
{
	char path[64], line[256] = "";
	FILE *file;
	char *at;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	if (fgets(line, sizeof line, file) == NULL)
		line[0] = '\0';
	fclose(file);
	at = strrchr(line, ')');
	return at != NULL && at[2] != 'Z' && at[2] != 'X';
}

static void
test_workers_die_with_their_supervisor(void **state)
{
	char path[64];
	int pid = 0;
	FILE *list;

	(void)state;
	probe_both();
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)f.pid,
	    (int)f.pid);
	list = fopen(path, "r");
	assert_int_equal(fscanf(list, "%d", &pid), 1);
	fclose(list);
	assert_true(is_running(pid));
	assert_int_equal(kill(f.pid, SIGKILL), 0);
	assert_int_equal(fixture_stop(&f), -SIGKILL);
	for (int i = 0; i < 50 && is_running(pid); i++)
		usleep(20000);
	assert_false(is_running(pid));
	fixture_start(&f, STDERR_FILENO);	/* for tear_down */
}

#ifdef POSTERN_FAULTS
#include "test_deliver_faults.h"
#endif

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_all_get_it_at_commit),
		TEST(test_many_leaves_of_one_recipient),
		TEST(test_discard_route),
		TEST(test_probe_refusals),
		TEST(test_probe_is_believed_five_seconds),
		TEST(test_told_recipient_is_frozen),
		TEST(test_told_recipient_that_cannot),
		TEST(test_told_recipient_with_quota),
		TEST(test_prepare_fails_for_all),
		TEST(test_prepare_fails_for_one_with_prdr),
		TEST(test_prepare_of_nothing),
		TEST(test_skipped_leaf),
		TEST(test_commit_fails_for_all),
		TEST(test_commit_fails_for_one_with_prdr),
		TEST(test_full_disk),
		TEST(test_release),
		TEST(test_release_while_probed),
		TEST(test_deliver_in_one_step),
		TEST(test_deliver_fails_and_leaves_nothing),
		TEST(test_deliver_several_copies),
		TEST(test_deliver_all_or_none),
		TEST(test_deliver_is_for_one_owner),
		TEST(test_deliver_a_small_message),
		TEST(test_commit_after_a_small_message),
		TEST(test_small_messages_of_a_liar),
		TEST(test_deliver_with_a_clearance),
		TEST(test_deliver_with_a_late_clearance),
		TEST(test_deliver_without_its_clearance),
		TEST(test_resolve_the_short_way),
		TEST(test_keep_files_then_resolve),
		TEST(test_peer_dies_and_store_resolves),
		TEST(test_quota_replies),
		TEST(test_quota_file),
		TEST(test_quota_race),
		TEST(test_malformed_messages),
		TEST(test_forged_routes),
		TEST(test_lying_prepare),
		TEST(test_lying_trace),
		TEST(test_lying_deliver),
		TEST(test_lying_lists),
		TEST(test_message_that_may_change),
		TEST(test_order_of_questions),
		TEST(test_another_peers_transaction),
		TEST(test_lying_store),
		TEST(test_resolve_where_nothing_is),
		TEST(test_resolve_waits_for_workers),
		TEST(test_killed_workers_are_replaced),
		TEST(test_workers_die_with_their_supervisor),
#ifdef POSTERN_FAULTS
		TEST(test_errno_at_each_call_of_prepare),
		TEST(test_errno_at_each_call_of_deliver),
		TEST(test_deliver_on_another_file_system),
		TEST(test_uncleared_is_flushed),
		TEST(test_junk_is_flushed_for_itself),
		TEST(test_junk_is_flushed_each_time),
		TEST(test_names_are_flushed_anew),
		TEST(test_errno_at_each_call_of_commit),
		TEST(test_kill_of_worker_at_each_step),
		TEST(test_copy_that_cannot_be_taken_back),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
