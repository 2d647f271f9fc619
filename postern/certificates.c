/* SPDX-License-Identifier: ISC */
/*
 * certificates.c - certificates and private keys, from file to compartment.
 *
 * The supervisor reads the files into sealed memfds, so that vault can be
 * started again with the very keys that smtpd shows certificates for,
 * whatever has become of the files. It looks into none of them: that a key
 * fits its certificate, and that OpenSSL takes both, is found out in a child
 * with vault's uid, by the same calls that smtpd and vault make later.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "log.h"
#include "pem_key.h"
#include "sealed.h"
#include "supervisor.h"

#define OTHERS 07		/* permissions of everybody else */

/* ---- files ---- */

/* NULL, or why not. Nothing of it stays in this process. */
static const char *
copy_octets(int to, int from)
{
	char block[8192];
	const char *wrong = NULL;
	size_t total = 0;
	ssize_t n;

	while (!wrong && (n = read(from, block, sizeof block)) != 0) {
		if (n < 0 || write(to, block, (size_t)n) != n)
			wrong = strerror(errno);
		else if ((total += (size_t)n) > TLS_PEM_MAX)
			wrong = "larger than 256 KiB";
	}
	explicit_bzero(block, sizeof block);
	return wrong == NULL && total == 0 ? "empty" : wrong;
}

static const char *
copy(int to, int from)
{
	const char *wrong = copy_octets(to, from);
	int error = wrong == NULL ? sealed_finish(to) : 0;

	return error ? strerror(-error) : wrong;
}

int
certificate_copy(const char *what, const char *path, unsigned line,
    struct config_problems *problems)
{
	const char *wrong = NULL;
	struct stat st;
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to = -1;

	if (from < 0 || fstat(from, &st) < 0)
		wrong = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		wrong = "not a regular file";
	else if ((to = sealed_create("pem")) < 0)
		wrong = strerror(-to);
	else
		wrong = copy(to, from);
	if (wrong == NULL && strcmp(what, "key") == 0 &&
	    (st.st_mode & OTHERS) != 0)
		config_problem_add(problems, line, true, "key \"%s\" can be "
		    "read or changed by everybody: chmod o= it", path);
	if (from >= 0)
		close(from);
	if (wrong == NULL)
		return to;
	config_problem_add(problems, line, false, "%s \"%s\": %s", what, path,
	    wrong);
	if (to >= 0)
		close(to);
	return -1;
}

void
certificates_init(struct certificate *certificates)
{
	for (size_t i = 0; i < CONFIG_MAX_TLS; i++)
		certificates[i] = (struct certificate){ -1, -1 };
}

static void
certificate_close(struct certificate *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->key_fd >= 0)
		close(c->key_fd);
	*c = (struct certificate){ -1, -1 };
}

void
certificates_close(struct certificate *certificates)
{
	for (size_t i = 0; i < CONFIG_MAX_TLS; i++)
		certificate_close(&certificates[i]);
}

void
certificates_open(struct certificate *certificates,
    const struct config *config, struct config_problems *problems)
{
	for (size_t i = 0; i < config->n_tls; i++) {
		const struct config_tls *tls = &config->tls[i];

		certificates[i].fd = certificate_copy("certificate",
		    tls->certificate, tls->line, problems);
		certificates[i].key_fd = certificate_copy("key", tls->key,
		    tls->line, problems);
	}
}

/* ---- what is in them: in a child ---- */

struct checked {
	const struct config *config;
	const struct certificate *certificates;
	uid_t uid;
	gid_t gid;
	bool is_privileged;
	int types[CONFIG_MAX_TLS];	/* of keys, EVP_PKEY_ id; 0: bad */
};

static bool
no_signature(void *arg, struct tls_signing *signing)
{
	(void)arg;
	(void)signing;
	return false;
}

/* The whole of a memfd, which is small; NULL without memory. */
static char *
content(int fd, size_t *size)
{
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	*size = (size_t)st.st_size;
	text = malloc(*size + 1);
	if (text != NULL && pread(fd, text, *size, 0) != st.st_size) {
		free(text);
		text = NULL;
	}
	return text;
}

static void
check_dates(const struct config_tls *tls, const X509 *x509,
    struct config_problems *problems)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x509)) < 0)
		config_problem_add(problems, tls->line, true, "certificate "
		    "\"%s\" has expired", tls->certificate);
	if (X509_cmp_current_time(X509_get0_notBefore(x509)) > 0)
		config_problem_add(problems, tls->line, true, "certificate "
		    "\"%s\" is not valid yet", tls->certificate);
}

/* With any other no handshake would come to its end. */
static bool
is_usable(const EVP_PKEY *key)
{
	static const char *const curves[] = { "prime256v1", "secp384r1",
		"secp521r1" };
	char curve[64] = "";

	if (!EVP_PKEY_is_a(key, "EC"))
		return EVP_PKEY_is_a(key, "RSA") ||
		    EVP_PKEY_is_a(key, "ED25519");
	(void)EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL);
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (strcmp(curve, curves[i]) == 0)
			return true;
	return false;
}

/* Its type, or 0. */
static int
check_pair(const struct config_tls *tls, X509 *x509, EVP_PKEY *key,
    struct config_problems *problems)
{
	if (X509_check_private_key(x509, key) != 1) {
		config_problem_add(problems, tls->line, false, "key \"%s\" is "
		    "not that of certificate \"%s\"", tls->key,
		    tls->certificate);
		return 0;
	}
	if (!is_usable(key)) {
		config_problem_add(problems, tls->line, false, "key \"%s\" is "
		    "of a type that cannot be used: take ECDSA with P-256, "
		    "P-384 or P-521, RSA, or Ed25519", tls->key);
		return 0;
	}
	if (X509_check_host(x509, tls->name, 0, 0, NULL) != 1) {
		config_problem_add(problems, tls->line, false, "certificate "
		    "\"%s\" is not for the name \"%s\"", tls->certificate,
		    tls->name);
		return 0;
	}
	check_dates(tls, x509, problems);
	return EVP_PKEY_get_base_id(key);
}

static void
check_type(struct checked *c, size_t i, struct config_problems *problems)
{
	const struct config_tls *tls = c->config->tls;

	for (size_t k = 0; k < i && c->types[i] != 0; k++)
		if (c->types[k] == c->types[i] &&
		    strcmp(tls[k].name, tls[i].name) == 0)
			config_problem_add(problems, tls[i].line, false,
			    "tls \"%s\" stands twice with the same type of "
			    "key, first on line %u", tls[i].name, tls[k].line);
}

static void
check_one(struct checked *c, size_t i, struct tls_server *server,
    struct config_problems *problems)
{
	const struct config_tls *tls = &c->config->tls[i];
	const struct tls_key name = { 1, (uint16_t)i };
	size_t size = 0, key_size = 0;
	char *pem = content(c->certificates[i].fd, &size), why[200];
	char *key_pem = content(c->certificates[i].key_fd, &key_size);
	BIO *bio = BIO_new_mem_buf(pem, (int)size);
	X509 *x509 = pem && bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)
	    : NULL;
	EVP_PKEY *key = key_pem ?
	    pem_key_parse((struct slice){ key_pem, key_size }) : NULL;

	if (pem != NULL && x509 == NULL)
		config_problem_add(problems, tls->line, false, "certificate "
		    "\"%s\": there is no certificate in PEM in it",
		    tls->certificate);
	if (key_pem != NULL && key == NULL)
		config_problem_add(problems, tls->line, false, "key \"%s\": "
		    "there is no private key in PEM in it, or it has a "
		    "passphrase", tls->key);
	if (x509 != NULL && key != NULL) {
		c->types[i] = check_pair(tls, x509, key, problems);
		check_type(c, i, problems);
	}
	if (c->types[i] != 0 && tls_server_add(server, tls->name,
	    (struct slice){ pem, size }, &name) != 0) {
		tls_error(why, sizeof why);
		config_problem_add(problems, tls->line, false, "certificate "
		    "\"%s\": %s", tls->certificate, why);
	}
	X509_free(x509);
	EVP_PKEY_free(key);
	BIO_free(bio);
	free(pem);
	free(key_pem);
}

static void
check_all(void *arg, struct config_problems *problems)
{
	static const struct tls_signer signer = { .ask = no_signature };
	struct checked *c = arg;
	struct tls_server *server;

	if (c->is_privileged)
		check_become(c->uid, c->gid);
	server = tls_init() == 0 ? tls_server_new(&signer) : NULL;
	if (server == NULL) {
		config_problem_add(problems, 0, false,
		    "OpenSSL cannot be loaded");
		return;
	}
	for (size_t i = 0; i < c->config->n_tls; i++)
		check_one(c, i, server, problems);
	tls_server_free(&server);
}

int
certificates_check(const struct certificate *certificates,
    const struct config *config, const struct owner *as,
    struct config_problems *problems)
{
	struct checked c = { .config = config, .certificates = certificates,
		.is_privileged = as != NULL };

	if (config->n_tls == 0)
		return 0;
	if (as != NULL) {
		c.uid = as->uid;
		c.gid = as->gid;
	}
	return check_in_child(check_all, &c, problems);
}

/* ---- a reload ---- */

static bool
has_error(const struct config_problems *problems, unsigned line)
{
	for (size_t i = 0; i < problems->n; i++)
		if (!problems->items[i].is_warning &&
		    problems->items[i].line == line)
			return true;
	return false;
}

/* The same section as it was before; NULL: it was not there. */
static const struct certificate *
find_old(const struct generation *old, const struct config_tls *tls)
{
	for (size_t i = 0; i < old->config->n_tls; i++) {
		const struct config_tls *was = &old->config->tls[i];

		if (strcmp(was->name, tls->name) == 0 &&
		    strcmp(was->certificate, tls->certificate) == 0 &&
		    strcmp(was->key, tls->key) == 0)
			return &old->certificates[i];
	}
	return NULL;
}

static bool
keep_old(struct certificate *c, const struct certificate *old)
{
	certificate_close(c);
	c->fd = fcntl(old->fd, F_DUPFD_CLOEXEC, 10);
	c->key_fd = fcntl(old->key_fd, F_DUPFD_CLOEXEC, 10);
	return c->fd >= 0 && c->key_fd >= 0;
}

static void
log_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_problem *p = &problems->items[i];

		if (p->is_warning)
			log_warning("certificate", LOG_U("line", p->line),
			    LOG_S("problem", p->text), LOG_END);
		else
			log_error("certificate", LOG_U("line", p->line),
			    LOG_S("problem", p->text), LOG_END);
	}
}

bool
certificates_reload(struct generation *next, const struct generation *old,
    const struct owner *as)
{
	const struct config *config = next->config;
	struct config_problems problems = { 0 };
	bool is_ok;

	certificates_open(next->certificates, config, &problems);
	is_ok = certificates_check(next->certificates, config, as,
	    &problems) == 0;
	log_problems(&problems);
	for (size_t i = 0; i < config->n_tls && is_ok; i++) {
		const struct config_tls *tls = &config->tls[i];
		const struct certificate *was = find_old(old, tls);

		if (!has_error(&problems, tls->line))
			continue;
		is_ok = was != NULL &&
		    keep_old(&next->certificates[i], was);
		if (is_ok)
			log_error("certificate_kept", LOG_S("name",
			    tls->name), LOG_S("effect", "the one that was "
			    "read before stays in use"), LOG_END);
	}
	config_problems_free(&problems);
	return is_ok;
}
