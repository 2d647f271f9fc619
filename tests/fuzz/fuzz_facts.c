/* SPDX-License-Identifier: ISC */
/*
 * fuzz_facts.c - any octets as facts, as DNS answers and as a judgement.
 * What a decoder lets through is within its limits and survives the wire;
 * and whatever the facts are, policy's checks come to a judgement that its
 * own decoder accepts, after finitely many rounds of silence.
 */
#include "../../policy/judging.h"
#include "require.h"

#define CONFIG "hostname = \"mx.example.org\"\npostmaster = \"a@example.org" \
	"\"\nstate_dir = \"/s\"\nlisten \"*:25\" { role = mx }\n" \
	"domain \"example.org\" { users = \"passwd\" }\nchecks {\n" \
	"default = refuse\ndnsbl \"b.example\" { }\ndnsbl \"c.example\" { " \
	"allow = true }\ndnsbl_refuse_at = 1\nspf = off\ndkim = off\n" \
	"dmarc = off\n}\n"
#define ROUNDS_MAX 64

static void
try_answer(struct slice text)
{
	struct dns_answer a, b;
	struct buf again = { 0 };

	if (!get_dns_answer(text, &a)) {
		REQUIRE(a.status == DNS_FAILED && a.n_records == 0);
		return;
	}
	REQUIRE(a.n_records <= DNS_RECORDS_MAX);
	REQUIRE((a.status == DNS_OK) == (a.n_records > 0));
	for (size_t i = 0; i < a.n_records; i++)
		REQUIRE(is_within(a.records[i].data, text));
	REQUIRE(put_dns_answer(&again, &a) == 0);
	REQUIRE(get_dns_answer(buf_slice(&again), &b));
	REQUIRE(again.size == text.size);
	buf_free(&again);
}

static void
try_judgement(struct slice text)
{
	struct judgement j, k;
	struct buf again = { 0 };

	if (!get_judgement(text, &j))
		return;
	REQUIRE(put_judgement(&again, &j) == 0);
	REQUIRE(get_judgement(buf_slice(&again), &k));
	REQUIRE(k.n_findings == j.n_findings && k.n_cuts == j.n_cuts);
	judgement_free(&j);
	judgement_free(&k);
	buf_free(&again);
}

static void
silence(struct facts *f, const struct facts *wanted)
{
	const struct dns_answer failed = { .status = DNS_FAILED };
	struct buf value = { 0 };

	REQUIRE(put_dns_answer(&value, &failed) == 0);
	for (size_t i = 0; i < wanted->n_wanted; i++)
		(void)facts_add(f, wanted->wanted[i].kind,
		    wanted->wanted[i].key,
		    fact_dns_type(wanted->wanted[i].kind) != 0 ?
		    buf_slice(&value) : SLICE("unknown"));
	buf_free(&value);
}

static void
try_judge(const struct config *config, struct facts *f, struct slice text)
{
	for (unsigned stage = JUDGE_HELO; stage < JUDGE_STAGES; stage++)
		for (unsigned round = 0;; round++) {
			struct judgement j;
			struct buf wire = { 0 };
			bool is_complete;

			judge(config, stage, f, stage == JUDGE_DATA ? text :
			    SLICE(""), &j);
			is_complete = j.is_complete;
			silence(f, &j.facts);
			REQUIRE(put_judgement(&wire, &j) == 0);
			judgement_free(&j);
			REQUIRE(get_judgement(buf_slice(&wire), &j));
			judgement_free(&j);
			buf_free(&wire);
			if (is_complete)
				break;
			REQUIRE(round < ROUNDS_MAX);
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *config;
	struct slice text = { (const char *)data, size };
	struct config_problems problems;
	struct facts f = { 0 }, wanted = { 0 };

	if (config == NULL) {
		config = config_parse(SLICE(CONFIG), &problems);
		config_problems_free(&problems);
	}
	REQUIRE(config != NULL);
	try_answer(text);
	try_judgement(text);
	if (get_facts(text, &f))
		try_judge(config, &f, text);
	REQUIRE(f.n <= FACTS_MAX && f.bytes <= FACTS_BYTES_MAX);
	(void)get_wanted(text, &wanted);
	REQUIRE(wanted.n_wanted <= FACTS_MAX);
	facts_free(&f);
	facts_free(&wanted);
	return 0;
}
