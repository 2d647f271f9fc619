/* SPDX-License-Identifier: ISC */
/*
 * nss_services.c - see nss_services.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <string.h>
#include <unistd.h>
#include "nss_services.h"

#define NSSWITCH "/etc/nsswitch.conf"
#define NSSWITCH_MAX 16384

/* By name, or, where that is NULL, by uid; and where the answer goes. */
struct question {
	const char *name;
	uid_t uid;
	struct passwd *pw;
	char *buffer;
	size_t size;
};

/* ---- nsswitch.conf ---- */

static struct slice
cut(struct slice s, size_t n)
{
	return (struct slice){ s.data + n, s.size - n };
}

/* Behind "passwd:", without a comment; empty if there is none. */
static struct slice
find_line(struct slice text)
{
	const struct slice database = SLICE("passwd:");

	while (text.size > 0) {
		struct slice line = slice_next_line(&text);

		line.size = slice_find(line, '#');
		line = slice_trim(line);
		if (slice_starts_nocase(line, database))
			return slice_trim(cut(line, database.size));
	}
	return SLICE("");
}

static struct slice
next_word(struct slice *rest)
{
	struct slice word;
	size_t n = 0;

	*rest = slice_trim(*rest);
	while (n < rest->size && strchr(" \t[]", rest->data[n]) == NULL)
		n++;
	word = (struct slice){ rest->data, n };
	*rest = cut(*rest, n);
	return word;
}

/* One "STATUS=ACTION" or "!STATUS=ACTION". False: it can't be followed. */
static bool
take_action(struct slice word, bool *is_last_word)
{
	bool is_not = slice_starts_nocase(word, SLICE("!"));
	struct slice status, action;

	word = cut(word, is_not);
	status = (struct slice){ word.data, slice_find(word, '=') };
	action = cut(word, status.size < word.size ?
	    status.size + 1 : word.size);
	if (slice_equals_nocase(status, SLICE("SUCCESS"))) {
		/* any other end is the last word; or this one is not */
		*is_last_word |= is_not;
		return slice_equals_nocase(action, SLICE("return"));
	}
	if (!slice_equals_nocase(action, SLICE("return")))
		return slice_equals_nocase(action, SLICE("continue")) &&
		    !is_not;
	/* who does not answer ends it here in any case */
	*is_last_word |= slice_equals_nocase(status, SLICE("NOTFOUND")) !=
	    is_not;
	return true;
}

/* "[NOTFOUND=return TRYAGAIN=continue]", *rest at its "[". */
static bool
take_actions(struct slice *rest, bool *is_last_word)
{
	struct slice word;

	*rest = cut(*rest, 1);
	while ((word = next_word(rest)).size > 0)
		if (!take_action(word, is_last_word))
			return false;
	if (!slice_starts_nocase(*rest, SLICE("]")))
		return false;
	*rest = slice_trim(cut(*rest, 1));
	return true;
}

void
nss_services_read(struct nss_services *services, struct slice text)
{
	struct slice rest = find_line(text);
	size_t n = 0;

	memset(services, 0, sizeof *services);
	services->silent = "";
	if (!slice_copy(services->line, sizeof services->line, rest))
		return;
	while (rest.size > 0) {
		struct slice name = next_word(&rest);

		if (n == NSS_SERVICES_MAX || name.size == 0 || !slice_copy(
		    services->names[n], NSS_NAME_SIZE, name))
			return;
		rest = slice_trim(rest);
		if (slice_starts_nocase(rest, SLICE("[")) &&
		    !take_actions(&rest, &services->is_last_word[n]))
			return;
		n++;
	}
	services->n = n;
}

void
nss_services_load(struct nss_services *services)
{
	char text[NSSWITCH_MAX];
	int fd = open(NSSWITCH, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;

	if (fd >= 0)
		close(fd);
	nss_services_read(services, (struct slice){ text,
	    n > 0 ? (size_t)n : 0 });
}

/* ---- asking ---- */

/* A service without a library leaves errno alone: that is 0, nobody. */
static int
ask(const struct question *q, struct passwd **found)
{
	*found = NULL;
	errno = 0;
	return q->name != NULL ?
	    getpwnam_r(q->name, q->pw, q->buffer, q->size, found) :
	    getpwuid_r(q->uid, q->pw, q->buffer, q->size, found);
}

static int
ask_each(struct nss_services *services, const struct question *q,
    struct passwd **found)
{
	int error, unknown = 0;

	services->silent = "";
	if (services->n == 0)
		return ask(q, found);
	*found = NULL;
	for (size_t i = 0; i < services->n && *found == NULL; i++) {
		if (__nss_configure_lookup("passwd", services->names[i]) < 0)
			error = errno != 0 ? errno : EINVAL;
		else
			error = ask(q, found);
		if (error != 0) {
			services->silent = services->names[i];
			unknown = error;
		} else if (services->is_last_word[i]) {
			break;
		}
	}
	/* for whoever lists all of them */
	(void)__nss_configure_lookup("passwd", services->line);
	return *found != NULL ? 0 : unknown;
}

int
nss_find_user(struct nss_services *services, const char *name,
    struct passwd *pw, char *buffer, size_t size, struct passwd **found)
{
	return ask_each(services, &(struct question){ .name = name, .pw = pw,
	    .buffer = buffer, .size = size }, found);
}

int
nss_find_uid(struct nss_services *services, uid_t uid,
    struct passwd *pw, char *buffer, size_t size, struct passwd **found)
{
	return ask_each(services, &(struct question){ .uid = uid, .pw = pw,
	    .buffer = buffer, .size = size }, found);
}
