/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One execution of a scenario.
 *
 * Each thread is a fiber.  It runs up to its next operation, says which it is,
 * and pauses; so at every point the next operation of each thread is known.
 * The scheduler, on the program's own stack, picks one, does the operation,
 * and resumes that thread.
 *
 * Who may go on: a thread whose operation is not blocked; at the cost of
 * COST_PREEMPTION if another could have gone on that did not want to yield.  A
 * sleeper may be woken for nothing, or its time may pass, at COST_FAULT; once
 * nobody can go on, time passes for nothing.
 *
 * Sleep sets (Godefroid, "Partial-order methods", 1996): of two orders of
 * independent operations only one is explored.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rcu.h"
#include "explore/machine.h"
#include "support/fiber.h"
#include "wait/wait.h"

enum { MAX_STEPS = 20000 };

struct thread {
	struct fiber fiber;
	struct op *op; /* its next operation */
	bool asleep;   /* in a futex */
};

static const struct chooser *chooser;
static const struct scenario *scenario;
static struct thread threads[MAX_THREADS];
static unsigned current, steps;
static bool failed, pruned, forked, tracing;
static char failure[512];

static unsigned depth[MAX_THREADS]; /* of nested read sections */
static bool use_sleep_sets;
static unsigned sleep_set; /* a bit for each thread */

/* For ThreadSanitizer: setup before all threads before check. */
static char begin_token, end_token;

void machine_init(const struct chooser *c, bool sleep_sets)
{
	chooser = c;
	use_sleep_sets = sleep_sets;
	for (unsigned i = 0; i < MAX_THREADS; i++)
		if (!threads[i].fiber.stack)
			fiber_create(&threads[i].fiber);
}

void machine_trace(bool on)
{
	tracing = on;
}

const char *machine_failure(void)
{
	return failure;
}

unsigned machine_steps(void)
{
	return steps;
}

unsigned explore_now(void)
{
	return steps;
}

int machine_self(void)
{
	return fiber_self() ? (int)current : -1;
}

void explore_fail(const char *fmt, ...)
{
	va_list ap;

	if (!failed) { /* the first counts */
		va_start(ap, fmt);
		vsnprintf(failure, sizeof(failure), fmt, ap);
		va_end(ap);
		failed = true;
	}
	if (fiber_self())
		fiber_pause(); /* for good */
}

/* ---- Operations ---- */

static const char *const op_names[] = { "start", "load", "store", "exchange", "cas",  "relax",
					"yield", "wait", "sleep", "wake",     "woken" };
static const char *const order_names[] = { "relaxed", "acquire", "release", "acq_rel", "seq_cst" };

static int trace_values(char *line, size_t size, const struct op *op)
{
	int n = 0;

	if (op->kind == OP_LOAD || op->kind == OP_EXCHANGE || op->kind == OP_CAS)
		n += snprintf(line + n, size - (size_t)n, " saw %#llx",
			      (unsigned long long)op->result);
	if (op->kind == OP_STORE || op->kind == OP_EXCHANGE || (op->kind == OP_CAS && op->done))
		n += snprintf(line + n, size - (size_t)n, " wrote %#llx",
			      (unsigned long long)op->value);
	if (op->kind == OP_CAS && !op->done)
		n += snprintf(line + n, size - (size_t)n, " and failed");
	if (op->kind >= OP_LOAD && op->kind <= OP_CAS)
		n += snprintf(line + n, size - (size_t)n, " %s", order_names[op->order]);
	return n;
}

static void trace_op(const struct op *op, const char *note)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "  %4u T%u %-8s", steps, current, op_names[op->kind]);
	const char *site = op->site ? op->site : "";

	if (op->p)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %s", memory_name(op->p));
	if (!seam_does_it) /* else it is done later */
		n += trace_values(line + n, sizeof(line) - (size_t)n, op);
	while (*site == '.' || *site == '/')
		site++;
	printf("%s %s%s%s\n", line, note, *site ? "  " : "", site);
}

/* Outside of the threads: on the memory as it is. */
static void do_directly(struct op *op)
{
	uint32_t *p32 = (uint32_t *)(uintptr_t)op->p;
	uint64_t *p64 = (uint64_t *)(uintptr_t)op->p;

	switch (op->kind) {
	case OP_LOAD:
	case OP_STORE:
	case OP_EXCHANGE:
	case OP_CAS:
		if (op->size != 4 && op->size != 8)
			abort();
		op->result = op->size == 4 ? *p32 : *p64;
		op->done = op->result == op->expected;
		if (op->kind == OP_LOAD || (op->kind == OP_CAS && !op->done))
			break;
		if (op->size == 4)
			*p32 = (uint32_t)op->value;
		else
			*p64 = op->value;
		break;
	case OP_SLEEP:
		explore_fail("deadlock: setup or check has to wait");
		break;
	default:
		break;
	}
}

void machine_op(struct op *op)
{
	if (!fiber_self()) {
		do_directly(op);
		return;
	}
	threads[current].op = op;
	fiber_pause();
}

void explore_yield(void)
{
	machine_op(&(struct op){ .kind = OP_YIELD });
}

void explore_wait(bool (*pred)(void))
{
	machine_op(&(struct op){ .kind = OP_WAIT, .pred = pred });
}

unsigned explore_choose(unsigned n)
{
	struct alternative options[MAX_OPTIONS] = { { 0 } };

	for (unsigned i = 0; i < n; i++)
		options[i].value = (uint16_t)i;
	int chosen = n > 1 ? chooser->choose(options, n) : 0;
	if (chosen == PRUNED) {
		pruned = true;
		fiber_pause();
	}
	return (unsigned)chosen;
}

/* ---- What the library sleeps and wakes through ---- */

static int machine_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	struct op op = {
		.kind = OP_SLEEP, .p = word, .size = 4, .expected = expected, .timed = abstime
	};

	if (fiber_self() && depth[current])
		explore_fail("read section: a sleep inside of it");
	machine_op(&op);
	return (int)op.result;
}

static void machine_wake(_Atomic uint32_t *word)
{
	machine_op(&(struct op){ .kind = OP_WAKE, .p = word, .size = 4 });
}

/* Nobody spins for long here while another can run; so that some thread has given it up
 * while others spin is a choice. */
static unsigned machine_processors(void)
{
	static const struct alternative options[] = { { 0, COST_NONE, false },
						      { 1, COST_PREEMPTION, false } };

	if (scenario->impatient && fiber_self()) {
		int chosen = chooser->choose(options, 2);

		if (chosen == PRUNED) {
			pruned = true;
			fiber_pause();
		}
		if (chosen == 1)
			return 1;
	}
	return scenario->processors ? scenario->processors : 1;
}

static uint32_t machine_thread(void)
{
	return (uint32_t)(machine_self() + 2); /* 1: none of them, but the setup */
}

/* It passes where it is looked at, so that each wait takes a time of its own. */
static uint64_t machine_now(void)
{
	static uint64_t now;

	return ++now;
}

static const struct wait_ops machine_wait = { machine_sleep, machine_wake, machine_processors,
					      machine_thread, machine_now };

/* ---- What is each thread's own ---- */

enum { MAX_COPIES = 4, COPY_SIZE = 64 };

static struct copy {
	void *of;
	_Alignas(16) char bytes[COPY_SIZE];
} copies[MAX_THREADS + 1][MAX_COPIES]; /* the last for setup and check */
static unsigned n_copies[MAX_THREADS + 1];

void *seam_mine(void *variable, size_t size)
{
	unsigned who = fiber_self() ? current : MAX_THREADS;
	struct copy *c = copies[who];

	for (unsigned i = 0; i < n_copies[who]; i++)
		if (c[i].of == variable)
			return c[i].bytes;
	if (n_copies[who] == MAX_COPIES || size > COPY_SIZE)
		abort();
	c += n_copies[who]++;
	c->of = variable;
	memcpy(c->bytes, variable, size);
	return c->bytes;
}

/* ---- Read sections, grace periods, and nodes (base/rcu.h) ---- */

enum { NODE = 64, NODES = 48 };

static _Alignas(64) char arena[NODES * NODE];
static unsigned n_allocated;
static int nodes;

static unsigned sections[MAX_THREADS]; /* how many have ended */
static struct {			       /* for what a grace period waits */
	bool thread[MAX_THREADS];
	unsigned sections[MAX_THREADS];
} graces[MAX_THREADS];
static char sections_token, grace_token;

static struct record records[MAX_THREADS + 1]; /* the last for setup and check */

static void reset_sections(void)
{
	memset(records, 0, sizeof(records));
	n_allocated = 0;
	nodes = 0;
	memset(depth, 0, sizeof(depth));
	memset(sections, 0, sizeof(sections));
}

void rl_rcu_read_lock(void)
{
	if (!fiber_self() || depth[current]++)
		return;
	memory_section_begins(current);
	fiber_acquire(&grace_token);
}

void rl_rcu_read_unlock(void)
{
	if (!fiber_self())
		return;
	if (!depth[current]) {
		explore_fail("read section: it ends, and has not begun");
		return;
	}
	if (--depth[current])
		return;
	sections[current]++;
	memory_section_ends(current);
	fiber_release(&sections_token);
}

static bool is_over(unsigned grace)
{
	for (unsigned i = 0; i < scenario->threads; i++)
		if (graces[grace].thread[i] && graces[grace].sections[i] == sections[i])
			return false;
	return true;
}

static bool is_over_0(void)
{
	return is_over(0);
}

static bool is_over_1(void)
{
	return is_over(1);
}

static bool is_over_2(void)
{
	return is_over(2);
}

static bool is_over_3(void)
{
	return is_over(3);
}

void rl_rcu_synchronize(void)
{
	static bool (*const over[MAX_THREADS])(void) = { is_over_0, is_over_1, is_over_2,
							 is_over_3 };

	if (!fiber_self())
		return;
	if (depth[current])
		explore_fail("read section: a grace period is waited for inside of it");
	fiber_release(&grace_token);
	memory_grace_begins(current);
	for (unsigned i = 0; i < scenario->threads; i++) {
		graces[current].thread[i] = depth[i] > 0;
		graces[current].sections[i] = sections[i];
	}
	explore_wait(over[current]);
	memory_grace_ends(current);
	fiber_acquire(&sections_token);
}

void *rl_rcu_allocate(size_t size)
{
	static const struct alternative options[] = { { 0, COST_NONE, false },
						      { 1, COST_FAULT, false } };

	if (scenario->scarce && fiber_self()) {
		int chosen = chooser->choose(options, 2);

		if (chosen == PRUNED) {
			pruned = true;
			fiber_pause();
		}
		if (chosen == 1)
			return NULL;
	}
	if (size % NODE || n_allocated + size / NODE > NODES) {
		explore_fail("scenario: too many nodes");
		return NULL;
	}
	void *p = arena + n_allocated * NODE;
	n_allocated += (unsigned)(size / NODE);
	return p;
}

unsigned explore_memory(void)
{
	return n_allocated;
}

bool rl_rcu_at_thread_end(struct rcu_ending *ending, void (*fn)(struct rcu_ending *))
{
	(void)ending, (void)fn;
	return true;
}

struct record *rl_rcu_record(void)
{
	return &records[fiber_self() ? current : MAX_THREADS];
}

static void (*in_child)(struct record *first);

void rl_rcu_in_child(void (*fn)(struct record *first))
{
	in_child = fn;
}

void explore_fork(void)
{
	forked = true;
	fiber_pause();
}

void explore_live_on(void)
{
	for (unsigned i = 0; i < MAX_THREADS; i++)
		records[i].next = &records[i + 1];
	in_child(records);
}

void seam_note_nodes(int more)
{
	nodes += more;
}

int explore_nodes(void)
{
	return nodes;
}

/* ---- Who may go on ---- */

static bool is_enabled(const struct thread *t)
{
	return !t->fiber.ended && !t->asleep && (t->op->kind != OP_WAIT || t->op->pred());
}

static bool wants_to_yield(const struct thread *t)
{
	return t->op->kind == OP_RELAX || t->op->kind == OP_YIELD;
}

static void add(struct alternative *options, unsigned *n, unsigned thread, unsigned event,
		unsigned cost)
{
	options[(*n)++] = (struct alternative){ (uint16_t)(thread * EVENTS + event), (uint8_t)cost,
						use_sleep_sets && event == EVENT_STEP &&
						    sleep_set >> thread & 1 };
}

/*
 * Threads that can go on, the plain choice first: the one that runs, if it can
 * and does not want to yield; else the next one that does not spin; else the
 * next one.
 */
static unsigned runnable(struct alternative *options)
{
	unsigned n = 0, first = scenario->threads;
	struct thread *me = &threads[current];
	bool i_could = is_enabled(me), i_spin = i_could && me->op->kind == OP_RELAX;

	if (i_could && !wants_to_yield(me)) {
		first = current;
	} else {
		for (unsigned spinning = 0; spinning <= 1 && first == scenario->threads; spinning++)
			for (unsigned k = 1; k <= scenario->threads; k++) {
				unsigned i = (current + k) % scenario->threads;

				if (is_enabled(&threads[i]) &&
				    (threads[i].op->kind == OP_RELAX) == spinning) {
					first = i;
					break;
				}
			}
	}
	if (first == scenario->threads)
		return 0;

	add(options, &n, first, EVENT_STEP, COST_NONE);
	for (unsigned i = 0; i < scenario->threads; i++) {
		if (i == first || !is_enabled(&threads[i]))
			continue;
		/* To go on spinning shows nothing new while another can run. */
		if (i == current && i_spin)
			continue;
		bool preempts = (i_could && me->op->kind != OP_YIELD && me->op->kind != OP_START) ||
				threads[i].op->kind == OP_RELAX;
		add(options, &n, i, EVENT_STEP, preempts ? COST_PREEMPTION : COST_NONE);
	}
	return n;
}

static unsigned sleepers(struct alternative *options, unsigned n, bool time_must_pass)
{
	for (unsigned i = 0; i < scenario->threads; i++) {
		if (!threads[i].asleep)
			continue;
		if (threads[i].op->timed)
			add(options, &n, i, EVENT_TIME_OUT,
			    time_must_pass ? COST_NONE : COST_FAULT);
		if (!time_must_pass)
			add(options, &n, i, EVENT_WAKE_UP, COST_FAULT);
	}
	return n;
}

static void report_deadlock(void)
{
	char text[300] = "";
	size_t n = 0;

	for (unsigned i = 0; i < scenario->threads; i++)
		if (!threads[i].fiber.ended)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " T%u %s %s;", i,
					      threads[i].asleep ? "sleeps on" : "waits",
					      threads[i].asleep ? memory_name(threads[i].op->p)
								: "");
	explore_fail("deadlock or lost wake-up: nobody can go on:%s", text);
}

/* ---- Steps ---- */

static bool is_memory(enum op_kind kind)
{
	return kind >= OP_LOAD && kind <= OP_CAS;
}

static bool same_word(const struct op *a, const struct op *b)
{
	return ((uintptr_t)a->p & ~(uintptr_t)7) == ((uintptr_t)b->p & ~(uintptr_t)7);
}

static bool is_futex(enum op_kind kind)
{
	return kind == OP_SLEEP || kind == OP_WAKE;
}

static bool independent(const struct op *a, const struct op *b)
{
	enum op_kind x = a->kind, y = b->kind;

	if (x == OP_RELAX || x == OP_WAIT || y == OP_RELAX || y == OP_WAIT)
		return false;
	if ((!is_memory(x) && !is_futex(x)) || (!is_memory(y) && !is_futex(y)))
		return true;
	if (!same_word(a, b))
		return true;
	return x == OP_LOAD && y == OP_LOAD;
}

static void do_wake(struct op *op)
{
	struct alternative options[MAX_OPTIONS];
	unsigned n = 0;

	memory_wake(current, op);
	for (unsigned i = 0; i < scenario->threads; i++)
		if (threads[i].asleep && threads[i].op->p == op->p)
			options[n++] = (struct alternative){ (uint16_t)i, COST_NONE, false };
	if (!n)
		return;
	int chosen = n > 1 ? chooser->choose(options, n) : 0;
	if (chosen == PRUNED) {
		pruned = true;
		return;
	}
	struct thread *woken = &threads[options[chosen].value];
	woken->asleep = false;
	woken->op->kind = OP_WOKEN;
	woken->op->result = 0;
}

/* Do the operation.  False: its thread sleeps now. */
static bool do_op(struct thread *t)
{
	struct op *op = t->op;

	memory_step(current);
	switch (op->kind) {
	case OP_LOAD:
	case OP_STORE:
	case OP_EXCHANGE:
	case OP_CAS:
		if (!seam_does_it)
			pruned |= !memory_do(current, op);
		return true;
	case OP_SLEEP:
		if (seam_does_it)
			op->result = *(const volatile uint32_t *)op->p;
		else
			pruned |= !memory_sleep_reads(current, op);
		t->asleep = op->result == op->expected;
		op->result = 0;
		return !t->asleep;
	case OP_WAKE:
		do_wake(op);
		return true;
	case OP_RELAX:
	case OP_YIELD:
		chooser->yielded(current);
		return true;
	default:
		return true;
	}
}

static void step(unsigned event)
{
	struct thread *t = &threads[current];
	struct op *op = t->op;
	const char *note = "";
	bool goes_on = true;

	steps++;
	if (event == EVENT_STEP) {
		goes_on = do_op(t);
		memory_step(current); /* what follows is not part of what was published */
		if (op->kind == OP_SLEEP)
			note = goes_on ? "(has changed)" : "(sleeps)";
	} else {
		t->asleep = false;
		op->result = event == EVENT_TIME_OUT ? ETIMEDOUT : 0;
		note = event == EVENT_TIME_OUT ? "(its time has passed)" : "(woken for nothing)";
	}
	if (tracing)
		trace_op(op, note);
	if (failed || pruned || !goes_on)
		return;

	if (use_sleep_sets)
		for (unsigned i = 0; i < scenario->threads; i++)
			if (sleep_set >> i & 1 && !independent(op, threads[i].op))
				sleep_set &= ~(1u << i);
	fiber_resume(&t->fiber);
	if (seam_found_race)
		explore_fail("data race: ThreadSanitizer says so above");
	if (!failed && scenario->step) {
		fiber_ignore_reads(true);
		scenario->step();
		fiber_ignore_reads(false);
	}
}

static bool all_ended(void)
{
	for (unsigned i = 0; i < scenario->threads; i++)
		if (!threads[i].fiber.ended)
			return false;
	return true;
}

static void schedule(void)
{
	struct alternative options[MAX_OPTIONS];
	unsigned n = runnable(options);

	n = sleepers(options, n, n == 0);
	if (!n) {
		report_deadlock();
		return;
	}
	if (steps >= MAX_STEPS) {
		explore_fail("livelock: no end after %u steps", steps);
		return;
	}
	int chosen = chooser->choose_thread(options, n);
	if (chosen == PRUNED) {
		pruned = true;
		return;
	}
	if (use_sleep_sets)
		for (int i = 0; i < chosen; i++)
			if (options[i].value % EVENTS == EVENT_STEP)
				sleep_set |= 1u << options[i].value / EVENTS;
	current = options[chosen].value / EVENTS;
	sleep_set &= ~(1u << current);
	step(options[chosen].value % EVENTS);
}

static void run_thread(void *arg)
{
	fiber_acquire(&begin_token);
	machine_op(&(struct op){ .kind = OP_START });
	scenario->run((unsigned)(uintptr_t)arg);
	fiber_release(&end_token);
}

enum outcome machine_run(const struct scenario *s)
{
	scenario = s;
	steps = sleep_set = 0;
	failed = pruned = forked = seam_found_race = false;
	rl_wait = &machine_wait;
	memory_reset();
	reset_sections();
	memset(n_copies, 0, sizeof(n_copies));
	if (s->setup)
		s->setup();
	fiber_release(&begin_token);
	for (unsigned i = 0; i < s->threads; i++) {
		threads[i].asleep = false;
		current = i;
		fiber_start(&threads[i].fiber, run_thread, (void *)(uintptr_t)i);
		fiber_resume(&threads[i].fiber); /* up to OP_START */
	}
	current = 0;
	while (!failed && !pruned && !forked && !all_ended())
		schedule();
	for (unsigned i = 0; i < s->threads; i++)
		if (!threads[i].fiber.ended)
			fiber_release_as(&threads[i].fiber, &end_token);
	fiber_acquire(&end_token);
	if (!failed && !pruned && s->check)
		s->check();
	return failed ? FAILED : pruned ? PRUNED_AWAY : COMPLETE;
}
