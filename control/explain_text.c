/* SPDX-License-Identifier: ISC */
/*
 * explain_text.c - findings and facts as lines for people, or as one JSON
 * object a line. What comes from strangers is cleaned here.
 */
#include <inttypes.h>
#include "dns.h"
#include "explain.h"
#include "reply.h"

static const char *const kind_words[] = {
	[FINDING_ACCEPT] = "accept", [FINDING_MARK] = "mark",
	[FINDING_TEMPORARY] = "temporary", [FINDING_REFUSE] = "refuse",
};

static void
put_string(struct buf *out, const char *key, struct slice text)
{
	char clean[600];

	reply_clean(clean, sizeof clean, text, false);
	buf_printf(out, "\"%s\":\"", key);
	for (const char *c = clean; *c != '\0'; c++)
		buf_printf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	buf_puts(out, "\"");
}

/* "MX example.org"; line ends of keys become spaces. */
static void
write_asked(struct buf *text, const struct fact *fact)
{
	static const struct { unsigned kind; const char *word; } words[] = {
		{ FACT_DNS_A, "A" }, { FACT_DNS_AAAA, "AAAA" },
		{ FACT_DNS_MX, "MX" }, { FACT_DNS_TXT, "TXT" },
		{ FACT_DNS_PTR, "PTR" }, { FACT_GREYLIST, "greylist" },
		{ FACT_SEEN, "seen" }, { FACT_PROOF, "ledger" },
		{ FACT_TRACE, "trace" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].kind == fact->kind)
			buf_printf(text, "%s ", words[i].word);
	buf_append_slice(text, fact->key);
}

static void
write_answer(struct buf *text, const struct explained *e)
{
	static const char *const words[] = {
		[DNS_OK] = "ok", [DNS_NO_DATA] = "no such record",
		[DNS_NO_NAME] = "no such name", [DNS_FAILED] = "no answer",
	};
	struct dns_answer a;

	if (fact_dns_type(e->fact->kind) == 0) {
		buf_append_slice(text, e->value.size > 0 ? e->value :
		    SLICE("never"));
		return;
	}
	(void)get_dns_answer(e->value, &a);
	buf_puts(text, words[a.status]);
	if (a.n_records > 0)
		buf_printf(text, ", %zu record%s", a.n_records,
		    a.n_records == 1 ? "" : "s");
}

void
explain_put_fact(struct buf *out, const struct explained *e, bool is_json)
{
	struct buf asked = { .maximum = 500 }, answer = { .maximum = 500 };
	char line[500];

	write_asked(&asked, e->fact);
	write_answer(&answer, e);
	if (is_json) {
		buf_puts(out, "{");
		put_string(out, "asked", buf_slice(&asked));
		buf_puts(out, ",");
		put_string(out, "answer", buf_slice(&answer));
		buf_printf(out, ",\"took_us\":%" PRId64 "}\n", e->took_us);
	} else {
		reply_clean(line, sizeof line, buf_slice(&asked), false);
		buf_printf(out, "      asked %s: ", line);
		reply_clean(line, sizeof line, buf_slice(&answer), false);
		buf_printf(out, "%s (%" PRId64 ".%03" PRId64 " ms)\n", line,
		    e->took_us / 1000, e->took_us % 1000);
	}
	buf_free(&asked);
	buf_free(&answer);
}

static void
put_reply(struct buf *out, const struct verdict *v, bool is_json)
{
	char text[VERDICT_TEXT_MAX + 1];

	if (is_json) {
		buf_printf(out, ",\"code\":%u,\"enhanced\":\"%u.%u.%u\",",
		    v->code, v->code / 100u, v->subject, v->detail);
		put_string(out, "text", slice_of(v->text));
		return;
	}
	reply_clean(text, sizeof text, slice_of(v->text), false);
	buf_printf(out, "%u %u.%u.%u %s", v->code, v->code / 100u, v->subject,
	    v->detail, text);
}

void
explain_put_finding(struct buf *out, const char *stage,
    const struct finding *f, bool is_json)
{
	char text[JUDGEMENT_DETAIL_MAX + 1];

	if (is_json) {
		buf_printf(out, "{\"stage\":\"%s\",", stage);
		put_string(out, "check", slice_of(f->check));
		buf_printf(out, ",\"verdict\":\"%s\",", kind_words[f->kind]);
		put_string(out, "answer", slice_of(f->detail));
		if (f->verdict.code != 0)
			put_reply(out, &f->verdict, true);
		buf_puts(out, "}\n");
		return;
	}
	reply_clean(text, sizeof text, slice_of(f->detail), false);
	buf_printf(out, "%-4s  %-14s %-9s %s\n", stage, f->check,
	    kind_words[f->kind], text);
}

void
explain_put_end(struct buf *out, const char *stage, const struct finding *f,
    const char *left_out, bool is_json)
{
	if (is_json) {
		buf_printf(out, "{\"verdict\":\"%s\"", f == NULL ? "accept" :
		    kind_words[f->kind]);
		if (f != NULL) {
			buf_printf(out, ",\"stage\":\"%s\"", stage);
			put_reply(out, &f->verdict, true);
		}
		buf_puts(out, "}\n");
	} else if (f == NULL) {
		buf_printf(out, "Nothing here refuses it%s. `posternctl "
		    "route` tells about the recipient.\n", left_out);
	} else {
		buf_printf(out, "It would be answered at %s: ", stage);
		put_reply(out, &f->verdict, false);
		buf_puts(out, "\n");
	}
}
