/* SPDX-License-Identifier: ISC */
/*
 * compile.c - the table compiler's runs; see directory/compiler.c.
 *
 * One run at a time. Whoever wants one while another is under way gets one
 * after it, because the files may have been read already. newaliases, by
 * way of control, waits for the end of its own, and so does a reload: what is
 * called reloaded is in use.
 */
#include <sys/wait.h>
#include "children.h"
#include "fault.h"
#include "log.h"
#include "supervisor.h"

#define AGAIN_MS 60000
#define RELOAD_MS 15000		/* less than control waits for an answer */

void
compile_start(struct supervisor *s)
{
	if (children_count(s, ROLE_COMPILER, NULL) > 0) {
		s->wants_compile = true;	/* once more when it ends */
		return;
	}
	/* index 1 tells the compiler to take shrunken tables too */
	child_start(child_new(s, ROLE_COMPILER, s->wants_accept));
	s->wants_compile = s->wants_accept = false;
}

/* control may have been started anew meanwhile: nobody waits then. */
static void
answer_control(struct supervisor *s, const struct compile_waiter *waiter,
    enum ask_type type, const struct ipc_writer *w)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct child *child = &s->children[i];

		if (child->role == ROLE_CONTROL && child->channel != NULL &&
		    child->pid == waiter->pid)
			channel_answer(child->channel, waiter->id,
			    (uint16_t)type, w, -1);
	}
}

/* TABLES_OUTCOMES: their run has not ended. */
static void
end_reload(struct supervisor *s, const struct compile_waiter *waiter,
    enum tables_outcome outcome)
{
	static const struct { const char *tables, *said; } rows[] = {
		[TABLES_COMPILED] = { "compiled", RELOAD_DONE },
		[TABLES_FAILED] = { "failed", RELOAD_FAILED },
		[TABLES_KEPT] = { "kept", RELOAD_KEPT },
		[TABLES_IN_PART] = { "in part", RELOAD_IN_PART },
		[TABLES_OUTCOMES] = { "late", RELOAD_LATE } };
	struct ipc_writer w;

	log_notice("reloaded", LOG_U("generation", waiter->generation),
	    LOG_S("tables", rows[outcome].tables), LOG_END);
	ipc_writer_init(&w);
	ipc_put_string(&w, rows[outcome].said);
	answer_control(s, waiter, SUPERVISOR_RELOAD, &w);
}

static void
answer_waiter(struct supervisor *s, const struct compile_waiter *waiter,
    enum tables_outcome outcome)
{
	struct ipc_writer w;

	if (waiter->generation != 0) {
		end_reload(s, waiter, outcome);
		return;
	}
	ipc_writer_init(&w);
	ipc_put_u8(&w, (uint8_t)outcome);
	answer_control(s, waiter, SUPERVISOR_COMPILE, &w);
}

static void
answer_waiters(struct supervisor *s, enum tables_outcome outcome)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_waiters; i++) {
		struct compile_waiter *waiter = &s->waiters[i];

		if (--waiter->runs_left > 0)
			s->waiters[kept++] = *waiter;
		else
			answer_waiter(s, waiter, outcome);
	}
	s->n_waiters = kept;
}

/* Everything else of the reload is in force long since. */
static void
on_reload_limit(struct loop_timer *timer, void *arg)
{
	struct supervisor *s = arg;
	size_t kept = 0;

	(void)timer;
	for (size_t i = 0; i < s->n_waiters; i++)
		if (s->waiters[i].generation != 0)
			end_reload(s, &s->waiters[i], TABLES_OUTCOMES);
		else
			s->waiters[kept++] = s->waiters[i];
	s->n_waiters = kept;
}

static bool
wait_for_run(struct supervisor *s, struct compile_waiter waiter)
{
	if (s->n_waiters == COMPILE_WAITERS_MAX)
		return false;
	waiter.runs_left = children_count(s, ROLE_COMPILER, NULL) > 0 ? 2 : 1;
	s->waiters[s->n_waiters++] = waiter;
	return true;
}

void
compile_for_reload(struct supervisor *s, pid_t pid, uint32_t id)
{
	const struct compile_waiter waiter = {
		.generation = s->current->number, .pid = pid, .id = id };

	if (wait_for_run(s, waiter))
		loop_timer_start(s->loop, &s->compile_limit, RELOAD_MS,
		    on_reload_limit, s);
	else
		end_reload(s, &waiter, TABLES_OUTCOMES);
	compile_start(s);
}

bool
on_compile_asked(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct child *child = arg;
	struct supervisor *s = child->supervisor;
	bool accepts = ipc_get_u8(&m->body) != 0;

	/* only the postmaster, through control, may accept a shrunken one */
	if (!ipc_reader_is_done(&m->body) || child->role != ROLE_CONTROL)
		return false;
	if (!wait_for_run(s, (struct compile_waiter){ .pid = child->pid,
	    .id = m->id })) {
		struct ipc_writer w;

		ipc_writer_init(&w);
		ipc_put_u8(&w, TABLES_KEPT);
		channel_answer(ch, m->id, SUPERVISOR_COMPILE, &w, -1);
		return true;
	}
	s->wants_accept |= accepts;
	compile_start(s);
	return true;
}

bool
on_compile_wanted(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct child *child = arg;
	bool accepts = ipc_get_u8(&m->body) != 0;

	(void)ch;
	if (!ipc_reader_is_done(&m->body) || accepts)
		return false;
	compile_start(child->supervisor);
	return true;
}

/* By its exit status; a death by a signal is one that compiled nothing. */
static enum tables_outcome
outcome_of(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) < TABLES_OUTCOMES)
		return (enum tables_outcome)WEXITSTATUS(status);
	return TABLES_FAILED;
}

static void
on_again_timer(struct loop_timer *timer, void *arg)
{
	struct supervisor *s = arg;

	(void)timer;
	if (!s->is_stopping)
		compile_start(s);
}

/*
 * directory asks once for each change of a source. Where that could not be
 * compiled for want of room or memory nobody would ask again, and a new name
 * would be unknown for ever.
 */
static void
compile_again(struct supervisor *s)
{
	uint32_t pause_ms = FAULT_ENV("POSTERN_NO_PATIENCE") ? 100 : AGAIN_MS;

	log_error("tables_not_compiled", LOG_S("effect", "the old ones stay "
	    "in use; it is tried again in a minute"), LOG_END);
	loop_timer_start(s->loop, &s->compile_again, pause_ms,
	    on_again_timer, s);
}

void
compile_ended(struct child *child, int status)
{
	struct supervisor *s = child->supervisor;
	enum tables_outcome outcome = outcome_of(status);

	child->state = CHILD_NONE;
	if (outcome == TABLES_FAILED && !s->is_stopping)
		compile_again(s);
	if (outcome == TABLES_KEPT)
		log_error("tables_not_compiled", LOG_S("effect",
		    "the old ones stay in use; see the lines above"), LOG_END);
	children_tell(s, ROLE_DIRECTORY, TABLES_CHANGED);
	children_tell(s, ROLE_AUTH, TABLES_CHANGED);
	answer_waiters(s, outcome);
	if (s->wants_compile && !s->is_stopping)
		compile_start(s);
}
