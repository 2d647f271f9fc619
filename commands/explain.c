/* SPDX-License-Identifier: ISC */
/*
 * explain.c - see explain.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "explain.h"
#include "sealed.h"

#define MESSAGE_MAX (64u << 20)

static bool
complain(const char *path, int error)
{
	fprintf(stderr, "posternctl: %s: %s\n", path, strerror(error));
	return false;
}

/* Without the CR of each CR LF, as smtpd keeps a message. */
static bool
read_message(const char *path, struct buf *text)
{
	char block[16384];
	ssize_t n = 0;
	bool was_cr = false;
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) :
	    open(path, O_RDONLY | O_CLOEXEC);

	text->maximum = MESSAGE_MAX;
	while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (was_cr && block[i] == '\n')
				text->size--;
			was_cr = block[i] == '\r';
			if (buf_append(text, &block[i], 1) != 0) {
				close(fd);
				return complain(path, EFBIG);
			}
		}
	if (fd < 0 || n < 0)
		complain(path, errno);
	if (fd >= 0)
		close(fd);
	return fd >= 0 && n == 0;
}

static bool
seal_message(const char *path, int *fd)
{
	struct buf text = { 0 };

	if (!read_message(path, &text)) {
		buf_free(&text);
		return false;
	}
	*fd = sealed_of_text("explain", buf_slice(&text));
	if (*fd < 0)
		complain(path, -*fd);
	buf_free(&text);
	return *fd >= 0;
}

/* "--ip" is sent as "ip=". */
static bool
is_option(const char *word)
{
	static const char *const options[] = { "--ip", "--helo", "--from",
		"--to" };

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcmp(word, options[i]) == 0)
			return true;
	return false;
}

/* A space would begin another word, but for "a b"@example.org. */
static bool
is_one_word(const char *value)
{
	return strpbrk(value, "\r\n") == NULL &&
	    (*value == '"' || strchr(value, ' ') == NULL);
}

bool
explain_request(char **words, struct buf *line, int *fd)
{
	*fd = -1;
	buf_puts(line, "explain");
	for (char **word = words + 1; *word != NULL; word++) {
		if (strcmp(*word, "--json") == 0) {
			buf_puts(line, " json");
			continue;
		}
		if (word[1] == NULL)
			return false;
		if (strcmp(*word, "--file") == 0) {
			if (*fd >= 0 || !seal_message(*++word, fd))
				return false;
			continue;
		}
		if (!is_option(*word) || !is_one_word(word[1]))
			return false;
		if (buf_printf(line, " %s=%s", *word + 2, word[1]) != 0)
			return false;
		word++;
	}
	return buf_puts(line, "\n") == 0;
}
