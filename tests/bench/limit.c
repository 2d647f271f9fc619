/* SPDX-License-Identifier: ISC */
/*
 * limit - what the file system itself allows a Maildir delivery.
 *
 * usage: limit [-t threads] [-n messages] [-s size] [-u users] BASE
 *
 * Each thread, per message and with nothing else around it: create a file
 * in BASE/userN/Maildir/tmp, write, fdatasync, rename into new/, fsync new/.
 * One line of JSON. The files stay in new/, see maildircheck -m.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 256

struct limit {
	const char *base;
	int threads, users, pid;
	long messages;
	size_t size;
	char *text;
	atomic_long next;
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
own_cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void
die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
write_file(const struct limit *limit, const char *path)
{
	size_t done = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	while (done < limit->size) {
		n = write(fd, limit->text + done, limit->size - done);
		if (n < 0)
			die("write");
		done += (size_t)n;
	}
	if (fdatasync(fd) < 0 || close(fd) < 0)
		die(path);
}

static void
flush_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		die(path);
	close(fd);
}

static void
deliver(const struct limit *limit, long i)
{
	char tmp[PATH_MAX], final[PATH_MAX], folder[PATH_MAX];
	int user = (int)(i % limit->users);

	snprintf(folder, sizeof(folder), "%s/user%d/Maildir/new",
	    limit->base, user);
	snprintf(tmp, sizeof(tmp), "%s/user%d/Maildir/tmp/limit.%d.%ld",
	    limit->base, user, limit->pid, i);
	snprintf(final, sizeof(final), "%s/user%d/Maildir/new/limit.%d.%ld",
	    limit->base, user, limit->pid, i);
	write_file(limit, tmp);
	if (rename(tmp, final) < 0)
		die(final);
	flush_folder(folder);
}

static void *
run_thread(void *arg)
{
	struct limit *limit = arg;
	long i;

	while ((i = atomic_fetch_add(&limit->next, 1)) < limit->messages)
		deliver(limit, i);
	return NULL;
}

static void
run_threads(struct limit *limit)
{
	pthread_t threads[MAX_THREADS];

	for (int i = 0; i < limit->threads; i++)
		if (pthread_create(&threads[i], NULL, run_thread, limit) != 0)
			die("pthread_create");
	for (int i = 0; i < limit->threads; i++)
		pthread_join(threads[i], NULL);
}

static void
read_options(struct limit *limit, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "t:n:s:u:")) != -1)
		switch (letter) {
		case 't': limit->threads = atoi(optarg); break;
		case 'n': limit->messages = atol(optarg); break;
		case 's': limit->size = strtoul(optarg, NULL, 10); break;
		case 'u': limit->users = atoi(optarg); break;
		default: exit(2);
		}
	if (optind + 1 != argc || limit->threads < 1 ||
	    limit->threads > MAX_THREADS || limit->messages < 1 ||
	    limit->users < 1) {
		fputs("usage: limit [-t threads] [-n messages] [-s size] "
		    "[-u users] BASE\n", stderr);
		exit(2);
	}
	limit->base = argv[optind];
}

int
main(int argc, char **argv)
{
	struct limit limit = {
		.threads = 1, .users = 1000, .messages = 2000, .size = 4096,
	};
	double start, seconds, cpu_s;

	read_options(&limit, argc, argv);
	limit.text = malloc(limit.size + 1);
	if (limit.text == NULL)
		die("text");
	for (size_t i = 0; i < limit.size; i++)
		limit.text[i] = i % 78 == 77 ? '\n' : (char)('a' + i % 26);
	limit.pid = (int)getpid();
	start = now();
	cpu_s = own_cpu_s();
	run_threads(&limit);
	seconds = now() - start;
	cpu_s = own_cpu_s() - cpu_s;
	printf("{\"threads\":%d,\"messages\":%ld,\"size\":%zu,"
	    "\"seconds\":%.4f,\"rate\":%.1f,\"cpu_s\":%.4f}\n", limit.threads,
	    limit.messages, limit.size, seconds,
	    (double)limit.messages / seconds, cpu_s);
	return 0;
}
