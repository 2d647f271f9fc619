/* SPDX-License-Identifier: ISC */
/*
 * See milter_facts.h.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "milter_facts.h"

#define MACROS_MAX 64		/* names in one wish */
#define TEXTS_SIZE 1024		/* of values that are made here */

/* Sendmail's and Postfix's, together. */
static const char *const usual[MILTER_MACRO_STAGES] = {
	[MILTER_AT_CONNECT] = "j _ v {daemon_name} {daemon_addr} "
	    "{daemon_port} {if_name} {if_addr} {client_addr} {client_name} "
	    "{client_ptr} {client_port} {client_resolve}",
	[MILTER_AT_HELO] = "{tls_version} {cipher} {cipher_bits} "
	    "{cert_subject} {cert_issuer}",
	[MILTER_AT_MAIL] = "i {auth_type} {auth_authen} {mail_mailer} "
	    "{mail_host} {mail_addr}",
	[MILTER_AT_RCPT] = "i {rcpt_mailer} {rcpt_host} {rcpt_addr}",
	[MILTER_AT_DATA] = "i",
	[MILTER_AT_END] = "i",
	[MILTER_AT_END_OF_HEADERS] = "i",
};

/* Values that are put together, kept until they are sent. */
struct texts {
	char room[TEXTS_SIZE];
	size_t used;
};

static struct slice
text_number(struct texts *texts, unsigned number)
{
	char *at = texts->room + texts->used;
	size_t left = sizeof(texts->room) - texts->used;
	int n;

	if (number == 0 || left < 16)
		return SLICE("");
	n = snprintf(at, left, "%u", number);
	texts->used += (size_t)n + 1;
	return (struct slice){ at, (size_t)n };
}

/* "name [192.0.2.1]", or only the latter. */
static struct slice
text_client(struct texts *texts, const struct milter_facts *f)
{
	char *at = texts->room + texts->used;
	size_t left = sizeof(texts->room) - texts->used;
	bool has_name = f->client_name.size > 0 &&
	    f->client_name.data[0] != '[';
	int n;

	n = snprintf(at, left, "%.*s%s[%.*s]",
	    has_name ? (int)f->client_name.size : 0, f->client_name.data,
	    has_name ? " " : "", (int)f->client_ip.size, f->client_ip.data);
	if (n < 0 || (size_t)n >= left)
		return f->client_ip;
	texts->used += (size_t)n + 1;
	return (struct slice){ at, (size_t)n };
}

static struct slice
domain_of(struct slice address)
{
	for (size_t i = address.size; i > 0; i--)
		if (address.data[i - 1] == '@')
			return (struct slice){ address.data + i,
				address.size - i };
	return SLICE("");
}

#define FACT(member) offsetof(struct milter_facts, member)
#define MADE SIZE_MAX

static const struct macro {
	const char *name;
	size_t fact;		/* MADE: see made_value */
} macros[] = {
	{ "j", FACT(host) }, { "{daemon_name}", FACT(host) },
	{ "{if_name}", FACT(host) },
	{ "i", FACT(session) }, { "_", MADE }, { "v", MADE },
	{ "{client_addr}", FACT(client_ip) },
	{ "{client_name}", FACT(client_name) },
	{ "{client_ptr}", FACT(client_ptr) },
	{ "{client_port}", MADE }, { "{client_resolve}", MADE },
	{ "{daemon_addr}", FACT(local_ip) }, { "{if_addr}", FACT(local_ip) },
	{ "{daemon_port}", MADE }, { "s", FACT(helo) },
	{ "{tls_version}", FACT(tls_version) }, { "{cipher}", FACT(cipher) },
	{ "{cipher_bits}", MADE },
	{ "{auth_type}", FACT(auth_type) },
	{ "{auth_authen}", FACT(auth_user) },
	{ "{mail_addr}", FACT(sender) }, { "f", FACT(sender) },
	{ "{mail_host}", MADE }, { "{mail_mailer}", MADE },
	{ "{rcpt_addr}", FACT(recipient) },
	{ "{rcpt_host}", MADE }, { "{rcpt_mailer}", MADE },
};

static struct slice
made_value(const struct milter_facts *f, const char *name,
    struct texts *texts)
{
	if (strcmp(name, "_") == 0)
		return text_client(texts, f);
	if (strcmp(name, "v") == 0)
		return SLICE("Postern");
	if (strcmp(name, "{client_port}") == 0)
		return text_number(texts, f->client_port);
	if (strcmp(name, "{daemon_port}") == 0)
		return text_number(texts, f->local_port);
	if (strcmp(name, "{cipher_bits}") == 0)
		return text_number(texts, f->cipher_bits);
	if (strcmp(name, "{client_resolve}") == 0)
		return f->client_name.size > 0 &&
		    f->client_name.data[0] != '[' ? SLICE("OK") :
		    SLICE("FAIL");
	if (strcmp(name, "{mail_host}") == 0)
		return domain_of(f->sender);
	if (strcmp(name, "{rcpt_host}") == 0)
		return domain_of(f->recipient);
	if (strcmp(name, "{mail_mailer}") == 0)
		return f->sender.size > 0 ? SLICE("smtp") : SLICE("");
	return f->recipient.size > 0 ? SLICE("local") : SLICE("");
}

/* The braces of a name of one letter do not matter. */
static bool
is_macro(const struct macro *m, struct slice name)
{
	if (name.size == 3 && name.data[0] == '{' && name.data[2] == '}')
		name = (struct slice){ name.data + 1, 1 };
	return slice_equals(name, slice_of(m->name));
}

static struct slice
macro_value(const struct milter_facts *f, struct slice name,
    struct texts *texts)
{
	struct slice value;

	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		if (!is_macro(&macros[i], name))
			continue;
		if (macros[i].fact == MADE)
			return made_value(f, macros[i].name, texts);
		memcpy(&value, (const char *)f + macros[i].fact,
		    sizeof(value));
		return value;
	}
	return SLICE("");
}

static struct slice
take_word(struct slice *list)
{
	struct slice word;
	size_t n = 0;

	while (list->size > 0 && strchr(" \t,", list->data[0]) != NULL)
		*list = (struct slice){ list->data + 1, list->size - 1 };
	while (n < list->size && strchr(" \t,", list->data[n]) == NULL)
		n++;
	word = (struct slice){ list->data, n };
	*list = (struct slice){ list->data + n, list->size - n };
	return word;
}

int
milter_facts_put(struct buf *out, const struct milter_facts *facts,
    enum milter_macros stage, char command, const char *wish)
{
	struct slice list = slice_of(wish != NULL ? wish : usual[stage]);
	struct slice texts[2 * MACROS_MAX], name, value;
	struct texts made = { .used = 0 };
	size_t n = 0;

	while ((name = take_word(&list)).size > 0 && n < 2 * MACROS_MAX) {
		value = macro_value(facts, name, &made);
		if (value.size == 0)
			continue;
		texts[n++] = name;
		texts[n++] = value;
	}
	return n == 0 ? 0 : milter_put_macros(out, command, texts, n);
}
