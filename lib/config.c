/* SPDX-License-Identifier: ISC */
/*
 * config.c - a configuration is made and released; see config.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "config_frame.h"
#include "config_text.h"
#include "config_value.h"

/* Every section whose keys are members of struct config. */
static const char *const own_sections[] = { "", "limits", "processes",
	"resolver", "checks", "submission", "auth", "queue", "relay", "batv",
	"srs" };
#define MEMORY_MIN (256u << 20)	/* DESIGN 6 */
#define N_OWN_SECTIONS (sizeof(own_sections) / sizeof(own_sections[0]))

static bool
fill(struct config *config, struct slice text,
    struct config_problems *problems)
{
	struct token_list tokens = { 0 };
	bool has_memory = true;

	for (size_t i = 0; i < N_OWN_SECTIONS && has_memory; i++)
		has_memory = config_set_defaults(config, own_sections[i]);
	has_memory = has_memory && config_lex(&tokens, text, problems) &&
	    config_read(config, &tokens, problems);
	config_lex_free(&tokens);
	return has_memory;
}

struct config *
config_parse(struct slice text, struct config_problems *problems)
{
	struct config *config = calloc(1, sizeof(*config));

	*problems = (struct config_problems){ 0 };
	if (text.size > CONFIG_MAX_BYTES)
		config_error(problems, 0, "more than %u octets",
		    CONFIG_MAX_BYTES);
	else if (config == NULL || !fill(config, text, problems))
		config_error(problems, 0, "%s", CONFIG_NO_MEMORY);
	config_problems_sort(problems);
	problems->wants_json = config != NULL && config->logs_json;
	if (config != NULL && config->state_dir != NULL)
		slice_copy(problems->state_dir, sizeof(problems->state_dir),
		    slice_of(config->state_dir));
	if (config_problems_has_error(problems))
		config_free(&config);
	return config;
}

struct config *
config_parse_to_check(struct slice text)
{
	struct config_problems problems = { 0 };
	struct config *config = calloc(1, sizeof(*config));
	bool is_enough = config != NULL && text.size <= CONFIG_MAX_BYTES &&
	    fill(config, text, &problems) && !config->has_odd_users &&
	    problems.n_errors < CONFIG_MAX_PROBLEMS &&
	    config->hostname != NULL && config->origin != NULL &&
	    config->postmaster != NULL && config->state_dir != NULL &&
	    config->n_domains > 0;

	config_problems_free(&problems);
	if (!is_enough)
		config_free(&config);
	return config;
}

const char *
config_unread(int error)
{
	return error == -ENOBUFS ? "larger than " NUMBER_TEXT(CONFIG_MAX_MIB)
	    " MiB" : strerror(-error);
}

uint64_t
config_memory_bytes(const struct config *config)
{
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
	uint64_t eighth = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 8;

	if (config->memory_messages_bytes != 0)
		return config->memory_messages_bytes;
	return eighth < MEMORY_MIN ? MEMORY_MIN : eighth;
}

static void
free_listen(struct config_listen *listen)
{
	config_release(listen, "listen");
	free(listen->text);
	free(listen->path);
	free(listen->address);
}

static void
free_own_users(struct config *c)
{
	for (size_t i = 0; i < c->n_senders; i++) {
		config_release(&c->senders[i], "sender");
		free(c->senders[i].user);
	}
	free(c->senders);
	for (size_t i = 0; i < c->n_submitters; i++) {
		config_release(&c->submitters[i], "submitter");
		free(c->submitters[i].network);
	}
	free(c->submitters);
	for (size_t i = 0; i < c->n_dkims; i++) {
		config_release(&c->dkims[i], "dkim");
		free(c->dkims[i].domain);
	}
	free(c->dkims);
}

static void
free_filters(struct config_filter *filters, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(filters[i].text);
		free(filters[i].path);
		free(filters[i].address);
	}
	free(filters);
}

static void
free_tls(struct config_tls *tls)
{
	config_release(tls, "tls");
	free(tls->name);
}

static void
free_domain(struct config_domain *domain)
{
	config_release(domain, "domain");
	free(domain->name);
}

static void
free_dnsbl(struct config_dnsbl *dnsbl)
{
	config_release(dnsbl, "dnsbl");
	free(dnsbl->zone);
}

void
config_free(struct config **config)
{
	struct config *c = *config;

	*config = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < N_OWN_SECTIONS; i++)
		config_release(c, own_sections[i]);
	for (size_t i = 0; i < c->n_listens; i++)
		free_listen(&c->listens[i]);
	for (size_t i = 0; i < c->n_domains; i++)
		free_domain(&c->domains[i]);
	free_own_users(c);
	free_filters(c->clamds, c->n_clamds);
	free_filters(c->milters, c->n_milters);
	for (size_t i = 0; i < c->checks.n_dnsbls; i++)
		free_dnsbl(&c->checks.dnsbls[i]);
	free(c->checks.dnsbls);
	for (size_t i = 0; i < c->n_tls; i++)
		free_tls(&c->tls[i]);
	free(c->tls);
	free(c->listens);
	free(c->domains);
	for (size_t i = 0; i < CONFIG_INDICES; i++)
		free(c->indices[i].items);
	free(c);
}

const struct config_filter *
config_find_endpoint(const struct config *config, unsigned index)
{
	if (index == CONFIG_ENDPOINT_CLAMD)
		return config->n_clamds > 0 ? &config->clamds[0] : NULL;
	index -= CONFIG_ENDPOINT_MILTERS;
	return index < config->n_milters ? &config->milters[index] : NULL;
}
