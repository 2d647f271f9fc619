/* SPDX-License-Identifier: ISC */
/*
 * directory_fixture.h - a configuration, its tables in a folder of their
 * own, and a system with users of our choice.
 *
 * In texts, "@" followed by "/" stands for the folder: "@/aliases".
 */
#ifndef POSTERN_TESTS_DIRECTORY_FIXTURE_H
#define POSTERN_TESTS_DIRECTORY_FIXTURE_H

#include <errno.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../directory/compile.h"
#include "../../directory/resolve.h"
#include "../../directory/state.h"
#include "clock.h"
#include "table.h"

/* ---- the system's users ---- */

static struct passwd system_users[] = {
	{ .pw_name = (char[]){ "root" }, .pw_uid = 0, .pw_gid = 0,
	    .pw_gecos = (char[]){ "root" }, .pw_dir = (char[]){ "/root" } },
	{ .pw_name = (char[]){ "alice" }, .pw_uid = 2001, .pw_gid = 2001,
	    .pw_gecos = (char[]){ "Alice Smith,1,2" },
	    .pw_dir = (char[]){ "/home/alice" } },
	{ .pw_name = (char[]){ "bob" }, .pw_uid = 2002, .pw_gid = 2002,
	    .pw_gecos = (char[]){ "Bob Smith" },
	    .pw_dir = (char[]){ "/home/bob" } },
	{ .pw_name = (char[]){ "daemon" }, .pw_uid = 1, .pw_gid = 1,
	    .pw_gecos = (char[]){ "Dae Mon" }, .pw_dir = (char[]){ "/" } },
	{ .pw_name = (char[]){ "nobody" }, .pw_uid = 65534, .pw_gid = 65534,
	    .pw_gecos = (char[]){ "nobody" }, .pw_dir = (char[]){ "/" } },
	{ .pw_name = (char[]){ "vmail" }, .pw_uid = 3000, .pw_gid = 3001,
	    .pw_gecos = (char[]){ "" }, .pw_dir = (char[]){ "/var/vmail" } },
	{ .pw_name = (char[]){ "tilde" }, .pw_uid = 2003, .pw_gid = 2003,
	    .pw_gecos = (char[]){ "" }, .pw_dir = (char[]){ "relative" } },
};

static int nss_error;			/* what getpwnam_r answers, or 0 */
static bool nss_ignores_case;
static char *nss_other_name;		/* what it says pw_name is, or NULL */
static unsigned nss_n_asked;
static size_t next_user;

int
getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size,
    struct passwd **found)
{
	(void)buffer;
	(void)size;
	*found = NULL;
	nss_n_asked++;
	for (size_t i = 0; nss_error == 0 && i < N_OF(system_users); i++)
		if ((nss_ignores_case ? strcasecmp : strcmp)(
		    system_users[i].pw_name, name) == 0) {
			*pw = system_users[i];
			if (nss_other_name != NULL)
				pw->pw_name = nss_other_name;
			*found = pw;
		}
	return nss_error;
}

void
setpwent(void)
{
	next_user = 0;
}

struct passwd *
getpwent(void)
{
	return next_user < N_OF(system_users) ? &system_users[next_user++] :
	    NULL;
}

void
endpwent(void)
{
}

/* ---- files ---- */

static char folder[64];

static int
remove_entry(const char *path, const struct stat *st, int type,
    struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void
fixture_close_folder(void)
{
	if (folder[0] != '\0')
		nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	folder[0] = '\0';
}

static void
fixture_open_folder(void)
{
	char path[128];

	fixture_close_folder();
	snprintf(folder, sizeof folder, "/tmp/postern-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof path, "%s/tables", folder);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* The caller frees it. */
static char *
fixture_text(const char *text)
{
	struct buf out = { 0 };

	for (; *text != '\0'; text++)
		if (text[0] == '@' && text[1] == '/')
			assert_int_equal(buf_puts(&out, folder), 0);
		else
			assert_int_equal(buf_append(&out, text, 1), 0);
	return out.data ? out.data : strdup("");
}

static void
fixture_write(const char *name, const char *text)
{
	char path[256], *expanded = fixture_text(text);
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(expanded, f) >= 0);
	assert_int_equal(fclose(f), 0);
	free(expanded);
}

/* ---- configuration ---- */

#define FIXTURE_HEAD "hostname = \"mx.example.org\"\n" \
	"origin = \"example.org\"\npostmaster = \"alice@example.org\"\n" \
	"state_dir = \"@/\"\nlisten \"127.0.0.1:2525\" { role = mx }\n"

static struct config *
fixture_config(const char *text)
{
	struct config_problems problems;
	char *expanded = fixture_text(text);
	struct config *config = config_parse(slice_of(expanded), &problems);

	if (config == NULL)
		fail_msg("line %u: %s", problems.items[0].line,
		    problems.items[0].text);
	config_problems_free(&problems);
	free(expanded);
	return config;
}

/* ---- everything ---- */

struct fixture {
	struct config *config;
	struct catalog *catalog;
	struct resolver *resolver;
};

static inline void
fixture_compile(struct fixture *f, bool accepts)
{
	for (size_t i = 0; i < f->catalog->specs.n; i++) {
		struct compile_result result;

		compile_table(&result, &f->catalog->specs.items[i],
		    f->config, accepts);
		if (result.outcome == COMPILE_FAILED && getenv("VERBOSE"))
			print_message("%s\n", result.problems.items[0].text);
		compile_result_free(&result);
	}
	catalog_open(f->catalog);
}

static inline void
fixture_start(struct fixture *f, const char *config, bool is_privileged)
{
	f->config = fixture_config(config);
	f->catalog = catalog_new(f->config, is_privileged);
	assert_non_null(f->catalog);
	fixture_compile(f, false);
	f->resolver = resolver_new(f->catalog);
	assert_non_null(f->resolver);
}

static inline void
fixture_stop(struct fixture *f)
{
	resolver_free(&f->resolver);
	catalog_free(&f->catalog);
	config_free(&f->config);
}

/* What an address becomes, as one line. */
static inline const char *
fixture_resolve(struct fixture *f, const char *address)
{
	static char text[4096];
	const char *at = strrchr(address, '@');
	struct slice local = { address, at ? (size_t)(at - address) :
		strlen(address) };
	const struct resolved *r = resolver_find(f->resolver, local,
	    slice_of(at ? at + 1 : ""), true);
	size_t used = 0;

	if (r->kind == ROUTE_REFUSE) {
		snprintf(text, sizeof text, "%u %u.%u.%u%s",
		    r->verdict.code, r->verdict.code / 100,
		    r->verdict.subject, r->verdict.detail,
		    r->is_unknown_user ? " unknown" : "");
		return text;
	}
	if (r->kind == ROUTE_DISCARD)
		return "discard";
	*text = '\0';
	for (size_t i = 0; i < r->n_leaves; i++)
		used += (size_t)snprintf(text + used, sizeof text - used,
		    "%s%.*s", i ? " " : "", (int)r->leaves[i].maildir.size,
		    r->leaves[i].maildir.data);
	if (r->kind == ROUTE_HOP)
		snprintf(text + used, sizeof text - used, "%s%s at %s%s%s",
		    used > 0 ? " " : "", r->hop_address, r->destination,
		    r->is_forward ? " forward" : "",
		    r->is_smart_host ? " smart" : "");
	if (r->kind == ROUTE_PROGRAM)
		snprintf(text + used, sizeof text - used, "%s|%.*s",
		    used > 0 ? " " : "", (int)r->program.size,
		    r->program.data);
	return text;
}

#endif
