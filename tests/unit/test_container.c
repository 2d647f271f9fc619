/* SPDX-License-Identifier: ISC */
/*
 * test_container.c - inside a container's own filter, which answers EPERM for
 * the system calls that are newer than its list: Docker before 20.10.6,
 * podman of Debian 11. What uses them has another way.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../deliver/maildir.h"
#include "file_io.h"
#include "table.h"

typedef void in_container_fn(void);

static char base[64];

static int
set_up(void **state)
{
	(void)state;
	strcpy(base, "/tmp/postern-container-XXXXXX");
	return mkdtemp(base) == NULL;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command);
}

static void
load_filter(void)
{
	static const int unknown[] = { SCMP_SYS(close_range),
		SCMP_SYS(faccessat2), SCMP_SYS(openat2) };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL)
		_exit(90);
	for (size_t i = 0; i < N_OF(unknown); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), unknown[i],
		    0) != 0)
			_exit(91);
	if (seccomp_load(ctx) != 0 ||
	    close_range(~0u, ~0u, 0) == 0 || errno != EPERM)
		_exit(92);
}

/* Its exit status: 0, or which line of it was not as promised. */
static int
in_container(in_container_fn *run)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		load_filter();
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
close_from(void)
{
	int kept = open("/dev/null", O_RDONLY);
	int low = dup(kept), high = fcntl(kept, F_DUPFD, 200);

	file_close_from(low);
	if (fcntl(kept, F_GETFD) < 0)
		_exit(1);
	if (fcntl(low, F_GETFD) >= 0)
		_exit(2);
	if (fcntl(high, F_GETFD) >= 0)
		_exit(3);
}

static void
test_close_from(void **state)
{
	(void)state;
	assert_int_equal(in_container(close_from), 0);
}

static void
use_mailbox(void)
{
	static struct maildir m;
	char path[128];

	snprintf(path, sizeof path, "%s/Maildir", base);
	if (maildir_open(&m, path, base, true) != 0)
		_exit(1);
	if (maildir_check(&m, 1) != 0)
		_exit(2);
}

static void
test_mailbox(void **state)
{
	(void)state;
	assert_int_equal(in_container(use_mailbox), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_from),
		cmocka_unit_test(test_mailbox),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
