/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine lacks is left out.  What the contract calls undefined is never
 * done, rude or not: a request in use on one lock is not given to a lock call of
 * another, and nobody but cancel meddles with a request whose call was answered
 * and has not returned, or that holds while its call waits.
 */
#include "model/differential.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "base/lock.h"
#include "model/world.h"

/* An operation is two arrivals at most: so nobody is passed so often that he would stand
 * firm, which the model knows nothing of. */
enum { MOST_BYTES = 1023 * OPERATION_BYTES };
_Static_assert(2 * MOST_BYTES / OPERATION_BYTES < RANGELOCK_MAX_BYPASS / 4 * 3,
	       "too few to stand firm");

static FILE *log_file;
static char difference[200]; /* the first one, or empty */

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
	case EDEADLK:
		return "EDEADLK";
	case EINPROGRESS:
		return "EINPROGRESS";
	case ENOSPC:
		return "ENOSPC";
	case ENOENT:
		return "ENOENT";
	case ENOTSUP:
		return "ENOTSUP";
	case STOP:
		return "the value of its function";
	}
	return "something else";
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

	if (difference[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(difference, sizeof(difference), fmt, ap);
	va_end(ap);
	return false;
}

static void note_call(const struct actor *a, const struct operation *op, int result)
{
	if (!log_file)
		return;
	note("  ");
	if (a != &world.visitor)
		note("actor %d: ", number(a));
	note("%s", operation_name(op));
	if (a == &world.visitor && op->kind != DESTROY && op->kind != WALK && op->kind != NULLS)
		note(" for actor %d,", op->actor);
	note(" %c", lock_name(op->lock));
	operation_print_arguments(op, log_file);
	note(result == MODEL_WAITS ? " %s\n" : " -> %s\n", result_name(result));
}

/* ---- What calls give, and when ---- */

static bool compare_sleep(const struct actor *a)
{
	const struct operation *op = &a->op;
	const size_t requests = op->kind == LOCKV ? (size_t)op->n : 1;

	if ((uintptr_t)a->sleeps_on - (uintptr_t)a->req >= requests * sizeof(*a->req))
		return differ("actor %d sleeps on something that is not its request", number(a));
	if (!ways[op->way].abstime != !a->until ||
	    (a->until && a->until->tv_sec != ways[op->way].abstime->tv_sec))
		return differ("actor %d sleeps until another time than it was told", number(a));
	if (op->kind == LOCK_CHOSEN && a->chosen != a->must_choose)
		return differ("actor %d has chosen %d times, not %d", number(a), a->chosen,
			      a->must_choose);
	return true;
}

/* Its call, which had to wait, has returned. */
static bool compare_return(struct actor *a)
{
	int owed = a->owed;

	a->owed = NOTHING;
	for (int i = 0; i < ACTORS; i++)
		if (world.actors[i].user == a)
			world.actors[i].user = &world.actors[i];
	if (a->result != owed)
		return differ("actor %d: its call returned %s, but was to %s", number(a),
			      result_name(a->result), owed == NOTHING ? "wait" : result_name(owed));
	if (a->op.kind == LOCK_CHOSEN && a->chosen != a->must_choose)
		return differ("actor %d has chosen %d times, not %d", number(a), a->chosen,
			      a->must_choose);
	return true;
}

/* A call, compared with what the model says; a itself makes it if it can. */
static bool compare_call(struct actor *a, const struct operation *op, int expected)
{
	struct actor *by = a->sleeps_on ? &world.visitor : a;
	int result = make_call(by, op, a->req);

	note_call(by, op, result);
	if (expected == MODEL_WAITS && result != MODEL_WAITS && a->owed != NOTHING)
		return compare_return(a); /* a callback let it go on before it slept */
	if (result != expected)
		return differ("actor %d: the call gave %s, not %s", number(a), result_name(result),
			      result_name(expected));
	if (op->kind == RESERVE_GAP && result == 0 && by->op.at != op->at)
		return differ("actor %d: the gap is another one", number(a));
	if (op->kind == LOCK_CHOSEN && result == 0 && by->chosen != 1)
		return differ("actor %d has chosen %d times, not once", number(a), by->chosen);
	return result != MODEL_WAITS || compare_sleep(a);
}

/* Whom the model has just answered. */
static void take_answers(const struct model *m)
{
	for (int i = 0; i < m->answered; i++) {
		struct actor *a = &world.actors[m->answers[i].who];

		if (a->submitted) {
			a->submitted = false;
			a->callback_due = true;
			a->callback_error = m->answers[i].result;
		} else if (m->answers[i].result == MODEL_INVITED) {
			a->invited = true;
			a->to_be_woken++;
		} else {
			a->owed = m->answers[i].result;
			/* Who has been told to come is not told again. */
			a->to_be_woken += a->sleeps_on && a->owed != ETIMEDOUT && !a->invited;
			a->must_choose += a->owed == 0;
		}
	}
}

/* lock_chosen was granted what it waited for. */
int choose_again(struct actor *a, struct rangelock_range *range)
{
	const struct operation *op = &a->op;
	struct model *m = &world.models[op->lock];
	int error = choice(op, a->chosen - 1, range);

	if (a->owed != 0) {
		differ("actor %d chooses again, but was not granted", number(a));
		return error;
	}
	int result = model_choose_again(m, number(a), error, range, ways[op->way].patience);
	a->owed = result == MODEL_WAITS ? NOTHING : result;
	take_answers(m);
	return error;
}

/* a was invited, and comes; unless it was cancelled meanwhile. */
static void come(struct actor *a, bool in_time)
{
	struct model *m = &world.models[a->lock];

	a->invited = false;
	if (a->owed != NOTHING)
		return;
	int result = model_come(m, number(a), in_time);
	a->owed = result == MODEL_WAITS ? NOTHING : result;
	a->must_choose += result == 0;
	take_answers(m);
}

/* The sleep of a ends.  If its call was answered, it is to return. */
static bool wake_up(struct actor *a, int sleep_returns)
{
	if (a->invited)
		come(a, sleep_returns == 0);
	if (!end_sleep(a, sleep_returns)) {
		if (a->owed != NOTHING)
			return differ("actor %d sleeps on, but was to return %s", number(a),
				      result_name(a->owed));
		return compare_sleep(a);
	}
	note("  actor %d:   returns %s\n", number(a), result_name(a->result));
	return compare_return(a);
}

static bool return_if_answered(struct actor *a)
{
	return a->owed == NOTHING || wake_up(a, 0);
}

/* lock_chosen, as it goes on, may let others return. */
static bool let_all_return(void)
{
	for (int i = 0; i < ACTORS; i++) {
		if (world.actors[i].owed == NOTHING && !world.actors[i].invited)
			continue;
		if (!wake_up(&world.actors[i], 0))
			return false;
		i = -1;
	}
	return true;
}

/* ---- Submitted requests ---- */

static int submit_to_model(struct model *m, struct actor *a)
{
	int expected = model_lock(m, number(a), &a->submits, ASYNC);

	a->submitted = expected == EINPROGRESS;
	return expected;
}

void submit_ended(struct rangelock_req *req, int error, void *arg)
{
	struct actor *a = arg;
	struct rangelock *lock = &world.locks[a->lock];
	int then = a->then, result;

	note("  actor %d:   its callback gets %s\n", number(a), result_name(error));
	if (req != a->req || !a->callback_due || error != a->callback_error) {
		differ("actor %d: its callback is not to run, or not with %s", number(a),
		       result_name(error));
		return;
	}
	a->callback_due = false;
	a->then = 0;
	if (then & THEN_UNLOCK) {
		int expected = model_unlock(&world.models[a->lock], number(a));
		take_answers(&world.models[a->lock]);
		result = rangelock_unlock(lock, req);
		note("  actor %d:   unlocks in it -> %s\n", number(a), result_name(result));
		if (result != expected)
			differ("actor %d: unlock in its callback gave %s, not %s", number(a),
			       result_name(result), result_name(expected));
	}
	if (then & THEN_SUBMIT) {
		int expected = submit_to_model(&world.models[a->lock], a);
		take_answers(&world.models[a->lock]);
		result = rangelock_submit(lock, req, &a->submits, submit_ended, a);
		note("  actor %d:   submits in it -> %s\n", number(a), result_name(result));
		if (result != expected)
			differ("actor %d: submit in its callback gave %s, not %s", number(a),
			       result_name(result), result_name(expected));
	}
}

static bool compare_callbacks(void)
{
	for (int i = 0; i < ACTORS; i++)
		if (world.actors[i].callback_due)
			return differ("actor %d: its callback has not run", i);
	return !difference[0];
}

/* ---- The operations ---- */

static const struct model_request *in_model(const struct actor *a)
{
	const struct model *m = &world.models[a->lock];
	int i = model_find(m, number(a));

	return i < 0 ? NULL : &m->queue[i];
}

static bool in_queue(const struct actor *a)
{
	return in_model(a);
}

static bool is_idle(const struct actor *a)
{
	return !a->user->sleeps_on && !in_queue(a);
}

static bool holds(const struct actor *a)
{
	return !a->user->sleeps_on && in_queue(a) && in_model(a)->stage == HELD;
}

/* The same, while its upgrade may wait. */
static bool still_holds(const struct actor *a)
{
	return holds(a) || (in_queue(a) && in_model(a)->stage == UPGRADING);
}

static bool reads(const struct actor *a)
{
	return holds(a) && in_model(a)->range.mode == RANGELOCK_READ;
}

static bool is_reserved(const struct actor *a)
{
	return !a->user->sleeps_on && (world.models[a->lock].revoked[number(a)].end ||
				       (in_queue(a) && in_model(a)->stage == RESERVED));
}

static bool sleeps(const struct actor *a)
{
	return a->sleeps_on;
}

static bool waits(const struct actor *a)
{
	return a->user->sleeps_on || (in_queue(a) && in_model(a)->caller != MODEL_NOBODY);
}

/* It holds, and whose call it is waits. */
static bool must_be_left_alone(const struct actor *a)
{
	return a->user->sleeps_on && in_queue(a) &&
	       (in_model(a)->stage == HELD || in_model(a)->stage == UPGRADING);
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

/* Calls with a request: which one, and what the engine must offer. */
static const struct {
	bool (*whose)(const struct actor *);
	unsigned caps;
	bool waits; /* it has an abstime, or waits forever */
} calls[KINDS] = {
	[LOCK] = { is_idle, RANGELOCK_CAP_LOCK, true },
	[UNLOCK] = { holds, RANGELOCK_CAP_LOCK, false },
	[CANCEL] = { waits, RANGELOCK_CAP_LOCK, false },
	[DOWNGRADE] = { holds, RANGELOCK_CAP_CONVERT, false },
	[TRYUPGRADE] = { reads, RANGELOCK_CAP_CONVERT, false },
	[UPGRADE] = { reads, RANGELOCK_CAP_CONVERT, false },
	[REDUCE] = { holds, RANGELOCK_CAP_RESIZE, false },
	[SPLIT] = { holds, RANGELOCK_CAP_RESIZE, false },
	[TRYEXTEND] = { holds, RANGELOCK_CAP_RESIZE, false },
	[RDLOCK_NESTED] = { is_idle, RANGELOCK_CAP_NESTED, false },
	[LOCKV] = { is_idle, RANGELOCK_CAP_VECTOR, true },
	[UNLOCKV] = { holds, RANGELOCK_CAP_VECTOR, false },
	[SUBMIT] = { is_idle, RANGELOCK_CAP_SUBMIT, false },
	[RESERVE] = { is_idle, RANGELOCK_CAP_RESERVE, false },
	[RESERVE_GAP] = { is_idle, RANGELOCK_CAP_RESERVE, false },
	[COMMIT] = { is_reserved, RANGELOCK_CAP_RESERVE, true },
	[UNRESERVE] = { is_reserved, RANGELOCK_CAP_RESERVE, false },
	[WAIT_ENTERED] = { is_idle, RANGELOCK_CAP_ENTER, true },
	[LOCK_CHOSEN] = { is_idle, RANGELOCK_CAP_ENTER, true },
};

/* Part of what is held, or more than it. */
static void choose_size(struct operation *op, const struct rangelock_range *held)
{
	uint64_t left = (uint64_t)op->other % 4, right = op->at % 4;

	op->range = *held;
	if (op->kind == REDUCE) {
		op->range.start += left < held->end - held->start ? left : 0;
		op->range.end -= right < op->range.end - op->range.start ? right : 0;
	} else if (op->kind == TRYEXTEND) {
		op->range.start -= left < held->start ? left : held->start;
		op->range.end += right < UINT64_MAX - held->end ? right : UINT64_MAX - held->end;
	} else if (held->end - held->start > 1) {
		op->at = held->start + 1 + op->at % (held->end - held->start - 1);
	}
}

/* The other request, or those of the vector.  Whether the call can be made. */
static bool choose_others(struct operation *op, struct actor *a)
{
	bool (*is_right)(const struct actor *) = op->kind == RDLOCK_NESTED ? still_holds
						 : op->kind == UNLOCKV	   ? holds
									   : is_idle;

	if (op->kind == SPLIT || op->kind == RDLOCK_NESTED) {
		for (int i = 0; i < ACTORS && !op->rude; i++)
			if (!is_right(&world.actors[op->other]) ||
			    (is_right == still_holds && world.actors[op->other].lock != op->lock))
				op->other = (op->other + 1) % ACTORS;
		const struct actor *other = &world.actors[op->other];
		if (op->kind == SPLIT && in_queue(other) && other->lock != op->lock)
			return false;
		return return_if_answered(other->user) &&
		       (op->kind == SPLIT || still_holds(other) || !must_be_left_alone(other));
	}
	if (op->kind != LOCKV && op->kind != UNLOCKV)
		return true;
	for (int i = 1; i < op->n; i++) {
		const struct actor *other = a + i;

		if (other == &world.actors[ACTORS] ||
		    (!op->rude &&
		     (!is_right(other) || (is_right == holds && other->lock != op->lock)))) {
			op->n = i;
			break;
		}
		if (op->kind == LOCKV && in_queue(other) && other->lock != op->lock)
			return false;
		if (!return_if_answered(other->user) || must_be_left_alone(other))
			return false;
	}
	return op->n > 0;
}

static int ask_model(struct model *m, struct operation *op, struct actor *a)
{
	const enum model_patience patience = ways[op->way].patience;
	uint64_t start = op->range.start, end = op->range.end;
	int who = op->actor;
	struct rangelock_range range;

	switch (op->kind) {
	case LOCK:
	case WAIT_ENTERED:
		return model_lock(m, who, &op->range, patience);
	case UNLOCK:
		return model_unlock(m, who);
	case CANCEL:
		return model_cancel(m, who);
	case DOWNGRADE:
		return model_downgrade(m, who);
	case TRYUPGRADE:
		return model_upgrade(m, who, TRY);
	case UPGRADE:
		return model_upgrade(m, who, FOREVER);
	case REDUCE:
		return model_reduce(m, who, start, end);
	case SPLIT:
		return model_split(m, who, op->at, op->other);
	case TRYEXTEND:
		return model_tryextend(m, who, start, end);
	case RDLOCK_NESTED:
		return model_rdlock_nested(m, who, start, end, op->other);
	case LOCKV:
		return model_lockv(m, who, op->ranges, op->n, patience);
	case UNLOCKV:
		return model_unlockv(m, who, op->n);
	case RESERVE:
		return model_reserve(m, who, start, end);
	case RESERVE_GAP:
		return model_reserve_gap(m, who, op->size, op->align, start, end, &op->at);
	case COMMIT:
		return model_commit(m, who, patience);
	case UNRESERVE:
		return model_unreserve(m, who);
	case SUBMIT:
		if (a->user->sleeps_on || in_queue(a))
			return EINVAL;
		a->submits = op->range;
		a->then = op->then;
		return submit_to_model(m, a);
	default: /* LOCK_CHOSEN */
		if (a->user->sleeps_on || in_queue(a) || m->destroyed)
			return EINVAL;
		a->must_choose = 1;
		int error = choice(op, 0, &range);
		return error ? error : model_lock_chosen(m, who, &range, patience);
	}
}

static bool end_patience(struct actor *a)
{
	note("  actor %d: its deadline passes\n", number(a));
	if (a->owed == NOTHING && !a->invited) {
		model_deadline(&world.models[a->lock], number(a));
		take_answers(&world.models[a->lock]);
	}
	return wake_up(a, ETIMEDOUT);
}

/* What was revoked on another lock is no longer: it was used on this one. */
static void forget_elsewhere(int who, int lock)
{
	for (int l = 0; l < LOCKS; l++)
		if (l != lock)
			world.models[l].revoked[who].end = 0;
}

static bool do_call(struct operation *op)
{
	bool idle = calls[op->kind].whose == is_idle;
	struct actor *a = pick(op, calls[op->kind].whose);

	if (!a || calls[op->kind].caps & ~rangelock_engine_caps(RANGELOCK_TREE))
		return true;
	if (op->kind != CANCEL) {
		if (!return_if_answered(a->user))
			return false;
		if (!idle && must_be_left_alone(a))
			return true;
	}
	if (idle ? in_queue(a) : !op->rude)
		op->lock = a->lock;
	if (op->kind != LOCK && (!calls[op->kind].waits || ways[op->way].patience == TRY))
		op->way = 0;
	if (!op->rude && (op->kind == REDUCE || op->kind == SPLIT || op->kind == TRYEXTEND))
		choose_size(op, &in_model(a)->range);
	if (!choose_others(op, a))
		return !difference[0];
	struct model *m = &world.models[op->lock];
	if (op->kind == WAIT_ENTERED && m->destroyed)
		return true;
	/* Else a callback may invite it before it sleeps again, and nobody sees it come. */
	if (op->kind == LOCK_CHOSEN && m->barging)
		op->changes = 0;

	m->answered = 0;
	int expected = ask_model(m, op, a);
	take_answers(m);
	for (int i = 0; op->kind == LOCKV && expected == MODEL_WAITS && i < op->n; i++)
		a[i].user = a;
	for (int i = 0; i < ACTORS; i++) {
		if (model_find(m, i) >= 0) {
			world.actors[i].lock = op->lock;
			forget_elsewhere(i, op->lock);
		}
	}
	return compare_call(a, op, expected) &&
	       (!a->sleeps_on || a->until != &past || end_patience(a));
}

/* A sleep ends by itself: at its deadline, or for nothing. */
static bool do_wake(struct operation *op)
{
	struct actor *a = pick(op, sleeps);

	if (!a || !a->sleeps_on)
		return true;
	if (op->kind == DEADLINE && a->until)
		return end_patience(a);
	note("  actor %d: wakes up\n", number(a));
	return wake_up(a, 0);
}

static bool do_destroy(struct operation *op)
{
	struct model *m = &world.models[op->lock];

	/* No other call may be under way that nothing in the queue shows. */
	if (!let_all_return() || !compare_call(&world.visitor, op, model_destroy(m)))
		return false;
	for (int i = 0; m->destroyed && i < ACTORS; i++) {
		if (m->revoked[i].end) { /* it is not to know a lock that is no more */
			world.reqs[i] = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
			m->revoked[i].end = 0;
		}
	}
	return true;
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
	case DEADLINE:
	case GO_ON:
		return do_wake(op);
	case DESTROY:
		return do_destroy(op);
	case WALK:
	case NULLS:
		return do_look(op);
	default:
		return do_call(op);
	}
}

/* ---- Comparing ---- */

static int who(const struct rangelock_req *req)
{
	for (int i = 0; i < ACTORS; i++)
		if (req == &world.reqs[i])
			return i;
	return NOTHING;
}

static enum rangelock_state shown_state(enum model_stage stage)
{
	if (stage == RESERVED)
		return RANGELOCK_RESERVED;
	return stage == HELD || stage == UPGRADING ? RANGELOCK_HELD : RANGELOCK_WAITING;
}

/* One line of a walk with one of the model's queue. */
static bool compare_request(char name, const struct rangelock_info *seen, const struct model *m,
			    int i)
{
	static const char *const states[] = { [RANGELOCK_HELD] = "held",
					      [RANGELOCK_WAITING] = "waiting",
					      [RANGELOCK_RESERVED] = "reserved" };
	const struct model_request *r = &m->queue[i];
	enum rangelock_state state = shown_state(r->stage);
	uint64_t blockers = r->stage == RESERVED ? 0 : (uint64_t)model_blockers(m, i);

	if (seen->start != r->range.start || seen->end != r->range.end ||
	    seen->mode != r->range.mode)
		return differ("walk of %c: actor %d has another range or mode", name, r->who);
	if (seen->state != state)
		return differ("walk of %c: actor %d is %s, not %s", name, r->who,
			      states[seen->state], states[state]);
	if (seen->blockers != blockers)
		return differ("walk of %c: actor %d waits for %" PRIu64 ", not %" PRIu64, name,
			      r->who, seen->blockers, blockers);
	return true;
}

/* Whether two of the model's queue arrived in the order of these numbers. */
static bool compare_arrivals(char name, const struct model *m, int i, int k,
			     const uint64_t arrivals[])
{
	const struct model_request *a = &m->queue[i], *b = &m->queue[k];

	if (a->stage == RESERVED || b->stage == RESERVED)
		return true;
	if ((a->arrival < b->arrival) == (arrivals[i] < arrivals[k]) &&
	    (a->arrival > b->arrival) == (arrivals[i] > arrivals[k]))
		return true;
	return differ("walk of %c: actor %d and actor %d did not arrive in this order", name,
		      a->who, b->who);
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
	for (int i = 0; i < m->n; i++)
		for (int k = 0; k < i; k++)
			if (!compare_arrivals(name, m, k, i, arrivals))
				return false;
	for (int i = 0; i < ACTORS; i++)
		if (seen->is_reserved[i] != model_is_reserved(m, i))
			return differ("is_reserved of %c, actor %d, is %s", name, i,
				      seen->is_reserved[i] ? "true" : "false");
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
	make_lock(lock, world.models[lock].fault);
	note("  init %c\n", lock_name(lock));
}

static bool step(struct operation *op)
{
	for (int i = 0; i < ACTORS; i++) {
		world.actors[i].wakes = 0;
		world.actors[i].to_be_woken = 0;
	}
	if (world.models[op->lock].destroyed && !op->rude && !op->lazy)
		revive(op->lock);
	return operate(op) && (op->lazy || let_all_return()) && compare_callbacks() &&
	       compare_wakes() && compare_locks(op);
}

/* What it takes to get this one out of the queue; it may be that only others help. */
static enum kind way_out(const struct model_request *r)
{
	if (r->stage == RESERVED)
		return UNRESERVE;
	return r->caller == MODEL_NOBODY ? UNLOCK : CANCEL;
}

/* Who holds unlocks, until nobody is left.  Those are cancelled that wait for each
 * other. */
static bool finish(void)
{
	static const enum kind order[] = { UNLOCK, UNRESERVE, CANCEL };

	for (int l = 0; l < LOCKS; l++) {
		const struct model *m = &world.models[l];

		for (size_t k = 0; m->n && k < sizeof(order) / sizeof(*order); k++) {
			int i = 0;

			if (!let_all_return())
				return false;
			while (i < m->n && way_out(&m->queue[i]) != order[k])
				i++;
			if (i == m->n)
				continue;
			struct operation op = { .kind = order[k],
						.actor = m->queue[i].who,
						.range = { 0, 1, RANGELOCK_READ } };
			if (!step(&op))
				return false;
			k = (size_t)-1; /* unlock first, again */
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
	difference[0] = '\0';
	world_begin(fault);
	rl_wait = &world_wait_ops;
	if (n > MOST_BYTES)
		n = MOST_BYTES;
	for (size_t i = 0; same && i + OPERATION_BYTES <= n; i += OPERATION_BYTES) {
		struct operation op = operation_decode(&bytes[i]);
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
