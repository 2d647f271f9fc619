/* SPDX-License-Identifier: ISC */
/*
 * hosts.h - the hosts that take mail for a domain (RFC 5321 5.1), for this
 * folder only.
 *
 *	hosts_find -> MX -> addresses of all, at once (and TLSA) -> done
 *
 * TLSA records (RFC 7672 2.2) are looked for where the names of the hosts
 * and their addresses are secure: below where CNAMEs lead, then below the
 * name itself. Addresses that are not secure behind a CNAME that is: below
 * the name itself. Where such a question has no answer nobody knows what the
 * host has to prove, and it is of no use now.
 *
 * Answers come from resolver: a value that is silence makes the result
 * temporary, never "no such host". When it is done there are hosts in the
 * order in which to try them, or a verdict. Ourselves, and what is behind
 * us in preference, is left out. One that nobody knows of might take more.
 */
#ifndef RELAY_HOSTS_H
#define RELAY_HOSTS_H

#include "dns.h"
#include "net_address.h"
#include "own.h"
#include "tls_client.h"
#include "verdict.h"

#define HOSTS_MAX 8			/* MX records that are looked at */
#define HOSTS_ADDRESSES_MAX 8		/* of one of them */

struct channel;
struct hosts;

struct host_lookup {
	struct hosts *hosts;
	enum dns_type type;
	uint8_t host;
	bool is_out;
	uint32_t id;
};

enum host_dane {
	HOST_DANE_NONE,			/* no records, or none that bind */
	HOST_DANE_RECORDS,		/* as they came, usable or not */
	HOST_DANE_UNKNOWN,		/* no answer: not to be used */
};

struct host {
	char name[DNS_NAME_MAX + 1];
	uint16_t preference;
	uint32_t order;			/* random, among equals */
	bool is_secure, has_insecure;	/* its addresses, by DNSSEC */
	bool is_unknown;		/* an answer is missing */
	bool is_own, is_reported;	/* as one that TLS forbids */
	char canonical[DNS_NAME_MAX + 1];	/* where CNAMEs lead, or "" */
	struct net_address addresses[HOSTS_ADDRESSES_MAX];
	uint8_t n_v4, n_addresses;
	enum host_dane dane;
	bool is_base_canonical;		/* that is where they are */
	struct tls_tlsa tlsa[TLS_TLSA_MAX];
	uint8_t n_tlsa;
	struct host_lookup a, aaaa, proof;	/* CNAME, then TLSA */
};

typedef void hosts_done_fn(void *arg);

struct hosts_settings {
	const char *hostname;
	const struct own_addresses *own;
	uint16_t port;
	bool wants_tlsa;
	bool has_ipv4, has_ipv6;
	uint32_t timeout_ms;
};

struct hosts {
	const struct hosts_settings *settings;
	struct channel *resolver;	/* NULL: gone, nothing is known */
	uint16_t port;			/* for TLSA */
	char domain[DNS_NAME_MAX + 1];
	struct host list[HOSTS_MAX];
	uint8_t n;
	bool is_cut, is_secure;		/* there are more; their names are */
	bool is_unchecked;		/* validation is off in resolver */
	char canonical[DNS_NAME_MAX + 1];	/* of domain, securely; or "" */
	bool is_implicit;		/* no MX: the domain itself */
	unsigned n_out;
	struct host_lookup mx;
	struct verdict verdict;		/* code 0: there are hosts */
	struct verdict missing;		/* of one without an answer, or 0 */
	hosts_done_fn *done;
	void *arg;
};

/*
 * The hosts of a domain (as dns_name makes it), by MX. done is called once,
 * perhaps from within. hosts is zeroed by it, and must stay where it is.
 */
void hosts_find(struct hosts *h, const struct hosts_settings *settings,
    struct channel *resolver, const char *domain, hosts_done_fn *done,
    void *arg);
/* Of one host by its name; settings as above. */
void hosts_find_one(struct hosts *h, const struct hosts_settings *settings,
    struct channel *resolver, const char *name, uint16_t port,
    hosts_done_fn *done, void *arg);
/* One address, nothing to look up. False: text is none. */
bool hosts_of_address(struct hosts *h, const struct hosts_settings *settings,
    const char *text);
/* done is not called any more. */
void hosts_forget(struct hosts *h);

/* Pure: the MX records into the list, null MX into the verdict. */
void hosts_take_mx(struct hosts *h, const struct dns_answer *a);
/* Pure: sorted, without us; the verdict if nothing is left. */
void hosts_finish(struct hosts *h);
/* The TLSA base domain (RFC 7672 2.2.3) of a host with records. */
const char *host_tlsa_base(const struct host *host);

#endif
