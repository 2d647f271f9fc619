/* SPDX-License-Identifier: ISC */
/*
 * spool_drive.c - fill a spool as queue would, with messages that wait.
 *
 * usage: spool_drive SPOOL UID:GID MESSAGES
 *
 * Each was tried once and is due in one or two hours. 1,000 accounts, 5,000
 * destinations with a reason each; every tenth message has three recipients,
 * two of them at one destination. Written by queue's own spool.c.
 */
#include <err.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../../queue/spool.h"

#define ACCOUNTS 1000
#define DESTINATIONS 5000
#define BODY_SIZE 4096
#define ID_FIRST 200000000000000	/* microseconds since 2020: 2026 */
#define TOGETHER 250		/* a batch of the spool */

static unsigned n_done;

static void
done(void *arg, int error)
{
	(void)arg;
	if (error)
		errx(1, "spool: %s", strerror(-error));
	n_done++;
}

static struct slice
keep(struct envelope *e, const char *text)
{
	bool failed = false;
	struct slice kept = envelope_keep(e, slice_of(text), strlen(text),
	    &failed);

	if (failed)
		errx(1, "no memory");
	return kept;
}

static __attribute__((format(printf, 2, 3))) struct slice
format(struct envelope *e, const char *form, ...)
{
	char text[200];
	va_list args;

	va_start(args, form);
	vsnprintf(text, sizeof text, form, args);
	va_end(args);
	return keep(e, text);
}

static void
add_recipient(struct envelope *e, unsigned long name, unsigned long domain)
{
	struct envelope_recipient *r = &e->recipients[e->n_recipients++];

	domain %= DESTINATIONS;
	*r = (struct envelope_recipient){ .state = RECIPIENT_WAITING,
		.address = format(e, "to%lu@d%lu.dest.example", name, domain),
		.tries = 1, .next_s = e->time_s + 3 * 3600 +
		(int64_t)(name % 3600), .host = format(e,
		"mx%lu.dest.example[192.0.2.%lu]", domain, domain % 250),
		.last = { .when_s = e->time_s + 2, .code = 450, .subject = 4,
		.detail = 2, .text = format(e, "mailbox %lu of d%lu is busy",
		domain % 7, domain) } };
}

static struct envelope *
make(unsigned long i, int64_t now_s)
{
	struct envelope *e = envelope_new(3);

	if (e == NULL)
		errx(1, "no memory");
	e->id = ID_FIRST + i * 1000;
	e->time_s = now_s - 7200 + (int64_t)(i % 3600);
	e->user = format(e, "user%lu", i % ACCOUNTS);
	e->home = e->from = format(e, "user%lu@example.test", i % ACCOUNTS);
	e->session = format(e, "s%lu", i);
	e->message_id = format(e, "<%lu.%lu@example.test>", i,
	    (unsigned long)now_s);
	e->size_bytes = BODY_SIZE;
	add_recipient(e, i, i * 7);
	if (i % 10 == 0) {
		add_recipient(e, i + 1, i * 7);
		add_recipient(e, i + 2, i * 7 + 1);
	}
	return e;
}

static int
make_body(void)
{
	static char text[BODY_SIZE];
	int fd = memfd_create("body", 0);

	memset(text, 'x', sizeof text);
	memcpy(text, "Subject: waiting\n\n", 18);
	text[sizeof text - 1] = '\n';
	if (fd < 0 || write(fd, text, sizeof text) != (ssize_t)sizeof text)
		err(1, "body");
	return fd;
}

static void
fill(struct spool *spool, unsigned long first, unsigned long end, int body)
{
	for (unsigned long i = first; i < end; i++) {
		struct envelope *e = make(i, time(NULL));
		int error = spool_prepare(spool, e, body, done, NULL);

		if (error)
			errx(1, "prepare: %s", strerror(-error));
		envelope_free(&e);
	}
	spool_flush(spool);
	for (unsigned long i = first; i < end; i++)
		if (spool_commit(spool, ID_FIRST + i * 1000, done, NULL) != 0)
			errx(1, "commit");
	spool_flush(spool);
}

/* The spool is that of another account. */
static void
become(const char *who)
{
	unsigned uid, gid;

	if (sscanf(who, "%u:%u", &uid, &gid) != 2)
		errx(2, "%s is not UID:GID", who);
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		err(1, "%s", who);
}

int
main(int argc, char **argv)
{
	unsigned long n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	struct spool *spool;
	int body, error;

	if (n == 0)
		errx(2, "usage: spool_drive SPOOL UID:GID MESSAGES");
	if (chdir(argv[1]) < 0)
		err(1, "%s", argv[1]);
	become(argv[2]);
	error = spool_open(&spool);
	if (error)
		errx(1, "%s: %s", argv[1], strerror(-error));
	body = make_body();
	for (unsigned long i = 0; i < n; i += TOGETHER)
		fill(spool, i, i + TOGETHER < n ? i + TOGETHER : n, body);
	spool_close(&spool);
	return n_done == 2 * n ? 0 : 1;
}
