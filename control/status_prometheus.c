/* SPDX-License-Identifier: ISC */
/*
 * status_prometheus.c - the status in the text format of Prometheus (version
 * 0.0.4), which telegraf and others read, too; see status_text.h.
 *
 * A name is that of `posternctl status` behind "postern_"; counters end in
 * _total and times in _seconds. What stands here is kept: others build graphs
 * and alarms on it.
 */
#include <stdio.h>
#include <string.h>
#include "status_text.h"
#include "trail.h"

#define VALUE_MAX 512

struct metric {
	const char *key;	/* in the line, or a scoreboard's name */
	const char *name;	/* behind "postern_" */
	const char *help;
};

static const struct metric server[] = {
	{ "uptime_s", "uptime_seconds", "Time since the start." },
	{ "generation", "generation", "Configurations read since the start." },
};

static const struct metric compartment[] = {
	{ "up_s", "compartment_up_seconds", "Time since this process began." },
	{ "restarts", "compartment_restarts_total",
	    "Times that it ended by itself and was started again." },
};

static const struct metric counters[] = {
	{ "sessions_now", "sessions_now", "SMTP sessions that are open." },
	{ "transactions_now", "transactions_now", "Transactions under way." },
	{ "memory_messages_bytes", "memory_messages_bytes",
	    "Memory that messages under way have taken." },
	{ "self_test_failing", "self_test_failing",
	    "Stages that do not refuse what they must; not 0 is an alarm." },
	{ "signatures_age_s", "signatures_age_seconds",
	    "Age of clamd's daily database; not there: not known." },
	{ "sessions_total", "sessions_total", "SMTP sessions." },
	{ "sessions_refused", "sessions_refused_total",
	    "Sessions that were refused at once." },
	{ "messages_accepted", "messages_accepted_total",
	    "Messages answered with 250." },
	{ "messages_bytes", "messages_bytes_total", "Their size." },
	{ "messages_discarded", "messages_discarded_total",
	    "Messages that a discard alias or milter dropped." },
	{ "copies_delivered", "copies_delivered_total",
	    "Copies in mailboxes." },
	{ "recipients_accepted", "recipients_accepted_total",
	    "Recipients of accepted messages." },
	{ "recipients_refused", "recipients_refused_total",
	    "Recipients that were refused." },
	{ "refused_4xx", "refused_4xx_total", "Temporary refusals." },
	{ "refused_5xx", "refused_5xx_total", "Refusals for good." },
	{ "left_behind", "left_behind_total",
	    "Copies that stayed in mailboxes when their transaction failed." },
	{ "duplicates_suppressed", "duplicates_suppressed_total",
	    "Copies that an earlier attempt had delivered." },
	{ "aborted_client_gone", "aborted_client_gone_total",
	    "Messages whose client left before the answer." },
	{ "commits_unknown", "commits_unknown_total",
	    "Deliveries without an answer." },
	{ "timeouts", "timeouts_total",
	    "Sessions whose client said nothing for too long." },
	{ "memory_refused", "memory_refused_total",
	    "Messages for which memory_messages had no room." },
	{ "trail_lost", "trail_lost_total",
	    "Records of the trail that could not be written." },
	{ "self_tests", "self_tests_total", "Self-tests that were made." },
	{ "bounces_refused", "bounces_refused_total",
	    "Refusals for good of mail with a null reverse-path." },
};

static const struct metric resolver_metrics[] = {
	{ "asked", "dns_asked_total", "Questions to the resolver." },
	{ "joined", "dns_joined_total",
	    "Questions that somebody else was waiting for already." },
	{ "cached", "dns_cached_total", "Answers that needed no server." },
	{ "ok", "dns_ok_total", "Answers with records." },
	{ "no_data", "dns_no_data_total", "Names without such records." },
	{ "no_name", "dns_no_name_total", "Names that do not exist." },
	{ "failed", "dns_failed_total", "Questions without an answer." },
	{ "timed_out", "dns_timed_out_total", "Of these, those whose time "
	    "was up." },
	{ "bogus", "dns_bogus_total", "Answers that failed validation." },
	{ "over_limit", "dns_over_limit_total",
	    "Questions refused, as too many were out." },
	{ "secure", "dns_secure_total", "Answers that were validated." },
	{ "waiting", "dns_waiting", "Questions that wait." },
	{ "lookups", "dns_lookups", "Lookups under way." },
	{ "networks", "dns_networks", "Client networks that wait." },
};

static const struct metric store[] = {
	{ "records_live", "records_live", "Open delivery records." },
	{ "records_ended", "records_ended",
	    "Delivery records of sessions that ended unconfirmed." },
	{ "greylist", "greylist", "Entries of the greylist." },
	{ "seen", "seen", "What lists and the greylist have seen before." },
	{ "ledger_noted", "ledger_noted", "Entries of the ledger." },
};

static const struct metric queue[] = {
	{ "messages", "queue_messages", "Messages in the queue." },
	{ "recipients", "queue_recipients", "Recipients who still wait." },
	{ "active", "queue_active", "What is being sent now." },
	{ "deferred", "queue_deferred",
	    "Messages that were tried and wait for the next time." },
	{ "held", "queue_held", "Messages that somebody holds." },
	{ "reports_owed", "queue_reports_owed",
	    "Messages that wait for a report to their sender." },
	{ "oldest_s", "queue_oldest_seconds", "Age of the oldest." },
	{ "size_bytes", "queue_size_bytes", "Size of all of them." },
	{ "waiting", "queue_waiting", "Parts that wait for their time." },
	{ "destinations", "queue_destinations", "Destinations." },
	{ "bad_hosts", "queue_bad_hosts",
	    "Destinations that are left alone for a while." },
	{ "taken", "queue_taken_total", "Messages taken." },
	{ "sent", "queue_sent_total", "Recipients whose host took it." },
	{ "failed", "queue_failed_total", "Recipients who failed." },
	{ "reports", "queue_reports_total",
	    "Reports, all into mailboxes of this host's own users." },
	{ "damaged", "queue_damaged_total", "Files that were set aside." },
};

static const struct metric relay[] = {
	{ "jobs", "relay_jobs_total", "Messages given to relay, for a host "
	    "each." },
	{ "jobs_now", "relay_jobs_now", "Those under way." },
	{ "jobs_waiting", "relay_jobs_waiting",
	    "Those that wait for their turn at a host." },
	{ "connections", "relay_connections_total", "Connections made." },
	{ "connections_now", "relay_connections_now",
	    "Connections that are open." },
	{ "connections_idle", "relay_connections_idle",
	    "Of these, those kept for the next message." },
	{ "reused", "relay_reused_total",
	    "Messages that found a connection open." },
	{ "delivered", "relay_delivered_total",
	    "Recipients whose host took the message." },
	{ "deferred", "relay_deferred_total",
	    "Recipients who were put off." },
	{ "refused", "relay_refused_total", "Recipients who were refused." },
	{ "bad_hosts", "relay_bad_hosts",
	    "Hosts that are left alone for a while." },
	{ "skipped", "relay_skipped_total",
	    "Times that such a host was left out." },
	{ "dane_off", "relay_dane_off_total",
	    "Messages for which no TLSA records were looked for, as the "
	    "resolver cannot validate." },
	{ "probes", "relay_probes_total",
	    "Recipients that a host was asked about." },
	{ "probes_now", "relay_probes_now", "Those under way." },
	{ "probes_refused", "relay_probes_refused_total",
	    "Those whom the host refused." },
	{ "probes_silent", "relay_probes_silent_total",
	    "Those about whom no answer came." },
	{ "probes_kept", "relay_probes_kept_total",
	    "Those whose answer was known." },
	{ "probes_skipped", "relay_probes_skipped_total",
	    "Those that were not made." },
	{ "forwards_now", "relay_forwards_now",
	    "Transactions from outside that go on to a next hop." },
	{ "forwards_asked", "relay_forwards_asked_total",
	    "Recipients that a next hop was asked about." },
	{ "forwards_sent", "relay_forwards_sent_total",
	    "Messages from outside sent on to a next hop." },
	{ "forwards_taken", "relay_forwards_taken_total",
	    "Recipients whose host took it." },
	{ "forwards_uncertain", "relay_forwards_uncertain_total",
	    "Recipients of whom no answer came to the end of the message." },
	{ "forwards_skipped", "relay_forwards_skipped_total",
	    "Questions and messages that could not be put to one." },
};

#define ROWS(table) table, sizeof table / sizeof *table

static void
put_head(struct buf *out, const char *name, const char *help)
{
	size_t size = strlen(name);
	bool is_counter = size > 6 && strcmp(name + size - 6, "_total") == 0;

	buf_printf(out, "# HELP postern_%s %s\n# TYPE postern_%s %s\n", name,
	    help, name, is_counter ? "counter" : "gauge");
}

static void
put_one(struct buf *out, const char *name, const char *help,
    unsigned long long value)
{
	put_head(out, name, help);
	buf_printf(out, "postern_%s %llu\n", name, value);
}

/* Whether there is such a number; a line is another compartment's claim. */
static bool
find_number(struct slice line, const char *key, unsigned long long *value)
{
	char text[VALUE_MAX];

	return trail_find(line, key, text, sizeof text) &&
	    slice_number(slice_of(text), INT64_MAX, value);
}

static void
put_line(struct buf *out, const struct metric *rows, size_t n,
    struct slice line)
{
	unsigned long long value;

	for (size_t i = 0; i < n; i++)
		if (find_number(line, rows[i].key, &value))
			put_one(out, rows[i].name, rows[i].help, value);
}

/* ---- compartments: a family of metrics, a sample for each process ---- */

/* Names of ours; a label is quoted, so nothing else gets in. */
static bool
put_labels(struct buf *out, const char *name, struct slice line)
{
	static const char *const labels[] = { "compartment", "index",
		"generation", "kind" };
	const char *before = "{";
	char value[VALUE_MAX];

	if (!trail_find(line, "compartment", value, sizeof value))
		return false;
	buf_printf(out, "postern_%s", name);
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		if (!trail_find(line, labels[i], value, sizeof value))
			continue;
		value[strcspn(value, "\"\\\n")] = '\0';
		buf_printf(out, "%s%s=\"%s\"", before, labels[i], value);
		before = ",";
	}
	buf_puts(out, "} ");
	return true;
}

/* One that drains for ten minutes after a reload is nothing to wake for. */
static void
put_running(struct buf *out, struct slice lines)
{
	char state[VALUE_MAX];

	put_head(out, "compartment_running", "Whether this process runs.");
	while (lines.size > 0) {
		struct slice line = slice_next_line(&lines);

		trail_find(line, "state", state, sizeof state);
		if (put_labels(out, "compartment_running", line))
			buf_printf(out, "%d\n", strcmp(state, "running") == 0 ||
			    strcmp(state, "draining") == 0);
	}
}

static void
put_family(struct buf *out, const struct metric *metric, struct slice lines)
{
	unsigned long long value;

	put_head(out, metric->name, metric->help);
	while (lines.size > 0) {
		struct slice line = slice_next_line(&lines);

		if (find_number(line, metric->key, &value) &&
		    put_labels(out, metric->name, line))
			buf_printf(out, "%llu\n", value);
	}
}

/* ---- counters of smtpd ---- */

static unsigned long long
sum(const struct scoreboards *boards, enum scoreboard_counter counter)
{
	return (unsigned long long)scoreboards_sum(boards, NULL, counter);
}

static void
put_counters(struct buf *out, const struct scoreboards *boards)
{
	unsigned long long value;

	for (int i = 0; i < SCOREBOARD_COUNTERS; i++) {
		const char *key = scoreboard_counter_name(
		    (enum scoreboard_counter)i);

		for (size_t k = 0; k < sizeof counters / sizeof *counters; k++)
			if (strcmp(counters[k].key, key) == 0 &&
			    status_counter(boards,
			    (enum scoreboard_counter)i, &value))
				put_one(out, counters[k].name,
				    counters[k].help, value);
	}
}

/* A recipient here should be told within 50 ms, in 99 of 100 cases. */
static void
put_rcpt_times(struct buf *out, const struct scoreboards *boards)
{
	static const struct { const char *le; enum scoreboard_counter counter; }
	buckets[] = {
		{ "0.005", SCOREBOARD_RCPT_WITHIN_5MS },
		{ "0.05", SCOREBOARD_RCPT_WITHIN_50MS },
		{ "0.5", SCOREBOARD_RCPT_WITHIN_500MS },
		{ "5", SCOREBOARD_RCPT_WITHIN_5S },
		{ "+Inf", SCOREBOARD_RCPT_ANSWERED },
	};
	unsigned long long us = sum(boards, SCOREBOARD_RCPT_US);

	buf_puts(out, "# HELP postern_rcpt_seconds Time from a RCPT to its "
	    "reply.\n# TYPE postern_rcpt_seconds histogram\n");
	for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++)
		buf_printf(out, "postern_rcpt_seconds_bucket{le=\"%s\"} "
		    "%llu\n", buckets[i].le, sum(boards, buckets[i].counter));
	buf_printf(out, "postern_rcpt_seconds_sum %llu.%06llu\n"
	    "postern_rcpt_seconds_count %llu\n", us / 1000000, us % 1000000,
	    sum(boards, SCOREBOARD_RCPT_ANSWERED));
}

/* ---- all of it ---- */

void
status_prometheus(struct buf *out, struct slice lines, struct slice resolver,
    const struct scoreboards *boards)
{
	struct slice first = slice_next_line(&lines);
	char state[VALUE_MAX];

	put_line(out, ROWS(server), first);
	put_running(out, lines);
	for (size_t i = 0; i < sizeof compartment / sizeof *compartment; i++)
		put_family(out, &compartment[i], lines);
	put_counters(out, boards);
	put_rcpt_times(out, boards);
	put_one(out, "resolver_answers", "Whether the resolver answered now.",
	    resolver.size > 0);
	put_one(out, "dnssec_validating", "Whether answers are validated.",
	    trail_find(resolver, "dnssec", state, sizeof state) &&
	    strcmp(state, "on") == 0);
	put_line(out, ROWS(resolver_metrics), resolver);
}

void
status_prometheus_more(struct buf *out, const char *name, struct slice line)
{
	char answers[64];

	snprintf(answers, sizeof answers, "%s_answers", name);
	put_one(out, answers, "Whether it answered now.", line.size > 0);
	if (strcmp(name, "store") == 0)
		put_line(out, ROWS(store), line);
	else if (strcmp(name, "relay") == 0)
		put_line(out, ROWS(relay), line);
	else
		put_line(out, ROWS(queue), line);
}
