/* SPDX-License-Identifier: ISC */
/*
 * main.c - the program `postern`: the supervisor, the check of a
 * configuration (-n), and, re-executed by the supervisor, each compartment
 * (-c). See postern(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "supervisor.h"

#define DEFAULT_CONFIG "/etc/postern/postern.conf"
#define CONFIG_MAX_OCTETS (1 << 20)
#define VERSION "0.1"

static int (*const compartment_mains[ROLE_COUNT])(void) = {
	[ROLE_STORE] = store_main,
	[ROLE_VAULT] = vault_main,
	[ROLE_DELIVER] = deliver_main,
	[ROLE_DIRECTORY] = directory_main,
	[ROLE_SMTPD] = smtpd_main,
	[ROLE_CONTROL] = control_main,
	[ROLE_COMPILER] = compiler_main,
};

void
problems_print(const char *path, struct config_problems *problems,
    bool is_quiet)
{
	config_problems_sort(problems);
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_problem *p = &problems->items[i];

		if (is_quiet && p->is_warning)
			continue;
		fprintf(stderr, "%s:", path);
		if (p->line > 0)
			fprintf(stderr, "%u:", p->line);
		fprintf(stderr, " %s%s\n", p->is_warning ? "warning: " : "",
		    p->text);
	}
}

/* The whole file into buf; 0 or a negative errno. */
static int
read_file(const char *path, struct buf *text)
{
	char block[8192];
	ssize_t n;
	int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	text->maximum = CONFIG_MAX_OCTETS;
	while (!error && (n = read(fd, block, sizeof block)) != 0)
		error = n < 0 ? -errno : buf_append(text, block, (size_t)n);
	close(fd);
	return error;
}

static struct config *
load(const char *path, struct buf *text, struct config_problems *problems)
{
	int error = read_file(path, text);

	if (error) {
		fprintf(stderr, "%s: %s\n", path, error == -ENOBUFS ?
		    "larger than 1 MiB" : strerror(-error));
		return NULL;
	}
	return config_parse(text->data ? buf_slice(text) : SLICE(""),
	    problems);
}

static int
sealed_copy(const struct buf *text)
{
	int fd = memfd_create("postern-config", MFD_CLOEXEC |
	    MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (write(fd, text->data, text->size) == (ssize_t)text->size &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
	    F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

void
generation_free(struct generation **generation)
{
	if (*generation == NULL)
		return;
	config_free(&(*generation)->config);
	if ((*generation)->config_fd >= 0)
		close((*generation)->config_fd);
	certificates_close((*generation)->certificates);
	free(*generation);
	*generation = NULL;
}

struct generation *
generation_load(const char *path, uint16_t number, bool is_quiet)
{
	struct generation *new = calloc(1, sizeof *new);
	struct config_problems problems = { 0 };
	struct buf text = { 0 };

	if (new == NULL)
		return NULL;
	new->number = number;
	new->config_fd = -1;
	certificates_init(new->certificates);
	new->config = load(path, &text, &problems);
	problems_print(path, &problems, is_quiet);
	config_problems_free(&problems);
	if (new->config != NULL) {
		new->config_fd = sealed_copy(&text);
		new->config_size = text.size;
	}
	buf_free(&text);
	if (new->config == NULL || new->config_fd < 0)
		generation_free(&new);
	return new;
}

/* The parts of check_outside that need no tables. */
static int
check_certificates(const struct config *config,
    struct config_problems *problems)
{
	struct certificate certificates[CONFIG_MAX_TLS];
	bool is_privileged = geteuid() == 0;
	struct owner as = { 0, 0 };
	char name[128];
	struct passwd *pw;
	int error = 0;

	certificates_init(certificates);
	certificates_open(certificates, config, problems);
	snprintf(name, sizeof name, "%s%s", config->user_prefix,
	    role_name(ROLE_VAULT));
	pw = is_privileged ? getpwnam(name) : NULL;
	if (pw != NULL)
		as = (struct owner){ pw->pw_uid, pw->pw_gid };
	/* that this user is missing has been said */
	if (!is_privileged || as.uid != 0)
		error = certificates_check(certificates, config,
		    is_privileged ? &as : NULL, problems);
	certificates_close(certificates);
	return error;
}

/* postern -n: everything that is wrong, in one run. */
static int
check(const char *path)
{
	struct config_problems problems = { 0 };
	struct buf text = { 0 };
	struct config *config = load(path, &text, &problems);
	bool has_error = config == NULL;
	int error = 0;

	if (config != NULL)
		error = check_outside(config, geteuid() == 0, &problems);
	if (config != NULL && !error)
		error = check_certificates(config, &problems);
	problems_print(path, &problems, false);
	if (error)
		fprintf(stderr, "%s: what lies outside of it could not be "
		    "checked: %s\n", path, strerror(-error));
	has_error |= error != 0 || config_problems_has_error(&problems);
	if (!has_error)
		printf("%s: no errors\n", path);
	config_problems_free(&problems);
	config_free(&config);
	buf_free(&text);
	return has_error;
}

static int
run_compartment(const char *name)
{
	enum role role;

	if (!role_of_name(name, &role) || compartment_mains[role] == NULL) {
		fprintf(stderr, "postern: no compartment \"%s\"\n", name);
		return 2;
	}
	return compartment_mains[role]();
}

#ifdef __SANITIZE_ADDRESS__
/* Its leak check at exit stops all threads, which the sandbox forbids. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int
usage(void)
{
	fputs("usage: postern [-n] [-f FILE]\n"
	    "  -f FILE  configuration (" DEFAULT_CONFIG ")\n"
	    "  -n       check it and end\n"
	    "  -V       print the version\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	bool only_checks = false;
	int option;

	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return run_compartment(argv[2]);
	while ((option = getopt(argc, argv, "f:nV")) != -1) {
		switch (option) {
		case 'f':
			path = optarg;
			break;
		case 'n':
			only_checks = true;
			break;
		case 'V':
			puts("postern " VERSION);
			return 0;
		default:
			return usage();
		}
	}
	if (optind != argc)
		return usage();
	return only_checks ? check(path) : supervisor_run(path);
}
