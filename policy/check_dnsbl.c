/* SPDX-License-Identifier: ISC */
/*
 * check_dnsbl.c - DNS lists of client addresses (RFC 5782), with scores.
 *
 * Every list is asked at once, while the client still introduces itself. A
 * hit counts its list's score, one of an allow list is subtracted. A list
 * is silent when it gives no answer, says in 127.255.255.0/24 that it does
 * not want to talk to us, or answers from outside of 127.0.0.0/8, as a zone
 * does that somebody else has taken over. Silence matters only where it
 * could change the outcome; then it is temporary.
 *
 * The first contact of a listed client gets a 450, so that an address that
 * was listed by mistake for a moment loses nothing; the next ones a 550. A
 * server with much to deliver opens several sessions at once: what comes
 * within CONTACT_S is the same contact.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "check.h"
#include "reply.h"

#define CONTACT_S 10

enum hit { HIT_NO, HIT_YES, HIT_SILENT };

struct tally {
	int score;			/* of all hits */
	int most, least;		/* with the silent ones */
	const struct config_dnsbl *worst;	/* the hit that counts most */
	struct buf said;		/* for the trail */
};

static bool
is_in_answers(const struct config_dnsbl *list, const char *text)
{
	return list->answers.n == 0 ||
	    config_networks_contain(&list->answers, text);
}

static enum hit
hit_of(const struct config_dnsbl *list, const struct dns_answer *a)
{
	enum hit hit = HIT_NO;

	if (a->status != DNS_OK)
		return a->status == DNS_FAILED ? HIT_SILENT : HIT_NO;
	for (size_t i = 0; i < a->n_records; i++) {
		char text[INET_ADDRSTRLEN];
		uint8_t octets[4];

		if (a->records[i].data.size != 4)
			return HIT_SILENT;
		memcpy(octets, a->records[i].data.data, 4);
		if (octets[0] != 127 || (octets[1] == 255 &&
		    octets[2] == 255))
			return HIT_SILENT;
		if (inet_ntop(AF_INET, octets, text, sizeof text) != NULL &&
		    is_in_answers(list, text))
			hit = HIT_YES;
	}
	return hit;
}

static void
count(struct tally *t, const struct config_dnsbl *list, enum hit hit)
{
	int score = list->is_allow ? -(int)list->score : (int)list->score;

	if (hit == HIT_NO)
		return;
	(void)buf_printf(&t->said, "%s%s %s%d", t->said.size ? ", " : "",
	    list->zone, hit == HIT_SILENT ? "silent " : "", score);
	if (hit == HIT_YES) {
		t->score += score;
		t->most += score;
		t->least += score;
		if (!list->is_allow && (t->worst == NULL ||
		    list->score > t->worst->score))
			t->worst = list;
	} else if (list->is_allow) {
		t->least += score;
	} else {
		t->most += score;
	}
}

/* False: some lists have not been asked yet. */
static bool
tally_all(struct check *c, const char *ip, struct tally *t)
{
	const struct config_checks *checks = &c->config->checks;
	bool is_known = true;

	for (size_t i = 0; i < checks->n_dnsbls; i++) {
		const struct config_dnsbl *list = &checks->dnsbls[i];
		char name[DNS_NAME_MAX + 1];
		struct dns_answer a;

		if (!dns_list_name(name, ip, list->zone))
			continue;
		if (facts_dns(c->facts, FACT_DNS_A, slice_of(name), &a))
			count(t, list, hit_of(list, &a));
		else
			is_known = false;
	}
	return is_known;
}

/* "%i" is the address. */
static void
configured_text(char *to, size_t room, const char *text, const char *ip)
{
	struct buf out = { 0 };

	for (; *text != '\0'; text++)
		if (text[0] == '%' && text[1] == 'i') {
			(void)buf_puts(&out, ip);
			text++;
		} else {
			(void)buf_append(&out, text, 1);
		}
	reply_clean(to, room, buf_slice(&out), false);
	buf_free(&out);
}

/* What the list has to say about it; false: it was not asked yet. */
static bool
find_text(struct check *c, const struct config_dnsbl *list, const char *ip,
    char to[VERDICT_TEXT_MAX])
{
	char name[DNS_NAME_MAX + 1], said[301];
	struct dns_answer txt;

	if (list->text != NULL) {
		configured_text(to, VERDICT_TEXT_MAX, list->text, ip);
		return true;
	}
	dns_list_name(name, ip, list->zone);
	if (!facts_dns(c->facts, FACT_DNS_TXT, slice_of(name), &txt))
		return false;
	*said = '\0';
	if (txt.status == DNS_OK)
		reply_clean(said, sizeof said, txt.records[0].data, false);
	snprintf(to, VERDICT_TEXT_MAX, "%s is listed by %s%s%s", ip,
	    list->zone, *said ? ": " : "", said);
	return true;
}

/* "", "unknown", or the seconds since its first contact. */
static bool
has_come_again(struct slice seen)
{
	unsigned long long age_s;

	return slice_number(seen, ULLONG_MAX, &age_s) && age_s >= CONTACT_S;
}

static enum check_said
refuse(struct check *c, const char *ip, const struct tally *t)
{
	char text[VERDICT_TEXT_MAX], key[FACT_KEY_MAX];
	struct slice seen;
	bool has_text = find_text(c, t->worst, ip, text);

	snprintf(key, sizeof key, "dnsbl\n%s", ip);
	if (!facts_get(c->facts, FACT_SEEN, slice_of(key), &seen) ||
	    !has_text)
		return SAID_WANTS;
	if (has_come_again(seen))
		return check_bad(c, 550, 7, 1, "%s", text);
	(void)facts_add(&c->judgement->facts, FACT_SEEN, slice_of(key),
	    SLICE(""));
	return check_bad(c, 450, 7, 1, "%s; try again later", text);
}

enum check_said
check_dnsbl(struct check *c)
{
	int limit = (int)c->config->checks.dnsbl_refuse_at;
	struct tally t = { .said = { .maximum = JUDGEMENT_DETAIL_MAX - 60 } };
	char ip[INET6_ADDRSTRLEN];
	bool is_known;

	if (slice_equals(check_told(c, FACT_IS_EXEMPT), SLICE("1")) ||
	    !check_client_ip(c, ip, sizeof ip))
		return SAID_NOTHING;
	if (config_networks_contain(&c->config->checks.dnsbl_exempt, ip))
		return check_good(c, "%s is in dnsbl_exempt", ip);
	is_known = tally_all(c, ip, &t);
	check_note(c, "score %d of %d%s%s", t.score, limit,
	    t.said.size ? ": " : "", t.said.size ? t.said.data : "");
	buf_free(&t.said);
	if (!is_known)
		return SAID_WANTS;
	if (t.least >= limit && t.worst != NULL)
		return c->stage == JUDGE_HELO ? SAID_NOTHING :
		    refuse(c, ip, &t);
	if (t.most >= limit)
		return check_silent(c, 4, 3, "cannot ask all DNS lists now, "
		    "try again later");
	return SAID_GOOD;
}
