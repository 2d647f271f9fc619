/* SPDX-License-Identifier: ISC */
/*
 * fetch.h - one document by HTTPS, with libcurl on our loop; for this folder
 * only.
 *
 * libcurl is given the addresses (it never asks a name server), the
 * authorities, and nothing else: no proxy, no redirection, no file.
 */
#ifndef RELAY_FETCH_H
#define RELAY_FETCH_H

#include "buf.h"
#include "loop.h"

#define FETCH_OCTETS_MAX 65536
#define FETCH_S 30

struct fetcher;
struct fetch;

enum fetch_fault {
	FETCH_OK,
	FETCH_CERTIFICATE,	/* of that host, or of another */
	FETCH_FAILED,		/* anything else */
};

struct fetched {
	enum fetch_fault fault;
	const char *why;	/* there is no text */
	struct slice text;
};

/* Called once; what it is given is good in the call. */
typedef void fetch_done_fn(void *arg, const struct fetched *fetched);

/* Before the sandbox. NULL without memory. */
struct fetcher *fetcher_new(struct loop *loop, struct slice ca);
/*
 * https://HOST/PATH from one of these addresses ("192.0.2.1,[2001:db8::1]").
 * NULL: it could not be begun. done is never called from within.
 */
struct fetch *fetch_begin(struct fetcher *f, const char *host,
    const char *path, const char *addresses, fetch_done_fn *done, void *arg);

#endif
