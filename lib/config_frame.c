/* SPDX-License-Identifier: ISC */
/*
 * config_frame.c - a section while it is being read: where its settings go,
 * and on which line each was set.
 */
#include <stdlib.h>
#include <string.h>
#include "config_frame.h"
#include "config_value.h"

/*
 * One more zeroed element at the end of the array that *array points to.
 * There is room for the next power of two. False without memory.
 */
static bool
grow(void *array, size_t *n, size_t size)
{
	void *items;

	memcpy(&items, array, sizeof(items));
	if ((*n & (*n - 1)) == 0) {
		items = reallocarray(items, *n ? *n * 2 : 1, size);
		if (items == NULL)
			return false;
		memcpy(array, &items, sizeof(items));
	}
	memset((char *)items + *n * size, 0, size);
	++*n;
	return true;
}

static bool
open_listen(struct config *config, struct config_frame *frame, char *title)
{
	struct config_listen *listen;

	if (!grow(&config->listens, &config->n_listens, sizeof(*listen))) {
		free(title);
		return false;
	}
	frame->index = config->n_listens - 1;
	listen = &config->listens[frame->index];
	listen->line = frame->line;
	listen->text = title;
	return config_set_defaults(listen, "listen");
}

static bool
open_domain(struct config *config, struct config_frame *frame, char *title)
{
	struct config_domain *domain;

	if (!grow(&config->domains, &config->n_domains, sizeof(*domain))) {
		free(title);
		return false;
	}
	frame->index = config->n_domains - 1;
	domain = &config->domains[frame->index];
	domain->line = frame->line;
	domain->name = title;
	return config_set_defaults(domain, "domain");
}

/* The same one twice would judge each message twice. */
static bool
open_filter(struct config *config, struct config_frame *frame, char *title,
    struct config_problems *problems)
{
	bool is_clamd = frame->section->target == TARGET_CLAMD;
	struct config_filter **all = is_clamd ? &config->clamds :
	    &config->milters, *filter;
	size_t *n = is_clamd ? &config->n_clamds : &config->n_milters;

	for (size_t i = 0; title != NULL && i < *n; i++)
		if ((*all)[i].text && strcmp((*all)[i].text, title) == 0)
			config_error(problems, frame->line, "%s \"%s\" stands "
			    "twice, first on line %u", frame->section->name,
			    title, (*all)[i].line);
	if (!grow(all, n, sizeof(**all))) {
		free(title);
		return false;
	}
	frame->index = *n - 1;
	filter = &(*all)[frame->index];
	filter->line = frame->line;
	filter->text = title;
	return config_set_defaults(filter, frame->section->name);
}

static bool
open_dnsbl(struct config *config, struct config_frame *frame, char *title,
    struct config_problems *problems)
{
	struct config_checks *checks = &config->checks;
	struct config_dnsbl *dnsbl;

	for (size_t i = 0; title != NULL && i < checks->n_dnsbls; i++)
		if (checks->dnsbls[i].zone != NULL &&
		    strcmp(checks->dnsbls[i].zone, title) == 0)
			config_error(problems, frame->line, "dnsbl \"%s\" "
			    "stands twice, first on line %u", title,
			    checks->dnsbls[i].line);
	if (!grow(&checks->dnsbls, &checks->n_dnsbls, sizeof(*dnsbl))) {
		free(title);
		return false;
	}
	if (checks->n_dnsbls == CONFIG_MAX_DNSBLS + 1)
		config_error(problems, frame->line, "more than %d sections "
		    "dnsbl", CONFIG_MAX_DNSBLS);
	frame->index = checks->n_dnsbls - 1;
	dnsbl = &checks->dnsbls[frame->index];
	dnsbl->line = frame->line;
	dnsbl->zone = title;
	return config_set_defaults(dnsbl, "dnsbl");
}

static bool
open_tls(struct config *config, struct config_frame *frame, char *title)
{
	struct config_tls *tls;

	if (!grow(&config->tls, &config->n_tls, sizeof(*tls))) {
		free(title);
		return false;
	}
	frame->index = config->n_tls - 1;
	tls = &config->tls[frame->index];
	tls->line = frame->line;
	tls->name = title;
	return config_set_defaults(tls, "tls");
}

static bool
open_sender(struct config *config, struct config_frame *frame, char *title,
    struct config_problems *problems)
{
	struct config_sender *sender;

	for (size_t i = 0; title != NULL && i < config->n_senders; i++)
		if (config->senders[i].user != NULL &&
		    strcmp(config->senders[i].user, title) == 0)
			config_error(problems, frame->line, "sender \"%s\" "
			    "stands twice, first on line %u", title,
			    config->senders[i].line);
	if (!grow(&config->senders, &config->n_senders, sizeof(*sender))) {
		free(title);
		return false;
	}
	frame->index = config->n_senders - 1;
	sender = &config->senders[frame->index];
	sender->line = frame->line;
	sender->user = title;
	return true;
}

static bool
open_submitter(struct config *config, struct config_frame *frame,
    char *title, struct config_problems *problems)
{
	struct config_submitter *submitter;

	for (size_t i = 0; title != NULL && i < config->n_submitters; i++)
		if (config->submitters[i].network != NULL &&
		    strcmp(config->submitters[i].network, title) == 0)
			config_error(problems, frame->line, "submitter "
			    "\"%s\" stands twice, first on line %u", title,
			    config->submitters[i].line);
	if (!grow(&config->submitters, &config->n_submitters,
	    sizeof(*submitter))) {
		free(title);
		return false;
	}
	frame->index = config->n_submitters - 1;
	submitter = &config->submitters[frame->index];
	submitter->line = frame->line;
	submitter->network = title;
	return true;
}

static bool
open_dkim(struct config *config, struct config_frame *frame, char *title)
{
	struct config_dkim *dkim;

	if (!grow(&config->dkims, &config->n_dkims, sizeof(*dkim))) {
		free(title);
		return false;
	}
	frame->index = config->n_dkims - 1;
	dkim = &config->dkims[frame->index];
	dkim->line = frame->line;
	dkim->domain = title;
	return true;
}

bool
config_frame_open(struct config *config, struct config_frame *frame,
    const struct token *title, struct config_problems *problems)
{
	size_t n_before = problems->n_errors;
	char *text = NULL;

	if (title != NULL) {
		text = config_title(frame->section, title, problems);
		if (text == NULL && !title->is_bad &&
		    problems->n_errors == n_before)
			return false;
	}
	switch (frame->section->target) {
	case TARGET_LISTEN:
		return open_listen(config, frame, text);
	case TARGET_DOMAIN:
		return open_domain(config, frame, text);
	case TARGET_CLAMD:
	case TARGET_MILTER:
		return open_filter(config, frame, text, problems);
	case TARGET_DNSBL:
		return open_dnsbl(config, frame, text, problems);
	case TARGET_TLS:
		return open_tls(config, frame, text);
	case TARGET_SENDER:
		return open_sender(config, frame, text, problems);
	case TARGET_SUBMITTER:
		return open_submitter(config, frame, text, problems);
	case TARGET_DKIM:
		return open_dkim(config, frame, text);
	default:
		free(text);
		return true;
	}
}

void *
config_frame_target(struct config *config, const struct config_frame *frame)
{
	switch (frame->section->target) {
	case TARGET_CONFIG:
		return config;
	case TARGET_LISTEN:
		return &config->listens[frame->index];
	case TARGET_DOMAIN:
		return &config->domains[frame->index];
	case TARGET_CLAMD:
		return &config->clamds[frame->index];
	case TARGET_MILTER:
		return &config->milters[frame->index];
	case TARGET_DNSBL:
		return &config->checks.dnsbls[frame->index];
	case TARGET_TLS:
		return &config->tls[frame->index];
	case TARGET_SENDER:
		return &config->senders[frame->index];
	case TARGET_SUBMITTER:
		return &config->submitters[frame->index];
	case TARGET_DKIM:
		return &config->dkims[frame->index];
	default:
		return NULL;
	}
}

/* Number of the key among those of its section. */
static size_t
number_in_section(const struct config_key *key)
{
	size_t n = 0;

	for (const struct config_key *k = config_keys; k != key; k++)
		n += strcmp(k->section, key->section) == 0;
	return n;
}

unsigned *
config_frame_seen(struct config_frame *frame, const struct config_key *key)
{
	return &frame->seen[number_in_section(key)];
}

static unsigned
seen_line(const struct config_frame *frame, const char *name)
{
	const struct config_key *key = config_key_find(frame->section->name,
	    slice_of(name));

	return frame->seen[number_in_section(key)];
}

unsigned
config_frame_line(const struct config_frame *frame, const char *name)
{
	unsigned line = seen_line(frame, name);

	return line ? line : frame->line;
}

bool
config_frame_has(const struct config_frame *frame, const char *name)
{
	return seen_line(frame, name) != 0;
}
