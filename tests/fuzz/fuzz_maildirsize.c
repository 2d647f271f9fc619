/* SPDX-License-Identifier: ISC */
/*
 * fuzz_maildirsize.c - input: the content of a quota file, which the
 * mailbox's owner can write at will. Reading it never fails: what makes no
 * sense is counted anew, and the mailbox here is empty.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "../../deliver/maildirsize.h"
#include "require.h"

#define QUOTA 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct maildir box;
static char base[] = "/tmp/fuzz-maildirsize-XXXXXX";
static char path[64];

static void
tidy(void)
{
	static const char *const parts[] = { "maildirsize", "tmp", "new",
		"cur", "." };

	if (chdir(path) != 0)
		return;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (unlink(parts[i]) != 0)
			(void)rmdir(parts[i]);
	(void)rmdir(path);
	(void)rmdir(base);
}

static void
set_up(void)
{
	if (path[0] != '\0')
		return;
	REQUIRE(mkdtemp(base) != NULL);
	snprintf(path, sizeof path, "%s/m", base);
	REQUIRE(maildir_open(&box, path, base, true) == 0);
	atexit(tidy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct maildirsize_quota quota = { .limit_bytes = QUOTA };
	uint64_t used = 1, again = 2;
	int fd;

	set_up();
	fd = openat(box.tmp_fd, "../maildirsize", O_CREAT | O_TRUNC |
	    O_WRONLY | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	REQUIRE(maildirsize_read(&box, &quota, &used) == 0);
	maildirsize_add(&box, 5);
	maildirsize_add(&box, -5);
	REQUIRE(maildirsize_read(&box, &quota, &again) == 0);
	REQUIRE(again == used || again == 0);
	return 0;
}
