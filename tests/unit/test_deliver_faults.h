/* SPDX-License-Identifier: ISC */
/*
 * test_deliver_faults.h - part of test_deliver.c in a build with named
 * faults: an errno at each system call of delivery, a kill at each step.
 *
 * The control file is mapped by the compartment when it starts, so each test
 * starts it anew with POSTERN_FAULTS set.
 */
#include <sys/mman.h>

struct test_slot {		/* lib/fault.c's */
	uint32_t is_armed, action, value;
	int32_t after, count;
	uint32_t hits;
	char role[24], point[80];
};

enum { ARM_ERRNO = 1, ARM_KILL };

static struct test_slot *slots;

static void
faults_start(void)
{
	const char *path = path_in("faults");
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	assert_int_equal(ftruncate(fd, 64 * sizeof *slots), 0);
	slots = mmap(NULL, 64 * sizeof *slots, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	close(fd);
	setenv("POSTERN_FAULTS", path, 1);
	close(smtpd);
	close(store);
	assert_int_equal(fixture_stop(&f), 0);
	fd = open(path_in("log"), O_WRONLY | O_APPEND);
	fixture_start(&f, fd);
	close(fd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
	store = fixture_peer(&f, ROLE_STORE, 0);
	unsetenv("POSTERN_FAULTS");
}

static void
arm(const char *point, uint32_t action, uint32_t value, int32_t after)
{
	slots[0] = (struct test_slot){ .action = action, .value = value,
		.after = after, .count = 1 };
	snprintf(slots[0].point, sizeof slots[0].point, "%s", point);
	slots[0].is_armed = 1;
}

static void
check_nothing_new(const char *name)
{
	CHECK(name, count("alice", "new") + count("bob", "new") == 0);
}

static void
check_works_again(const char *name)
{
	char command[256];

	memset(slots, 0, 64 * sizeof *slots);
	usleep(150000);		/* a dead worker's uid waits for a moment */
	probe_both();
	CHECK(name, prepare(2, false) == 0);
	CHECK(name, commit() == 0);
	CHECK(name, count("alice", "new") == 1);
	CHECK(name, count("bob", "new") == 1);
	snprintf(command, sizeof command, "rm -f %s/*/Maildir/new/*", base);
	assert_int_equal(system(command), 0);
}

static const int errors[] = { ENOSPC, EDQUOT, EIO, EROFS, EACCES };

static int
code_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? 452 : 451;
}

static void
test_errno_at_each_call_of_prepare(void **state)
{
	static const char *const points[] = { "maildir.create",
		"maildir.write", "maildir.fdatasync", "maildir.close" };

	(void)state;
	faults_start();
	for (size_t i = 0; i < N_OF(points); i++)
		for (size_t j = 0; j < N_OF(errors); j++) {
			probe_both();
			arm(points[i], ARM_ERRNO, (uint32_t)errors[j],
			    (int32_t)(j % 2));
			CHECK(points[i], prepare(2, false) == 1);
			CHECK(points[i], outcome.failures[0].verdict.code ==
			    code_of(errors[j]));
			CHECK(points[i], slots[0].hits == 1);
			check_nothing_new(points[i]);
			CHECK(points[i], count("alice", "tmp") +
			    count("bob", "tmp") == 0);
			CHECK(points[i], fixture_release(&f, smtpd, tx,
			    RELEASE_ALL, 0));
			check_works_again(points[i]);
		}
}

static void
test_errno_at_each_call_of_commit(void **state)
{
	static const char *const points[] = { "maildir.rename",
		"maildir.fsync_dir" };

	(void)state;
	faults_start();
	for (size_t i = 0; i < N_OF(points); i++)
		for (size_t j = 0; j < N_OF(errors); j++) {
			probe_both();
			CHECK(points[i], prepare(2, false) == 0);
			arm(points[i], ARM_ERRNO, (uint32_t)errors[j],
			    (int32_t)(j % 2));
			CHECK(points[i], commit() == 1);
			CHECK(points[i], outcome.n_left_behind == 0);
			CHECK(points[i], slots[0].hits == 1);
			check_nothing_new(points[i]);
			CHECK(points[i], fixture_release(&f, smtpd, tx,
			    RELEASE_ALL, 0));
			CHECK(points[i], count("alice", "tmp") +
			    count("bob", "tmp") == 0);
			check_works_again(points[i]);
		}
}

/* The short way; nothing of it stays, also without RELEASE. */
static void
check_deliver_fails(const char *point, int error)
{
	tx++;
	CHECK(point, probe(0, 0, box_of("alice", ALICE, 0)) == 0);
	arm(point, ARM_ERRNO, (uint32_t)error, 0);
	CHECK(point, deliver() == 1);
	CHECK(point, slots[0].hits == 1);
	CHECK(point, outcome.failures[0].verdict.code == code_of(error));
	CHECK(point, outcome.n_left_behind == 0);
	check_nothing_new(point);
	CHECK(point, fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	CHECK(point, count("alice", "tmp") == 0);
	check_works_again(point);
}

static const char *const deliver_points[] = { "maildir.create",
	"maildir.write", "maildir.fdatasync", "maildir.close",
	"maildir.rename", "maildir.fsync_dir" };

static void
test_errno_at_each_call_of_deliver(void **state)
{
	(void)state;
	faults_start();
	for (size_t i = 0; i < N_OF(deliver_points); i++)
		for (size_t j = 0; j < N_OF(errors); j++)
			check_deliver_fails(deliver_points[i], errors[j]);
}

/* Alice's mailbox on a file system whose flushes are not known to go together
 * (flush.h), where that can be. */
static void
start_on_ramfs(void)
{
	if (!f.is_privileged || mount("none", path_in("alice"), "ramfs", 0,
	    NULL) < 0)
		skip();
	assert_int_equal(chown(path_in("alice"), ALICE, ALICE), 0);
	assert_int_equal(chmod(path_in("alice"), 0700), 0);
	faults_start();
}

static void
test_deliver_on_another_file_system(void **state)
{
	(void)state;
	start_on_ramfs();
	for (size_t i = 0; i < N_OF(deliver_points); i++)
		check_deliver_fails(deliver_points[i], EIO);
	assert_int_equal(umount2(path_in("alice"), MNT_DETACH), 0);
}

/* COMMIT flushes names alone: what waits for it in tmp/ has been flushed. */
static void
test_uncleared_is_flushed(void **state)
{
	(void)state;
	faults_start();
	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	arm("maildir.fdatasync", ARM_ERRNO, EIO, 1);
	assert_int_equal(deliver_cleared(204), 1);
	assert_int_equal(slots[0].hits, 1);
	assert_true(fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
	assert_int_equal(count("alice", "tmp") + count("alice", "new"), 0);
}

/* Of alice, as junk or not, and ready to be committed. */
static void
prepare_alice(bool is_junk)
{
	static struct prepare_ask ask;
	static struct ipc_writer w;
	char name[64];

	tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	snprintf(name, sizeof name, "1.M%lluP1Q1", (unsigned long long)tx);
	ask = (struct prepare_ask){ .transaction = tx, .is_junk = is_junk,
		.message_size = sizeof text, .name = slice_of(name),
		.host = SLICE("mx.example.org"), .n_recipients = 1 };
	ipc_writer_init(&w);
	put_prepare_ask(&w, &ask);
	assert_int_equal(fixture_prepare(&f, smtpd, &w, message, &outcome),
	    0);
}

/* Two commits in one batch of a worker go to two folders of one mailbox. */
static void
test_junk_is_flushed_for_itself(void **state)
{
	struct ipc_writer w;
	int failures = 0;

	(void)state;
	faults_start();
	prepare_alice(false);
	prepare_alice(true);
	signal_workers(SIGSTOP);
	arm("maildir.fsync_dir", ARM_ERRNO, EIO, 1);
	for (uint64_t id = tx - 1; id <= tx; id++) {
		ipc_writer_init(&w);
		ipc_put_u64(&w, id);
		fixture_send(&f, smtpd, COMMIT_ASK, &w, -1);
	}
	usleep(50000);		/* deliver has given both out */
	signal_workers(SIGCONT);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fixture_receive(&f, smtpd, 10000),
		    COMMIT_ANSWER);
		assert_true(get_outcome(&f.m.body, &outcome));
		failures += outcome.n_failures;
	}
	assert_int_equal(slots[0].hits, 1);
	assert_int_equal(failures, 1);
}

/* The next batch has its own flush. */
static void
test_junk_is_flushed_each_time(void **state)
{
	(void)state;
	faults_start();
	prepare_alice(true);
	assert_int_equal(commit(), 0);
	prepare_alice(true);
	arm("maildir.fsync_dir", ARM_ERRNO, EIO, 0);
	assert_int_equal(commit(), 1);
	assert_int_equal(slots[0].hits, 1);
}

/* Where files are flushed before DELIVER's renames, COMMIT's names of the same
 * batch are too: the folder is flushed once more for those. */
static void
test_names_are_flushed_anew(void **state)
{
	static struct ipc_writer w;
	uint64_t prepared;

	(void)state;
	start_on_ramfs();
	prepare_alice(false);
	prepared = tx++;
	assert_int_equal(probe(0, 0, box_of("alice", ALICE, 0)), 0);
	signal_workers(SIGSTOP);
	arm("maildir.fsync_dir", ARM_ERRNO, EIO, 1);
	ipc_writer_init(&w);
	ipc_put_u64(&w, prepared);
	fixture_send(&f, smtpd, COMMIT_ASK, &w, -1);
	fixture_put_prepare(&w, tx, "1.M1P1D1", 1, false, sizeof text);
	fixture_send(&f, smtpd, DELIVER_ASK, &w, message);
	usleep(50000);		/* deliver has given both out */
	signal_workers(SIGCONT);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fixture_receive(&f, smtpd, 10000),
		    COMMIT_ANSWER);
		assert_true(get_outcome(&f.m.body, &outcome));
		assert_int_equal(outcome.n_failures, i);
	}
	assert_int_equal(slots[0].hits, 1);
	assert_int_equal(umount2(path_in("alice"), MNT_DETACH), 0);
}

static void
test_kill_of_worker_at_each_step(void **state)
{
	static const char *const points[] = { "worker.prepare",
		"maildir.create", "maildir.write", "worker.flush",
		"maildir.fdatasync", "worker.answer", "worker.commit",
		"maildir.rename", "maildir.fsync_dir" };

	(void)state;
	faults_start();
	for (size_t i = 0; i < 2 * N_OF(points); i++) {
		const char *point = points[i / 2];
		int failures;

		probe_both();
		arm(point, ARM_KILL, 0, (int32_t)(i % 2));
		failures = prepare(2, false);
		if (failures == 0)
			failures = commit();
		CHECK(point, slots[0].hits == 1);
		/* the second pass of a point may come after all was done */
		CHECK(point, failures == 1 || failures == 2);
		CHECK(point, outcome.n_left_behind == 0);
		check_nothing_new(point);
		CHECK(point, fixture_release(&f, smtpd, tx, RELEASE_ALL, 0));
		CHECK(point, count("alice", "tmp") + count("bob", "tmp") ==
		    0);
		check_works_again(point);
	}
}

static void
test_copy_that_cannot_be_taken_back(void **state)
{
	(void)state;
	faults_start();
	probe_both();
	assert_int_equal(prepare(2, false), 0);
	slots[1] = (struct test_slot){ .action = ARM_ERRNO, .value = EIO,
		.count = 1 };
	strcpy(slots[1].point, "maildir.take_back");
	slots[1].is_armed = 1;
	arm("maildir.fsync_dir", ARM_ERRNO, EIO, 0);
	assert_int_equal(commit(), 1);
	assert_int_equal(outcome.n_left_behind, 1);
	assert_int_equal(count("alice", "new") + count("bob", "new"), 1);
}
