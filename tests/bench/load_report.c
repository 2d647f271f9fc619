/* SPDX-License-Identifier: ISC */
/*
 * load_report.c - what a run of the load generator found, as JSON (load.h).
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Times at p50, p99 and at the worst, in milliseconds. */
static void
print_times(const char *name, double *times_s, long n)
{
	double p50 = 0, p99 = 0, worst = 0;

	if (n > 0) {
		qsort(times_s, (size_t)n, sizeof(times_s[0]), compare);
		p50 = times_s[n / 2] * 1e3;
		p99 = times_s[(long)((double)n * 0.99)] * 1e3;
		worst = times_s[n - 1] * 1e3;
	}
	printf("\"%s_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f},", name,
	    p50, p99, worst);
}

static void
print_string(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= ' ' && *text != '"' &&
		    *text != '\\')
			putchar(*text);
	putchar('"');
}

static void
print_faults(const struct load *load)
{
	size_t n = sizeof(load->faults) / sizeof(load->faults[0]);

	printf("\"faults\":[");
	for (size_t i = 0; i < n && load->faults[i].n > 0; i++) {
		const struct fault *f = &load->faults[i];

		printf("%s{\"stage\":\"%s\",\"code\":%d,\"n\":%ld,\"text\":",
		    i > 0 ? "," : "", f->stage, f->code, f->n);
		print_string(f->text);
		putchar('}');
	}
	puts("]}");
}

static double
own_cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

void
report_held(struct load *load)
{
	printf("{\"phase\":\"held\",\"held\":%u,\"opened\":%u,"
	    "\"ramp_s\":%.3f}\n", load->n_held, load->n_opened, load->ramp_s);
	fflush(stdout);
}

void
report_end(struct load *load, bool has_timed_out)
{
	double seconds = load->ended_at - load->started_at;

	printf("{\"ok\":%ld,\"failed\":%ld,\"requeued\":%ld,"
	    "\"tempfailed\":%ld,\"timed_out\":%s,\"seconds\":%.4f,",
	    load->ok, load->failed, load->requeued, load->tempfailed,
	    has_timed_out ? "true" : "false", seconds);
	printf("\"rcpt_2xx\":%ld,\"rcpt_4xx\":%ld,\"rcpt_5xx\":%ld,",
	    load->rcpt_2xx, load->rcpt_4xx, load->rcpt_5xx);
	printf("\"connects\":%ld,\"refused\":%ld,\"dropped\":%ld,"
	    "\"no_greeting\":%ld,\"held\":%u,\"octets\":%ld,\"noops\":%ld,",
	    load->connects, load->refused, load->dropped, load->no_greeting,
	    load->n_held, load->octets, load->noops);
	printf("\"started_real\":%.6f,\"cpu_s\":%.4f,\"body_sha256\":\"%s\",",
	    load->started_real, own_cpu_s(), load->body_sha256);
	print_times("reply", load->reply_s, load->n_times);
	print_times("transaction", load->transaction_s, load->n_times);
	print_faults(load);
}
