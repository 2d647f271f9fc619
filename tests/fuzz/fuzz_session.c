/* SPDX-License-Identifier: ISC */
/*
 * The whole session, fed by a hostile client while the other compartments
 * answer well, badly, or not at all. The first octets of the input choose
 * how; the rest is what the client sends, in pieces. fake_host.h aborts when
 * a rule of the core is broken (two questions at once, a session that nobody
 * frees, a message of another size than was said).
 */
#include <stddef.h>
#include <stdint.h>
#include "../unit/fake_host.h"

#define PLAN_SIZE 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One octet decides how the next question of this kind is answered. */
static void
plan_fake(struct host *h, enum question_kind kind, uint8_t octet)
{
	struct host_fake *fake = &h->fakes[kind];

	memset(fake, 0, sizeof(*fake));
	fake->is_set = (octet & 1) != 0;
	fake->is_unknown = (octet & 2) != 0;
	fake->is_own = (octet & 4) != 0;
	fake->which = (octet >> 3) & 3;
	fake->n_left = (octet >> 5) & 1;
	fake->state = (octet >> 6) % 3;
	if (fake->is_set && !fake->is_unknown && (octet & 8) != 0)
		verdict_set(&fake->verdict, (octet & 16) != 0 ? 552 : 451, 2,
		    2, "faked");
}

static void
plan_read(struct host *h, const uint8_t *plan)
{
	static const enum question_kind kinds[] = { QUESTION_PROBE,
		QUESTION_RECORDS, QUESTION_PREPARE, QUESTION_INTENT,
		QUESTION_COMMIT, QUESTION_WITHDRAW };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		plan_fake(h, kinds[i], plan[i]);
	h->presence = (enum presence)(plan[6] % 3);
	h->settings.n_remembered_failures = plan[6] >> 7;
	h->tls_mode = (enum config_tls_mode)(plan[6] >> 2 & 3);
	h->fails_tls = (plan[6] >> 4 & 3) == 3;
	h->breaks_tls = (plan[6] >> 4 & 3) == 2;
}

static void
feed(struct host *h, const uint8_t *data, size_t size, uint8_t piece)
{
	size_t n;

	while (size > 0 && h->s != NULL) {
		/* octets that come meanwhile are the handshake's */
		if (h->is_handshaking) {
			host_end_handshake(h, !h->breaks_tls);
			continue;
		}
		n = piece == 0 || piece > size ? size : piece;
		session_input(h->s,
		    (struct slice){ (const char *)data, n });
		data += n;
		size -= n;
		/* Some input may come while a question is out. */
		if ((piece & 1) != 0 && size > 0 && h->question != 0 &&
		    (size & 3) == 0)
			continue;
		while (host_answer(h))
			;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct host h;

	if (size < PLAN_SIZE)
		return 0;
	log_open("fuzz", 2, LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	log_set_level(LOG_LEVEL_ERR);
	clock_set_for_tests(1000000000, 1700000000000000);
	host_open(&h, "limits { message_size = 4K }\n");
	plan_read(&h, data);
	if ((data[6] & 64) != 0)
		h.settings.kind = LISTEN_SUBMISSION;
	host_connect(&h, false);
	feed(&h, data + PLAN_SIZE, size - PLAN_SIZE, data[7]);
	if (h.s != NULL && (data[6] & 4) != 0)
		session_timeout(h.s);
	host_close(&h);
	return 0;
}
