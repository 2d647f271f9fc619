/* SPDX-License-Identifier: ISC */
/*
 * spf_layer.c - libspf2 over facts.
 *
 * The library's DNS layer (SPF_dns_server_t) is replaced by the two
 * functions below. It asks for names that spf_enter.c made up: "t7.spf" is
 * term 7, "h2.t7.spf" the third host of an mx. Neither its server object's
 * constructor (it calls gethostname) nor its entry points (they let
 * loopback clients pass) are used: the object is filled here, and the
 * record is handed to its interpreter.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <spf2/spf.h>
#include "spf_walk.h"

/* Over what the library itself may count; ours count less. */
#define LIBRARY_LIMIT 1000

/* "t7.spf", "h2.t7.spf"; host is -1 for the former. NULL: neither. */
static const struct spf_handed *
find_term(const struct spf_walk *w, const char *name, int *host)
{
	unsigned term = 0, h = 0;
	int end = 0;

	*host = -1;
	if (sscanf(name, "h%2u.t%3u.spf%n", &h, &term, &end) == 2 && end > 0)
		*host = (int)h;
	else if (sscanf(name, "t%3u.spf%n", &term, &end) != 1)
		return NULL;
	if (end == 0 || name[end] != '\0' || term >= w->n_terms)
		return NULL;
	return &w->terms[term];
}

static bool
add_record(SPF_dns_rr_t *rr, const void *data, size_t size)
{
	if (SPF_dns_rr_buf_realloc(rr, rr->num_rr, size) != SPF_E_SUCCESS) {
		rr->herrno = TRY_AGAIN;
		return false;
	}
	memcpy(rr->rr[rr->num_rr], data, size);
	rr->num_rr++;
	rr->herrno = NETDB_SUCCESS;
	return true;
}

/* "There is one", to an exists. */
static void
say_yes(SPF_dns_rr_t *rr)
{
	static const uint8_t address[4] = { 127, 0, 0, 2 };

	add_record(rr, address, sizeof address);
}

/* An answer that is no error; void is counted. False: over. */
static bool
ask(struct spf_walk *w, enum fact_kind kind, const char *name,
    struct dns_answer *answer)
{
	if (!spf_walk_dns(w, kind, name, answer))
		return false;
	if (answer->status == DNS_FAILED)
		spf_walk_fail(w, SPF_TEMPERROR, "no answer for %s of %s",
		    kind == FACT_DNS_MX ? "MX" : "addresses", name);
	return answer->status != DNS_FAILED;
}

static bool
ask_first(struct spf_walk *w, enum fact_kind kind, const char *name,
    struct dns_answer *answer)
{
	if (!ask(w, kind, name, answer))
		return false;
	return answer->status == DNS_OK || spf_walk_count_void(w);
}

static bool
ask_hosts(struct spf_walk *w, const char *name, struct dns_answer *answer)
{
	if (!ask_first(w, FACT_DNS_MX, name, answer))
		return false;
	if (answer->n_records > SPF_HOSTS_MAX) {
		spf_walk_fail(w, SPF_PERMERROR, "more than %d MX records "
		    "at %s", SPF_HOSTS_MAX, name);
		return false;
	}
	return true;
}

static void
add_addresses(struct spf_walk *w, SPF_dns_rr_t *rr, const char *name,
    const struct dns_answer *answer)
{
	size_t size = w->is_ip6 ? 16 : 4;

	/* the client may be among those that did not fit */
	if (answer->is_cut)
		spf_walk_fail(w, SPF_PERMERROR, "too many addresses of %s",
		    name);
	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->records[i].data.size == size &&
		    !add_record(rr, answer->records[i].data.data, size))
			return;
}

/* The addresses of one host of an mx, whose MX answer is known. "" is a null
 * MX (RFC 7505) and no question. */
static bool
ask_host(struct spf_walk *w, const char *name, unsigned host,
    struct dns_answer *answer)
{
	char host_name[DNS_NAME_MAX + 1];
	struct dns_answer hosts;
	uint16_t preference;
	struct slice text;

	*answer = (struct dns_answer){ .status = DNS_NO_NAME };
	if (!ask(w, FACT_DNS_MX, name, &hosts))
		return false;
	if (host >= hosts.n_records ||
	    !dns_mx(hosts.records[host].data, &preference, &text) ||
	    !dns_name(host_name, text) || *host_name == '\0')
		return true;
	return ask(w, spf_walk_address_kind(w), host_name, answer);
}

/* When one host is missing, the others will be too. */
static void
want_hosts(struct spf_walk *w, const char *name, unsigned n)
{
	struct dns_answer answer;

	for (unsigned i = 0; i < n; i++)
		ask_host(w, name, i, &answer);
}

static void
answer_any_host(struct spf_walk *w, SPF_dns_rr_t *rr, const char *name)
{
	struct dns_answer hosts, answer;

	if (!ask_hosts(w, name, &hosts))
		return;
	for (unsigned i = 0; i < hosts.n_records; i++) {
		if (!ask_host(w, name, i, &answer)) {
			want_hosts(w, name, (unsigned)hosts.n_records);
			return;
		}
		if (answer.status == DNS_OK) {
			say_yes(rr);
			return;
		}
	}
}

static void
answer_hosts(struct spf_walk *w, SPF_dns_rr_t *rr, const char *name,
    size_t term)
{
	char host[32];
	struct dns_answer answer;

	if (!ask_hosts(w, name, &answer))
		return;
	for (unsigned i = 0; i < answer.n_records; i++) {
		snprintf(host, sizeof host, "h%u.t%zu.spf", i, term);
		if (!add_record(rr, host, strlen(host) + 1))
			return;
	}
}

static void
answer_host(struct spf_walk *w, SPF_dns_rr_t *rr, const char *name,
    unsigned host)
{
	struct dns_answer answer;

	if (ask_host(w, name, host, &answer))
		add_addresses(w, rr, name, &answer);
	else
		want_hosts(w, name, SPF_HOSTS_MAX);
}

/* The first question about a term: it counts. */
static void
answer_term(struct spf_walk *w, SPF_dns_rr_t *rr, size_t at, const char *name)
{
	struct dns_answer answer;
	bool is_match;

	switch (w->terms[at].asked) {
	case SPF_ASKED_ADDRESSES:
		if (ask_first(w, spf_walk_address_kind(w), name, &answer))
			add_addresses(w, rr, name, &answer);
		break;
	case SPF_ASKED_ANY_ADDRESS:
		if (ask_first(w, spf_walk_address_kind(w), name, &answer) &&
		    answer.status == DNS_OK)
			say_yes(rr);
		break;
	case SPF_ASKED_EXISTS:
		if (ask_first(w, FACT_DNS_A, name, &answer) &&
		    answer.status == DNS_OK)
			say_yes(rr);
		break;
	case SPF_ASKED_HOSTS:
		answer_hosts(w, rr, name, at);
		break;
	case SPF_ASKED_ANY_HOST:
		answer_any_host(w, rr, name);
		break;
	case SPF_ASKED_PTR:
		if (spf_ptr_match(w, name, &is_match) && is_match)
			say_yes(rr);
		break;
	default:
		spf_walk_fail(w, SPF_TEMPERROR, "libspf2 asked out of turn");
		break;
	}
}

/* Fills rr, or leaves it as "not found". */
static void
answer(struct spf_walk *w, SPF_dns_rr_t *rr, const char *domain)
{
	char name[DNS_NAME_MAX + 1];
	const struct spf_handed *term;
	bool is_name;
	int host;

	term = find_term(w, domain, &host);
	if (term == NULL) {
		spf_walk_fail(w, SPF_TEMPERROR, "libspf2 asked for %.60s",
		    domain);
		return;
	}
	if (host < 0 && !spf_walk_count(w))
		return;
	if (!spf_walk_name(w, term, name, &is_name) || !is_name)
		return;
	if (host >= 0)
		answer_host(w, rr, name, (unsigned)host);
	else
		answer_term(w, rr, (size_t)(term - w->terms), name);
}

static SPF_dns_rr_t *
layer_lookup(SPF_dns_server_t *server, const char *domain, ns_type type,
    int should_cache)
{
	struct spf_walk *w = server->hook;
	SPF_dns_rr_t *rr;
	int host;

	(void)should_cache;
	rr = SPF_dns_rr_new_init(server, domain, type, 0, HOST_NOT_FOUND);
	if (rr == NULL)
		return NULL;
	if (!spf_walk_is_over(w)) {
		answer(w, rr, domain);
		if (w->is_missing)
			spf_walk_foresee(w, (size_t)
			    (find_term(w, domain, &host) - w->terms));
	}
	if (spf_walk_is_over(w)) {
		rr->num_rr = 0;
		rr->herrno = TRY_AGAIN;
	}
	return rr;
}

/* One record that we wrote; false: not all of it got in. */
static bool
compile(struct spf_walk *w, SPF_server_t *server, SPF_response_t *response,
    const char *text, SPF_record_t **record)
{
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p++)
		n += *p == ' ';
	if (SPF_record_compile(server, response, record, text) ==
	    SPF_E_SUCCESS && *record != NULL && (*record)->num_mech == n)
		return true;
	if (*record != NULL)
		SPF_record_free(*record);
	*record = NULL;
	spf_walk_fail(w, SPF_TEMPERROR, "libspf2 does not take %.100s", text);
	return false;
}

/* include and redirect. The walk's own failure says why, so the code that is
 * returned only makes the library stop. */
static SPF_errcode_t
layer_get_spf(SPF_server_t *server, SPF_request_t *request,
    SPF_response_t *response, SPF_record_t **record)
{
	struct spf_walk *w = server->resolver->hook;
	char name[DNS_NAME_MAX + 1], text[SPF_TEXT_MAX];
	const struct spf_handed *term;
	bool is_name, is_none = false;
	int host;

	*record = NULL;
	term = find_term(w, request->cur_dom, &host);
	if (spf_walk_is_over(w) || term == NULL || !spf_walk_count(w) ||
	    !spf_walk_name(w, term, name, &is_name))
		return SPF_E_DNS_ERROR;
	if (!is_name) {
		is_none = true;
	} else if (spf_walk_enter(w, name, text, &is_none)) {
		if (term->asked == SPF_ASKED_REDIRECT &&
		    term->record == w->exp_record)
			w->exp_record = w->n_records - 1;
		if (compile(w, server, response, text, record))
			return SPF_E_SUCCESS;
	}
	if (is_none)
		spf_walk_fail(w, SPF_PERMERROR, "no SPF record at %s, which "
		    "%s names", *name ? name : "a wrong name",
		    w->records[term->record].domain);
	if (w->is_missing)
		spf_walk_foresee(w, (size_t)(term - w->terms));
	return SPF_E_DNS_ERROR;
}

static enum spf_result
result_of(SPF_response_t *response)
{
	switch (SPF_response_result(response)) {
	case SPF_RESULT_PASS:
		return SPF_PASS;
	case SPF_RESULT_FAIL:
		return SPF_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return SPF_SOFTFAIL;
	case SPF_RESULT_NEUTRAL:
		return SPF_NEUTRAL;
	default:
		return SPF_TEMPERROR;
	}
}

static void
set_client(const struct spf_walk *w, SPF_request_t *request)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (w->is_ip6) {
		memcpy(&v6, w->client, sizeof v6);
		SPF_request_set_ipv6(request, v6);
	} else {
		memcpy(&v4, w->client, sizeof v4);
		SPF_request_set_ipv4(request, v4);
	}
}

enum spf_result
spf_layer_run(struct spf_walk *w, const char *text)
{
	char host[] = "here";
	SPF_dns_server_t dns = { .lookup = layer_lookup,
		.get_spf = layer_get_spf, .name = "facts", .hook = w };
	SPF_server_t server = { .resolver = &dns, .rec_dom = host,
		.max_dns_mech = LIBRARY_LIMIT, .max_dns_ptr = LIBRARY_LIMIT,
		.max_dns_mx = LIBRARY_LIMIT };
	SPF_request_t *request = SPF_request_new(&server);
	SPF_response_t *response = SPF_response_new(request);
	SPF_record_t *record = NULL;

	if (request != NULL && response != NULL &&
	    compile(w, &server, response, text, &record)) {
		set_client(w, request);
		request->cur_dom = "first.spf";
		response->spf_record_exp = record;
		SPF_record_interpret(record, request, response, 0);
		if (result_of(response) == SPF_TEMPERROR)
			spf_walk_fail(w, SPF_TEMPERROR, "libspf2 has no "
			    "result");
		else if (!spf_walk_is_over(w))
			w->result = result_of(response);
	} else {
		spf_walk_fail(w, SPF_TEMPERROR, "out of memory");
	}
	if (record != NULL)
		SPF_record_free(record);
	if (response != NULL)
		SPF_response_free(response);
	if (request != NULL)
		SPF_request_free(request);
	return w->result;
}
