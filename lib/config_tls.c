/* SPDX-License-Identifier: ISC */
/*
 * config_tls.c - sections tls, and what listeners say about TLS.
 *
 * Whether a certificate can be read and fits its key lies outside of the
 * file: postern/certificates.c.
 */
#include "config_frame.h"
#include "config_text.h"

static const char *const mode_names[] = { "off", "optional", "required",
	"implicit" };

const char *
config_text_tls_name(struct slice in, struct buf *out)
{
	size_t start = out->size;
	const char *wrong;

	if (!config_text_starts(in, SLICE("*.")))
		return config_text_domain(in, out);
	wrong = config_text_keep(out, SLICE("*."));
	if (wrong == NULL)
		wrong = config_text_domain(config_text_after(in, 2), out);
	if (wrong != NULL)
		out->size = start;	/* it is no suggestion */
	return wrong;
}

bool
config_check_tls(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	if (config->n_tls == CONFIG_MAX_TLS + 1)
		config_error(problems, frame->line, "more than %d sections "
		    "tls", CONFIG_MAX_TLS);
	return true;
}

static enum config_tls_mode
default_mode(const struct config *config, const struct config_listen *listen)
{
	if (config->n_tls == 0 || listen->is_unix)
		return TLS_OFF;
	return listen->role == LISTEN_MX ? TLS_OPTIONAL : TLS_REQUIRED;
}

/* AUTH is offered under TLS only; devices that cannot say it have sections
 * of their own. */
static void
warn_of_nobody(const struct config *config,
    const struct config_listen *listen, struct config_problems *problems)
{
	if (listen->role != LISTEN_SUBMISSION || listen->is_unix ||
	    listen->text == NULL || listen->tls != TLS_OFF ||
	    config->n_submitters > 0)
		return;
	config_warn(problems, listen->tls_line != 0 ? listen->tls_line :
	    listen->line, "nobody can send mail by \"%s\": who logs in needs "
	    "TLS (%s), and there is no section submitter", listen->text,
	    config->n_tls == 0 ? "a section tls with a certificate" :
	    "tls = required");
}

void
config_check_listen_tls(struct config *config,
    struct config_problems *problems)
{
	for (size_t i = 0; i < config->n_listens; i++) {
		struct config_listen *listen = &config->listens[i];

		if (listen->tls_line == 0)
			listen->tls = default_mode(config, listen);
		if (listen->is_unix && listen->tls != TLS_OFF)
			config_error(problems, listen->tls_line, "a unix "
			    "socket has no TLS");
		else if (listen->tls != TLS_OFF && config->n_tls == 0)
			config_error(problems, listen->tls_line, "tls = %s "
			    "needs a section tls with a certificate",
			    mode_names[listen->tls]);
		else
			warn_of_nobody(config, listen, problems);
	}
}
