/* SPDX-License-Identifier: ISC */
/*
 * posternctl.c - the postmaster's command; see posternctl(8).
 *
 * It reads the configuration only to find state_dir, sends one line to the
 * control socket and prints the answer. Exit status: 0, 1 (the answer is
 * "no"), 2 (usage), 75 (the server cannot be reached, or cannot answer now),
 * 77 (who asks may not).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "config.h"
#include "control_client.h"
#include "complain.h"
#include "explain.h"
#include "file_io.h"
#include "mailq.h"
#include "pasted.h"
#include "visibly.h"

#define DEFAULT_CONFIG "/etc/postern/postern.conf"
#define REQUEST_MAX 1000
#define PASTED_MAX (64u << 10)

static int
usage(void)
{
	fputs("usage: posternctl [-f FILE] COMMAND\n"
	    "  status [json|prometheus]\n"
	    "                   compartments, sessions, counters\n"
	    "  why ID           the story behind the id in a reply or log\n"
	    "  route ADDRESS    how an address resolves, and from which line\n"
	    "  tables [accept|compile]\n"
	    "                   compiled tables; take shrunken ones; compile\n"
	    "  queue [DOMAIN|ADDRESS]\n"
	    "                   mail that waits to be sent to other hosts\n"
	    "  show ID          all about one message\n"
	    "  hold ID|all [for=TIME] [REASON]\n"
	    "                   let it rest; release ID|all ends that\n"
	    "  retry ID|all     try it now; flush [DOMAIN] tries all\n"
	    "  remove ID|all    forget it, and tell nobody\n"
	    "  sent [ID|ADDRESS]\n"
	    "                   what has left, and whether it was reported on\n"
	    "  relay            what was sent to other hosts, and how\n"
	    "  tls [yesterday]  what became of TLS, by domain and host\n"
	    "  dns NAME TYPE    look a name up, as the checks do\n"
	    "  explain --ip ADDRESS --helo NAME --from SENDER --to RECIPIENT\n"
	    "          [--file FILE] [--json]\n"
	    "                   what the checks would say, without mail\n"
	    "  reload           read the configuration again\n", stderr);
	return 2;
}

/* What is wrong with it: all of it for who wants it read anew. */
static void
tell_problems(const char *path, struct config_problems *problems,
    bool is_reload)
{
	config_problems_finish(problems);
	for (size_t i = 0; i < problems->n && is_reload; i++)
		if (!problems->items[i].is_warning)
			config_problem_print(&problems->items[i], stderr,
			    path);
	if (!is_reload)
		fprintf(stderr, "posternctl: %s has errors, which postern -n "
		    "-f %s shows\n", path, path);
}

/*
 * Where the server is, though the file has errors: it may run with what stood
 * there before. Only the file says it; another server must not be asked.
 */
static bool
find_state_dir(const char *path, bool is_reload,
    char state_dir[CONFIG_STATE_DIR_ROOM])
{
	struct config_problems problems = { 0 };
	struct buf text = { .maximum = CONFIG_MAX_BYTES };
	struct config *config = NULL;
	int error = file_read(path, &text);

	if (error)
		fprintf(stderr, "posternctl: %s: %s\n", path,
		    config_unread(error));
	else
		config = config_parse(text.data ? buf_slice(&text) :
		    SLICE(""), &problems);
	if (config_problems_has_error(&problems))
		tell_problems(path, &problems, is_reload);
	memcpy(state_dir, problems.state_dir, CONFIG_STATE_DIR_ROOM);
	config_free(&config);
	config_problems_free(&problems);
	buf_free(&text);
	return *state_dir != '\0';
}

/* Say what the postmaster can do about it; our exit status. */
static int
explain_failure(const char *path, const char *config_path, int error)
{
	if (error == EACCES || error == EPERM) {
		fprintf(stderr, "posternctl: %s: only root and members of "
		    "the admin group may ask\n", path);
		return EX_NOPERM;
	}
	if (error == ENOENT || error == ECONNREFUSED)
		fprintf(stderr, "posternctl: the server is not running (%s: "
		    "%s).\nStart it with `systemctl start postern`, or "
		    "`postern -f %s` to see why it does not start.\n", path,
		    strerror(error), config_path);
	else
		fprintf(stderr, "posternctl: %s: %s\n", path,
		    strerror(error));
	return EX_TEMPFAIL;
}

/* A connected socket, or -errno. */
static int
connect_server(const char *state_dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/control.sock", state_dir);
	return control_connect(path);
}

/* Who may not use the control socket may still ask what he has sent. */
static bool
is_of_anybody(char **words, int error)
{
	return (error == -EACCES || error == -EPERM) &&
	    strcmp(words[0], "sent") == 0 &&
	    (words[1] == NULL || words[2] == NULL);
}

static int
ask_as_user(const char *config_path, char **words)
{
	struct server_place place;

	complain_as("posternctl");
	server_place_find(&place, config_path);
	return mailq_sent(&place, words[1] != NULL ? words[1] : "");
}

static int
make_request(struct buf *line, char **words)
{
	for (char **word = words; *word != NULL; word++) {
		if (strpbrk(*word, "\r\n") != NULL ||
		    buf_printf(line, "%s%s", word == words ? "" : " ",
		    *word) != 0)
			return -1;
	}
	return buf_puts(line, "\n");
}

/* What is no id goes as it is: the server says what is wrong with it. */
static bool
make_why(struct buf *line, char **words)
{
	struct buf text = { .maximum = PASTED_MAX };
	struct slice id;
	bool is_good = true;

	for (char **word = words + 1; *word != NULL && is_good; word++)
		is_good = buf_printf(&text, "%s ", *word) == 0;
	if (is_good && pasted_id(&id, buf_slice(&text)))
		is_good = buf_printf(line, "why %.*s\n", (int)id.size,
		    id.data) == 0;
	else
		is_good = is_good && make_request(line, words) == 0;
	buf_free(&text);
	return is_good;
}

/* The server's status becomes ours. */
static int
print_reply(struct slice reply)
{
	int status = control_status(&reply);

	if (status < 0) {
		fputs("posternctl: the server did not answer\n", stderr);
		return EX_TEMPFAIL;
	}
	print_visibly(status == 0 ? stdout : stderr, reply);
	return fflush(stdout) == 0 ? status : 1;
}

static int
converse(int fd, const struct buf *line, int passed)
{
	struct buf reply = { 0 };
	int error = control_converse(fd, line, passed, &reply);
	int status = EX_TEMPFAIL;

	if (error == 0)
		status = print_reply(buf_slice(&reply));
	else
		fprintf(stderr, "posternctl: %s\n", strerror(-error));
	buf_free(&reply);
	return status;
}

static int
ask_server(const char *path, char **words, const struct buf *line, int passed)
{
	char state_dir[CONFIG_STATE_DIR_ROOM], to[PATH_MAX];
	int fd, status;

	if (!find_state_dir(path, strcmp(words[0], "reload") == 0, state_dir))
		return 1;
	fd = connect_server(state_dir, to);
	if (fd >= 0) {
		status = converse(fd, line, passed);
		close(fd);
	} else if (is_of_anybody(words, fd)) {
		status = ask_as_user(path, words);
	} else {
		status = explain_failure(to, path, -fd);
	}
	return status;
}

int
main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	struct buf line = { .maximum = REQUEST_MAX };
	int option, status, passed = -1;
	bool is_good;

	if (file_hold_standard() != 0)
		return EX_TEMPFAIL;
	while ((option = getopt(argc, argv, "+f:")) != -1) {
		if (option != 'f')
			return usage();
		path = optarg;
	}
	if (optind == argc)
		return usage();
	if (strcmp(argv[optind], "explain") == 0)
		is_good = explain_request(argv + optind, &line, &passed);
	else if (strcmp(argv[optind], "why") == 0)
		is_good = make_why(&line, argv + optind);
	else
		is_good = make_request(&line, argv + optind) == 0;
	if (!is_good)
		return usage();
	status = ask_server(path, argv + optind, &line, passed);
	buf_free(&line);
	return status;
}
