/* SPDX-License-Identifier: ISC */
/*
 * See scram.h. The library asks for what it wants through a callback; which
 * of its steps that happens in is its own affair.
 */
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base64.h"
#include "scram.h"

struct scram {
	Gsasl_session *session;
	scram_keys_fn *keys;
	void *arg;
	bool has_begun, has_keys, is_real, is_allowed;
};

static Gsasl *library;

/* One property in base64. */
static int
set_octets(Gsasl_session *session, Gsasl_property property,
    const uint8_t *octets, size_t size)
{
	struct buf text = { .maximum = 256 };
	int result = GSASL_MALLOC_ERROR;

	if (base64_encode(&text, (struct slice){ (const char *)octets,
	    size }) == 0)
		result = gsasl_property_set(session, property, text.data);
	if (text.data != NULL)
		explicit_bzero(text.data, text.size);
	buf_free(&text);
	return result;
}

static int
set_keys(Gsasl_session *session, const struct sasl_scram *keys)
{
	char iterations[16];
	int result;

	snprintf(iterations, sizeof(iterations), "%u",
	    (unsigned)keys->iterations);
	result = gsasl_property_set(session, GSASL_SCRAM_ITER, iterations);
	if (result == GSASL_OK)
		result = set_octets(session, GSASL_SCRAM_SALT, keys->salt,
		    keys->salt_size);
	if (result == GSASL_OK)
		result = set_octets(session, GSASL_SCRAM_STOREDKEY,
		    keys->stored_key, sizeof(keys->stored_key));
	if (result == GSASL_OK)
		result = set_octets(session, GSASL_SCRAM_SERVERKEY,
		    keys->server_key, sizeof(keys->server_key));
	return result;
}

/* An authorization identity other than the name itself: for nobody. */
static bool
acts_for_another(Gsasl_session *session, const char *name)
{
	const char *as = gsasl_property_fast(session, GSASL_AUTHZID);

	return as != NULL && *as != '\0' && strcmp(as, name) != 0;
}

static int
find_keys(struct scram *scram, Gsasl_session *session)
{
	const char *name = gsasl_property_fast(session, GSASL_AUTHID);
	struct sasl_scram keys;
	int result;

	if (scram->has_keys)
		return GSASL_NO_CALLBACK;
	if (name == NULL || !sasl_is_name(slice_of(name)) ||
	    acts_for_another(session, name))
		return GSASL_AUTHENTICATION_ERROR;
	scram->has_keys = true;
	scram->is_allowed = true;
	scram->is_real = scram->keys(slice_of(name), &keys,
	    &scram->is_allowed, scram->arg);
	result = scram->is_allowed ? set_keys(session, &keys) :
	    GSASL_AUTHENTICATION_ERROR;
	explicit_bzero(&keys, sizeof(keys));
	return result;
}

static int
callback(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	struct scram *scram = gsasl_session_hook_get(session);

	(void)gsasl;
	if (scram == NULL)
		return GSASL_NO_CALLBACK;
	switch (property) {
	case GSASL_SCRAM_ITER:
	case GSASL_SCRAM_SALT:
		return find_keys(scram, session);
	default:
		return GSASL_NO_CALLBACK;
	}
}

bool
scram_warm_up(void)
{
	if (library == NULL) {
		if (gsasl_init(&library) != GSASL_OK)
			return false;
		gsasl_callback_set(library, callback);
	}
	return gsasl_server_support_p(library, "SCRAM-SHA-256") == 1;
}

struct scram *
scram_new(scram_keys_fn *keys, void *arg)
{
	struct scram *scram = calloc(1, sizeof(*scram));

	if (scram == NULL)
		return NULL;
	scram->keys = keys;
	scram->arg = arg;
	if (library == NULL || gsasl_server_start(library, "SCRAM-SHA-256",
	    &scram->session) != GSASL_OK) {
		free(scram);
		return NULL;
	}
	gsasl_session_hook_set(scram->session, scram);
	return scram;
}

void
scram_free(struct scram **scram)
{
	if (*scram == NULL)
		return;
	gsasl_finish((*scram)->session);
	free(*scram);
	*scram = NULL;
}

bool
scram_is_limited(const struct scram *scram)
{
	return scram->has_keys && !scram->is_allowed;
}

enum scram_result
scram_step(struct scram *scram, struct slice response, struct buf *out)
{
	char *message = NULL;
	size_t size = 0;
	int result, error = 0;

	/*
	 * The library works on terminated text without looking at the size,
	 * takes a channel binding that nobody offered for none, and goes on
	 * with a salt that it makes up when its callback refuses.
	 */
	if (response.size == 0 || slice_has_control(response))
		return SCRAM_WRONG;
	if (!scram->has_begun && slice_starts_nocase(response, SLICE("p=")))
		return SCRAM_WRONG;
	scram->has_begun = true;
	result = gsasl_step(scram->session, response.data, response.size,
	    &message, &size);
	if (message != NULL && (result == GSASL_OK ||
	    result == GSASL_NEEDS_MORE))
		error = buf_append(out, message, size);
	gsasl_free(message);
	if (error || result == GSASL_MALLOC_ERROR)
		return SCRAM_FAILED;
	if (!scram->is_allowed)
		return SCRAM_WRONG;
	if (result == GSASL_NEEDS_MORE)
		return SCRAM_MORE;
	return result == GSASL_OK && scram->is_real ? SCRAM_DONE :
	    SCRAM_WRONG;
}

/* ---- for a name that Dovecot does not know ---- */

#define DECOY_SALT 16		/* octets, and rounds, as doveadm makes them */
#define DECOY_ROUNDS 4096
#define DECOY_NONCE 64		/* as Dovecot's are: printable ASCII */

int
scram_decoy(struct buf *out, const uint8_t key[MAC_KEY_SIZE],
    const char *name, const char *nonce)
{
	char ours[DECOY_NONCE + 1];
	uint8_t mac[MAC_SIZE];
	struct buf text = { .maximum = 1024 };
	int error = buf_printf(&text, "scram decoy %s", name);

	if (!error)
		error = mac_compute(mac, key, text.data, text.size);
	buf_free(&text);
	for (size_t i = 0; i < DECOY_NONCE; i++) {
		ours[i] = (char)('!' + arc4random_uniform('~' - '!'));
		if (ours[i] == ',')
			ours[i] = '~';
	}
	ours[DECOY_NONCE] = '\0';
	if (!error)
		error = buf_printf(out, "r=%s%s,s=", nonce, ours);
	if (!error)
		error = base64_encode(out, (struct slice){
		    (const char *)mac, DECOY_SALT });
	return error ? error : buf_printf(out, ",i=%d", DECOY_ROUNDS);
}
