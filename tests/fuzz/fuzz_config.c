/* SPDX-License-Identifier: ISC */
/*
 * fuzz_config.c - any octets as a configuration: it is refused with an
 * error, or what comes of it holds what config.h promises.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_domain(const struct config *c, const struct config_domain *d)
{
	assert(d->name != NULL && d->mailbox != NULL && d->plus != NULL);
	assert(d->mailbox[0] == '/' || strncmp(d->mailbox, "~/", 2) == 0);
	assert(strstr(d->mailbox, "/../") == NULL);
	assert(d->users_are_passwd + (d->users_table != NULL) +
	    (d->next_hop != NULL) == 1);
	assert(d->users_table == NULL || d->users_table[0] == '/');
	assert(d->catch_all == NULL || strchr(d->catch_all, '@') != NULL);
	assert(config_find_domain(c, slice_of(d->name)) == d);
	for (size_t i = 0; i < d->same_as.n; i++)
		assert(config_find_domain(c,
		    slice_of(d->same_as.items[i])) == d);
}

static void
check_listen(const struct config_listen *l)
{
	assert(l->text != NULL && l->is_unix == (l->path != NULL));
	assert(l->is_unix == (l->role == LISTEN_LOCAL));
	assert(l->is_unix || (l->address != NULL && l->port != 0));
}

static void
check(const struct config *c)
{
	assert(c->hostname && c->origin && c->state_dir);
	assert(c->postmaster && strchr(c->postmaster, '@'));
	assert(c->n_listens > 0 && c->n_listens <= CONFIG_MAX_LISTENS);
	assert(c->n_domains > 0 && c->n_domains <= CONFIG_MAX_DOMAINS);
	assert(c->log_level >= 3 && c->log_level <= 7 && c->min_uid > 0);
	assert(c->limits.recipients > 0 &&
	    c->limits.recipients <= CONFIG_MAX_RECIPIENTS);
	for (size_t i = 0; i < c->n_listens; i++)
		check_listen(&c->listens[i]);
	for (size_t i = 0; i < c->n_domains; i++)
		check_domain(c, &c->domains[i]);
	(void)config_networks_contain(&c->bare_lf_exempt, "192.0.2.1");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_problems problems;
	struct config *config = config_parse(
	    (struct slice){ (const char *)data, size }, &problems);

	assert((config == NULL) == config_problems_has_error(&problems));
	assert(problems.n <= 2 * CONFIG_MAX_PROBLEMS);
	if (config != NULL)
		check(config);
	config_free(&config);
	/* with errors: enough of it is whole for users to be looked at */
	config = config_parse_to_check(
	    (struct slice){ (const char *)data, size });
	for (size_t i = 0; config != NULL && i < config->n_domains; i++)
		check_domain(config, &config->domains[i]);
	config_free(&config);
	config_problems_free(&problems);
	return 0;
}
