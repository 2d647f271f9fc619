/* SPDX-License-Identifier: ISC */
/*
 * sasl.h - what clients say in the simple SASL mechanisms, and the stored
 * keys of SCRAM. smtpd knows the names, auth the rest. Pure.
 */
#ifndef POSTERN_SASL_H
#define POSTERN_SASL_H

#include <stdbool.h>
#include <stdint.h>
#include "ask_outbound.h"
#include "buf.h"

#define SASL_NAME_MAX 320		/* octets, without a terminator */
#define SASL_PASSWORD_MAX 511		/* crypt(3) takes no more */

/* "SCRAM-SHA-256". */
const char *sasl_name(enum auth_mechanism mechanism);
/* By name, in any case (RFC 4422 3.1). */
bool sasl_find(struct slice name, enum auth_mechanism *mechanism);

/* Point into what was parsed; no octet in them is a control. */
struct sasl_credentials {
	struct slice name;
	struct slice password;
};

/*
 * PLAIN: [authzid] NUL authcid NUL passwd (RFC 4616 2). An authorization
 * identity other than the name itself is refused: nobody acts for another
 * here. False for that and for all that is malformed or too long.
 */
bool sasl_parse_plain(struct slice response, struct sasl_credentials *c);
/*
 * The name and nonce in a client's first message of SCRAM (RFC 5802 7),
 * for who lets somebody else judge it. The name is written to name, without
 * escapes; the nonce points into message. False for what is malformed or too
 * long, wants a channel binding that nobody has offered, or has an
 * authorization identity other than the name.
 */
#define SASL_SCRAM_FIRST_MAX 2048
bool sasl_parse_scram_first(struct slice message,
    char name[SASL_NAME_MAX + 1], struct slice *nonce);
/* Whether this may be a name, a password (LOGIN's two responses). */
bool sasl_is_name(struct slice text);
bool sasl_is_password(struct slice text);

/* ---- SCRAM's stored keys (RFC 5803, as Dovecot writes them) ---- */

#define SASL_SCRAM_PREFIX "{SCRAM-SHA-256}"
#define SASL_SCRAM_ITERATIONS_MIN 4096	/* RFC 7677 4 */
#define SASL_SCRAM_ITERATIONS_MAX 1000000
#define SASL_SCRAM_KEY_SIZE 32
#define SASL_SCRAM_SALT_MAX 64

/* What stands in a password field. */
enum password_kind {
	PASSWORD_LOCKED,		/* "!..." or "*...": never matches */
	PASSWORD_CRYPT,			/* "$y$...": crypt(5) */
	PASSWORD_SCRAM,
	PASSWORD_WEAK,			/* a hash of crypt(5) not taken here */
	PASSWORD_MALFORMED,
};
#define PASSWORD_TEXT_MAX 512
/* yescrypt, scrypt, bcrypt and SHA-512 are taken, nothing older. */
enum password_kind password_kind_of(struct slice text);
/*
 * Whether a hash of PASSWORD_CRYPT has its whole length and the characters of
 * one. What has been cut or pasted with something missing has not: libcrypt
 * computes another from it, or none, and no password ever matches.
 */
bool password_is_whole(struct slice text);

struct sasl_scram {
	uint32_t iterations;
	size_t salt_size;
	uint8_t salt[SASL_SCRAM_SALT_MAX];
	uint8_t stored_key[SASL_SCRAM_KEY_SIZE];
	uint8_t server_key[SASL_SCRAM_KEY_SIZE];
};

/* {SCRAM-SHA-256}iterations,salt,storedkey,serverkey (each in base64). */
bool sasl_parse_scram(struct slice text, struct sasl_scram *keys);

#endif
