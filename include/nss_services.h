/* SPDX-License-Identifier: ISC */
/*
 * nss_services.h - the services that know users of the system, one by one.
 *
 * getpwnam_r asks those of nsswitch.conf(5) in turn, and tells how the last
 * one of them ended. With "files sss systemd" a user whom sss knows is, while
 * sssd is down, nobody: systemd has never heard of him. That would be a 550
 * for every user of a directory service, so each is asked by itself here, and
 * one that does not answer makes the whole answer unknown. Not for threads.
 */
#ifndef POSTERN_NSS_SERVICES_H
#define POSTERN_NSS_SERVICES_H

#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "buf.h"

#define NSS_SERVICES_MAX 8
#define NSS_NAME_SIZE 32
#define NSS_LINE_SIZE 512

struct nss_services {
	size_t n;		/* 0: getpwnam_r is asked as it is */
	char line[NSS_LINE_SIZE];	/* as it stands there, behind ":" */
	char names[NSS_SERVICES_MAX][NSS_NAME_SIZE];
	/* "[NOTFOUND=return]": whom it does not know nobody does */
	bool is_last_word[NSS_SERVICES_MAX];
	/* of the last question: the last that did not answer, or "" */
	const char *silent;
};

/*
 * Read the services of "passwd" from the text of an nsswitch.conf. n is 0
 * where there is no such line, or one that says more than can be asked one
 * by one ([SUCCESS=continue], more than NSS_SERVICES_MAX).
 */
void nss_services_read(struct nss_services *services, struct slice text);
/* The same of this host's; n is 0 too if it cannot be read. */
void nss_services_load(struct nss_services *services);

/*
 * As getpwnam_r: 0 with *found or with NULL, or an errno: one that might
 * know him did not answer, as services->silent says. A service that is not
 * installed knows nobody.
 */
int nss_find_user(struct nss_services *services, const char *name,
    struct passwd *pw, char *buffer, size_t size, struct passwd **found);
/* As getpwuid_r, in the same way. */
int nss_find_uid(struct nss_services *services, uid_t uid,
    struct passwd *pw, char *buffer, size_t size, struct passwd **found);

#endif
