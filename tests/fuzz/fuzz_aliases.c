/* SPDX-License-Identifier: ISC */
/*
 * fuzz_aliases.c - any octets as an aliases file: an error with a line, or
 * aliases that can be compiled and followed, in bounded time, to an answer
 * that keeps the promises of resolve.h.
 */
#include "../../directory/aliases.h"
#include "../../directory/image.h"
#include "../../directory/resolve.h"
#include "require.h"

static const char config_text[] = "hostname = \"a.b\"\norigin = \"a.b\"\n"
    "postmaster = \"p@a.b\"\nstate_dir = \"/nowhere\"\n"
    "listen \"127.0.0.1:2525\" { role = mx }\n"
    "domain \"a.b\" { users = \"table:/u\" aliases = \"/a\" "
    "mailbox = \"/v/%u\" names = true catch_all = \"c@a.b\" }\n"
    "domain \"c.d\" { users = \"table:/u\" mailbox = \"/w/%u\" }\n";

static const char *const user_names[] = { "a", "b", "c", "p" };

/* Everything about it that does not depend on the input. */
static struct catalog *catalog;
static struct resolver *resolver;

static void
add_users(struct catalog_slot *slot)
{
	struct image image = { 0 };

	for (size_t i = 0; i < 4; i++) {
		char local[8];
		struct user user = { .local = local, .line = 1 };
		struct buf value = { 0 };

		strcpy(local, user_names[i]);
		REQUIRE(record_put_user(&value, &user) == 0);
		REQUIRE(image_add(&image, RECORD_USER, slice_of(local),
		    buf_slice(&value)) == 0);
		buf_free(&value);
	}
	REQUIRE(image_sort(&image) == 0);
	REQUIRE(table_of_image(&slot->live, &image) == 0);
}

static void
set_up(void)
{
	struct config_problems problems;
	struct config *config = config_parse(slice_of(config_text),
	    &problems);

	REQUIRE(config != NULL);
	config_problems_free(&problems);
	catalog = catalog_new(config, false);
	REQUIRE(catalog != NULL);
	resolver = resolver_new(catalog);
	REQUIRE(resolver != NULL);
	add_users(catalog->domains[0].users);
}

static void
check_answer(const struct resolved *r)
{
	switch (r->kind) {
	case ROUTE_MAILBOX:
		REQUIRE(r->n_leaves > 0 && r->verdict.code == 0);
		REQUIRE(r->n_leaves <= 8);	/* four users, two domains */
		REQUIRE(r->alarm[0] == '\0');
		break;
	case ROUTE_DISCARD:
		REQUIRE(r->n_leaves == 0 && r->verdict.code == 0);
		break;
	case ROUTE_REFUSE:
		REQUIRE(r->n_leaves == 0 && r->verdict.code >= 400 &&
		    r->verdict.code < 600 && r->verdict.code != 421);
		/* a 5xx is never our own mistake */
		REQUIRE(r->verdict.code < 500 || r->alarm[0] == '\0');
		break;
	case ROUTE_PROGRAM:
		REQUIRE(r->program.size > 0 && r->verdict.code == 0);
		REQUIRE(r->program.size <= ROUTE_PROGRAM_MAX);
		REQUIRE(!has_control_octet(r->program));
		break;
	case ROUTE_HOP:
		REQUIRE(*r->destination != '\0' && r->verdict.code == 0);
		break;
	case ROUTE_LIST:
		REQUIRE(r->n_members > 0 && r->verdict.code == 0);
		break;
	default:
		REQUIRE(false);
	}
	REQUIRE((r->kind == ROUTE_PROGRAM) == (r->program.size > 0));
}

static void
add_alias(struct image *image, const struct alias *alias)
{
	struct buf value = { 0 };
	char key[512];

	REQUIRE(strlen(alias->name) < sizeof key);
	strcpy(key, alias->name);
	source_fold(key, strlen(key));
	REQUIRE(record_put_list(&value, alias, false, "") == 0);
	REQUIRE(image_add(image, RECORD_ALIAS, slice_of(key),
	    buf_slice(&value)) == 0);
	buf_free(&value);
}

static void
follow(const struct aliases *aliases)
{
	struct catalog_slot *slot = catalog->domains[0].aliases;
	struct image image = { 0 };

	for (size_t i = 0; i < aliases->n; i++)
		add_alias(&image, &aliases->items[i]);
	REQUIRE(image_sort(&image) == 0);
	REQUIRE(table_of_image(&slot->live, &image) == 0);
	for (size_t i = 0; i < aliases->n && i < 50; i++)
		check_answer(resolver_find(resolver, slice_of(
		    aliases->items[i].name), SLICE("a.b"), i % 2));
	check_answer(resolver_find(resolver, SLICE("postmaster"), SLICE(""),
	    true));
	table_close(&slot->live);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_problems problems = { 0 };
	struct slice text = { (const char *)data, size };
	struct aliases aliases;
	int error;

	if (catalog == NULL)
		set_up();
	error = aliases_parse(&aliases, text, "F", true, &problems);
	REQUIRE((error != 0) == config_problems_has_error(&problems));
	if (error == 0)
		follow(&aliases);
	aliases_free(&aliases);
	config_problems_free(&problems);
	error = aliases_parse_include(&aliases, text, "/f", &problems);
	REQUIRE(error != 0 || aliases.n == 1);
	aliases_free(&aliases);
	config_problems_free(&problems);
	return 0;
}
