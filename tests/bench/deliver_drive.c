/* SPDX-License-Identifier: ISC */
/*
 * deliver_drive.c - how fast deliver alone is: plays smtpd over a channel.
 *
 * usage: deliver_drive DIR [-c concurrent] [-n messages] [-s octets]
 *                      [-u mailboxes] [-r recipients]
 *
 * Keeps so many transactions under way (probe each recipient, prepare,
 * commit) and prints messages a second and CPU of the compartment and its
 * workers per message. Mailboxes are DIR/N/Maildir, made when missing; as
 * root they are uid 1001's and DIR must be open to it. `make
 * build/bench/deliver_drive` builds it.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include "../unit/deliver_fixture.h"

#define MAX_CONCURRENT 4096

static unsigned concurrent = 20, n_messages = 20000, n_boxes = 1000;
static unsigned n_recipients = 1;
static size_t size = 4096;
static const char *directory;
static int message_fd;

static uint64_t slots[MAX_CONCURRENT];	/* transaction of each */
static unsigned n_probed[MAX_CONCURRENT];
static int64_t began_us[MAX_CONCURRENT];
static unsigned n_begun, n_done, n_failed;
static double *took;

static void
send_probe(struct fixture *f, int peer, unsigned slot, unsigned recipient)
{
	static struct ipc_writer w;
	char maildir[600], home[512];
	unsigned box_number = (unsigned)((slots[slot] * n_recipients +
	    recipient) % n_boxes);
	struct fixture_box box = { .uid = geteuid() ? geteuid() : 1001,
		.gid = geteuid() ? getegid() : 1001, .home = home,
		.maildir = maildir };
	struct fixture_probe p = { .tx = slots[slot],
		.recipient = (uint16_t)recipient, .size = size,
		.boxes = &box, .n_boxes = 1 };

	snprintf(home, sizeof home, "%s/%u", directory, box_number);
	snprintf(maildir, sizeof maildir, "%s/Maildir", home);
	fixture_put_probe(f, &w, &p);
	if (ipc_send(peer, PROBE_ASK, slot + 1, 30000, &w, -1) != 0)
		fixture_die("send");
}

static void
begin(struct fixture *f, int peer, unsigned slot)
{
	if (n_begun == n_messages) {
		slots[slot] = 0;
		return;
	}
	slots[slot] = ++n_begun;
	n_probed[slot] = 0;
	began_us[slot] = clock_monotonic_us();
	for (unsigned i = 0; i < n_recipients; i++)
		send_probe(f, peer, slot, i);
}

static void
send_prepare(int peer, unsigned slot)
{
	static struct ipc_writer w;
	char name[64];

	snprintf(name, sizeof name, "%lld.P%d", (long long)clock_wall_us(),
	    (int)slots[slot]);
	fixture_put_prepare(&w, slots[slot], name, (uint16_t)n_recipients,
	    false, size);
	if (ipc_send(peer, PREPARE_ASK, slot + 1, 30000, &w, message_fd) != 0)
		fixture_die("send");
}

static void
send_commit(int peer, unsigned slot)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u64(&w, slots[slot]);
	if (ipc_send(peer, COMMIT_ASK, slot + 1, 30000, &w, -1) != 0)
		fixture_die("send");
}

static void
finish(struct fixture *f, int peer, unsigned slot, bool is_good)
{
	took[n_done++] = (double)(clock_monotonic_us() - began_us[slot]);
	n_failed += !is_good;
	begin(f, peer, slot);
}

static void
on_answer(struct fixture *f, int peer)
{
	static struct probe_answer a;
	static struct outcome o;
	unsigned slot = f->m.id - 1;
	bool is_good;

	if (f->m.type == PROBE_ANSWER) {
		if (!get_probe_answer(&f->m.body, &a) || a.verdict.code != 0)
			fixture_die("probe refused");
		if (++n_probed[slot] == n_recipients)
			send_prepare(peer, slot);
		return;
	}
	is_good = get_outcome(&f->m.body, &o) && o.n_failures == 0;
	if (f->m.type == PREPARE_ANSWER && is_good)
		send_commit(peer, slot);
	else
		finish(f, peer, slot, is_good);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
cpu_s(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void
make_homes(void)
{
	char home[512];

	for (unsigned i = 0; i < n_boxes; i++) {
		snprintf(home, sizeof home, "%s/%u", directory, i);
		if (mkdir(home, 0700) < 0 && errno != EEXIST)
			fixture_die(home);
		if (geteuid() == 0 && chown(home, 1001, 1001) < 0)
			fixture_die(home);
	}
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "c:n:s:u:r:")) != -1)
		switch (c) {
		case 'c': concurrent = (unsigned)atoi(optarg); break;
		case 'n': n_messages = (unsigned)atoi(optarg); break;
		case 's': size = strtoul(optarg, NULL, 10); break;
		case 'u': n_boxes = (unsigned)atoi(optarg); break;
		case 'r': n_recipients = (unsigned)atoi(optarg); break;
		default: exit(2);
		}
	if (optind + 1 != argc || concurrent > MAX_CONCURRENT) {
		fprintf(stderr, "usage: deliver_drive [-c concurrent] "
		    "[-n messages] [-s octets] [-u mailboxes] "
		    "[-r recipients] DIR\n");
		exit(2);
	}
	directory = argv[optind];
}

int
main(int argc, char **argv)
{
	static struct fixture f;
	int64_t start_us;
	double seconds;
	char *text;
	int peer;

	options(argc, argv);
	text = malloc(size);
	took = calloc(n_messages, sizeof *took);
	memset(text, 'a', size);
	for (size_t i = 77; i < size; i += 78)
		text[i] = '\n';
	message_fd = fixture_memfd(text, size);
	make_homes();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	fixture_start(&f, STDERR_FILENO);
	peer = fixture_peer(&f, ROLE_SMTPD, 0);
	start_us = clock_monotonic_us();
	for (unsigned i = 0; i < concurrent; i++)
		begin(&f, peer, i);
	while (n_done < n_messages) {
		if (fixture_receive(&f, peer, 60000) == 0)
			fixture_die("no answer");
		on_answer(&f, peer);
	}
	seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
	close(peer);
	fixture_stop(&f);
	while (wait(NULL) > 0)
		;	/* workers, which are ours now: their CPU counts */
	qsort(took, n_done, sizeof *took, compare);
	printf("concurrent=%u recipients=%u size=%zu failed=%u rate=%.0f/s "
	    "copies=%.0f/s cpu=%.0f us/message own_cpu=%.0f p50=%.0f us "
	    "p99=%.0f us\n", concurrent, n_recipients, size, n_failed,
	    n_done / seconds, n_done * n_recipients / seconds,
	    cpu_s(RUSAGE_CHILDREN) / n_done * 1e6,
	    cpu_s(RUSAGE_SELF) / n_done * 1e6, took[n_done / 2],
	    took[n_done * 99 / 100]);
	return n_failed > 0;
}
