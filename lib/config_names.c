/* SPDX-License-Identifier: ISC */
/*
 * config_names.c - which section has a name, a next hop, a file, a mailbox.
 *
 * Open hash tables that grow with the sections as they are read. They keep
 * pointers into them; nobody can choose what is in them but who writes the
 * file.
 */
#include <stdlib.h>
#include "config_frame.h"

#define FIRST_ROOM 16

/* Where it is, or where it would be. There is always a free place. */
static struct config_name *
place_of(const struct config_names *names, struct slice name)
{
	size_t at = slice_hash(name) & (names->room - 1);

	while (names->items[at].name != NULL &&
	    !slice_equals(slice_of(names->items[at].name), name))
		at = (at + 1) & (names->room - 1);
	return &names->items[at];
}

/* Half of it stays free. */
static bool
make_room(struct config_names *names)
{
	struct config_names more = { .n = names->n,
		.room = names->room > 0 ? 2 * names->room : FIRST_ROOM };

	if (2 * (names->n + 1) <= names->room)
		return true;
	more.items = calloc(more.room, sizeof *more.items);
	if (more.items == NULL)
		return false;
	for (size_t i = 0; i < names->room; i++)
		if (names->items[i].name != NULL)
			*place_of(&more, slice_of(names->items[i].name)) =
			    names->items[i];
	free(names->items);
	*names = more;
	return true;
}

bool
config_index_add(struct config *config, enum config_index index,
    const char *name, size_t section)
{
	struct config_names *names = &config->indices[index];
	struct config_name *place;

	if (!make_room(names))
		return false;
	place = place_of(names, slice_of(name));
	if (place->name == NULL) {
		*place = (struct config_name){ name, section };
		names->n++;
	}
	return true;
}

/* NULL: nobody has it. */
static const struct config_name *
find(const struct config *config, enum config_index index, struct slice name)
{
	const struct config_names *names = &config->indices[index];
	const struct config_name *place = names->n > 0 ?
	    place_of(names, name) : NULL;

	return place != NULL && place->name != NULL ? place : NULL;
}

const struct config_domain *
config_index_find(const struct config *config, enum config_index index,
    struct slice name)
{
	const struct config_name *found = find(config, index, name);

	return found != NULL ? &config->domains[found->section] : NULL;
}

const char *
config_find_signed(const struct config *config, struct slice domain)
{
	const struct config_name *found = find(config, CONFIG_BY_DKIM,
	    domain);

	return found != NULL ? found->name : NULL;
}
