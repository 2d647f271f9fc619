/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spf.c - a whole check, libspf2 included. Input: lines with the
 * client's address, HELO, reverse-path; then one line for each answer that
 * is asked for, in order, again from the first one when they run out: the
 * status (a digit) and records, apart by "|".
 */
#include <arpa/inet.h>
#include "require.h"
#include "../../policy/spf.h"

#define ROUNDS_MAX 300

static struct slice
take_line(struct slice *rest, char end)
{
	struct slice line = { rest->data, slice_find(*rest, end) };
	size_t n = line.size < rest->size ? line.size + 1 : line.size;

	rest->data += n;
	rest->size -= n;
	return line;
}

/* The records of a line; A and AAAA get their length by padding. */
static void
put_records(struct dns_answer *answer, struct buf *room, enum fact_kind kind,
    struct slice line)
{
	static const char padding[16];
	size_t width = kind == FACT_DNS_A ? 4 : kind == FACT_DNS_AAAA ? 16 : 0;
	size_t ends[DNS_RECORDS_MAX + 1] = { 0 }, n = 0;

	while (line.size > 0 && n < 20 && room->size < 6000) {
		struct slice record = take_line(&line, '|');

		if (width > 0 && record.size > width)
			record.size = width;
		if (record.size > 2000)
			record.size = 2000;
		buf_append_slice(room, record);
		if (record.size < width)
			buf_append(room, padding, width - record.size);
		ends[++n] = room->size;
	}
	for (size_t i = 0; i < n; i++)
		answer->records[i].data = (struct slice){
			room->data + ends[i], ends[i + 1] - ends[i] };
	answer->n_records = n;
}

static void
answer_one(struct facts *facts, struct slice *rest, struct slice all)
{
	enum fact_kind kind = facts->wanted[0].kind;
	struct buf room = { 0 }, wire = { 0 };
	struct dns_answer answer = { .status = DNS_NO_NAME };
	char key[FACT_KEY_MAX + 1];
	struct slice line;

	if (rest->size == 0)
		*rest = all;
	line = take_line(rest, '\n');
	REQUIRE(slice_copy(key, sizeof key, facts->wanted[0].key));
	if (line.size > 0) {
		answer.status = (unsigned char)line.data[0] % 8;
		answer.is_cut = answer.status == 7;
		if (answer.status > DNS_FAILED)
			answer.status = DNS_OK;
		line.data++;
		line.size--;
	}
	if (answer.status == DNS_OK)
		put_records(&answer, &room, kind, line);
	if (answer.n_records == 0 && answer.status == DNS_OK)
		answer.status = DNS_NO_DATA;
	REQUIRE(put_dns_answer(&wire, &answer) == 0);
	/* or the set is full, and says so */
	REQUIRE(facts_add(facts, kind, slice_of(key), buf_slice(&wire)) == 0 ||
	    facts->is_over);
	buf_free(&room);
	buf_free(&wire);
}

static void
check_line(struct slice line)
{
	for (size_t i = 0; i < line.size; i++)
		REQUIRE(line.data[i] >= ' ' && line.data[i] <= '~');
}

static void
check_answer(const struct spf_query *q, const struct spf_answer *a)
{
	struct buf out = { 0 };

	REQUIRE(a->result >= SPF_NONE && a->result <= SPF_PERMERROR);
	REQUIRE(a->n_lookups <= SPF_LOOKUPS_MAX || a->result ==
	    SPF_PERMERROR);
	REQUIRE(a->n_voids <= SPF_VOIDS_MAX || a->result == SPF_PERMERROR);
	REQUIRE(*a->explanation == '\0' || a->result == SPF_FAIL);
	check_line(slice_of(a->explanation));
	check_line(slice_of(a->problem));
	/* what the library itself says is never a result of ours */
	REQUIRE(strncmp(a->problem, "libspf2", 7) != 0);
	REQUIRE(spf_put_received(&out, q, a) == 0);
	REQUIRE(out.data[out.size - 1] == '\n');
	for (size_t i = 0; i + 1 < out.size; i++)
		REQUIRE(out.data[i] != '\n' ? (out.data[i] >= ' ' &&
		    out.data[i] <= '~') || out.data[i] == '\t' :
		    out.data[i + 1] == '\t');
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, all;
	struct slice ip = take_line(&rest, '\n');
	struct spf_query q = { .host = SLICE("mx.example"), .time_s = 1 };
	struct spf_answer answer, again;
	struct facts facts = { 0 };
	char text[INET6_ADDRSTRLEN];
	unsigned rounds = 0;

	if (!slice_copy(text, sizeof text, ip))
		return 0;
	q.client_ip = text;
	q.helo = take_line(&rest, '\n');
	q.sender = take_line(&rest, '\n');
	all = rest;
	while (!spf_check(&facts, &q, &answer)) {
		REQUIRE(facts.n_wanted > 0 && ++rounds < ROUNDS_MAX);
		while (facts.n_wanted > 0 && !facts.is_over)
			answer_one(&facts, &rest, all);
		if (facts.is_over)
			break;
	}
	REQUIRE(spf_check(&facts, &q, &answer));
	REQUIRE(spf_check(&facts, &q, &again));
	REQUIRE(memcmp(&answer, &again, sizeof answer) == 0);
	check_answer(&q, &answer);
	facts_free(&facts);
	return 0;
}
