/* SPDX-License-Identifier: ISC */
/*
 * check_spf.c - SPF at MAIL: of the reverse-path, and of HELO.
 *
 * Both identities are checked (RFC 7208 2.3). The reverse-path's result is
 * the one that is handed on; where it is null, HELO's. HELO refuses on its
 * own by fail alone, and its silence counts where that could be fail: a HELO
 * name with a broken policy is no reason to refuse what the sender's domain
 * vouches for.
 *
 * Without a reverse-path its word waits for the end of data, where it is known
 * whether this is a bounce of mail of ours, which is exempt (DESIGN 8).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include "sender_auth.h"
#include "spf.h"

struct asked {
	struct spf_query query;
	struct spf_answer answer;
	bool is_there;
};

/* The result for later stages (spf_result.h), and Received-SPF. */
static void
hand_on(struct check *c, const struct asked *a)
{
	struct buf out = { 0 };

	if (buf_printf(&out, "%s %s %s", spf_result_name(a->answer.result),
	    a->answer.domain, a->answer.identity == SPF_HELO ? "helo" :
	    "mailfrom") == 0)
		check_put_result(c, "spf", buf_slice(&out));
	if (a->answer.result == SPF_PASS && a->answer.identity != SPF_HELO)
		sender_put_spf(c, a->answer.domain);
	out.size = 0;
	if (spf_put_received(&out, &a->query, &a->answer) == 0)
		check_put_result(c, "spf.field", buf_slice(&out));
	buf_free(&out);
}

/* "fail (mailfrom example.org), none (helo mx.example.org)" */
static void
note(struct check *c, const struct asked *mail, const struct asked *helo)
{
	char text[2][JUDGEMENT_DETAIL_MAX / 2] = { "", "" };
	const struct asked *both[2] = { mail, helo };

	for (size_t i = 0; i < 2; i++)
		if (both[i]->is_there)
			snprintf(text[i], sizeof text[i], "%s (%s %.60s)%s"
			    "%.60s", spf_result_name(both[i]->answer.result),
			    both[i] == helo ? "helo" : "mailfrom",
			    *both[i]->answer.domain ? both[i]->answer.domain :
			    "without a domain",
			    *both[i]->answer.problem ? ": " : "",
			    both[i]->answer.problem);
	check_note(c, "%s%s%s", text[0], *text[0] && *text[1] ? ", " : "",
	    text[1]);
}

static enum check_said
refuse(struct check *c, const struct asked *a)
{
	const char *words = a->answer.explanation;

	/* the explanation is the domain's, not ours (6.2) */
	return check_bad(c, 550, 7, 23, "%s does not permit %s to %s (SPF)"
	    "%s%s%s", a->answer.domain, a->query.client_ip,
	    a->answer.identity == SPF_HELO ? "use its name" :
	    "send its mail", *words ? "; " : "", *words ? "it explains: " : "",
	    words);
}

static enum check_said
conclude(struct check *c, const struct asked *mail, const struct asked *helo)
{
	const struct asked *main = mail->is_there ? mail : helo;

	if (main->answer.result == SPF_FAIL)
		return refuse(c, main);
	if (helo->answer.result == SPF_FAIL)
		return refuse(c, helo);
	if (main->answer.result == SPF_TEMPERROR ||
	    helo->answer.result == SPF_TEMPERROR)
		return check_silent(c, 7, 24, "cannot check SPF now: %s",
		    main->answer.result == SPF_TEMPERROR ?
		    main->answer.problem : helo->answer.problem);
	if (main->answer.result == SPF_PERMERROR)
		return check_bad(c, 550, 7, 24, "the SPF policy of %s cannot "
		    "be evaluated: %s", main->answer.domain,
		    main->answer.problem);
	/* it accepts, and the note stays */
	return SAID_GOOD;
}

/* "550 23 text": the code, the detail of X.7.detail. */
static enum check_said
postpone(struct check *c, enum check_said said)
{
	struct buf out = { 0 };

	if ((said != SAID_BAD && said != SAID_SILENCE) ||
	    buf_printf(&out, "%u %u %s", c->verdict.code, c->verdict.detail,
	    c->verdict.text) != 0)
		return said;
	check_put_result(c, "spf.null", buf_slice(&out));
	buf_free(&out);
	return SAID_MARK;
}

/* False: facts are wanted. */
static bool
ask(struct check *c, struct asked *a, struct slice sender, const char *ip)
{
	unsigned long long now_s = 0;

	(void)slice_number(check_told(c, FACT_TIME), INT64_MAX, &now_s);
	a->query = (struct spf_query){ .client_ip = ip, .sender = sender,
		.helo = check_told(c, FACT_HELO),
		.host = check_told(c, FACT_HOST), .time_s = (int64_t)now_s };
	a->is_there = true;
	return spf_check(c->facts, &a->query, &a->answer);
}

enum check_said
check_spf(struct check *c)
{
	struct slice sender = check_told(c, FACT_SENDER);
	struct asked mail = { .is_there = false }, helo = mail;
	char ip[INET6_ADDRSTRLEN];
	bool is_known;

	if (!check_client_ip(c, ip, sizeof ip))
		return SAID_NOTHING;
	/* both ask before it is said that something is wanted */
	is_known = ask(c, &helo, SLICE(""), ip);
	if (sender.size > 0 && !ask(c, &mail, sender, ip))
		is_known = false;
	if (!is_known)
		return SAID_WANTS;
	hand_on(c, mail.is_there ? &mail : &helo);
	note(c, &mail, &helo);
	return mail.is_there ? conclude(c, &mail, &helo) :
	    postpone(c, conclude(c, &mail, &helo));
}

static enum check_said
said_at_mail(struct check *c)
{
	char text[sizeof c->verdict.text + 16];
	unsigned code, detail;
	struct slice said;
	int words = 0;

	if (!check_result(c, "spf.null", &said) ||
	    !slice_copy(text, sizeof text, said) ||
	    sscanf(text, "%u %u %n", &code, &detail, &words) != 2)
		return SAID_NOTHING;
	return code < 500 ? check_silent(c, 7, (int)detail, "%s",
	    text + words) : check_bad(c, (int)code, 7, (int)detail, "%s",
	    text + words);
}

enum check_said
check_spf_trace(struct check *c)
{
	struct slice field;

	if (check_result(c, "spf.field", &field))
		(void)buf_append_slice(&c->judgement->fields, field);
	return said_at_mail(c);
}
