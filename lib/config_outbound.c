/* SPDX-License-Identifier: ISC */
/*
 * config_outbound.c - what the configuration of our own users' mail says
 * only as a whole.
 */
#include <stdlib.h>
#include <string.h>
#include "config_frame.h"
#include "config_text.h"

/* ---- sections ---- */

static bool
check_dkim(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const struct config_dkim *own = &config->dkims[frame->index];
	unsigned n_same = 0;

	if (config->n_dkims == CONFIG_MAX_DKIM + 1)
		config_error(problems, frame->line, "more than %d sections "
		    "dkim", CONFIG_MAX_DKIM);
	if (own->domain == NULL || own->selector == NULL)
		return true;
	for (size_t i = 0; i < frame->index; i++) {
		const struct config_dkim *dkim = &config->dkims[i];

		if (dkim->domain == NULL || dkim->selector == NULL ||
		    strcmp(dkim->domain, own->domain) != 0)
			continue;
		n_same++;
		if (strcmp(dkim->selector, own->selector) == 0)
			config_error(problems, frame->line, "selector "
			    "\"%s\" of dkim \"%s\" stands twice, first on "
			    "line %u", own->selector, own->domain,
			    dkim->line);
	}
	if (n_same == CONFIG_DKIM_PER_DOMAIN)
		config_error(problems, frame->line, "dkim \"%s\" stands more "
		    "than %d times", own->domain, CONFIG_DKIM_PER_DOMAIN);
	return config_index_add(config, CONFIG_BY_DKIM, own->domain,
	    frame->index);
}

/* Dovecot's is a unix socket: auth has no other way out. */
static bool
check_auth(struct config_auth *auth, const struct config_frame *frame,
    struct config_problems *problems)
{
	unsigned line = config_frame_line(frame, "dovecot");
	char *path;

	if (auth->dovecot == NULL)
		return true;
	if (!config_text_starts(slice_of(auth->dovecot), SLICE("unix:"))) {
		config_error(problems, line, "dovecot needs unix: and a "
		    "path");
		return true;
	}
	if (auth->users != NULL)
		config_error(problems, line, "auth has either users or "
		    "dovecot");
	path = strdup(auth->dovecot + 5);
	free(auth->dovecot);
	auth->dovecot = path;
	auth->dovecot_line = line;
	return path != NULL;
}

static void
check_queue(const struct config_queue *queue,
    const struct config_frame *frame, struct config_problems *problems)
{
	if (queue->retry_first_s > queue->retry_longest_s)
		config_error(problems, config_frame_line(frame,
		    "retry_first"), "retry_first is longer than "
		    "retry_longest");
	if (queue->retry_first_s >= queue->give_up_s)
		config_warn(problems, config_frame_line(frame,
		    "retry_first"), "retry_first is not shorter than "
		    "give_up: nothing is tried a second time");
	if (queue->delay_notice_s >= queue->give_up_s)
		config_warn(problems, config_frame_line(frame,
		    "delay_notice"), "delay_notice is not shorter than "
		    "give_up: no notice is ever sent");
}

static void
check_source(const char *address, bool is_ipv6, const char *name,
    const struct config_frame *frame, struct config_problems *problems)
{
	if (address != NULL && (strchr(address, ':') != NULL) != is_ipv6)
		config_error(problems, config_frame_line(frame, name),
		    "%s \"%s\" is an address of IPv%d", name, address,
		    is_ipv6 ? 4 : 6);
}

static void
check_relay(struct config_relay *relay,
    const struct config_frame *frame, struct config_problems *problems)
{
	bool has_user = relay->smart_host_user != NULL;
	bool has_file = relay->smart_host_password_file != NULL;

	relay->smart_host_password_line = config_frame_line(frame,
	    "smart_host_password_file");
	relay->source_ipv4_line = config_frame_line(frame, "source_ipv4");
	relay->source_ipv6_line = config_frame_line(frame, "source_ipv6");
	if (config_frame_has(frame, "ca_file"))
		relay->ca_file_line = config_frame_line(frame, "ca_file");
	check_source(relay->source_ipv4, false, "source_ipv4", frame,
	    problems);
	check_source(relay->source_ipv6, true, "source_ipv6", frame,
	    problems);
	if (relay->smart_host != NULL &&
	    strncmp(relay->smart_host, "smtp:", 5) != 0)
		config_error(problems, config_frame_line(frame, "smart_host"),
		    "smart_host begins with smtp:");
	if (has_user != has_file)
		config_error(problems, config_frame_line(frame, has_user ?
		    "smart_host_user" : "smart_host_password_file"),
		    "smart_host_user and smart_host_password_file need each "
		    "other");
	if (relay->smart_host == NULL && (has_user || has_file))
		config_warn(problems, config_frame_line(frame,
		    "smart_host_user"), "smart_host_user does nothing "
		    "without smart_host");
}

bool
config_check_outbound(struct config *config,
    const struct config_frame *frame, struct config_problems *problems)
{
	const char *name = frame->section->name;

	if (frame->section->target == TARGET_DKIM)
		return check_dkim(config, frame, problems);
	if (strcmp(name, "auth") == 0)
		return check_auth(&config->auth, frame, problems);
	else if (strcmp(name, "queue") == 0)
		check_queue(&config->queue, frame, problems);
	else if (strcmp(name, "resolver") == 0)
		config->resolver.trust_anchor_line = config_frame_line(frame,
		    "trust_anchor");
	else if (strcmp(name, "relay") == 0)
		check_relay(&config->relay, frame, problems);
	return true;
}

/* ---- the file ---- */

static void
check_here(const struct config *config, const char *address,
    const char *name, unsigned line, struct config_problems *problems)
{
	const char *at = address ? strchr(address, '@') : NULL;

	if (at != NULL && !config_find_domain(config, slice_of(at + 1)))
		config_error(problems, line, "%s \"%s\" is in no domain of "
		    "this server", name, address);
}

/* Bounces have to come back to us, and stay. */
static void
check_srs(const struct config *config, struct config_problems *problems)
{
	const char *name = config->srs.domain;
	const struct config_domain *domain = name != NULL ?
	    config_find_domain(config, slice_of(name)) : NULL;

	if (name != NULL && domain == NULL)
		config_error(problems, 0, "srs: domain \"%s\" is no domain "
		    "of this server", name);
	else if (domain != NULL && domain->next_hop != NULL)
		config_error(problems, 0, "srs: domain \"%s\" has a "
		    "next_hop: bounces would go there", name);
}

/* After the origin is known. */
bool
config_check_outbound_file(struct config *config,
    const struct config_frame *top, struct config_problems *problems)
{
	if (!config_complete_address(&config->dsn_to, config->origin))
		return false;
	check_here(config, config->dsn_to, "dsn_to",
	    config_frame_line(top, "dsn_to"), problems);
	check_srs(config, problems);
	for (size_t i = 0; i < config->n_submitters; i++) {
		struct config_submitter *s = &config->submitters[i];

		if (!config_complete_address(&s->as, config->origin))
			return false;
		check_here(config, s->as, "as", s->line, problems);
	}
	return true;
}
