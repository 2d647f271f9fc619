/* SPDX-License-Identifier: ISC */
/*
 * test_who.c - who is at the other end, by the kernel's word: of the sockets
 * that a listener has accepted, and of the others that an smtpd has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../../auth/who.h"
#include "log.h"
#include "table.h"

static char folder[] = "/tmp/postern-test-who-XXXXXX";
static struct config *config;
static int local, v4, v6;		/* listeners; v6 may be -1 */
static int elsewhere;			/* one that is none of ours */
static struct sockaddr_un local_at = { .sun_family = AF_UNIX };
static struct sockaddr_in v4_at = { .sin_family = AF_INET },
    elsewhere_at = { .sin_family = AF_INET };
static struct sockaddr_in6 v6_at = { .sin6_family = AF_INET6 };

/* ---- the system's users, of which libc's function is not asked ---- */

static int lookup_error;
static const char *lookup_name;

int
getpwuid_r(uid_t uid, struct passwd *passwd, char *room, size_t size,
    struct passwd **found)
{
	*found = NULL;
	if (lookup_name == NULL)
		return lookup_error;
	assert_int_equal(uid, getuid());
	assert_true((size_t)snprintf(room, size, "%s", lookup_name) < size);
	*passwd = (struct passwd){ .pw_name = room, .pw_uid = uid };
	*found = passwd;
	return 0;
}

/* ---- sockets ---- */

static int
listener(struct sockaddr *at, socklen_t size)
{
	int fd = socket(at->sa_family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, at, size) < 0) {
		assert_int_equal(at->sa_family, AF_INET6);
		return -1;
	}
	assert_int_equal(listen(fd, 8), 0);
	getsockname(fd, at, &size);
	return fd;
}

static const char *
config_text(void)
{
	static char text[2048];

	snprintf(text, sizeof(text), "hostname = \"mx.example.org\"\n"
	    "origin = \"example.org\"\npostmaster = \"alice@example.org\"\n"
	    "state_dir = \"/x\"\ntls \"mx.example.org\" { certificate = \"/c\" "
	    "key = \"/k\" }\n"
	    "listen \"127.0.0.1:25\" { role = mx }\n"
	    "listen \"unix:%s\" { role = local }\n"
	    "listen \"127.0.0.1:%u\" { role = submission }\n"
	    "listen \"[::1]:%u\" { role = submission }\n"
	    "listen \"127.0.0.1:%u\" { role = mx }\n"
	    "domain \"example.org\" { users = \"table:/x/users\" "
	    "mailbox = \"/x/%%u\" owner = \"vmail\" }\n"
	    "submitter \"127.0.0.2\" { as = \"printer@example.org\" }\n"
	    "submitter \"127.0.0.0/8\" { as = \"scanner@example.org\" }\n"
	    "submitter \"::1\" { as = \"six@example.org\" }\n"
	    "submitter \"127.0.0.2/31\" { as = \"late@example.org\" }\n",
	    local_at.sun_path, ntohs(v4_at.sin_port), v6 < 0 ? 1 :
	    ntohs(v6_at.sin6_port), ntohs(elsewhere_at.sin_port));
	return text;
}

static int
set_up(void **state)
{
	struct config_problems problems;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(local_at.sun_path, sizeof(local_at.sun_path), "%s/local",
	    folder);
	v4_at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	elsewhere_at.sin_addr = v4_at.sin_addr;
	v6_at.sin6_addr = in6addr_loopback;
	local = listener((struct sockaddr *)&local_at, sizeof(local_at));
	v4 = listener((struct sockaddr *)&v4_at, sizeof(v4_at));
	v6 = listener((struct sockaddr *)&v6_at, sizeof(v6_at));
	elsewhere = listener((struct sockaddr *)&elsewhere_at,
	    sizeof(elsewhere_at));
	config = config_parse(slice_of(config_text()), &problems);
	for (size_t i = 0; config == NULL && i < problems.n; i++)
		config_problem_print(&problems.items[i], stderr, "config");
	config_problems_free(&problems);
	return config == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	close(local);
	close(v4);
	close(v6);
	close(elsewhere);
	unlink(local_at.sun_path);
	rmdir(folder);
	config_free(&config);
	return 0;
}

/* The two ends of a connection to a listener, from an address or any. */
static void
connect_from(int ends[2], int to, const char *from)
{
	union {
		struct sockaddr generic;
		struct sockaddr_in v4;
		struct sockaddr_storage any;
	} at, source = { .v4 = { .sin_family = AF_INET } };
	socklen_t size = sizeof(at);

	assert_int_equal(getsockname(to, &at.generic, &size), 0);
	ends[0] = socket(at.generic.sa_family, SOCK_STREAM, 0);
	if (from != NULL) {
		assert_int_equal(inet_pton(AF_INET, from,
		    &source.v4.sin_addr), 1);
		assert_int_equal(bind(ends[0], &source.generic,
		    sizeof(source.v4)), 0);
	}
	assert_int_equal(connect(ends[0], &at.generic, size), 0);
	ends[1] = accept(to, NULL, NULL);
	assert_true(ends[1] >= 0);
}

static void
close_both(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void
assert_nobody(int fd)
{
	struct account account;

	assert_int_equal(who_is(&account, config, fd), AUTH_NOT_A_USER);
}

/* ---- tests ---- */

static void
test_local(void **state)
{
	struct account account;
	int ends[2];

	(void)state;
	lookup_name = "Alice";
	connect_from(ends, local, NULL);
	assert_int_equal(who_is(&account, config, ends[1]), AUTH_OK);
	assert_string_equal(account.key, "Alice");
	assert_string_equal(account.user, "Alice");
	assert_string_equal(account.address, "Alice@example.org");
	close_both(ends);
}

/* Who has no name is refused; any errno is a service that may have one. */
static void
test_lookups(void **state)
{
	static const struct {
		int error;
		enum auth_result want;
	} rows[] = { { 0, AUTH_NOT_A_USER }, { ENOENT, AUTH_UNAVAILABLE },
		{ EPERM, AUTH_UNAVAILABLE }, { EIO, AUTH_UNAVAILABLE },
		{ EMFILE, AUTH_UNAVAILABLE }, { ENOMEM, AUTH_UNAVAILABLE },
		{ ERANGE, AUTH_UNAVAILABLE }, { EINTR, AUTH_UNAVAILABLE },
		{ ECONNREFUSED, AUTH_UNAVAILABLE } };
	struct account account;
	int ends[2];

	(void)state;
	connect_from(ends, local, NULL);
	lookup_name = NULL;
	for (size_t i = 0; i < N_OF(rows); i++) {
		lookup_error = rows[i].error;
		CHECK(strerror(rows[i].error), who_is(&account, config,
		    ends[1]) == rows[i].want);
	}
	/* another's, by his look */
	lookup_name = "alice@example.org";
	assert_nobody(ends[1]);
	close_both(ends);
}

/*
 * SO_PEERCRED has an answer for all of these, and it is whoever made them:
 * of what smtpd has, the supervisor.
 */
static void
test_other_unix_sockets(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int ends[2], other;

	(void)state;
	lookup_name = "root";
	assert_nobody(local);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_nobody(ends[0]);
	close_both(ends);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_nobody(ends[0]);
	close_both(ends);
	/* the near end of a connection, as to clamd or LMTP */
	connect_from(ends, local, NULL);
	assert_nobody(ends[0]);
	close_both(ends);
	/* and one that somebody else's listener has accepted */
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/locals", folder);
	other = listener((struct sockaddr *)&at, sizeof(at));
	connect_from(ends, other, NULL);
	assert_nobody(ends[1]);
	close_both(ends);
	close(other);
	unlink(at.sun_path);
	assert_int_equal(pipe(ends), 0);
	assert_nobody(ends[0]);
	close_both(ends);
}

static void
assert_submitter(int to, const char *from, const char *want)
{
	struct account account;
	int ends[2];

	connect_from(ends, to, from);
	assert_int_equal(who_is(&account, config, ends[1]), AUTH_OK);
	assert_string_equal(account.user, want);
	assert_string_equal(account.address, want);
	close_both(ends);
}

/* The first section that has the address counts. */
static void
test_submitters(void **state)
{
	(void)state;
	assert_submitter(v4, "127.0.0.1", "scanner@example.org");
	assert_submitter(v4, "127.0.0.2", "printer@example.org");
	assert_submitter(v4, "127.0.0.3", "scanner@example.org");
	if (v6 >= 0)
		assert_submitter(v6, NULL, "six@example.org");
}

static void
test_no_submitter(void **state)
{
	struct account account;
	char *as = config->submitters[1].as;
	int ends[2];

	(void)state;
	assert_nobody(v4);
	/* where we connected to somebody, such as clamd by TCP */
	connect_from(ends, elsewhere, NULL);
	assert_nobody(ends[0]);
	assert_nobody(ends[1]);		/* role = mx */
	close_both(ends);
	connect_from(ends, v4, NULL);
	assert_nobody(ends[0]);
	/* a name that nobody can have, whatever checked it */
	config->submitters[1].as = as + strlen(as);
	assert_nobody(ends[1]);
	config->submitters[1].as = as;
	assert_int_equal(who_is(&account, config, ends[1]), AUTH_OK);
	/* no network has it */
	config->n_submitters = 1;
	assert_nobody(ends[1]);
	config->n_submitters = 4;
	close_both(ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_other_unix_sockets),
		cmocka_unit_test(test_submitters),
		cmocka_unit_test(test_no_submitter),
	};

	log_open("test", open("/dev/null", O_WRONLY | O_CLOEXEC),
	    LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
