/* SPDX-License-Identifier: ISC */
/*
 * warm_up.c - see policy.h.
 */
#include <openssl/evp.h>
#include <time.h>
#include "check.h"
#include "policy.h"

void
policy_warm_up(void)
{
	EVP_MD *digest = EVP_MD_fetch(NULL, "SHA256", NULL);

	EVP_MD_free(digest);
	check_dkim_warm_up();
	check_dmarc_warm_up();
	tzset();
}
