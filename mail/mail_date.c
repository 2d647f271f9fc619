/* SPDX-License-Identifier: ISC */
/*
 * mail_date.c - dates of RFC 5322 3.3 and 4.3; see mail_date.h.
 */
#include <stdio.h>
#include "mail_date.h"
#include "octets.h"

#define SECONDS_PER_DAY 86400
#define LATEST_S INT64_C(253402300799)	/* the end of 9999 */
#define COMMENT_DEPTH_MAX 32

static const char *const weekdays[] = {
	"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed",	/* from day 0 */
};
static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

static bool
is_leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* month is 0 to 11. */
static int
days_in_month(int year, int month)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
	};

	return days[month] + (month == 1 && is_leap_year(year) ? 1 : 0);
}

/* Days from 1970 to the first day of year, which is 1 or later. */
static int64_t
days_before_year(int year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

void
mail_date_write(char out[MAIL_DATE_SIZE], int64_t when_s)
{
	int64_t days;
	int year, month = 0, second, day;

	if (when_s < 0)
		when_s = 0;
	if (when_s > LATEST_S)
		when_s = LATEST_S;
	days = when_s / SECONDS_PER_DAY;
	second = (int)(when_s % SECONDS_PER_DAY);
	year = 1970 + (int)(days / 366);
	while (days_before_year(year + 1) <= days)
		year++;
	day = (int)(days - days_before_year(year));
	while (day >= days_in_month(year, month))
		day -= days_in_month(year, month++);
	snprintf(out, MAIL_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u +0000",
	    weekdays[days % 7], (unsigned)(day + 1) % 100, months[month],
	    (unsigned)year % 10000, (unsigned)second / 3600 % 100,
	    (unsigned)second / 60 % 60, (unsigned)second % 60);
}

/* ---- parser: s is what is left to read ---- */

/* Skip one comment with those nested in it; false if it does not end. */
static bool
skip_comment(struct slice *s)
{
	int depth = 0;

	do {
		char c = *s->data;

		if (c == '(' && ++depth > COMMENT_DEPTH_MAX)
			return false;
		if (c == ')')
			depth--;
		if (c == '\\' && s->size > 1)
			*s = slice_after(*s, 1);
		*s = slice_after(*s, 1);
	} while (depth > 0 && s->size > 0);
	return depth == 0;
}

static bool
skip_cfws(struct slice *s)
{
	while (s->size > 0) {
		char c = *s->data;

		if (is_space(c) || c == '\n' || c == '\r')
			*s = slice_after(*s, 1);
		else if (c != '(')
			break;
		else if (!skip_comment(s))
			return false;
	}
	return true;
}

static bool
take_char(struct slice *s, char c)
{
	if (!skip_cfws(s) || s->size == 0 || *s->data != c)
		return false;
	*s = slice_after(*s, 1);
	return true;
}

/* A number of at most four digits; the count of digits, or 0. */
static int
take_number(struct slice *s, int *value)
{
	int n = 0;

	*value = 0;
	if (!skip_cfws(s))
		return 0;
	while (n < 5 && s->size > 0 && is_digit(*s->data)) {
		*value = *value * 10 + (*s->data - '0');
		*s = slice_after(*s, 1);
		n++;
	}
	return n <= 4 ? n : 0;
}

static struct slice
take_word(struct slice *s)
{
	size_t n = 0;
	struct slice word;

	if (!skip_cfws(s))
		return (struct slice){ s->data, 0 };
	while (n < s->size && is_alpha(s->data[n]))
		n++;
	word = slice_first(*s, n);
	*s = slice_after(*s, n);
	return word;
}

static int
find_name(const char *const *names, int n, struct slice word)
{
	for (int i = 0; i < n; i++)
		if (slice_equals_nocase(word, slice_of(names[i])))
			return i;
	return -1;
}

static bool
skip_weekday(struct slice *s)
{
	struct slice word = take_word(s);

	return word.size == 0 ||
	    (find_name(weekdays, 7, word) >= 0 && take_char(s, ','));
}

/* RFC 5322 4.3: two digits below 50 are 20yy, other short years 19yy. */
static bool
take_year(struct slice *s, int *year)
{
	int digits = take_number(s, year);

	if (digits == 2)
		*year += *year < 50 ? 2000 : 1900;
	else if (digits == 3)
		*year += 1900;
	return digits >= 2 && *year >= 1900;
}

static bool
take_day(struct slice *s, int64_t *days)
{
	int day, month, year, digits = take_number(s, &day);

	if (digits == 0 || digits > 2)
		return false;
	month = find_name(months, 12, take_word(s));
	if (month < 0 || !take_year(s, &year) || day < 1 ||
	    day > days_in_month(year, month))
		return false;
	*days = days_before_year(year) + day - 1;
	for (int m = 0; m < month; m++)
		*days += days_in_month(year, m);
	return true;
}

static bool
take_time(struct slice *s, int *second)
{
	int h, m, sec = 0;

	if (take_number(s, &h) != 2 || !take_char(s, ':') ||
	    take_number(s, &m) != 2)
		return false;
	if (skip_cfws(s) && s->size > 0 && *s->data == ':' &&
	    (!take_char(s, ':') || take_number(s, &sec) != 2))
		return false;
	if (h > 23 || m > 59 || sec > 60)
		return false;
	*second = h * 3600 + m * 60 + (sec == 60 ? 59 : sec);
	return true;
}

/*
 * Offset east of UTC. A name that is not known, the military letters among
 * them, says nothing and counts as UTC (RFC 5322 4.3).
 */
static bool
take_zone(struct slice *s, int *offset_s)
{
	static const char *const names[] = {
		"EDT", "EST", "CDT", "CST", "MDT", "MST", "PDT", "PST",
	};
	static const int hours[] = { -4, -5, -5, -6, -6, -7, -7, -8 };
	int value, i;
	char sign;

	if (!skip_cfws(s) || s->size == 0)
		return false;
	sign = *s->data;
	if (sign == '+' || sign == '-') {
		*s = slice_after(*s, 1);
		if (s->size == 0 || !is_digit(*s->data) ||
		    take_number(s, &value) != 4 || value % 100 > 59)
			return false;
		*offset_s = (value / 100 * 60 + value % 100) * 60;
		*offset_s = sign == '-' ? -*offset_s : *offset_s;
		return true;
	}
	i = find_name(names, 8, take_word(s));
	*offset_s = i >= 0 ? hours[i] * 3600 : 0;
	return is_alpha(sign);
}

bool
mail_date_parse(struct slice text, int64_t *when_s)
{
	int64_t days;
	int second, offset_s;

	if (!skip_weekday(&text) || !take_day(&text, &days) ||
	    !take_time(&text, &second) || !take_zone(&text, &offset_s) ||
	    !skip_cfws(&text) || text.size > 0)
		return false;
	*when_s = days * SECONDS_PER_DAY + second - offset_s;
	return true;
}
