/* SPDX-License-Identifier: ISC */
/*
 * judge_drive.c - how long a verdict takes that needs no new fact.
 *
 * usage: judge_drive [-n questions] MESSAGE KEY-RECORD
 *
 * Starts the real policy compartment in a child and plays smtpd. MESSAGE is
 * signed (smtpload --print), KEY-RECORD holds the TXT record of its key.
 * All checks are on. Facts are gathered as smtpd would, once, from the small
 * zone below; then each stage is asked again and again with all of them, one
 * question at a time. Prints a line of JSON: what was asked, and microseconds
 * from question to answer. `make build/bench/judge_drive` builds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ask.h"
#include "clock.h"
#include "compartment.h"
#include "judge.h"
#include "sealed.h"

#define DRIVE_UID 65000		/* of the compartment */
#define TIMEOUT_MS 20000

static const char config_text[] =
    "hostname = \"mx.example.test\"\n"
    "postmaster = \"user0@example.test\"\n"
    "state_dir = \"%s\"\n"
    "listen \"127.0.0.1:2525\" { role = mx }\n"
    "domain \"example.test\" { users = \"passwd\" }\n"
    "checks {\n"
    "    default = refuse\n"
    "    dnsbl \"bl.example\" { }\n"
    "    dnsbl_refuse_at = 1\n"
    "}\n";

static const struct {
	enum fact_kind kind;
	const char *key, *value;	/* NULL: KEY-RECORD */
} zone[] = {
	{ FACT_DNS_TXT, "sender.example", "v=spf1 ip4:192.0.2.10 -all" },
	{ FACT_DNS_TXT, "load.sender.example", "v=spf1 ip4:192.0.2.10 -all" },
	{ FACT_DNS_TXT, "_dmarc.sender.example", "v=DMARC1; p=reject" },
	{ FACT_DNS_TXT, "bench._domainkey.sender.example", NULL },
	{ FACT_DNS_MX, "sender.example", "\0\012load.sender.example" },
	{ FACT_DNS_A, "load.sender.example", "\300\0\002\012" },
	{ FACT_DNS_PTR, "10.2.0.192.in-addr.arpa", "load.sender.example" },
	{ FACT_GREYLIST, NULL, "known" },
	{ FACT_SEEN, NULL, "" },
};

static struct {
	pid_t pid;
	int supervisor, smtpd, message_fd;
	size_t message_bytes;
	struct buf key_record;
	uint32_t next_id;
	struct ipc_message m;
	uint8_t buffer[IPC_BUFFER_SIZE];
} drive;

static void
die(const char *what)
{
	fprintf(stderr, "judge_drive: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int
memfd_of(struct slice text)
{
	int fd = sealed_create("drive");

	if (fd < 0 || write(fd, text.data, text.size) != (ssize_t)text.size ||
	    sealed_finish(fd) != 0)
		die("memfd");
	return fd;
}

static struct buf
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf text = { 0 };
	int c;

	if (file == NULL)
		die(path);
	while ((c = getc(file)) != EOF) {
		char octet = (char)c;

		/* as smtpd keeps it */
		if (octet != '\r' && buf_append(&text, &octet, 1) != 0)
			die(path);
	}
	fclose(file);
	return text;
}

/* ---- the compartment ---- */

static void
tell(uint16_t type, const struct ipc_writer *w, int fd)
{
	if (ipc_send(drive.supervisor, type, 0, 0, w, fd) != 0)
		die("set-up");
}

static void
set_up(const char *state_dir)
{
	const struct setup_self self = { .role = ROLE_POLICY,
		.is_privileged = geteuid() == 0, .uid = DRIVE_UID,
		.gid = DRIVE_UID };
	struct buf config = { 0 };
	struct ipc_writer w;
	int fd;

	ipc_writer_init(&w);
	put_setup_self(&w, &self);
	tell(SETUP_SELF, &w, -1);
	ipc_writer_init(&w);
	ipc_put_u8(&w, 0);
	ipc_put_u8(&w, 0);
	tell(SETUP_LOG, &w, STDERR_FILENO);
	buf_printf(&config, config_text, state_dir);
	fd = memfd_of(buf_slice(&config));
	ipc_writer_init(&w);
	ipc_put_u64(&w, config.size);
	tell(SETUP_CONFIG, &w, fd);
	close(fd);
	buf_free(&config);
	tell(SETUP_DONE, NULL, -1);
	if (ipc_receive(drive.supervisor, &drive.m, drive.buffer) != 0 ||
	    drive.m.type != CHILD_READY)
		die("policy does not start");
}

static void
start(const char *program, const char *state_dir)
{
	struct ipc_writer w;
	int fds[2];

	if (ipc_pair(fds) != 0)
		die("pair");
	drive.pid = fork();
	if (drive.pid == 0) {
		if (dup2(fds[1], 3) < 0)
			_exit(99);
		close_range(4, ~0u, 0);
		execl(program, program, "-c", "policy", (char *)NULL);
		_exit(99);
	}
	close(fds[1]);
	drive.supervisor = fds[0];
	set_up(state_dir);
	if (ipc_pair(fds) != 0)
		die("pair");
	ipc_writer_init(&w);
	ipc_put_u16(&w, ROLE_SMTPD);
	ipc_put_u16(&w, 0);
	ipc_put_u16(&w, 0);
	tell(SETUP_PEER, &w, fds[1]);
	close(fds[1]);
	drive.smtpd = fds[0];
}

/* ---- questions ---- */

static void
ask(enum judge_stage stage, const struct facts *facts, struct judgement *j)
{
	struct pollfd p = { .fd = drive.smtpd, .events = POLLIN };
	struct judge_ask q = { .stage = stage };
	struct judge_answer a;
	struct buf wire = { 0 };
	struct ipc_writer w;
	int fd = -1;

	if (stage == JUDGE_DATA) {
		fd = drive.message_fd;
		q.message_bytes = drive.message_bytes;
	}
	if (put_facts(&wire, facts) != 0)
		die("facts");
	q.facts = buf_slice(&wire);
	ipc_writer_init(&w);
	put_judge_ask(&w, &q);
	if (ipc_send(drive.smtpd, JUDGE_ASK, ++drive.next_id, TIMEOUT_MS, &w,
	    fd) != 0 || poll(&p, 1, TIMEOUT_MS) != 1 ||
	    ipc_receive(drive.smtpd, &drive.m, drive.buffer) != 0 ||
	    drive.m.type != JUDGE_ANSWER || drive.m.id != drive.next_id ||
	    !get_judge_answer(&drive.m.body, &a) || drive.m.fd >= 0 ||
	    !get_judgement(a.judgement, j))
		die("no judgement");
	buf_free(&wire);
}

static void
answer_dns(struct facts *facts, const struct fact *wanted, size_t row)
{
	struct dns_answer answer = { .status = DNS_NO_NAME };
	struct slice record = SLICE("");
	struct buf wire = { 0 };

	if (row < sizeof zone / sizeof *zone) {
		if (zone[row].value == NULL)
			record = buf_slice(&drive.key_record);
		else if (zone[row].kind == FACT_DNS_MX)
			record = (struct slice){ zone[row].value,
				2 + strlen(zone[row].value + 2) };
		else if (zone[row].kind == FACT_DNS_A)
			record = (struct slice){ zone[row].value, 4 };
		else
			record = slice_of(zone[row].value);
		answer.status = DNS_OK;
		answer.n_records = 1;
		answer.records[0].data = record;
	}
	if (put_dns_answer(&wire, &answer) != 0 || facts_add(facts,
	    wanted->kind, wanted->key, buf_slice(&wire)) != 0)
		die("answer");
	buf_free(&wire);
}

static void
answer(struct facts *facts, const struct fact *wanted)
{
	size_t n = sizeof zone / sizeof *zone, i = 0;

	while (i < n && (zone[i].kind != wanted->kind ||
	    (zone[i].key != NULL &&
	    !slice_equals(wanted->key, slice_of(zone[i].key)))))
		i++;
	if (fact_dns_type(wanted->kind) != 0)
		answer_dns(facts, wanted, i);
	else if (i == n || facts_add(facts, wanted->kind, wanted->key,
	    slice_of(zone[i].value)) != 0)
		die("what is wanted");
}

/* Until policy wants nothing more; its results are facts from then on. */
static unsigned
gather(enum judge_stage stage, struct facts *facts)
{
	struct judgement j;
	unsigned rounds = 1;

	for (ask(stage, facts, &j); !j.is_complete; rounds++) {
		for (size_t i = 0; i < j.facts.n_wanted; i++)
			answer(facts, &j.facts.wanted[i]);
		judgement_free(&j);
		ask(stage, facts, &j);
	}
	if (judgement_strictest(&j) != NULL) {
		fprintf(stderr, "judge_drive: refused: %s\n",
		    judgement_strictest(&j)->detail);
		exit(2);
	}
	judgement_free(&j);
	return rounds;
}

/* Results of this stage are told to those behind it, as smtpd does. */
static void
take_results(enum judge_stage stage, struct facts *facts)
{
	struct judgement j;

	ask(stage, facts, &j);
	for (size_t i = 0; i < j.facts.n; i++)
		if (j.facts.items[i].kind == FACT_RESULT && facts_add(facts,
		    FACT_RESULT, j.facts.items[i].key,
		    j.facts.items[i].value) != 0)
			die("result");
	judgement_free(&j);
}

/* ---- figures ---- */

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
measure(enum judge_stage stage, const struct facts *facts, unsigned n)
{
	int64_t *took_us = calloc(n, sizeof *took_us);
	struct judgement j;

	if (took_us == NULL)
		die("memory");
	for (unsigned i = 0; i < n; i++) {
		int64_t began_us = clock_monotonic_us();

		ask(stage, facts, &j);
		took_us[i] = clock_monotonic_us() - began_us;
		if (!j.is_complete)
			die("a fact is wanted again");
		judgement_free(&j);
	}
	qsort(took_us, n, sizeof *took_us, compare);
	printf("\"p50_us\":%lld,\"p99_us\":%lld,\"n\":%u}",
	    (long long)took_us[n / 2], (long long)took_us[n * 99ull / 100], n);
	free(took_us);
}

static void
add(struct facts *facts, enum fact_kind kind, const char *value)
{
	if (facts_add(facts, kind, SLICE(""), slice_of(value)) != 0)
		die("facts");
}

static void
tell_all(struct facts *facts)
{
	char now[24];

	snprintf(now, sizeof now, "%lld", (long long)(clock_wall_us() /
	    1000000));
	add(facts, FACT_TIME, now);
	add(facts, FACT_HOST, "mx.example.test");
	add(facts, FACT_CLIENT_IP, "192.0.2.10");
	add(facts, FACT_HELO, "load.sender.example");
	add(facts, FACT_IS_ESMTP, "1");
	add(facts, FACT_TLS, "");
	add(facts, FACT_SESSION, "drive");
	add(facts, FACT_SENDER, "load@sender.example");
	add(facts, FACT_SENDER_KEY, "load@sender.example");
}

int
main(int argc, char **argv)
{
	char program[512], empty[64], state_dir[] = "/tmp/judge_drive.XXXXXX";
	unsigned n = 5000;
	struct facts facts = { 0 };
	struct buf message;
	int letter;

	while ((letter = getopt(argc, argv, "n:")) != -1)
		n = letter == 'n' ? (unsigned)atoi(optarg) : 0;
	if (optind + 2 != argc || n == 0) {
		fputs("usage: judge_drive [-n questions] MESSAGE "
		    "KEY-RECORD\n", stderr);
		return 2;
	}
	message = read_file(argv[optind]);
	drive.message_fd = memfd_of(buf_slice(&message));
	drive.message_bytes = message.size;
	drive.key_record = read_file(argv[optind + 1]);
	while (drive.key_record.size > 0 &&
	    drive.key_record.data[drive.key_record.size - 1] == '\n')
		drive.key_record.size--;
	snprintf(program, sizeof program, "%.*s/../postern",
	    (int)(strrchr(argv[0], '/') - argv[0]), argv[0]);
	if (mkdtemp(state_dir) == NULL || chmod(state_dir, 0755) < 0)
		die(state_dir);
	snprintf(empty, sizeof empty, "%s/empty", state_dir);
	if (mkdir(empty, 0755) < 0)
		die(empty);
	start(program, state_dir);
	tell_all(&facts);
	putchar('{');
	for (enum judge_stage s = JUDGE_MAIL; s <= JUDGE_DATA; s++) {
		if (s == JUDGE_RCPT) {
			add(&facts, FACT_RECIPIENT, "user0@example.test");
			add(&facts, FACT_RECIPIENT_KEY, "user0@example.test");
			add(&facts, FACT_N_RECIPIENTS, "0");
			add(&facts, FACT_IS_EXEMPT, "0");
		}
		printf("%s\"%s\":{\"rounds\":%u,", s > JUDGE_MAIL ? "," : "",
		    judge_stage_name(s), gather(s, &facts));
		measure(s, &facts, n);
		take_results(s, &facts);
	}
	puts("}");
	close(drive.smtpd);
	close(drive.supervisor);
	waitpid(drive.pid, NULL, 0);
	rmdir(empty);
	rmdir(state_dir);
	return 0;
}
