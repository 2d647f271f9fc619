/* SPDX-License-Identifier: ISC */
/*
 * test_programs.c - the whole compartment runs real programs; this process
 * plays smtpd. What an exit, a signal, a hang or a flood is to the client,
 * what a program finds around it, and what becomes of all that it starts.
 */
#define FIXTURE_CONFIG_MORE \
	"program_user = \"nobody\"\n" \
	"program_timeout = 2s\n" \
	"program_output = 8K\n" \
	"program_memory = 64M\n" \
	"programs_at_once = 3\n" \
	"program_refuses = { \"69\", \"77\" }\n"
#include <pwd.h>
#include "deliver_fixture.h"
#include "table.h"

#define MAIL_FROM "alice@example.com"
#define SECOND_MS 1000

static struct fixture f;
static char base[64];
static int smtpd, message;
static uint64_t tx;
static char text[256 << 10];
static struct program_answer answered;
static char told[400];

static const char *
path_in(const char *name)
{
	static char room[8][200];
	static unsigned next;
	char *path = room[next++ % 8];

	snprintf(path, 200, "%s/%s", base, name);
	return path;
}

static void
fill_text(void)
{
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + i / 64 % 26);
}

static int
set_up(void **state)
{
	int log_fd;

	(void)state;
	strcpy(base, "/tmp/postern-programs-XXXXXX");
	if (mkdtemp(base) == NULL || chmod(base, 0777) != 0)
		return -1;
	log_fd = open(path_in("log"), O_CREAT | O_WRONLY | O_APPEND, 0600);
	fixture_start(&f, log_fd);
	close(log_fd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
	fill_text();
	message = fixture_memfd(text, sizeof text);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];
	int status;

	(void)state;
	close(smtpd);
	close(message);
	status = fixture_stop(&f);
	snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command) == 0 && status == 0 ? 0 : -1;
}

/* ---- one program ---- */

static void
probe_program(const char *command)
{
	const struct fixture_probe p = { .command = command, .tx = ++tx };

	assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
}

static uint32_t
send_program(uint64_t number, uint16_t recipient)
{
	static struct ipc_writer w;
	const struct program_ask ask = { .transaction = number,
		.recipient = recipient, .message_size = sizeof text,
		.return_path = SLICE(MAIL_FROM),
		.trace = SLICE("Received: from client\n\tby mx\n") };

	ipc_writer_init(&w);
	put_program_ask(&w, &ask);
	return fixture_send(&f, smtpd, PROGRAM_ASK, &w, message);
}

/* The reply's digits: 4510300; 0 for a message that was taken. */
static int
take_answer(void)
{
	const struct verdict *v = &answered.verdict;

	assert_int_equal(fixture_receive(&f, smtpd, 60 * SECOND_MS),
	    PROGRAM_ANSWER);
	assert_true(get_program_answer(&f.m.body, &answered));
	assert_true(slice_copy(told, sizeof told, answered.told));
	return v->code * 10000 + v->subject * 100 + v->detail;
}

static int
run(const char *command)
{
	probe_program(command);
	send_program(tx, 0);
	return take_answer();
}

static size_t
read_file(const char *name, char *to, size_t room)
{
	int fd = open(path_in(name), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, to, room - 1);

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* ---- tests ---- */

static void
test_every_exit_code(void **state)
{
	char command[64];

	(void)state;
	for (int code = 0; code <= 255; code++) {
		int want = code == 0 ? 0 : code == 67 ? 5500101 :
		    code == 69 ? 5500300 : code == 77 ? 5500701 : 4510300;
		char name[16];

		snprintf(command, sizeof command, "exit %d;", code);
		snprintf(name, sizeof name, "exit %d", code);
		if (run(command) != want || strcmp(told, name) != 0)
			fail_msg("%s is %u, %s", name, answered.verdict.code,
			    told);
	}
}

static void
test_every_signal(void **state)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL,
		SIGABRT, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM,
		SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ };
	char command[64], want[64];

	(void)state;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		snprintf(command, sizeof command, "echo bye; kill -%d $$;",
		    signals[i]);
		snprintf(want, sizeof want, "killed by signal %d ",
		    signals[i]);
		assert_int_equal(run(command), 4510300);
		assert_memory_equal(told, want, strlen(want));
		assert_non_null(strstr(told, ": bye"));
	}
}

static void
test_whole_message_once(void **state)
{
	static char got[sizeof text + 1000];
	char command[200];
	size_t n;
	const char *top = "Return-Path: <" MAIL_FROM ">\n"
	    "Delivered-To: bob@example.org\n"
	    "Received: from client\n\tby mx\n";

	(void)state;
	snprintf(command, sizeof command, "cat >> %s", path_in("got"));
	assert_int_equal(run(command), 0);
	n = read_file("got", got, sizeof got);
	assert_int_equal(n, strlen(top) + sizeof text);
	assert_memory_equal(got, top, strlen(top));
	assert_memory_equal(got + strlen(top), text, sizeof text);
}

/* Words alone are executed, without a shell in between. */
static void
test_without_a_shell(void **state)
{
	char command[200], got[32];

	(void)state;
	snprintf(command, sizeof command, "/usr/bin/install -m 600  /dev/null "
	    "%s", path_in("made"));
	assert_int_equal(run(command), 0);
	assert_int_equal(access(path_in("made"), F_OK), 0);
	assert_int_equal(read_file("made", got, sizeof got), 0);
	assert_int_equal(run("/usr/bin/no-such-program -x"), 4510300);
	assert_string_equal(told, "it cannot be run: No such file or "
	    "directory");
	assert_int_equal(run("/etc/passwd"), 4510300);
	assert_string_equal(told, "it cannot be run: Permission denied");
	assert_int_equal(run("true"), 4510300);
}

static void
test_environment(void **state)
{
	char command[400], got[4000];
	static const char *const lines[] = { "PATH=/usr/local/bin:/usr/bin:"
	    "/bin\n", "SENDER=" MAIL_FROM "\n",
	    "RECIPIENT=bob@example.org\n", "LOCAL=bob\n",
	    "DOMAIN=example.org\n", "SHELL=/bin/sh\n", "umask=0077\n",
	    "pwd=/\n", "fds=0 1 2 3 \n", "core=0\n" };

	(void)state;
	setenv("POSTERN_SECRET", "x", 1);
	snprintf(command, sizeof command, "{ env; echo umask=`umask`; echo "
	    "pwd=`pwd`; echo fds=`ls /proc/self/fd` ''; echo core=`ulimit "
	    "-c`; echo uid=`id -u`; echo groups=`id -G`; echo nnp=`grep -c "
	    "'NoNewPrivs:.1' /proc/self/status`; echo caps=`grep -c "
	    "'Cap[IPEA].*0000000000000000' /proc/self/status`; } > %s",
	    path_in("env"));
	assert_int_equal(run(command), 0);
	read_file("env", got, sizeof got);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (strstr(got, lines[i]) == NULL)
			fail_msg("no %s in:\n%s", lines[i], got);
	assert_null(strstr(got, "POSTERN_SECRET"));
	assert_null(strstr(got, "EXTENSION"));
	assert_non_null(strstr(got, "nnp=1\n"));
	if (!f.is_privileged)
		return;
	assert_non_null(strstr(got, "uid=65534\n"));
	assert_non_null(strstr(got, "groups=65534\n"));
	assert_non_null(strstr(got, "USER=nobody\n"));
	assert_non_null(strstr(got, "caps=4\n"));
}

static void
test_first_line_of_a_refusal(void **state)
{
	(void)state;
	assert_int_equal(run("printf '\\n  no\\ttoday\\001, thanks\\nx\\n'; "
	    "exit 77"), 5500701);
	assert_string_equal(answered.verdict.text, "no today , thanks");
	assert_string_equal(told, "exit 77: no today , thanks");
	/* nobody outside learns what it wrote otherwise */
	assert_int_equal(run("echo secret >&2; exit 75"), 4510300);
	assert_null(strstr(answered.verdict.text, "secret"));
	assert_string_equal(told, "exit 75: secret");
	assert_int_equal(run("echo secret; exit 67"), 5500101);
	assert_null(strstr(answered.verdict.text, "secret"));
}

static void
test_it_need_not_read(void **state)
{
	(void)state;
	assert_int_equal(run("/bin/true"), 0);
	assert_int_equal(run("exec 0<&-; sleep 0.2; exit 0"), 0);
	assert_int_equal(run("head -c 10 > /dev/null"), 0);
	/* a pipe that breaks between its own parts is its own affair */
	assert_int_equal(run("yes | head -c 10 > /dev/null"), 0);
}

static int64_t
now_ms(void)
{
	return clock_monotonic_us() / 1000;
}

static void
test_hang(void **state)
{
	int64_t begin = now_ms();

	(void)state;
	assert_int_equal(run("trap '' TERM HUP INT; echo here; while :; do "
	    "sleep 100; done"), 4510300);
	assert_in_range(now_ms() - begin, 2000, 9000);
	assert_string_equal(told, "still running after 2 s "
	    "(program_timeout): killed: here");
}

static void
test_flood(void **state)
{
	int64_t begin = now_ms();

	(void)state;
	assert_int_equal(run("yes"), 4510300 );
	assert_int_equal(run("yes;"), 4510300);
	assert_string_equal(told, "wrote more than 8192 octets "
	    "(program_output): killed: y");
	/* also as its last words */
	assert_int_equal(run("head -c 8193 /dev/zero; exit 0"), 4510300);
	assert_int_equal(run("head -c 8192 /dev/zero; exit 0"), 0);
	assert_true(now_ms() - begin < 20000);
}

static void
test_memory(void **state)
{
	(void)state;
	assert_int_equal(run("/usr/bin/python3 -c 'x = bytearray(200 << 20)'"),
	    4510300);
	assert_non_null(strstr(told, "exit 1"));
	assert_int_equal(run("/usr/bin/python3 -c 'x = bytearray(20 << 20)'"),
	    0);
}

static bool
is_alive(const char *file)
{
	char got[32], path[64];

	if (read_file(file, got, sizeof got) == 0)
		fail_msg("%s was not written", file);
	snprintf(path, sizeof path, "/proc/%ld", strtol(got, NULL, 10));
	return access(path, F_OK) == 0;
}

/* What stays behind does not stay, nor hold the answer up. */
static void
test_daemon_with_our_descriptors(void **state)
{
	char command[300];
	int64_t begin = now_ms();

	(void)state;
	snprintf(command, sizeof command, "setsid sh -c 'trap \"\" HUP TERM; "
	    "(setsid sleep 55 & echo $! > %s); echo $$ > %s; sleep 66' & "
	    "sleep 0.3; exit 0", path_in("a"), path_in("b"));
	assert_int_equal(run(command), 0);
	assert_true(now_ms() - begin < 5000);
	assert_false(is_alive("a"));
	assert_false(is_alive("b"));
	assert_string_equal(told, "exit 0, what it left running was killed");
	assert_int_equal(run("sleep 0.1 & wait; exit 0"), 0);
	assert_string_equal(told, "exit 0");
}

static void
test_fork_bomb_ends(void **state)
{
	(void)state;
	if (!f.is_privileged)
		return;
	assert_int_equal(run("b() { b & b & sleep 9; }; b; sleep 9"),
	    4510300);
	assert_int_equal(run("/bin/true"), 0);
}

static void
test_line(void **state)
{
	uint32_t ids[7];
	uint64_t numbers[7];
	int64_t begin = now_ms();
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 7; i++) {
		probe_program("sleep 0.5;");
		numbers[i] = tx;
	}
	for (int i = 0; i < 7; i++)
		ids[i] = send_program(numbers[i], 0);
	for (int i = 0; i < 7; i++) {
		assert_int_equal(take_answer(), 0);
		for (int j = 0; j < 7; j++)
			n += ids[j] == f.m.id;
	}
	assert_int_equal(n, 7);
	/* three at a time */
	assert_in_range(now_ms() - begin, 1500, 9000);
}

/* In a mailbox too: prepared before, committed after it. */
static void
test_beside_a_mailbox(void **state)
{
	static struct ipc_writer w;
	static struct outcome outcome;
	char maildir[100];
	struct fixture_box box = { .uid = f.is_privileged ? 61001 :
		geteuid(), .gid = f.is_privileged ? 61001 : getegid(),
		.home = path_in("alice"), .maildir = maildir };
	struct fixture_probe p = { .command = "/bin/false", .tx = ++tx,
		.boxes = &box, .n_boxes = 1 };

	(void)state;
	snprintf(maildir, sizeof maildir, "%s/alice/Maildir", base);
	assert_int_equal(mkdir(box.home, 0700), 0);
	if (f.is_privileged)
		assert_int_equal(chown(box.home, 61001, 61001), 0);
	for (int i = 0; i < 2; i++) {
		p.command = i == 0 ? "/bin/false" : "/bin/true";
		p.tx = ++tx;
		assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
		fixture_put_prepare(&w, tx, i == 0 ? "1.Q1" : "1.Q2", 1,
		    false, sizeof text);
		assert_int_equal(fixture_prepare(&f, smtpd, &w, message,
		    &outcome), 0);
		send_program(tx, 0);
		assert_int_equal(take_answer(), i == 0 ? 4510300 : 0);
		if (i == 1)
			assert_int_equal(fixture_commit(&f, smtpd, tx,
			    &outcome), 0);
	}
}

/* ---- liars, and processes that die ---- */

static void
expect_closed(void)
{
	assert_int_equal(fixture_receive(&f, smtpd, 5000), 0);
	close(smtpd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
}

static void
test_lying_smtpd(void **state)
{
	struct fixture_probe p = { .command = NULL };
	static struct ipc_writer w;
	struct program_ask ask = { .message_size = sizeof text - 1,
		.return_path = SLICE(""), .trace = SLICE("") };

	(void)state;
	send_program(++tx, 0);			/* of no transaction */
	assert_int_equal(take_answer(), 4510300);
	p.tx = ++tx;				/* of a route without one */
	assert_int_equal(fixture_probe(&f, smtpd, &p), 0);
	send_program(tx, 0);
	expect_closed();
	probe_program("/bin/true");		/* of another recipient */
	send_program(tx, 1);
	expect_closed();
	probe_program("sleep 1;");		/* twice at a time */
	send_program(tx, 0);
	send_program(tx, 0);
	expect_closed();
	probe_program("/bin/true");		/* of another size */
	ask.transaction = tx;
	ipc_writer_init(&w);
	put_program_ask(&w, &ask);
	fixture_send(&f, smtpd, PROGRAM_ASK, &w, message);
	expect_closed();
	probe_program("/bin/true");		/* with lines of its own */
	ask.transaction = tx;
	ask.message_size = sizeof text;
	ask.return_path = SLICE("a@b>\nX: <");
	ipc_writer_init(&w);
	put_program_ask(&w, &ask);
	fixture_send(&f, smtpd, PROGRAM_ASK, &w, message);
	expect_closed();
	assert_int_equal(run("/bin/true"), 0);
}

/* Its asker is gone: it runs to its end, and nobody is confused. */
static void
test_smtpd_dies_meanwhile(void **state)
{
	char command[100], got[8];

	(void)state;
	snprintf(command, sizeof command, "sleep 0.5; echo x > %s",
	    path_in("end"));
	probe_program(command);
	send_program(tx, 0);
	usleep(100000);
	close(smtpd);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
	assert_int_equal(run("sleep 1;"), 0);
	assert_int_equal(read_file("end", got, sizeof got), 2);
}

static pid_t
parent_of(pid_t pid)
{
	char path[64], line[512], *at;
	long parent = 0;
	FILE *in;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	in = fopen(path, "r");
	if (in != NULL && fgets(line, sizeof line, in) != NULL &&
	    (at = strrchr(line, ')')) != NULL)
		parent = strtol(at + 4, NULL, 10);
	if (in != NULL)
		fclose(in);
	return (pid_t)parent;
}

/* A program that runs; its pid is in the file. */
static pid_t
begin_sleeper(const char *file)
{
	char command[200], got[32];

	snprintf(command, sizeof command, "echo $$ > %s; sleep 77;",
	    path_in(file));
	probe_program(command);
	send_program(tx, 0);
	for (int i = 0; i < 100 && read_file(file, got, sizeof got) == 0;
	    i++)
		usleep(20000);
	return (pid_t)strtol(got, NULL, 10);
}

static void
test_monitor_is_killed(void **state)
{
	pid_t program = begin_sleeper("p");

	(void)state;
	assert_int_equal(kill(parent_of(program), SIGKILL), 0);
	assert_int_equal(take_answer(), 4510300);
	assert_string_equal(told, "the process that watched it has died: "
	    "killed");
	for (int i = 0; i < 100 && is_alive("p"); i++)
		usleep(20000);
	assert_false(is_alive("p"));
	assert_int_equal(run("/bin/true"), 0);
}

static void
test_runner_is_killed(void **state)
{
	pid_t program = begin_sleeper("p");
	pid_t runner = parent_of(parent_of(program));

	(void)state;
	assert_int_equal(kill(runner, SIGKILL), 0);
	assert_int_equal(take_answer(), 4510300);
	for (int i = 0; i < 100 && is_alive("p"); i++)
		usleep(20000);
	assert_false(is_alive("p"));
	/* deliver ends, for the supervisor to start it anew */
	assert_int_equal(fixture_receive(&f, smtpd, 5000), 0);
	close(smtpd);
	(void)fixture_stop(&f);
	fixture_start(&f, STDERR_FILENO);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
	assert_int_equal(run("/bin/true"), 0);
}

static void
test_deliver_is_killed(void **state)
{
	int status;

	(void)state;
	begin_sleeper("p");
	kill(f.pid, SIGKILL);
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	close(f.supervisor);
	for (int i = 0; i < 200 && is_alive("p"); i++)
		usleep(20000);
	assert_false(is_alive("p"));
	close(smtpd);
	fixture_start(&f, STDERR_FILENO);
	smtpd = fixture_peer(&f, ROLE_SMTPD, 0);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_every_exit_code),
		TEST(test_every_signal),
		TEST(test_whole_message_once),
		TEST(test_without_a_shell),
		TEST(test_environment),
		TEST(test_first_line_of_a_refusal),
		TEST(test_it_need_not_read),
		TEST(test_hang),
		TEST(test_flood),
		TEST(test_memory),
		TEST(test_daemon_with_our_descriptors),
		TEST(test_fork_bomb_ends),
		TEST(test_line),
		TEST(test_beside_a_mailbox),
		TEST(test_lying_smtpd),
		TEST(test_smtpd_dies_meanwhile),
		TEST(test_monitor_is_killed),
		TEST(test_runner_is_killed),
		TEST(test_deliver_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
