/* SPDX-License-Identifier: ISC */
/*
 * fuzz_auth.c - what a client says in an exchange: the responses of PLAIN,
 * LOGIN and SCRAM-SHA-256, through libgsasl too. The first octet is the
 * mechanism, then each response has its length in one octet before it.
 * Nobody gets in without the password; every step has one answer; base64
 * goes there and back.
 */
#include <unistd.h>
#include "../../auth/exchange.h"
#include "../../auth/scram.h"
#include "base64.h"
#include "log.h"
#include "require.h"
#include "sasl.h"

#define KEYS "{SCRAM-SHA-256}4096,c2FsdA==," \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=," \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const char config_text[] =
    "hostname = \"mx.example.org\"\norigin = \"example.org\"\n"
    "postmaster = \"a@example.org\"\nstate_dir = \"/x\"\n"
    "listen \"127.0.0.1:25\" { role = mx }\n"
    "domain \"example.org\" { users = \"table:/x/users\" "
    "mailbox = \"/x/%u\" owner = \"vmail\" }\n";

static struct desk desk;
static const uint8_t key[32];
static unsigned n_answers;
static enum auth_result result;

static void
open_desk(void)
{
	static const struct guesses_setup setup = { .fd = -1 };
	struct password_entry entry = { SLICE("alice@example.org"),
		SLICE("alice@example.org"), SLICE("alice@example.org"),
		SLICE(KEYS) };
	struct config_problems problems;
	char path[64];

	log_open("fuzz", 2, LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	log_set_level(LOG_LEVEL_ERR);
	snprintf(path, sizeof(path), "/tmp/fuzz-auth-%d", (int)getpid());
	desk.config = config_parse(SLICE(config_text), &problems);
	config_problems_free(&problems);
	desk.key = key;
	desk.guesses = guesses_new(&setup);
	REQUIRE(desk.config != NULL && desk.guesses != NULL);
	REQUIRE(scram_warm_up());
	REQUIRE(password_table_write(path, &entry, 1, key) == 0);
	REQUIRE(password_table_open(&desk.table, path) == 0);
	unlink(path);
}

static void
on_done(const struct auth_answer *a, void *arg)
{
	(void)arg;
	n_answers++;
	result = a->result;
	REQUIRE(a->result != AUTH_OK && a->result < AUTH_NOT_A_USER);
	REQUIRE(a->challenge.size <= AUTH_RESPONSE_MAX);
}

static void
run(struct exchange *e, struct auth_step *step)
{
	n_answers = 0;
	exchange_step(e, step, on_done, NULL);
	REQUIRE(n_answers == 1);
	step->is_first = false;
}

static void
check_base64(struct slice text)
{
	struct buf octets = { 0 }, again = { 0 };

	if (base64_decode(&octets, text) == 0) {
		REQUIRE(base64_encode(&again, buf_slice(&octets)) == 0);
		REQUIRE(slice_equals(buf_slice(&again), text));
	}
	buf_free(&octets);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct auth_step step = { .exchange = 1, .is_first = true,
		.session = SLICE("s"), .network = SLICE("192.0.2.1") };
	struct sasl_scram keys;
	struct exchange *e;
	size_t n;

	if (desk.table == NULL)
		open_desk();
	if (size == 0)
		return 0;
	check_base64((struct slice){ (const char *)data, size });
	(void)sasl_parse_scram((struct slice){ (const char *)data, size },
	    &keys);
	(void)password_kind_of((struct slice){ (const char *)data, size });
	step.mechanism = data[0] % AUTH_MECHANISM_COUNT;
	step.has_response = (data[0] & 128) != 0;
	data++;
	size--;
	e = exchange_new(&desk, &step);
	REQUIRE(e != NULL);
	if (!step.has_response)
		run(e, &step);
	for (result = AUTH_CONTINUE; size > 0 && result == AUTH_CONTINUE;
	     data += n, size -= n) {
		n = *data++;
		if (n > --size)
			n = size;
		step.has_response = true;
		step.response = (struct slice){ (const char *)data, n };
		run(e, &step);
	}
	exchange_free(&e);
	return 0;
}
