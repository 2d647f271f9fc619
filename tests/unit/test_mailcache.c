/* SPDX-License-Identifier: ISC */
/*
 * test_mailcache.c - a worker's open mailboxes, and that they do not stay
 * open: a file system with an open one cannot be unmounted.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../deliver/mailcache.h"
#include "../../deliver/work.h"
#include "../../deliver/worker.h"
#include "clock.h"
#include "ipc.h"
#include "table.h"

#define BEGIN_US 1000000000
#define PATIENCE_MS 5000

static char base[64], paths[2][128];

static int
set_up(void **state)
{
	(void)state;
	strcpy(base, "/tmp/postern-mailcache-XXXXXX");
	assert_non_null(mkdtemp(base));
	for (size_t i = 0; i < N_OF(paths); i++)
		snprintf(paths[i], sizeof paths[i], "%s/box%zu", base, i);
	clock_set_for_tests(BEGIN_US, BEGIN_US);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	clock_set_for_tests(0, 0);
	snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command);
}

static void
set_clock(int64_t us)
{
	clock_set_for_tests(BEGIN_US + us, BEGIN_US + us);
}

/* Descriptors of this process, or of pid, that lead below base. */
static unsigned
count_open(pid_t pid)
{
	char folder[64], path[128], target[256];
	struct dirent *entry;
	unsigned n = 0;
	ssize_t size;
	DIR *dir;

	snprintf(folder, sizeof folder, "/proc/%d/fd", (int)pid);
	dir = opendir(folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%.40s/%.20s", folder,
		    entry->d_name);
		size = readlink(path, target, sizeof target - 1);
		target[size < 0 ? 0 : size] = '\0';
		n += strncmp(target, base, strlen(base)) == 0;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

static struct mailbox *
get(struct mailcache *cache, size_t i)
{
	const struct mailcache_key key = { slice_of(paths[i]),
		slice_of(base), true };
	int error;
	struct mailbox *box = mailcache_get(cache, &key, MAILCACHE_AGE_US,
	    &error);

	assert_int_equal(error, 0);
	return box;
}

/* One that is in use all the time is no exception. */
static void
test_old_ones_are_closed(void **state)
{
	struct mailcache *cache = mailcache_new();
	struct mailbox *first = get(cache, 0), *second;
	unsigned n_each = count_open(getpid());

	(void)state;
	assert_true(n_each > 0);
	mailcache_unpin(cache, first);
	set_clock(1000000);
	second = get(cache, 1);
	assert_ptr_equal(get(cache, 0), first);
	mailcache_unpin(cache, first);
	set_clock(MAILCACHE_AGE_US - 1);
	mailcache_expire(cache);
	assert_int_equal(count_open(getpid()), 2 * n_each);
	set_clock(MAILCACHE_AGE_US);
	mailcache_expire(cache);
	assert_int_equal(count_open(getpid()), n_each);
	/* who uses one keeps it until he gives it back */
	set_clock(1000000 + MAILCACHE_AGE_US);
	mailcache_expire(cache);
	assert_int_equal(count_open(getpid()), n_each);
	mailcache_unpin(cache, second);
	assert_int_equal(count_open(getpid()), 0);
	mailcache_free(&cache);
}

static void
pause_ms(long ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000 };

	nanosleep(&pause, NULL);
}

static void
ask_probe(int fd)
{
	static uint8_t buffer[IPC_BUFFER_SIZE];
	static struct work work;
	static struct ipc_writer w;
	struct ipc_message m;
	struct work_answer answer;

	work = (struct work){ .kind = WORK_PROBE, .n_leaves = 1,
		.leaves = { { .maildir = slice_of(paths[0]),
		.home = slice_of(base), .file = SLICE(""),
		.delivered_to = SLICE("") } } };
	ipc_writer_init(&w);
	put_work(&w, &work);
	assert_int_equal(ipc_send(fd, WORK_ASK, 1, 0, &w, -1), 0);
	assert_int_equal(ipc_receive(fd, &m, buffer), 0);
	assert_true(get_work_answer(&m.body, &answer));
	assert_int_equal(answer.leaves[0].error, 0);
}

static void
on_signal(int signal_number)
{
	(void)signal_number;
	set_clock(MAILCACHE_AGE_US);
}

/* No work comes: it wakes up by itself, and goes on. */
static void
test_idle_worker_lets_go(void **state)
{
	const struct timeval wake = { .tv_usec = 10000 };
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(ipc_pair(fds), 0);
	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &wake,
	    sizeof wake), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		(void)signal(SIGUSR1, on_signal);
		_exit(worker_serve(fds[1]) == 0 ? 0 : 1);
	}
	close(fds[1]);
	ask_probe(fds[0]);
	assert_true(count_open(pid) > 0);
	kill(pid, SIGUSR1);
	for (int i = 0; i < PATIENCE_MS / 10 && count_open(pid) > 0; i++)
		pause_ms(10);
	assert_int_equal(count_open(pid), 0);
	ask_probe(fds[0]);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_old_ones_are_closed),
		TEST(test_idle_worker_lets_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
