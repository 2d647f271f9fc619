/* SPDX-License-Identifier: ISC */
/*
 * ledger_drive.c - the ledger with a million records: how large, how fast,
 * and what a kill and the expiry cost.
 *
 * usage: ledger_drive FOLDER RECORDS [PATIENCE]
 *
 *	a child notes RECORDS mails in rounds of 50, as store does for queue,
 *	    and is killed while it goes on
 *	its files are measured, recovered, and every promise is looked up
 *	half of them expire, a step of store's for each question
 *	as many are noted again: does it grow?
 *
 * Prints what it found; exit status 1 where a goal is missed. The times are
 * spread over 35 days, the newest is now. FOLDER is made and removed. On a
 * machine that others use too goals of time are PATIENCE times as long.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "../../store/ledger.h"

#define ROUND 50
#define STEP_RECORDS 512	/* SWEEP_AT_ONCE of store/upkeep.c */
#define DISK_GOAL_MIB 200.0
#define RECOVERY_GOAL_S 5.0
#define P99_GOAL_MS 20.0
#define RATE_GOAL 2000.0
#define SAMPLES_MAX 2000000

static struct kv *kv;
static struct hmac *hmac;
static struct ledger *ledger;
static const char *folder;
static unsigned long n_records;
static int64_t begin_s;			/* of the oldest record */
static unsigned n_missed;
static double patience = 1;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
must(int error, const char *what)
{
	if (error < 0)
		errx(1, "%s: %s", what, strerror(-error));
}

static void
goal(bool is_met, const char *text)
{
	printf("%s %s\n", is_met ? "ok    " : "MISSED", text);
	n_missed += !is_met;
}

static void
open_all(void)
{
	must(kv_open(&kv, folder), folder);
	must(ledger_open(&ledger, kv, hmac), "ledger");
}

static void
close_all(void)
{
	ledger_close(&ledger);
	kv_close(&kv);
}

/* ---- records: all about the i-th follows from i ---- */

struct mail {
	char message_id[100], recipient[100], sender[100];
	int64_t time_s;
};

static struct mail
mail_of(unsigned long i)
{
	struct mail m;

	snprintf(m.message_id, sizeof m.message_id,
	    "20261122.%lu.k3f9q2m7t@mx.example.test", i);
	snprintf(m.recipient, sizeof m.recipient,
	    "to%lu@d%lu.dest.example", i % 10007, i % 499);
	snprintf(m.sender, sizeof m.sender,
	    "firstname.lastname%lu@example.test", i % 1000);
	m.time_s = begin_s + (int64_t)(i % n_records *
	    (unsigned long)LEDGER_LIFE_S / n_records);
	return m;
}

static void
note(unsigned long i)
{
	struct mail m = mail_of(i);
	char queue_id[32];
	struct ledger_entry entry = {
		.message_id = slice_of(m.message_id),
		.recipient = slice_of(m.recipient),
		.sender = slice_of(m.sender),
		.time_s = (uint64_t)m.time_s };

	snprintf(queue_id, sizeof queue_id, "4w%08lu", i);
	entry.queue_id = slice_of(queue_id);
	entry.user = SLICE("firstname.lastname");
	must(ledger_put(ledger, &entry), "put");
}

/* Each 100 share a transaction, whose locks are not without end. */
static bool
is_there(unsigned long i)
{
	struct mail m = mail_of(i);
	struct ledger_found found;
	const struct ledger_name name = { slice_of(m.message_id),
		slice_of(m.recipient), slice_of(m.sender) };
	int error = ledger_find(ledger, &name, &found);

	if (i % 100 == 0)
		must(kv_commit(kv), "commit");
	if (error != -ENOENT)
		must(error, "find");
	return error == 0 && found.time_s == (uint64_t)m.time_s;
}

/* ---- samples of time ---- */

struct samples {
	size_t n;
	double *ms;
};

static void
sample(struct samples *s, double from_s)
{
	if (s->n < SAMPLES_MAX)
		s->ms[s->n++] = (now_s() - from_s) * 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static struct samples
samples_new(void)
{
	struct samples s = { .ms = calloc(SAMPLES_MAX, sizeof *s.ms) };

	if (s.ms == NULL)
		err(1, "memory");
	return s;
}

/* Prints and frees them; the 99th percentile. */
static double
percentiles(struct samples *s, const char *what)
{
	double p99, longest;

	if (s->n == 0)
		errx(1, "%s: none", what);
	qsort(s->ms, s->n, sizeof *s->ms, compare);
	p99 = s->ms[s->n * 99 / 100];
	longest = s->ms[s->n - 1];
	printf("       %s: %zu, median %.3f ms, p99 %.3f ms, longest "
	    "%.1f ms\n", what, s->n, s->ms[s->n / 2], p99, longest);
	free(s->ms);
	return p99;
}

/* ---- the folder ---- */

static double
disk_mib(void)
{
	double octets = 0;
	DIR *dir = opendir(folder);
	const struct dirent *e;
	struct stat st;

	if (dir == NULL)
		err(1, "%s", folder);
	while ((e = readdir(dir)) != NULL)
		if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode))
			octets += (double)st.st_blocks * 512;
	closedir(dir);
	return octets / (1 << 20);
}

static void
clear_folder(void)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	(void)rmdir(folder);
}

/* ---- what it does ---- */

/* Rounds as in store: put, commit, and a checkpoint where one is due. */
static void
note_round(unsigned long from, struct samples *rounds)
{
	double began = now_s();

	for (unsigned long i = from; i < from + ROUND; i++)
		note(i);
	must(kv_commit(kv), "commit");
	must(kv_checkpoint_if_due(kv), "checkpoint");
	sample(rounds, began);
}

/* The child: tells what is committed beyond all, and goes on until killed. */
static void
note_until_killed(int to)
{
	struct samples rounds = samples_new();
	double began = now_s(), seconds;
	char text[100];

	open_all();
	for (unsigned long i = 0; i < n_records; i += ROUND)
		note_round(i, &rounds);
	seconds = now_s() - began;
	snprintf(text, sizeof text, "noted: %.0f records a second",
	    (double)n_records / seconds);
	goal((double)n_records / seconds >= RATE_GOAL / patience, text);
	(void)percentiles(&rounds, "rounds of 50");
	fflush(stdout);
	rounds = samples_new();
	for (unsigned long i = n_records;; i += ROUND) {
		note_round(i, &rounds);
		if (write(to, &i, sizeof i) != sizeof i)
			_exit(1);
	}
}

/* The first of the last round that was committed before the kill. */
static unsigned long
run_and_kill(void)
{
	unsigned long last = 0, i;
	int fds[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) < 0)
		err(1, "pipe");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		note_until_killed(fds[1]);
	}
	close(fds[1]);
	for (int n = 0; n < 100; n++) {
		if (read(fds[0], &last, sizeof last) != sizeof last)
			errx(1, "the child ended");
	}
	kill(pid, SIGKILL);
	while (read(fds[0], &i, sizeof i) == sizeof i)
		last = i;
	close(fds[0]);
	waitpid(pid, &status, 0);
	return last;
}

static unsigned long
count_missing(unsigned long from, unsigned long end)
{
	unsigned long missing = 0;

	for (unsigned long i = from; i < end; i++)
		missing += !is_there(i);
	must(kv_commit(kv), "commit");
	return missing;
}

static void
recover(unsigned long end)
{
	double began = now_s(), seconds;
	unsigned long missing;
	char text[100];

	open_all();
	seconds = now_s() - began;
	snprintf(text, sizeof text, "killed and recovered in %.2f s",
	    seconds);
	goal(seconds <= RECOVERY_GOAL_S * patience, text);
	missing = count_missing(0, end);
	snprintf(text, sizeof text, "%lu of %lu are missing", missing, end);
	goal(missing == 0, text);
}

static void
check_disk(const char *when)
{
	double mib = disk_mib();
	char text[100];

	snprintf(text, sizeof text, "%.1f MiB on disk %s", mib, when);
	goal(mib <= DISK_GOAL_MIB, text);
}

static bool
count_one(const uint8_t key[LEDGER_KEY_SIZE], const struct ledger_found *found,
    void *arg)
{
	(void)key;
	(void)found;
	++*(unsigned long *)arg;
	return true;
}

/* Those that are in the file, though nobody finds them any more, too. */
static unsigned long
count_all(void)
{
	struct kv_position at = { .size = 0 };
	unsigned long n = 0;
	int more;

	clock_set_for_tests(1000000, 1000000);
	do {
		more = ledger_scan(ledger, &at, 500, count_one, &n);
		must(more, "scan");
		must(kv_commit(kv), "commit");
	} while (more == 1);
	clock_set_for_tests(0, 0);
	return n;
}

/* A question that comes when a step of the sweep has just begun. */
static void
expire_half(void)
{
	int64_t at_s = begin_s + LEDGER_LIFE_S + LEDGER_LIFE_S / 2;
	struct samples questions = samples_new(), steps = samples_new();
	unsigned long i = 0, left, gone = 0, kept = 0;
	char text[100];
	int more = 1;

	clock_set_for_tests(1000000, at_s * 1000000);
	while (more == 1) {
		double began = now_s();

		more = ledger_expire(ledger, at_s, STEP_RECORDS);
		must(more, "expire");
		must(kv_commit(kv), "commit");
		must(kv_checkpoint_if_due(kv), "checkpoint");
		sample(&steps, began);
		(void)is_there(i++ * 7919 % n_records);
		must(kv_commit(kv), "commit");
		sample(&questions, began);
	}
	(void)percentiles(&steps, "steps of the sweep");
	snprintf(text, sizeof text, "no question waits long while they "
	    "expire");
	goal(percentiles(&questions, "questions") <= P99_GOAL_MS * patience,
	    text);
	for (i = 0; i < n_records; i++) {
		bool is_young = mail_of(i).time_s + LEDGER_LIFE_S > at_s;

		kept += is_young;
		gone += is_young && !is_there(i);
	}
	must(kv_commit(kv), "commit");
	left = count_all();
	snprintf(text, sizeof text, "%lu are left and %lu should be, %lu of "
	    "these are gone", left, kept, gone);
	goal(left == kept && gone == 0, text);
}

static void
fill_again(void)
{
	struct samples rounds = samples_new();

	begin_s += LEDGER_LIFE_S / 2;
	for (unsigned long i = 2 * n_records;
	    i < 2 * n_records + n_records / 2; i += ROUND)
		note_round(i, &rounds);
	(void)percentiles(&rounds, "rounds of 50, again");
}

int
main(int argc, char **argv)
{
	unsigned long end;

	n_records = argc >= 3 ? strtoul(argv[2], NULL, 10) : 0;
	patience = argc == 4 ? strtod(argv[3], NULL) : 1;
	if (n_records < 2 * ROUND || n_records % (2 * ROUND) != 0)
		errx(2, "usage: ledger_drive FOLDER RECORDS [PATIENCE]; RECORDS "
		    "are hundreds");
	folder = argv[1];
	if (mkdir(folder, 0700) < 0)
		err(1, "%s", folder);
	must(hmac_new(&hmac, "secret", 6), "key");
	begin_s = time(NULL) - LEDGER_LIFE_S + 3600;
	end = run_and_kill() + ROUND;
	check_disk("with all of them");
	recover(end);
	expire_half();
	fill_again();
	must(kv_checkpoint(kv), "checkpoint");
	check_disk("after half has expired and come again");
	close_all();
	hmac_free(&hmac);
	clear_folder();
	return n_missed > 0;
}
