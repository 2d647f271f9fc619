/* SPDX-License-Identifier: ISC */
/*
 * mta_sts.c - see mta_sts.h.
 */
#include <string.h>
#include <strings.h>
#include "mta_sts.h"
#include "octets.h"

/* ---- the record (RFC 8461 3.1) ---- */

static bool
take_id(struct slice value, char id[MTA_STS_ID_MAX + 1])
{
	if (value.size == 0 || *id != '\0')
		return false;
	for (size_t i = 0; i < value.size; i++)
		if (!is_alnum(value.data[i]))
			return false;
	return slice_copy(id, MTA_STS_ID_MAX + 1, value);
}

bool
mta_sts_record(struct slice txt, char id[MTA_STS_ID_MAX + 1])
{
	bool is_first = true;

	*id = '\0';
	while (txt.size > 0) {
		size_t n = slice_find(txt, ';');
		struct slice field = slice_trim(slice_first(txt, n));
		size_t equals = slice_find(field, '=');
		struct slice name = slice_trim(slice_first(field, equals));

		txt = slice_after(txt, n < txt.size ? n + 1 : n);
		if (is_first && !slice_equals(field, SLICE("v=STSv1")))
			return false;
		is_first = false;
		if (slice_equals(name, SLICE("id")) && equals < field.size &&
		    !take_id(slice_trim(slice_after(field, equals + 1)), id))
			return false;
	}
	return *id != '\0';
}

/* ---- the policy (RFC 8461 3.2) ---- */

/* A name of letters, digits, hyphens and dots, perhaps behind "*.". */
static bool
take_host(struct mta_sts_policy *p, struct slice value)
{
	struct slice name = value;
	char *to = p->hosts[p->n_hosts];

	if (p->n_hosts == MTA_STS_HOSTS_MAX)
		return true;		/* the rest is passed over */
	if (slice_starts_nocase(name, SLICE("*.")))
		name = slice_after(name, 2);
	if (name.size > 0 && name.data[name.size - 1] == '.')
		name.size--, value.size--;
	if (name.size == 0 || !is_alnum(*name.data) ||
	    name.data[name.size - 1] == '.')
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (!is_alnum(name.data[i]) && name.data[i] != '-' &&
		    name.data[i] != '_' && (name.data[i] != '.' ||
		    name.data[i - 1] == '.'))
			return false;
	if (!slice_copy(to, MTA_STS_NAME_MAX + 1, value))
		return false;
	p->n_hosts++;
	return true;
}

static const char *const modes[] = { [MTA_STS_NONE] = "none",
	[MTA_STS_TESTING] = "testing", [MTA_STS_ENFORCE] = "enforce" };

static bool
take_mode(struct mta_sts_policy *p, struct slice value)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		if (!slice_equals(value, slice_of(modes[i])))
			continue;
		p->mode = (enum mta_sts_mode)i;
		return true;
	}
	return false;
}

enum key { KEY_VERSION = 1, KEY_MODE = 2, KEY_AGE = 4 };

/* False: it makes the whole policy none. */
static bool
take_field(struct mta_sts_policy *p, struct slice key, struct slice value,
    unsigned *has)
{
	unsigned long long age;

	if (slice_equals(key, SLICE("mx")))
		return take_host(p, value);
	if (slice_equals(key, SLICE("version")) && !(*has & KEY_VERSION)) {
		*has |= KEY_VERSION;
		return slice_equals(value, SLICE("STSv1"));
	}
	if (slice_equals(key, SLICE("mode")) && !(*has & KEY_MODE)) {
		*has |= KEY_MODE;
		return take_mode(p, value);
	}
	if (slice_equals(key, SLICE("max_age")) && !(*has & KEY_AGE)) {
		*has |= KEY_AGE;
		if (!slice_number(value, 9999999999, &age))
			return false;
		p->max_age_s = age > MTA_STS_AGE_MAX ? MTA_STS_AGE_MAX :
		    (uint32_t)age;
	}
	return true;	/* again, or unknown: the first one counts */
}

bool
mta_sts_parse(struct mta_sts_policy *p, struct slice text)
{
	unsigned has = 0;

	memset(p, 0, sizeof *p);
	if (text.size > MTA_STS_POLICY_MAX)
		return false;
	while (text.size > 0) {
		struct slice line = slice_next_line(&text);
		size_t colon;

		if (line.size > 0 && line.data[line.size - 1] == '\r')
			line.size--;
		line = slice_trim(line);
		colon = slice_find(line, ':');
		if (line.size == 0)
			continue;
		if (colon == line.size || slice_has_control(line) ||
		    !take_field(p, slice_trim(slice_first(line, colon)),
		    slice_trim(slice_after(line, colon + 1)), &has))
			return false;
	}
	return has == (KEY_VERSION | KEY_MODE | KEY_AGE) &&
	    (p->mode == MTA_STS_NONE || p->n_hosts > 0);
}

const char *
mta_sts_mode_name(enum mta_sts_mode mode)
{
	return modes[mode];
}

int
mta_sts_write(struct buf *to, const struct mta_sts_policy *p)
{
	int error = buf_printf(to, "version: STSv1\nmode: %s\n",
	    modes[p->mode]);

	for (unsigned i = 0; !error && i < p->n_hosts; i++)
		error = buf_printf(to, "mx: %s\n", p->hosts[i]);
	return error ? error : buf_printf(to, "max_age: %u\n",
	    (unsigned)p->max_age_s);
}

bool
mta_sts_has_host(const struct mta_sts_policy *p, const char *host)
{
	const char *dot = strchr(host, '.');

	for (unsigned i = 0; i < p->n_hosts; i++) {
		const char *pattern = p->hosts[i];

		if (pattern[0] != '*' ? strcasecmp(pattern, host) == 0 :
		    dot != NULL && dot != host &&
		    strcasecmp(pattern + 1, dot) == 0)
			return true;
	}
	return false;
}
