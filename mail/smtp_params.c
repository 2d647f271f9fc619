/* SPDX-License-Identifier: ISC */
/*
 * smtp_params.c - ESMTP parameters (RFC 5321 4.1.2), one row of a table
 * each; to add one, add its bit to enum command_param and a row here.
 */
#include "octets.h"
#include "smtp_params.h"

#define ENVID_MAX 100		/* RFC 3461 4.4 */
#define ORCPT_MAX 500		/* RFC 3461 5.4.1 */
#define SIZE_DIGITS_MAX 20	/* RFC 1870 3 */

/* Stores a checked value; value.data is NULL for a keyword without "=". */
typedef bool param_fn(void *params, struct slice value);

struct param_rule {
	struct slice keyword;
	enum command_param param;
	param_fn *read;
};

struct choice {
	struct slice word;
	unsigned value;
};

struct reader {
	const struct param_rule *rules;
	size_t n_rules;
	unsigned offered;
	void *params;
	unsigned *given;
	struct slice *wrong;
};

static bool
find_choice(const struct choice *choices, size_t n, struct slice word,
    unsigned *value)
{
	for (size_t i = 0; i < n; i++) {
		if (!slice_equals_nocase(word, choices[i].word))
			continue;
		*value = choices[i].value;
		return true;
	}
	return false;
}

/* RFC 3461 4: "+" begins two upper-case hexadecimal digits. */
static bool
is_xtext(struct slice s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.size; i++) {
		char c = s.data[i];

		if (c <= ' ' || c > '~' || c == '=')
			return false;
		if (c != '+')
			continue;
		if (s.size - i < 3 || memchr(hex, s.data[i + 1], 16) == NULL ||
		    memchr(hex, s.data[i + 2], 16) == NULL)
			return false;
		i += 2;
	}
	return s.size > 0;
}

static bool
read_nothing(void *params, struct slice value)
{
	(void)params;
	return value.data == NULL;
}

/* Twenty digits can be more than 64 bits hold: then it is just too large. */
static bool
read_size(void *params, struct slice value)
{
	struct mail_params *p = params;
	unsigned long long size;

	if (value.size == 0 || value.size > SIZE_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < value.size; i++)
		if (!is_digit(value.data[i]))
			return false;
	p->size_bytes = slice_number(value, UINT64_MAX, &size) ? size :
	    UINT64_MAX;
	return true;
}

static bool
read_body(void *params, struct slice value)
{
	static const struct choice choices[] = {
		{ { "7BIT", 4 }, COMMAND_BODY_7BIT },
		{ { "8BITMIME", 8 }, COMMAND_BODY_8BITMIME },
	};
	struct mail_params *p = params;
	unsigned body;

	if (!find_choice(choices, 2, value, &body))
		return false;
	p->body = (enum command_body)body;
	return true;
}

static bool
read_ret(void *params, struct slice value)
{
	static const struct choice choices[] = {
		{ { "FULL", 4 }, COMMAND_RET_FULL },
		{ { "HDRS", 4 }, COMMAND_RET_HDRS },
	};
	struct mail_params *p = params;
	unsigned ret;

	if (!find_choice(choices, 2, value, &ret))
		return false;
	p->ret = (enum command_ret)ret;
	return true;
}

static bool
read_envid(void *params, struct slice value)
{
	struct mail_params *p = params;

	p->envid = value;
	return value.size <= ENVID_MAX && is_xtext(value);
}

static bool
read_auth(void *params, struct slice value)
{
	struct mail_params *p = params;

	p->auth = value;
	return slice_equals(value, SLICE("<>")) || is_xtext(value);
}

/* NEVER stands alone (RFC 3461 4.1). */
static bool
read_notify(void *params, struct slice value)
{
	static const struct choice choices[] = {
		{ { "NEVER", 5 }, COMMAND_NOTIFY_NEVER },
		{ { "SUCCESS", 7 }, COMMAND_NOTIFY_SUCCESS },
		{ { "FAILURE", 7 }, COMMAND_NOTIFY_FAILURE },
		{ { "DELAY", 5 }, COMMAND_NOTIFY_DELAY },
	};
	struct rcpt_params *p = params;
	unsigned one;
	size_t n;

	do {
		n = slice_find(value, ',');
		if (!find_choice(choices, 4, slice_first(value, n), &one))
			return false;
		p->notify |= one;
		if (n + 1 == value.size)	/* a comma at the end */
			return false;
		value = slice_after(value, n < value.size ? n + 1 : n);
	} while (value.size > 0);
	return !(p->notify & COMMAND_NOTIFY_NEVER) ||
	    p->notify == COMMAND_NOTIFY_NEVER;
}

/* addr-type;xtext, RFC 3461 4.2. */
static bool
read_orcpt(void *params, struct slice value)
{
	struct rcpt_params *p = params;
	size_t n = slice_find(value, ';');

	if (n == 0 || n == value.size || value.size > ORCPT_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(value.data[i]) && value.data[i] != '-')
			return false;
	p->orcpt = value;
	return is_xtext(slice_after(value, n + 1));
}

static const struct param_rule mail_rules[] = {
	{ { "SIZE", 4 }, COMMAND_SIZE, read_size },
	{ { "BODY", 4 }, COMMAND_BODY, read_body },
	{ { "SMTPUTF8", 8 }, COMMAND_SMTPUTF8, read_nothing },
	{ { "PRDR", 4 }, COMMAND_PRDR, read_nothing },
	{ { "RET", 3 }, COMMAND_RET, read_ret },
	{ { "ENVID", 5 }, COMMAND_ENVID, read_envid },
	{ { "AUTH", 4 }, COMMAND_AUTH, read_auth },
	{ { "REQUIRETLS", 10 }, COMMAND_REQUIRETLS, read_nothing },
};

static const struct param_rule rcpt_rules[] = {
	{ { "NOTIFY", 6 }, COMMAND_NOTIFY, read_notify },
	{ { "ORCPT", 5 }, COMMAND_ORCPT, read_orcpt },
};

/* esmtp-keyword: begins with a letter or digit, then also "-". */
static bool
is_keyword(struct slice s)
{
	if (s.size == 0 || *s.data == '-')
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (!is_alnum(s.data[i]) && s.data[i] != '-')
			return false;
	return true;
}

static const struct param_rule *
find_rule(const struct reader *r, struct slice keyword)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if (slice_equals_nocase(keyword, r->rules[i].keyword))
			return r->rules[i].param & r->offered ? &r->rules[i] :
			    NULL;
	return NULL;
}

static enum command_result
read_param(const struct reader *r, struct slice word)
{
	size_t n = slice_find(word, '=');
	struct slice keyword = slice_first(word, n);
	struct slice value = { NULL, 0 };
	const struct param_rule *rule;

	if (!is_keyword(keyword))
		return COMMAND_BAD_SYNTAX;
	*r->wrong = keyword;
	rule = find_rule(r, keyword);
	if (rule == NULL)
		return COMMAND_UNKNOWN_PARAM;
	if (*r->given & rule->param)
		return COMMAND_DUPLICATE_PARAM;
	if (n < word.size)
		value = slice_after(word, n + 1);
	if (!rule->read(r->params, value))
		return COMMAND_BAD_PARAM;
	*r->given |= rule->param;
	*r->wrong = (struct slice){ NULL, 0 };
	return COMMAND_OK;
}

static enum command_result
read_params(const struct reader *r, struct slice text)
{
	while (text.size > 0) {
		enum command_result result;
		size_t n = 0;

		while (n < text.size && !is_space(text.data[n]))
			n++;
		result = read_param(r, slice_first(text, n));
		if (result != COMMAND_OK)
			return result;
		text = slice_trim(slice_after(text, n));
	}
	return COMMAND_OK;
}

enum command_result
params_parse_mail(struct slice text, unsigned offered,
    struct mail_params *params)
{
	const struct reader r = { mail_rules,
		sizeof(mail_rules) / sizeof(mail_rules[0]), offered,
		params, &params->given, &params->wrong };

	return read_params(&r, text);
}

enum command_result
params_parse_rcpt(struct slice text, unsigned offered,
    struct rcpt_params *params)
{
	const struct reader r = { rcpt_rules,
		sizeof(rcpt_rules) / sizeof(rcpt_rules[0]), offered,
		params, &params->given, &params->wrong };

	return read_params(&r, text);
}
