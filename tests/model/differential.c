/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation is four bytes:
 *
 *   0  which; the upper quarter of the values is lazy
 *   1  actor, mode, and the way to lock
 *   2  start of a range, and the lock
 *   3  its end; the uppermost values are rude: the arguments are taken as they
 *      come.  Else they are made sensible: a range is not empty, who locks is
 *      idle, who unlocks holds, who is cancelled waits.
 *
 * What the contract calls undefined is never done, rude or not: a request in use
 * on one lock is not given to a lock call of another, and nobody but cancel
 * meddles with a request whose call was answered and has not returned.
 */
#include "model/differential.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "base/lock.h"
#include "model/world.h"

static FILE *log_file;
static char difference[200];

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
	return a == &world.visitor ? ACTORS : (int)(a - world.actors);
}

static char lock_name(int lock)
{
	return (char)('A' + lock);
}

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	va_list ap;

	if (!log_file)
		return;
	va_start(ap, fmt);
	vfprintf(log_file, fmt, ap);
	va_end(ap);
}

/* Note the difference down; false, for the caller to return. */
__attribute__((format(printf, 1, 2))) static bool differ(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(difference, sizeof(difference), fmt, ap);
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

	if (!log_file)
		return;
	note("  ");
	if (a != &world.visitor)
		note("actor %d: ", number(a));
	if (op->kind == LOCK)
		note("%s %c [%s, %s)%s", ways[op->way].names[op->range.mode], lock_name(op->lock),
		     point_name(op->range.start, start), point_name(op->range.end, end),
		     ways[op->way].time);
	else
		note("%s %c", names[op->kind], lock_name(op->lock));
	note(result == MODEL_WAITS ? " %s\n" : " -> %s\n", result_name(result));
}

/* ---- What calls give, and when ---- */

/* A call, compared with what the model says; a itself makes it if it can. */
static bool compare_call(struct actor *a, const struct operation *op, int expected)
{
	struct actor *by = a->sleeps_on ? &world.visitor : a;
	int result = make_call(by, op, &a->req);

	note_call(a, op, result);
	if (result != expected)
		return differ("actor %d: the call gave %s, not %s", number(a), result_name(result),
			      result_name(expected));
	if (result != MODEL_WAITS)
		return true;
	if ((uintptr_t)a->sleeps_on - (uintptr_t)&a->req >= sizeof(a->req))
		return differ("actor %d sleeps on something that is not its request", number(a));
	if (!ways[op->way].abstime != !a->until ||
	    (a->until && a->until->tv_sec != a_later_time.tv_sec))
		return differ("actor %d sleeps until another time than it was told", number(a));
	return true;
}

/* The sleep of a ends.  If its call was answered, it is to return. */
static bool wake_up(struct actor *a, int sleep_returns)
{
	int owed = a->owed;

	if (!end_sleep(a, sleep_returns))
		return owed == NOTHING || differ("actor %d sleeps on, but was to return %s",
						 number(a), result_name(owed));
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
		if (!return_if_answered(&world.actors[i]))
			return false;
	return true;
}

/* Whom the model has just answered. */
static void take_answers(const struct model *m)
{
	for (int i = 0; i < m->answered; i++) {
		struct actor *a = &world.actors[m->answers[i].who];

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
	/* 0 is harmless, which helps to shrink. */
	static const enum kind kinds[32] = {
		WALK,	LOCK,	LOCK,	LOCK,	  LOCK,	    LOCK,     LOCK,    LOCK,
		LOCK,	LOCK,	LOCK,	LOCK,	  LOCK,	    LOCK,     LOCK,    LOCK,
		LOCK,	UNLOCK, UNLOCK, UNLOCK,	  UNLOCK,   UNLOCK,   UNLOCK,  CANCEL,
		CANCEL, GO_ON,	GO_ON,	DEADLINE, DEADLINE, DEADLINE, DESTROY, NULLS,
	};
	static const int which_way[16] = { 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 6 };

	struct operation op = { .kind = kinds[b[0] % 32],
				.lazy = b[0] >= 0xc0,
				.rude = b[3] >= 0xf0,
				.actor = b[1] % 8,
				.lock = b[2] / 32 % 2,
				.way = which_way[b[1] / 16],
				.stop = b[2] % 8 };
	unsigned start = b[2] % 32, end = b[3] % 32;

	start = start > 19 ? start % 16 : start;
	end = end > 19 ? end % 16 : end;
	if (!op.rude) {
		if (b[3] >= 0x80) /* a short one */
			end = start + 1 + b[3] % 4;
		start = start > 18 ? 18 : start;
		end = end > 19 ? 19 : end <= start ? start + 1 : end;
	}
	op.range = (struct rangelock_range){ point(start), point(end), b[1] / 8 % 2 };
	return op;
}

static bool in_queue(const struct actor *a)
{
	return model_find(&world.models[a->lock], number(a)) >= 0;
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

/* The actor that is meant: unless it is rude, the first from there on of whom
 * this is true, or NULL. */
static struct actor *pick(struct operation *op, bool (*is_right)(const struct actor *))
{
	for (int i = 0; i < ACTORS; i++) {
		struct actor *a = &world.actors[(op->actor + i) % ACTORS];

		if (op->rude || is_right(a)) {
			op->actor = number(a);
			return a;
		}
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
	int expected =
	    model_lock(&world.models[op->lock], number(a), &op->range, ways[op->way].patience);
	return compare_call(a, op, expected);
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
	int expected = model_unlock(&world.models[op->lock], number(a));
	take_answers(&world.models[op->lock]);
	return compare_call(a, op, expected);
}

static bool do_cancel(struct operation *op)
{
	struct actor *a = pick(op, sleeps);

	if (!a)
		return true;
	if (!op->rude)
		op->lock = a->lock;
	int expected = model_cancel(&world.models[op->lock], number(a));
	take_answers(&world.models[op->lock]);
	return compare_call(a, op, expected);
}

/* A sleep ends by itself: at its deadline, or for nothing. */
static bool do_wake(struct operation *op)
{
	struct actor *a = pick(op, sleeps);
	bool deadline = op->kind == DEADLINE && a && a->until;

	if (!a || !a->sleeps_on)
		return true;
	note("  actor %d: %s\n", number(a), deadline ? "its deadline passes" : "wakes up");
	if (deadline && a->owed == NOTHING) {
		model_deadline(&world.models[a->lock], number(a));
		take_answers(&world.models[a->lock]);
	}
	return wake_up(a, deadline ? ETIMEDOUT : 0);
}

static bool do_destroy(struct operation *op)
{
	/* No other call may be under way that nothing in the queue shows. */
	return let_all_return() &&
	       compare_call(&world.visitor, op, model_destroy(&world.models[op->lock]));
}

static bool do_look(struct operation *op)
{
	const struct model *m = &world.models[op->lock];
	int expected = op->stop < m->n ? STOP : 0;

	if (op->kind == NULLS || m->destroyed)
		expected = EINVAL;
	return compare_call(&world.visitor, op, expected);
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
		if (req == &world.actors[i].req)
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
	if (make_call(&world.visitor, &all, NULL) != 0)
		return differ("a walk or is_locked has to wait");

	for (int l = 0; l < LOCKS; l++) {
		struct rangelock_range range = op->range;

		if (!compare_walk(lock_name(l), &world.sights[l], &world.models[l]))
			return false;
		for (int mode = 0; mode < MODES; mode++) {
			range.mode = (enum rangelock_mode)mode;
			if (world.sights[l].is_locked[mode] !=
			    model_is_locked(&world.models[l], &range))
				return differ("is_locked of %c, %s, is %s", lock_name(l),
					      mode == RANGELOCK_READ ? "read" : "write",
					      world.sights[l].is_locked[mode] ? "true" : "false");
		}
		if (!world.models[l].n && !world.models[l].destroyed &&
		    rl_load(&to_lock(&world.locks[l])->word, relaxed) != 0)
			return differ("the word of %c is not idle", lock_name(l));
	}
	return true;
}

static bool compare_wakes(void)
{
	if (world.stray_wakes)
		return differ("a wake-up of nobody");
	for (int i = 0; i < ACTORS; i++)
		if (world.actors[i].wakes != world.actors[i].to_be_woken)
			return differ("actor %d: %d wake-ups, not %d", i, world.actors[i].wakes,
				      world.actors[i].to_be_woken);
	return true;
}

/* ---- A sequence ---- */

static void revive(int lock)
{
	enum model_fault fault = world.models[lock].fault;

	rangelock_init(&world.locks[lock], NULL);
	model_init(&world.models[lock], fault);
	note("  init %c\n", lock_name(lock));
}

static bool step(struct operation *op)
{
	for (int i = 0; i < ACTORS; i++) {
		world.actors[i].wakes = 0;
		world.actors[i].to_be_woken = false;
	}
	if (world.models[op->lock].destroyed && !op->rude && !op->lazy)
		revive(op->lock);
	return operate(op) && (op->lazy || let_all_return()) && compare_wakes() &&
	       compare_locks(op);
}

/* Who holds unlocks, until nobody is left. */
static bool finish(void)
{
	for (int l = 0; l < LOCKS; l++) {
		while (world.models[l].n) {
			struct operation op = { .kind = UNLOCK,
						.actor = world.models[l].queue[0].who,
						.range = { 0, 1, RANGELOCK_READ } };
			if (!let_all_return() || !step(&op))
				return false;
		}
	}
	return let_all_return();
}

/* plain: where to note down which actors were picked, or NULL. */
static const char *run(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *log,
		       uint8_t *plain)
{
	const struct wait_ops *ops = rl_wait;
	bool same = true;

	log_file = log;
	world_begin(fault);
	rl_wait = &world_wait_ops;
	for (size_t i = 0; same && i + OPERATION_BYTES <= n; i += OPERATION_BYTES) {
		struct operation op = decode(&bytes[i]);
		same = step(&op);
		if (plain)
			plain[i + 1] = (uint8_t)(plain[i + 1] / 8 * 8 + op.actor);
	}
	same = same && finish();
	rl_wait = ops;
	return same ? NULL : difference;
}

const char *differential_run(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *log)
{
	return run(bytes, n, fault, log, NULL);
}

void differential_name_actors(uint8_t *bytes, size_t n, enum model_fault fault)
{
	run(bytes, n, fault, NULL, bytes);
}
