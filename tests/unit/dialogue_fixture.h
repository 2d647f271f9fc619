/* SPDX-License-Identifier: ISC */
/*
 * dialogue_fixture.h - relay's dialogue with a message for three recipients,
 * and its connection; the test is the server.
 */
#ifndef POSTERN_TESTS_DIALOGUE_FIXTURE_H
#define POSTERN_TESTS_DIALOGUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../relay/dialogue.h"

#define ALL "250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n" \
	"250-SMTPUTF8\r\n250-SIZE 1000\r\n250 HELP\r\n"
#define N 3

static const struct dialogue_settings plain = { .hostname = "me.example",
	.command_ms = 300000, .data_ms = 180000, .end_ms = 600000 };
static const struct dialogue_settings lmtp = { .hostname = "me.example",
	.is_lmtp = true, .command_ms = 300000, .data_ms = 180000,
	.end_ms = 600000 };

struct world {
	struct dialogue d;
	struct errand errand;
	struct errand_recipient recipients[N];
	struct buf sent;
	bool is_split;
};

static inline void
begin(struct world *w, const struct dialogue_settings *settings,
    const char *text, bool is_split)
{
	static char addresses[N][8];

	memset(w, 0, sizeof *w);
	w->is_split = is_split;
	w->errand.reverse_path = strdup("s@x");
	w->errand.envid = strdup("");
	w->errand.recipients = w->recipients;
	w->errand.n_recipients = N;
	for (uint16_t i = 0; i < N; i++) {
		snprintf(addresses[i], sizeof addresses[i], "r%d@y", i);
		w->recipients[i].index = i;
		w->recipients[i].address = addresses[i];
		w->recipients[i].orcpt = addresses[0] + 7;
	}
	addresses[0][7] = '\0';
	w->errand.source.fd = memfd_create("message", MFD_CLOEXEC);
	w->errand.source.size = strlen(text);
	assert_int_equal(write(w->errand.source.fd, text, strlen(text)),
	    strlen(text));
	dialogue_start(&w->d, settings);
}

static inline void
end(struct world *w)
{
	dialogue_free(&w->d);
	close(w->errand.source.fd);
	free(w->errand.reverse_path);
	free(w->errand.envid);
	buf_free(&w->sent);
}

/* As a connection does. */
static inline void
go_on(struct world *w)
{
	for (;;) {
		if (w->d.out.size > 0)
			assert_int_equal(buf_append_slice(&w->sent,
			    buf_slice(&w->d.out)), 0);
		buf_consume(&w->d.out, w->d.out.size);
		if (w->d.phase == DIALOGUE_READY && w->d.errand == NULL &&
		    w->d.n_deliveries == 0)
			dialogue_deliver(&w->d, &w->errand);
		else if (!dialogue_pump(&w->d) && w->d.out.size == 0)
			return;
	}
}

static inline void
hear(struct world *w, const char *text, size_t size)
{
	for (size_t i = 0; w->is_split && i < size; i++) {
		dialogue_input(&w->d, (struct slice){ text + i, 1 });
		go_on(w);
	}
	if (!w->is_split)
		dialogue_input(&w->d, (struct slice){ text, size });
	go_on(w);
}

static inline void
says(struct world *w, const char *text)
{
	hear(w, text, strlen(text));
}

static inline unsigned
code_of(const struct world *w, unsigned i)
{
	return w->recipients[i].state == ERRAND_SETTLED ?
	    w->recipients[i].verdict.code : 0;
}

#endif
