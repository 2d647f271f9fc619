/* SPDX-License-Identifier: ISC */
/*
 * config_parse.c - tokens become settings in sections.
 *
 *	file    = { setting | section }
 *	setting = WORD "=" value		value on the line of its key
 *	section = WORD [ STRING ] "{" { setting | section } "}"
 *	value   = STRING | NUMBER | WORD | "{" [ item { "," item } ] "}"
 *
 * One mistake is to give one message. So a key or section that is almost
 * one is taken for it, a setting that lost its value ends at its line, and
 * when the file has more "{" than "}" a section that cannot stand where it
 * stands closes what is open: then the brace before it is the missing one.
 */
#include <stdio.h>
#include <string.h>
#include "config_parser.h"

static struct config_frame *
innermost(struct parser *p)
{
	return &p->frames[p->depth];
}

static const char *
place(const struct config_frame *frame, char *room, size_t size)
{
	if (frame->line == 0)
		return "at the top level";
	snprintf(room, size, "in the section %s of line %u",
	    frame->section->name, frame->line);
	return room;
}

/* ---- settings ---- */

struct setting {
	const struct config_key *key;	/* NULL: none is meant */
	struct config_frame *frame;	/* whose key it is */
};

static void
report_misplaced(struct parser *p, const struct token *name,
    const struct config_key *key)
{
	char here[128];
	const struct config_frame *frame = innermost(p);
	const char *hint = frame->line && p->n_unclosed > 0 ?
	    "; is its \"{\" closed?" : "";

	place(frame, here, sizeof(here));
	if (key->section[0] == '\0')
		config_error(p->problems, name->line, "%s does not stand %s, "
		    "but at the top level%s", key->name, here, hint);
	else
		config_error(p->problems, name->line, "%s does not stand %s, "
		    "but in a section %s%s", key->name,
		    frame->line ? here : "at the top level", key->section,
		    hint);
}

/* The key that is meant in the innermost section; reports if it is not. */
static struct setting
find_setting(struct parser *p, const struct token *name)
{
	struct config_frame *frame = innermost(p);
	const char *section = frame->section->name;
	const struct config_key *key = config_key_find(section, name->text);
	const struct config_section *other;
	const char *meant;

	if (key != NULL)
		return (struct setting){ key, frame };
	key = config_key_find("", name->text);
	if (key == NULL)
		key = config_key_find(NULL, name->text);
	if (key != NULL) {
		report_misplaced(p, name, key);
		return (struct setting){ key->section[0] ? NULL : key,
			&p->frames[0] };
	}
	other = config_section_find(name->text);
	if (other != NULL) {
		config_error(p->problems, name->line, "%s is a section, and "
		    "no key: %s%s { ... }", other->name, other->name,
		    other->has_title ? " \"...\"" : "");
		return (struct setting){ NULL, frame };
	}
	meant = config_key_suggest(section, name->text);
	config_error(p->problems, name->line, "unknown key \"%.*s\"%s%s%s",
	    CONFIG_QUOTE(name->text), meant ? "; did you mean \"" : "",
	    meant ? meant : "", meant ? "\"?" : "");
	return (struct setting){ meant ?
	    config_key_find(section, slice_of(meant)) : NULL, frame };
}

static void
parse_setting(struct parser *p, const struct token *name)
{
	struct setting setting = find_setting(p, name);
	struct config_value value = parser_value(p, name);
	unsigned *seen;

	if (setting.key == NULL)
		return;
	seen = config_frame_seen(setting.frame, setting.key);
	if (*seen != 0) {
		if (parser_is_line_new(p, name->line))
			config_error(p->problems, name->line, "%s is set "
			    "twice, first on line %u", setting.key->name,
			    *seen);
		return;
	}
	*seen = name->line;
	if (!config_store(config_frame_target(p->config, setting.frame),
	    setting.key, &value, p->problems))
		p->lacks_memory = true;
}

/* ---- sections ---- */

static void
close_section(struct parser *p)
{
	/* Without memory the section may be less than its checks expect. */
	if (!p->lacks_memory &&
	    !config_check_section(p->config, innermost(p), p->problems))
		p->lacks_memory = true;
	p->depth--;
}

static void
close_unclosed(struct parser *p, unsigned line)
{
	const struct config_frame *frame = innermost(p);

	if (line == 0)
		config_error(p->problems, frame->line, "\"{\" of the section "
		    "%s is never closed", frame->section->name);
	else
		config_error(p->problems, frame->line, "\"{\" of the section "
		    "%s is not closed before line %u",
		    frame->section->name, line);
	if (p->n_unclosed > 0)
		p->n_unclosed--;
	close_section(p);
}

static bool
is_open_section(const struct parser *p, const char *name)
{
	for (size_t i = 0; i <= p->depth; i++)
		if (strcmp(p->frames[i].section->name, name) == 0)
			return true;
	return false;
}

/* Make the innermost section the one in which this one can stand. */
static void
find_place(struct parser *p, const struct config_section *section,
    const struct token *name)
{
	char here[128];

	if (p->n_unclosed > 0 && is_open_section(p, section->parent))
		while (strcmp(innermost(p)->section->name,
		    section->parent) != 0)
			close_unclosed(p, name->line);
	if (strcmp(innermost(p)->section->name, section->parent) == 0)
		return;
	config_error(p->problems, name->line, "section %s does not stand %s, "
	    "but %s%s", section->name,
	    place(innermost(p), here, sizeof(here)),
	    section->parent[0] ? "in a section " : "at the top level",
	    section->parent);
}

/* The section of that name, or that is meant; reports if it is not one. */
static const struct config_section *
find_section(struct parser *p, const struct token *name)
{
	const struct config_section *section =
	    config_section_find(name->text);
	const char *meant;

	if (section != NULL)
		return section;
	meant = config_key_suggest(innermost(p)->section->name, name->text);
	section = meant ? config_section_find(slice_of(meant)) : NULL;
	if (section == NULL && (meant = config_key_suggest("", name->text)))
		section = config_section_find(slice_of(meant));
	config_error(p->problems, name->line, "unknown section \"%.*s\"%s%s%s",
	    CONFIG_QUOTE(name->text), section ? "; did you mean \"" : "",
	    section ? section->name : "", section ? "\"?" : "");
	return section;
}

static void
check_title(struct parser *p, const struct config_section *section,
    const struct token *name, const struct token *title)
{
	if (section->has_title && title == NULL)
		config_error(p->problems, name->line, "section %s needs a "
		    "title: %s", section->name,
		    config_types[section->title_type].what);
	else if (!section->has_title && title != NULL)
		config_error(p->problems, name->line, "section %s has no "
		    "title", section->name);
}

/* Sections that stand once, and titled ones with the same title. */
static void
check_once(struct parser *p, const struct config_section *section,
    unsigned line)
{
	unsigned *first = &p->section_lines[section - config_sections];

	if (*first != 0 && !section->is_repeatable)
		config_error(p->problems, line, "section %s stands twice, "
		    "first on line %u", section->name, *first);
	else if (*first == 0)
		*first = line;
}

static void
open_section(struct parser *p, const struct config_section *section,
    const struct token *name, const struct token *title)
{
	struct config_frame *frame;

	find_place(p, section, name);
	check_title(p, section, name, title);
	check_once(p, section, name->line);
	if (p->depth + 1 == CONFIG_MAX_DEPTH) {
		config_error(p->problems, name->line,
		    "sections stand too deep in one another");
		if (p->at->kind == TOKEN_OPEN)
			parser_skip_block(p);
		return;
	}
	if (p->at->kind == TOKEN_OPEN)
		p->at++;
	frame = &p->frames[++p->depth];
	*frame = (struct config_frame){ .section = section,
		.line = name->line };
	if (!config_frame_open(p->config, frame,
	    section->has_title ? title : NULL, p->problems))
		p->lacks_memory = true;
}

/* NULL: there is none. One that lacks its quotes is taken for what it is. */
static const struct token *
take_title(struct parser *p, const struct config_section *section,
    const struct token *name)
{
	const struct token *title = p->at;

	if (title->kind == TOKEN_STRING)
		return p->at++;
	if (section == NULL || title->line != name->line ||
	    title->kind > TOKEN_NUMBER || title[1].kind != TOKEN_OPEN)
		return NULL;
	if (section->has_title && !title->is_bad)
		config_error(p->problems, name->line, "the title of section "
		    "%s needs quotes: %s \"%.*s\"", section->name,
		    section->name, CONFIG_QUOTE(title->text));
	return p->at++;
}

/* At what stands behind the name of a section. */
static void
parse_section(struct parser *p, const struct token *name)
{
	const struct config_section *section = find_section(p, name);
	const struct token *title = take_title(p, section, name);

	if (p->at->kind != TOKEN_OPEN) {
		if (parser_is_line_new(p, name->line))
			config_error(p->problems, name->line, "\"{\" is "
			    "missing after section %.*s",
			    CONFIG_QUOTE(name->text));
		if (p->n_unclosed >= 0 || section == NULL) {
			parser_skip_rest(p, name->line);
			return;
		}
		p->n_unclosed++;
	}
	if (section == NULL)
		parser_skip_block(p);
	else
		open_section(p, section, name, title);
}

/* ---- statements ---- */

/* Whether what stands behind name is a value that only lacks its "=". */
static bool
lacks_equals(const struct parser *p, const struct token *name)
{
	const struct token *next = p->at;
	bool is_key = config_key_find(
	    p->frames[p->depth].section->name, name->text);

	if (next->line != name->line || config_section_find(name->text))
		return false;
	return (is_key && next->kind <= TOKEN_OPEN) ||
	    (next->kind == TOKEN_STRING && next[1].kind != TOKEN_OPEN);
}

static void
parse_named(struct parser *p, const struct token *name)
{
	bool is_section = p->at->kind == TOKEN_EQUALS &&
	    p->at[1].kind == TOKEN_OPEN && config_section_find(name->text) &&
	    !config_key_find(innermost(p)->section->name, name->text);

	if (is_section) {
		config_error(p->problems, name->line, "section %.*s has no "
		    "\"=\" before its \"{\"", CONFIG_QUOTE(name->text));
		p->at++;
		parse_section(p, name);
	} else if (p->at->kind == TOKEN_EQUALS) {
		p->at++;
		parse_setting(p, name);
	} else if (lacks_equals(p, name)) {
		config_error(p->problems, name->line, "\"=\" is missing "
		    "after %.*s", CONFIG_QUOTE(name->text));
		parse_setting(p, name);
	} else if (p->at->kind == TOKEN_STRING || p->at->kind == TOKEN_OPEN ||
	    config_section_find(name->text)) {
		parse_section(p, name);
	} else {
		if (parser_is_line_new(p, name->line))
			config_error(p->problems, name->line, "\"%.*s\" has "
			    "neither \"=\" nor \"{\" behind it",
			    CONFIG_QUOTE(name->text));
		parser_skip_rest(p, name->line);
	}
}

static void
parse_close(struct parser *p)
{
	unsigned line = p->at++->line;

	if (p->depth > 0) {
		close_section(p);
		return;
	}
	p->n_unclosed++;
	config_error(p->problems, line, "\"}\" without a \"{\" before it");
}

static void
parse_statement(struct parser *p)
{
	const struct token *first = p->at;

	if (first->kind == TOKEN_CLOSE) {
		parse_close(p);
	} else if (first->is_bad) {
		p->at++;
	} else if (first->kind == TOKEN_WORD) {
		p->at++;
		parse_named(p, first);
	} else {
		if (parser_is_line_new(p, first->line))
			config_error(p->problems, first->line, "\"%.*s\" "
			    "stands where a key or section is expected",
			    CONFIG_QUOTE(first->text));
		parser_skip_rest(p, first->line);
	}
}

/* Sections of which nothing is asked when users and aliases are looked at. */
static bool
is_apart(const struct config_section *section)
{
	static const char *const apart[] = { "", "listen", "limits", "checks",
		"dnsbl", "clamd", "milter", "processes", "resolver", "queue",
		"relay" };

	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (strcmp(apart[i], section->name) == 0)
			return true;
	return false;
}

/* So are all that are open. */
static bool
stands_apart(const struct parser *p)
{
	size_t i = 0;

	while (i <= p->depth && is_apart(p->frames[i].section))
		i++;
	return i > p->depth;
}

static bool
has_error_on(const struct config_problems *problems, unsigned from,
    unsigned to)
{
	for (size_t i = 0; i < problems->n; i++)
		if (!problems->items[i].is_warning &&
		    problems->items[i].line >= from &&
		    problems->items[i].line <= to)
			return true;
	return false;
}

/* A line has one complaint about its form: on it there may be more. */
static void
parse_and_note(struct parser *p)
{
	size_t n_before = p->problems->n_errors;
	bool was_apart = stands_apart(p);
	unsigned from = p->at->line;

	parse_statement(p);
	if (!(was_apart && stands_apart(p)) &&
	    (p->problems->n_errors > n_before ||
	    has_error_on(p->problems, from, p->at[-1].line)))
		p->config->has_odd_users = true;
}

bool
config_read(struct config *config, const struct token_list *tokens,
    struct config_problems *problems)
{
	struct parser p = { .at = tokens->items, .config = config,
		.problems = problems };

	p.frames[0].section = &config_sections[0];
	for (size_t i = 0; i < tokens->n; i++) {
		p.n_unclosed += tokens->items[i].kind == TOKEN_OPEN;
		p.n_unclosed -= tokens->items[i].kind == TOKEN_CLOSE;
	}
	while (p.at->kind != TOKEN_END && !p.lacks_memory &&
	    problems->n_errors < CONFIG_MAX_PROBLEMS)
		parse_and_note(&p);
	problems->is_cut = !p.lacks_memory && p.at->kind != TOKEN_END;
	config->has_odd_users |= p.depth > 0;
	while (p.depth > 0)
		close_unclosed(&p, 0);
	return !p.lacks_memory &&
	    config_check_file(config, &p.frames[0], problems);
}
