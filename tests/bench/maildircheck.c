/* SPDX-License-Identifier: ISC */
/*
 * maildircheck - what a run of smtpload left in the Maildirs.
 *
 * usage: maildircheck [-n messages] [-c copies] [-u users] [-b sha256]
 *	      [-t tag] [-w seconds] [-m] BASE
 *
 * Waits up to -w seconds until BASE/user0 .. BASE/userN/Maildir/new hold
 * messages * copies files, then reads each: its body must have the hash, its
 * Message-ID tells which message it is, and each message must be there as
 * often as it has copies, each in the Maildir of one of its recipients.
 *
 * -m empties the files afterwards and moves them to cur/. To remove them
 * would slow down what is measured next: ext4 passes over the inodes that
 * were freed in the last minutes (recently_deleted), one by one.
 *
 * One line of JSON. "last" is the latest change of an inode, which is when
 * the file got its name in new/ (CLOCK_REALTIME): nothing has to watch the
 * directories while servers are measured. Exit status 0 if all is right.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 200000000

struct check {
	const char *base, *sha256, *tag;
	long messages, copies, users;
	double wait_s;
	bool has_move;
	unsigned *seen;			/* per message */
	long files, bad_bodies, foreign, misplaced, missing, doubled, in_tmp;
	double last;
};

static void
die(const char *what)
{
	fprintf(stderr, "maildircheck: %s: %s\n", what, strerror(errno));
	exit(2);
}

static DIR *
open_folder(const struct check *check, long user, const char *name)
{
	char path[PATH_MAX];
	DIR *folder;

	snprintf(path, sizeof(path), "%s/user%ld/Maildir/%s", check->base,
	    user, name);
	folder = opendir(path);
	if (folder == NULL)
		die(path);
	return folder;
}

static long
count_files(const struct check *check, const char *name)
{
	long n = 0;

	for (long user = 0; user < check->users; user++) {
		DIR *folder = open_folder(check, user, name);
		struct dirent *entry;

		while ((entry = readdir(folder)) != NULL)
			n += entry->d_name[0] != '.';
		closedir(folder);
	}
	return n;
}

static void
wait_for_files(const struct check *check)
{
	struct timespec pause = { .tv_nsec = POLL_NS };
	time_t start = time(NULL);

	while (count_files(check, "new") < check->messages * check->copies &&
	    difftime(time(NULL), start) < check->wait_s)
		nanosleep(&pause, NULL);
}

static char *
read_file(int fd, size_t size)
{
	char *text = malloc(size + 1);
	size_t n = 0;
	ssize_t got;

	if (text == NULL)
		die("message");
	while (n < size && (got = read(fd, text + n, size - n)) > 0)
		n += (size_t)got;
	if (n < size)
		die("read");
	text[size] = '\0';
	return text;
}

static bool
has_hash(const char *body, size_t len, const char *want)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned n;

	if (EVP_Digest(body, len, digest, &n, EVP_sha256(), NULL) != 1)
		die("digest");
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
	return strcmp(hex, want) == 0;
}

/* The number of the message, or -1 if it is not one of this run. */
static long
message_number(const struct check *check, const char *header)
{
	const char *id = strstr(header, "\nMessage-ID: <");
	size_t len = strlen(check->tag);
	char *end;
	long n;

	if (id == NULL)
		return -1;
	id += strlen("\nMessage-ID: <");
	if (strncmp(id, check->tag, len) != 0 || id[len] != '.')
		return -1;
	n = strtol(id + len + 1, &end, 10);
	return *end == '@' && n >= 0 && n < check->messages ? n : -1;
}

/* Recipients of message n are copies users in a row, as smtpload has them. */
static bool
is_recipient(const struct check *check, long n, long user)
{
	long first = n * check->copies % check->users;

	return (user - first + check->users) % check->users < check->copies;
}

static void
check_text(struct check *check, long user, char *text, size_t size)
{
	char *body = strstr(text, "\n\n");
	long n;

	if (body == NULL) {
		check->foreign++;
		return;
	}
	body += 2;
	if (!has_hash(body, size - (size_t)(body - text), check->sha256))
		check->bad_bodies++;
	body[-1] = '\0';
	n = message_number(check, text);
	if (n < 0) {
		check->foreign++;
		return;
	}
	check->seen[n]++;
	if (!is_recipient(check, n, user))
		check->misplaced++;
}

static void
check_file(struct check *check, long user, int dirfd, const char *name)
{
	struct stat st;
	double changed;
	char *text;
	int fd;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(name);
	changed = (double)st.st_ctim.tv_sec + (double)st.st_ctim.tv_nsec / 1e9;
	if (changed > check->last)
		check->last = changed;
	text = read_file(fd, (size_t)st.st_size);
	check_text(check, user, text, (size_t)st.st_size);
	free(text);
	close(fd);
	check->files++;
}

static void
move_file(const struct check *check, long user, int dirfd, const char *name)
{
	char path[PATH_MAX];
	int fd;

	fd = openat(dirfd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		die(name);
	close(fd);
	snprintf(path, sizeof(path), "%s/user%ld/Maildir/cur/%s",
	    check->base, user, name);
	if (renameat(dirfd, name, AT_FDCWD, path) < 0)
		die(path);
}

static void
check_mailbox(struct check *check, long user)
{
	DIR *folder = open_folder(check, user, "new");
	struct dirent *entry;

	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (check->sha256 != NULL)
			check_file(check, user, dirfd(folder), entry->d_name);
		if (check->has_move)
			move_file(check, user, dirfd(folder), entry->d_name);
	}
	closedir(folder);
}

static bool
report(struct check *check)
{
	for (long n = 0; n < check->messages; n++) {
		long seen = (long)check->seen[n];

		if (seen < check->copies)
			check->missing += check->copies - seen;
		else
			check->doubled += seen - check->copies;
	}
	printf("{\"files\":%ld,\"missing\":%ld,\"doubled\":%ld,"
	    "\"bad_bodies\":%ld,\"foreign\":%ld,\"misplaced\":%ld,"
	    "\"in_tmp\":%ld,\"last\":%.6f}\n", check->files, check->missing,
	    check->doubled, check->bad_bodies, check->foreign,
	    check->misplaced, check->in_tmp, check->last);
	return check->missing + check->doubled + check->bad_bodies +
	    check->foreign + check->misplaced + check->in_tmp == 0;
}

static void
read_options(struct check *check, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "n:c:u:b:t:w:m")) != -1)
		switch (letter) {
		case 'n': check->messages = atol(optarg); break;
		case 'c': check->copies = atol(optarg); break;
		case 'u': check->users = atol(optarg); break;
		case 'b': check->sha256 = optarg; break;
		case 't': check->tag = optarg; break;
		case 'w': check->wait_s = atof(optarg); break;
		case 'm': check->has_move = true; break;
		default: exit(2);
		}
	if (optind + 1 != argc || check->messages < 0 || check->copies < 1 ||
	    check->users < 1) {
		fputs("usage: maildircheck [-n messages] [-c copies] "
		    "[-u users] [-b sha256] [-t tag]\n"
		    "\t[-w seconds] [-m] BASE\n", stderr);
		exit(2);
	}
	check->base = argv[optind];
}

int
main(int argc, char **argv)
{
	struct check check = {
		.copies = 1, .users = 1000, .tag = "run", .wait_s = 60,
	};

	read_options(&check, argc, argv);
	check.seen = calloc((size_t)check.messages + 1, sizeof(unsigned));
	if (check.seen == NULL)
		die("start");
	wait_for_files(&check);
	for (long user = 0; user < check.users; user++)
		check_mailbox(&check, user);
	check.in_tmp = count_files(&check, "tmp");
	return report(&check) ? 0 : 1;
}
