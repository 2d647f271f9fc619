/* SPDX-License-Identifier: ISC */
/*
 * programs.c - see programs.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "address.h"
#include "dispatch.h"
#include "fault.h"
#include "log.h"
#include "phases.h"
#include "program_user.h"
#include "program_verdict.h"
#include "programs.h"
#include "received.h"
#include "runner.h"

#define KILL_TIME_S 15		/* for the runner's answer after its time */
#define LINE_TIME_S 5		/* ours, within the asker's deadline */
#define TICK_MS 1000
#define LOST_GRACE_MS 500	/* so that askers hear of it */

struct program_run {
	struct program_run *next;	/* in line */
	struct programs *programs;
	struct recipient *recipient;
	uint32_t question;
	struct message message;
	char sender[RUN_ADDRESS_MAX + 1];	/* reverse-path */
	struct buf top;			/* header lines before it */
	int64_t due_us;			/* to begin at the latest */
	int64_t began_us;
};

struct programs {
	struct deliver *deliver;
	struct channel *runner;		/* NULL: it has died */
	pid_t runner_pid;
	int runner_fd;			/* the channel's */
	unsigned n_running, n_waiting;
	struct program_run *first, **last;
	struct loop_timer tick;
};

/* ---- the end of a run ---- */

static void
answer(const struct program_run *run, const struct verdict *verdict,
    const char *told)
{
	const struct program_answer a = { .verdict = *verdict,
		.told = slice_of(told) };
	const struct peer *peer = run->recipient->tx->peer;
	struct ipc_writer w;

	if (peer == NULL)
		return;
	ipc_writer_init(&w);
	put_program_answer(&w, &a);
	channel_answer(peer->channel, run->question, PROGRAM_ANSWER, &w, -1);
}

/* What was killed may have been what the program was to do: a warning. */
static void
log_end(const struct program_run *run, const struct verdict *verdict,
    const char *told, bool has_left)
{
	const struct recipient *r = run->recipient;
	int64_t now_us = loop_now_us(run->programs->deliver->c.loop);
	uint64_t ms = run->began_us == 0 ? 0 :
	    (uint64_t)(now_us - run->began_us) / 1000;

	if (verdict->code < 400)
		log_at(has_left ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		    "program", LOG_S("session", r->tx->session),
		    LOG_SL("recipient", r->route.recipient),
		    LOG_SL("command", r->route.program), LOG_S("told", told),
		    LOG_U("ms", ms), LOG_END);
	else
		log_warning("alarm", LOG_S("session", r->tx->session),
		    LOG_S("problem", "a program that an alias names has not "
		    "taken a message"),
		    LOG_SL("recipient", r->route.recipient),
		    LOG_SL("command", r->route.program), LOG_S("told", told),
		    LOG_U("reply", verdict->code), LOG_U("ms", ms), LOG_END);
}

/* Nothing refers to it any more; its transaction goes on. */
static void
run_free(struct program_run *run)
{
	struct recipient *r = run->recipient;
	struct delivery *tx = r->tx;

	message_close(&run->message);
	buf_free(&run->top);
	free(run);
	r->n_waiting--;
	tx->n_out--;
	tx->is_running = false;
	if (r->is_dropped)
		delivery_recipient_free(r);
	if (tx->n_out > 0)
		return;
	if (tx->peer == NULL)
		delivery_settle(tx);
	else if (tx->n_recipients == 0 && tx->state == DELIVERY_OPEN)
		delivery_orphan(tx);
	else
		phase_next(tx);
}

static void
run_end(struct program_run *run, const struct run_answer *ended)
{
	struct deliver *d = run->programs->deliver;
	char told[PROGRAM_TOLD_MAX];
	struct verdict verdict;

	FAULT_STEP("deliver.after-program");
	program_verdict(&verdict, told, ended, &d->c.config->program);
	log_end(run, &verdict, told, ended != NULL && ended->has_left);
	answer(run, &verdict, told);
	run_free(run);
	deliver_maybe_end(d);
}

/* It was never begun. */
static void
run_give_up(struct program_run *run)
{
	struct deliver *d = run->programs->deliver;
	const char *told = "not run: all of programs_at_once were busy";
	struct verdict verdict;

	verdict_set(&verdict, 451, 3, 2, "too many messages for programs at "
	    "once; try again later");
	log_end(run, &verdict, told, false);
	answer(run, &verdict, told);
	run_free(run);
	deliver_maybe_end(d);
}

/* ---- its begin ---- */

/* The recipient's address, and what programs call its parts. */
static void
set_address(struct run *run, struct address *address,
    const struct config *config)
{
	const struct config_domain *domain;
	struct slice user;

	if (address_parse(address, run->recipient, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL | ADDRESS_ALLOW_BARE_LOCAL) !=
	    ADDRESS_OK)
		return;
	run->local = slice_of(address->local);
	run->domain = slice_of(address->domain);
	domain = config_find_domain(config, run->domain);
	if (domain != NULL && domain->plus != NULL)
		(void)address_split_plus(run->local, domain->plus, &user,
		    &run->extension);
}

static void program_answered(struct channel *ch, struct ipc_message *m,
    void *arg);

static void
run_begin(struct program_run *pr)
{
	static struct ipc_writer w;	/* too large for the stack */
	const struct recipient *r = pr->recipient;
	const struct deliver *d = pr->programs->deliver;
	unsigned timeout_s = d->c.config->program.timeout_s + KILL_TIME_S;
	struct address address = { .local = "" };
	struct run run = { .command = r->route.program,
		.sender = slice_of(pr->sender),
		.recipient = r->route.recipient,
		.top = buf_slice(&pr->top),
		.message_size = pr->message.size_bytes };

	set_address(&run, &address, d->c.config);
	ipc_writer_init(&w);
	put_run(&w, &run);
	pr->began_us = loop_now_us(d->c.loop);
	pr->programs->n_running++;
	FAULT_STEP("deliver.before-program");
	if (pr->programs->runner != NULL &&
	    channel_ask(pr->programs->runner, RUN_ASK, &w, pr->message.fd,
	    timeout_s * 1000, program_answered, pr) != 0)
		return;
	pr->programs->n_running--;
	run_end(pr, NULL);
}

/* Whoever waits for it is still there, and has said nothing else. */
static bool
is_wanted(const struct program_run *run)
{
	const struct delivery *tx = run->recipient->tx;

	return tx->peer != NULL && !tx->is_release_wanted &&
	    !run->recipient->is_dropped;
}

static struct program_run *
take_first(struct programs *p)
{
	struct program_run *run = p->first;

	p->first = run->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->n_waiting--;
	return run;
}

static void
pump(struct programs *p)
{
	unsigned most = p->deliver->c.config->program.at_once;
	int64_t now_us = loop_now_us(p->deliver->c.loop);

	while (p->first != NULL && (p->n_running < most ||
	    p->first->due_us <= now_us)) {
		struct program_run *run = take_first(p);

		if (!is_wanted(run))
			run_free(run);
		else if (run->due_us <= now_us)
			run_give_up(run);
		else
			run_begin(run);
	}
}

static void
program_answered(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct program_run *run = arg;
	struct programs *p = run->programs;
	struct run_answer ended;
	bool is_known = m != NULL && m->type == RUN_ANSWER &&
	    get_run_answer(&m->body, &ended);

	(void)ch;
	p->n_running--;
	run_end(run, is_known ? &ended : NULL);
	pump(p);
}

/* ---- questions ---- */

static bool
is_its_turn(const struct delivery *tx)
{
	return tx->state == DELIVERY_OPEN || tx->state == DELIVERY_READY ||
	    (tx->state == DELIVERY_OVER && tx->is_each);
}

/* NULL: the peer lies. */
static struct recipient *
find_recipient(const struct delivery *tx, const struct program_ask *ask)
{
	struct recipient *r;

	if (tx->is_running || tx->is_release_wanted || !is_its_turn(tx) ||
	    !phase_has_valid_headers(ask->return_path, ask->trace))
		return NULL;
	r = delivery_recipient(tx, ask->recipient);
	return r != NULL && r->route.kind == ROUTE_PROGRAM &&
	    r->n_waiting == 0 ? r : NULL;
}

static struct program_run *
run_new(struct recipient *r, const struct program_ask *ask)
{
	struct program_run *run = calloc(1, sizeof *run);
	int error = run == NULL || !slice_copy(run->sender,
	    sizeof run->sender, ask->return_path) ? -ENOMEM : 0;

	if (!error)
		error = received_write_return_path(&run->top,
		    ask->return_path);
	if (!error)
		error = received_write_delivered_to(&run->top,
		    r->route.recipient);
	if (!error)
		error = buf_append_slice(&run->top, ask->trace);
	if (!error) {
		run->recipient = r;
		run->programs = r->tx->deliver->programs;
		return run;
	}
	if (run != NULL)
		buf_free(&run->top);
	free(run);
	return NULL;
}

static void
append(struct program_run *run, const struct ipc_message *question)
{
	struct programs *p = run->programs;
	const struct deliver *d = p->deliver;
	int64_t wait_s = (int64_t)question->deadline_ms / 1000 -
	    d->c.config->program.timeout_s - KILL_TIME_S - LINE_TIME_S;

	run->question = question->id;
	run->due_us = loop_now_us(d->c.loop) +
	    (wait_s > 1 ? wait_s : 1) * 1000000;
	run->recipient->n_waiting++;
	run->recipient->tx->n_out++;
	run->recipient->tx->is_running = true;
	*p->last = run;
	p->last = &run->next;
	p->n_waiting++;
}

/* Nothing was begun, and the peer has broken no rule. */
static void
answer_failure(struct peer *peer, uint32_t question)
{
	struct program_answer a = { .told = SLICE("it could not be begun") };
	struct ipc_writer w;

	verdict_set(&a.verdict, 451, 3, 0,
	    "programs cannot be run now; try again later");
	ipc_writer_init(&w);
	put_program_answer(&w, &a);
	channel_answer(peer->channel, question, PROGRAM_ANSWER, &w, -1);
}

bool
programs_begin(struct peer *peer, const struct program_ask *ask, int fd,
    const struct ipc_message *question)
{
	const struct delivery *tx = delivery_find(peer, ask->transaction);
	struct program_run *run = NULL;
	struct message message;
	struct recipient *r;

	if (tx == NULL) {	/* it was forgotten; nothing is run */
		close(fd);
		answer_failure(peer, question->id);
		return true;
	}
	r = find_recipient(tx, ask);
	if (r == NULL || message_accept(&message, fd,
	    ask->message_size) != 0) {
		close(fd);
		return false;
	}
	if (r->tx->deliver->programs != NULL)
		run = run_new(r, ask);
	if (run == NULL) {
		message_close(&message);
		answer_failure(peer, question->id);
		return true;
	}
	run->message = message;
	append(run, question);
	pump(run->programs);
	return true;
}

void
programs_close(struct programs **programs)
{
	struct programs *p = *programs;

	*programs = NULL;
	if (p == NULL)
		return;
	loop_timer_stop(p->deliver->c.loop, &p->tick);
	/* what still runs is killed with it */
	if (p->runner != NULL)
		(void)shutdown(p->runner_fd, SHUT_RDWR);
	while (waitpid(p->runner_pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	free(p);
}

size_t
programs_n_runs(const struct programs *programs)
{
	return programs == NULL ? 0 :
	    programs->n_running + programs->n_waiting;
}

/* ---- the runner ---- */

static void
on_tick(struct loop_timer *timer, void *arg)
{
	struct programs *p = arg;

	pump(p);
	loop_timer_start(p->deliver->c.loop, timer, TICK_MS, on_tick, p);
}

static void
on_lost_grace(struct loop_timer *timer, void *arg)
{
	const struct programs *p = arg;

	(void)timer;
	loop_stop(p->deliver->c.loop);
}

static void
on_runner_closed(struct channel *ch, bool misbehaved, void *arg)
{
	static struct loop_timer grace;
	struct programs *p = arg;

	(void)ch;
	p->runner = NULL;
	log_error("alarm", LOG_S("problem", "the process that starts "
	    "programs has died; deliver starts anew"),
	    LOG_S("how", misbehaved ? "misbehaved" : "died"), LOG_END);
	pump(p);		/* all that wait fail */
	loop_timer_start(p->deliver->c.loop, &grace, LOST_GRACE_MS,
	    on_lost_grace, p);
}

/* Who runs them; false and a log line: nobody. */
static bool
find_user(const struct deliver *d, struct runner_settings *s)
{
	struct program_user who;
	const char *wrong = program_user_find(&who, d->c.config,
	    d->c.is_privileged);

	if (wrong != NULL) {
		log_warning("programs_off", LOG_S("program_user", who.name),
		    LOG_S("why", wrong), LOG_S("hint", "aliases that name a "
		    "program are answered 451"), LOG_END);
		return false;
	}
	s->uid = who.uid;
	s->gid = who.gid;
	snprintf(s->user, sizeof s->user, "%s", who.name);
	snprintf(s->home, sizeof s->home, "%s", who.home);
	return true;
}

static void
fill_settings(const struct deliver *d, struct runner_settings *s)
{
	const struct config_program *config = &d->c.config->program;

	s->is_privileged = d->c.is_privileged;
	s->own_uid = d->c.uid;
	s->own_gid = d->c.gid;
	s->allows_setid = config->allows_setid;
	s->timeout_s = config->timeout_s;
	s->at_once = config->at_once;
	s->memory_bytes = config->memory_bytes;
	s->output_bytes = config->output_bytes;
	if (config->allows_setid && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0)
		log_warning("allow_setid", LOG_S("hint", "it has no effect: "
		    "the service manager started us with no_new_privs"),
		    LOG_END);
}

struct programs *
programs_open(struct deliver *d)
{
	struct runner_settings settings = { .is_privileged = false };
	struct programs *p;
	pid_t pid;
	int fd;

	if (!find_user(d, &settings))
		return NULL;
	fill_settings(d, &settings);
	pid = runner_start(&settings, &fd);
	p = pid < 0 ? NULL : calloc(1, sizeof *p);
	if (p == NULL)
		fatal("deliver: the runner of programs: %s",
		    strerror(pid < 0 ? -pid : ENOMEM));
	p->runner_pid = pid;
	p->runner_fd = fd;
	p->deliver = d;
	p->last = &p->first;
	p->runner = channel_new(d->c.loop, fd, "runner", NULL, 0,
	    on_runner_closed, p);
	if (p->runner == NULL)
		fatal("deliver: the runner of programs: %s", strerror(errno));
	loop_timer_start(d->c.loop, &p->tick, TICK_MS, on_tick, p);
	return p;
}
