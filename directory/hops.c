/* SPDX-License-Identifier: ISC */
/*
 * hops.c - a recipient whose mail goes on to another host while the client
 * waits (DESIGN 7): see resolve_parts.h.
 *
 * There is one at most for each recipient, beside any number of mailboxes.
 * Two hosts could answer differently, and then one of them has the message
 * that the other one has refused; what goes to more of them is a list, whose
 * owner hears of it.
 */
#include <string.h>
#include "hops.h"

struct hop {
	const char *destination;
	struct slice local, domain;	/* of the address there */
	bool is_forward, is_smart_host;
};

/* Whose SPF record names us: ours, and not of a domain that we only front,
 * as bounces come back to it. */
static const char *
srs_domain(const struct resolver *r)
{
	const struct config *config = r->catalog->config;

	return config->srs.domain != NULL ? config->srs.domain :
	    r->asked != NULL ? r->asked->config->name : config->hostname;
}

/* The same one twice is one. */
static void
add(struct resolver *r, const struct step *step, const struct hop *hop)
{
	struct resolved *out = &r->out;
	char address[ADDRESS_TEXT_MAX + 1];

	/* a mailbox is looked for: by LMTP it is one */
	if (!r->allows_lists &&
	    (hop->is_forward || !config_hop_is_lmtp(hop->destination))) {
		resolve_trouble(r, step, TROUBLE_DEAD, "\"%.*s@%.*s\" is "
		    "elsewhere, and has no mailbox here",
		    RESOLVE_QUOTE(hop->local), RESOLVE_QUOTE(hop->domain));
		return;
	}
	if (!address_write(address, sizeof address, hop->local,
	    hop->domain)) {
		resolve_trouble(r, step, TROUBLE_DEAD, "an address that is "
		    "too long");
		return;
	}
	if (out->n_members > 0 || (*out->destination != '\0' &&
	    strcmp(address, out->hop_address) != 0)) {
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "\"%s\" is "
		    "elsewhere, and so is \"%s\": more than one need an alias "
		    "owner-NAME", address, out->n_members > 0 ? "a member of "
		    "a list" : out->hop_address);
		return;
	}
	(void)slice_copy(out->destination, sizeof out->destination,
	    slice_of(hop->destination));
	memcpy(out->hop_address, address, strlen(address) + 1);
	out->is_forward = hop->is_forward;
	out->is_smart_host = hop->is_smart_host;
	out->srs_domain = srs_domain(r);
	resolve_explain(r, "%s: asked at %s, whose answer counts%s", address,
	    hop->destination, hop->is_forward ?
	    " (from a rewritten reverse-path)" : "");
}

void
hop_front(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target)
{
	const struct hop hop = {
		.destination = config_domain_hop(domain->config),
		.local = target->text, .domain = target->domain.size > 0 ?
		target->domain : slice_of(domain->config->name) };

	resolve_explain(r, "domain \"%s\" (line %u) -> %s",
	    domain->config->name, domain->config->line, hop.destination);
	add(r, step, &hop);
}

void
hop_home(struct resolver *r, const struct catalog_domain *domain,
    struct slice local)
{
	struct resolved *out = &r->out;

	if (address_write(out->hop_address, sizeof out->hop_address, local,
	    slice_of(domain->config->name)) &&
	    slice_copy(out->destination, sizeof out->destination,
	    slice_of(config_domain_hop(domain->config))))
		out->is_forward = out->is_smart_host = false;
	else
		resolve_trouble(r, NULL, TROUBLE_DEAD, "an address that is "
		    "too long");
}

void
hop_forward(struct resolver *r, const struct step *step,
    const struct record_target *target)
{
	const char *smart_host = r->catalog->config->relay.smart_host;
	char domain[ADDRESS_DOMAIN_MAX + 1];
	const struct hop hop = { .destination = smart_host != NULL ?
		smart_host : domain, .local = target->text,
		.domain = target->domain, .is_forward = true,
		.is_smart_host = smart_host != NULL };

	if (slice_copy(domain, sizeof domain, target->domain))
		add(r, step, &hop);
	else
		resolve_trouble(r, step, TROUBLE_DEAD, "an address that is "
		    "too long");
}
