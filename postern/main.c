/* SPDX-License-Identifier: ISC */
/*
 * main.c - the program `postern`: the supervisor, the check of a
 * configuration (-n), and, re-executed by the supervisor, each compartment
 * (-c). See postern(8).
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "backscatter.h"
#include "file_io.h"
#include "role_user.h"
#include "supervisor.h"

#define DEFAULT_CONFIG "/etc/postern/postern.conf"
#define VERSION "0.1"

static int (*const compartment_mains[ROLE_COUNT])(void) = {
	[ROLE_STORE] = store_main,
	[ROLE_VAULT] = vault_main,
	[ROLE_RESOLVER] = resolver_main,
	[ROLE_DELIVER] = deliver_main,
	[ROLE_DIRECTORY] = directory_main,
	[ROLE_POLICY] = policy_main,
	[ROLE_RELAY] = relay_main,
	[ROLE_AUTH] = auth_main,
	[ROLE_QUEUE] = queue_main,
	[ROLE_SMTPD] = smtpd_main,
	[ROLE_CONTROL] = control_main,
	[ROLE_COMPILER] = compiler_main,
};

static void
print_problems(const char *path, struct config_problems *problems)
{
	config_problems_finish(problems);
	for (size_t i = 0; i < problems->n; i++)
		config_problem_print(&problems->items[i], stderr, path);
}

/* The parts of check_outside that need no tables. */
static int
check_certificates(const struct config *config,
    struct config_problems *problems)
{
	struct certificate certificates[CONFIG_MAX_TLS];
	int dkim_fds[CONFIG_MAX_DKIM];
	bool is_privileged = geteuid() == 0;
	struct owner as = { 0, 0 };
	char name[ROLE_USER_SIZE];
	const struct passwd *pw;
	int error = 0;

	certificates_init(certificates);
	certificates_open(certificates, config, problems);
	pw = is_privileged ? role_user(config, ROLE_VAULT, name) : NULL;
	if (pw != NULL)
		as = (struct owner){ pw->pw_uid, pw->pw_gid };
	/* that this user is missing has been said */
	if (!is_privileged || as.uid != 0)
		error = certificates_check(certificates, config,
		    is_privileged ? &as : NULL, problems);
	certificates_close(certificates);
	dkim_keys_init(dkim_fds);
	dkim_keys_open(dkim_fds, config, problems);
	if (!error && (!is_privileged || as.uid != 0))
		error = dkim_keys_check(dkim_fds, config,
		    is_privileged ? &as : NULL, problems);
	dkim_keys_close(dkim_fds);
	return error;
}

/*
 * The file has errors: what it refers to is looked at in the same run, where
 * none of them can be the reason for what is found there.
 */
static void
check_the_rest(const struct buf *text, struct config_problems *problems)
{
	struct config *config = config_parse_to_check(buf_slice(text));

	if (config == NULL ||
	    check_outside(config, geteuid() == 0, problems) < 0 ||
	    check_certificates(config, problems) < 0)
		config_problem_add(problems, 0, true, "note: users, aliases "
		    "and certificates are looked at when these errors are "
		    "mended");
	config_free(&config);
}

/* postern -n: everything that is wrong, in one run; -a: asks next hops. */
static int
check(const char *path, bool asks)
{
	struct config_problems problems = { 0 };
	struct buf text = { 0 };
	struct config *config = generation_read(path, &text, &problems);
	bool has_error = config == NULL;
	int error = 0;

	if (config == NULL && text.data != NULL)
		check_the_rest(&text, &problems);
	if (config != NULL)
		error = check_outside(config, geteuid() == 0, &problems);
	if (config != NULL && !error)
		error = check_certificates(config, &problems);
	if (config != NULL && !error)
		error = host_check(config, geteuid() == 0, &problems);
	if (config != NULL) {
		backscatter_check(config, asks, &problems);
		endpoints_check(config, &problems);
	}
	if (config != NULL && !error && asks)
		error = next_hops_ask(config, geteuid() == 0, &problems);
	print_problems(path, &problems);
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
	fputs("usage: postern [-n [-a]] [-f FILE]\n"
	    "  -f FILE  configuration (" DEFAULT_CONFIG ")\n"
	    "  -n       check it and end\n"
	    "  -a       ask each next hop, too, whether it accepts everybody\n"
	    "  -V       print the version\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	bool only_checks = false, asks = false;
	int option;

	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return run_compartment(argv[2]);
	if (file_hold_standard() != 0)
		return 1;
	while ((option = getopt(argc, argv, "af:nV")) != -1) {
		switch (option) {
		case 'a':
			asks = true;
			break;
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
	if (optind != argc || (asks && !only_checks))
		return usage();
	/* each key and each certificate is one */
	file_raise_limit();
	return only_checks ? check(path, asks) : supervisor_run(path);
}
