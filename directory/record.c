/* SPDX-License-Identifier: ISC */
/*
 * record.c - entries of compiled tables; see record.h.
 */
#include "ipc.h"
#include "pack.h"
#include "record.h"
#include "route.h"

#define RECORD_VERSION 1

bool
record_is_exempt(struct slice local)
{
	return slice_equals_nocase(local, SLICE("postmaster")) ||
	    slice_equals_nocase(local, SLICE("abuse"));
}

void
record_fold(char *local, size_t size, bool folds_case)
{
	if (folds_case || record_is_exempt((struct slice){ local, size }))
		source_fold(local, size);
}

int
record_put_user(struct buf *out, const struct user *user)
{
	struct pack p = { .out = out };

	pack_u32(&p, user->line);
	pack_slice(&p, slice_of(user->local));
	pack_u8(&p, user->has_quota);
	pack_u64(&p, user->quota_bytes);
	return p.error;
}

bool
record_get_user(struct slice value, struct record_user *user)
{
	struct ipc_reader r;

	ipc_reader_init(&r, value.data, value.size);
	user->line = ipc_get_u32(&r);
	user->local = ipc_get_slice(&r);
	user->has_quota = ipc_get_u8(&r) != 0;
	user->quota_bytes = ipc_get_u64(&r);
	return ipc_reader_is_done(&r) && users_is_path_safe(user->local);
}

int
record_put_name(struct buf *out, const struct record_name *name)
{
	struct pack p = { .out = out };

	pack_u32(&p, name->n_users);
	pack_u32(&p, name->n);
	for (uint32_t i = 0; i < name->n; i++)
		pack_slice(&p, name->users[i]);
	return p.error;
}

bool
record_get_name(struct slice value, struct record_name *name)
{
	struct ipc_reader r;

	ipc_reader_init(&r, value.data, value.size);
	name->n_users = ipc_get_u32(&r);
	name->n = ipc_get_u32(&r);
	if (r.failed || name->n == 0 || name->n > RECORD_NAME_USERS ||
	    name->n > name->n_users)
		return false;
	for (uint32_t i = 0; i < name->n; i++)
		name->users[i] = ipc_get_slice(&r);
	return ipc_reader_is_done(&r);
}

static void
put_target(struct pack *p, const struct alias_target *target)
{
	pack_u8(p, (uint8_t)target->kind);
	pack_u32(p, target->line);
	pack_u16(p, target->code);
	pack_u8(p, target->subject);
	pack_u8(p, target->detail);
	pack_slice(p, slice_of(target->text));
	pack_slice(p, target->domain ? slice_of(target->domain) : SLICE(""));
}

int
record_put_list(struct buf *out, const struct alias *alias, bool is_include,
    const char *reason)
{
	struct pack p = { .out = out };

	pack_u32(&p, is_include ? 0 : alias->line);
	pack_slice(&p, slice_of(is_include ? reason : alias->name));
	pack_u32(&p, (uint32_t)alias->n_targets);
	for (size_t i = 0; i < alias->n_targets; i++)
		put_target(&p, &alias->targets[i]);
	return p.error;
}

bool
record_get_list(struct slice value, struct record_list *list)
{
	struct ipc_reader r;

	ipc_reader_init(&r, value.data, value.size);
	list->line = ipc_get_u32(&r);
	list->name = ipc_get_slice(&r);
	list->n_targets = ipc_get_u32(&r);
	if (r.failed || list->n_targets > ROUTE_MAX_LEAVES)
		return false;
	list->targets.data = value.data + r.at;
	list->targets.size = value.size - r.at;
	return true;
}

bool
record_next_target(struct record_list *list, struct record_target *target)
{
	struct ipc_reader r;

	if (list->n_targets == 0)
		return false;
	ipc_reader_init(&r, list->targets.data, list->targets.size);
	target->kind = (enum alias_target_kind)ipc_get_u8(&r);
	target->line = ipc_get_u32(&r);
	target->code = ipc_get_u16(&r);
	target->subject = ipc_get_u8(&r);
	target->detail = ipc_get_u8(&r);
	target->text = ipc_get_slice(&r);
	target->domain = ipc_get_slice(&r);
	if (r.failed || target->kind < ALIAS_ADDRESS ||
	    target->kind > ALIAS_DISCARD)
		return false;
	list->n_targets--;
	list->targets.data += r.at;
	list->targets.size -= r.at;
	return true;
}

int
record_put_meta(struct buf *out, const struct record_meta *meta)
{
	struct pack p = { .out = out };

	pack_u8(&p, RECORD_VERSION);
	pack_u8(&p, meta->kind);
	pack_u8(&p, meta->folds_case);
	pack_u64(&p, (uint64_t)meta->made_s);
	pack_u32(&p, meta->n_entries);
	pack_slice(&p, meta->path);
	return p.error;
}

bool
record_get_meta(struct slice value, struct record_meta *meta)
{
	struct ipc_reader r;
	uint8_t version;

	ipc_reader_init(&r, value.data, value.size);
	version = ipc_get_u8(&r);
	meta->kind = ipc_get_u8(&r);
	meta->folds_case = ipc_get_u8(&r) != 0;
	meta->made_s = (int64_t)ipc_get_u64(&r);
	meta->n_entries = ipc_get_u32(&r);
	meta->path = ipc_get_slice(&r);
	return ipc_reader_is_done(&r) && version == RECORD_VERSION;
}
