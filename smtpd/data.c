/* SPDX-License-Identifier: ISC */
/*
 * DATA (RFC 5321 4.1.1.4) and what it shares with BDAT: limits and time
 * while a message comes in. A message that is refused is still taken in up
 * to its true end, so that the client reads the refusal as its reply.
 */
#include "clock.h"
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"
#include "limits.h"

#define SLOW_AFTER_US 60000000	/* DESIGN 6: after its first minute */
#define TICK_MAX_MS 15000

/* A message may cost this much reading before the connection ends. */
static uint64_t
data_drain_bytes(const struct session *s)
{
	uint64_t most = s->settings->config->limits.message_bytes;

	if (most == 0)
		most = s->settings->memory_bytes;
	return most > UINT64_MAX / 4 ? UINT64_MAX : most * 2 + (1 << 20);
}

static bool
data_may_grow(void *arg, uint64_t size_bytes)
{
	struct session *s = arg;
	uint64_t *held = &s->tx->reserved_bytes;

	return size_bytes <= *held || limits_reserve(
	    s->settings->limits, s->client, held, size_bytes);
}

void
data_start_clock(struct session *s)
{
	s->data_began_us = s->data_last_us = clock_monotonic_us();
	s->data_paused_us = 0;
}

static bool
normalizes_lf(const struct session *s)
{
	const struct config *config = s->settings->config;

	return s->is_relay_peer || (config->bare_lf == BARE_LF_NORMALIZE &&
	    config_networks_contain(&config->bare_lf_exempt, s->ip));
}

int
data_begin(struct session *s)
{
	const struct config *config = s->settings->config;
	struct body_limits limits = {
		.max_bytes = limits_message_bytes(s->settings->limits),
		.drain_bytes = data_drain_bytes(s),
		.header_bytes = config->limits.header_bytes != 0 ?
		    config->limits.header_bytes : SIZE_MAX,
		.normalizes_lf = normalizes_lf(s),
		.may_grow = data_may_grow,
		.arg = s,
	};
	int error = body_open(&s->tx->body, &limits, s->id);

	data_start_clock(s);
	s->tx->has_body = error == 0;
	return error;
}

bool
data_is_unsafe(const struct session *s)
{
	return !s->is_self_test && (s->settings->failing &
	    (SELF_TEST_SMUGGLING | SELF_TEST_SCANNER)) != 0;
}

static enum step
data_open(struct session *s)
{
	if (data_begin(s) < 0)
		return session_reply(s, REPLY_DATA_IO_ERROR);
	s->mode = INPUT_DATA;
	return session_reply(s, REPLY_SEND_DATA);
}

enum step
cmd_data(struct session *s, struct slice argument)
{
	if (argument.size > 0)
		return session_reply(s, REPLY_BAD_ARGUMENT);
	if (s->tx->n_recipients == 0)
		return session_reply(s, REPLY_NO_RECIPIENTS);
	if (data_is_unsafe(s))
		return session_reply(s, REPLY_SELF_TEST_FAILED);
	return milters_data(s, data_open);
}

enum reply_name
data_fault(unsigned faults)
{
	if ((faults & BODY_ENDLESS) != 0)
		return REPLY_DATA_ENDLESS;
	if ((faults & BODY_TOO_LARGE) != 0)
		return REPLY_TOO_LARGE;
	if ((faults & BODY_LONG_LINE) != 0)
		return REPLY_DATA_LINE_TOO_LONG;
	if ((faults & (BODY_BARE_CR | BODY_BARE_LF | BODY_NUL)) != 0)
		return REPLY_BARE_OCTETS;
	if ((faults & BODY_NO_ROOM) != 0)
		return REPLY_BUDGET_USED;
	if ((faults & BODY_IO_ERROR) != 0)
		return REPLY_DATA_IO_ERROR;
	return REPLY_COUNT;
}

static bool
data_is_slow(const struct session *s, int64_t now_us)
{
	int64_t took_us = now_us - s->data_began_us;
	int64_t sent_us = took_us - s->data_paused_us;
	unsigned total_s = s->settings->config->limits.data_total_s;

	if (total_s != 0 && took_us > (int64_t)total_s * 1000000)
		return true;
	return sent_us > SLOW_AFTER_US && s->tx != NULL && s->tx->has_body &&
	    s->tx->body.taken_bytes < (uint64_t)(sent_us / 1000000) *
	    s->settings->config->limits.data_rate_bytes;
}

enum reply_name
data_watch(struct session *s)
{
	s->data_last_us = clock_monotonic_us();
	s->is_timer_wanted = true;
	if (s->tx != NULL && (s->tx->body.faults & BODY_ENDLESS) != 0)
		return REPLY_DATA_ENDLESS;
	if (data_is_slow(s, s->data_last_us))
		return REPLY_TOO_SLOW;
	return REPLY_COUNT;
}

enum step
data_take(struct session *s)
{
	struct body *body = &s->tx->body;
	size_t n = s->input.size < BODY_INPUT_MAX ? s->input.size :
	    BODY_INPUT_MAX;
	enum reply_name end;

	n = body_take_data(body, s->input.data, n);
	s->input.data += n;
	s->input.size -= n;
	end = data_watch(s);
	if (body_has_ended(body))
		return transaction_finish(s);
	return end == REPLY_COUNT ? STEP_NEXT : session_reply(s, end);
}

uint32_t
data_tick_ms(const struct session *s)
{
	uint32_t tick_ms = s->settings->config->limits.data_timeout_s * 250;

	/* without a limit between blocks there are still those of slowness */
	return tick_ms == 0 || tick_ms > TICK_MAX_MS ? TICK_MAX_MS : tick_ms;
}

enum step
data_timeout(struct session *s)
{
	unsigned timeout_s = s->settings->config->limits.data_timeout_s;
	int64_t now_us = clock_monotonic_us();

	if (timeout_s != 0 &&
	    now_us - s->data_last_us >= (int64_t)timeout_s * 1000000)
		return session_reply(s, REPLY_TIMEOUT);
	if (data_is_slow(s, now_us))
		return session_reply(s, REPLY_TOO_SLOW);
	return STEP_NEXT;
}
