/* SPDX-License-Identifier: ISC */
/*
 * report_formats.c - see report_formats.h. All is compared without case,
 * ASCII; no line is searched but for the phrases that may stand anywhere.
 */
#include "octets.h"
#include "report_formats.h"

/* First words of a line, leading white space and '-' left out; or all of it. */
static const struct {
	const char *name, *words;
	bool is_all;
} formats[] = {
	{ "qmail", "Hi. This is the ", false },		/* QSBMF */
	{ "exim", "This message was created automatically by mail delivery "
	    "software", false },
	{ "exim", "A message that you sent could not be delivered", false },
	{ "exim", "A message that you sent has not yet been delivered",
	    false },
	{ "exim", "A message that you sent was not delivered", false },
	{ "exim", "This is a copy of the message, including all the headers",
	    false },
	{ "postfix", "This is the mail system at host", false },
	{ "postfix", "This is the Postfix ", false },
	{ "postfix", "I'm sorry to have to inform you that", false },
	{ "sendmail", "The following addresses had ", false },
	{ "sendmail", "The following address had ", false },
	{ "sendmail", "Transcript of session follows", false },
	{ "sendmail", "The original message was received at", false },
	{ "sendmail", "Unsent message follows", false },
	{ "exchange", "Your message", true },
	{ "exchange", "did not reach the following recipient(s)", false },
	{ "exchange", "Your message did not reach some or all", false },
	{ "exchange", "Delivery has failed to these recipients", false },
	{ "exchange", "Diagnostic information for administrators", false },
	{ "exchange", "This is an automatically generated Delivery Status "
	    "Notification", false },
	{ "domino", "Failure Reasons", false },
	{ "domino", "was not delivered to:", false },
	{ "google", "Delivery to the following recipient", false },
	{ "google", "** Address not found **", false },
	{ "google", "** Message ", false },
	{ "google", "Your message wasn't delivered to", false },
	{ "yahoo", "Sorry, we were unable to deliver your message", false },
	{ "yahoo", "Message from  yahoo.", false },
	{ "yahoo", "Unable to deliver message to the following address",
	    false },
	{ "ses", "An error occurred while trying to deliver the mail to",
	    false },
	{ "ses", "Technical report:", false },
	{ "dragonfly", "This is the DragonFly Mail Agent", false },
	{ "opensmtpd", "This is the MAILER-DAEMON, please DO NOT REPLY",
	    false },
	{ "courier", "This is a delivery status notification from", false },
	{ "ezweb", "The user(s) account is ", false },
	{ "ezweb", "Could not be delivered to:", false },
	{ "kddi", "Your mail sent on: ", false },
	{ "docomo", "Message could not be delivered to mobile", false },
	{ "messagingserver", "This report relates to a message you sent with",
	    false },
	{ "messagingserver", "Your message cannot be delivered to the "
	    "following recipients", false },
	{ "mailfoundry", "Unable to deliver message to", false },
	{ "mailmarshal", "Your message:", true },
	{ "imail", "undeliverable to ", false },
	{ "x6", "We had trouble delivering your message", false },
};

/* First words of a Subject. */
static const char *const subjects[] = {
	"Undeliver", "Undelivered Mail", "failure notice", "failure delivery",
	"failed delivery", "Returned mail", "Returned to sender",
	"Delivery Status Notification", "Mail Delivery Status Notification",
	"Mail delivery fail", "Mail delivery system", "Message delivery",
	"Delivery failure", "Delivery report", "Delivery Notification",
	"Delivery has failed", "Delivery error", "Delivery delayed",
	"Delivery problem", "Permanent Delivery Failure",
	"Non-delivery", "Nondeliverable", "NDN:", "NDR:", "DSN:",
	"Mail System Error", "Mail could not be delivered",
	"Message could not be delivered", "Mail failure", "Delayed Mail",
	"Warning: message ", "Warning: could not send", "Email not delivered",
	"Mail not delivered", "Message not delivered", "Message status",
	"There was an error sending your mail", "Your message could not",
	"[Mail Delivery", "Unzustellbar", "Non remis", "No se puede entregar",
	"Automatically rejected mail", "Rejected mail", "BANNED ",
	"Unable to deliver", "Considered UNSOLICITED BULK EMAIL",
	/* of scanners to whom a virus names as its sender; none that they
	 * write to their postmaster as well */
	"VIRUS IN YOUR MAIL", "VIRUS IN MAIL FROM YOU",
	"Virus found in your ", "Virus found in a message you sent",
	"Warning: E-mail viruses detected", "ScanMail Message: To Sender",
	"Norton AntiVirus detected a virus in a message you sent",
};

/* Anywhere in a line of at most ANNOUNCING_MAX octets. */
#define ANNOUNCING_MAX 160
static const char *const announcements[] = {
	"original message", "copy of the message", "copy of your message",
	"headers follow", "message follows", "returned message",
	"unsent message", "header of the original", "original header",
	"bounced e-mail", "bounced message", "following header fields",
	"message header", "undelivered message", "original mail",
};

/* Local parts of the authors of bounces. */
static const struct {
	const char *local;
	enum report_author author;
} authors[] = {
	{ "mailer-daemon", REPORT_DAEMON }, { "mailerdaemon", REPORT_DAEMON },
	{ "mailer_daemon", REPORT_DAEMON }, { "mail-daemon", REPORT_DAEMON },
	{ "maildaemon", REPORT_DAEMON }, { "postmaster", REPORT_POSTMASTER },
	{ "post_master", REPORT_POSTMASTER },
	{ "poostmaster", REPORT_POSTMASTER }, { "daemon", REPORT_POSTMASTER },
	{ "mta", REPORT_POSTMASTER }, { "postoffice", REPORT_POSTMASTER },
	{ "bounce", REPORT_POSTMASTER }, { "mdaemon", REPORT_POSTMASTER },
	{ "mail-delivery", REPORT_POSTMASTER },
};

static const struct {
	const char *type;
	enum report_kind kind;
} kinds[] = {
	{ "feedback-report", REPORT_FEEDBACK },
	{ "message/feedback-report", REPORT_FEEDBACK },
	{ "disposition-notification", REPORT_RECEIPT },
	{ "message/disposition-notification", REPORT_RECEIPT },
	{ "message/global-disposition-notification", REPORT_RECEIPT },
	{ "tlsrpt", REPORT_STATISTICS },
	{ "application/tlsrpt+gzip", REPORT_STATISTICS },
	{ "application/tlsrpt+json", REPORT_STATISTICS },
	{ "text/calendar", REPORT_CALENDAR },
	{ "application/ics", REPORT_CALENDAR },
};
#define N_OF(array) (sizeof(array) / sizeof *(array))

static bool
contains(struct slice line, struct slice phrase)
{
	for (size_t at = 0; at + phrase.size <= line.size; at++)
		if (slice_starts_nocase(slice_after(line, at), phrase))
			return true;
	return false;
}

static struct slice
skip_ornament(struct slice line)
{
	while (line.size > 0 && (is_space(*line.data) || *line.data == '-' ||
	    *line.data == '>'))
		line = slice_after(line, 1);
	return slice_trim(line);
}

const char *
report_format_of_line(struct slice line)
{
	struct slice words = skip_ornament(line);

	for (size_t i = 0; i < N_OF(formats); i++)
		if (slice_starts_nocase(words, slice_of(formats[i].words)) &&
		    (!formats[i].is_all || words.size ==
		    strlen(formats[i].words)))
			return formats[i].name;
	return NULL;
}

bool
report_is_subject(struct slice subject)
{
	struct slice words = slice_trim(subject);

	for (size_t i = 0; i < N_OF(subjects); i++)
		if (slice_starts_nocase(words, slice_of(subjects[i])))
			return true;
	return false;
}

bool
report_announces(struct slice line)
{
	if (line.size > ANNOUNCING_MAX)
		return false;
	for (size_t i = 0; i < N_OF(announcements); i++)
		if (contains(line, slice_of(announcements[i])))
			return true;
	return false;
}

/* "NAME <LOCAL@DOMAIN>", "LOCAL@DOMAIN", "LOCAL (NAME)", "<>". */
enum report_author
report_author(struct slice from)
{
	size_t open = slice_find(from, '<');
	struct slice local = open < from.size ?
	    slice_after(from, open + 1) : slice_trim(from);
	size_t size = 0;

	while (size < local.size && (is_alnum(local.data[size]) ||
	    strchr("-_.", local.data[size]) != NULL))
		size++;
	if (size < local.size && !strchr("@>( \t\r\n", local.data[size]))
		return REPORT_PERSON;
	if (open < from.size && local.size > 0 && *local.data == '>')
		return REPORT_DAEMON;
	local.size = size;
	for (size_t i = 0; i < N_OF(authors); i++)
		if (slice_equals_nocase(local, slice_of(authors[i].local)))
			return authors[i].author;
	return REPORT_PERSON;
}

enum report_kind
report_kind_of_type(const char *type)
{
	for (size_t i = 0; i < N_OF(kinds); i++)
		if (slice_equals_nocase(slice_of(type),
		    slice_of(kinds[i].type)))
			return kinds[i].kind;
	return REPORT_NONE;
}
