/* SPDX-License-Identifier: ISC */
/*
 * fetch.c - see fetch.h.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "fetch.h"

/*
 * Loaded when relay starts and not linked: libcurl brings twenty libraries
 * along, which no other compartment should have in its memory.
 */
#define CURL_FUNCTIONS(F) \
	F(easy_cleanup) F(easy_getinfo) F(easy_init) F(easy_setopt) \
	F(easy_strerror) F(global_init) F(multi_add_handle) \
	F(multi_assign) F(multi_info_read) F(multi_init) \
	F(multi_remove_handle) F(multi_setopt) F(multi_socket_action) \
	F(slist_append) F(slist_free_all)
#define MEMBER(name) __typeof__(curl_##name) *name;

static struct {
	CURL_FUNCTIONS(MEMBER)
} curl;

static bool
curl_load(void)
{
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return false;
#define FIND(name) \
	curl.name = (__typeof__(curl.name))dlsym(library, "curl_" #name); \
	if (curl.name == NULL) \
		return false;
	CURL_FUNCTIONS(FIND)
	return true;
}

struct watch {			/* of one of libcurl's sockets */
	struct fetcher *fetcher;
	struct loop_io io;
};

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;
	struct buf ca;
};

struct fetch {
	CURL *easy;
	struct curl_slist *resolve;
	struct buf text;
	char error[CURL_ERROR_SIZE];
	fetch_done_fn *done;
	void *arg;
};

/* "text/plain" with parameters or without (RFC 8461 3.2). */
static bool
is_plain_text(const char *type)
{
	static const char wanted[] = "text/plain";
	size_t size = sizeof wanted - 1;

	return type != NULL && strncasecmp(type, wanted, size) == 0 &&
	    strchr("; \t", type[size]) != NULL;
}

static bool
is_certificate(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_ISSUER_ERROR ||
	    code == CURLE_SSL_INVALIDCERTSTATUS;
}

static const char *
why_not(const struct fetch *fetch, CURLcode code)
{
	const char *type = NULL;
	long status = 0;

	curl.easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	curl.easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
	if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED)
		return "it is too large";
	if (code != CURLE_OK)
		return *fetch->error != '\0' ? fetch->error :
		    curl.easy_strerror(code);
	if (status / 100 == 3)		/* RFC 8461 3.3 */
		return "it redirects, which no policy may";
	if (status != 200)
		return "the answer is not 200";
	return is_plain_text(type) ? NULL : "it is not text/plain";
}

static void
fetch_end(struct fetcher *f, struct fetch *fetch, CURLcode code)
{
	struct fetched got = { .why = why_not(fetch, code),
		.text = buf_slice(&fetch->text) };

	if (got.why != NULL)
		got.fault = is_certificate(code) ? FETCH_CERTIFICATE :
		    FETCH_FAILED;
	curl.multi_remove_handle(f->multi, fetch->easy);
	fetch->done(fetch->arg, &got);
	curl.easy_cleanup(fetch->easy);
	curl.slist_free_all(fetch->resolve);
	buf_free(&fetch->text);
	free(fetch);
}

static void
reap(struct fetcher *f)
{
	struct fetch *fetch;
	CURLMsg *m;
	int left;

	while ((m = curl.multi_info_read(f->multi, &left)) != NULL) {
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &fetch);
		fetch_end(f, fetch, code);
	}
}

/* ---- libcurl's events ---- */

static void
on_io(struct loop_io *io, uint32_t events, void *arg)
{
	struct watch *w = arg;
	struct fetcher *f = w->fetcher;
	int what = ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
	    ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
	    ((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
	int running;

	curl.multi_socket_action(f->multi, io->fd, what, &running);
	reap(f);
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct fetcher *f = arg;
	int running;

	(void)timer;
	curl.multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(f);
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct fetcher *f = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(f->loop, &f->timer);
	else
		loop_timer_start(f->loop, &f->timer, (uint32_t)ms, on_timer,
		    f);
	return 0;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *mine)
{
	struct fetcher *f = arg;
	struct watch *w = mine;
	uint32_t events = ((what & CURL_POLL_IN) ? (uint32_t)EPOLLIN : 0) |
	    ((what & CURL_POLL_OUT) ? (uint32_t)EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			loop_unwatch(f->loop, &w->io);
		free(w);
		return 0;
	}
	if (w != NULL)
		return loop_change(f->loop, &w->io, events) == 0 ? 0 : -1;
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return -1;
	w->fetcher = f;
	if (loop_watch(f->loop, &w->io, fd, events, on_io, w) < 0) {
		free(w);
		return -1;
	}
	curl.multi_assign(f->multi, fd, w);
	return 0;
}

static size_t
on_octets(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;

	return buf_append(&fetch->text, data, size * n) == 0 ? size * n : 0;
}

/* ---- life ---- */

struct fetcher *
fetcher_new(struct loop *loop, struct slice ca)
{
	struct fetcher *f = calloc(1, sizeof *f);

	if (f == NULL || !curl_load() ||
	    curl.global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (ca.size > 0 && buf_append_slice(&f->ca, ca) != 0) ||
	    (f->multi = curl.multi_init()) == NULL) {
		free(f);
		return NULL;
	}
	f->loop = loop;
	curl.multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl.multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl.multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl.multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl.multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 20L);
	return f;
}

static void
set_limits(CURL *easy)
{
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl.easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	curl.easy_setopt(easy, CURLOPT_PROXY, "");
	curl.easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_TIMEOUT, (long)FETCH_S);
	curl.easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)FETCH_OCTETS_MAX);
	curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl.easy_setopt(easy, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	curl.easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl.easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static bool
set_up(struct fetcher *f, struct fetch *fetch, const char *host,
    const char *path, const char *addresses)
{
	struct curl_blob ca = { f->ca.data, f->ca.size, CURL_BLOB_NOCOPY };
	char text[1024];
	CURL *easy = fetch->easy;

	if (snprintf(text, sizeof text, "%s:443:%s", host, addresses) >=
	    (int)sizeof text)
		return false;
	fetch->resolve = curl.slist_append(NULL, text);
	snprintf(text, sizeof text, "https://%s/%s", host, path);
	set_limits(easy);
	curl.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
	curl.easy_setopt(easy, CURLOPT_RESOLVE, fetch->resolve);
	curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_octets);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	curl.easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	return fetch->resolve != NULL && f->ca.size > 0 &&
	    curl.easy_setopt(easy, CURLOPT_URL, text) == CURLE_OK;
}

struct fetch *
fetch_begin(struct fetcher *f, const char *host, const char *path,
    const char *addresses, fetch_done_fn *done, void *arg)
{
	struct fetch *fetch = calloc(1, sizeof *fetch);

	if (fetch == NULL)
		return NULL;
	fetch->text.maximum = FETCH_OCTETS_MAX;
	fetch->done = done;
	fetch->arg = arg;
	fetch->easy = curl.easy_init();
	if (fetch->easy != NULL && set_up(f, fetch, host, path, addresses) &&
	    curl.multi_add_handle(f->multi, fetch->easy) == CURLM_OK)
		return fetch;
	curl.easy_cleanup(fetch->easy);
	curl.slist_free_all(fetch->resolve);
	free(fetch);
	return NULL;
}
