/* SPDX-License-Identifier: ISC */
/*
 * store.c - the compartment that remembers.
 *
 * It does: delivery records, failures of recipients, trail segments; it is
 * the only process that opens the Berkeley DB environment.
 * It holds: state_dir/store, as its root when the server runs as root.
 * It can never: reach the network or any other file, become another user,
 * start a program. A hostile smtpd can make it remember that smtpd's own
 * messages wrongly, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "log.h"
#include "sandbox.h"
#include "store.h"

#define STOP_LIMIT_MS 60000
#define TICK_MS 1000

/* "6d8f...-...": 32 hexadecimal digits and dashes. */
static void
read_boot_id(uint8_t boot[SLOT_BOOT_SIZE])
{
	const char *path = "/proc/sys/kernel/random/boot_id";
	char text[64] = "";
	unsigned n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof text - 1) < 36)
		fatal("%s: %s", path, strerror(errno));
	close(fd);
	for (const char *at = text; *at != '\0' && n < 2 * SLOT_BOOT_SIZE;
	     at++) {
		int digit = *at >= '0' && *at <= '9' ? *at - '0' :
		    *at >= 'a' && *at <= 'f' ? *at - 'a' + 10 : -1;

		if (digit < 0)
			continue;
		boot[n / 2] = (uint8_t)(boot[n / 2] << 4 | digit);
		n++;
	}
}

/*
 * From here on every path is relative to the store's folder. The files are
 * opened after it, since Berkeley DB opens its log by path while it runs.
 */
static void
enter_sandbox(const struct store *s)
{
	const struct sandbox who = { .name = "store",
		.is_privileged = s->c.is_privileged, .uid = s->c.uid,
		.gid = s->c.gid };

	sandbox_enter_folder(&who, s->c.config->state_dir, "store");
}

/* ---- the end ---- */

static void
stop_now(struct loop_timer *timer, void *arg)
{
	struct store *s = arg;

	(void)timer;
	loop_stop(s->c.loop);
}

/*
 * SIGTERM comes when all smtpd have ended. A supervisor that died leaves
 * them behind: they finish their transactions, and need records for that.
 */
static void
on_stop(struct compartment *c)
{
	struct store *s = c->arg;

	if (s->is_stopping)
		return;
	s->is_stopping = true;
	if (store_has_smtpd(s))
		loop_timer_start(c->loop, &s->stop_limit, STOP_LIMIT_MS,
		    stop_now, s);
	else
		loop_stop(c->loop);
}

int
store_main(void)
{
	static struct store store;	/* large, and zeroed */
	struct store *s = &store;
	int error;

	compartment_start(&s->c, ROLE_STORE);
	read_boot_id(s->boot);
	enter_sandbox(s);
	store_open(s);
	store_resolve_init(s);
	s->c.arg = s;
	s->c.on_peer = store_on_peer;
	s->c.on_stop = on_stop;
	loop_timer_start(s->c.loop, &s->tick, TICK_MS, store_tick, s);
	error = loop_at_round_end(s->c.loop, store_round_end, s);
	if (error)
		fatal("event loop: %s", strerror(-error));
	compartment_ready(&s->c);
	error = loop_run(s->c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	store_close(s);
	log_flush();
	return error ? 1 : s->status;
}
