/* SPDX-License-Identifier: ISC */
/*
 * See account.h.
 */
#include <stdio.h>
#include <string.h>
#include "account.h"
#include "address.h"

static void
fold(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* As directory compares: these two have no case in any domain. */
static bool
folds_case(const struct config_domain *domain, struct slice local)
{
	return !domain->is_case_sensitive ||
	    slice_equals_nocase(local, SLICE("postmaster")) ||
	    slice_equals_nocase(local, SLICE("abuse"));
}

static bool
fits(int n, size_t room)
{
	return n > 0 && (size_t)n < room;
}

static bool
is_sane(struct slice name)
{
	return name.size > 0 && name.size < VOUCHER_USER_MAX &&
	    !slice_has_control(name);
}

bool
account_of_user(struct account *a, const struct config_domain *domain,
    struct slice local)
{
	char folded[VOUCHER_USER_MAX];

	*a = (struct account){ "", "", "" };
	if (!is_sane(local) || !slice_copy(folded, sizeof(folded), local))
		return false;
	if (folds_case(domain, local))
		fold(folded);
	return fits(snprintf(a->key, sizeof(a->key), "%s@%s", folded,
	    domain->name), sizeof(a->key)) &&
	    fits(snprintf(a->user, sizeof(a->user), "%.*s@%s",
	    (int)local.size, local.data, domain->name), sizeof(a->user)) &&
	    address_write(a->address, sizeof(a->address), local,
	    slice_of(domain->name));
}

static bool
system_account(struct account *a, const struct config *config,
    struct slice login, bool folds)
{
	*a = (struct account){ "", "", "" };
	if (!is_sane(login) || slice_find(login, '@') < login.size ||
	    config->origin == NULL ||
	    !slice_copy(a->key, sizeof(a->key), login) ||
	    !slice_copy(a->user, sizeof(a->user), login))
		return false;
	if (folds)
		fold(a->key);
	return address_write(a->address, sizeof(a->address), login,
	    slice_of(config->origin));
}

bool
account_of_system(struct account *a, const struct config *config,
    struct slice login)
{
	return system_account(a, config, login, false);
}

static bool
account_in(struct account *a, const struct config *config,
    const struct config_domain *domain, struct slice local)
{
	if (domain == NULL)
		return false;
	if (domain->users_are_passwd)
		return system_account(a, config, local,
		    folds_case(domain, local));
	/* of one with a next hop auth's own table or Dovecot knows the users */
	return account_of_user(a, domain, local);
}

/* One who is nobody is counted, too. */
static void
keep_key(struct account *a, struct slice name)
{
	*a = (struct account){ "", "", "" };
	if (name.size >= sizeof(a->key))
		name.size = sizeof(a->key) - 1;
	memcpy(a->key, name.data, name.size);
	fold(a->key);
}

bool
account_of_login(struct account *a, const struct config *config,
    struct slice name)
{
	struct address address;
	bool is_one = false;

	if (!is_sane(name)) {
		*a = (struct account){ "", "", "" };
		return false;
	}
	if (slice_find(name, '@') == name.size)
		is_one = config->origin != NULL && account_in(a, config,
		    config_find_domain(config, slice_of(config->origin)),
		    name);
	else if (address_parse(&address, name, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK)
		is_one = account_in(a, config, config_find_domain(config,
		    slice_of(address.domain)), slice_of(address.local));
	if (!is_one)
		keep_key(a, name);
	return is_one;
}
