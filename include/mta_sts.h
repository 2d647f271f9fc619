/* SPDX-License-Identifier: ISC */
/*
 * mta_sts.h - what a domain says about TLS to its hosts (RFC 8461).
 *
 * A TXT record at _mta-sts.DOMAIN says that there is a policy, and its id;
 * the policy itself is a short text from an HTTPS server. Both are hostile
 * until read: sizes and numbers of values are bounded, what is unknown is
 * passed over as the RFC asks, what is malformed is no policy. Pure.
 */
#ifndef POSTERN_MTA_STS_H
#define POSTERN_MTA_STS_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define MTA_STS_ID_MAX 32
#define MTA_STS_POLICY_MAX 65536	/* octets of the text */
#define MTA_STS_HOSTS_MAX 64		/* "mx" lines */
#define MTA_STS_AGE_MAX 31557600	/* seconds, RFC 8461 3.2 */
#define MTA_STS_NAME_MAX 253

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };

struct mta_sts_policy {
	enum mta_sts_mode mode;
	uint32_t max_age_s;
	unsigned n_hosts;
	char hosts[MTA_STS_HOSTS_MAX][MTA_STS_NAME_MAX + 1];
};

/* The id of a record "v=STSv1; id=...;". False: it is no such record. */
bool mta_sts_record(struct slice txt, char id[MTA_STS_ID_MAX + 1]);
/* False: it is no policy. */
bool mta_sts_parse(struct mta_sts_policy *policy, struct slice text);
const char *mta_sts_mode_name(enum mta_sts_mode mode);
/* The same policy as text, which mta_sts_parse reads. 0 or -ENOMEM. */
int mta_sts_write(struct buf *to, const struct mta_sts_policy *policy);
/* "mx1.example.net" or "*.example.net", which is one label more (4.1). */
bool mta_sts_has_host(const struct mta_sts_policy *policy, const char *host);

#endif
