/* SPDX-License-Identifier: ISC */
/*
 * config_number.c - counts, sizes and durations with their units.
 *
 * Digits are decimal, whatever they begin with. Octets are counted in
 * powers of 1024; time needs a unit, because 30 alone says too little.
 */
#include <ctype.h>
#include <inttypes.h>
#include "config_text.h"
#include "config_value.h"

/* What one of the unit stands for; 0 if the type does not know it. */
static uint64_t
unit_factor(enum config_type type, struct slice unit)
{
	static const struct {
		enum config_type type;
		const char *unit;
		uint64_t factor;
	} units[] = {
		{ CONFIG_SIZE, "K", 1 << 10 }, { CONFIG_SIZE, "M", 1 << 20 },
		{ CONFIG_SIZE, "G", 1 << 30 },
		{ CONFIG_SIZE, "T", (uint64_t)1 << 40 }, { CONFIG_SIZE, "", 1 },
		{ CONFIG_COUNT, "", 1 },
		{ CONFIG_DURATION, "s", 1 }, { CONFIG_DURATION, "m", 60 },
		{ CONFIG_DURATION, "h", 3600 },
		{ CONFIG_DURATION, "d", 86400 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].type == type &&
		    slice_equals(slice_of(units[i].unit), unit))
			return units[i].factor;
	return 0;
}

/* Where the unit begins. */
static size_t
count_digits(struct slice in)
{
	size_t n = 0;

	while (n < in.size && isdigit((unsigned char)in.data[n]))
		n++;
	return n;
}

const char *
config_number(enum config_type type, struct slice in, uint64_t *value)
{
	unsigned long long number;
	size_t digits = count_digits(in);
	uint64_t factor;

	factor = unit_factor(type, config_text_after(in, digits));
	if (digits == 0)
		return "not a number";
	if (factor == 0 && type == CONFIG_SIZE)
		return "octets are counted in K, M, G or T";
	if (factor == 0 && type == CONFIG_DURATION)
		return "time needs one of the units s, m, h, d";
	if (factor == 0)
		return "not a whole number without a unit";
	if (!slice_number((struct slice){ in.data, digits },
	    UINT64_MAX / factor, &number))
		return "number is too large";
	*value = number * factor;
	return NULL;
}

/* "50M" for "50mb", "30s" for "30": appends nothing when it cannot tell. */
void
config_number_suggest(enum config_type type, struct slice in,
    struct buf *out)
{
	size_t digits = count_digits(in);
	int c = digits < in.size ? in.data[digits] :
	    type == CONFIG_DURATION ? 's' : 'K';
	char unit = (char)(type == CONFIG_SIZE ? toupper(c) : tolower(c));

	if (digits > 0 && type != CONFIG_COUNT &&
	    unit_factor(type, config_text_after(in, digits)) == 0 &&
	    unit_factor(type, (struct slice){ &unit, 1 }) != 0)
		buf_printf(out, "; did you mean %.*s%c?", (int)digits,
		    in.data, unit);
}

/* The number in the largest unit that divides it. */
static void
print_number(struct buf *out, enum config_type type, uint64_t value)
{
	static const char *const size_units[] = { "G", "M", "K" };
	static const char *const time_units[] = { "d", "h", "m", "s" };
	bool is_size = type == CONFIG_SIZE;

	for (size_t i = 0; i < (is_size ? 3 : 4) && type != CONFIG_COUNT;
	    i++) {
		const char *unit = is_size ? size_units[i] : time_units[i];
		uint64_t factor = unit_factor(type, slice_of(unit));

		if (value >= factor && value % factor == 0) {
			buf_printf(out, "%" PRIu64 "%s", value / factor, unit);
			return;
		}
	}
	buf_printf(out, "%" PRIu64, value);
}

void
config_print_range(struct buf *out, const struct config_key *key)
{
	bool has_zero = key->flags & KEY_ZERO;

	if (has_zero)
		buf_puts(out, key->min == 1 ? "0" : "0 or ");
	if (!has_zero || key->min > 1)
		print_number(out, key->type, key->min);
	buf_puts(out, " to ");
	print_number(out, key->type, key->max);
}
