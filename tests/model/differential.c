/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation is four bytes:
 *
 *   0  which (kinds[]); the upper quarter of the values is lazy: calls that were
 *      answered do not return before somebody lets them
 *   1  actor, lock, mode and patience
 *   2  start of a range
 *   3  its end; the uppermost values are rude: arguments are taken as they come.
 *      Else they are made sensible: a range is not empty, who locks is idle, who
 *      unlocks holds, who is cancelled waits.
 *
 * What the contract calls undefined is never done, rude or not: a request in use
 * on one lock is not given to a lock call of another, and nobody but cancel
 * meddles with a request whose call was answered and has not returned.
 */
#include "model/differential.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "support/fiber.h"
#include "wait/wait.h"

enum { ACTORS = 8, LOCKS = 2, VISITOR = ACTORS, NOTHING = -2, STOP = -5 };
enum { MODES = 2, PATIENCES = 8 };

enum kind { LOCK, UNLOCK, CANCEL, DEADLINE, GO_ON, DESTROY, WALK, NULLS, LOOK };

static const enum kind kinds[32] = {
	LOCK,	LOCK,	LOCK,	 LOCK,	  LOCK,	    LOCK,     LOCK,	LOCK,
	LOCK,	LOCK,	LOCK,	 LOCK,	  UNLOCK,   UNLOCK,   UNLOCK,	UNLOCK,
	UNLOCK, UNLOCK, UNLOCK,	 UNLOCK,  CANCEL,   CANCEL,   CANCEL,	GO_ON,
	GO_ON,	WALK,	DESTROY, DESTROY, DEADLINE, DEADLINE, DEADLINE, NULLS,
};

/* The times that a lock call is given, and what they mean. */
static const struct timespec later = { .tv_sec = 1000 }, past = { .tv_sec = 0 },
			     too_few = { .tv_sec = 1000, .tv_nsec = -1 },
			     too_many = { .tv_sec = 1000, .tv_nsec = 1000000000 };
static const struct {
	enum model_patience patience;
	const char *names[MODES];
	bool timed;
	const struct timespec *abstime;
	const char *time;
} ways[PATIENCES] = {
	{ FOREVER, { "rdlock", "wrlock" }, false, NULL, "" },
	{ TRY, { "tryrdlock", "trywrlock" }, false, NULL, "" },
	{ FOREVER, { "timedrdlock", "timedwrlock" }, true, NULL, ", NULL" },
	{ UNTIL, { "timedrdlock", "timedwrlock" }, true, &later, ", later" },
	{ PAST, { "timedrdlock", "timedwrlock" }, true, &past, ", past" },
	{ UNSOUND, { "timedrdlock", "timedwrlock" }, true, &too_few, ", -1 ns" },
	{ UNSOUND, { "timedrdlock", "timedwrlock" }, true, &too_many, ", 1000000000 ns" },
	{ UNTIL, { "timedrdlock", "timedwrlock" }, true, &later, ", later" },
};

struct operation {
	enum kind kind;
	bool lazy, rude;
	int actor, lock, way;
	struct rangelock_range range;
	int stop; /* how many requests a walk looks at */
};

/* What can be seen of a lock. */
struct sight {
	int walk, n;
	struct rangelock_info infos[ACTORS + 1];
	bool is_locked[MODES];
};

/* One who makes calls.  The first ACTORS have a request each. */
struct actor {
	struct fiber fiber;
	struct rangelock_req req;
	int lock; /* where the request is in use, or was last */

	/* Its call. */
	struct operation op;
	struct rangelock_req *op_req;
	int result;

	/* Its sleep inside that call. */
	_Atomic uint32_t *sleeps_on;
	const struct timespec *until;
	int sleep_returns;

	/* The model says: the call is to return this, and was to be woken. */
	int owed;
	bool to_be_woken;
	int wakes; /* in this operation */
};

static struct {
	struct actor actors[ACTORS + 1];
	struct rangelock locks[LOCKS];
	struct model models[LOCKS];
	struct sight sights[LOCKS];
	struct actor *running;
	int stray_wakes;
	FILE *log;
	char difference[200];
} w;

/* ---- Words ---- */

static const char *result_name(int result)
{
	switch (result) {
	case 0:
		return "0";
	case MODEL_WAITS:
		return "waits";
	case EBUSY:
		return "EBUSY";
	case EINVAL:
		return "EINVAL";
	case EPERM:
		return "EPERM";
	case ETIMEDOUT:
		return "ETIMEDOUT";
	case ECANCELED:
		return "ECANCELED";
	case STOP:
		return "the value of its function";
	}
	return "something else";
}

static const char *point_name(uint64_t point, char text[24])
{
	if (point >= UINT64_MAX - 2)
		snprintf(text, 24, point == UINT64_MAX ? "MAX" : "MAX-%d",
			 (int)(UINT64_MAX - point));
	else
		snprintf(text, 24, "%" PRIu64, point);
	return text;
}

static int number(const struct actor *a)
{
	return (int)(a - w.actors);
}

static char lock_name(int lock)
{
	return (char)('A' + lock);
}

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	va_list ap;

	if (!w.log)
		return;
	va_start(ap, fmt);
	vfprintf(w.log, fmt, ap);
	va_end(ap);
}

/* Note the difference down; false, for the caller to return. */
__attribute__((format(printf, 1, 2))) static bool differ(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w.difference, sizeof(w.difference), fmt, ap);
	va_end(ap);
	return false;
}

static void note_call(const struct actor *a, const struct operation *op, int result)
{
	static const char *const names[] = { [UNLOCK] = "unlock",
					     [CANCEL] = "cancel",
					     [DESTROY] = "destroy",
					     [WALK] = "walk",
					     [NULLS] = "calls with NULL" };
	char start[24], end[24];

	if (!w.log)
		return;
	note("  actor %d: ", number(a));
	if (op->kind == LOCK)
		note("%s %c [%s, %s)%s", ways[op->way].names[op->range.mode], lock_name(op->lock),
		     point_name(op->range.start, start), point_name(op->range.end, end),
		     ways[op->way].time);
	else
		note("%s %c", names[op->kind], lock_name(op->lock));
	note(result == MODEL_WAITS ? " %s\n" : " -> %s\n", result_name(result));
}

/* ---- Fibers, and where the library sleeps ---- */

/* One at a time: for ThreadSanitizer, each sees what the one before has done. */
static void let_run(struct actor *a)
{
	w.running = a;
	fiber_release(&w);
	fiber_resume(&a->fiber);
	fiber_acquire(&w);
	w.running = NULL;
}

static int sleep_as_fiber(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	struct actor *a = w.running;

	if (rl_load(word, relaxed) != expected)
		return 0;
	if (abstime && abstime->tv_sec == past.tv_sec)
		return ETIMEDOUT;
	a->sleeps_on = word;
	a->until = abstime;
	fiber_release(&w);
	fiber_pause();
	fiber_acquire(&w);
	a->sleeps_on = NULL;
	return a->sleep_returns;
}

static void wake_fiber(_Atomic uint32_t *word)
{
	for (int i = 0; i < ACTORS; i++) {
		if (w.actors[i].sleeps_on == word) {
			w.actors[i].wakes++;
			return;
		}
	}
	w.stray_wakes++;
}

static unsigned one_processor(void)
{
	return 1; /* nobody spins */
}

static const struct wait_ops fiber_ops = { .sleep = sleep_as_fiber,
					   .wake = wake_fiber,
					   .processors = one_processor };

/* ---- The calls of the library, inside a fiber ---- */

static int call_lock(struct rangelock *lock, struct rangelock_req *req, const struct operation *op)
{
	uint64_t start = op->range.start, end = op->range.end;
	bool write = op->range.mode == RANGELOCK_WRITE;

	if (ways[op->way].patience == TRY)
		return (write ? rangelock_trywrlock : rangelock_tryrdlock)(lock, req, start, end);
	if (!ways[op->way].timed)
		return (write ? rangelock_wrlock : rangelock_rdlock)(lock, req, start, end);
	return (write ? rangelock_timedwrlock : rangelock_timedrdlock)(lock, req, start, end,
								       ways[op->way].abstime);
}

static int stop_walk(const struct rangelock_info *info, void *left)
{
	(void)info;
	return --*(int *)left < 0 ? STOP : 0;
}

/* EINVAL if that is what all of them said. */
static int call_with_nulls(struct rangelock *lock, struct rangelock_req *req, struct operation *op)
{
	bool refused = true;

	for (op->way = 0; op->way < PATIENCES; op->way++)
		refused = refused && call_lock(NULL, req, op) == EINVAL &&
			  call_lock(lock, NULL, op) == EINVAL;
	refused = refused && rangelock_unlock(NULL, req) == EINVAL &&
		  rangelock_unlock(lock, NULL) == EINVAL && rangelock_cancel(NULL, req) == EINVAL &&
		  rangelock_cancel(lock, NULL) == EINVAL && rangelock_destroy(NULL) == EINVAL &&
		  rangelock_init(NULL, NULL) == EINVAL &&
		  rangelock_walk(NULL, stop_walk, op) == EINVAL &&
		  rangelock_walk(lock, NULL, NULL) == EINVAL &&
		  !rangelock_is_locked(NULL, op->range.start, op->range.end, RANGELOCK_READ);
	return refused ? EINVAL : 0;
}

static int see(const struct rangelock_info *info, void *arg)
{
	struct sight *sight = arg;

	if (sight->n > ACTORS)
		return STOP;
	sight->infos[sight->n++] = *info;
	return 0;
}

static int look(const struct rangelock_range *range)
{
	for (int l = 0; l < LOCKS; l++) {
		struct sight *sight = &w.sights[l];

		sight->n = 0;
		sight->walk = rangelock_walk(&w.locks[l], see, sight);
		for (int mode = 0; mode < MODES; mode++)
			sight->is_locked[mode] =
			    rangelock_is_locked(&w.locks[l], range->start, range->end, mode);
	}
	return 0;
}

static int call(struct operation *op, struct rangelock_req *req)
{
	struct rangelock *lock = &w.locks[op->lock];

	switch (op->kind) {
	case LOCK:
		return call_lock(lock, req, op);
	case UNLOCK:
		return rangelock_unlock(lock, req);
	case CANCEL:
		return rangelock_cancel(lock, req);
	case DESTROY:
		return rangelock_destroy(lock);
	case WALK:
		return rangelock_walk(lock, stop_walk, &op->stop);
	case NULLS:
		return call_with_nulls(lock, req, op);
	default:
		return look(&op->range);
	}
}

static void run_call(void *arg)
{
	struct actor *a = arg;

	fiber_acquire(&w);
	a->result = call(&a->op, a->op_req);
	fiber_release(&w);
}

/* Let a make a call with somebody's request.  The result, MODEL_WAITS for one. */
static int make_call(struct actor *a, const struct operation *op, struct rangelock_req *req)
{
	a->op = *op;
	a->op_req = req;
	fiber_start(&a->fiber, run_call, a);
	let_run(a);
	return a->fiber.ended ? a->result : MODEL_WAITS;
}

/* The same, compared with what the model says; a itself makes it if it can. */
static bool compare_call(struct actor *a, const struct operation *op, int expected)
{
	struct actor *by = a->sleeps_on ? &w.actors[VISITOR] : a;
	int result = make_call(by, op, &a->req);

	note_call(a, op, result);
	if (result != expected)
		return differ("actor %d: the call gave %s, not %s", number(a), result_name(result),
			      result_name(expected));
	if (result != MODEL_WAITS)
		return true;
	if ((uintptr_t)a->sleeps_on - (uintptr_t)&a->req >= sizeof(a->req))
		return differ("actor %d sleeps on something that is not its request", number(a));
	if (!ways[op->way].abstime != !a->until || (a->until && a->until->tv_sec != later.tv_sec))
		return differ("actor %d sleeps until another time than it was told", number(a));
	return true;
}

/* The sleep of a ends.  If its call was answered, it is to return. */
static bool wake_up(struct actor *a, int sleep_returns)
{
	int owed = a->owed;

	a->sleep_returns = sleep_returns;
	let_run(a);
	if (!a->fiber.ended && owed != NOTHING)
		return differ("actor %d sleeps on, but was to return %s", number(a),
			      result_name(owed));
	if (!a->fiber.ended)
		return true;
	note("  actor %d:   returns %s\n", number(a), result_name(a->result));
	a->owed = NOTHING;
	if (a->result != owed)
		return differ("actor %d: its call returned %s, but was to %s", number(a),
			      result_name(a->result), owed == NOTHING ? "wait" : result_name(owed));
	return true;
}

static bool return_if_answered(struct actor *a)
{
	return a->owed == NOTHING || wake_up(a, 0);
}

static bool let_all_return(void)
{
	for (int i = 0; i < ACTORS; i++)
		if (!return_if_answered(&w.actors[i]))
			return false;
	return true;
}

/* Whom the model has just answered. */
static void take_answers(const struct model *m)
{
	for (int i = 0; i < m->answered; i++) {
		struct actor *a = &w.actors[m->answers[i].who];

		a->owed = m->answers[i].result;
		a->to_be_woken = a->owed != ETIMEDOUT;
	}
}

/* ---- The operations ---- */

static uint64_t point(unsigned i)
{
	return i <= 16 ? i : UINT64_MAX - 19 + i; /* 17 to 19: the last ones */
}

static struct operation decode(const uint8_t b[OPERATION_BYTES])
{
	struct operation op = { .kind = kinds[b[0] % 32],
				.lazy = b[0] >= 0xc0,
				.rude = b[3] >= 0xf0,
				.actor = b[1] % 8,
				.lock = b[1] / 8 % 2,
				.way = b[1] / 32,
				.stop = b[2] % 8 };
	unsigned start = b[2] % 20, end = b[3] % 20;

	if (b[3] >= 0x80 && !op.rude) /* short ones too */
		end = start + 1 + b[3] % 4;
	if (!op.rude) {
		start = start > 18 ? 18 : start;
		end = end > 19 ? 19 : end <= start ? start + 1 : end;
	}
	op.range = (struct rangelock_range){ point(start), point(end), b[1] / 16 % 2 };
	return op;
}

static bool in_queue(const struct actor *a)
{
	return model_find(&w.models[a->lock], number(a)) >= 0;
}

static bool is_idle(const struct actor *a)
{
	return !a->sleeps_on && !in_queue(a);
}

static bool holds(const struct actor *a)
{
	return !a->sleeps_on && in_queue(a);
}

static bool sleeps(const struct actor *a)
{
	return a->sleeps_on;
}

/* The actor that is meant: if manners matter, the first from there on of whom
 * this is true, or NULL. */
static struct actor *pick(const struct operation *op, bool (*is_right)(const struct actor *))
{
	for (int i = 0; i < ACTORS; i++) {
		struct actor *a = &w.actors[(op->actor + i) % ACTORS];

		if (op->rude || is_right(a))
			return a;
	}
	return NULL;
}

static bool do_lock(struct operation *op)
{
	struct actor *a = pick(op, is_idle);

	if (!a)
		return true;
	if (!return_if_answered(a))
		return false;
	if (in_queue(a))
		op->lock = a->lock;
	a->lock = op->lock;
	return compare_call(
	    a, op, model_lock(&w.models[op->lock], number(a), &op->range, ways[op->way].patience));
}

static bool do_unlock(struct operation *op)
{
	struct actor *a = pick(op, holds);

	if (!a)
		return true;
	if (!return_if_answered(a))
		return false;
	if (!op->rude)
		op->lock = a->lock;
	int expected = model_unlock(&w.models[op->lock], number(a));
	take_answers(&w.models[op->lock]);
	return compare_call(a, op, expected);
}

static bool do_cancel(struct operation *op)
{
	struct actor *a = pick(op, sleeps);

	if (!a)
		return true;
	if (!op->rude)
		op->lock = a->lock;
	int expected = model_cancel(&w.models[op->lock], number(a));
	take_answers(&w.models[op->lock]);
	return compare_call(a, op, expected);
}

/* A sleep ends by itself: at its deadline, or for nothing. */
static bool do_wake(struct operation *op)
{
	struct actor *a = pick(op, sleeps);
	bool deadline = op->kind == DEADLINE && a && a->until;

	if (!a || !a->sleeps_on)
		return true;
	note("  actor %d: %s\n", number(a),
	     deadline		  ? "its deadline passes"
	     : a->owed == NOTHING ? "wakes up for nothing"
				  : "wakes up");
	if (deadline && a->owed == NOTHING) {
		model_deadline(&w.models[a->lock], number(a));
		take_answers(&w.models[a->lock]);
	}
	return wake_up(a, deadline ? ETIMEDOUT : 0);
}

static bool do_destroy(struct operation *op)
{
	/* No other call may be under way that nothing in the queue shows. */
	return let_all_return() &&
	       compare_call(&w.actors[VISITOR], op, model_destroy(&w.models[op->lock]));
}

static bool do_look(struct operation *op)
{
	const struct model *m = &w.models[op->lock];

	return compare_call(&w.actors[VISITOR], op,
			    op->kind == NULLS || m->destroyed ? EINVAL
			    : op->stop < m->n		      ? STOP
							      : 0);
}

static bool operate(struct operation *op)
{
	switch (op->kind) {
	case LOCK:
		return do_lock(op);
	case UNLOCK:
		return do_unlock(op);
	case CANCEL:
		return do_cancel(op);
	case DEADLINE:
	case GO_ON:
		return do_wake(op);
	case DESTROY:
		return do_destroy(op);
	default:
		return do_look(op);
	}
}

/* ---- Comparing ---- */

static int who(const struct rangelock_req *req)
{
	for (int i = 0; i < ACTORS; i++)
		if (req == &w.actors[i].req)
			return i;
	return NOTHING;
}

/* One line of a walk with one of the model's queue. */
static bool compare_request(char name, const struct rangelock_info *seen, const struct model *m,
			    int i)
{
	const struct rangelock_range *range = &m->queue[i].range;
	uint64_t blockers = (uint64_t)model_blockers(m, i);
	int a = m->queue[i].who;

	if (seen->start != range->start || seen->end != range->end || seen->mode != range->mode)
		return differ("walk of %c: actor %d has another range or mode", name, a);
	if (seen->state != (blockers ? RANGELOCK_WAITING : RANGELOCK_HELD))
		return differ("walk of %c: actor %d is %s", name, a,
			      blockers ? "held, not waiting" : "waiting, not held");
	if (seen->blockers != blockers)
		return differ("walk of %c: actor %d waits for %" PRIu64 ", not %" PRIu64, name, a,
			      seen->blockers, blockers);
	return true;
}

static bool compare_walk(char name, const struct sight *seen, const struct model *m)
{
	uint64_t arrivals[ACTORS];
	unsigned found = 0;

	if (seen->walk != (m->destroyed ? EINVAL : 0))
		return differ("walk of %c gave %s", name, result_name(seen->walk));
	if (seen->n != m->n)
		return differ("walk of %c shows %d requests, not %d", name, seen->n, m->n);

	for (int k = 0; k < seen->n; k++) {
		const struct rangelock_info *info = &seen->infos[k];
		int i = model_find(m, who(info->req));

		if (i < 0 || found & 1u << i)
			return differ("walk of %c shows what is not there", name);
		if (k > 0 && info->start < info[-1].start)
			return differ("walk of %c is not in the order of starts", name);
		if (!compare_request(name, info, m, i))
			return false;
		found |= 1u << i;
		arrivals[i] = info->arrival;
	}
	for (int i = 1; i < m->n; i++)
		if (arrivals[i - 1] >= arrivals[i])
			return differ("walk of %c: actor %d did not arrive before actor %d", name,
				      m->queue[i - 1].who, m->queue[i].who);
	return true;
}

static bool compare_locks(const struct operation *op)
{
	struct operation all = *op;

	all.kind = LOOK;
	if (make_call(&w.actors[VISITOR], &all, NULL) != 0)
		return differ("a walk or is_locked has to wait");

	for (int l = 0; l < LOCKS; l++) {
		struct rangelock_range range = op->range;

		if (!compare_walk(lock_name(l), &w.sights[l], &w.models[l]))
			return false;
		for (int mode = 0; mode < MODES; mode++) {
			range.mode = (enum rangelock_mode)mode;
			if (w.sights[l].is_locked[mode] != model_is_locked(&w.models[l], &range))
				return differ("is_locked of %c, %s, is %s", lock_name(l),
					      mode == RANGELOCK_READ ? "read" : "write",
					      w.sights[l].is_locked[mode] ? "true" : "false");
		}
		if (!w.models[l].n && !w.models[l].destroyed &&
		    rl_load(&to_lock(&w.locks[l])->word, relaxed) != 0)
			return differ("the word of %c is not idle", lock_name(l));
	}
	return true;
}

static bool compare_wakes(void)
{
	if (w.stray_wakes)
		return differ("a wake-up of nobody");
	for (int i = 0; i < ACTORS; i++)
		if (w.actors[i].wakes != w.actors[i].to_be_woken)
			return differ("actor %d: %d wake-ups, not %d", i, w.actors[i].wakes,
				      w.actors[i].to_be_woken);
	return true;
}

/* ---- A sequence ---- */

static void revive(int lock)
{
	enum model_fault fault = w.models[lock].fault;

	rangelock_init(&w.locks[lock], NULL);
	model_init(&w.models[lock], fault);
	note("  init %c\n", lock_name(lock));
}

static bool step(struct operation *op)
{
	for (int i = 0; i < ACTORS; i++) {
		w.actors[i].wakes = 0;
		w.actors[i].to_be_woken = false;
	}
	if (w.models[op->lock].destroyed && !op->rude)
		revive(op->lock);
	return operate(op) && (op->lazy || let_all_return()) && compare_wakes() &&
	       compare_locks(op);
}

/* Who holds unlocks, until nobody is left. */
static bool finish(void)
{
	for (int l = 0; l < LOCKS; l++) {
		while (w.models[l].n) {
			struct operation op = { .kind = UNLOCK,
						.actor = w.models[l].queue[0].who,
						.range = { 0, 1, RANGELOCK_READ } };
			if (!let_all_return() || !step(&op))
				return false;
		}
	}
	return let_all_return();
}

static void begin(enum model_fault fault, FILE *log)
{
	w.log = log;
	w.difference[0] = '\0';
	w.stray_wakes = 0;
	for (int i = 0; i <= ACTORS; i++) {
		struct fiber fiber = w.actors[i].fiber;

		if (!fiber.stack)
			fiber_create(&fiber); /* kept from run to run */
		w.actors[i] = (struct actor){ .fiber = fiber, .owed = NOTHING };
	}
	for (int l = 0; l < LOCKS; l++) {
		w.locks[l] = (struct rangelock)RANGELOCK_INITIALIZER;
		model_init(&w.models[l], fault);
	}
}

const char *differential_run(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *log)
{
	const struct wait_ops *ops = rl_wait;
	bool same = true;

	begin(fault, log);
	rl_wait = &fiber_ops;
	for (size_t i = 0; same && i + OPERATION_BYTES <= n; i += OPERATION_BYTES) {
		struct operation op = decode(&bytes[i]);
		same = step(&op);
	}
	same = same && finish();
	rl_wait = ops;
	return same ? NULL : w.difference;
}

/* ---- Shrinking: delta debugging (Zeller and Hildebrandt, 2002), greedily ---- */

static bool remove_some(uint8_t *bytes, size_t *n, size_t chunk, enum model_fault fault)
{
	uint8_t *shorter = malloc(*n + 1);
	bool removed = false;

	for (size_t at = 0; at + chunk <= *n;) {
		memcpy(shorter, bytes, at);
		memcpy(shorter + at, bytes + at + chunk, *n - at - chunk);
		if (differential_run(shorter, *n - chunk, fault, NULL)) {
			*n -= chunk;
			memcpy(bytes, shorter, *n);
			removed = true;
		} else {
			at += OPERATION_BYTES;
		}
	}
	free(shorter);
	return removed;
}

static bool simplify_some(uint8_t *bytes, size_t n, enum model_fault fault)
{
	bool simplified = false;

	for (size_t i = 0; i < n; i++) {
		const uint8_t old = bytes[i];
		const uint8_t simpler[] = { 0, old % 32, old / 2, (uint8_t)(old - 1) };

		for (size_t k = 0; k < sizeof(simpler) && bytes[i] == old; k++) {
			if (simpler[k] >= old)
				continue;
			bytes[i] = simpler[k];
			if (!differential_run(bytes, n, fault, NULL))
				bytes[i] = old;
		}
		simplified = simplified || bytes[i] != old;
	}
	return simplified;
}

size_t differential_shrink(uint8_t *bytes, size_t n, enum model_fault fault)
{
	bool smaller;

	n -= n % OPERATION_BYTES;
	do {
		smaller = false;
		for (size_t chunk = n / 2; chunk; chunk /= 2) {
			chunk -= chunk % OPERATION_BYTES;
			if (chunk && remove_some(bytes, &n, chunk, fault))
				smaller = true;
		}
		smaller = simplify_some(bytes, n, fault) || smaller;
	} while (smaller);
	return n;
}

void differential_report(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *to)
{
	uint8_t *smallest = malloc(n + 1);

	memcpy(smallest, bytes, n);
	n = differential_shrink(smallest, n, fault);
	fprintf(to, "Library and model differ:\n");
	const char *difference = differential_run(smallest, n, fault, to);
	fprintf(to, "DIFFERENCE: %s\nSee it again: replay-model --hex ", difference);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%02x", smallest[i]);
	fprintf(to, "\n");
	fflush(to);
	free(smallest);
}
