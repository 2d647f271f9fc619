/* SPDX-License-Identifier: ISC */
/*
 * config_keys.h - the table of sections and keys.
 *
 * Everything about a key stands in one row; the parser, the checks of
 * single values, the suggestions and the manual page read it.
 */
#ifndef POSTERN_CONFIG_KEYS_H
#define POSTERN_CONFIG_KEYS_H

#include "config.h"

/* A limit's number, as it is told. */
#define DIGITS(number) #number
#define NUMBER_TEXT(limit) DIGITS(limit)

enum config_type { CONFIG_COUNT, CONFIG_SIZE, CONFIG_DURATION, CONFIG_BOOL,
	CONFIG_WORD, CONFIG_DOMAIN, CONFIG_ADDRESS, CONFIG_LOCAL_ADDRESS,
	CONFIG_PATH, CONFIG_NAME, CONFIG_USERS, CONFIG_MAILBOX, CONFIG_PLUS,
	CONFIG_NEXT_HOP, CONFIG_TLS_NAME, CONFIG_ACCOUNT, CONFIG_IP,
	CONFIG_LISTEN, CONFIG_ENDPOINT, CONFIG_NETWORK,
	CONFIG_DOMAIN_LIST, CONFIG_NETWORK_LIST, CONFIG_ADDRESS_LIST,
	CONFIG_SERVER_LIST, CONFIG_PATTERN_LIST, CONFIG_EXIT_LIST, CONFIG_TEXT,
	CONFIG_TYPE_COUNT };

enum config_flag {
	KEY_REQUIRED = 1 << 0,	/* in each section of its kind */
	KEY_ZERO = 1 << 1,	/* 0 is allowed below the range */
	KEY_EMPTY = 1 << 2,	/* "" is allowed and stored as NULL */
};

enum config_target { TARGET_CONFIG, TARGET_LISTEN, TARGET_DOMAIN,
	TARGET_DNSBL, TARGET_CLAMD, TARGET_MILTER, TARGET_TLS, TARGET_SENDER,
	TARGET_SUBMITTER, TARGET_DKIM };

struct config_section {
	const char *name;	/* "" is the top level */
	const char *parent;
	enum config_target target;
	bool has_title;
	enum config_type title_type;
	bool is_repeatable;
	const char *help;
};

struct config_key {
	const char *section;
	const char *name;
	enum config_type type;
	unsigned flags;
	uint64_t min, max;	/* numbers; seconds, octets */
	const char *fallback;	/* the default as it would be written */
	const char *words;	/* "mx|submission|local" */
	unsigned first_word;	/* the number that the first one stands for */
	size_t offset, size;	/* in the target; size 0: not stored */
	const char *help;
};

extern const struct config_section config_sections[];
extern const size_t config_n_sections;
extern const struct config_key config_keys[];
extern const size_t config_n_keys;

#define CONFIG_MAX_SECTIONS 24
#define CONFIG_MAX_SECTION_KEYS 32

const struct config_section *config_section_find(struct slice name);
/* The key of that name in section, or in any when section is NULL. */
const struct config_key *config_key_find(const char *section,
    struct slice name);
/* What may stand in section and looks most like name, or NULL. */
const char *config_key_suggest(const char *section, struct slice name);
/* Of "a|b|c"; false if it is none of them. */
bool config_word_find(const char *words, struct slice name, unsigned *index);
const char *config_word_suggest(const char *words, struct slice name,
    char *room, size_t size);

#endif
