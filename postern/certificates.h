/* SPDX-License-Identifier: ISC */
/*
 * certificates.h - certificates and private keys on their way from files to
 * smtpd and vault, for this folder only.
 */
#ifndef POSTERN_CERTIFICATES_H
#define POSTERN_CERTIFICATES_H

#include <stdbool.h>
#include <sys/types.h>
#include "config.h"

struct generation;

struct certificate {			/* sealed memfds, or -1 */
	int fd, key_fd;
};

struct owner {
	uid_t uid;
	gid_t gid;
};

/*
 * Copy a file into a sealed memfd, or -1 after adding the problem. what is
 * "certificate", or "key", which not everybody should be able to read.
 */
int certificate_copy(const char *what, const char *path, unsigned line,
    struct config_problems *problems);
void certificates_init(struct certificate *certificates);
void certificates_close(struct certificate *certificates);
/* Copy the files of each section tls; adds problems at its line. */
void certificates_open(struct certificate *certificates,
    const struct config *config, struct config_problems *problems);
/*
 * Look into what was opened, in a child that is as (NULL: the caller). 0 or
 * a negative errno when the child could not run.
 */
int certificates_check(const struct certificate *certificates,
    const struct config *config, const struct owner *as,
    struct config_problems *problems);
/*
 * Open and check those of next. A section that was in old and is bad now
 * keeps what it had; false when one that is bad was not there. Logs.
 */
bool certificates_reload(struct generation *next,
    const struct generation *old, const struct owner *as);

#endif
