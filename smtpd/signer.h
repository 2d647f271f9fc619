/* SPDX-License-Identifier: ISC */
/*
 * signer.h - certificates, and the vault that signs for them.
 */
#ifndef POSTERN_SMTPD_SIGNER_H
#define POSTERN_SMTPD_SIGNER_H

#include "compartment.h"
#include "tls.h"

struct signer {
	struct loop *loop;
	struct tls_signer tls;
	struct channel *vault;		/* NULL: it is being restarted */
	int64_t tried_us;		/* silent, and asked all the same */
};

/*
 * Load OpenSSL and the certificates that the supervisor handed over; before
 * the sandbox. NULL when there are none: nothing was loaded then.
 */
struct tls_server *signer_open(struct signer *signer, struct compartment *c);
/*
 * False while vault is known to be gone or silent, and a handshake would
 * fail. Once in some seconds a silent one is tried again.
 */
bool signer_is_ready(struct signer *signer);
/* A new channel to vault. Takes fd over. */
void signer_connect(struct signer *signer, int fd);

#endif
