/* SPDX-License-Identifier: ISC */
/*
 * load_message.c - the messages of the load generator (load.h).
 *
 * All have the same body; each has a Message-ID, a Date and a Subject with
 * its number of its own, by which maildircheck knows it again.
 */
#include "load.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE 76

/* A line of pseudo-random text without a space or a dot at its ends. */
static void
make_line(char *line, size_t len, unsigned *seed)
{
	static const char abc[] = "abcdefghijklmnopqrstuvwxyz "
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";

	for (size_t i = 0; i < len; i++) {
		*seed ^= *seed << 13;
		*seed ^= *seed >> 17;
		*seed ^= *seed << 5;
		line[i] = abc[*seed % (sizeof(abc) - 1)];
		if (line[i] == ' ' && (i == 0 || i == len - 1))
			line[i] = 'x';
	}
}

static void
hash_body(struct load *load, EVP_MD_CTX *context)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;

	if (EVP_DigestFinal_ex(context, digest, &len) != 1)
		load_die("digest");
	for (unsigned i = 0; i < len; i++)
		sprintf(load->body_sha256 + (size_t)2 * i, "%02x", digest[i]);
}

void
message_make_body(struct load *load)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = load->opt.size_bytes, n = 0;
	unsigned seed = 2463534242u;

	load->body = malloc(size + LINE + 8);
	if (load->body == NULL || context == NULL ||
	    EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		load_die("body");
	while (n < size) {
		size_t left = size - n;
		size_t len = left > LINE + 2 ? LINE : left > 2 ? left - 2 : 1;

		make_line(load->body + n, len, &seed);
		EVP_DigestUpdate(context, load->body + n, len);
		EVP_DigestUpdate(context, "\n", 1);
		n += len;
		memcpy(load->body + n, "\r\n", 2);
		n += 2;
	}
	memcpy(load->body + n, ".\r\n", 3);
	load->body_len = n + 3;
	hash_body(load, context);
	EVP_MD_CTX_free(context);
}

bool
message_is_left(const struct load *load)
{
	switch (load->opt.mode) {
	case MODE_SEND:
		return load->next_message < load->opt.messages ||
		    load->n_again > 0;
	case MODE_FLOOD:
		return load->rcpt_5xx < load->opt.messages *
		    (long)load->opt.rcpts;
	case MODE_IDLE:
	case MODE_SLOW:
	case MODE_WAIT:
		return false;
	}
	return false;
}

void
message_take(struct load *load, struct connection *c)
{
	if (load->n_again > 0)
		c->message = load->again[--load->n_again];
	else
		c->message = load->next_message++;
}

void
message_give_back(struct load *load, struct connection *c)
{
	if (load->opt.mode == MODE_SEND)
		load->again[load->n_again++] = c->message;
	c->message = -1;
}

/* Recipient i of all that the run addresses, round robin. */
static void
print_rcpt(const struct load *load, long i, char *rcpt, size_t size)
{
	const char *number = strstr(load->opt.rcpt, "%d");
	int before = (int)(number - load->opt.rcpt);

	snprintf(rcpt, size, "%.*s%ld%s", before, load->opt.rcpt,
	    i % load->opt.users, number + 2);
}

void
message_put_rcpt(struct load *load, struct connection *c)
{
	long i = c->message * (long)load->opt.rcpts + (long)c->rcpts_sent++;
	char rcpt[320];

	print_rcpt(load, i, rcpt, sizeof(rcpt));
	connection_put(c, "RCPT TO:<%s>\r\n", rcpt);
}

size_t
message_write_header(const struct load *load, long message, char *header,
    size_t size)
{
	const struct options *opt = &load->opt;
	time_t now = time(NULL);
	char rcpt[320], date[64];
	struct tm tm;
	int n;

	print_rcpt(load, message * (long)opt->rcpts, rcpt, sizeof(rcpt));
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	n = snprintf(header, size, "From: <%s>\r\nTo: <%s>\r\n"
	    "Subject: load %ld\r\nDate: %s\r\n"
	    "Message-ID: <%s.%ld@load.sender.test>\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n",
	    opt->sender, rcpt, message, date, opt->tag, message);
	if (n < 0 || (size_t)n >= size)
		load_die("header");
	return (size_t)n;
}

void
message_put_content(struct load *load, struct connection *c)
{
	char header[1024];

	if (load->headers != NULL) {
		connection_put(c, "%s\r\n", load->headers[c->message]);
	} else {
		message_write_header(load, c->message, header,
		    sizeof(header));
		connection_put(c, "%s\r\n", header);
	}
	c->body = load->body;
	c->body_left = load->body_len;
}
