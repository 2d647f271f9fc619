/* SPDX-License-Identifier: ISC */
/*
 * hosts_ask.c - the questions to resolver behind hosts.h.
 *
 * n_out counts what is out, plus one while the questions are being asked,
 * so that "all have answered" is noticed once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ask.h"
#include "hosts.h"

static const struct dns_answer silence = { .status = DNS_FAILED };

static void answered(struct channel *ch, struct ipc_message *m, void *arg);

/* False: it cannot be asked. */
static bool
ask(struct hosts *h, struct host_lookup *lookup, enum dns_type type,
    uint8_t host, const char *name)
{
	struct ipc_writer w;
	struct dns_ask q = { .type = type, .name = slice_of(name) };

	*lookup = (struct host_lookup){ .hosts = h, .type = type,
		.host = host };
	if (h->resolver == NULL)
		return false;
	ipc_writer_init(&w);
	put_dns_ask(&w, &q);
	lookup->id = channel_ask(h->resolver, h->settings->wants_tlsa ?
	    DNS_ASK_SECURE : DNS_ASK, &w, -1,
	    h->settings->timeout_ms, answered, lookup);
	if (lookup->id == 0)
		return false;
	lookup->is_out = true;
	h->n_out++;
	return true;
}

/* ---- TLSA ---- */

/* Below where CNAMEs lead, or below the name itself. */
static void
ask_tlsa(struct hosts *h, uint8_t i, bool is_canonical)
{
	struct host *host = &h->list[i];
	char name[DNS_NAME_MAX + 16];

	host->is_base_canonical = is_canonical;
	if (snprintf(name, sizeof name, "_%u._tcp.%s", (unsigned)h->port,
	    host_tlsa_base(host)) > DNS_NAME_MAX)
		return;
	if (!ask(h, &host->proof, DNS_TLSA, i, name))
		host->dane = HOST_DANE_UNKNOWN;
}

/*
 * Only where the name is signed can TLSA records bind (RFC 7672 2.2.2); a
 * zone that is not signed often does not answer such a question at all. The
 * name of an implicit MX is the domain's own, and nobody had to say it.
 */
static void
addresses_known(struct hosts *h, uint8_t i)
{
	struct host *host = &h->list[i];

	if (!h->settings->wants_tlsa || host->n_addresses == 0 ||
	    (!h->is_secure && !h->is_implicit))
		return;
	if (host->is_secure)
		ask_tlsa(h, i, *host->canonical != '\0');
	else if (*host->canonical != '\0' && !h->is_unchecked &&
	    !ask(h, &host->proof, DNS_CNAME, i, host->name))
		host->dane = HOST_DANE_UNKNOWN;
}

/* The alias itself is signed, whatever it leads to. */
static void
take_cname(struct hosts *h, uint8_t i, const struct dns_answer *a)
{
	if (a->status == DNS_FAILED)
		h->list[i].dane = HOST_DANE_UNKNOWN;
	else if (a->status == DNS_OK && a->is_secure)
		ask_tlsa(h, i, false);
}

static void
add_tlsa(struct host *host, struct slice r)
{
	char *data;

	if (r.size < 4 || r.size > 3 + TLS_TLSA_WHOLE_MAX)
		return;
	data = malloc(r.size - 3);
	if (data == NULL)
		return;
	memcpy(data, r.data + 3, r.size - 3);
	host->tlsa[host->n_tlsa++] = (struct tls_tlsa){ (uint8_t)r.data[0],
		(uint8_t)r.data[1], (uint8_t)r.data[2],
		{ data, r.size - 3 } };
}

static void
take_tlsa(struct hosts *h, uint8_t i, const struct dns_answer *a)
{
	struct host *host = &h->list[i];

	if (a->status == DNS_FAILED) {
		host->dane = HOST_DANE_UNKNOWN;
	} else if (a->status == DNS_OK && a->is_secure) {
		host->dane = HOST_DANE_RECORDS;
		for (size_t k = 0; k < a->n_records &&
		    host->n_tlsa < TLS_TLSA_MAX; k++)
			add_tlsa(host, a->records[k].data);
	} else if (host->is_base_canonical) {
		ask_tlsa(h, i, false);
	}
}

/* ---- one host ---- */

static void
take_addresses(struct host *host, enum dns_type type,
    const struct dns_answer *a)
{
	size_t size = type == DNS_A ? 4 : 16;

	for (size_t i = 0; i < a->n_records; i++) {
		struct net_address *to = &host->addresses[host->n_addresses];

		/* half of the room for each family, whoever is first */
		if (a->records[i].data.size != size ||
		    host->n_addresses == HOSTS_ADDRESSES_MAX ||
		    i >= HOSTS_ADDRESSES_MAX / 2)
			continue;
		memset(to, 0, sizeof *to);
		to->family = type == DNS_A ? AF_INET : AF_INET6;
		memcpy(&to->as, a->records[i].data.data, size);
		host->n_addresses++;
		host->n_v4 += type == DNS_A;
	}
}

static void
take_host(struct hosts *h, const struct host_lookup *lookup,
    const struct dns_answer *a)
{
	struct host *host = &h->list[lookup->host];

	if (a->status == DNS_FAILED)
		host->is_unknown = true;
	take_addresses(host, lookup->type, a);
	if (a->status == DNS_OK) {
		host->is_secure = a->is_secure && !host->has_insecure;
		host->has_insecure |= !a->is_secure;
		if (a->canonical.size > 0 &&
		    !slice_has_control(a->canonical))
			(void)dns_name(host->canonical, a->canonical);
	}
	if (!host->a.is_out && !host->aaaa.is_out)
		addresses_known(h, lookup->host);
}

static void
ask_host(struct hosts *h, uint8_t i)
{
	struct host *host = &h->list[i];

	/* both are out before one is answered: the second asks for TLSA */
	if (h->settings->has_ipv4 &&
	    !ask(h, &host->a, DNS_A, i, host->name))
		host->is_unknown = true;
	if (h->settings->has_ipv6 &&
	    !ask(h, &host->aaaa, DNS_AAAA, i, host->name))
		host->is_unknown = true;
}

/* ---- all of it ---- */

static void
took(struct hosts *h)
{
	if (--h->n_out > 0)
		return;
	hosts_finish(h);
	h->done(h->arg);
}

static void
take_mx(struct hosts *h, const struct dns_answer *a)
{
	hosts_take_mx(h, a);
	if (h->verdict.code != 0)
		return;
	for (uint8_t i = 0; i < h->n; i++)
		ask_host(h, i);
}

static void
answered(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct dns_answer a;	/* large */
	struct host_lookup *lookup = arg;
	struct hosts *h = lookup->hosts;

	(void)ch;
	lookup->is_out = false;
	a = silence;
	if (m != NULL) {
		struct slice octets = ipc_get_slice(&m->body);

		if (m->type != DNS_ANSWER || !ipc_reader_is_done(&m->body) ||
		    !get_dns_answer(octets, &a))
			a = silence;
	}
	if (lookup->type == DNS_MX)
		take_mx(h, &a);
	else if (lookup->type == DNS_TLSA)
		take_tlsa(h, lookup->host, &a);
	else if (lookup->type == DNS_CNAME)
		take_cname(h, lookup->host, &a);
	else
		take_host(h, lookup, &a);
	took(h);
}

static void
begin(struct hosts *h, const struct hosts_settings *settings,
    struct channel *resolver, const char *domain)
{
	memset(h, 0, sizeof *h);
	h->settings = settings;
	h->resolver = resolver;
	h->port = settings->port;
	(void)slice_copy(h->domain, sizeof h->domain, slice_of(domain));
	h->n_out = 1;
}

void
hosts_find(struct hosts *h, const struct hosts_settings *settings,
    struct channel *resolver, const char *domain, hosts_done_fn *done,
    void *arg)
{
	begin(h, settings, resolver, domain);
	h->done = done;
	h->arg = arg;
	if (!ask(h, &h->mx, DNS_MX, 0, h->domain))
		hosts_take_mx(h, &silence);
	took(h);
}

void
hosts_find_one(struct hosts *h, const struct hosts_settings *settings,
    struct channel *resolver, const char *name, uint16_t port,
    hosts_done_fn *done, void *arg)
{
	static const struct dns_answer none = { .status = DNS_NO_DATA,
		.is_secure = true };

	begin(h, settings, resolver, name);
	h->done = done;
	h->arg = arg;
	h->port = port;
	take_mx(h, &none);	/* the name is ours: the configuration's */
	took(h);
}

static void
forget(struct hosts *h, struct host_lookup *lookup)
{
	if (lookup->is_out && h->resolver != NULL)
		channel_forget(h->resolver, lookup->id);
	lookup->is_out = false;
}

void
hosts_forget(struct hosts *h)
{
	forget(h, &h->mx);
	for (size_t i = 0; i < HOSTS_MAX; i++) {
		struct host *host = &h->list[i];

		forget(h, &host->a);
		forget(h, &host->aaaa);
		forget(h, &host->proof);
		for (size_t k = 0; k < host->n_tlsa; k++)
			free((void *)(uintptr_t)host->tlsa[k].data.data);
		host->n_tlsa = 0;
	}
}
