/* SPDX-License-Identifier: ISC */
/*
 * fuzz_users.c - any octets as a users table: an error with a line, or
 * users whose names are safe in a path, whose records survive, and whose
 * real names give keys.
 */
#include "../../directory/names.h"
#include "../../directory/record.h"
#include "../../directory/users.h"
#include "require.h"

static void
check_user(const struct user *user)
{
	struct record_user record;
	struct names_keys keys;
	struct buf value = { 0 };

	REQUIRE(user->line > 0);
	REQUIRE(users_is_path_safe(slice_of(user->local)));
	REQUIRE(strchr(user->local, '/') == NULL);
	REQUIRE(strcmp(user->local, "..") != 0);
	REQUIRE(record_put_user(&value, user) == 0);
	REQUIRE(record_get_user(buf_slice(&value), &record));
	REQUIRE(slice_equals(record.local, slice_of(user->local)));
	REQUIRE(record.quota_bytes == user->quota_bytes);
	buf_free(&value);
	if (user->name == NULL)
		return;
	REQUIRE(!has_control_octet(slice_of(user->name)));
	names_make_keys(&keys, slice_of(user->name));
	REQUIRE(keys.n <= NAMES_MAX_KEYS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_problems problems = { 0 };
	struct slice text = { (const char *)data, size };
	struct record_user record;
	struct record_name name;
	struct users users;
	int error = users_parse(&users, text, "F", true, &problems);

	REQUIRE((error != 0) == config_problems_has_error(&problems));
	for (size_t i = 0; error == 0 && i < users.n; i++)
		check_user(&users.items[i]);
	users_free(&users);
	config_problems_free(&problems);
	/* the decoders take anything, too */
	(void)record_get_user(text, &record);
	(void)record_get_name(text, &name);
	return 0;
}
