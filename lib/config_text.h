/* SPDX-License-Identifier: ISC */
/*
 * config_text.h - what a string value may say, type by type.
 *
 * Each function appends the form to keep to out and returns NULL, or
 * returns what is wrong with the string; then out holds what may have been
 * meant, or nothing. Pure: whether a path or a user exists is asked by the
 * supervisor.
 */
#ifndef POSTERN_CONFIG_TEXT_H
#define POSTERN_CONFIG_TEXT_H

#include "config.h"

#define CONFIG_NO_MEMORY "out of memory"

const char *config_text_keep(struct buf *out, struct slice s);
bool config_text_starts(struct slice s, struct slice prefix);
struct slice config_text_after(struct slice s, size_t n);

const char *config_text_domain(struct slice in, struct buf *out);
const char *config_text_tls_name(struct slice in, struct buf *out);
const char *config_text_address(struct slice in, struct buf *out);
const char *config_text_local_address(struct slice in, struct buf *out);
const char *config_text_path(struct slice in, struct buf *out);
const char *config_text_name(struct slice in, struct buf *out);
/* A user of the system, or NAME@DOMAIN of a users table. */
const char *config_text_account(struct slice in, struct buf *out);
/* An IPv4 or IPv6 address. */
const char *config_text_ip(struct slice in, struct buf *out);
const char *config_text_users(struct slice in, struct buf *out);
const char *config_text_mailbox(struct slice in, struct buf *out);
const char *config_text_plus(struct slice in, struct buf *out);
const char *config_text_next_hop(struct slice in, struct buf *out);
const char *config_text_listen(struct slice in, struct buf *out);
const char *config_text_endpoint(struct slice in, struct buf *out);
const char *config_text_network(struct slice in, struct buf *out);
/* One of sysexits.h's that a program may refuse mail with. */
const char *config_text_exit_code(struct slice in, struct buf *out);
/* One line of text for people. */
const char *config_text_line(struct slice in, struct buf *out);
const char *config_text_server(struct slice in, struct buf *out);

/* The parts of a title of listen that is not unix: ("*" or an address). */
const char *config_split_listen(struct slice in, struct slice *host,
    uint16_t *port);
/* The path of a checked unix: endpoint (*port is 0), or its address. */
struct slice config_split_endpoint(struct slice in, uint16_t *port);
/* Whether the two cannot both be bound. */
bool config_listens_overlap(const struct config_listen *a,
    const struct config_listen *b);

#endif
