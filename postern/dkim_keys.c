/* SPDX-License-Identifier: ISC */
/*
 * dkim_keys.c - see dkim_keys.h.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "log.h"
#include "pem_key.h"
#include "supervisor.h"

#define RSA_LEAST 1024		/* bits: below, receivers do not look */
#define RSA_GOOD 2048

struct checked {
	const struct config *config;
	const int *fds;
	const struct owner *as;
	int types[CONFIG_MAX_DKIM];
};

void
dkim_keys_init(int *fds)
{
	for (size_t i = 0; i < CONFIG_MAX_DKIM; i++)
		fds[i] = -1;
}

void
dkim_keys_close(int *fds)
{
	for (size_t i = 0; i < CONFIG_MAX_DKIM; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	dkim_keys_init(fds);
}

void
dkim_keys_open(int *fds, const struct config *config,
    struct config_problems *problems)
{
	for (size_t i = 0; i < config->n_dkims; i++)
		fds[i] = certificate_copy("key", config->dkims[i].key,
		    config->dkims[i].line, problems);
}

static EVP_PKEY *
read_key(int fd)
{
	struct stat st;
	char *pem;
	EVP_PKEY *key = NULL;

	if (fstat(fd, &st) < 0 || (pem = malloc((size_t)st.st_size + 1)) ==
	    NULL)
		return NULL;
	if (pread(fd, pem, (size_t)st.st_size, 0) == st.st_size)
		key = pem_key_parse((struct slice){ pem, (size_t)st.st_size });
	free(pem);
	return key;
}

static void
check_type(struct checked *c, size_t i, struct config_problems *problems)
{
	const struct config_dkim *dkims = c->config->dkims;

	for (size_t k = 0; k < i; k++)
		if (c->types[k] == c->types[i] &&
		    strcmp(dkims[k].domain, dkims[i].domain) == 0)
			config_problem_add(problems, dkims[i].line, false,
			    "dkim \"%s\" stands twice with the same type of "
			    "key, first on line %u", dkims[i].domain,
			    dkims[k].line);
}

static void
check_one(struct checked *c, size_t i, struct config_problems *problems)
{
	const struct config_dkim *dkim = &c->config->dkims[i];
	EVP_PKEY *key = read_key(c->fds[i]);
	int type = key != NULL ? EVP_PKEY_get_base_id(key) : 0;

	if (key == NULL)
		config_problem_add(problems, dkim->line, false, "key \"%s\": "
		    "there is no private key in PEM in it, or it has a "
		    "passphrase", dkim->key);
	else if (type != EVP_PKEY_RSA && type != EVP_PKEY_ED25519)
		config_problem_add(problems, dkim->line, false, "key \"%s\" "
		    "is neither of RSA nor of Ed25519 (RFC 6376, RFC 8463)",
		    dkim->key);
	else if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_LEAST)
		config_problem_add(problems, dkim->line, false, "key \"%s\" "
		    "has %d bits; nobody believes fewer than %d (RFC 8301)",
		    dkim->key, EVP_PKEY_get_bits(key), RSA_LEAST);
	else if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_GOOD)
		config_problem_add(problems, dkim->line, true, "key \"%s\" "
		    "has %d bits; it should have %d (RFC 8301)", dkim->key,
		    EVP_PKEY_get_bits(key), RSA_GOOD);
	c->types[i] = type;
	if (type != 0)
		check_type(c, i, problems);
	EVP_PKEY_free(key);
}

static void
check_all(void *arg, struct config_problems *problems)
{
	struct checked *c = arg;

	if (c->as != NULL)
		check_become(c->as->uid, c->as->gid);
	for (size_t i = 0; i < c->config->n_dkims; i++)
		if (c->fds[i] >= 0)
			check_one(c, i, problems);
}

int
dkim_keys_check(const int *fds, const struct config *config,
    const struct owner *as, struct config_problems *problems)
{
	struct checked c = { .config = config, .fds = fds, .as = as };

	return config->n_dkims == 0 ? 0 :
	    check_in_child(check_all, &c, problems);
}

bool
dkim_keys_reload(int *fds, const struct config *config,
    const struct owner *as)
{
	struct config_problems problems = { 0 };
	bool is_ok;

	dkim_keys_open(fds, config, &problems);
	is_ok = dkim_keys_check(fds, config, as, &problems) == 0;
	for (size_t i = 0; i < problems.n; i++)
		log_error("dkim_key", LOG_U("line", problems.items[i].line),
		    LOG_S("problem", problems.items[i].text), LOG_END);
	is_ok = is_ok && !config_problems_has_error(&problems);
	config_problems_free(&problems);
	return is_ok;
}
