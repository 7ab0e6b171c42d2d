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

/* A call, between its stamps. */
static int call_lock(struct worker *w, struct ticket *t, enum call call)
{
	const struct subject *s = w->run->subject;
	struct rangelock *lock = &w->run->lock;
	struct life *life = t->life;
	uint64_t start = t->span.start, end = end_of(&w->rng, &t->span);
	int64_t patience = (int64_t)rng_below(&w->rng, 200000);
	struct timespec abstime;
	int error;

	life->called = stamp();
	life->deadline = life->called + patience;
	abstime.tv_sec = (time_t)(life->deadline / NS_PER_S);
	abstime.tv_nsec = life->deadline % NS_PER_S;
	switch (call) {
	case CALL_RDLOCK:
		error = s->rdlock(lock, &t->req, start, end);
		break;
	case CALL_WRLOCK:
		error = s->wrlock(lock, &t->req, start, end);
		break;
	case CALL_TRYRDLOCK:
		error = s->tryrdlock(lock, &t->req, start, end);
		break;
	case CALL_TRYWRLOCK:
		error = s->trywrlock(lock, &t->req, start, end);
		break;
	case CALL_TIMEDRDLOCK:
		error = s->timedrdlock(lock, &t->req, start, end, &abstime);
		break;
	default:
		error = s->timedwrlock(lock, &t->req, start, end, &abstime);
	}
	life->returned = life->gone = stamp();
	life->result = (uint8_t)error;
	return error;
}

/* May this call answer so?  Whether it had to, the history tells. */
static bool is_answer(enum call call, int error)
{
	bool tries = call == CALL_TRYRDLOCK || call == CALL_TRYWRLOCK;
	bool timed = call == CALL_TIMEDRDLOCK || call == CALL_TIMEDWRLOCK;

	return error == 0 || (error == EBUSY && tries) || (error == ETIMEDOUT && timed) ||
	       (error == ECANCELED && !tries);
}

static void lock_ticket(struct worker *w, struct ticket *t, bool may_wait)
{
	struct run *run = w->run;
	struct log *log = &run->history.logs[w->index];

	if (log_is_full(log)) {
		atomic_store(&run->pause, true);
		return;
	}
	t->span = random_span(&w->rng);
	unsigned kind = (unsigned)rng_below(&w->rng, may_wait ? 3 : 2);
	enum call call = kind == 0 ? CALL_TRYRDLOCK : kind == 1 ? CALL_TIMEDRDLOCK : CALL_RDLOCK;
	call += t->span.mode; /* the write form follows the read form */

	t->life = log_life(log, w->index, (unsigned)(t - w->tickets), call, &t->span);
	int error = call_lock(w, t, call);
	w->calls[call]++;
	if (!is_answer(call, error))
		violation(&run->oracle, "thread %u: %s [%u, %u) answered errno %d", w->index,
			  call_names[call], t->span.start, t->span.end, error);
	if (error)
		return;
	oracle_hold(&run->oracle, &t->span, w->index);
	oracle_use(&run->oracle, &t->span, w->index);
	atomic_store(&t->place, PLACE_HELD);
}

/* By its owner, or by the helper on his behalf. */
static void unlock_ticket(struct run *run, struct ticket *t, unsigned who)
{
	oracle_use(&run->oracle, &t->span, who);
	oracle_drop(&run->oracle, &t->span, who);
	t->life->unlocked_by = (uint16_t)who;
	t->life->dropped = stamp();
	int error = run->subject->unlock(&run->lock, &t->req);
	t->life->gone = stamp();
	if (error)
		violation(&run->oracle, "thread %u: unlock of [%u, %u) answered errno %d", who,
			  t->span.start, t->span.end, error);
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
			unlock_ticket(w->run, t, w->index);
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
			unlock_ticket(w->run, t, w->index);
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

/* ---- The helper ---- */

/* What nobody holds must be said to be free. */
static void ask_for_free(struct run *run, struct rng *rng)
{
	struct log *log = &run->history.logs[run->n_workers];
	unsigned unit = (unsigned)rng_below(rng, UNITS);
	struct span span = { unit, unit + 1, RANGELOCK_WRITE };

	if (log_is_full(log)) {
		atomic_store(&run->pause, true);
		return;
	}
	struct life *life = log_life(log, run->n_workers, 0, CALL_IS_LOCKED, &span);
	life->called = stamp();
	bool locked = run->subject->is_locked(&run->lock, unit, unit + 1, RANGELOCK_READ);
	life->returned = life->gone = stamp();
	life->result = EBUSY;
	run->calls[CALL_IS_LOCKED]++;
	if (!locked)
		log->n--; /* nothing to judge */
}

/* Note an event, whose time the caller knows. */
static void note(struct run *run, struct events *events, struct event event)
{
	if (events_are_full(events))
		atomic_store(&run->pause, true);
	else
		events->all[events->n++] = event;
}

static void cancel(struct run *run, struct worker *w, unsigned slot)
{
	struct event event = { .who = (uint16_t)w->index, .slot = (uint16_t)slot };

	if (events_are_full(&run->history.cancels)) { /* one that counts must be noted */
		atomic_store(&run->pause, true);
		return;
	}

	event.began = stamp();
	int error = run->subject->cancel(&run->lock, &w->tickets[slot].req);
	event.ended = stamp();
	run->calls[CALL_CANCEL]++;
	if (error == 0) {
		run->cancels++;
		note(run, &run->history.cancels, event);
	} else if (error != EBUSY) {
		violation(&run->oracle, "cancel answered errno %d", error);
	}
}

/* Look at the whole lock; note whom it shows in a lock call. */
static void look(struct run *run)
{
	static struct picture p; /* one thread looks */
	struct event event = { .picture = (uint32_t)run->calls[CALL_WALK] };

	event.began = stamp();
	take_picture(&run->oracle, run->subject, &run->lock, &p);
	event.ended = stamp();
	run->calls[CALL_WALK]++;
	judge_picture(&run->oracle, run->subject, &p);

	for (unsigned i = 0; i < p.n; i++) {
		size_t offset = (size_t)((const char *)p.all[i].req - (const char *)run->workers);
		size_t who = offset / sizeof(struct worker);
		size_t slot = (offset % sizeof(struct worker) - offsetof(struct worker, tickets)) /
			      sizeof(struct ticket);

		if (who >= run->n_workers || slot >= PER_THREAD) {
			violation(&run->oracle, "walk: shows a request that nobody has made");
			return;
		}
		event.who = (uint16_t)who;
		event.slot = (uint16_t)slot;
		event.arrival = p.all[i].arrival;
		/* Surely held is no news; the rest is for the judge to sort out. */
		if (atomic_load_explicit(&run->workers[who].tickets[slot].place,
					 memory_order_relaxed) == PLACE_IDLE)
			note(run, &run->history.sightings, event);
	}
}

void helper_step(struct run *run, struct rng *rng)
{
	unsigned helper = run->n_workers;
	struct worker *w = &run->workers[rng_below(rng, run->n_workers)];

	for (int i = 0; i < PER_THREAD; i++) {
		struct ticket *t = &w->tickets[i];

		if (atomic_load(&t->place) == PLACE_HANDED_ON) {
			unlock_ticket(run, t, helper);
			run->calls[CALL_UNLOCK]++;
			atomic_store(&t->place, PLACE_RETURNED);
		} else if (rng_one_in(rng, 16)) {
			cancel(run, w, (unsigned)i);
		}
	}
	atomic_fetch_add_explicit(&run->helper_steps, 1, memory_order_relaxed);
	if (rng_one_in(rng, 8))
		ask_for_free(run, rng);
	if (rng_one_in(rng, 64))
		look(run);
}
