/* SPDX-License-Identifier: ISC */
/*
 * See sasl.h.
 */
#include <string.h>
#include "base64.h"
#include "sasl.h"
#include "utf8.h"

static const char *const names[AUTH_MECHANISM_COUNT] = {
	[AUTH_PLAIN] = "PLAIN",
	[AUTH_LOGIN] = "LOGIN",
	[AUTH_SCRAM_SHA_256] = "SCRAM-SHA-256",
};

const char *
sasl_name(enum auth_mechanism mechanism)
{
	return mechanism < AUTH_MECHANISM_COUNT ? names[mechanism] : "";
}

bool
sasl_find(struct slice name, enum auth_mechanism *mechanism)
{
	unsigned i;

	for (i = 0; i < AUTH_MECHANISM_COUNT; i++)
		if (slice_equals_nocase(name, slice_of(names[i]))) {
			*mechanism = (enum auth_mechanism)i;
			return true;
		}
	return false;
}

bool
sasl_is_name(struct slice text)
{
	return text.size > 0 && text.size <= SASL_NAME_MAX &&
	    !slice_has_control(text) && utf8_is_valid(text);
}

bool
sasl_is_password(struct slice text)
{
	return text.size > 0 && text.size <= SASL_PASSWORD_MAX &&
	    memchr(text.data, '\0', text.size) == NULL;
}

/* Up to the next NUL, or to the end. */
static struct slice
take_part(struct slice *rest)
{
	struct slice part = { rest->data, slice_find(*rest, '\0') };
	size_t taken = part.size + (part.size < rest->size);

	rest->data += taken;
	rest->size -= taken;
	return part;
}

bool
sasl_parse_plain(struct slice response, struct sasl_credentials *c)
{
	struct slice rest = response;
	struct slice as;
	size_t n_nuls = 0;
	size_t i;

	for (i = 0; i < response.size; i++)
		n_nuls += response.data[i] == '\0';
	if (n_nuls != 2)
		return false;
	as = take_part(&rest);
	c->name = take_part(&rest);
	c->password = rest;
	return sasl_is_name(c->name) && sasl_is_password(c->password) &&
	    (as.size == 0 || slice_equals(as, c->name));
}

static struct slice
take_field(struct slice *rest)
{
	struct slice field = { rest->data, slice_find(*rest, ',') };
	size_t taken = field.size + (field.size < rest->size);

	rest->data += taken;
	rest->size -= taken;
	return field;
}

/* ---- SCRAM's first message ---- */

/* "=2C" is a comma, "=3D" an equals sign, and no other "=" may be there. */
static bool
take_saslname(char to[SASL_NAME_MAX + 1], struct slice from)
{
	size_t used = 0;

	for (size_t i = 0; i < from.size; i++) {
		struct slice rest = { from.data + i, from.size - i };
		char c = from.data[i];

		if (c == '=' && slice_starts_nocase(rest, SLICE("=2C")))
			c = ',';
		else if (c == '=' && !slice_starts_nocase(rest,
		    SLICE("=3D")))
			return false;
		i += from.data[i] == '=' ? 2 : 0;
		if (used == SASL_NAME_MAX)
			return false;
		to[used++] = c;
	}
	to[used] = '\0';
	return sasl_is_name((struct slice){ to, used });
}

bool
sasl_parse_scram_first(struct slice message, char name[SASL_NAME_MAX + 1],
    struct slice *nonce)
{
	struct slice binding, as, user;

	*name = '\0';
	if (message.size > SASL_SCRAM_FIRST_MAX || slice_has_control(message))
		return false;
	binding = take_field(&message);
	as = take_field(&message);
	user = take_field(&message);
	*nonce = take_field(&message);
	if ((!slice_equals(binding, SLICE("n")) &&
	    !slice_equals(binding, SLICE("y"))) ||
	    !slice_starts_nocase(user, SLICE("n=")) ||
	    !slice_starts_nocase(*nonce, SLICE("r=")) || nonce->size == 2)
		return false;
	nonce->data += 2;
	nonce->size -= 2;
	user.data += 2;
	user.size -= 2;
	if (as.size > 0 && (!slice_starts_nocase(as, SLICE("a=")) ||
	    !slice_equals((struct slice){ as.data + 2, as.size - 2 }, user)))
		return false;
	return take_saslname(name, user);
}

/* ---- stored keys ---- */

/* Its octets, at most room; 0: it is no base64, or longer. */
static size_t
take_octets(struct slice *rest, uint8_t *to, size_t room)
{
	struct buf octets = { .maximum = 256 };
	size_t n = 0;

	if (base64_decode(&octets, take_field(rest)) == 0 &&
	    octets.size > 0 && octets.size <= room) {
		n = octets.size;
		memcpy(to, octets.data, n);
	}
	if (octets.data != NULL)
		explicit_bzero(octets.data, octets.size);
	buf_free(&octets);
	return n;
}

bool
sasl_parse_scram(struct slice text, struct sasl_scram *keys)
{
	const struct slice prefix = SLICE(SASL_SCRAM_PREFIX);
	unsigned long long iterations;

	if (!slice_starts_nocase(text, prefix))
		return false;
	text.data += prefix.size;
	text.size -= prefix.size;
	if (!slice_number(take_field(&text), SASL_SCRAM_ITERATIONS_MAX,
	    &iterations) || iterations < SASL_SCRAM_ITERATIONS_MIN)
		return false;
	keys->iterations = (uint32_t)iterations;
	keys->salt_size = take_octets(&text, keys->salt, sizeof(keys->salt));
	return keys->salt_size > 0 &&
	    take_octets(&text, keys->stored_key, SASL_SCRAM_KEY_SIZE) ==
	    SASL_SCRAM_KEY_SIZE &&
	    take_octets(&text, keys->server_key, SASL_SCRAM_KEY_SIZE) ==
	    SASL_SCRAM_KEY_SIZE && text.size == 0;
}

/* ---- the password field ---- */

/* "$id$" and something behind it. */
static bool
is_hash(struct slice text)
{
	size_t end;

	if (text.size < 5 || *text.data != '$')
		return false;
	text.data++;
	text.size--;
	end = slice_find(text, '$');
	return end > 0 && end + 1 < text.size;
}

enum password_kind
password_kind_of(struct slice text)
{
	static const struct slice taken[] = { SLICE("$y$"), SLICE("$gy$"),
		SLICE("$7$"), SLICE("$2b$"), SLICE("$2y$"), SLICE("$2a$"),
		SLICE("$6$") };
	struct sasl_scram keys;
	bool is_scram;
	size_t i;

	if (text.size == 0 || text.size > PASSWORD_TEXT_MAX)
		return PASSWORD_MALFORMED;
	for (i = 0; i < text.size; i++)
		if (text.data[i] <= 0x20 || text.data[i] == 0x7f ||
		    text.data[i] == ':')
			return PASSWORD_MALFORMED;
	if (*text.data == '!' || *text.data == '*')
		return PASSWORD_LOCKED;
	if (*text.data == '{') {
		is_scram = sasl_parse_scram(text, &keys);
		explicit_bzero(&keys, sizeof(keys));
		return is_scram ? PASSWORD_SCRAM : PASSWORD_MALFORMED;
	}
	if (!is_hash(text))
		return PASSWORD_MALFORMED;
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (slice_starts_nocase(text, taken[i]))
			return PASSWORD_CRYPT;
	return PASSWORD_WEAK;
}

/* The characters of crypt(5), but for what separates the fields. */
static bool
is_of_crypt(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '.' && c <= '9') && c != '$' && c != '=')
			return false;
	}
	return true;
}

/* What stands behind the last $, and how many there are. */
static size_t
size_of_last_field(struct slice text, size_t *n_fields)
{
	size_t size = 0;

	*n_fields = 0;
	for (size_t i = 0; i < text.size; i++) {
		size = text.data[i] == '$' ? 0 : size + 1;
		*n_fields += text.data[i] == '$';
	}
	return size;
}

/* "$2b$12$", 22 characters of salt and 31 of hash; 4 to 31 is the cost. */
static bool
is_whole_bcrypt(struct slice text, size_t n_fields)
{
	unsigned long long cost;

	return text.size == 60 && n_fields == 3 && text.data[6] == '$' &&
	    slice_number((struct slice){ text.data + 4, 2 }, 31, &cost) &&
	    cost >= 4;
}

bool
password_is_whole(struct slice text)
{
	size_t n_fields;
	size_t size = size_of_last_field(text, &n_fields);

	if (password_kind_of(text) != PASSWORD_CRYPT || !is_of_crypt(text))
		return false;
	if (slice_starts_nocase(text, SLICE("$2")))
		return is_whole_bcrypt(text, n_fields);
	if (slice_starts_nocase(text, SLICE("$6$")))
		return size == 86 && (n_fields == 3 || n_fields == 4);
	if (slice_starts_nocase(text, SLICE("$7$")))
		return size == 43 && n_fields == 3;
	return size == 43 && n_fields == 4;
}
