/* SPDX-License-Identifier: ISC */
/*
 * judge.c - judgements in wire form; see judge.h.
 *
 * The decoder is the asker's guard against a policy worker that was taken
 * over by what it read: it may judge wrongly, but a refusal has a refusal's
 * code, fields are whole header lines, and cuts lie in order.
 */
#include <string.h>
#include "ipc.h"
#include "judge.h"
#include "pack.h"

const struct finding *
judgement_strictest(const struct judgement *j)
{
	const struct finding *strictest = NULL;

	for (size_t i = 0; i < j->n_findings; i++)
		if (j->findings[i].kind >= FINDING_TEMPORARY &&
		    (strictest == NULL ||
		    j->findings[i].kind > strictest->kind))
			strictest = &j->findings[i];
	return strictest;
}

void
judgement_free(struct judgement *j)
{
	facts_free(&j->facts);
	buf_free(&j->fields);
	memset(j, 0, sizeof *j);
}

/* ---- findings ---- */

static void
put_finding(struct pack *p, const struct finding *f)
{
	pack_slice(p, slice_of(f->check));
	pack_u8(p, (uint8_t)f->kind);
	pack_u16(p, f->verdict.code);
	pack_u8(p, f->verdict.subject);
	pack_u8(p, f->verdict.detail);
	pack_slice(p, slice_of(f->verdict.text));
	pack_slice(p, slice_of(f->detail));
}

/* Its code must say what its kind says. */
static bool
is_consistent(const struct finding *f)
{
	unsigned class = f->verdict.code / 100;

	switch (f->kind) {
	case FINDING_ACCEPT:
	case FINDING_MARK:
		return f->verdict.code == 0;
	case FINDING_TEMPORARY:
		return class == 4;
	case FINDING_REFUSE:
		return class == 5;
	}
	return false;
}

static bool
get_finding(struct ipc_reader *r, struct finding *f)
{
	ipc_get_string(r, f->check, sizeof f->check);
	f->kind = ipc_get_u8(r);
	f->verdict.code = ipc_get_u16(r);
	f->verdict.subject = ipc_get_u8(r);
	f->verdict.detail = ipc_get_u8(r);
	ipc_get_string(r, f->verdict.text, sizeof f->verdict.text);
	ipc_get_string(r, f->detail, sizeof f->detail);
	return !r->failed && *f->check != '\0' && is_consistent(f);
}

/* ---- header fields and cuts ---- */

/* The size of the line at the front if it begins or continues a field. */
static size_t
field_line_size(struct slice rest, bool is_first)
{
	size_t size = slice_find(rest, '\n'), colon = 0;

	if (size == rest.size || size < 2)
		return 0;
	for (size_t i = 0; i < size; i++)
		if (((unsigned char)rest.data[i] < ' ' &&
		    rest.data[i] != '\t') || rest.data[i] == 127)
			return 0;
	if (!is_first && (*rest.data == ' ' || *rest.data == '\t'))
		return size + 1;
	while (colon < size && rest.data[colon] > ' ' &&
	    rest.data[colon] != ':')
		colon++;
	return colon > 0 && colon < size && rest.data[colon] == ':' ?
	    size + 1 : 0;
}

/* Nothing but whole fields: no blank line that would end the header. */
static bool
are_fields(struct slice fields)
{
	for (size_t at = 0, n; at < fields.size; at += n) {
		n = field_line_size((struct slice){ fields.data + at,
		    fields.size - at }, at == 0);
		if (n == 0)
			return false;
	}
	return fields.size <= JUDGEMENT_FIELDS_MAX;
}

static void
get_cuts(struct ipc_reader *r, struct judgement *j)
{
	size_t n = ipc_get_u8(r);
	uint64_t end = 0;

	if (n > sizeof j->cuts / sizeof *j->cuts)
		r->failed = true;
	while (!r->failed && j->n_cuts < n) {
		struct judgement_cut *cut = &j->cuts[j->n_cuts++];

		cut->at = ipc_get_u64(r);
		cut->size = ipc_get_u64(r);
		if (cut->at < end || cut->size == 0 ||
		    cut->size > UINT64_MAX - cut->at)
			r->failed = true;
		end = cut->at + cut->size;
	}
}

/* ---- all of it ---- */

static void
put_set(struct pack *p, const struct facts *f,
    int (*put)(struct buf *to, const struct facts *f))
{
	struct buf set = { 0 };

	if (p->error == 0)
		p->error = put(&set, f);
	pack_slice(p, buf_slice(&set));
	buf_free(&set);
}

int
put_judgement(struct buf *to, const struct judgement *j)
{
	struct pack p = { .out = to };
	size_t size = to->size;

	pack_u8(&p, j->is_complete);
	put_set(&p, &j->facts, j->is_complete ? put_facts : put_wanted);
	pack_u8(&p, (uint8_t)j->n_findings);
	for (size_t i = 0; i < j->n_findings; i++)
		put_finding(&p, &j->findings[i]);
	pack_u8(&p, j->is_junk);
	pack_u8(&p, j->is_spared);
	pack_slice(&p, slice_of(j->junk_reason));
	pack_slice(&p, buf_slice(&j->fields));
	pack_u8(&p, (uint8_t)j->n_cuts);
	for (size_t i = 0; i < j->n_cuts; i++) {
		pack_u64(&p, j->cuts[i].at);
		pack_u64(&p, j->cuts[i].size);
	}
	if (p.error)
		to->size = size;
	return p.error;
}

/* Facts that a judgement may hand back. */
static bool
are_results(const struct facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].kind != FACT_RESULT &&
		    f->items[i].kind != FACT_SEEN)
			return false;
	return true;
}

static bool
get_set(struct ipc_reader *r, struct judgement *j)
{
	struct slice set = ipc_get_slice(r);

	if (r->failed)
		return false;
	if (j->is_complete)
		return get_facts(set, &j->facts) && are_results(&j->facts);
	/* nothing wanted and no verdict: the asker would ask for ever */
	return get_wanted(set, &j->facts) && j->facts.n_wanted > 0;
}

static bool
get_all(struct ipc_reader *r, struct judgement *j)
{
	struct slice fields;
	size_t n;

	j->is_complete = ipc_get_u8(r) != 0;
	if (!get_set(r, j))
		return false;
	n = ipc_get_u8(r);
	if (n > JUDGEMENT_FINDINGS_MAX)
		return false;
	while (j->n_findings < n)
		if (!get_finding(r, &j->findings[j->n_findings++]))
			return false;
	j->is_junk = ipc_get_u8(r) != 0;
	j->is_spared = ipc_get_u8(r) != 0;
	ipc_get_string(r, j->junk_reason, sizeof j->junk_reason);
	fields = ipc_get_slice(r);
	get_cuts(r, j);
	if (!ipc_reader_is_done(r) || !are_fields(fields))
		return false;
	if (!j->is_complete)
		return n == 0 && fields.size == 0 && j->n_cuts == 0 &&
		    !j->is_junk && !j->is_spared;
	return buf_append_slice(&j->fields, fields) == 0;
}

bool
get_judgement(struct slice from, struct judgement *j)
{
	struct ipc_reader r;

	memset(j, 0, sizeof *j);
	ipc_reader_init(&r, from.data, from.size);
	if (get_all(&r, j))
		return true;
	judgement_free(j);
	return false;
}
