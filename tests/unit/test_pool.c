/* SPDX-License-Identifier: ISC */
/*
 * test_pool.c - workers and their jobs: what a job may rely on when a worker
 * stands still, lies or is not there. The workers are this test's own.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "../../deliver/pool.h"
#include "../../deliver/worker.h"
#include "clock.h"
#include "loop.h"
#include "table.h"

#define PATIENCE_S 8	/* less than the time after which one is stuck */
#define NOBODY 65534

static struct loop *loop;
static struct pools *pools;
static struct loop_timer timer, jump;
static int64_t ahead_us;	/* the time is so much later than it is */
static pid_t *worker;	/* the last one that has work; in shared memory */
static bool is_late;
static size_t n_left;	/* jobs that are not waited for */

struct task {
	struct job job;
	const char *what;
	unsigned n_done;
	bool is_known;		/* it had an answer */
	bool was_alone;		/* the worker was no more */
	uint64_t value;
};

/* ---- a worker ---- */

static unsigned
count_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Also when its socket ends. */
static void
stand_still(void)
{
	for (;;)
		pause();
}

static void
take_work(int fd, const struct ipc_message *m, const struct work *work,
    gid_t gid)
{
	struct slice what = work->leaves[0].file;
	struct work_answer answer = { .n_leaves = 1 };
	static struct ipc_writer w;

	*worker = getpid();
	ipc_writer_init(&w);
	if (slice_equals(what, SLICE("silence")))
		stand_still();
	answer.leaves[0].value = slice_equals(what, SLICE("gid")) ? gid :
	    count_descriptors();
	if (!slice_equals(what, SLICE("rubbish")))
		put_work_answer(&w, &answer);
	(void)ipc_send(fd, WORK_ANSWER, m->id, 0, &w, -1);
	if (slice_equals(what, SLICE("rubbish")))
		stand_still();
}

void
worker_main(int fd, bool is_privileged, uid_t uid, gid_t gid)
{
	static uint8_t buffer[IPC_BUFFER_SIZE];
	static struct work work;
	struct ipc_message m;

	alarm(60);
	if (is_privileged && setresuid(uid, uid, uid) != 0)
		_exit(1);
	while (ipc_receive(fd, &m, buffer) == 0)
		if (get_work(&m.body, &work))
			take_work(fd, &m, &work, gid);
	_exit(0);
}

/* ---- this side ---- */

static int64_t
real_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
set_clock(void *arg)
{
	(void)arg;
	clock_set_for_tests(real_us() + ahead_us, real_us());
}

static void
on_late(struct loop_timer *t, void *arg)
{
	(void)t;
	(void)arg;
	is_late = true;
	loop_stop(loop);
}

static void
on_progress(void *arg)
{
	(void)arg;
	if (pools_n_jobs(pools) <= n_left)
		loop_stop(loop);
}

static void
on_jump(struct loop_timer *t, void *arg)
{
	(void)t;
	ahead_us += *(const uint32_t *)arg * 1000ll;
}

/* It is so much later all of a sudden. */
static bool
run_until_done(uint32_t later_ms)
{
	is_late = false;
	loop_timer_start(loop, &jump, 100, on_jump, &later_ms);
	loop_timer_start(loop, &timer, later_ms + PATIENCE_S * 1000, on_late,
	    NULL);
	if (pools_n_jobs(pools) > 0)
		(void)loop_run(loop);
	loop_timer_stop(loop, &timer);
	loop_timer_stop(loop, &jump);
	return !is_late;
}

static int
set_up_with(unsigned max_per_uid)
{
	const struct pools_settings settings = { .max_per_uid = max_per_uid,
		.is_privileged = geteuid() == 0, .on_progress = on_progress };
	struct pools_settings all = settings;

	n_left = 0;
	worker = mmap(NULL, sizeof *worker, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(worker, MAP_FAILED);
	ahead_us = 0;
	set_clock(NULL);
	loop = loop_new();
	assert_non_null(loop);
	assert_int_equal(loop_at_round_end(loop, set_clock, NULL), 0);
	all.loop = loop;
	pools = pools_new(&all);
	assert_non_null(pools);
	return 0;
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_with(1);
}

static int
set_up_several(void **state)
{
	(void)state;
	return set_up_with(3);
}

static int
tear_down(void **state)
{
	(void)state;
	if (*worker != 0)
		kill(*worker, SIGKILL);
	pools_free(&pools);
	loop_free(&loop);
	munmap(worker, sizeof *worker);
	clock_set_for_tests(0, 0);
	return 0;
}

static void
encode(struct job *job, struct work *work)
{
	struct task *task = job->arg;

	*work = (struct work){ .kind = WORK_COMMIT, .n_leaves = 1,
		.leaves = { { .maildir = SLICE("/x"), .home = SLICE(""),
		.file = slice_of(task->what), .delivered_to = SLICE("") } } };
}

static void
done(struct job *job, const struct work_answer *answer)
{
	struct task *task = job->arg;

	task->n_done++;
	task->is_known = answer != NULL;
	task->was_alone = kill(*worker, 0) != 0;
	if (answer != NULL)
		task->value = answer->leaves[0].value;
}

static void
submit(struct task *task, const char *what, gid_t gid)
{
	*task = (struct task){ .what = what, .job = { .fd = -1, .gid = gid,
		.uid = geteuid() == 0 ? NOBODY : geteuid(), .encode = encode,
		.done = done, .arg = task } };
	pools_submit(pools, &task->job);
}

/* ---- tests ---- */

/* Whoever undoes it must not meet it: it may have been about to rename. */
static void
test_a_liar_is_gone_before_its_job_is(void **state)
{
	struct task task, next;

	(void)state;
	submit(&task, "rubbish", NOBODY);
	assert_true(run_until_done(0));
	assert_int_equal(task.n_done, 1);
	assert_false(task.is_known);
	assert_true(task.was_alone);
	submit(&next, "descriptors", NOBODY);
	assert_true(run_until_done(0));
	assert_true(next.is_known);
}

static void
test_who_stands_still_is_gone_before_its_job_is(void **state)
{
	struct task task;

	(void)state;
	submit(&task, "silence", NOBODY);
	assert_false(pools_is_quiet(pools, task.job.uid, task.job.gid));
	assert_true(run_until_done(POOL_JOB_DEADLINE_MS));
	assert_int_equal(task.n_done, 1);
	assert_false(task.is_known);
	assert_true(task.was_alone);
	assert_true(pools_is_quiet(pools, task.job.uid, task.job.gid));
}

/* P8: what is open here belongs to others. */
static void
test_a_worker_has_its_socket_alone(void **state)
{
	int more[2];
	struct task task;

	(void)state;
	assert_int_equal(pipe(more), 0);
	submit(&task, "descriptors", NOBODY);
	assert_true(run_until_done(0));
	assert_true(task.is_known);
	assert_int_equal(task.value, 4);	/* and 0, 1, 2 */
	close(more[0]);
	close(more[1]);
}

static void
test_a_group_has_its_own_workers(void **state)
{
	struct task one, other;

	(void)state;
	submit(&one, "gid", 1001);
	submit(&other, "gid", 1002);
	assert_true(run_until_done(0));
	assert_int_equal(one.value, 1001);
	assert_int_equal(other.value, 1002);
}

static void
submit_of(struct task *task, const char *what, uint32_t affinity)
{
	*task = (struct task){ .what = what, .job = { .fd = -1,
		.affinity = affinity, .gid = NOBODY, .encode = encode,
		.uid = geteuid() == 0 ? NOBODY : geteuid(), .done = done,
		.arg = task } };
	pools_submit(pools, &task->job);
}

/* The mailbox in which a worker stands still has one worker, and who came
 * behind it in time is no reason to wait there with what comes later. */
static void
test_who_waits_behind_a_slow_one_goes_elsewhere(void **state)
{
	struct task slow, behind, later, more;
	pid_t stuck;

	(void)state;
	submit_of(&slow, "silence", 1);
	submit_of(&behind, "descriptors", 2);
	ahead_us = 2000000;
	for (int i = 0; i < 100 && *worker == 0; i++) {
		loop_timer_start(loop, &timer, 10, on_late, NULL);
		(void)loop_run(loop);
	}
	stuck = *worker;
	assert_true(stuck > 0);
	submit_of(&later, "descriptors", 2);
	submit_of(&more, "descriptors", 1);
	n_left = 3;
	assert_true(run_until_done(0));
	assert_true(later.is_known);
	assert_int_equal(slow.n_done + behind.n_done + more.n_done, 0);
	assert_int_not_equal(*worker, stuck);
	kill(stuck, SIGKILL);
	n_left = 0;
	assert_true(run_until_done(0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(test_a_liar_is_gone_before_its_job_is),
		TEST(test_who_stands_still_is_gone_before_its_job_is),
		TEST(test_a_worker_has_its_socket_alone),
		TEST(test_a_group_has_its_own_workers),
		cmocka_unit_test_setup_teardown(
		    test_who_waits_behind_a_slow_one_goes_elsewhere,
		    set_up_several, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
