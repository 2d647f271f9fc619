/* SPDX-License-Identifier: ISC */
/*
 * config_value.c - one value, by the type of its key: checked and kept.
 *
 * A value that is wrong is reported and not kept, so that a key always
 * holds its default or something valid.
 */
#include <stdlib.h>
#include <string.h>
#include "config_text.h"
#include "config_value.h"

const struct config_type_info config_types[CONFIG_TYPE_COUNT] = {
	[CONFIG_COUNT] = { "a number", "number", TOKEN_NUMBER, false, NULL },
	[CONFIG_SIZE] = { "a size, such as 50M", "size", TOKEN_NUMBER, false,
	    NULL },
	[CONFIG_DURATION] = { "a duration, such as 30s", "duration",
	    TOKEN_NUMBER, false, NULL },
	[CONFIG_BOOL] = { "true or false", NULL, TOKEN_WORD, false, NULL },
	[CONFIG_WORD] = { "a word", NULL, TOKEN_WORD, false, NULL },
	[CONFIG_DOMAIN] = { "a domain name", "domain", TOKEN_STRING, false,
	    config_text_domain },
	[CONFIG_ADDRESS] = { "a mail address", "address", TOKEN_STRING,
	    false, config_text_address },
	[CONFIG_LOCAL_ADDRESS] = { "a mail address", "address",
	    TOKEN_STRING, false, config_text_local_address },
	[CONFIG_PATH] = { "an absolute path", "path", TOKEN_STRING, false,
	    config_text_path },
	[CONFIG_NAME] = { "a name", "name", TOKEN_STRING, false,
	    config_text_name },
	[CONFIG_USERS] = { "\"passwd\" or \"table:/path\"", "users",
	    TOKEN_STRING, false, config_text_users },
	[CONFIG_MAILBOX] = { "a mailbox", "pattern", TOKEN_STRING, false,
	    config_text_mailbox },
	[CONFIG_PLUS] = { "separators", "characters", TOKEN_STRING, false,
	    config_text_plus },
	[CONFIG_NEXT_HOP] = { "a next hop", "next_hop", TOKEN_STRING, false,
	    config_text_next_hop },
	[CONFIG_TLS_NAME] = { "a host name", "name", TOKEN_STRING, false,
	    config_text_tls_name },
	[CONFIG_ACCOUNT] = { "a user", "user", TOKEN_STRING, false,
	    config_text_account },
	[CONFIG_IP] = { "an IP address", "address", TOKEN_STRING, false,
	    config_text_ip },
	[CONFIG_LISTEN] = { "an address and port, such as \"*:25\"",
	    "address", TOKEN_STRING, false, config_text_listen },
	[CONFIG_ENDPOINT] = { "a socket, such as \"unix:/run/name.sock\"",
	    "socket", TOKEN_STRING, false, config_text_endpoint },
	[CONFIG_NETWORK] = { "a network, such as \"192.0.2.0/24\"",
	    "network", TOKEN_STRING, false, config_text_network },
	[CONFIG_DOMAIN_LIST] = { "a list, such as { \"example.net\" }",
	    "domain", TOKEN_STRING, true, config_text_domain },
	[CONFIG_NETWORK_LIST] = { "a list, such as { \"192.0.2.0/24\" }",
	    "network", TOKEN_STRING, true, config_text_network },
	[CONFIG_ADDRESS_LIST] = { "a list, such as { \"*@example.org\" }",
	    "address", TOKEN_STRING, true, config_text_address },
	[CONFIG_PATTERN_LIST] = { "a list, such as { \"*.exe\" }",
	    "pattern", TOKEN_STRING, true, config_text_line },
	[CONFIG_EXIT_LIST] = { "a list, such as { \"69\" }",
	    "exit_code", TOKEN_STRING, true, config_text_exit_code },
	[CONFIG_TEXT] = { "a text", "text", TOKEN_STRING, false,
	    config_text_line },
	[CONFIG_SERVER_LIST] = { "a list, such as { \"192.0.2.1\" }",
	    "server", TOKEN_STRING, true, config_text_server },
};

/* ---- numbers ---- */

static void
keep_number(void *target, const struct config_key *key, uint64_t value)
{
	void *at;

	if (target == NULL || key->size == 0)
		return;
	at = (char *)target + key->offset;
	if (key->size == sizeof(bool))
		*(bool *)at = value != 0;
	else if (key->size == sizeof(unsigned))
		*(unsigned *)at = (unsigned)value;
	else
		*(uint64_t *)at = value;
}

static void
take_number(void *target, const struct config_key *key,
    const struct token *token, struct config_problems *problems)
{
	struct buf more = { 0 };
	uint64_t value;
	const char *wrong = config_number(key->type, token->text, &value);

	if (wrong == NULL && ((value == 0 && (key->flags & KEY_ZERO)) ||
	    (value >= key->min && value <= key->max))) {
		keep_number(target, key, value);
		return;
	}
	if (wrong == NULL) {
		wrong = "out of range, ";
		config_print_range(&more, key);
	} else {
		config_number_suggest(key->type, token->text, &more);
	}
	config_error(problems, token->line, "%s = %.*s: %s%.*s", key->name,
	    CONFIG_QUOTE(token->text), wrong, CONFIG_QUOTE(buf_slice(&more)));
	buf_free(&more);
}

/* ---- words ---- */

static void
take_word(void *target, const struct config_key *key,
    const struct token *token, struct config_problems *problems)
{
	const char *words = key->type == CONFIG_BOOL ? "false|true" :
	    key->words;
	char room[32];
	const char *meant;
	unsigned index;

	if (config_word_find(words, token->text, &index)) {
		keep_number(target, key, key->first_word + index);
		return;
	}
	meant = config_word_suggest(words, token->text, room, sizeof(room));
	config_error(problems, token->line, "%s = %.*s: not one of %s%s%s%s",
	    key->name, CONFIG_QUOTE(token->text), words,
	    meant ? "; did you mean " : "", meant ? meant : "",
	    meant ? "?" : "");
}

/* ---- strings ---- */

/* A copy to keep; NULL when wrong (reported) or without memory. */
static char *
normalised(const struct config_type_info *type, const char *name,
    const struct token *token, struct config_problems *problems)
{
	struct buf out = { 0 };
	const char *wrong = type->normalise(token->text, &out);
	char *kept = NULL;

	if (wrong == NULL)
		kept = slice_strdup(buf_slice(&out));
	else if (out.size > 0)
		config_error(problems, token->line, "%s \"%.*s\": %s; did you "
		    "mean \"%.*s\"?", name, CONFIG_QUOTE(token->text), wrong,
		    CONFIG_QUOTE(buf_slice(&out)));
	else
		config_error(problems, token->line, "%s \"%.*s\": %s", name,
		    CONFIG_QUOTE(token->text), wrong);
	buf_free(&out);
	return kept;
}

static bool
take_string(void *target, const struct config_key *key,
    const struct token *token, struct config_problems *problems)
{
	size_t n_before = problems->n_errors;
	char *kept = NULL, **at;

	if (token->text.size > 0 || !(key->flags & KEY_EMPTY)) {
		kept = normalised(&config_types[key->type], key->name, token,
		    problems);
		if (kept == NULL)
			return problems->n_errors > n_before;
	}
	if (target == NULL || key->size == 0) {
		free(kept);
		return true;
	}
	at = (char **)(void *)((char *)target + key->offset);
	free(*at);
	*at = kept;
	return true;
}

static bool
append_string(struct config_strings *list, char *item)
{
	char **items = reallocarray(list->items, list->n + 1, sizeof(*items));

	if (items == NULL) {
		free(item);
		return false;
	}
	list->items = items;
	items[list->n++] = item;
	return true;
}

static bool
take_list(void *target, const struct config_key *key,
    const struct config_value *value, struct config_problems *problems)
{
	struct config_strings *list = target == NULL || key->size == 0 ?
	    NULL : (void *)((char *)target + key->offset);

	for (size_t i = 0; i < value->n; i++) {
		size_t n_before = problems->n_errors;
		const struct token *token = &value->first[i];
		char *item;

		if (token->kind != TOKEN_STRING || token->is_bad)
			continue;
		item = normalised(&config_types[key->type], key->name, token,
		    problems);
		if (item == NULL && problems->n_errors == n_before)
			return false;
		if (item != NULL && list != NULL &&
		    !append_string(list, item))
			return false;
		if (list == NULL)
			free(item);
	}
	return true;
}

/* ---- by type ---- */

static void
report_type(const struct config_key *key, const struct config_value *value,
    struct config_problems *problems)
{
	const struct config_type_info *type = &config_types[key->type];
	struct slice text = value->first->text;
	bool is_string = value->first->kind == TOKEN_STRING;

	if (value->is_list || key->words != NULL)
		config_error(problems, value->line, "%s needs %s%s",
		    key->name, key->words ? "one of " : "",
		    key->words ? key->words : type->what);
	else if (type->is_list)
		config_error(problems, value->line, "%s needs a list: "
		    "%s = { \"%.*s\" }", key->name, key->name,
		    CONFIG_QUOTE(text));
	else if (type->token == TOKEN_STRING)
		config_error(problems, value->line, "%s needs quotes: "
		    "%s = \"%.*s\"", key->name, key->name,
		    CONFIG_QUOTE(text));
	else
		config_error(problems, value->line, "%s needs %s%s",
		    key->name, type->what,
		    is_string ? ", without quotes" : "");
}

/* Words may stand in quotes: log = "stderr". Nothing else is lenient. */
static bool
is_of_type(const struct config_key *key, const struct config_value *value)
{
	const struct config_type_info *type = &config_types[key->type];

	if (value->is_list || type->is_list)
		return value->is_list == type->is_list;
	return value->first->kind == type->token ||
	    (key->type == CONFIG_WORD && value->first->kind == TOKEN_STRING);
}

bool
config_store(void *target, const struct config_key *key,
    const struct config_value *value, struct config_problems *problems)
{
	if (value->is_bad)
		return true;
	if (!is_of_type(key, value)) {
		report_type(key, value, problems);
		return true;
	}
	if (value->is_list)
		return take_list(target, key, value, problems);
	switch (config_types[key->type].token) {
	case TOKEN_NUMBER:
		take_number(target, key, value->first, problems);
		return true;
	case TOKEN_WORD:
		take_word(target, key, value->first, problems);
		return true;
	default:
		return take_string(target, key, value->first, problems);
	}
}

char *
config_title(const struct config_section *section,
    const struct token *title, struct config_problems *problems)
{
	return title->is_bad ? NULL : normalised(
	    &config_types[section->title_type], section->name, title,
	    problems);
}

bool
config_set_defaults(void *target, const char *section)
{
	struct config_problems none = { 0 };
	bool has_memory = true;

	for (size_t i = 0; i < config_n_keys && has_memory; i++) {
		const struct config_key *key = &config_keys[i];
		struct token token = { config_types[key->type].token, 0,
			false, slice_of(key->fallback) };
		struct config_value value = { &token, 1, false, false, 0 };

		if (key->fallback != NULL && strcmp(key->section, section) == 0)
			has_memory = config_store(target, key, &value, &none);
	}
	has_memory = has_memory && none.n_errors == 0;
	config_problems_free(&none);
	return has_memory;
}

static void
release_list(struct config_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct config_strings){ 0 };
}

void
config_release(void *target, const char *section)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		void *at = (char *)target + key->offset;

		if (key->size == 0 || strcmp(key->section, section) != 0 ||
		    config_types[key->type].token != TOKEN_STRING)
			continue;
		if (config_types[key->type].is_list)
			release_list(at);
		else {
			free(*(char **)at);
			*(char **)at = NULL;
		}
	}
}
