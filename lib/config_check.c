/* SPDX-License-Identifier: ISC */
/*
 * config_check.c - what can be said of a section, or of the whole file,
 * only when all of it has been read.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include "config_frame.h"
#include "config_text.h"

/* ---- every section ---- */

static void
check_required(const struct config_frame *frame,
    struct config_problems *problems)
{
	const char *name = frame->section->name;

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!(key->flags & KEY_REQUIRED) ||
		    strcmp(key->section, name) != 0 ||
		    config_frame_has(frame, key->name))
			continue;
		if (frame->line == 0)
			config_error(problems, 0, "%s is missing", key->name);
		else
			config_error(problems, frame->line, "section %s has "
			    "no %s", name, key->name);
	}
}

/* The parts of the title, which was checked when it was read. */
static bool
check_filter(struct config_filter *filter)
{
	struct slice where;

	if (filter->text == NULL)	/* a bad title, reported */
		return true;
	where = config_split_endpoint(slice_of(filter->text), &filter->port);
	filter->is_unix = filter->port == 0;
	if (filter->is_unix)
		filter->path = slice_strdup(where);
	else
		filter->address = slice_strdup(where);
	return filter->path != NULL || filter->address != NULL;
}

/* "default" stands for every check that is not named. */
static void
apply_default(struct config *config, const struct config_frame *frame)
{
	static const char *const names[CHECK_COUNT] = {
		[CHECK_HELO] = "helo", [CHECK_FCRDNS] = "fcrdns",
		[CHECK_SENDER_DOMAIN] = "sender_domain", [CHECK_SPF] = "spf",
		[CHECK_GREYLIST] = "greylist", [CHECK_DATE] = "date",
		[CHECK_FROM] = "from", [CHECK_DKIM] = "dkim",
		[CHECK_DMARC] = "dmarc", [CHECK_VIRUS] = "virus",
		[CHECK_CONTENT] = "content",
		[CHECK_ATTACHMENTS] = "attachments",
	};

	if (!config_frame_has(frame, "default"))
		return;
	config->checks.virus_is_fallback = !config_frame_has(frame, "virus");
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (names[i] != NULL && !config_frame_has(frame, names[i]))
			config->checks.actions[i] = config->checks.fallback;
}

/* Nobody shall believe that he is protected by what is off. */
static void
check_idle_keys(const struct config_checks *checks,
    const struct config_frame *frame, struct config_problems *problems)
{
	static const struct {
		const char *key, *of;
		enum config_check check;
	} idle[] = {
		{ "attachment_names", "attachments", CHECK_ATTACHMENTS },
		{ "attachment_types", "attachments", CHECK_ATTACHMENTS },
		{ "greylist_delay", "greylist", CHECK_GREYLIST },
		{ "greylist_window", "greylist", CHECK_GREYLIST },
		{ "greylist_lifetime", "greylist", CHECK_GREYLIST },
	};

	for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
		if (config_frame_has(frame, idle[i].key) &&
		    checks->actions[idle[i].check] == ACTION_OFF)
			config_warn(problems, config_frame_line(frame,
			    idle[i].key), "%s does nothing while %s is off",
			    idle[i].key, idle[i].of);
	if (config_frame_has(frame, "dnsbl_refuse_at") &&
	    checks->n_dnsbls == 0)
		config_warn(problems, config_frame_line(frame,
		    "dnsbl_refuse_at"), "dnsbl_refuse_at does nothing "
		    "without dnsbl");
}

static void
check_checks(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	struct config_checks *checks = &config->checks;

	apply_default(config, frame);
	check_idle_keys(checks, frame, problems);
	checks->untagged_line = config_frame_line(frame, "untagged_bounces");
	checks->relay_peer_line = config_frame_line(frame, "relay_peer");
	/* a retry counts between the two */
	if (checks->greylist_delay_s >= checks->greylist_window_s)
		config_error(problems, config_frame_line(frame,
		    config_frame_has(frame, "greylist_delay") ?
		    "greylist_delay" : "greylist_window"), "greylist_delay is "
		    "not shorter than greylist_window: no retry counts");
}

bool
config_check_section(struct config *config,
    const struct config_frame *frame, struct config_problems *problems)
{
	check_required(frame, problems);
	if (strcmp(frame->section->name, "checks") == 0)
		check_checks(config, frame, problems);
	if (config->checks.untagged_bounces == UNTAGGED_ACCEPT)
		config->checks.actions[CHECK_BOUNCE] = ACTION_MARK;
	switch (frame->section->target) {
	case TARGET_LISTEN:
		return config_check_listen(config, frame, problems);
	case TARGET_DOMAIN:
		return config_check_domain(config, frame, problems);
	case TARGET_CLAMD:
		return check_filter(&config->clamds[frame->index]);
	case TARGET_MILTER:
		if (config->n_milters == CONFIG_MAX_MILTERS + 1)
			config_error(problems, frame->line, "more than %d "
			    "milters", CONFIG_MAX_MILTERS);
		return check_filter(&config->milters[frame->index]);
	case TARGET_TLS:
		return config_check_tls(config, frame, problems);
	default:
		return config_check_outbound(config, frame, problems);
	}
}

/* ---- listen ---- */

static bool
split_listen(struct config_listen *listen)
{
	struct slice text = slice_of(listen->text), host;

	listen->is_unix = config_text_starts(text, SLICE("unix:"));
	if (listen->is_unix) {
		listen->path = strdup(listen->text + 5);
		return listen->path != NULL;
	}
	config_split_listen(text, &host, &listen->port);
	listen->address = slice_strdup(host);
	return listen->address != NULL;
}

static void
check_role(const struct config_listen *listen,
    const struct config_frame *frame, struct config_problems *problems)
{
	unsigned line = config_frame_line(frame, "role");

	if ((listen->role == LISTEN_LOCAL) != listen->is_unix &&
	    !config_problems_has_line(problems, line))
		config_error(problems, line, listen->is_unix ?
		    "a unix socket has role = local" :
		    "role = local needs a unix socket");
}

bool
config_check_listen(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	struct config_listen *listen = &config->listens[frame->index];

	if (config->n_listens == CONFIG_MAX_LISTENS + 1)
		config_error(problems, frame->line, "more than %d sections "
		    "listen", CONFIG_MAX_LISTENS);
	if (listen->text == NULL)	/* a bad title, reported */
		return true;
	if (!split_listen(listen))
		return false;
	check_role(listen, frame, problems);
	if (config_frame_has(frame, "tls"))
		listen->tls_line = config_frame_line(frame, "tls");
	for (size_t i = 0; i < frame->index; i++) {
		if (!config_listens_overlap(&config->listens[i], listen))
			continue;
		config_error(problems, frame->line, "\"%s\" is served "
		    "already by \"%s\" of line %u", listen->text,
		    config->listens[i].text, config->listens[i].line);
		break;
	}
	return true;
}

/* ---- the file ---- */

bool
config_complete_address(char **address, const char *domain)
{
	char *complete;

	if (*address == NULL || domain == NULL || strchr(*address, '@'))
		return true;
	if (asprintf(&complete, "%s@%s", *address, domain) < 0)
		return false;
	free(*address);
	*address = complete;
	return true;
}

/* The origin, and the postmaster who may need it. */
static bool
check_names(struct config *config, const struct config_frame *top,
    struct config_problems *problems)
{
	const char *at;

	if (config->hostname && strchr(config->hostname, '.') == NULL)
		config_warn(problems, config_frame_line(top, "hostname"),
		    "hostname \"%s\" has no domain: other servers may refuse "
		    "it", config->hostname);
	if (config->origin == NULL && config->n_domains > 0 &&
	    config->domains[0].name != NULL) {
		config->origin = strdup(config->domains[0].name);
		if (config->origin == NULL)
			return false;
	}
	if (config_frame_has(top, "origin") && config->origin &&
	    !config_find_domain(config, slice_of(config->origin)))
		config_warn(problems, config_frame_line(top, "origin"),
		    "origin \"%s\" is no domain of this server",
		    config->origin);
	if (!config_complete_address(&config->postmaster, config->origin))
		return false;
	config->postmaster_line = config_frame_line(top, "postmaster");
	config->state_dir_line = config_frame_line(top, "state_dir");
	if (config_frame_has(top, "admin_group"))
		config->admin_group_line = config_frame_line(top,
		    "admin_group");
	at = config->postmaster ? strchr(config->postmaster, '@') : NULL;
	if (at != NULL && !config_find_domain(config, slice_of(at + 1)))
		config_error(problems, config_frame_line(top, "postmaster"),
		    "postmaster \"%s\" is in no domain of this server",
		    config->postmaster);
	return true;
}

static void
check_limits(struct config *config, struct config_problems *problems)
{
	struct config_limits *limits = &config->limits;

	/* RFC 5321 4.5.3.1.8, 4.5.3.1.7 */
	if (limits->recipients == 0)
		limits->recipients = CONFIG_MAX_RECIPIENTS;
	else if (limits->recipients < 100)
		config_warn(problems, 0, "limits: recipients = %u; RFC 5321 "
		    "asks for at least 100", limits->recipients);
	if (limits->message_bytes > 0 && limits->message_bytes < 65536)
		config_warn(problems, 0, "limits: message_size is less than "
		    "the 64K that RFC 5321 asks for");
	if (config->memory_messages_bytes > 0 &&
	    limits->message_bytes > config->memory_messages_bytes / 4)
		config_warn(problems, 0, "limits: message_size is more than "
		    "the quarter of memory_messages that one client can have");
}

/* The path of a socket in it, control.sock, has to fit, too. */
static void
check_state_dir(const struct config *config, const struct config_frame *top,
    struct config_problems *problems)
{
	const size_t most = sizeof((struct sockaddr_un *)0)->sun_path -
	    sizeof "/control.sock";

	if (config->state_dir != NULL && strlen(config->state_dir) > most)
		config_error(problems, config_frame_line(top, "state_dir"),
		    "state_dir has more than %zu octets: a socket in it "
		    "would have too long a path", most);
}

static void
check_bare_lf(const struct config *config, struct config_problems *problems)
{
	if (config->bare_lf == BARE_LF_NORMALIZE &&
	    config->bare_lf_exempt.n == 0)
		config_warn(problems, 0, "checks: bare_lf = normalize does "
		    "nothing without bare_lf_exempt");
	if (config->checks.n_dnsbls == 0 && config->checks.dnsbl_exempt.n > 0)
		config_warn(problems, 0, "checks: dnsbl_exempt does nothing "
		    "without dnsbl");
	if (config->bare_lf == BARE_LF_REFUSE && config->bare_lf_exempt.n > 0)
		config_warn(problems, 0, "checks: bare_lf_exempt does nothing "
		    "without bare_lf = normalize");
}

static void
check_relay_peers(const struct config *config,
    struct config_problems *problems)
{
	const struct config_strings *peers = &config->checks.relay_peer;

	for (size_t i = 0; i < peers->n; i++)
		if (strcmp(peers->items[i], "0.0.0.0/0") == 0 ||
		    strcmp(peers->items[i], "::/0") == 0)
			config_error(problems,
			    config->checks.relay_peer_line, "relay_peer \"%s\" "
			    "is everybody: nothing would ever be refused for "
			    "what it is", peers->items[i]);
}

/* The lists say what the check does: without any it is off. */
static void
check_dnsbl(struct config *config, struct config_problems *problems)
{
	struct config_checks *checks = &config->checks;
	unsigned highest = 0, sum = 0;

	checks->actions[CHECK_DNSBL] = checks->n_dnsbls > 0 ? ACTION_REFUSE :
	    ACTION_OFF;
	for (size_t i = 0; i < checks->n_dnsbls; i++) {
		const struct config_dnsbl *list = &checks->dnsbls[i];

		if (list->is_allow)
			continue;
		sum += list->score;
		highest = list->score > highest ? list->score : highest;
	}
	if (checks->dnsbl_refuse_at == 0)
		checks->dnsbl_refuse_at = highest + 1;
	if (checks->n_dnsbls > 0 && sum < checks->dnsbl_refuse_at)
		config_warn(problems, checks->dnsbls[0].line, "the scores of "
		    "all dnsbl together are %u, and clients are refused at "
		    "%u: never; set dnsbl_refuse_at", sum,
		    checks->dnsbl_refuse_at);
}

/* Nobody shall believe that he is protected. */
static void
check_clamd(const struct config *config, struct config_problems *problems)
{
	if (config->n_clamds > 0 &&
	    config->checks.actions[CHECK_VIRUS] == ACTION_OFF)
		config_warn(problems, config->clamds[0].line, "clamd does "
		    "nothing while virus is off");
	if (config->n_clamds > 0 && config->checks.virus_is_fallback &&
	    config->checks.actions[CHECK_VIRUS] == ACTION_MARK)
		config_warn(problems, config->clamds[0].line, "what clamd "
		    "finds is delivered, as default = mark counts for virus, "
		    "too; say virus = refuse, or virus = mark");
	if (config->n_clamds > 0 && config->clamds[0].defers_old &&
	    config->clamds[0].signatures_age_s == 0)
		config_warn(problems, config->clamds[0].line,
		    "on_old_signatures does nothing while signatures_age is "
		    "0");
}

bool
config_check_file(struct config *config, const struct config_frame *top,
    struct config_problems *problems)
{
	size_t n_before;
	bool has_memory;

	check_required(top, problems);
	if (config->n_listens == 0)
		config_error(problems, 0, "there is no section listen, such "
		    "as: listen \"*:25\" { role = mx }");
	if (config->n_domains == 0)
		config_error(problems, 0, "there is no section domain, such "
		    "as: domain \"example.org\" { users = \"passwd\" }");
	check_state_dir(config, top, problems);
	check_limits(config, problems);
	config_check_listen_tls(config, problems);
	check_bare_lf(config, problems);
	check_relay_peers(config, problems);
	check_clamd(config, problems);
	check_dnsbl(config, problems);
	n_before = problems->n_errors;
	has_memory = check_names(config, top, problems) &&
	    config_check_outbound_file(config, top, problems);
	config->has_odd_users |= problems->n_errors > n_before;
	return has_memory;
}
