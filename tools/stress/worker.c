/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads do: random calls on random ranges.
 *
 * A thread that holds nothing may wait without limit; one that holds something
 * only tries, or waits a short time, so that no deadlock is the stress's own.
 */
#include <errno.h>
#include <sched.h>

#include "common/clock.h"
#include "stress/stress.h"

const char *const call_names[N_CALLS] = {
	"rdlock", "wrlock", "tryrdlock", "trywrlock", "timedrdlock", "timedwrlock",
	"unlock", "cancel", "walk",	 "is_locked", "init",	     "destroy",
};

static struct span random_span(struct rng *rng)
{
	uint64_t kind = rng_below(rng, 16);
	unsigned start, length;

	if (kind == 0) { /* all */
		start = 0;
		length = UNITS;
	} else if (kind < 3) { /* wide */
		start = (unsigned)rng_below(rng, UNITS);
		length = 1 + (unsigned)rng_below(rng, UNITS - start);
	} else { /* short; half of them in a hot corner */
		start = (unsigned)rng_below(rng, kind < 9 ? 8 : UNITS);
		length = 1 + (unsigned)rng_below(rng, 4);
	}
	if (start + length > UNITS)
		length = UNITS - start;
	return (struct span){ start, start + length,
			      rng_below(rng, 2) ? RANGELOCK_WRITE : RANGELOCK_READ };
}

/* The last unit sometimes stands for all that is above. */
static uint64_t end_of(struct rng *rng, const struct span *span)
{
	return span->end == UNITS && rng_below(rng, 2) ? RANGELOCK_MAX : span->end;
}

static unsigned claim_index(const struct worker *w, const struct ticket *t)
{
	return w->index * PER_THREAD + (unsigned)(t - w->tickets);
}

/* A deadline, remembered to judge a time-out by. */
static struct timespec soon(struct worker *w)
{
	struct timespec abstime = in_ns((int64_t)rng_below(&w->rng, 200000));

	w->deadline = (int64_t)abstime.tv_sec * NS_PER_S + abstime.tv_nsec;
	return abstime;
}

static int call_lock(struct worker *w, struct ticket *t, enum call call)
{
	const struct subject *s = w->run->subject;
	struct rangelock *lock = &w->run->lock;
	uint64_t start = t->span.start, end = end_of(&w->rng, &t->span);
	struct timespec abstime;

	switch (call) {
	case CALL_RDLOCK:
		return s->rdlock(lock, &t->req, start, end);
	case CALL_WRLOCK:
		return s->wrlock(lock, &t->req, start, end);
	case CALL_TRYRDLOCK:
		return s->tryrdlock(lock, &t->req, start, end);
	case CALL_TRYWRLOCK:
		return s->trywrlock(lock, &t->req, start, end);
	case CALL_TIMEDRDLOCK:
		abstime = soon(w);
		return s->timedrdlock(lock, &t->req, start, end, &abstime);
	default:
		abstime = soon(w);
		return s->timedwrlock(lock, &t->req, start, end, &abstime);
	}
}

/* After a call that may fail only if something is in the way. */
static void judge_failure(struct worker *w, struct ticket *t, enum call call, int error)
{
	struct oracle *o = &w->run->oracle;

	if (error == ETIMEDOUT && clock_ns() < w->deadline)
		violation(o, "time-out: thread %u: %s [%u, %u) answered ETIMEDOUT before its time",
			  w->index, call_names[call], t->span.start, t->span.end);
	snapshot(o, w->after);
	if (!could_conflict(o, w->before, w->after, claim_index(w, t), &t->span))
		violation(
		    o,
		    "false conflict: thread %u: %s [%u, %u) answered %s, and nothing was in the way",
		    w->index, call_names[call], t->span.start, t->span.end,
		    error == EBUSY ? "EBUSY" : "ETIMEDOUT");
}

static void lock_ticket(struct worker *w, struct ticket *t, bool may_wait)
{
	struct oracle *o = &w->run->oracle;
	unsigned kind = (unsigned)rng_below(&w->rng, may_wait ? 3 : 2);

	t->span = random_span(&w->rng);
	enum call call = kind == 0 ? CALL_TRYRDLOCK : kind == 1 ? CALL_TIMEDRDLOCK : CALL_RDLOCK;
	call += t->span.mode; /* the write form follows the read form */

	claim(o, claim_index(w, t), &t->span);
	snapshot(o, w->before);
	int error = call_lock(w, t, call);
	w->calls[call]++;

	if (!error) {
		oracle_hold(o, &t->span, w->index);
		oracle_use(o, &t->span, w->index);
		atomic_store(&t->place, PLACE_HELD);
		return;
	}
	if ((error == EBUSY && kind == 0) || (error == ETIMEDOUT && kind == 1))
		judge_failure(w, t, call, error);
	else if (error == ECANCELED)
		w->canceled++;
	else
		violation(o, "thread %u: %s [%u, %u) answered errno %d", w->index, call_names[call],
			  t->span.start, t->span.end, error);
	unclaim(o, claim_index(w, t));
}

/* By its owner, or by the helper on his behalf. */
static void unlock_ticket(struct run *run, struct worker *w, struct ticket *t, unsigned who)
{
	oracle_use(&run->oracle, &t->span, who);
	oracle_drop(&run->oracle, &t->span, who);
	int error = run->subject->unlock(&run->lock, &t->req);
	if (error)
		violation(&run->oracle, "thread %u: unlock of [%u, %u) answered errno %d", who,
			  t->span.start, t->span.end, error);
	unclaim(&run->oracle, claim_index(w, t));
}

struct sight {
	const struct ticket *ticket;
	bool seen;
};

static int look_for_own(const struct rangelock_info *info, void *arg)
{
	struct sight *sight = arg;
	const struct span *span = &sight->ticket->span;

	sight->seen =
	    info->req == &sight->ticket->req && info->state == RANGELOCK_HELD &&
	    info->start == span->start && info->mode == span->mode &&
	    (info->end == span->end || (span->end == UNITS && info->end == RANGELOCK_MAX));
	return sight->seen ? -1 : 0;
}

/* What is held must be said to be held, and be shown. */
static void ask(struct worker *w, const struct ticket *t)
{
	const struct subject *s = w->run->subject;
	const struct span *span = &t->span;
	struct sight sight = { t, false };

	w->calls[CALL_IS_LOCKED]++;
	if (!s->is_locked(&w->run->lock, span->start, span->end, span->mode))
		violation(&w->run->oracle, "is_locked: thread %u holds [%u, %u), and it is denied",
			  w->index, span->start, span->end);
	w->calls[CALL_WALK]++;
	if (s->walk(&w->run->lock, look_for_own, &sight) != -1 || !sight.seen)
		violation(&w->run->oracle, "walk: thread %u holds [%u, %u), and it is not shown",
			  w->index, span->start, span->end);
}

/* What nobody holds or wants must be said to be free. */
static void ask_for_free(struct run *run, struct rng *rng)
{
	static uint64_t before[MAX_CLAIMS], after[MAX_CLAIMS]; /* the helper's */
	unsigned unit = (unsigned)rng_below(rng, UNITS);
	struct span span = { unit, unit + 1, RANGELOCK_WRITE };

	snapshot(&run->oracle, before);
	bool locked = run->subject->is_locked(&run->lock, unit, unit + 1, RANGELOCK_READ);
	snapshot(&run->oracle, after);
	run->calls[CALL_IS_LOCKED]++;
	if (locked && !could_conflict(&run->oracle, before, after, MAX_CLAIMS, &span))
		violation(&run->oracle,
			  "is_locked: nobody holds unit %u, and it is said to be held", unit);
}

static void step(struct worker *w)
{
	bool holds = false;
	struct ticket *t = &w->tickets[rng_below(&w->rng, PER_THREAD)];

	for (int i = 0; i < PER_THREAD; i++)
		holds |= atomic_load(&w->tickets[i].place) != PLACE_IDLE;

	switch (atomic_load(&t->place)) {
	case PLACE_RETURNED:
		atomic_store(&t->place, PLACE_IDLE);
		break;
	case PLACE_IDLE:
		lock_ticket(w, t, !holds);
		break;
	case PLACE_HELD:
		/* To be caught, whoever breaks in needs time to do it. */
		if (rng_one_in(&w->rng, 4))
			sched_yield();
		if (rng_one_in(&w->rng, 8))
			ask(w, t);
		if (rng_one_in(&w->rng, 16)) {
			atomic_store(&t->place, PLACE_HANDED_ON);
		} else {
			unlock_ticket(w->run, w, t, w->index);
			w->calls[CALL_UNLOCK]++;
			atomic_store(&t->place, PLACE_IDLE);
		}
		break;
	default: /* the helper has it */
		sched_yield();
	}
	atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
}

/* Give back all that is held, so that the round can end. */
static void come_to_rest(struct worker *w)
{
	for (int i = 0; i < PER_THREAD; i++) {
		struct ticket *t = &w->tickets[i];

		if (atomic_load(&t->place) == PLACE_HELD) {
			unlock_ticket(w->run, w, t, w->index);
			w->calls[CALL_UNLOCK]++;
		} else {
			while (atomic_load(&t->place) == PLACE_HANDED_ON)
				sched_yield();
		}
		atomic_store(&t->place, PLACE_IDLE);
	}
}

void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct run *run = w->run;

	do {
		while (!atomic_load_explicit(&run->pause, memory_order_relaxed))
			step(w);
		come_to_rest(w);
		atomic_store(&w->resting, true);
		pthread_barrier_wait(&run->round); /* until the lock is made anew */
	} while (!atomic_load(&run->stop));
	return NULL;
}

void helper_step(struct run *run, struct rng *rng)
{
	unsigned helper = run->n_workers;
	struct worker *w = &run->workers[rng_below(rng, run->n_workers)];

	for (int i = 0; i < PER_THREAD; i++) {
		struct ticket *t = &w->tickets[i];

		if (atomic_load(&t->place) == PLACE_HANDED_ON) {
			unlock_ticket(run, w, t, helper);
			run->calls[CALL_UNLOCK]++;
			atomic_store(&t->place, PLACE_RETURNED);
		} else if (rng_one_in(rng, 16)) {
			int error = run->subject->cancel(&run->lock, &t->req);

			run->calls[CALL_CANCEL]++;
			run->cancels += error == 0;
			if (error && error != EBUSY)
				violation(&run->oracle, "cancel answered errno %d", error);
		}
	}
	atomic_fetch_add_explicit(&run->helper_steps, 1, memory_order_relaxed);
	if (rng_one_in(rng, 8))
		ask_for_free(run, rng);
	if (rng_one_in(rng, 64)) {
		judge_picture(&run->oracle, run->subject, &run->lock);
		run->calls[CALL_WALK]++;
	}
}
