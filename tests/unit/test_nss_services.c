/* SPDX-License-Identifier: ISC */
/*
 * test_nss_services.c - services of nsswitch.conf: how they are read, and that one
 * which is down makes nobody unknown. The services are this file's.
 */
#include <errno.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nss_services.h"
#include "table.h"

#define NO_LIBRARY (-1)		/* errno stays as it was */

static struct fake {
	const char *name;
	int error;
	const char *user;		/* whom it knows */
} fakes[] = {
	{ "files", 0, "root" }, { "down", ENOENT, NULL },
	{ "silent", EAGAIN, NULL }, { "ldap", 0, "alice" },
	{ "systemd", 0, NULL }, { "gone", NO_LIBRARY, NULL },
};

static char configured[NSS_LINE_SIZE], asked[256];
static int configure_error;

int
__nss_configure_lookup(const char *database, const char *line)
{
	assert_string_equal(database, "passwd");
	snprintf(configured, sizeof configured, "%s", line);
	errno = configure_error;
	return configure_error != 0 ? -1 : 0;
}

/* Of users by name; those of uids are called by them. */
static int
answer(const char *name, struct passwd *pw, struct passwd **found)
{
	*found = NULL;
	strcat(strcat(asked, configured), " ");
	for (size_t i = 0; i < sizeof fakes / sizeof *fakes; i++) {
		if (strcmp(fakes[i].name, configured) != 0)
			continue;
		if (fakes[i].user != NULL && strcmp(fakes[i].user, name) == 0)
			*found = pw;
		return fakes[i].error == NO_LIBRARY ? errno : fakes[i].error;
	}
	return errno;
}

int
getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size,
    struct passwd **found)
{
	(void)buffer;
	(void)size;
	return answer(name, pw, found);
}

int
getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t size,
    struct passwd **found)
{
	(void)buffer;
	(void)size;
	return answer(uid == 0 ? "root" : uid == 1000 ? "alice" : "bob", pw,
	    found);
}

static void
test_read(void **state)
{
	static const struct {
		const char *text, *names;	/* "!": the last word */
	} rows[] = {
		{ "passwd: files systemd\n", "files systemd" },
		{ "# passwd: no\n\tPasswd:files  sss # ldap\ngroup: x\n",
		    "files sss" },
		{ "group: files\n", "" }, { "", "" }, { "passwd:", "" },
		{ "passwd: files [NOTFOUND=return] ldap", "files! ldap" },
		{ "passwd: a[notfound=RETURN]b", "a! b" },
		{ "passwd: a [!UNAVAIL=return] b", "a! b" },
		{ "passwd: a [!NOTFOUND=return] b", "a b" },
		{ "passwd: a [UNAVAIL=return TRYAGAIN=continue] b", "a b" },
		{ "passwd: a [ SUCCESS=return  NOTFOUND=return ] b", "a! b" },
		{ "passwd: a [!SUCCESS=return] b", "a! b" },
		{ "passwd: a [NOTFOUND=return", "" },
		{ "passwd: a [SUCCESS=continue] b", "" },
		{ "passwd: a [SUCCESS=merge] b", "" },
		{ "passwd: a [NOTFOUND=perhaps] b", "" },
		{ "passwd: a [!NOTFOUND=continue] b", "" },
		{ "passwd: a [NOTFOUND] b", "" },
		{ "passwd: a ] b", "" }, { "passwd: [NOTFOUND=return] b", "" },
		{ "passwd: a b c d e f g h", "a b c d e f g h" },
		{ "passwd: a b c d e f g h i", "" },
		{ "passwd: a234567890123456789012345678901",
		    "a234567890123456789012345678901" },
		{ "passwd: a2345678901234567890123456789012", "" },
	};
	struct nss_services services;
	char names[NSS_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		nss_services_read(&services, slice_of(rows[i].text));
		names[0] = '\0';
		for (size_t k = 0; k < services.n; k++) {
			strcat(strcat(names, k > 0 ? " " : ""),
			    services.names[k]);
			if (services.is_last_word[k])
				strcat(names, "!");
		}
		CHECK(rows[i].text, strcmp(names, rows[i].names) == 0);
	}
}

static uid_t
uid_of(const char *user)
{
	return strcmp(user, "root") == 0 ? 0 : strcmp(user, "alice") == 0 ?
	    1000 : 1001;
}

static void
test_find(void **state)
{
	static const struct {
		const char *line, *user, *asked;
		bool is_found;
		int error;
		const char *silent;
	} rows[] = {
		{ "files ldap systemd", "root", "files ", true, 0, "" },
		{ "files ldap systemd", "alice", "files ldap ", true, 0, "" },
		{ "files ldap systemd", "bob", "files ldap systemd ", false,
		    0, "" },
		/* the one that is down might know him */
		{ "files down systemd", "bob", "files down systemd ", false,
		    ENOENT, "down" },
		{ "silent down systemd", "bob", "silent down systemd ",
		    false, ENOENT, "down" },
		{ "down silent", "bob", "down silent ", false, EAGAIN,
		    "silent" },
		{ "down ldap", "alice", "down ldap ", true, 0, "down" },
		{ "down systemd [NOTFOUND=return] ldap", "alice",
		    "down systemd ", false, ENOENT, "down" },
		{ "files [NOTFOUND=return] ldap", "alice", "files ", false,
		    0, "" },
		/* one that is not installed knows nobody, whatever errno was */
		{ "files gone", "bob", "files gone ", false, 0, "" },
	};
	struct nss_services services;
	struct passwd pw, *found;
	char buffer[64], text[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "passwd: %s\n", rows[i].line);
		nss_services_read(&services, slice_of(text));
		asked[0] = '\0';
		found = &pw;
		errno = EAGAIN;
		CHECK(rows[i].line, nss_find_user(&services, rows[i].user,
		    &pw, buffer, sizeof buffer, &found) == rows[i].error);
		CHECK(rows[i].line, (found != NULL) == rows[i].is_found);
		CHECK(rows[i].line, strcmp(asked, rows[i].asked) == 0);
		CHECK(rows[i].line, strcmp(services.silent,
		    rows[i].silent) == 0);
		/* for whoever lists all users */
		CHECK(rows[i].line, strcmp(configured, rows[i].line) == 0);
		/* by uid it is the same */
		found = &pw;
		errno = EAGAIN;
		CHECK(rows[i].line, nss_find_uid(&services, uid_of(
		    rows[i].user), &pw, buffer, sizeof buffer, &found) ==
		    rows[i].error);
		CHECK(rows[i].line, (found != NULL) == rows[i].is_found);
	}
}

static void
test_cannot_be_asked(void **state)
{
	struct nss_services services;
	struct passwd pw, *found;
	char buffer[64];

	(void)state;
	nss_services_read(&services, SLICE("passwd: files ldap\n"));
	configure_error = ENOMEM;
	assert_int_equal(nss_find_user(&services, "alice", &pw, buffer,
	    sizeof buffer, &found), ENOMEM);
	assert_null(found);
	configure_error = 0;
	/* no such line: as the C library has it */
	nss_services_read(&services, SLICE("group: files\n"));
	strcpy(configured, "ldap");
	asked[0] = '\0';
	assert_int_equal(nss_find_user(&services, "alice", &pw, buffer,
	    sizeof buffer, &found), 0);
	assert_ptr_equal(found, &pw);
	assert_string_equal(asked, "ldap ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
